//! Conversations: trees of turns, searched, and erased without a trace of what was said.

use jarvis_safety::call::{CallState, Origin};
use jarvis_safety::conversation::{CallEnd, Conversation, Entry, Turn, TurnState, Uttered};
use jarvis_safety::event::{Draft, EventKind};
use jarvis_safety::port::{Conversations as _, EventFilter, Feed as _, Ledger as _, StoreError};
use jarvis_safety::setting::AuditReads;
use jarvis_safety::tool::Undo;
use jarvis_safety::{ActorId, Tier};
use serde_json::{Value, json};
use sqlx::Row as _;

use crate::world::{World, outcome, row};

fn said(text: &str) -> Entry {
    Entry::Said { text: text.to_owned() }
}

fn partial(text: &str) -> Entry {
    Entry::Partial { text: text.to_owned() }
}

async fn begun(world: &World, title: &str, asked: &str) -> (Conversation, Turn) {
    let conversation = world.conversation(title);
    let turn = world.turn(&conversation, asked);
    world.store.begin(&conversation, &turn, row(EventKind::TurnAsked, turn.id.as_str())).await.unwrap();
    (conversation, turn)
}

async fn step(world: &World, turn: &Turn, entries: &[Entry], state: TurnState) -> Result<(), StoreError> {
    world.store.step(&turn.id, entries, state, Some(row(EventKind::TurnStep, turn.id.as_str()))).await
}

async fn log(world: &World, turn: &Turn) -> Vec<Entry> {
    world.store.turn(&turn.id).await.unwrap().unwrap().1
}

async fn search(world: &World, text: &str) -> Vec<String> {
    let found = world.store.conversations(None, text, 50).await.unwrap();
    found.into_iter().map(|conversation| conversation.title).collect()
}

#[tokio::test]
async fn a_turn_is_its_log_also_after_a_restart() {
    let world = World::new().await;
    let (conversation, turn) = begun(&world, "Disks", "what is filling the disk?").await;
    let entries = [Entry::Routed { route: "rule".to_owned(), why: "disk".to_owned(), model: None }, said("logs")];
    step(&world, &turn, &entries[..1], TurnState::Running).await.unwrap();
    step(&world, &turn, &entries[1..], TurnState::Waiting).await.unwrap();
    let world = world.restart().await;
    let (kept, log) = world.store.turn(&turn.id).await.unwrap().unwrap();
    assert_eq!(kept, Turn { state: TurnState::Waiting, ..turn.clone() });
    assert_eq!(log, entries);
    assert_eq!(world.store.open_turns().await.unwrap(), [kept]);
    assert_eq!(world.store.conversation(&conversation.id).await.unwrap().unwrap().turns, 1);
    world.whole().await;
}

#[tokio::test]
async fn a_partial_is_replaced_by_what_follows() {
    let world = World::new().await;
    let (_, turn) = begun(&world, "t", "q").await;
    let quiet = |entry| {
        let (store, id) = (world.store.clone(), turn.id.clone());
        async move { store.step(&id, &[entry], TurnState::Running, None).await.unwrap() }
    };
    step(&world, &turn, &[said("first")], TurnState::Running).await.unwrap();
    let head = world.store.head();
    quiet(partial("a")).await;
    quiet(partial("ab")).await;
    assert_eq!(log(&world, &turn).await, [said("first"), partial("ab")]);
    assert_eq!(world.store.head(), head, "a partial writes no row");
    step(&world, &turn, &[], TurnState::Running).await.unwrap();
    assert_eq!(log(&world, &turn).await, [said("first"), partial("ab")]);
    step(&world, &turn, &[said("abc"), partial("x"), said("d")], TurnState::Running).await.unwrap();
    assert_eq!(log(&world, &turn).await, [said("first"), said("abc"), said("d")]);
}

