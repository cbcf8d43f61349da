-- Sessions of MCP clients of the old era: whose each is, on which path, and how it was opened, so that it can be gone on
-- with after a restart or on another server.
create table mcp_session (
    id        text   not null primary key,
    actor     text   not null,
    path      text   not null,
    opening   text   not null,
    opened_at bigint not null
);
create index mcp_session_actor on mcp_session (actor, opened_at);
