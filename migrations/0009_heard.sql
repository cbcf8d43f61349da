-- When a client's model was last handed what strangers may have written, by the actor that it calls as.
create table heard (
    actor text   not null primary key,
    at    bigint not null
);
