//! A database of every released version opens with all that it held, also when the process that upgraded it was killed.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use jarvis_safety::Digest;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _};

use crate::released::{EMPTY, fill, holds_all, migrations, same_rows};
use crate::world::{World, burglar};

/// The statements of a migration, as SQLite gets them.
fn statements(migration: &str) -> Vec<String> {
    let lines = migration.lines().filter(|line| !line.trim_start().starts_with("--"));
    let text = lines.collect::<Vec<_>>().join("\n").replace("{{sequence}}", "integer");
    text.split(';').map(|statement| statement.trim().to_owned()).filter(|statement| !statement.is_empty()).collect()
}

async fn run(connection: &mut AnyConnection, sql: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await;
    done.unwrap_or_else(|error| panic!("{error}: {sql}"));
}

async fn column(connection: &mut AnyConnection, sql: &str) -> Vec<String> {
    let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Tables of a database with the number of their rows.
async fn tables(connection: &mut AnyConnection) -> Vec<(String, i64)> {
    let names = "select name from sqlite_master where type = 'table' and name <> 'migration' order by name";
    let mut tables = Vec::new();
    for name in column(connection, names).await {
        let sql = format!("select count(*) from {name}");
        let count = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut *connection).await.unwrap().get(0);
        tables.push((name, count));
    }
    tables
}

/// Turns a data directory into one that a Jarvis with only the first migrations has left: the same rows, in the tables
/// and columns of that time.
async fn set_back(data: &Path, applied: usize) {
    let (new, old) = (data.join("jarvis.db"), data.join("jarvis.db.newer"));
    std::fs::rename(&new, &old).unwrap();
    std::fs::File::create(&new).unwrap();
    let mut connection = burglar(data).await;
    run(&mut connection, "pragma foreign_keys = off; pragma journal_mode = wal").await;
    let ledger = "create table migration (version bigint not null primary key, digest text not null, \
                  applied_at bigint not null)";
    run(&mut connection, ledger).await;
    for (index, text) in migrations().iter().take(applied).enumerate() {
        for statement in statements(text) {
            run(&mut connection, &statement).await;
        }
        let (version, digest) = (index + 1, Digest::of(text.as_bytes()));
        run(&mut connection, &format!("insert into migration values ({version}, '{}', 0)", digest.as_str())).await;
    }
    run(&mut connection, &format!("attach '{}' as newer", old.display())).await;
    for (name, _) in tables(&mut connection).await {
        let columns =
            column(&mut connection, &format!("select name from pragma_table_info('{name}')")).await.join(", ");
        run(&mut connection, &format!("delete from main.{name}")).await;
        let kept = columns.replace("approve", "role = 'approver'");
        let copy = format!("insert into main.{name} ({columns}) select {kept} from newer.{name}");
        run(&mut connection, &copy).await;
    }
    run(&mut connection, "detach newer").await;
    connection.close().await.unwrap();
    std::fs::remove_file(old).unwrap();
}

/// Opens it as the newest Jarvis does and compares it with what was there.
async fn opens_with_all(data: &Path, before: &[(String, i64)]) {
    holds_all(World::at(data.to_owned(), 1_000_000).await.unwrap()).await;
    let mut connection = burglar(data).await;
    let after = tables(&mut connection).await;
    same_rows(before, &after);
    let count = column(&mut connection, "select cast(count(*) as text) from migration").await;
    assert_eq!(count, [migrations().len().to_string()]);
    let faults = column(&mut connection, "pragma integrity_check").await;
    assert_eq!(faults, ["ok"]);
    connection.close().await.unwrap();
}

/// Copies of one database at a version, so that it is made once.
struct Released {
    dir: tempfile::TempDir,
    before: Vec<(String, i64)>,
}

impl Released {
    async fn new(applied: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("released");
        fill(World::at(data.clone(), 1).await.unwrap()).await;
        set_back(&data, applied).await;
        let mut connection = burglar(&data).await;
        let before = tables(&mut connection).await;
        connection.close().await.unwrap();
        Self { dir, before }
    }

    fn copy(&self, name: &str) -> PathBuf {
        let (from, to) = (self.dir.path().join("released"), self.dir.path().join(name));
        std::fs::create_dir_all(to.join("keys")).unwrap();
        for file in ["jarvis.db", "audit.seal", "keys/audit.key"] {
            std::fs::copy(from.join(file), to.join(file)).unwrap();
        }
        to
    }
}

#[tokio::test]
async fn a_database_of_every_released_version_opens_with_all_that_it_held() {
    for applied in 1..=migrations().len() {
        let released = Released::new(applied).await;
        for (name, count) in &released.before {
            assert!(*count > 0 || EMPTY.contains(&name.as_str()), "{name} must hold something");
        }
        opens_with_all(&released.copy("opened"), &released.before).await;
    }
}

const DATA: &str = "JARVIS_MEMORY_MIGRATE_DATA";

/// The process that is killed while it opens a database: does nothing unless the test below starts it.
#[tokio::test]
async fn child() {
    let Ok(data) = std::env::var(DATA) else { return };
    let _world = World::at(data.into(), 1).await.unwrap();
    // Without closing: what is written then is no part of a migration.
    std::process::exit(0);
}

/// Opens a database in a process that is killed before its write to the log with this number; whether it came so far.
fn killed_before(write: u32, data: &Path) -> bool {
    let done = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "-e", "trace=pwrite64", "-e"])
        .arg(format!("inject=pwrite64:signal=SIGKILL:when={write}"))
        .arg("-P")
        .arg(data.canonicalize().unwrap().join("jarvis.db-wal"))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "migration::child", "--nocapture", "--test-threads=1"])
        .env(DATA, data)
        .output()
        .unwrap();
    // The tracer ends as the process did.
    let killed = done.status.signal() == Some(9);
    assert!(killed || done.status.success(), "{}: {}", done.status, String::from_utf8_lossy(&done.stderr));
    killed
}

/// The version of a database that nobody has open. Of a copy: whoever closes it last writes its log back.
async fn version_of(data: &Path) -> usize {
    let copy = tempfile::tempdir().unwrap();
    for file in ["jarvis.db", "jarvis.db-wal"] {
        std::fs::copy(data.join(file), copy.path().join(file)).unwrap();
    }
    let mut connection = burglar(copy.path()).await;
    let count = column(&mut connection, "select cast(count(*) as text) from migration").await;
    connection.close().await.unwrap();
    count[0].parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_at_any_write_of_a_migration_leaves_none_of_it_and_the_next_start_finishes() {
    if !Command::new("strace").arg("--version").output().is_ok_and(|done| done.status.success()) {
        assert!(std::env::var_os("JARVIS_CI").is_none(), "strace must be there in CI");
        println!("skipped: needs strace");
        return;
    }
    for version in 1..migrations().len() {
        let released = Released::new(version).await;
        // What is written is written when the migration is committed: the head and the body of each page.
        for write in 1.. {
            let data = released.copy("killed");
            let killed = killed_before(write, &data);
            let found = version_of(&data).await;
            opens_with_all(&data, &released.before).await;
            std::fs::remove_dir_all(data).unwrap();
            if found > version {
                assert!(write > 5, "no kill met migration {}", version + 1);
                break;
            }
            assert!(killed && found == version, "version {version} was opened and left at {found}");
        }
    }
}
