//! A turn: a person says something, a model asks for a look and then for two writes, one of them waits for a person, and
//! at last the model tells what came of it.

mod book;
mod check;
mod log;
pub(super) mod sabotage;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use self::book::Held;
use super::model::{Model, words};
use super::{PAUSE, decide};
use crate::life::Life;
use crate::life::ledger::Open;
use crate::life::load::{Client, Cut};
use crate::report::{Kind, Violation};
use crate::wire::{Ask, Reply, Wire};

/// Longest that a turn may take, beside what a person takes.
const TURN: Duration = Duration::from_secs(60);
/// What a stranger adds to a file.
const MARK: &str = "somebody else was here\n";

/// One turn, as it was told.
pub(super) struct Telling {
    model: Arc<Model>,
    words: String,
    /// The file that is written unasked, and the one for which a person is asked.
    paths: [String; 2],
    id: Option<String>,
    /// The turn as it was answered last.
    told: Option<Value>,
    /// The same, before the kill.
    before: Option<Value>,
    /// What the kill left.
    left: Held,
    /// Calls in whose files a stranger wrote before the outcome was recorded.
    disturbed: Vec<String>,
    /// Answers about the turn.
    pub(super) acks: u64,
}

impl Telling {
    pub(super) fn new(life: &Life, model: Arc<Model>, number: u64) -> Self {
        let mut state = life.ledger.state();
        let paths = [false, true].map(|asks| state.make(0, asks, false));
        let [made, asked] = &paths;
        let words = words(number, made, asked);
        let (left, disturbed) = (Held::default(), Vec::new());
        Self { model, words, paths, id: None, told: None, before: None, left, disturbed, acks: 0 }
    }

    /// Says it, and goes on to its end.
    pub(super) async fn script(&mut self, life: &Life, client: &mut Client, wire: &mut Wire) -> Result<(), Cut> {
        self.say(life, client, wire).await?;
        self.follow(life, client, wire).await
    }

    async fn say(&mut self, life: &Life, client: &mut Client, wire: &mut Wire) -> Result<(), Cut> {
        let ask = Ask::post("/api/say", &life.people.operator, Some(json!({ "text": self.words })));
        // Half of those who say something wait until there is something to decide.
        let wait = if client.chance.percent(50) { 20 } else { 0 };
        let reply = wire.ask(ask.wait(wait)).await.map_err(|_| Cut)?;
        if matches!(reply.status, 200 | 202) {
            self.note(life, &reply);
        } else {
            life.ledger.state().told_no(&reply, "what was said");
        }
        Ok(())
    }

    /// Looks at the turn until it has ended, and decides what it waits for.
    async fn follow(&mut self, life: &Life, client: &mut Client, wire: &mut Wire) -> Result<(), Cut> {
        let Some(path) = self.id.as_ref().map(|id| format!("/api/turns/{id}")) else { return Ok(()) };
        let begun = Instant::now();
        while begun.elapsed() < TURN {
            decide(life, client, wire).await?;
            let reply = wire.ask(Ask::get(&path, &life.people.operator)).await.map_err(|_| Cut)?;
            if !self.note(life, &reply) || matches!(reply.text("state"), "done" | "stopped" | "failed") {
                return Ok(());
            }
            // Words that are shown before they are whole are kept: whatever comes now comes after that.
            if last_entry(&reply.body).is_some_and(|entry| entry.get("kind") == Some(&"said".into())) {
                self.model.breathe(&self.words);
            }
            sleep(PAUSE).await;
        }
        let what = format!("{} has not ended in {} s: {:?}", self.words, TURN.as_secs(), self.told);
        life.ledger.state().wrong.push(Violation::new(Kind::LostTurn, what));
        Ok(())
    }

