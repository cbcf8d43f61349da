-- Who carries a call, a card or a turn. A replica that has not said for a while that it is there has lapsed: what it
-- carried is abandoned, and another goes on with it. Where one process owns the database nobody is named.
create table replica (
    id        text   not null primary key,
    lapses_at bigint not null
);
alter table call add column replica text;
alter table approval add column replica text;
alter table turn add column replica text;
create index approval_going on approval (id) where state in ('approved', 'running');
