//! A move from SQLite: everything arrives, is compared, and a move that broke off leaves nothing that could be used.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use jarvis_memory::{Database, Progress, Store, TransferError, Transferred, transfer};
use jarvis_safety::ActorId;
use jarvis_safety::approval::ApprovalState;
use jarvis_safety::call::CallState;
use jarvis_safety::event::EventKind;
use jarvis_safety::port::{Conversations as _, Decision, EventFilter, Feed as _, Identities as _, Ledger as _};
use jarvis_safety::setting::AuditReads;

use crate::replica::number;
use crate::scratch::{Scratch, execute};
use crate::world::{World, outcome, read, row};

/// A house on SQLite with something in every room; closed.
async fn lived_in(data: &Path) -> World {
    let world = World::at(data.to_owned(), 1).await.unwrap();
    for index in 0..600 {
        world.append(read(&format!("Äß€\u{1F980} {index}"))).await;
    }
    let mut bare = read("bare");
    (bare.body, bare.tool, bare.tier) = (None, None, None);
    world.append(bare).await;
    let card = world.card("q", 2);
    world.store.ask(&card, 100, row(EventKind::ApprovalAsked, card.id.as_str())).await.unwrap();
    let approve = Decision {
        approval: card.id.clone(),
        state: ApprovalState::Approved,
        by: ActorId::new("operator"),
        because: Some("so be it".to_owned()),
        without: Vec::new(),
        withdrawn: false,
        at: crate::world::START,
    };
    assert!(world.store.decide(&approve, row(EventKind::ApprovalApproved, card.id.as_str())).await.unwrap());
    let record = world.record(Some("key"));
    world.store.intend(&record, None, row(EventKind::CallIntent, record.id.as_str())).await.unwrap();
    let done = outcome(&record, CallState::Done);
    world.store.settle(&done, None, None, 7, row(EventKind::CallDone, record.id.as_str())).await.unwrap();
    let conversation = world.conversation("Straße");
    let turn = world.turn(&conversation, "hello");
    world.store.begin(&conversation, &turn, row(EventKind::TurnAsked, turn.id.as_str())).await.unwrap();
    world.store.set_password("long enough", row(EventKind::OperatorSet, "operator")).await.unwrap();
    world.whole().await;
    world.store.close().await;
    world
}

async fn moved(world: &World, target: Database) -> Result<Transferred, TransferError> {
    transfer(world.options(), target, |_| {}).await
}

