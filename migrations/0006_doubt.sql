-- Outcomes that nobody can tell stay in sight until a person has looked.
alter table call add column acknowledged_at bigint;
alter table job add column acknowledged_at bigint;
create index call_doubt on call (created_at) where state = 'unknown' and acknowledged_at is null;
create index job_doubt on job (created_at) where state = 'unknown' and acknowledged_at is null;
