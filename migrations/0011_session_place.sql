-- Where a session was opened, and when it was last used, to the minute: whoever looks at the list must know his own.
alter table session add column face text not null default '';
alter table session add column place text not null default '';
alter table session add column used_at bigint;
