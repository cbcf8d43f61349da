-- What is said again with the same key is not asked twice.
alter table turn add column idempotency text;
create unique index turn_idempotency on turn (actor, idempotency) where idempotency is not null;
