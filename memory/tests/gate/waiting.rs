//! Who chose a call stays with it while it waits in a job or a schedule, also over a restart.

use std::sync::Arc;
use std::time::Duration;

use jarvis_memory::{JobStore, LiveHub};
use jarvis_safety::Actor;
use jarvis_safety::call::{Origin, Vouching};
use jarvis_safety::event::EventKind;
use jarvis_safety::job::{
    JobQueue, Kinds, Missed, NewSchedule, QueueParts, Submission, ToolCall, Worker, WorkerOptions,
};
use jarvis_safety::port::{Clock as _, Feed as _};
use jarvis_safety::secret::Redactor;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::lamp::House;
use crate::race::LONG;

/// A yellow call.
fn payload() -> Value {
    json!({ "tool": "lamp_dim", "args": { "lamp": "hall" } })
}

/// A queue whose one kind calls the tools of the house.
fn queue(house: &House) -> JobQueue {
    let kind = ToolCall::new(house.gate.gate(), Arc::new(house.store.clone()));
    JobQueue::new(QueueParts {
        kinds: Kinds::builder().with(kind).build().unwrap(),
        jobs: Arc::new(JobStore::new(&house.store)),
        feed: Arc::new(house.store.clone()),
        live: Arc::new(LiveHub::new()),
        clock: Arc::clone(&house.clock) as _,
        ids: Arc::clone(&house.ids) as _,
        redactor: Redactor::default(),
    })
}

/// Works on what is due: it comes to a card that says that it was led, and to no effect.
async fn comes_to_a_card(house: House) {
    let mut rows = house.store.subscribe();
    let options = WorkerOptions { grace: Duration::ZERO, ..WorkerOptions::default() };
    let (worker, stop) = (Worker::new(&queue(&house), options), CancellationToken::new());
    let working = tokio::spawn(worker.run(stop.clone()));
    let told = async {
        loop {
            let row = rows.recv().await.unwrap();
            if matches!(row.kind, EventKind::ApprovalAsked | EventKind::CallIntent) {
                return row;
            }
        }
    };
    let row = tokio::time::timeout(LONG, told).await.unwrap();
    assert_eq!(row.kind, EventKind::ApprovalAsked, "{row:?}");
    stop.cancel();
    working.await.unwrap();
    let card = house.gate.approval(&row.subject.parse().unwrap()).await.unwrap();
    assert_eq!((card.vouching, card.steps[0].tool.as_str()), (Vouching::Led, "lamp_dim"));
    assert_eq!(card.rule, "untrusted text in sight: yellow asks like orange");
    assert!(house.effects().is_empty());
    house.leave().await;
}

#[tokio::test]
async fn what_a_led_model_hands_in_as_a_job_is_asked_and_says_so_on_its_card() {
    for restarted in [false, true] {
        let mut house = House::new().await;
        let submission = Submission {
            actor: Actor::mcp_stdio(),
            origin: Origin::default(),
            vouching: Vouching::Led,
            kind: "tool_call".to_owned(),
            payload: payload(),
            key: None,
            run_at: None,
        };
        queue(&house).submit(submission).await.unwrap();
        if restarted {
            house = house.killed().await;
        }
        comes_to_a_card(house).await;
    }
}

#[tokio::test]
async fn what_a_led_model_puts_on_a_schedule_is_asked_and_says_so_on_its_card() {
    for restarted in [false, true] {
        let mut house = House::new().await;
        let schedule = NewSchedule {
            id: None,
            actor: Actor::mcp_stdio(),
            origin: Origin::default(),
            vouching: Vouching::Led,
            name: "hourly".to_owned(),
            kind: "tool_call".to_owned(),
            payload: payload(),
            cron: "0 * * * *".to_owned(),
            zone: "UTC".to_owned(),
            missed: Missed::Skip,
            active: true,
        };
        let due = queue(&house).save_schedule(schedule).await.unwrap().next_at.unwrap();
        if restarted {
            house = house.killed().await;
        }
        house.clock.turn(due - house.clock.now());
        comes_to_a_card(house).await;
    }
}
