//! The person: says what is to be done, and says yes to exactly that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::ensure;
use serde_json::{Value, json};

use super::World;
use super::call::{Call, Tier};
use super::ledger::{Why, now};
use super::mouth::Script;
use crate::wire::{Ask, Wire};

/// Longest wait for a turn, in seconds.
const WAIT: u32 = 50;

/// A grant: for which tool and thing, and how often.
#[derive(Debug, Clone)]
pub(crate) struct Granted {
    pub(crate) tool: &'static str,
    pub(crate) thing: String,
    pub(crate) calls: u64,
}

/// Every yes that was said: the steps of its card, by its id; and every grant that was given, by its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Yeses {
    cards: Arc<Mutex<HashMap<String, Vec<Value>>>>,
    grants: Arc<Mutex<HashMap<String, Granted>>>,
}

impl Yeses {
    pub(crate) fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Value>>> {
        self.cards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn grants(&self) -> MutexGuard<'_, HashMap<String, Granted>> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a card was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decided {
    Yes,
    No,
}

/// One who talks, over a connection of his own.
pub(crate) struct Person {
    pub(crate) wire: Wire,
    /// Name of what is his, and of nobody else.
    pub(crate) bay: String,
    pub(crate) secret: String,
    /// What he wants and did not get yet, this turn.
    wants: Vec<Call>,
    /// Files that were laid for this turn, with their texts.
    pub(crate) laid: Vec<(String, String)>,
    /// Says yes to everything.
    pub(crate) careless: bool,
}

/// How a turn went.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turned {
    pub(crate) conversation: String,
    /// What the program calls the request in its audit.
    pub(crate) correlation: String,
    /// How it ended.
    pub(crate) state: String,
    /// How much of what was wanted was done.
    pub(crate) done: u64,
    /// How much was wanted.
    pub(crate) wanted: u64,
    /// Cards that were put up.
    pub(crate) cards: u64,
}

impl Person {
    pub(crate) async fn new(host: &str, bay: String, secret: String) -> anyhow::Result<Self> {
        Ok(Self { wire: Wire::connect(host).await?, bay, secret, wants: Vec::new(), laid: Vec::new(), careless: false })
    }

    /// From now on this is wanted, each thing once.
    pub(crate) fn want(&mut self, wants: &[Call]) {
        self.wants = wants.to_vec();
    }

    /// Says something and sees it through to its end.
    pub(crate) async fn say(
        &mut self,
        world: &World,
        words: &str,
        wants: &[Call],
        script: Script,
        conversation: Option<&str>,
    ) -> anyhow::Result<Turned> {
        let turned = self.talk(world, words, wants, script, conversation).await?;
        self.end(world);
        Ok(turned)
    }

    /// The same, and what was covered for it is not over yet.
    pub(crate) async fn talk(
        &mut self,
        world: &World,
        words: &str,
        wants: &[Call],
        script: Script,
        conversation: Option<&str>,
    ) -> anyhow::Result<Turned> {
        world.mouth.learn(words, script);
        self.want(wants);
        for call in wants.iter().filter(|call| world.may_words(call.tier)) {
            world.covers.give(call.deed.clone(), Why::Words, &self.bay, "operator");
        }
        let since = now();
        let mut body = json!({ "text": words });
        if let Some(conversation) = conversation {
            body["conversation"] = json!(conversation);
        }
        let secret = self.secret.clone();
        let said = self.wire.ask(Ask::post("/api/say", &secret, Some(body)).wait(WAIT)).await?;
        let mut turned =
            Turned { wanted: wants.len() as u64, correlation: said.correlation.clone(), ..Turned::default() };
        let mut turn = said.body;
        let (mut decided, path) = (Vec::new(), format!("/api/turns/{}", turn["id"].as_str().unwrap_or_default()));
        while ["waiting", "running"].iter().any(|state| turn["state"] == *state) {
            for card in waiting(&turn) {
                if !decided.contains(&card) {
                    turned.cards += 1;
                    self.decide(world, &card).await?;
                    decided.push(card);
                }
            }
            turn = self.settled(&path).await?;
        }
        let ended = ["done", "failed", "stopped"].iter().any(|state| turn["state"] == *state);
        ensure!(ended, "`{words}` did not end: {turn}");
        turned.conversation = turn["conversation"].as_str().unwrap_or_default().to_owned();
        turned.state = turn["state"].as_str().unwrap_or_default().to_owned();
        turned.done = wants.iter().filter(|call| world.is_done(call, since)).count() as u64;
        Ok(turned)
    }

