//! The gauges of this machine, for as long as somebody looks.

use std::sync::Arc;
use std::time::Duration;

use jarvis_safety::ActorId;
use jarvis_safety::frame::Frame;
use jarvis_safety::port::Live;
use jarvis_tools::system::sampler::Sampler;
use tokio_util::sync::CancellationToken;

/// Time between two samples.
const PACE: Duration = Duration::from_secs(2);

/// Shows a sample every two seconds while anybody watches.
pub(super) async fn show(live: Arc<dyn Live>, stop: CancellationToken) {
    let mut sampler = Sampler::new();
    let mut tick = tokio::time::interval(PACE);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        if !live.watched() {
            continue;
        }
        let sampled = tokio::task::spawn_blocking(move || {
            let gauges = sampler.sample();
            (sampler, gauges)
        });
        let Ok((back, gauges)) = sampled.await else { return };
        sampler = back;
        let Ok(data) = serde_json::to_value(gauges) else { return };
        let owner = ActorId::new("operator");
        live.publish(Frame { subject: "host".to_owned(), kind: "gauges".to_owned(), offset: 0, data, owner });
    }
}
