-- Jobs: work that outlives whoever asked for it. `json` holds what never changes (title, origin, payload), the columns
-- what is asked for or moves on. Whatever a worker looks for is in an index of the open states alone, so that it costs
-- the same however many jobs have ended.
create table job (
    id           text   not null primary key,
    kind         text   not null,
    queue        text   not null,
    priority     bigint not null,
    actor        text   not null,
    idempotency  text,
    dedup        text,
    schedule     text,
    conversation text,
    state        text   not null,
    run_at       bigint,
    attempt      bigint not null default 0,
    epoch        bigint not null default 0,
    worker       text,
    lease_until  bigint,
    approval     text,
    cancelled_by text,
    chunks       bigint not null default 0,
    put_out      bigint not null default 0,
    created_at   bigint not null,
    started_at   bigint,
    ended_at     bigint,
    json         text   not null,
    progress     text,
    result       text,
    error        text
);
create unique index job_key on job (actor, idempotency) where idempotency is not null;
create unique index job_same on job (dedup) where dedup is not null and state in ('queued', 'running', 'waiting');
-- What can be taken now, in the order in which it is; `run_at` is cleared when its time has come.
create index job_ready on job (queue, priority desc, id) where state = 'queued' and run_at is null;
create index job_later on job (run_at) where state = 'queued' and run_at is not null;
create index job_held on job (lease_until) where state in ('running', 'waiting');
-- For lists. What is done, and what is a call, are most of all jobs, so that a page of them is near the end of them all;
-- what is running is few.
create index job_state on job (state, id) where state not in ('running', 'done');
create index job_actor on job (actor, id);
create index job_kind on job (kind, id) where kind <> 'tool_call';
create index job_schedule on job (schedule, id) where schedule is not null;
create index job_conversation on job (conversation) where conversation is not null;

-- Keys of submissions that joined a job that was open already.
create table job_joined (
    actor       text not null,
    idempotency text not null,
    job         text not null references job (id) on delete cascade,
    primary key (actor, idempotency)
);
create index job_joined_job on job_joined (job);

-- What jobs have put out, in numbered pieces.
create table job_output (
    job    text   not null references job (id) on delete cascade,
    number bigint not null,
    at     bigint not null,
    text   text   not null,
    primary key (job, number)
);

-- Schedules, by which jobs are submitted again and again.
create table schedule (
    id         text   not null primary key,
    actor      text   not null,
    next_at    bigint,
    last_at    bigint,
    created_at bigint not null,
    json       text   not null
);
create index schedule_due on schedule (next_at) where next_at is not null;
create index schedule_actor on schedule (actor);
