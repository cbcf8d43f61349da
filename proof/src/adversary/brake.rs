//! The operator stops everything: whatever is asked meanwhile, by whomever, nothing happens, and the release sets nothing
//! off.

use std::time::{Duration, SystemTime};

use anyhow::ensure;
use serde_json::json;

use super::bay::{Bay, IMAGE};
use super::client::{card, said};
use super::tally::Tally;
use crate::report::{Kind, Violation};
use crate::wire::{Ask, Wire};
use crate::world::call::Call;
use crate::world::ledger::{Ledger, now};
use crate::world::{World, shed};

/// Turns of each bay meanwhile.
const TURNS: u64 = 10;
/// How soon whatever runs has stopped.
const STOPPED: Duration = Duration::from_millis(100);
/// How long it is watched after the release.
const AFTER: Duration = Duration::from_millis(300);
/// By how much a file may be dated too early, and more.
const TICK: Duration = Duration::from_millis(50);

/// The time in which nothing may have happened.
pub(super) struct Stop {
    since: SystemTime,
    until: SystemTime,
    /// Whether what only reads goes on.
    reads: bool,
}

impl Stop {
    /// What happened all the same.
    pub(super) fn judge(&self, ledger: &Ledger) -> Vec<Violation> {
        let within = |at: SystemTime| self.since < at && at < self.until;
        let all = ledger.all().into_iter();
        all.filter(|(at, deed)| within(*at) && !(self.reads && deed.tool == "http_fetch"))
            .map(|(_, deed)| {
                Violation::new(Kind::StrayEffect, format!("{deed:?} happened while everything was stopped"))
            })
            .collect()
    }
}

/// Stops everything, lets everybody try for a while, releases it, and sees that the program serves again. `idle`: only
/// says so.
pub(super) async fn stop(
    world: &World,
    bays: &mut [Bay],
    tally: &mut Tally,
    idle: bool,
) -> anyhow::Result<(Stop, Vec<Violation>)> {
    let mut found = Vec::new();
    let mut asked = Vec::new();
    for bay in bays.iter_mut() {
        // Whoever was done early has long been hung up on.
        bay.person.wire = Wire::connect(bay.person.wire.host()).await?;
        bay.tidy(world);
        asked.push(bay.ask_first(world).await?);
    }
    let Some(first) = bays.first_mut() else { anyhow::bail!("there is nobody") };
    let reads = first.chance.percent(50);
    let (level, secret) = (if reads { "effects" } else { "all" }, first.person.secret.clone());
    if !idle {
        let stopped = first.person.wire.ask(Ask::post("/api/kill", &secret, Some(json!({ "level": level })))).await?;
        ensure!(stopped.status < 300, "it cannot be stopped: {}", stopped.body);
    }
    tokio::time::sleep(STOPPED).await;
    let since = now();
    for (bay, (call, waiting)) in bays.iter_mut().zip(asked) {
        // A yes to what was asked before.
        if let Some(card) = waiting {
            bay.person.want(std::slice::from_ref(&call));
            bay.person.decide(world, &card).await?;
            bay.person.end(world);
        }
        bay.under_the_brake(world, tally, &mut found).await?;
    }
    let Some(first) = bays.first_mut() else { anyhow::bail!("there is nobody") };
    let released = first.person.wire.ask(Ask::delete("/api/kill", &secret)).await?;
    ensure!(released.status < 300, "it cannot be released: {}", released.body);
    tokio::time::sleep(AFTER).await;
    let until = now();
    tokio::time::sleep(TICK).await;
    first.tidy(world);
    // It was ended, too, and begins again by itself.
    shed::up(&mut first.person.wire, &secret).await?;
    let served = first.served(world).await?;
    if world.level > 0 && served.done < served.wanted {
        found.push(Violation::new(Kind::NoService, format!("{} was not done after the release", first.last)));
    }
    Ok((Stop { since, until, reads }, found))
}

impl Bay {
    /// Asks for something that must be approved, and answers its card.
    async fn ask_first(&mut self, world: &World) -> anyhow::Result<(Call, Option<String>)> {
        let web = self.thing("web");
        let call = Call::stop(&web, &world.engine.id(&web));
        let reply = self.rest(world, &said(world, &call), None).await?;
        Ok((call, card(&reply)))
    }

    /// Everybody goes on as before, and is refused.
    async fn under_the_brake(
        &mut self,
        world: &World,
        tally: &mut Tally,
        found: &mut Vec<Violation>,
    ) -> anyhow::Result<()> {
        // Of what nobody was asked before: an answer that was due would be handed over.
        let name = self.thing("braked");
        let call = Call::restart(&name, &world.engine.make(&name, IMAGE, ""));
        let reply = self.rest(world, &said(world, &call), None).await?;
        if reply.body["code"] != "stopped" {
            found.push(Violation::new(Kind::Opened, format!("everything is stopped, and it said {}", reply.body)));
        }
        for _ in 0..TURNS {
            self.tidy(world);
            let done = match self.chance.between(0, 10) {
                0 => self.torn(world).await?,
                1 => self.besieged(world).await?,
                _ => self.client(world, found).await?,
            };
            tally.add(&done, false);
        }
        Ok(())
    }
}
