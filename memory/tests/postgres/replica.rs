//! Two replicas on one database: one chain, one queue of questions, one truth about who may come in.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jarvis_memory::{Database, Options, Store, void_dumped};
use jarvis_safety::approval::{Approval, ApprovalState};
use jarvis_safety::call::CallState;
use jarvis_safety::event::{Event, EventKind};
use jarvis_safety::id::TokenId;
use jarvis_safety::identity::{Admission, Source, TokenGrant, Whence};
use jarvis_safety::kernel::KillSwitch;
use jarvis_safety::port::{
    Asked, Decision, EventFilter, Feed as _, Identities as _, Intended, Ledger as _, StoreError,
};
use jarvis_safety::setting::AuditReads;
use jarvis_safety::{ActorId, Tier};
use sqlx::{Executor as _, Row as _};
use tokio::sync::broadcast::Receiver;

use crate::scratch::{Scratch, connect};
use crate::world::{World, outcome, read, row};

/// Far shorter than the wait after which a replica looks without having heard anything.
const SOON: Duration = Duration::from_secs(3);

async fn two() -> (World, World) {
    let one = World::new().await;
    let other = one.replica().await;
    (one, other)
}

/// The number that a query answers.
pub(crate) async fn number(of: &Scratch, sql: &'static str, parameter: &str) -> i64 {
    let mut connection = connect(&of.url()).await;
    sqlx::query(sql).bind(parameter).fetch_one(&mut connection).await.unwrap().get(0)
}

async fn next(events: &mut Receiver<Arc<Event>>) -> Arc<Event> {
    tokio::time::timeout(SOON, events.recv()).await.expect("nothing was heard").unwrap()
}

/// Waits for a row of a kind.
async fn heard(events: &mut Receiver<Arc<Event>>, kind: EventKind) -> Arc<Event> {
    loop {
        let event = next(events).await;
        if event.kind == kind {
            return event;
        }
    }
}

