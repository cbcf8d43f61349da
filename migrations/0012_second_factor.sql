-- The second factor of the operator: on as long as there is a row. Its key is sealed in the vault. `step` is the last time step whose code was
-- spent, so that no code is taken twice, whichever server it comes to. Recovery codes are kept as digests.
create table second_factor (
    id     bigint not null primary key check (id = 1),
    step   bigint not null,
    set_at bigint not null
);
create table recovery_code (
    digest   text   not null primary key,
    spent_at bigint
);
