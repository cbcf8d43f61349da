//! Looking whether a change happened after the line to the engine broke.

use std::future::Future;
use std::time::Duration;

use jarvis_safety::tool::Probe;

/// A request that was on its way when its line broke has arrived after this, or never will.
const ARRIVAL: Duration = Duration::from_secs(1);

/// Believes that nothing was done only if a second look, a moment later, shows the same.
pub(super) async fn patient(look: impl Future<Output = Probe>, again: impl Future<Output = Probe>) -> Probe {
    match look.await {
        Probe::NotDone => {
            tokio::time::sleep(ARRIVAL).await;
            again.await
        }
        seen => seen,
    }
}
