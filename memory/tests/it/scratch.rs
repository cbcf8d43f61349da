//! A place of its own on a real PostgreSQL for each test.

#![allow(clippy::print_stderr, reason = "whoever runs the tests must see what was skipped")]

use std::sync::atomic::{AtomicU64, Ordering};

use jarvis_memory::Database;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};

/// A schema of PostgreSQL that is dropped at the end. Cheaper than a database, and as far from its neighbours: only
/// wake-up calls are heard through the wall.
pub(crate) struct Scratch {
    pub(crate) server: String,
    pub(crate) name: String,
}

impl Scratch {
    /// Makes one. Without a server nothing in this binary can be tested: it says so and ends.
    pub(crate) async fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let Ok(server) = std::env::var("JARVIS_TEST_POSTGRES") else {
            assert!(std::env::var("JARVIS_CI").is_err(), "JARVIS_TEST_POSTGRES is not set, and in CI it must be");
            eprintln!("skipped: needs JARVIS_TEST_POSTGRES, the address of a server (.ci/parts/postgres start)");
            std::process::exit(0);
        };
        let name = format!("jarvis_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        // Left over from a process that had the same number and was killed.
        execute(&server, &format!("drop schema if exists {name} cascade; create schema {name}")).await;
        Self { server, name }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}?options[search_path]={name}&application_name={name}", self.server, name = self.name)
    }

    pub(crate) fn database(&self) -> Database {
        self.url().parse().unwrap()
    }

    /// Throws out whoever is connected, as a crash of the server does, and answers how many that were.
    pub(crate) async fn cut(&self) -> usize {
        let sql = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1";
        let mut connection = connect(&self.server).await;
        sqlx::query(sql).bind(self.name.as_str()).fetch_all(&mut connection).await.unwrap().len()
    }

    /// Does something with it away from the runtime of the test, which may be busy or about to end.
    pub(crate) fn aside<T: Send>(&self, what: impl AsyncFnOnce(&Self) -> T + Send) -> T {
        std::thread::scope(|scope| {
            let task = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(what(self))
            });
            task.join().unwrap()
        })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.aside(async |scratch| {
            scratch.cut().await;
            execute(&scratch.server, &format!("drop schema {} cascade", scratch.name)).await;
        });
    }
}

/// A connection beside a store.
pub(crate) async fn connect(url: &str) -> AnyConnection {
    sqlx::any::install_default_drivers();
    AnyConnection::connect(url).await.unwrap()
}

/// Carries out statements beside a store.
pub(crate) async fn execute(url: &str, sql: &str) {
    connect(url).await.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
}