async fn everything(world: &World) -> Vec<Event> {
    world.store.after(0, &EventFilter::default(), 10_000).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_write_one_gapless_chain_and_subscribers_of_both_see_every_row_once_in_its_order() {
    let (one, other) = two().await;
    let mut streams = [one.store.subscribe(), other.store.subscribe()];
    let mut tasks = tokio::task::JoinSet::new();
    for (store, who) in [(&one.store, "one"), (&other.store, "other")] {
        for client in 0..8 {
            let store = store.clone();
            tasks.spawn(async move {
                let mut seqs = Vec::new();
                for index in 0..50 {
                    let draft = read(&format!("{who}-{client}-{index}"));
                    seqs.push(store.append(draft, AuditReads::Wal).await.unwrap());
                }
                seqs
            });
        }
    }
    let seqs: BTreeSet<u64> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(seqs, (1..=800).collect());
    for events in &mut streams {
        let mut seen = Vec::new();
        for _ in 0..800 {
            seen.push(next(events).await.as_ref().clone());
        }
        assert_eq!(seen, everything(&one).await);
        assert!(events.is_empty());
    }
    for world in [&one, &other] {
        assert_eq!((world.whole().await.rows, world.store.head()), (800, 800));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_replica_writes_the_other_hears_although_it_writes_nothing() {
    let (one, other) = two().await;
    let (mut all, mut elsewhere) = (other.store.subscribe(), other.store.elsewhere());
    let mut own = one.store.elsewhere();
    assert_eq!(one.append(read("a")).await, 1);
    assert_eq!(next(&mut all).await.subject, "a");
    assert_eq!(next(&mut elsewhere).await.subject, "a");
    assert_eq!(other.store.head(), 1);
    // What it wrote itself never comes from elsewhere.
    assert_eq!(other.append(read("b")).await, 2);
    assert_eq!(next(&mut own).await.subject, "b");
    assert!(own.is_empty() && elsewhere.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_is_decided_on_one_replica_is_decided_on_the_other() {
    let (one, other) = two().await;
    let mut elsewhere = one.store.elsewhere();
    let card = one.card("q", 1);
    let draft = row(EventKind::ApprovalAsked, card.id.as_str());
    assert!(matches!(one.store.ask(&card, 100, draft.clone()).await.unwrap(), Asked::New));
    assert!(matches!(other.store.ask(&card, 100, draft).await.unwrap(), Asked::Joined(_)));
    let decide = |world: &World, state| {
        let (approval, by) = (card.id.clone(), ActorId::new("operator"));
        let decision = Decision {
            approval,
            state,
            by,
            because: None,
            without: Vec::new(),
            withdrawn: false,
            at: crate::world::START,
        };
        let store = world.store.clone();
        async move {
            let draft = row(EventKind::ApprovalApproved, decision.approval.as_str());
            store.decide(&decision, draft).await.unwrap()
        }
    };
    let both = tokio::join!(decide(&one, ApprovalState::Denied), decide(&other, ApprovalState::Approved));
    assert!(both.0 != both.1, "a card was decided twice or never");
    if both.1 {
        heard(&mut elsewhere, EventKind::ApprovalApproved).await;
    }
    let seen = one.store.approval(&card.id).await.unwrap();
    assert_eq!(seen, other.store.approval(&card.id).await.unwrap());
    let wanted = if both.1 { ApprovalState::Approved } else { ApprovalState::Denied };
    assert_eq!(seen.unwrap().state, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_from_afar_count_together_and_those_of_a_machine_by_themselves() {
    let (one, other) = two().await;
    let admit = |world: &World, far: bool| {
        let (store, source) = (world.store.clone(), Source { name: "somewhere".to_owned(), far });
        async move { store.admit(&source).await.unwrap() }
    };
    for before in [0, 2, 4] {
        assert_eq!(admit(&one, true).await, Admission::Admitted { before });
        let next = admit(&other, true).await;
        assert_eq!(next == Admission::Admitted { before: before + 1 }, before < 4, "{next:?}");
    }
    for before in 0..5 {
        assert_eq!(admit(&one, false).await, Admission::Admitted { before });
    }
    assert_eq!(admit(&other, false).await, Admission::Admitted { before: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_requests_of_a_token_count_together() {
    let (one, other) = two().await;
    let mut heard_of = other.store.subscribe();
    let grant = TokenGrant { per_minute: Some(2), ..TokenGrant::client("often", Tier::Green) };
    let id = TokenId::new(6);
    let told = row(EventKind::TokenCreated, id.as_str());
    let (token, _) = one.store.create_token(id, grant, told).await.unwrap();
    heard(&mut heard_of, EventKind::TokenCreated).await;
    for world in [&one, &other] {
        assert_eq!(world.store.pace(&token.id).await.unwrap(), None);
    }
    for world in [&other, &one] {
        let wait = world.store.pace(&token.id).await.unwrap();
        assert!(wait.is_some_and(|wait| (1..=30_000).contains(&wait)), "{wait:?}");
    }
}

/// A card with one step that the operator has approved.
async fn approved(world: &World, question: &str) -> Approval {
    let card = world.card(question, 1);
    world.store.ask(&card, 100, row(EventKind::ApprovalAsked, card.id.as_str())).await.unwrap();
    let approve = Decision {
        approval: card.id.clone(),
        state: ApprovalState::Approved,
        by: ActorId::new("operator"),
        because: None,
        without: Vec::new(),
        withdrawn: false,
        at: crate::world::START,
    };
    assert!(world.store.decide(&approve, row(EventKind::ApprovalApproved, card.id.as_str())).await.unwrap());
    card
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_spent_once_over_both() {
    let (one, other) = two().await;
    for round in 0..15 {
        let card = approved(&one, &format!("q{round}")).await;
        let spend = |world: &World| {
            let mut record = world.record(None);
            record.approval = Some((card.id.clone(), 0));
            let store = world.store.clone();
            async move { store.intend(&record, None, row(EventKind::CallIntent, record.id.as_str())).await.unwrap() }
        };
        let both = tokio::join!(spend(&one), spend(&other));
        match both {
            (Intended::Recorded, Intended::AlreadySpent) | (Intended::AlreadySpent, Intended::Recorded) => {}
            other => panic!("round {round}: {other:?}"),
        }
    }
    one.whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_living_replica_carries_is_left_to_it_and_what_a_lapsed_one_carried_is_taken_over_once() {
    let (one, other) = two().await;
    let call = one.record(None);
    one.store.intend(&call, None, row(EventKind::CallIntent, call.id.as_str())).await.unwrap();
    assert!(other.store.abandoned_calls().await.unwrap().is_empty(), "its lease holds");
    one.clock.turn(60_000);
    other.clock.turn(60_000);
    let own: Vec<_> = one.store.abandoned_calls().await.unwrap().into_iter().map(|call| call.id).collect();
    assert_eq!(own, std::slice::from_ref(&call.id), "whoever carries it knows whether it has it in hand");
    let taken: Vec<_> = other.store.abandoned_calls().await.unwrap().into_iter().map(|call| call.id).collect();
    assert_eq!(taken, std::slice::from_ref(&call.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_intent_that_is_handed_in_again_is_its_own_replicas_alone() {
    let (one, other) = two().await;
    let card = approved(&one, "q").await;
    let mut record = one.record(None);
    record.approval = Some((card.id.clone(), 0));
    let intent = || row(EventKind::CallIntent, record.id.as_str());
    for _ in 0..2 {
        let intended = one.store.intend(&record, None, intent()).await.unwrap();
        assert!(matches!(intended, Intended::Recorded), "{intended:?}");
    }
    let intended = other.store.intend(&record, None, intent()).await.unwrap();
    assert!(matches!(intended, Intended::AlreadySpent), "{intended:?}");
    let filter = EventFilter { kinds: vec![EventKind::CallIntent], ..EventFilter::default() };
    assert_eq!(one.store.after(0, &filter, 10).await.unwrap().len(), 1);
    one.whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_gap_in_its_own_lease_a_replica_believes_no_lapsed_one_for_as_long_as_one_lasts() {
    let (one, other) = two().await;
    let call = one.record(None);
    one.store.intend(&call, None, row(EventKind::CallIntent, call.id.as_str())).await.unwrap();
    // As if the database had been away for both: the other is the first that can renew.
    other.clock.turn(60_000);
    let renewed = "select count(*) from replica where lapses_at > cast($1 as bigint)";
    let from = (crate::world::START + 60_000).to_string();
    while number(other.scratch(), renewed, &from).await == 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(other.store.abandoned_calls().await.unwrap().is_empty(), "the one may be about to renew");
    other.clock.turn(30_000);
    let taken: Vec<_> = other.store.abandoned_calls().await.unwrap().into_iter().map(|call| call.id).collect();
    assert_eq!(taken, [call.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_served_is_not_made_void_and_what_is_half_void_is_not_served() {
    let (one, other) = two().await;
    crate::grant::give(&one, 5).await;
    other.store.close().await;
    let refused = void_dumped(other.database(), other.options()).await.unwrap_err();
    assert!(refused.code() == "database_in_use" && refused.is_refusal(), "{refused}");
    assert_eq!(one.store.grants(None).await.unwrap()[0].revoked_at, None, "nothing was changed");
    one.store.close().await;
    // As if the power had gone in the middle of it.
    one.tamper("insert into setting (name, json) values ('void', '\"begun\"')").await;
    for world in [&one, &other] {
        assert_eq!(world.open().await.err().unwrap().code(), "database_voiding");
    }
    assert_eq!(void_dumped(one.database(), one.options()).await.unwrap().grants, 1);
    for world in [one, other] {
        world.restart().await.whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_replica_carried_is_free_at_once_when_it_has_ended_in_good_order() {
    let (one, other) = two().await;
    let call = one.record(None);
    one.store.intend(&call, None, row(EventKind::CallIntent, call.id.as_str())).await.unwrap();
    one.store.close().await;
    let taken: Vec<_> = other.store.abandoned_calls().await.unwrap().into_iter().map(|call| call.id).collect();
    assert_eq!(taken, [call.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_with_a_key_runs_once_over_both() {
    let (one, other) = two().await;
    for round in 0..15 {
        let intend = |world: &World| {
            let (store, record) = (world.store.clone(), world.record(Some(&format!("key-{round}"))));
            async move {
                let answer = store.intend(&record, None, row(EventKind::CallIntent, record.id.as_str())).await.unwrap();
                (record, answer)
            }
        };
        let (first, second) = tokio::join!(intend(&one), intend(&other));
        let (winner, known) = match (first, second) {
            ((record, Intended::Recorded), (_, Intended::Known(known))) => (record, known),
            ((_, Intended::Known(known)), (record, Intended::Recorded)) => (record, known),
            both => panic!("round {round}: {both:?}"),
        };
        assert_eq!(winner.id, known.id);
        // Whoever ran it, the outcome is everybody's.
        let done = outcome(&winner, CallState::Done);
        one.store.settle(&done, None, None, 1, row(EventKind::CallDone, "x")).await.unwrap();
        let seen = other.store.call(&winner.id).await.unwrap().unwrap();
        assert_eq!(seen.outcome, Some(done));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kill_switch_of_one_replica_bars_effects_on_the_other() {
    let (one, other) = two().await;
    let mut elsewhere = other.store.elsewhere();
    one.store.set_kill_switch(KillSwitch::Effects, row(EventKind::KillOn, "kill-switch")).await.unwrap();
    // In the transaction of the intent, whether or not anything was heard.
    let record = other.record(None);
    let barred = other.store.intend(&record, None, row(EventKind::CallIntent, record.id.as_str())).await.unwrap();
    assert!(matches!(barred, Intended::Barred(_)), "{barred:?}");
    heard(&mut elsewhere, EventKind::KillOn).await;
    assert_eq!(other.store.kill_switch().await.unwrap(), KillSwitch::Effects);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_made_or_revoked_elsewhere_counts_here() {
    let (one, other) = two().await;
    let grant = TokenGrant::client("bot", Tier::Orange);
    let id = TokenId::new(one.id());
    let (token, secret) =
        one.store.create_token(id.clone(), grant, row(EventKind::TokenCreated, id.as_str())).await.unwrap();
    // Asked at once, before anything was heard.
    let found = other.store.token(&secret).await.unwrap().unwrap();
    assert_eq!((found.id, found.grant), (token.id, token.grant));

    let mut ended = other.store.ended();
    one.store.revoke_token(&id, row(EventKind::TokenRevoked, id.as_str())).await.unwrap();
    assert_eq!(tokio::time::timeout(SOON, ended.recv()).await.unwrap().unwrap(), id.to_string());
    assert_eq!(other.store.token(&secret).await.unwrap(), None);
    assert_eq!(other.store.standing(&ActorId::new(format!("token:{id}"))).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_on_one_replica_counts_on_the_other_and_a_new_password_ends_it_on_both() {
    let (one, other) = two().await;
    let mut elsewhere = other.store.elsewhere();
    let code = other.store.setup_code().await.unwrap().unwrap();
    one.store.set_password("long enough", row(EventKind::OperatorSet, "operator")).await.unwrap();
    heard(&mut elsewhere, EventKind::OperatorSet).await;
    assert!(other.store.operator_exists().await.unwrap());
    assert!(!other.store.check_setup_code(&code) && !other.data.join("keys/setup.code").exists());
    assert!(other.store.check_password("long enough").await.unwrap());

    let (session, secret) = one.store.open_session(Whence::default(), row(EventKind::SessionOpened, "")).await.unwrap();
    assert_eq!(other.store.session(&secret).await.unwrap(), Some(session.clone()));

    let mut ended = one.store.ended();
    other.store.set_password("another one", row(EventKind::OperatorSet, "operator")).await.unwrap();
    assert_eq!(tokio::time::timeout(SOON, ended.recv()).await.unwrap().unwrap(), session.id.to_string());
    assert_eq!(one.store.session(&secret).await.unwrap(), None);
    assert_eq!(other.store.session(&secret).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_that_failed_is_no_removed_seal_and_a_removed_one_is_seen() {
    let one = World::new().await;
    one.append(read("a")).await;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    // The key is not there yet.
    one.beside(data.clone()).await.err().unwrap();
    std::fs::copy(one.data.join("keys/audit.key"), data.join("keys/audit.key")).unwrap();
    // The database cannot be reached.
    let nowhere: Database = "postgres://127.0.0.1:1/nothing".parse().unwrap();
    Store::open_on(nowhere, Options { data: data.clone(), ..one.options() }).await.err().unwrap();
    let other = one.beside(data.clone()).await.unwrap();
    assert_eq!(other.whole().await.rows, 1);
    other.store.close().await;
    drop(other);
    std::fs::remove_file(data.join("audit.seal")).unwrap();
    let other = one.beside(data).await.unwrap();
    let faults = other.verify().await.faults;
    assert!(faults.iter().any(|fault| fault.contains("missing or contradicted")), "{faults:?}");
}

#[tokio::test]
async fn a_replica_without_the_audit_key_or_with_another_one_is_refused_and_told_what_to_copy() {
    let one = World::new().await;
    one.append(read("a")).await;
    for key in [None, Some([7_u8; 32])] {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir_all(data.join("keys")).unwrap();
        if let Some(key) = key {
            std::fs::write(data.join("keys/audit.key"), key).unwrap();
        }
        let refused = one.beside(data.clone()).await.err().unwrap();
        assert_eq!(refused.code(), "audit_key");
        assert!(refused.to_string().contains("copy the file from the data"), "{refused}");
        // Nothing was made or replaced.
        assert_eq!(std::fs::read(data.join("keys/audit.key")).ok(), key.map(Vec::from));
    }
    assert_eq!(one.whole().await.rows, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_begin_a_database_at_once_one_makes_the_key() {
    let one = World::new().await;
    one.store.close().await;
    one.empty().await;
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [first, second] = dirs.each_ref().map(|dir| one.beside(dir.path().join("data")));
    let opened = tokio::join!(first, second);
    let refused = match &opened {
        (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
        (Ok(_), Ok(_)) => panic!("two keys write one chain"),
        (Err(one), Err(other)) => panic!("neither could begin: {one}; {other}"),
    };
    assert_eq!(refused.code(), "audit_key");
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_connections_lose_nothing_that_was_acknowledged() {
    let (one, other) = two().await;
    let mut streams = [one.store.subscribe(), other.store.subscribe()];
    let mut tasks = tokio::task::JoinSet::new();
    for (world, who) in [(&one, "one"), (&other, "other")] {
        for client in 0..6 {
            let store = world.store.clone();
            let records: Vec<_> = (0..40).map(|_| world.record(None)).collect();
            tasks.spawn(async move {
                let mut acked = Vec::new();
                for (index, record) in records.into_iter().enumerate() {
                    let subject = format!("{who}-{client}-{index}");
                    let answer = if index % 4 == 0 {
                        let intended = store.intend(&record, None, row(EventKind::CallIntent, &subject)).await;
                        intended.map(|answer| assert!(matches!(answer, Intended::Recorded), "{answer:?}"))
                    } else {
                        store.append(read(&subject), AuditReads::Wal).await.map(|_| ())
                    };
                    match answer {
                        Ok(()) => acked.push(subject),
                        Err(StoreError::Unknown(_) | StoreError::Unavailable(_)) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                acked
            });
        }
    }
    // As long as the clients write, the server throws out whoever is connected.
    let mut acked = BTreeSet::new();
    let mut cut = 0;
    let mut tick = tokio::time::interval(Duration::from_millis(60));
    loop {
        tokio::select! {
            done = tasks.join_next() => match done {
                Some(done) => acked.extend(done.unwrap()),
                None => break,
            },
            _ = tick.tick() => {
                cut += one.scratch().cut().await;
            }
        }
    }
    assert!(cut >= 6, "only {cut} connections were cut");
    assert!(acked.len() > 100, "only {} changes were acknowledged", acked.len());
    // Both have caught up once they write again.
    let last = [one.append(read("last")).await, other.append(read("last")).await];
    let kept = everything(&one).await;
    assert!(kept.iter().zip(1..).all(|(event, seq)| event.seq == seq));
    let subjects: Vec<_> = kept.iter().map(|event| event.subject.clone()).filter(|text| text != "last").collect();
    let unique: BTreeSet<_> = subjects.iter().cloned().collect();
    assert_eq!(subjects.len(), unique.len(), "something was written twice");
    assert!(acked.is_subset(&unique), "lost: {:?}", acked.difference(&unique).collect::<Vec<_>>());
    for events in &mut streams {
        for seq in 1..=last[1] {
            assert_eq!(next(events).await.seq, seq);
        }
    }
    assert_eq!(one.whole().await.rows, other.whole().await.rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lost_its_end_leaves_a_gap_that_can_be_seen() {
    let world = World::new().await;
    for _ in 0..9 {
        world.append(read("a")).await;
    }
    world
        .tamper(
            "delete from event where seq > 6; delete from body where seq > 6; \
             update head set seq = 6, hash = (select hash from event where seq = 6) where id = 1",
        )
        .await;
    assert_eq!(world.append(read("later")).await, 10);
    let faults = world.verify().await.faults;
    assert!(faults.iter().any(|fault| fault == "rows 7 to 9 are missing"), "{faults:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_hangs_with_the_lock_is_waited_for_only_so_long_and_nothing_was_tried() {
    let world = World::new().await;
    let mut events = world.store.subscribe();
    let mut hanging = world.burglar().await;
    hanging.execute("begin; select seq from head where id = 1 for update").await.unwrap();
    let refused = world.store.append(read("a"), AuditReads::Wal).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    hanging.execute("rollback").await.unwrap();
    assert_eq!(world.append(read("b")).await, 1);
    assert_eq!(next(&mut events).await.subject, "b");
    assert_eq!(world.whole().await.rows, 1);
}
