//! A database of every released version opens with all that it held, also when the process that upgraded it was killed,
//! and when two replicas upgrade it at once.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use jarvis_memory::OpenError;
use jarvis_safety::Digest;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::released::{EMPTY, fill, holds_all, migrations, same_rows};
use crate::scratch::{Scratch, connect, execute};
use crate::world::World;

/// A migration, as PostgreSQL gets it: sequences are `bigint`, and a text is compared byte by byte.
fn statements(migration: &str) -> String {
    let mut sql = String::new();
    for line in migration.lines().filter(|line| !line.trim_start().starts_with("--")) {
        let mut before = ["", "("];
        for word in line.split_inclusive(' ') {
            let bare = word.trim_end().trim_end_matches([',', ';']);
            // The name of a column stands first, or behind `column`; its type is the next word.
            let is_type = bare == "text" && (before[0] == "column" || before[1] != "(" && before[0] == "(");
            sql.push_str(&if is_type { word.replace("text", "text collate \"C\"") } else { word.to_owned() });
            if !bare.is_empty() {
                before = [before[1], bare];
            }
        }
        sql.push('\n');
    }
    sql.replace("{{sequence}}", "bigint")
}

async fn rows(connection: &mut AnyConnection, sql: &str) -> Vec<String> {
    let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Tables, in the order in which they were made: those that others refer to come first.
async fn names(connection: &mut AnyConnection) -> Vec<String> {
    let sql = "select relname::text from pg_class where relkind = 'r' and relname <> 'migration' \
               and relnamespace = current_schema()::regnamespace order by oid";
    rows(connection, sql).await
}

/// Columns of a table, or of all, each with all that is known of it.
async fn columns(connection: &mut AnyConnection, what: &str, of: &str) -> Vec<String> {
    let sql = format!(
        "select {what} from information_schema.columns where table_schema = current_schema() and table_name like '{of}' \
         order by table_name, column_name"
    );
    rows(connection, &sql).await
}

/// Tables with the number of their rows.
async fn counted(scratch: &Scratch) -> Vec<(String, i64)> {
    let mut connection = connect(&scratch.url()).await;
    let mut tables = Vec::new();
    for name in names(&mut connection).await {
        let sql = AssertSqlSafe(format!("select count(*) from {name}"));
        let count = sqlx::query(sql).fetch_one(&mut connection).await.unwrap().get(0);
        tables.push((name, count));
    }
    tables
}

/// A house in the newest version, from which those of older ones are made.
struct Released {
    newest: Arc<Scratch>,
    world: World,
    _dir: TempDir,
}

impl Released {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let newest = Arc::new(Scratch::new().await);
        let world = World::open_at(dir.path().join("data"), Some(Arc::clone(&newest)), 1).await.unwrap();
        Self { newest, world: fill(world).await, _dir: dir }
    }

    /// The same as a Jarvis with only the first migrations has left it: its rows, in the tables and columns of that time.
    async fn at(&self, applied: usize) -> Arc<Scratch> {
        let scratch = Arc::new(Scratch::new().await);
        let mut sql = "create table migration (version bigint not null primary key, digest text not null, \
                       applied_at bigint not null);"
            .to_owned();
        for (index, text) in migrations().iter().take(applied).enumerate() {
            let digest = Digest::of(text.as_bytes());
            sql += &statements(text);
            sql += &format!("; insert into migration values ({}, '{}', 0);", index + 1, digest.as_str());
        }
        execute(&scratch.url(), &sql).await;
        let mut connection = connect(&scratch.url()).await;
        let tables = names(&mut connection).await;
        let mut sql: String = tables.iter().rev().map(|name| format!("delete from {name};")).collect();
        for name in &tables {
            let into = columns(&mut connection, "column_name::text", name).await;
            let from = into.iter().map(|column| match column.as_str() {
                "approve" => "case when role = 'approver' then 1 else 0 end",
                column => column,
            });
            let (into, from) = (into.join(", "), from.collect::<Vec<_>>().join(", "));
            sql += &format!("insert into {name} ({into}) select {from} from {}.{name};", self.newest.name);
        }
        execute(&scratch.url(), &sql).await;
        scratch
    }

    /// A data directory with the same keys.
    fn data(&self) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::create_dir_all(dir.path().join("keys")).unwrap();
        std::fs::copy(self.world.data.join("keys/audit.key"), dir.path().join("keys/audit.key")).unwrap();
        dir
    }

    async fn open(&self, scratch: &Arc<Scratch>, data: &Path) -> Result<World, OpenError> {
        World::open_at(data.to_owned(), Some(Arc::clone(scratch)), 1_000_000).await
    }

    /// Opens it as the newest Jarvis does and compares it with what was there, and with what is new.
    async fn opens_with_all(&self, scratch: &Arc<Scratch>, data: &Path, before: &[(String, i64)]) {
        holds_all(self.open(scratch, data).await.unwrap()).await;
        same_rows(before, &counted(scratch).await);
        let what = "concat_ws(' ', table_name, column_name, data_type, collation_name, is_nullable, column_default)";
        let (mut upgraded, mut new) = (connect(&scratch.url()).await, connect(&self.newest.url()).await);
        assert_eq!(columns(&mut upgraded, what, "%").await, columns(&mut new, what, "%").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_every_released_version_opens_with_all_that_it_held() {
    let released = Released::new().await;
    for applied in 1..=migrations().len() {
        let scratch = released.at(applied).await;
        let before = counted(&scratch).await;
        for (name, count) in &before {
            assert!(*count > 0 || EMPTY.contains(&name.as_str()), "{name} must hold something");
        }
        released.opens_with_all(&scratch, released.data().path(), &before).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_that_upgrade_a_database_at_once_both_open_it() {
    let released = Released::new().await;
    let scratch = released.at(1).await;
    let before = counted(&scratch).await;
    let (one, other) = (released.data(), released.data());
    let both = tokio::join!(released.open(&scratch, one.path()), released.open(&scratch, other.path()));
    for world in [both.0.unwrap(), both.1.unwrap()] {
        world.whole().await;
        world.store.close().await;
    }
    released.opens_with_all(&scratch, one.path(), &before).await;
}

const DATA: &str = "JARVIS_MEMORY_MIGRATE_DATA";
const SCHEMA: &str = "JARVIS_MEMORY_MIGRATE_SCHEMA";

/// The process that is killed while it opens a database: does nothing unless the test below starts it.
#[tokio::test]
async fn child() {
    let (Ok(data), Ok(name)) = (std::env::var(DATA), std::env::var(SCHEMA)) else { return };
    let server = std::env::var("JARVIS_TEST_POSTGRES").unwrap();
    let _world = World::open_at(data.into(), Some(Arc::new(Scratch { server, name })), 1).await.unwrap();
    // The schema is not this process's to drop.
    std::process::exit(0);
}

/// Opens a database in a process that is killed before its message to the server with this number; whether it came so
/// far.
async fn killed_before(message: u32, scratch: &Scratch, data: &Path) -> bool {
    let mut traced = Command::new("strace");
    traced
        .args(["-f", "-o", "/dev/null", "-e", "trace=sendto", "-e"])
        .arg(format!("inject=sendto:signal=SIGKILL:when={message}"))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "migration::child", "--nocapture", "--test-threads=1"])
        .envs([(DATA, data.as_os_str()), (SCHEMA, scratch.name.as_ref())]);
    let done = tokio::task::spawn_blocking(move || traced.output().unwrap()).await.unwrap();
    // The tracer ends as the process did.
    let killed = done.status.signal() == Some(9);
    assert!(killed || done.status.success(), "{}: {}", done.status, String::from_utf8_lossy(&done.stderr));
    // What it began is over once the server has noticed.
    let mut connection = connect(&scratch.server).await;
    let served = format!("select 'x'::text from pg_stat_activity where application_name = '{}'", scratch.name);
    while !rows(&mut connection, &served).await.is_empty() {
        sleep(Duration::from_millis(5)).await;
    }
    killed
}

/// The version at which a database is left that a process upgrades which is killed before this message. Whoever opens it
/// next finds all that it held.
async fn left_at(released: Arc<Released>, first: usize, message: u32) -> usize {
    let (scratch, data) = (released.at(first).await, released.data());
    let before = counted(&scratch).await;
    let killed = killed_before(message, &scratch, data.path()).await;
    let mut connection = connect(&scratch.url()).await;
    let version = rows(&mut connection, "select count(*)::text from migration").await[0].parse().unwrap();
    released.opens_with_all(&scratch, data.path(), &before).await;
    assert!(killed || version == migrations().len(), "it was opened and left at {version}");
    version
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_at_any_message_of_an_upgrade_leaves_whole_migrations_and_the_next_start_finishes() {
    if !Command::new("strace").arg("--version").output().is_ok_and(|done| done.status.success()) {
        assert!(std::env::var_os("JARVIS_CI").is_none(), "strace must be there in CI");
        println!("skipped: needs strace");
        return;
    }
    let released = Arc::new(Released::new().await);
    // Messages are the same for each migration, and each kill costs a second.
    let (first, newest) = (migrations().len() - 2, migrations().len());
    let mut left = BTreeSet::new();
    let mut next = 1;
    while !left.contains(&newest) {
        let mut tried = JoinSet::new();
        for message in next..next + 4 {
            tried.spawn(left_at(Arc::clone(&released), first, message));
        }
        left.extend(tried.join_all().await);
        next += 4;
    }
    assert_eq!(left, (first..=newest).collect(), "a kill met each of them");
}
