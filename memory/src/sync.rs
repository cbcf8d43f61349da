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
use crate::tear::Tears;
use crate::writer::Look;

/// Pause between the first unsynced commit and its fsync, in which others join it.
const GATHER: Duration = Duration::from_millis(3);

/// Pause before the writer is told again that the log is torn.
const AGAIN: Duration = Duration::from_secs(1);

/// Where it is told that the log could not be fsynced.
pub(crate) struct Alarm {
    pub(crate) tears: Arc<Tears>,
    /// The writer, which begins the log anew.
    pub(crate) look: Look,
}

impl Alarm {
    fn ring(&self) {
        self.tears.meet();
        self.look.look();
    }
}

/// Runs until the writer is gone.
pub(crate) async fn run(
    log: File,
    alarm: Alarm,
    mut written: watch::Receiver<Head>,
    durable: Arc<watch::Sender<Head>>,
) {
    let log = Arc::new(log);
    loop {
        tokio::select! {
            changed = written.changed() => if changed.is_err() {
                return;
            },
            () = tokio::time::sleep(AGAIN), if alarm.tears.are_open() => {
                alarm.look.look();
                continue;
            }
        }
        tokio::time::sleep(GATHER).await;
        // Taken before the fsync: what is committed during it may not be covered.
        let head = written.borrow_and_update().clone();
        if alarm.tears.are_open() {
            // An fsync would go well and tell nothing.
            alarm.look.look();
            continue;
        }
        if durable.borrow().seq >= head.seq {
            continue;
        }
        if let Err(error) = fsync(&log).await {
            tracing::error!(%error, "the database's log could not be fsynced");
            alarm.ring();
            continue;
        }
        if alarm.tears.are_open() {
            continue;
        }
        durable.send_if_modified(|known| {
            let newer = head.seq > known.seq;
            if newer {
                *known = head;
            }
            newer
        });
    }
}

async fn fsync(log: &Arc<File>) -> std::io::Result<()> {
    let log = Arc::clone(log);
    tokio::task::spawn_blocking(move || log.sync_data()).await?
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::sync::atomic::AtomicU64;

    use tokio::sync::mpsc;

    use super::*;
    use crate::change::Job;

    fn head(seq: u64) -> Head {
        Head { seq, ..Head::genesis() }
    }

    fn alarm() -> (Alarm, mpsc::Receiver<Job>) {
        let (queue, jobs) = mpsc::channel(1);
        let look = Look { queue: queue.downgrade(), seq: Arc::new(AtomicU64::new(0)) };
        // The queue is open for as long as the test runs.
        std::mem::forget(queue);
        (Alarm { tears: Arc::default(), look }, jobs)
    }

    #[tokio::test]
    async fn a_log_that_cannot_be_fsynced_is_told_and_nothing_becomes_durable() {
        let (written, seen) = watch::channel(Head::genesis());
        let durable = Arc::new(watch::channel(Head::genesis()).0);
        let (alarm, mut jobs) = alarm();
        let tears = Arc::clone(&alarm.tears);
        // A pipe cannot be fsynced.
        let (mut reader, writer) = std::io::pipe().unwrap();
        let log = File::from(std::os::fd::OwnedFd::from(writer));
        let task = tokio::spawn(run(log, alarm, seen, Arc::clone(&durable)));
        written.send_replace(head(3));
        assert!(matches!(jobs.recv().await, Some(Job::Look)));
        assert!(tears.are_open());
        assert_eq!(*durable.borrow(), Head::genesis());
        drop(written);
        task.await.unwrap();
        assert_eq!(reader.read(&mut [0]).unwrap(), 0, "the log is closed with the task");
    }

    #[tokio::test]
    async fn what_is_written_becomes_durable_and_nothing_else_does() {
        let (written, seen) = watch::channel(Head::genesis());
        let durable = Arc::new(watch::channel(Head::genesis()).0);
        let mut fsynced = durable.subscribe();
        let (alarm, _queue) = alarm();
        let task = tokio::spawn(run(tempfile::tempfile().unwrap(), alarm, seen, Arc::clone(&durable)));
        written.send_replace(head(3));
        written.send_replace(head(5));
        fsynced.changed().await.unwrap();
        assert_eq!(*fsynced.borrow_and_update(), head(5));
        // A batch with an effect was faster: what it fsynced is not taken back.
        durable.send_replace(head(9));
        fsynced.borrow_and_update();
        written.send_replace(head(8));
        drop(written);
        task.await.unwrap();
        assert!(!fsynced.has_changed().unwrap());
    }
}
