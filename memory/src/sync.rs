//! Fsyncs what green calls wrote to the log file, within 5 ms of their commit.
//!
//! SQLite with `synchronous = normal` writes commits of the log but leaves the fsync to the checkpoint. A killed process
//! loses nothing by that, a power cut might; this task bounds how much. A batch with an effect fsyncs by itself, and
//! with it everything that was written before.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::chain::Head;

/// Pause between the first unsynced commit and its fsync, in which others join it.
const GATHER: Duration = Duration::from_millis(3);

/// Runs until the writer is gone.
pub(crate) async fn run(log: File, mut written: watch::Receiver<Head>, durable: Arc<watch::Sender<Head>>) {
    let log = Arc::new(log);
    while written.changed().await.is_ok() {
        tokio::time::sleep(GATHER).await;
        // Taken before the fsync: what is committed during it may not be covered.
        let head = written.borrow_and_update().clone();
        if durable.borrow().seq >= head.seq {
            continue;
        }
        let file = Arc::clone(&log);
        match tokio::task::spawn_blocking(move || file.sync_data()).await {
            Ok(Ok(())) => {
                durable.send_if_modified(|known| {
                    let newer = head.seq > known.seq;
                    if newer {
                        *known = head;
                    }
                    newer
                });
            }
            Ok(Err(error)) => tracing::error!(%error, "the database's log could not be fsynced"),
            Err(error) => tracing::error!(%error, "the fsync of the database's log broke off"),
        }
    }
}