async fn open(world: &World, scratch: &Scratch) -> Result<Store, jarvis_memory::OpenError> {
    Store::open_on(scratch.database(), world.options()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_and_the_chain_goes_on_there() {
    let scratch = Scratch::new().await;
    let dir = tempfile::tempdir().unwrap();
    let world = lived_in(&dir.path().join("data")).await;
    let told = Mutex::new(Vec::new());
    let options = world.options();
    let result = transfer(options, scratch.database(), |progress| told.lock().unwrap().push(format!("{progress:?}")));
    let result = result.await.unwrap();
    assert_eq!(result.verification.faults, Vec::<String>::new());
    let rows = |name: &str| result.tables.iter().find(|moved| moved.table == name).unwrap().rows;
    assert_eq!((rows("event"), rows("body"), rows("approval_step")), (result.verification.rows, 606, 2));
    assert_eq!((rows("head"), rows("call"), rows("turn"), rows("operator")), (1, 1, 1, 1));
    assert!(told.into_inner().unwrap().iter().any(|line| line.contains("Compared { table: \"turn\"")));

    // None was forgotten, whatever a later migration adds.
    let sql =
        "select count(*) from information_schema.tables where table_schema = current_schema() and table_name <> $1";
    let tables: i64 = number(&scratch, sql, "migration").await;
    assert_eq!(result.tables.len() as i64, tables);

    let here = Store::open(world.options()).await.unwrap();
    let all = EventFilter::default();
    let (events, cards) = (here.after(0, &all, 10_000).await.unwrap(), here.approvals(&[], 100).await.unwrap());
    let (calls, searched) =
        (here.unsettled_calls().await.unwrap(), here.conversations(None, "STRASSE", 9).await.unwrap());
    here.close().await;

    let there = open(&world, &scratch).await.unwrap();
    assert_eq!(there.after(0, &all, 10_000).await.unwrap(), events);
    assert_eq!(there.approvals(&[], 100).await.unwrap(), cards);
    assert_eq!(there.unsettled_calls().await.unwrap(), calls);
    assert_eq!(there.conversations(None, "STRASSE", 9).await.unwrap(), searched);
    assert!(there.check_password("long enough").await.unwrap());
    let next = there.append(read("on"), AuditReads::Wal).await.unwrap();
    assert_eq!(next, result.verification.head + 1);
    let found = there.verify().await.unwrap();
    assert_eq!((found.faults, found.head), (Vec::new(), next));
    there.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_holds_something_is_refused_and_left_as_it_was() {
    let target = World::new().await;
    target.append(read("mine")).await;
    let dir = tempfile::tempdir().unwrap();
    let world = lived_in(&dir.path().join("data")).await;
    let refused = moved(&world, target.database()).await.unwrap_err();
    assert!(matches!(refused, TransferError::NotEmpty { .. }), "{refused}");
    assert_eq!(target.whole().await.rows, 1);
    let refused = moved(&world, Database::Directory).await.unwrap_err();
    assert!(matches!(refused, TransferError::Target), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_was_killed_half_way_is_refused_as_unfinished_and_can_be_begun_again() {
    let scratch = Scratch::new().await;
    let dir = tempfile::tempdir().unwrap();
    let world = lived_in(&dir.path().join("data")).await;
    // At the first rows of each table in turn the server throws the move out.
    for table in ["head", "event", "body", "approval_step", "setting"] {
        let cut = AtomicBool::new(false);
        let broken = transfer(world.options(), scratch.database(), |progress| {
            if matches!(progress, Progress::Copied { table: copied, .. } if copied == table)
                && !cut.swap(true, Ordering::SeqCst)
            {
                assert!(scratch.aside(Scratch::cut) > 0);
            }
        });
        let error = broken.await.unwrap_err();
        assert!(cut.load(Ordering::SeqCst), "{table}: {error}");
        let refused = open(&world, &scratch).await.err().unwrap();
        assert_eq!(refused.code(), "database_unfinished", "{table}: {refused}");
        assert!(refused.to_string().contains("migrate-database"), "{refused}");
    }
    let result = moved(&world, scratch.database()).await.unwrap();
    assert_eq!(result.verification.faults, Vec::<String>::new());
    open(&world, &scratch).await.unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_arrives_otherwise_is_found_and_named() {
    let scratch = Scratch::new().await;
    let dir = tempfile::tempdir().unwrap();
    let world = lived_in(&dir.path().join("data")).await;
    // A first move that breaks off at its end leaves tables in which a trigger can wait.
    let broken = transfer(world.options(), scratch.database(), |progress| {
        if matches!(progress, Progress::Compared { .. }) {
            assert!(scratch.aside(Scratch::cut) > 0);
        }
    });
    broken.await.unwrap_err();
    execute(
        &scratch.url(),
        "create function alter_it() returns trigger language plpgsql as \
         $$ begin new.summary := new.summary || '.'; return new; end $$; \
         create trigger alter_it before insert on event for each row when (new.seq = 300) execute function alter_it()",
    )
    .await;
    match moved(&world, scratch.database()).await.unwrap_err() {
        TransferError::Differs { table, key } => assert_eq!((table.as_str(), key.as_str()), ("event", "300")),
        other => panic!("{other}"),
    }
    assert_eq!(open(&world, &scratch).await.err().unwrap().code(), "database_unfinished");
}
