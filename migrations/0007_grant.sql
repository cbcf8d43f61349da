-- Standing permissions of the operator. `terms` is JSON. `grant` itself is a word of SQL.
create table granted (
    id         text   not null primary key,
    terms      text   not null,
    most       bigint not null,
    used       bigint not null default 0,
    created_at bigint not null,
    expires_at bigint not null,
    created_by text   not null,
    revoked_at bigint
);
create index granted_live on granted (expires_at) where revoked_at is null;

-- A question that was taken back was not answered no by a person.
alter table approval add column withdrawn bigint;
