//! What says that a process is there, where several use one database.

use std::sync::Mutex;
use std::sync::atomic::AtomicI64;

use tokio::task::JoinHandle;

use crate::dialect::Connection;

/// The lease of this process.
pub(crate) struct Lease {
    /// Since when it has been renewed without a gap.
    pub(crate) since: AtomicI64,
    pub(crate) renewing: Mutex<Option<JoinHandle<()>>>,
}

impl Default for Lease {
    fn default() -> Self {
        Self { since: AtomicI64::new(i64::MAX), renewing: Mutex::default() }
    }
}

/// Whether any process holds one on this database.
pub(crate) async fn is_served(connection: &mut Connection, now: i64) -> Result<bool, sqlx::Error> {
    let sql = "select id from replica where lapses_at > $1 limit 1";
    Ok(sqlx::query(sql).bind(now).fetch_optional(connection).await?.is_some())
}