    /// Takes in what an answer says of the turn; false if it is about no such turn.
    fn note(&mut self, life: &Life, reply: &Reply) -> bool {
        let (id, known) = (reply.text("id"), self.id.clone());
        if id.is_empty() || known.is_some_and(|known| known != id) || !matches!(reply.status, 200 | 202) {
            let what = format!("{:?} was told for `{}`; now: {} {}", self.id, self.words, reply.status, reply.body);
            life.ledger.state().wrong.push(Violation::new(Kind::LostTurn, what));
            return false;
        }
        self.acks += 1;
        self.learn(life, id);
        let entries = reply.body.get("entries").and_then(Value::as_array);
        for call in entries.into_iter().flatten() {
            let path = call.pointer("/args/path").and_then(Value::as_str);
            let of = |name: &str| call.pointer(&format!("/answer/{name}")).and_then(Value::as_str).map(str::to_owned);
            let mut state = life.ledger.state();
            let Some(effect) = path.and_then(|path| state.effects.get_mut(path)) else { continue };
            match of("state").as_deref() {
                Some("done") => effect.done = of("call"),
                Some("failed") => effect.failed = of("call"),
                Some("waiting") if effect.card.is_none() => {
                    let (card, path) = (of("approval").unwrap_or_default(), effect.path.clone());
                    effect.card = Some(card.clone());
                    state.open.push(Open { card, path, yes: true });
                }
                _ => {}
            }
        }
        self.told = Some(reply.body.clone());
        true
    }

    /// The turn has this id. Its calls carry keys that are made of it.
    fn learn(&mut self, life: &Life, id: &str) {
        self.id = Some(id.to_owned());
        for (path, index) in self.paths.iter().zip(1..) {
            if let Some(effect) = life.ledger.state().effects.get_mut(path) {
                effect.key = Some(format!("turn:{id}:{index}"));
            }
        }
    }

    /// The program is dead. Sees what it has left, and writes into files of which nobody recorded what came, if that is
    /// wanted: who then looks at the file alone cannot tell.
    pub(super) async fn bury(&mut self, life: &Life, disturb: bool) -> anyhow::Result<()> {
        self.left = book::left(&life.house.data).await?;
        self.before = self.told.take();
        self.model.next_life(&self.words);
        for doubt in self.left.doubts.iter().filter(|_| disturb) {
            let file = life.house.data.join("files").join(&doubt.path);
            if file.exists() {
                let there = std::fs::read_to_string(&file)?;
                std::fs::write(&file, there + MARK)?;
                self.disturbed.push(doubt.call.clone());
            }
        }
        Ok(())
    }

    /// Whether the kill cut off words that were kept.
    pub(super) fn broke_off(&self) -> bool {
        let log = self.left.turns.first().map_or(&[][..], |turn| turn.log.as_slice());
        log.last().is_some_and(|entry| entry.kind == "partial")
    }

    /// The program runs again: the turn goes on by itself, and what waits is decided. What was cut off before it was
    /// kept is said again.
    pub(super) async fn resume(&mut self, life: &Life, client: &mut Client, wire: &mut Wire) -> anyhow::Result<()> {
        let kept = self.left.turns.first().map(|turn| turn.id.clone());
        let gone_on = if self.id.is_some() || kept.is_some() {
            if let Some(id) = kept.filter(|_| self.id.is_none()) {
                self.learn(life, &id);
            }
            self.follow(life, client, wire).await
        } else {
            self.script(life, client, wire).await
        };
        if gone_on.is_err() {
            let what = "the connection broke while nobody killed the program".to_owned();
            life.ledger.state().complain(what);
        }
        for path in &self.paths {
            let file = life.house.data.join("files").join(path);
            if let Ok(there) = std::fs::read_to_string(&file)
                && !self.disturbed.is_empty()
            {
                std::fs::write(&file, there.replace(MARK, ""))?;
            }
        }
        Ok(())
    }
}

fn last_entry(turn: &Value) -> Option<&Value> {
    turn.get("entries").and_then(Value::as_array)?.last()
}
