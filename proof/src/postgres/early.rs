//! A server that acknowledges what it has not written: the sabotage that a lost acknowledgement comes from in the world.
//!
//! The program says `synchronous_commit = on` on each of its connections, so neither the server's configuration nor one of
//! the role or the database changes anything. What counts is how it stands when a transaction commits: a trigger says
//! `off` within each transaction that writes. What is committed then waits in the server's memory for its log writer,
//! which comes every ten seconds.

use super::cluster::Cluster;

/// Each alone: a change of the configuration is no part of a transaction.
const SERVER: [&str; 3] = [
    "alter system set wal_writer_delay = '10s'",
    "alter system set wal_writer_flush_after = '1GB'",
    "select pg_reload_conf()",
];

const DATABASE: &str = "create function early() returns trigger language plpgsql as $$ begin \
    perform set_config('synchronous_commit', 'off', true); return null; end $$; \
    do $$ declare it text; begin for it in select tablename from pg_tables where schemaname = 'public' loop \
    execute format('create trigger early after insert or update or delete on %I for each statement \
    execute function early()', it); end loop; end $$";

/// Makes the server acknowledge early from now on, in this database.
pub(super) async fn acknowledge_early(cluster: &Cluster, database: &str) -> anyhow::Result<()> {
    for sql in SERVER {
        cluster.say("postgres", sql).await?;
    }
    cluster.say(database, DATABASE).await
}
