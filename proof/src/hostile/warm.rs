//! Sane requests: before, so that what an idle program holds is what it holds after some work, and so that what strangers
//! are kept from is known to work; and after, to see that it still does.

use serde_json::{Value, json};

use super::raw::Line;
use super::request::{Deed, Request};
use super::surface::Operation;
use super::world::World;
use crate::chance::Chance;
use crate::report::{Kind, Violation};

/// How often everything is asked.
const ROUNDS: u64 = 6;
/// Operations that change something and can be asked again and again.
const REPEATED: [&str; 9] = [
    "make_call",
    "preview_call",
    "make_plan",
    "submit_job",
    "say",
    "create_token",
    "give_grant",
    "try_grant",
    "create_schedule",
];

/// Asks everything that can be asked again and again, and tells of what was not carried out.
pub(super) async fn warm(world: &World, seed: u64) -> anyhow::Result<Vec<Violation>> {
    let mut found = Vec::new();
    for round in 0..ROUNDS {
        let mut chance = Chance::of(seed, u64::MAX - round);
        for operation in world.surface.operations.iter().filter(|it| repeated(it)) {
            // Marks of nobody: what is made here was asked for.
            let mark = format!("sane{}", chance.next());
            let Some(request) = world.fitting(&operation.name, &mark, &mut chance) else { continue };
            found.extend(ask(world, &request.bearer(&world.people.operator), &operation.name).await?);
        }
        found.extend(mcp(world, round).await?);
    }
    Ok(found)
}

fn repeated(operation: &Operation) -> bool {
    // There is no grant to propose for what a rule asks, and nothing to take back of a turn that only looked.
    let empty = ["proposed_grant", "show_undo_turn"].contains(&operation.name.as_str());
    (operation.is_safe() && !empty) || REPEATED.contains(&operation.name.as_str())
}

/// What strangers were kept from, tried by who may: where that does nothing, keeping them from it proved nothing. The last
/// ones end it. Nothing is erased: the audit is to be whole with all its texts.
const KEPT_FROM: [&str; 13] = [
    "put_settings",
    "keep_secret",
    "import_secrets",
    "change_schedule",
    "rename_conversation",
    "approve",
    "undo_call",
    "remove_schedule",
    "remove_secret",
    "stop",
    "resume",
    "revoke_token",
    "sign_out",
];

/// Does everything that nobody else could do.
pub(super) async fn last(world: &World, seed: u64) -> anyhow::Result<Vec<Violation>> {
    let (mut found, mut chance) = (Vec::new(), Chance::of(seed, u64::MAX - ROUNDS));
    for name in KEPT_FROM {
        let request =
            if name == "undo_call" { world.undoing().await? } else { world.fitting(name, "sane", &mut chance) };
        let Some(request) = request else {
            found.push(Violation::new(Kind::Untried, format!("the document has no `{name}` any more")));
            continue;
        };
        let failed = ask(world, &request.bearer(&world.people.operator), name).await?;
        found.extend(failed.map(|failed| Violation::new(Kind::Untried, failed.what)));
    }
    Ok(found)
}

/// Both eras.
async fn mcp(world: &World, round: u64) -> anyhow::Result<Vec<Violation>> {
    let mut found = Vec::new();
    for (name, arguments) in [("echo", json!({ "text": "hello" })), ("file_list", json!({}))] {
        let call = World::call(round, name, &arguments).to_string();
        found.extend(ask(world, &world.modern(&world.people.yellow, "tools/call", name, call), name).await?);
    }
    for session in &world.sessions {
        let asked = json!({ "jsonrpc": "2.0", "id": round, "method": "tools/list" }).to_string();
        found.extend(ask(world, &world.legacy(session, &asked), "tools/list").await?);
    }
    Ok(found)
}

/// Asks, and tells if it was not carried out.
async fn ask(world: &World, request: &Request, name: &str) -> anyhow::Result<Option<Violation>> {
    let mut line = Line::open(world.to, 0).await?;
    let (heard, _) = line.carry_out(&Deed::one(request)).await;
    let answer = heard.answers.first();
    let sane = answer.is_some_and(|answer| {
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        // What is limited in number may be used up by what was taken of the others.
        let limited = answer.status == 429 && said.get("code").is_some_and(|code| code == "rate_limited");
        limited || ((200..300).contains(&answer.status) && said.get("error").is_none())
    });
    let told = answer.map(|answer| format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)));
    Ok((!sane).then(|| Violation::new(Kind::NoService, format!("a sane `{name}` was answered with {told:?}"))))
}
