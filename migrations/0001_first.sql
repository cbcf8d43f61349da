-- The first tables. One text for SQLite and PostgreSQL: times are milliseconds in BIGINT, structures are JSON in TEXT,
-- states are words. `{{sequence}}` is the one type that differs (see memory/src/dialect.rs).

-- The end of the chain. One row; whoever writes holds it.
create table head (
    id   bigint not null primary key check (id = 1),
    seq  bigint not null,
    at   bigint not null,
    hash text   not null
);
insert into head (id, seq, at, hash)
values (1, 0, 0, '0000000000000000000000000000000000000000000000000000000000000000');

-- The audit. Rows are only ever added.
create table event (
    seq         {{sequence}} not null primary key,
    at          bigint not null,
    kind        text   not null,
    actor       text   not null,
    owner       text   not null,
    subject     text   not null,
    correlation text   not null,
    tool        text,
    tier        text,
    summary     text   not null,
    body        text,
    hash        text   not null
);
create index event_subject on event (subject);

-- Bodies of events. Erasing one leaves its salted digest in the chain.
create table body (
    seq  {{sequence}} not null primary key,
    salt text not null,
    json text not null
);

-- Calls above green.
create table call (
    id           text   not null primary key,
    actor        text   not null,
    idempotency  text,
    tool         text   not null,
    target_kind  text   not null,
    target_name  text   not null,
    asked        text   not null,
    conversation text,
    approval     text,
    step         bigint,
    state        text   not null,
    created_at   bigint not null,
    settled_at   bigint,
    json         text   not null,
    outcome      text,
    undo         text,
    undone_by    text,
    erased_at    bigint
);
create unique index call_idempotency on call (actor, idempotency);
create index call_repeat on call (actor, tool, target_name, asked, created_at);
create index call_running on call (id) where state = 'running';
create index call_conversation on call (conversation) where conversation is not null;

-- Approval cards and the calls on them.
create table approval (
    id           text   not null primary key,
    actor        text   not null,
    digest       text   not null,
    question     text   not null,
    idempotency  text,
    conversation text,
    state        text   not null,
    created_at   bigint not null,
    decided_at   bigint,
    decided_by   text,
    because      text,
    finished_at  bigint,
    handed_at    bigint,
    json         text   not null
);
create unique index approval_one_pending on approval (actor, digest) where state = 'pending';
create index approval_question on approval (actor, question);
create unique index approval_key on approval (actor, idempotency) where idempotency is not null;
create index approval_age on approval (created_at);
create index approval_open on approval (state) where state in ('pending', 'approved', 'running');
create index approval_conversation on approval (conversation) where conversation is not null;

create table approval_step (
    approval text   not null references approval (id) on delete cascade,
    idx      bigint not null,
    state    text   not null,
    json     text   not null,
    outcome  text,
    primary key (approval, idx)
);

-- Conversations, their turns, and the log of each turn. `folded` is the lower-cased text that a search looks at.
create table conversation (
    id         text   not null primary key,
    owner      text   not null,
    title      text   not null,
    folded     text   not null,
    created_at bigint not null,
    updated_at bigint not null
);
create index conversation_age on conversation (updated_at);

create table turn (
    id           text   not null primary key,
    conversation text   not null references conversation (id) on delete cascade,
    parent       text,
    actor        text   not null,
    asked        text   not null,
    folded       text   not null,
    state        text   not null,
    created_at   bigint not null
);
create index turn_conversation on turn (conversation, created_at);
create index turn_open on turn (created_at) where state in ('running', 'waiting');

create table turn_entry (
    turn   text   not null references turn (id) on delete cascade,
    idx    bigint not null,
    kind   text   not null,
    call   text,
    folded text,
    json   text   not null,
    primary key (turn, idx)
);

-- Who may come in. Secrets are kept as hashes only.
create table operator (
    id       bigint not null primary key check (id = 1),
    password text   not null,
    set_at   bigint not null
);

create table session (
    id         text   not null primary key,
    secret     text   not null unique,
    created_at bigint not null,
    expires_at bigint not null
);

create table token (
    id         text   not null primary key,
    secret     text   not null unique,
    name       text   not null,
    ceiling    text   not null,
    confirm    text   not null,
    approve    bigint not null,
    created_at bigint not null,
    used_at    bigint,
    revoked_at bigint
);

-- The settings, and the kill switch.
create table setting (
    name text not null primary key,
    json text not null
);
