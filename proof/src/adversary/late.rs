//! A yes that comes too late: the clock of the program is set on, past the end of the card.

use std::path::Path;

use serde_json::json;

use super::Shared;
use super::bay::Bay;
use crate::chance::Chance;
use crate::report::{Kind, Violation, say};
use crate::server::{Clock, House};
use crate::wire::Ask;
use crate::world::call::Call;
use crate::world::{World, audit};

/// Cards; every second one is answered in time, so that it is seen that a yes counts.
const CARDS: u64 = 40;
/// Minutes for which they stay open, the fewest that can be set.
const MINUTES: u64 = 1;

/// One program with one bay, and how many things happened.
pub(super) async fn late(shared: &Shared, place: &Path) -> anyhow::Result<(u64, Vec<Violation>)> {
    let Some(library) = Clock::library() else {
        say("adversary: no yes came too late, because libfaketime is not here");
        return Ok((0, Vec::new()));
    };
    std::fs::create_dir_all(place)?;
    let clock = Clock::new(library, place.join("clock"))?;
    let (data, log) = (place.join("data"), place.join("log"));
    let house = House { binary: shared.binary.clone(), data, log, clock: Some(clock.clone()) };
    let world = World::build(&house, place, 2, |_| None).await?;
    let server = house.start().await?;
    let secret = world.furnish(&server).await?;
    let mut bay =
        Bay::open(&world, &server.host, &secret, "bay0".to_owned(), Chance::of(shared.seed, u64::MAX)).await?;
    let wire = &mut bay.person.wire;
    let mut settings = wire.ask(Ask::get("/api/settings", &secret)).await?.body;
    settings["approval_minutes"] = json!(MINUTES);
    wire.ask(Ask::put("/api/settings", &secret, settings)).await?;
    let mut found = Vec::new();
    for number in 0..CARDS {
        let (name, token) = (format!("bay0-late{number}"), bay.program.secret.clone());
        let call = Call::stop(&name, &world.engine.make(&name, "lab/app:1", ""));
        let body = json!({ "tool": call.tool, "args": call.args });
        let asked = bay.person.wire.ask(Ask::post("/api/call", &token, Some(body))).await?;
        let is_late = number.is_multiple_of(2);
        // Whoever is late is wanted no more: nothing covers what comes of it.
        bay.person.want(if is_late { &[] } else { std::slice::from_ref(&call) });
        bay.person.careless = is_late;
        if is_late {
            clock.set((number + 1) * (MINUTES * 60 + 1))?;
        }
        let since = crate::world::ledger::now();
        bay.person.decide(&world, asked.text("approval")).await?;
        if !is_late && !world.is_done(&call, since) {
            found.push(Violation::new(Kind::Untried, format!("a yes in time did nothing: {}", asked.body)));
        }
        bay.person.end(&world);
        world.engine.forget(&name);
    }
    server.end().await?;
    found.extend(world.covers.judge(&world.ledger));
    found.extend(audit::join(&house.data, &world.ledger, &world.yeses).await?);
    if found.is_empty() {
        std::fs::remove_dir_all(place)?;
    }
    let told = |it: Violation| Violation { what: format!("late: {}", it.what), ..it };
    Ok((CARDS, found.into_iter().map(told).collect()))
}
