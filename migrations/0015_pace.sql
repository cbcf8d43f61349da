-- Replicas count the requests of a token together: when its minute's worth is full again, in microseconds since 1970.
create table pace (
    token text not null primary key references token (id),
    full_at bigint not null
);
