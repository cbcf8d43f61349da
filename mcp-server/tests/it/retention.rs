//! What `[retention]` in `jarvis.toml` says is what the running server does.

use std::sync::Arc;

use jarvis_client::wire::{EventInfo, EventPage};
use jarvis_memory::{Options, Store};
use jarvis_safety::ActorId;
use jarvis_safety::event::{Draft, EventKind};
use jarvis_safety::port::{Clock, Ids, Ledger as _};
use jarvis_safety::secret::Redactor;
use jarvis_safety::setting::AuditReads;
use serde_json::json;

use crate::app::TestApp;

/// A day in 2023.
struct LongAgo;

impl Clock for LongAgo {
    fn now(&self) -> i64 {
        1_700_000_000_000
    }
}

impl Ids for LongAgo {
    fn next(&self) -> u128 {
        1
    }
}

#[tokio::test]
async fn what_is_older_than_the_configuration_allows_is_erased_when_the_server_starts() {
    let directory = tempfile::tempdir().unwrap();
    let (data, redactor) = (directory.path().to_owned(), Redactor::default());
    let options = Options { data, clock: Arc::new(LongAgo), ids: Arc::new(LongAgo), redactor };
    let store = Store::open(options).await.unwrap();
    let draft = Draft {
        kind: EventKind::CallRead,
        actor: ActorId::new("operator"),
        owner: ActorId::new("operator"),
        subject: "call".to_owned(),
        correlation: "c-1".to_owned(),
        tool: None,
        tier: None,
        summary: "read long ago".to_owned(),
        body: Some(json!({ "words": "what was found long ago" })),
    };
    let seq = store.append(draft, AuditReads::Fsync).await.unwrap();
    store.close().await;
    std::fs::write(directory.path().join("jarvis.toml"), "[retention]\nevent_bodies_days = 1\n").unwrap();

    let app = TestApp::start_on(directory, &[]);
    app.logged.line("what was older than the retention allows is gone");
    let row: EventInfo = app.local().get(&format!("/api/events/{seq}")).await.unwrap();
    assert_eq!((row.summary.as_str(), row.body), ("read long ago", None));
    let page: EventPage = app.local().get("/api/history?limit=50&kind=body.erased").await.unwrap();
    let told: Vec<_> = page.events.iter().map(|event| event.summary.as_str()).collect();
    assert_eq!(told, ["1 bodies erased: older than 1 days"]);
}
