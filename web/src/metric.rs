//! Counters and measurements in the Prometheus text format.
//!
//! What happened is counted from the event feed, so calls by chat, MCP and schedule count like those over HTTP; only the
//! latency is measured at the door.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use jarvis_safety::event::{Event, EventKind};
use jarvis_safety::port::Feed;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    tier: &'static str,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HttpLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone)]
struct Latency;

impl MetricConstructor<Histogram> for Latency {
    fn new_metric(&self) -> Histogram {
        // 100 µs to about 26 s.
        Histogram::new(exponential_buckets(0.0001, 4.0, 10))
    }
}

/// Everything that is measured.
pub(crate) struct Metrics {
    registry: Registry,
    calls: Family<CallLabels, Counter>,
    refusals: Counter,
    approvals: Family<StateLabel, Counter>,
    events: Family<KindLabel, Counter>,
    latency: Family<HttpLabels, Histogram, Latency>,
    resident: Gauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    pub(crate) fn new(version: &str) -> Self {
        let mut registry = Registry::with_prefix("jarvis");
        let (calls, approvals, events) = (Family::default(), Family::default(), Family::default());
        let (refusals, resident) = (Counter::default(), Gauge::default());
        let latency = Family::new_with_constructor(Latency);
        registry.register("calls", "Calls that ran, by tier and outcome", calls.clone());
        registry.register("refusals", "Calls that the gate refused", refusals.clone());
        registry.register("approvals", "Approval cards, by what became of them", approvals.clone());
        registry.register("events", "Rows of the audit, by kind", events.clone());
        registry.register_with_unit("http_request_duration", "Time to answer", Unit::Seconds, latency.clone());
        registry.register_with_unit("resident_memory", "Resident memory of the process", Unit::Bytes, resident.clone());
        registry.register("build", "Version of Jarvis", Info::new(vec![("version", version.to_owned())]));
        Self { registry, calls, refusals, approvals, events, latency, resident }
    }

    /// Measures one answer.
    pub(crate) fn answered(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        // A method is free text on the wire; only known ones become a label.
        let known = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];
        let method = known.into_iter().find(|known| *known == method.as_str()).unwrap_or("other");
        let labels = HttpLabels { method, route: route.to_owned(), status: status.as_u16() };
        self.latency.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Counts events from now on.
    pub(crate) fn count(self: Arc<Self>, feed: &dyn Feed) {
        feed.observe(Box::new(move |event| self.event(event)));
    }

    fn event(&self, event: &Event) {
        self.events.get_or_create(&KindLabel { kind: event.kind.as_str() }).inc();
        let tier = event.tier.map_or("none", jarvis_safety::Tier::as_str);
        let ran = |state| {
            self.calls.get_or_create(&CallLabels { tier, state }).inc();
        };
        let card = |state| {
            self.approvals.get_or_create(&StateLabel { state }).inc();
        };
        match event.kind {
            EventKind::CallRead => ran("read"),
            EventKind::CallDone => ran("done"),
            EventKind::CallFailed => ran("failed"),
            EventKind::CallUnknown => ran("unknown"),
            EventKind::CallCancelled => ran("cancelled"),
            EventKind::CallRefused => {
                self.refusals.inc();
            }
            EventKind::ApprovalAsked => card("asked"),
            EventKind::ApprovalApproved => card("approved"),
            EventKind::ApprovalDenied => card("denied"),
            EventKind::ApprovalExpired => card("expired"),
            EventKind::ApprovalStale => card("stale"),
            _ => {}
        }
    }

    /// The text that a scraper reads.
    pub(crate) fn render(&self, resident: Option<i64>) -> Result<String, fmt::Error> {
        if let Some(bytes) = resident {
            self.resident.set(bytes);
        }
        let mut page = String::new();
        text::encode(&mut page, &self.registry)?;
        Ok(page)
    }
}

/// Resident memory in bytes, from the text of `/proc/self/status`.
pub(crate) fn resident_bytes(status: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use jarvis_safety::{ActorId, Tier};

    use super::*;

    fn event(seq: u64, kind: EventKind, tier: Option<Tier>) -> Event {
        Event {
            seq,
            at: 0,
            kind,
            actor: ActorId::new("operator"),
            owner: ActorId::new("operator"),
            subject: String::new(),
            correlation: String::new(),
            tool: None,
            tier,
            summary: String::new(),
            hash: String::new(),
        }
    }

    #[test]
    fn calls_refusals_and_approvals_are_counted_from_events() {
        let metrics = Metrics::new("1.2.3");
        metrics.event(&event(1, EventKind::CallDone, Some(Tier::Red)));
        metrics.event(&event(2, EventKind::CallRefused, None));
        metrics.event(&event(3, EventKind::ApprovalAsked, Some(Tier::Red)));
        metrics.answered(&Method::GET, "/healthz", StatusCode::OK, Duration::from_millis(1));
        let page = metrics.render(Some(4096)).unwrap();
        for line in [
            "jarvis_calls_total{tier=\"red\",state=\"done\"} 1",
            "jarvis_refusals_total 1",
            "jarvis_approvals_total{state=\"asked\"} 1",
            "jarvis_events_total{kind=\"call.done\"} 1",
            "jarvis_http_request_duration_seconds_count{method=\"GET\",route=\"/healthz\",status=\"200\"} 1",
            "jarvis_resident_memory_bytes 4096",
            "jarvis_build_info{version=\"1.2.3\"} 1",
        ] {
            assert!(page.contains(line), "{line} in\n{page}");
        }
    }

    #[test]
    fn a_strange_method_does_not_become_a_label() {
        let metrics = Metrics::new("1");
        metrics.answered(&Method::from_bytes(b"X9").unwrap(), "other", StatusCode::METHOD_NOT_ALLOWED, Duration::ZERO);
        let page = metrics.render(None).unwrap();
        assert!(page.contains("method=\"other\"") && !page.contains("X9"));
    }

    #[test]
    fn resident_memory_is_read_from_the_kernels_text() {
        assert_eq!(resident_bytes("Name:\tjarvis\nVmRSS:\t    2048 kB\n"), Some(2_097_152));
        assert_eq!(resident_bytes("Name:\tjarvis\n"), None);
    }
}
