//! What a database of a released version holds, and what must be left of it in the newest.

use std::path::Path;

use jarvis_memory::{McpSession, McpSessions, SecretVault, VaultOptions};
use jarvis_safety::approval::ApprovalState;
use jarvis_safety::call::CallState;
use jarvis_safety::conversation::{Entry, TurnState};
use jarvis_safety::event::EventKind;
use jarvis_safety::id::TokenId;
use jarvis_safety::identity::{Source, TokenGrant, Whence};
use jarvis_safety::job::{Hold, Jobs as _, Missed};
use jarvis_safety::port::{Conversations as _, Identities as _, Ledger as _};
use jarvis_safety::secret::{Secret, SecretChange, SecretStore as _};
use jarvis_safety::{Role, Tier};

use crate::job_world::{Act, Jobbing};
use crate::world::{START, World, client, outcome, row};

/// Tables into which only replicas and a second factor put something.
pub(crate) const EMPTY: [&str; 4] = ["pace", "recovery_code", "replica", "second_factor"];

/// All migrations, in their order.
pub(crate) fn migrations() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "sql")).collect();
    files.sort();
    files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// Puts something into the tables that later versions have added.
async fn filled_later(world: World) -> World {
    crate::grant::give(&world, 3).await;
    world.store.admit(&Source { name: "192.0.2.1".to_owned(), far: true }).await.unwrap();
    world.store.hear(&client().id, START).await.unwrap();
    let (id, path, opening) = ("a".to_owned(), "/mcp".to_owned(), "{}".to_owned());
    let session = McpSession { id, actor: client().id, path, opening };
    McpSessions::new(&world.store).keep(session, 2).await.unwrap();
    let vault = SecretVault::unlock(&world.store, VaultOptions::default()).await;
    let value = Some(Secret::new("ghp-Secret-0123456789".to_owned()));
    let change = SecretChange { value, ..SecretChange::default() };
    vault.keep_secret(&"github".parse().unwrap(), change, row(EventKind::SecretKept, "github")).await.unwrap();
    let jobbing = Jobbing::over(world);
    jobbing.hourly(Missed::Skip).await;
    for key in ["first", "joins"] {
        jobbing.keyed("single", Act::Hold, key).await;
    }
    jobbing.submit("safe", Act::Hold).await;
    let held = jobbing.take("plain", 1, "gone").await.remove(0);
    jobbing.jobs.put_out(&Hold::of(&held), "a piece", START).await.unwrap();
    jobbing.world
}

/// Puts something into every table, but for [`EMPTY`], and closes it.
pub(crate) async fn fill(world: World) -> World {
    world.store.set_password("correct horse", row(EventKind::OperatorSet, "operator")).await.unwrap();
    world.store.open_session(Whence::default(), row(EventKind::SessionOpened, "")).await.unwrap();
    let grant = TokenGrant { role: Role::Approver, ..TokenGrant::client("bot", Tier::Yellow) };
    world.store.create_token(TokenId::new(world.id()), grant, row(EventKind::TokenCreated, "t")).await.unwrap();
    let kill = jarvis_safety::kernel::KillSwitch::Off;
    world.store.set_kill_switch(kill, row(EventKind::KillOff, "kill")).await.unwrap();
    for index in 0..40 {
        let conversation = world.conversation(&format!("talk {index}"));
        let turn = world.turn(&conversation, "what is filling the disk?");
        world.store.begin(&conversation, &turn, row(EventKind::TurnAsked, turn.id.as_str())).await.unwrap();
        let said = Entry::Said { text: "logs".repeat(100) };
        let told = Some(row(EventKind::TurnDone, turn.id.as_str()));
        world.store.step(&turn.id, &[said], TurnState::Done, told).await.unwrap();
        let card = world.card(&format!("question {index}"), 2);
        world.store.ask(&card, 100, row(EventKind::ApprovalAsked, card.id.as_str())).await.unwrap();
        let record = world.record(None);
        world.store.intend(&record, None, row(EventKind::CallIntent, record.id.as_str())).await.unwrap();
        let told = row(EventKind::CallDone, record.id.as_str());
        world.store.settle(&outcome(&record, CallState::Done), None, None, 1, told).await.unwrap();
    }
    let world = filled_later(world).await;
    world.whole().await;
    world.store.close().await;
    world
}

/// Looks at what [`fill`] has put there, adds a row and closes it.
pub(crate) async fn holds_all(world: World) {
    world.whole().await;
    let open = world.store.approvals(&[ApprovalState::Pending], 100).await.unwrap();
    assert!(open.len() == 40 && open[0].steps.len() == 2, "{}", open.len());
    let tokens = world.store.tokens().await.unwrap();
    assert!(tokens.iter().all(|token| token.grant.role == Role::Approver), "the flag has become a role");
    world.append(crate::world::read("it goes on")).await;
    world.whole().await;
    world.store.close().await;
}

/// Whether each table has as many rows as before, and the row that [`holds_all`] has added.
pub(crate) fn same_rows(before: &[(String, i64)], after: &[(String, i64)]) {
    for (name, count) in before {
        let found = after.iter().find(|(table, _)| table == name).map(|(_, count)| *count);
        let grown = ["event", "body"].contains(&name.as_str());
        assert_eq!(found, Some(count + i64::from(grown)), "{name}");
    }
}
