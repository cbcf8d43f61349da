//! Work that goes on to its end even if whoever waits for it goes away.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, CatchUnwind};

type Work<T> = CatchUnwind<AssertUnwindSafe<BoxFuture<'static, T>>>;

/// Runs in the task of whoever awaits it, which costs no task of its own. Dropped before its end, it goes on as one.
/// `None` if it panicked.
pub(crate) struct Carried<T: Send + 'static>(Option<Work<T>>);

/// Wraps work that must not be dropped half way.
pub(crate) fn carry<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Carried<T> {
    let work: BoxFuture<'static, T> = Box::pin(work);
    Carried(Some(AssertUnwindSafe(work).catch_unwind()))
}

impl<T: Send + 'static> Future for Carried<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let Some(work) = &mut self.0 else { return Poll::Ready(None) };
        let ended = work.poll_unpin(cx);
        if ended.is_ready() {
            self.0 = None;
        }
        ended.map(Result::ok)
    }
}

impl<T: Send + 'static> Drop for Carried<T> {
    fn drop(&mut self) {
        // Without a runtime the process is ending, and the next start looks what came of it.
        if let (Some(work), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn what_is_dropped_goes_on_and_what_panics_is_none() {
        let (go, gone) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (wait, tell) = (Arc::clone(&go), Arc::clone(&gone));
        let mut work = carry(async move {
            wait.notified().await;
            tell.notify_one();
        });
        assert!(futures_util::poll!(&mut work).is_pending());
        drop(work);
        go.notify_one();
        gone.notified().await;
        assert_eq!(carry(async { 7 }).await, Some(7));
        assert_eq!(carry::<()>(async { panic!("a defect") }).await, None);
    }
}
