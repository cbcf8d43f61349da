-- Secrets of the vault, sealed: `wrapped` is the key of a value under the vault's key, `sealed` the value under its own.
-- A value that was replaced or removed is retired: it is not handed out, but still struck out.
create table secret (
    name       text   not null,
    version    bigint not null,
    note       text   not null,
    uses       text   not null,
    key_id     text   not null,
    wrapped    text   not null,
    sealed     text   not null,
    created_at bigint not null,
    changed_at bigint not null,
    retired_at bigint,
    primary key (name, version)
);