#[tokio::test]
async fn a_step_on_a_turn_that_has_ended_is_a_conflict() {
    for end in [TurnState::Done, TurnState::Stopped, TurnState::Failed] {
        let world = World::new().await;
        let (_, turn) = begun(&world, "t", "q").await;
        step(&world, &turn, &[said("x")], end).await.unwrap();
        let head = world.store.head();
        let late = step(&world, &turn, &[said("y")], TurnState::Running).await;
        assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
        assert_eq!(log(&world, &turn).await, [said("x")]);
        assert_eq!(world.store.head(), head);
        assert!(world.store.open_turns().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn the_same_key_and_words_are_one_turn_also_after_a_restart() {
    let world = World::new().await;
    let keyed = |conversation: &Conversation, words: &str| {
        let key = Some("k\0 1".to_owned());
        Turn { key, ..world.turn(conversation, words) }
    };
    let (conversation, other) = (world.conversation("a"), world.conversation("b"));
    let first = keyed(&conversation, "restart\0web");
    let (again, else_said, elsewhere) =
        (keyed(&other, "restart\0web"), keyed(&other, "stop web"), keyed(&conversation, "restart\0web"));
    let foreign = Turn { actor: ActorId::new("token:other"), ..keyed(&other, "restart\0web") };
    let draft = |turn: &Turn| row(EventKind::TurnAsked, turn.id.as_str());
    let begin = async |world: &World, conversation: &Conversation, turn: &Turn| {
        world.store.begin(conversation, turn, draft(turn)).await.unwrap()
    };
    assert_eq!(begin(&world, &conversation, &first).await, Uttered::New);
    let world = world.restart().await;
    let head = world.store.head();
    let known = |said: Uttered| matches!(said, Uttered::Known(turn) if turn.id == first.id);
    assert!(known(begin(&world, &other, &again).await));
    assert_eq!(begin(&world, &other, &else_said).await, Uttered::KeyReused(first.id.clone()));
    assert!(known(world.store.add_turn(&elsewhere, draft(&elsewhere)).await.unwrap()));
    assert_eq!(world.store.head(), head, "what is known tells nothing");
    assert!(world.store.conversation(&other.id).await.unwrap().is_none());
    // Somebody else's key is another one. In another conversation the same words are others.
    assert_eq!(begin(&world, &other, &foreign).await, Uttered::New);
    let strayed = world.store.add_turn(&again, draft(&again)).await.unwrap();
    assert_eq!(strayed, Uttered::KeyReused(first.id.clone()));
    assert_eq!(world.store.open_turns().await.unwrap().len(), 2);
    world.whole().await;
}

#[tokio::test]
async fn the_same_key_said_at_once_is_one_turn() {
    let world = World::new().await;
    let said = (0..20).map(|_| {
        let conversation = world.conversation("a");
        let turn = Turn { key: Some("k".to_owned()), ..world.turn(&conversation, "restart web") };
        let store = world.store.clone();
        tokio::spawn(
            async move { store.begin(&conversation, &turn, row(EventKind::TurnAsked, turn.id.as_str())).await },
        )
    });
    let mut new = 0;
    for said in said.collect::<Vec<_>>() {
        new += u32::from(said.await.unwrap().unwrap() == Uttered::New);
    }
    assert_eq!(new, 1);
    assert_eq!(world.store.open_turns().await.unwrap().len(), 1);
    world.whole().await;
}

#[tokio::test]
async fn turns_need_their_conversation_and_a_parent_in_it() {
    let world = World::new().await;
    let (conversation, first) = begun(&world, "t", "q").await;
    let (_, elsewhere) = begun(&world, "u", "q").await;
    let add = |turn: Turn| {
        let store = world.store.clone();
        async move { store.add_turn(&turn, row(EventKind::TurnAsked, turn.id.as_str())).await }
    };
    let nowhere = world.turn(&world.conversation("never begun"), "q");
    assert!(matches!(add(nowhere).await, Err(StoreError::NotFound(_))));
    let mut stray = world.turn(&conversation, "q");
    stray.parent = Some(elsewhere.id);
    assert!(matches!(add(stray).await, Err(StoreError::Conflict(_))));
    assert!(matches!(add(first.clone()).await, Err(StoreError::Conflict(_))));
    let late = step(&world, &world.turn(&conversation, "q"), &[said("x")], TurnState::Done).await;
    assert!(matches!(late, Err(StoreError::NotFound(_))));
    // Two branches from one turn.
    for _ in 0..2 {
        world.clock.turn(5);
        let mut branch = world.turn(&conversation, "again");
        branch.parent = Some(first.id.clone());
        add(branch).await.unwrap();
    }
    let turns = world.store.turns(&conversation.id).await.unwrap();
    assert_eq!(turns.len(), 3);
    assert!(turns.is_sorted_by_key(|(turn, _)| turn.created_at));
    let kept = world.store.conversation(&conversation.id).await.unwrap().unwrap();
    assert_eq!(kept.updated_at, crate::world::START + 10);
}

#[tokio::test]
async fn a_search_finds_titles_questions_and_answers_without_case() {
    let world = World::new().await;
    let (_, turn) = begun(&world, "Über den NAS", "Is \"Web\" running at 100%?").await;
    step(&world, &turn, &[said("The container\nGRÖSSE is fine")], TurnState::Done).await.unwrap();
    begun(&world, "Other", "something else, 100 of it").await;
    for text in ["über", "ÜBER DEN", "\"web\"", "100%", "größe is", "GRÖSSE", "container\ngr"] {
        let expected: &[&str] = if text == "größe is" { &[] } else { &["Über den NAS"] };
        assert_eq!(search(&world, text).await, expected, "{text}");
    }
    assert_eq!(search(&world, "100").await.len(), 2);
    assert_eq!(search(&world, "_").await.len(), 0);
    assert_eq!(search(&world, "' or 1=1 --").await.len(), 0);
    assert_eq!(search(&world, "  ").await.len(), 2);
}

#[tokio::test]
async fn conversations_are_listed_newest_first_by_owner() {
    let world = World::new().await;
    for title in ["a", "b", "c"] {
        begun(&world, title, "q").await;
        world.clock.turn(10);
    }
    let mut foreign = world.conversation("foreign");
    foreign.owner = ActorId::new("operator");
    let begin = || {
        let turn = world.turn(&foreign, "q");
        let draft = row(EventKind::TurnAsked, turn.id.as_str());
        let (store, foreign) = (world.store.clone(), foreign.clone());
        async move { store.begin(&foreign, &turn, draft).await }
    };
    begin().await.unwrap();
    let head = world.store.head();
    assert!(matches!(begin().await, Err(StoreError::Conflict(_))));
    assert_eq!(world.store.head(), head);
    assert_eq!(search(&world, "").await, ["foreign", "c", "b", "a"]);
    let owner = crate::world::client().id;
    let mine = world.store.conversations(Some(&owner), "", 2).await.unwrap();
    assert_eq!(mine.iter().map(|one| one.title.as_str()).collect::<Vec<_>>(), ["c", "b"]);
    let found = world.store.conversations(Some(&owner), "foreign", 9).await.unwrap();
    assert!(found.is_empty());
}

#[tokio::test]
async fn a_title_can_be_changed() {
    let world = World::new().await;
    let (conversation, _) = begun(&world, "old", "q").await;
    let draft = || row(EventKind::ConversationRenamed, conversation.id.as_str());
    world.store.rename(&conversation.id, "New", draft()).await.unwrap();
    assert_eq!(search(&world, "new").await, ["New"]);
    let nowhere = world.store.rename(&world.conversation("x").id, "y", draft()).await;
    assert!(matches!(nowhere, Err(StoreError::NotFound(_))));
}

pub(crate) const SECRET: &str = "wobblewine";

fn telling(kind: EventKind, subject: &str) -> Draft {
    Draft { body: Some(json!({ "words": SECRET })), ..row(kind, subject) }
}

/// A conversation about the secret word, with a read, a refusal, an effect and a card in it.
pub(crate) async fn talkative(world: &World) -> (Conversation, Turn, jarvis_safety::call::CallRecord) {
    let (conversation, turn) = begun(world, SECRET, SECRET).await;
    let mut record = world.record(None);
    record.origin = Origin {
        conversation: Some(conversation.id.clone()),
        turn: Some(turn.id.clone()),
        words: Some(SECRET.to_owned()),
        ..record.origin
    };
    let intent = telling(EventKind::CallIntent, record.id.as_str());
    world.store.intend(&record, None, intent).await.unwrap();
    for subject in ["call_of_a_read", "name of a target"] {
        let kind = if subject.starts_with("call") { EventKind::CallRead } else { EventKind::CallRefused };
        world.store.append(telling(kind, subject), AuditReads::Wal).await.unwrap();
    }
    let mut card = world.card("q", 1);
    card.origin = Origin { words: Some(SECRET.to_owned()), ..record.origin.clone() };
    world.store.ask(&card, 100, telling(EventKind::ApprovalAsked, card.id.as_str())).await.unwrap();
    let mut told = outcome(&record, CallState::Done);
    told.words = SECRET.to_owned();
    let ran = CallEnd::Ran { outcome: Box::new(told) };
    let entries = [said(SECRET), Entry::Answered { index: 0, answer: ran }];
    let draft = telling(EventKind::TurnStep, turn.id.as_str());
    world.store.step(&turn.id, &entries, TurnState::Running, Some(draft)).await.unwrap();
    (conversation, turn, record)
}

/// Whether any column of any table still holds the word, in any spelling of it.
async fn is_anywhere(world: &World, word: &str) -> Vec<String> {
    let mut connection = world.burglar().await;
    let mut found = Vec::new();
    for (table, columns) in [
        ("body", "json"),
        ("call", "json || coalesce(outcome, '')"),
        ("approval", "json"),
        ("approval_step", "json || coalesce(outcome, '')"),
        ("conversation", "title || folded"),
        ("turn", "asked || folded"),
        ("turn_entry", "json || coalesce(folded, '')"),
    ] {
        let sql = format!("select count(*) from {table} where {columns} like '%{word}%'");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap();
        if row.get::<i64, _>(0) > 0 {
            found.push(table.to_owned());
        }
    }
    found
}

#[tokio::test]
async fn deleting_a_conversation_erases_every_text_of_it_and_the_chain_stays_whole() {
    let world = World::new().await;
    let other = world.append(telling(EventKind::CallRead, "of somebody else")).await;
    let (conversation, turn, record) = talkative(&world).await;
    assert!(is_anywhere(&world, SECRET).await.len() >= 6);
    let draft = row(EventKind::ConversationDeleted, conversation.id.as_str());
    world.store.delete(&conversation.id, draft.clone()).await.unwrap();

    assert_eq!(is_anywhere(&world, SECRET).await, ["body"], "the unrelated row keeps its body");
    assert!(world.store.event(other).await.unwrap().unwrap().1.is_some());
    assert!(world.store.conversation(&conversation.id).await.unwrap().is_none());
    assert!(world.store.turn(&turn.id).await.unwrap().is_none());
    let found = world.whole().await;
    assert_eq!(found.erased, 6);
    let kinds = vec![EventKind::BodyErased];
    let told = world.store.after(0, &EventFilter { kinds, ..EventFilter::default() }, 9).await.unwrap();
    assert!(told[0].summary.starts_with("6 bodies erased"), "{}", told[0].summary);
    // What was done to the house stays known.
    let kept = world.store.call(&record.id).await.unwrap().unwrap();
    assert_eq!((kept.args, kept.origin.words), (record.args.clone(), None));
    let again = world.store.delete(&conversation.id, draft).await;
    assert!(matches!(again, Err(StoreError::NotFound(_))));
    world.restart().await.whole().await;
}

#[tokio::test]
async fn a_deletion_that_cannot_be_finished_erases_nothing() {
    let world = World::new().await;
    let (conversation, turn, _) = talkative(&world).await;
    world.tamper("update call set json = 'broken'").await;
    let before = is_anywhere(&world, SECRET).await;
    let draft = row(EventKind::ConversationDeleted, conversation.id.as_str());
    let answer = world.store.delete(&conversation.id, draft).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    assert_eq!(is_anywhere(&world, SECRET).await, before);
    assert!(world.store.turn(&turn.id).await.unwrap().is_some());
    assert_eq!(world.whole().await.erased, 0);
}

#[tokio::test]
async fn an_outcome_that_comes_after_the_deletion_leaves_no_text() {
    let world = World::new().await;
    let (conversation, _, record) = talkative(&world).await;
    let draft = row(EventKind::ConversationDeleted, conversation.id.as_str());
    world.store.delete(&conversation.id, draft).await.unwrap();
    let mut told = outcome(&record, CallState::Done);
    told.words = SECRET.to_owned();
    told.output = Value::String(SECRET.to_owned());
    let undo = Undo { tool: "docker_start".to_owned(), args: json!({}) };
    let draft = telling(EventKind::CallDone, record.id.as_str());
    world.store.settle(&told, Some(&undo), None, 9, draft).await.unwrap();
    assert_eq!(is_anywhere(&world, SECRET).await, [""; 0]);
    let kept = world.store.call(&record.id).await.unwrap().unwrap();
    assert_eq!((kept.state, kept.undo), (CallState::Done, Some(undo)));
    world.whole().await;
}

#[tokio::test]
async fn a_conversation_cannot_take_the_rows_of_others_with_it() {
    let world = World::new().await;
    let (conversation, turn) = begun(&world, "t", "q").await;
    // The same correlation, which a client may choose, but another owner.
    let mut foreign = telling(EventKind::CallRead, "x");
    foreign.owner = ActorId::new("operator");
    let foreign = world.append(foreign).await;
    step(&world, &turn, &[said("x")], TurnState::Done).await.unwrap();
    let later = world.append(telling(EventKind::CallRead, "after the turn")).await;
    let mut effect = telling(EventKind::CallDone, "call_of_another");
    effect.tier = Some(Tier::Red);
    world.append(effect).await;
    let draft = row(EventKind::ConversationDeleted, conversation.id.as_str());
    world.store.delete(&conversation.id, draft).await.unwrap();
    for seq in [foreign, later] {
        assert!(world.store.event(seq).await.unwrap().unwrap().1.is_some());
    }
    world.whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_sees_the_rows_of_its_own_batch() {
    let world = World::new().await;
    for _ in 0..10 {
        let (conversation, turn) = begun(&world, "t", "q").await;
        let steps = (0..20).map(|_| {
            let (store, id) = (world.store.clone(), turn.id.clone());
            let draft = telling(EventKind::TurnStep, id.as_str());
            tokio::spawn(async move { store.step(&id, &[said("x")], TurnState::Running, Some(draft)).await })
        });
        let steps: Vec<_> = steps.collect();
        let draft = Draft { body: None, ..row(EventKind::ConversationDeleted, conversation.id.as_str()) };
        world.store.delete(&conversation.id, draft).await.unwrap();
        for step in steps {
            // Before the deletion it was kept and erased; after it there was no turn.
            let _ = step.await.unwrap();
        }
    }
    assert_eq!(is_anywhere(&world, SECRET).await, [""; 0]);
    world.whole().await;
}
