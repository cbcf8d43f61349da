-- Attempts to sign in of the last minute, by where they came from: replicas count them together, and a restart does not
-- forget them. `times` is a JSON list; what is right is forgotten.
create table attempt (
    source text   not null primary key,
    far    bigint not null,
    latest bigint not null,
    times  text   not null
);