    /// Looks at all open cards that are about this bay, as those of jobs are: nothing of them is wanted any more.
    pub(crate) async fn refuse_rest(&mut self, world: &World) -> anyhow::Result<u64> {
        let secret = self.secret.clone();
        let open = self.wire.ask(Ask::get("/api/approvals?state=pending&limit=200", &secret)).await?.body;
        let name = |end: &str| format!("{}{end}", self.bay);
        let ours = [name("-"), name("/"), name("n")];
        let cards = open["approvals"].as_array().into_iter().flatten();
        let cards: Vec<_> = cards
            .filter(|card| {
                let steps = card["steps"].to_string();
                ours.iter().any(|name| steps.contains(name.as_str()))
            })
            .filter_map(|card| card["id"].as_str().map(str::to_owned))
            .collect();
        self.want(&[]);
        for card in &cards {
            self.decide(world, card).await?;
        }
        Ok(cards.len() as u64)
    }

    /// Lays a file that this turn may change.
    pub(crate) fn lay(&mut self, world: &World, path: &str, text: &str) -> anyhow::Result<()> {
        world.lay(path, text)?;
        self.laid.push((path.to_owned(), text.to_owned()));
        Ok(())
    }

    /// A turn is over: what was covered for it is, too.
    pub(crate) fn end(&mut self, world: &World) {
        world.see(&std::mem::take(&mut self.laid));
        world.covers.end(&self.bay);
    }

    /// A turn once it moves on after a decision.
    async fn settled(&mut self, path: &str) -> anyhow::Result<Value> {
        let secret = self.secret.clone();
        Ok(self.wire.ask(Ask::get(path, &secret).wait(WAIT)).await?.body)
    }

    /// Looks at a card, and says yes if all of it is wanted.
    pub(crate) async fn decide(&mut self, world: &World, card: &str) -> anyhow::Result<Decided> {
        let secret = self.secret.clone();
        let path = format!("/api/approvals/{card}");
        // Who wants nothing need not look.
        let looks = self.careless || !self.wants.is_empty();
        let shown = if looks { self.wire.ask(Ask::get(&path, &secret)).await?.body } else { Value::Null };
        let steps: Vec<Value> =
            shown["steps"].as_array().into_iter().flatten().map(|step| step["preview"].clone()).collect();
        let mut left = self.wants.clone();
        let wanted: Vec<_> = steps
            .iter()
            .map(|step| left.iter().position(|call| call.is(step)).map(|place| left.swap_remove(place)))
            .collect();
        if wanted.iter().all(Option::is_none) && !self.careless {
            let path = format!("{path}/deny");
            self.wire.ask(Ask::post(&path, &secret, Some(json!({ "because": "not asked for" })))).await?;
            return Ok(Decided::No);
        }
        // Only what was wanted is covered, whatever a careless person says.
        for call in wanted.iter().flatten() {
            for deed in std::iter::once(&call.deed).chain(&call.before) {
                world.covers.give(deed.clone(), Why::Approval, &self.bay, "operator");
            }
        }
        self.wants = left;
        world.yeses.lock().insert(card.to_owned(), steps);
        let unwanted = wanted.iter().zip(1_u64..).filter(|(call, _)| call.is_none()).map(|(_, number)| number);
        let without: Vec<_> = unwanted.filter(|_| !self.careless).collect();
        let path = format!("{path}/approve");
        self.wire.ask(Ask::post(&path, &secret, Some(json!({ "without": without }))).wait(WAIT)).await?;
        Ok(Decided::Yes)
    }
}

/// Cards that a turn waits for.
fn waiting(turn: &Value) -> Vec<String> {
    let answers = turn["entries"].as_array().into_iter().flatten().map(|entry| &entry["answer"]);
    let open = answers.filter(|answer| answer["state"] == "waiting");
    let mut cards: Vec<_> = open.filter_map(|answer| answer["approval"].as_str().map(str::to_owned)).collect();
    cards.dedup();
    cards
}

/// Whether the words of a person alone are enough, at a level.
pub(crate) fn may_words(level: u8, tier: Tier) -> bool {
    tier == Tier::Green || (tier == Tier::Yellow && level >= 2)
}
