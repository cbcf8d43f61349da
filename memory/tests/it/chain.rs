//! The audit: gapless under load, and every kind of tampering is found.

use std::collections::BTreeSet;

use jarvis_memory::{Database, void_dumped};
use jarvis_safety::event::EventKind;
use jarvis_safety::kernel::KillSwitch;
use jarvis_safety::port::{EventFilter, Feed as _, Ledger as _, StoreError};
use jarvis_safety::setting::AuditReads;
use proptest::prelude::*;

use crate::world::{World, either, read, row};

async fn filled(rows: usize) -> World {
    let world = World::new().await;
    for index in 0..rows {
        world.append(read(&format!("call_{index}"))).await;
    }
    world
}

pub(crate) async fn found_after(sql: &str) -> Vec<String> {
    let world = filled(9).await;
    world.whole().await;
    world.tamper(sql).await;
    world.verify().await.faults
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_concurrent_appends_are_gapless_and_verify() {
    let world = World::new().await;
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..1000 {
        let store = world.store.clone();
        let reads = if index % 10 == 0 { AuditReads::Fsync } else { AuditReads::Wal };
        tasks.spawn(async move { store.append(read(&format!("call_{index}")), reads).await.unwrap() });
    }
    let seqs: BTreeSet<u64> = tasks.join_all().await.into_iter().collect();
    assert_eq!(seqs, (1..=1000).collect());
    let found = world.whole().await;
    assert_eq!((found.rows, found.bodies, found.head), (1000, 1000, 1000));
    let all = world.store.after(0, &EventFilter::default(), 2000).await.unwrap();
    assert!(all.iter().zip(1..).all(|(event, seq)| event.seq == seq));
    assert!(all.is_sorted_by_key(|event| event.at));
}

#[tokio::test]
async fn an_altered_row_is_found() {
    for change in [
        "actor = 'operator'",
        "summary = 'nothing happened'",
        "at = at + 1",
        "tier = 'red'",
        "tool = null",
        "owner = 'x'",
        "kind = 'call.done'",
        "subject = 'y'",
        "correlation = ''",
        "hash = '00'",
        "body = null",
    ] {
        let faults = found_after(&format!("update event set {change} where seq = 5")).await;
        assert!(faults.iter().any(|fault| fault.contains("row 5 was altered")), "{change}: {faults:?}");
    }
}

#[tokio::test]
async fn a_removed_row_is_found() {
    let faults = found_after("delete from event where seq = 5; delete from body where seq = 5").await;
    assert_eq!(faults[0], "row 5 is missing");
    // The seal follows the rows: it may stand at the fifth when that is removed.
    assert!(matches!(&faults[1..], [] | [_]) && faults.iter().all(|fault| fault.contains("row 5")), "{faults:?}");
    let faults = found_after("delete from event where seq < 4; delete from body where seq < 4").await;
    assert_eq!(faults[0], "rows 1 to 3 are missing");
}

#[tokio::test]
async fn reordered_rows_are_found() {
    let faults = found_after(
        "update event set seq = 100 where seq = 5; update event set seq = 5 where seq = 6; \
         update event set seq = 6 where seq = 100",
    )
    .await;
    assert!(faults.iter().any(|fault| fault.contains("row 5 was altered")), "{faults:?}");
    assert!(faults.iter().any(|fault| fault.contains("row 6 was altered")), "{faults:?}");
}

#[tokio::test]
async fn an_added_row_is_found() {
    let faults = found_after(
        "insert into event select 10, at, kind, actor, owner, subject, correlation, tool, tier, summary, null, hash \
         from event where seq = 9",
    )
    .await;
    assert!(faults.iter().any(|fault| fault.contains("row 10 was altered")), "{faults:?}");
    // Where a reader of the history would meet it, and a walk from the first row on would not.
    for seq in [0, -7] {
        let added =
            "at, kind, actor, owner, subject, correlation, tool, tier, summary, null, hash from event where seq = 9";
        let faults = found_after(&format!("insert into event select {seq}, {added}")).await;
        assert_eq!(faults, ["1 rows stand before row 1, where none was ever written"]);
    }
}

#[tokio::test]
async fn an_altered_body_is_found() {
    let faults = found_after("update body set json = '{\"words\":\"nothing\"}' where seq = 5").await;
    assert_eq!(faults, ["the body of row 5 was altered"]);
    let moved = "update body set salt = salt || substr(json, 1, 1), json = substr(json, 2) where seq = 5";
    assert_eq!(found_after(moved).await, ["the body of row 5 was altered"]);
    let faults = found_after("insert into body select 77, salt, json from body where seq = 5").await;
    assert_eq!(faults, ["1 bodies belong to rows that are not there"]);
}

#[tokio::test]
async fn a_body_that_vanished_without_a_row_telling_of_it_is_found() {
    let faults = found_after("delete from body where seq in (2, 3)").await;
    assert_eq!(faults, ["2 bodies are gone and the rows of the log tell of 0 that were erased"]);
}

#[tokio::test]
async fn a_removed_end_is_found_while_running() {
    let faults = found_after("delete from event where seq > 6; delete from body where seq > 6").await;
    assert!(faults.iter().any(|fault| fault.contains("the log ends at row 6")), "{faults:?}");
}

#[tokio::test]
async fn a_removed_end_is_found_after_a_restart_and_for_ever() {
    let world = filled(8).await;
    crate::grant::give(&world, 5).await;
    let world = world.restart().await;
    assert_eq!(world.store.grants(None).await.unwrap()[0].revoked_at, None);
    world.store.close().await;
    // The burglar also puts the head back.
    world
        .tamper(
            "delete from event where seq > 6; delete from body where seq > 6; \
             update head set seq = 6, hash = (select hash from event where seq = 6) where id = 1",
        )
        .await;
    if matches!(world.database(), Database::Postgres(_)) {
        // It may have come from a dump of its own server: nothing runs on it before somebody says so.
        let refused = world.open().await.err().unwrap();
        assert_eq!(refused.code(), "database_older");
        assert!(refused.to_string().contains("does not hold row 9"), "{refused}");
        let voided = void_dumped(world.database(), world.options()).await.unwrap();
        assert!(!voided.faults.is_empty(), "{voided:?}");
    }
    let world = world.restart().await;
    let grants = world.store.grants(None).await.unwrap();
    assert!(grants[0].revoked_at.is_some(), "what was taken back since may be live in an older database: {grants:?}");
    assert!(world.append(read("later")).await >= 10);
    for world in [world.restart().await] {
        let faults = world.verify().await.faults;
        assert!(faults.iter().any(|fault| fault == "rows 7 to 9 are missing"), "{faults:?}");
        assert!(faults.iter().any(|fault| fault.contains("audit.seal.refused")), "{faults:?}");
    }
}

#[tokio::test]
async fn a_missing_or_forged_seal_is_found() {
    let world = filled(3).await;
    world.store.close().await;
    let seal = world.data.join("audit.seal");
    let text = std::fs::read_to_string(&seal).unwrap();
    assert!(text.contains("\"seq\":3"), "{text}");
    std::fs::write(&seal, text.replace("\"seq\":3", "\"seq\":2")).unwrap();
    let world = world.restart().await;
    let faults = world.verify().await.faults;
    assert!(faults.iter().any(|fault| fault.contains("audit.seal.refused")), "{faults:?}");
    std::fs::remove_file(world.data.join("audit.seal.refused")).unwrap();
    world.whole().await;
    world.store.close().await;
    std::fs::remove_file(&seal).unwrap();
    let world = world.restart().await;
    let faults = world.verify().await.faults;
    assert!(faults.iter().any(|fault| fault.contains("missing or contradicted")), "{faults:?}");
}

#[tokio::test]
async fn an_empty_database_beside_a_seal_that_vouches_for_rows_is_refused_until_the_seal_is_moved_away() {
    let world = filled(3).await;
    world.store.close().await;
    world.empty().await;
    let seal = world.data.join("audit.seal");
    let before = std::fs::read(&seal).unwrap();
    for _ in 0..2 {
        let refused = world.open().await.err().unwrap();
        assert_eq!(refused.code(), "database_gone");
        assert!(refused.to_string().contains("restore a backup"), "{refused}");
        assert_eq!(std::fs::read(&seal).unwrap(), before, "nothing is overwritten");
    }
    std::fs::rename(&seal, world.data.join("moved")).unwrap();
    let world = world.restart().await;
    assert_eq!(world.append(read("a")).await, 1);
    world.whole().await;
}

#[tokio::test]
async fn no_more_than_twenty_faults_are_told() {
    let world = filled(40).await;
    world.tamper("update event set summary = 'x'").await;
    assert_eq!(world.verify().await.faults.len(), 20);
}

#[tokio::test]
async fn the_chain_goes_on_over_restarts() {
    let mut world = filled(3).await;
    for round in 0..3 {
        world = world.restart().await;
        assert_eq!(world.append(read("again")).await, 4 + round);
    }
    assert_eq!(world.restart().await.whole().await.sealed, 6);
}

#[tokio::test]
async fn time_never_runs_backwards_in_the_log() {
    let world = World::new().await;
    world.append(read("a")).await;
    world.clock.turn(-60_000);
    world.append(read("b")).await;
    let rows = world.store.after(0, &EventFilter::default(), 10).await.unwrap();
    assert_eq!(rows[0].at, rows[1].at);
    world.whole().await;
}

#[tokio::test]
async fn text_with_nul_is_kept_without_it() {
    let world = World::new().await;
    let mut draft = row(EventKind::CallRefused, "a\0b");
    draft.summary = "x\0y".to_owned();
    let seq = world.append(draft).await;
    let (event, _) = world.store.event(seq).await.unwrap().unwrap();
    assert_eq!((event.subject.as_str(), event.summary.as_str()), ("a\u{fffd}b", "x\u{fffd}y"));
    world.whole().await;
}

#[tokio::test]
async fn a_change_that_fails_does_not_poison_its_batch() {
    let world = World::new().await;
    // A statement of one change fails in the database; its neighbours must not notice.
    world
        .tamper(either(
            "create trigger stop before insert on approval begin select raise(abort, 'no'); end",
            "create function stop() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$; \
             create trigger stop before insert on approval for each row execute function stop()",
        ))
        .await;
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..50 {
        let (store, card) = (world.store.clone(), world.card(&format!("q{index}"), 1));
        tasks.spawn(async move {
            if index % 5 == 0 {
                let refused = store.ask(&card, 100, row(EventKind::ApprovalAsked, card.id.as_str())).await;
                assert!(refused.is_err());
                0
            } else {
                store.append(read("x"), AuditReads::Wal).await.unwrap()
            }
        });
    }
    let kept: BTreeSet<u64> = tasks.join_all().await.into_iter().filter(|seq| *seq > 0).collect();
    assert_eq!(kept, (1..=40).collect());
    assert_eq!(world.whole().await.rows, 40);
}

#[tokio::test]
async fn a_failed_commit_is_unknown_and_the_chain_goes_on_where_it_was() {
    let world = World::new().await;
    world.append(read("before")).await;
    // A constraint that is only looked at by the commit, broken by rows about a certain thing.
    world
        .tamper(either(
            "create table nowhere (id integer primary key); \
             create table pointer (id references nowhere (id) deferrable initially deferred); \
             create trigger stop after insert on event when new.subject = 'boom' begin \
             insert into pointer values (7); end",
            "create function stop() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$; \
             create constraint trigger stop after insert on event deferrable initially deferred \
             for each row when (new.subject = 'boom') execute function stop()",
        ))
        .await;
    let alone = world.store.append(read("boom"), AuditReads::Wal).await;
    assert!(matches!(alone, Err(StoreError::Unknown(_))), "{alone:?}");
    let kill = row(EventKind::KillOn, "boom");
    let change = world.store.set_kill_switch(KillSwitch::All, kill).await;
    assert!(matches!(change, Err(StoreError::Unknown(_))), "{change:?}");
    assert_eq!(world.store.kill_switch().await.unwrap(), KillSwitch::Off);
    assert_eq!(world.append(read("after")).await, 2);
    assert_eq!(world.whole().await.rows, 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever texts a row holds, it is read back as it was hashed, and one changed character is found.
    #[test]
    fn any_text_survives_and_any_change_is_found(
        subject in any::<String>(), summary in any::<String>(), body in any::<String>(), victim in 1_u64..4,
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let world = World::new().await;
            for _ in 0..3 {
                let mut draft = read(&subject);
                draft.summary.clone_from(&summary);
                draft.body = Some(serde_json::Value::String(body.clone()));
                world.append(draft).await;
            }
            world.whole().await;
            let (_, kept) = world.store.event(victim).await.unwrap().unwrap();
            assert_eq!(kept, Some(serde_json::Value::String(body)));
            world.tamper(&format!("update event set summary = summary || '.' where seq = {victim}")).await;
            assert_eq!(world.verify().await.faults.len(), 1);
        });
    }
}
