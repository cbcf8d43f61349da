-- When a pending card lapses is looked up and no longer read from every open card. Cards that are open when this is
-- applied lapse at once: whoever asked can ask again.
alter table approval add column expires_at bigint not null default 0;
create index approval_due on approval (expires_at) where state = 'pending';
