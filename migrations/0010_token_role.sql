-- What a token may do beyond its ceiling. `role` takes the place of the flag `approve`; `targets` is a JSON list of patterns, and an
-- empty one means all; a token without `expires_at` ends when it is revoked.
alter table token add column role text not null default 'client';
alter table token add column targets text not null default '[]';
alter table token add column expires_at bigint;
alter table token add column per_minute bigint;
update token set role = 'approver' where approve <> 0;
alter table token drop column approve;
