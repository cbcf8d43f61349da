//! Grants of the operator's, and what was done taken back: a grant holds for as many calls of this one thing as it says,
//! for whom it names and until it is revoked; and to undo something is a call like any other.

use anyhow::ensure;
use serde_json::json;

use super::bay::{Bay, IMAGE};
use super::client::{LOOKS, card, said};
use super::tally::Done;
use super::twist::twist;
use crate::wire::{Ask, Reply};
use crate::world::World;
use crate::world::call::Call;
use crate::world::ledger::Why;
use crate::world::person::Granted;

/// Most calls of a grant, and how much oftener they are tried.
const CALLS: u64 = 3;
const MORE: u64 = 2;
/// How many try to take something back.
const TAKERS: u64 = 3;

impl Bay {
    /// A grant for a thing of its own; those whom it is for, and others, use it up, and go on after it was revoked.
    pub(super) async fn granted(&mut self, world: &World, done: &mut Done) -> anyhow::Result<()> {
        let name = format!("{}-granted{}", self.name, self.number);
        let call = Call::stop(&name, &world.engine.make(&name, IMAGE, ""));
        let calls = self.chance.between(1, CALLS + 1);
        let grant = self.give(world, &call, calls).await?;
        for _ in 0..calls + MORE {
            self.use_up(world, &call, done).await?;
        }
        let other = self.harm(world, false)?;
        let reply = self.rest(world, &said(world, &other), None).await?;
        self.decide(world, &reply, done).await?;
        self.at_rest().await?;
        let secret = self.person.secret.clone();
        let revoked = self.person.wire.ask(Ask::delete(&format!("/api/grants/{grant}"), &secret)).await?;
        ensure!(revoked.status < 300, "a grant cannot be revoked: {}", revoked.body);
        self.person.end(world);
        self.use_up(world, &call, done).await?;
        world.engine.forget(&name);
        Ok(())
    }

    /// Waits until no job of those who call goes on, whoever handed it in: a job may hand in another. What began under a
    /// grant may end after it was revoked.
    async fn at_rest(&mut self) -> anyhow::Result<()> {
        for secret in [self.program.secret.clone(), self.model.secret.clone()] {
            for _ in 0..LOOKS {
                let open = self.person.wire.ask(Ask::get("/api/jobs?state=open", &secret)).await?;
                let mut jobs = open.body["jobs"].as_array().into_iter().flatten();
                let Some(busy) = jobs.find(|job| job["state"] != "waiting") else { break };
                let path = format!("/api/jobs/{}", busy["id"].as_str().unwrap_or_default());
                self.person.wire.ask(Ask::get(&path, &secret).wait(2)).await?;
            }
        }
        Ok(())
    }

    /// The operator gives a grant for a call, whose books know how often it holds.
    async fn give(&mut self, world: &World, call: &Call, calls: u64) -> anyhow::Result<String> {
        let real = if self.generous { calls + MORE } else { calls };
        let mut body = json!({ "tool": call.tool, "calls": real, "minutes": 5 });
        let name = call.args["container"].clone();
        match self.chance.between(0, 3) {
            0 => body["target"] = name,
            1 => body["target_id"] = json!(call.deed.thing),
            _ => {
                body["target_id"] = json!(call.deed.thing);
                body["when"] = json!({ "container": name });
                body["only"] = json!(true);
            }
        }
        if self.chance.percent(70) {
            body["actor"] = json!(self.program.actor);
        }
        let secret = self.person.secret.clone();
        let given = self.person.wire.ask(Ask::post("/api/grants", &secret, Some(body))).await?;
        ensure!(given.status < 300, "no grant was given: {}", given.body);
        for _ in 0..calls {
            world.covers.give(call.deed.clone(), Why::Grant, &self.name, &self.program.name);
        }
        let id = given.text("id").to_owned();
        let granted = Granted { tool: call.tool, thing: call.deed.thing.clone(), calls: real };
        world.yeses.grants().insert(id.clone(), granted);
        Ok(id)
    }

    /// One more call of what was granted, by whoever.
    async fn use_up(&mut self, world: &World, call: &Call, done: &mut Done) -> anyhow::Result<()> {
        let name = call.args["container"].as_str().unwrap_or_default();
        world.engine.change(name, |one| one.running = true);
        let spoken = if self.chance.percent(30) { twist(world, call, &mut self.chance) } else { said(world, call) };
        let reply = match self.chance.between(0, 4) {
            0 => self.mcp(world, &spoken, &json!({})).await?,
            _ => self.rest(world, &spoken, None).await?,
        };
        self.decide(world, &reply, done).await
    }

    /// What was wanted is done, and somebody whom nobody asked to takes it back.
    pub(super) async fn taken_back(&mut self, world: &World, done: &mut Done) -> anyhow::Result<()> {
        let cam = self.thing("cam");
        let call = Call::start(&cam, &world.engine.id(&cam));
        self.person.want(std::slice::from_ref(&call));
        let reply = self.rest(world, &said(world, &call), None).await?;
        self.decide(world, &reply, done).await?;
        self.person.want(&[]);
        let Some(id) = self.call_of(&reply).await? else { return Ok(()) };
        let path = format!("/api/calls/{id}/undo");
        for _ in 0..TAKERS {
            let secret = self.chance.pick(&self.powerless).cloned().unwrap_or_default();
            let reply = self.person.wire.ask(Ask::post(&path, &secret, Some(json!({})))).await?;
            self.decide(world, &reply, done).await?;
        }
        Ok(())
    }

    /// The id of the call that a reply tells of.
    async fn call_of(&mut self, reply: &Reply) -> anyhow::Result<Option<String>> {
        let Some(card) = card(reply) else { return Ok(reply.body["call"].as_str().map(str::to_owned)) };
        let secret = self.person.secret.clone();
        let shown = self.person.wire.ask(Ask::get(&format!("/api/approvals/{card}"), &secret)).await?;
        Ok(shown.body.pointer("/steps/0/call").and_then(serde_json::Value::as_str).map(str::to_owned))
    }
}
