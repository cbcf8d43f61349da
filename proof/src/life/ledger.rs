//! What the clients asked for and what they were told: the other side of the audit.
//!
//! Every effect has a path of its own and *appends* one line to it, so the file itself counts: an effect that happened
//! twice stands there twice.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::job::Job;
use crate::chance::Chance;
use crate::report::{Kind, Violation};
use crate::wire::Reply;

/// One write of one file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Effect {
    /// Relative to the file tools' own root, or whole.
    pub(crate) path: String,
    pub(crate) content: String,
    /// Which token asks.
    pub(crate) actor: usize,
    pub(crate) key: Option<String>,
    /// How often it was sent.
    pub(crate) tries: u32,
    /// Call that was told as done.
    pub(crate) done: Option<String>,
    /// Call that was told as not done.
    pub(crate) failed: Option<String>,
    /// Card that was told as waiting.
    pub(crate) card: Option<String>,
    /// What was told to be decided.
    pub(crate) decided: Option<bool>,
    /// Whether it has changed since it was last compared.
    pub(crate) fresh: bool,
}

impl Effect {
    pub(crate) fn of(path: &str, actor: usize, key: Option<String>) -> Self {
        let content = format!("{path} was here\n");
        Self { path: path.to_owned(), content, actor, key, fresh: true, ..Self::default() }
    }

    /// What `file_write` is called with.
    pub(crate) fn args(&self) -> Value {
        json!({ "path": self.path, "content": self.content, "append": true })
    }

    /// The call of `file_write` itself.
    pub(crate) fn body(&self) -> Value {
        match &self.key {
            Some(key) => json!({ "tool": "file_write", "args": self.args(), "key": key }),
            None => json!({ "tool": "file_write", "args": self.args() }),
        }
    }

    /// Whether the policy makes it ask.
    pub(crate) fn asks(&self) -> bool {
        self.path.rsplit('/').next().is_some_and(|name| name.starts_with("asked-"))
    }
}

/// An answer behind which there is one row.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// The call; empty for a refusal, which has none.
    pub(crate) call: String,
    pub(crate) correlation: String,
    pub(crate) at: Instant,
}

impl Told {
    fn of(reply: &Reply) -> Self {
        Self { call: reply.text("call").to_owned(), correlation: reply.correlation.clone(), at: Instant::now() }
    }
}

/// A time in which the disk fails or is slow: what is asked and answered within it cannot have been kept, or not so soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outage {
    /// Tells it from others.
    pub(crate) number: u64,
    /// Whether it holds for reads too.
    pub(crate) reads: bool,
    /// What is kept takes at least so long.
    pub(crate) least: Duration,
}

/// Whether an approval holds no more.
fn is_stale(reply: &Reply) -> bool {
    reply.text("code") == "approval_stale"
}

/// Whether the program gives a failing disk as its reason; or that at its start it could not read its policy.
pub(crate) fn blames_disk(reason: &str) -> bool {
    ["(os error ", "policy.toml cannot be read"].iter().any(|words| reason.contains(words))
}

/// When something was sent, and in which outage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    at: Instant,
    outage: Option<Outage>,
}

/// A card that waits for its decision, and what will be decided.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub(crate) card: String,
    pub(crate) path: String,
    pub(crate) yes: bool,
}

/// How much was acknowledged.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Count {
    pub(crate) greens: u64,
    pub(crate) effects: u64,
    pub(crate) cards: u64,
    pub(crate) decisions: u64,
    pub(crate) refusals: u64,
    /// Jobs that were handed in.
    pub(crate) jobs: u64,
    /// Looks at jobs.
    pub(crate) looks: u64,
    /// Answers to a key that had been sent before.
    pub(crate) again: u64,
    /// Requests that were cut off before their answer.
    pub(crate) cut: u64,
}

impl Count {
    /// Everything that was acknowledged.
    pub(crate) const fn acks(&self) -> u64 {
        self.greens + self.effects + self.cards + self.decisions + self.refusals + self.jobs + self.looks + self.again
    }

    pub(crate) const fn add(&mut self, other: Self) {
        self.greens += other.greens;
        self.effects += other.effects;
        self.cards += other.cards;
        self.decisions += other.decisions;
        self.refusals += other.refusals;
        self.jobs += other.jobs;
        self.looks += other.looks;
        self.again += other.again;
        self.cut += other.cut;
    }
}

/// Everything about one data directory.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Green calls that were answered.
    pub(crate) greens: Vec<Told>,
    /// Refusals that were answered.
    pub(crate) refusals: Vec<Told>,
    pub(crate) effects: BTreeMap<String, Effect>,
    /// Paths of effects with a key that are to be sent again.
    pub(crate) again: Vec<String>,
    pub(crate) open: Vec<Open>,
    pub(crate) jobs: BTreeMap<String, Job>,
    /// Names of jobs with a key that are to be handed in again.
    pub(crate) jobs_again: Vec<String>,
    /// Names of jobs that are to be looked at.
    pub(crate) watched: Vec<String>,
    /// Answers that may not be given.
    pub(crate) wrong: Vec<Violation>,
    pub(crate) count: Count,
    /// Whether the program was asked to end, or its disk is gone: it may say no then.
    pub(crate) may_refuse: bool,
    /// Whether the power is gone. Nobody hears what is said from then on: a kernel that is told to stop writing in the
    /// middle of an fsync may still call it a success. What the program then takes for kept it tells whoever asks for it
    /// again, so only answers to something new are of interest.
    pub(crate) dead: bool,
    /// What is wrong with the disk, as far as it is known exactly.
    pub(crate) outage: Option<Outage>,
    /// Answers in which the program said no because of its disk, and what the last one said.
    pub(crate) unkept: (u64, String),
    /// Folder of all effects, with `/` at its end; empty for the file tools' own root.
    pub(crate) folder: String,
    /// Whether several replicas serve: what one of them has begun and not ended can be asked for at another.
    pub(crate) shared: bool,
    /// Whether the clients are to end.
    pub(crate) resting: bool,
    made: u64,
}

/// The ledger, as the clients share it.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<State>);

impl Ledger {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A new effect of an actor.
    pub(crate) fn make(&mut self, actor: usize, asks: bool, keyed: bool) -> String {
        let number = self.number();
        let path = format!("{}{}{number:06}", self.folder, if asks { "asked-" } else { "made-" });
        let key = keyed.then(|| format!("key of {path}"));
        self.effects.insert(path.clone(), Effect::of(&path, actor, key));
        path
    }

    /// A number that nothing else of this directory has.
    pub(crate) const fn number(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    /// Everything that came back, be it that nothing did.
    pub(crate) const fn answers(&self) -> u64 {
        self.count.acks() + self.count.cut + self.unkept.0
    }

    /// Something is sent now.
    pub(crate) fn now(&self) -> Sent {
        Sent { at: Instant::now(), outage: self.outage }
    }

    /// Whether nobody hears the answer to what was sent then.
    pub(crate) const fn is_unheard(&self, sent: Sent) -> bool {
        self.dead && sent.outage.is_none()
    }

    /// Something was acknowledged; within an outage that is too early.
    pub(crate) fn acknowledged(&mut self, sent: Sent, read: bool, what: &str) {
        let Some(outage) = sent.outage.filter(|outage| self.outage == Some(*outage) && (!read || outage.reads)) else {
            return;
        };
        let took = sent.at.elapsed();
        if took < outage.least {
            let what = format!("{what} was acknowledged after {} ms, while nothing could be kept", took.as_millis());
            self.wrong.push(Violation::new(Kind::EarlyAck, what));
        }
    }

    /// An effect that is about to be sent.
    pub(crate) fn sent(&mut self, path: &str) -> Option<Effect> {
        let effect = self.effects.get_mut(path)?;
        effect.tries += 1;
        effect.fresh = true;
        Some(effect.clone())
    }

    /// Its answer never came, or said that nobody knows. With a key it is sent again, until one does.
    pub(crate) fn cut(&mut self, path: &str) {
        self.count.cut += 1;
        if self.effects.get(path).is_some_and(|effect| effect.key.is_some()) {
            self.again.push(path.to_owned());
        }
    }

    /// One that is to be sent again.
    pub(crate) fn take_again(&mut self, chance: &mut Chance) -> Option<String> {
        chance.take(&mut self.again)
    }

    /// A card that is to be decided.
    pub(crate) fn take_open(&mut self, chance: &mut Chance) -> Option<Open> {
        chance.take(&mut self.open)
    }

    pub(crate) fn complain(&mut self, what: String) {
        self.wrong.push(Violation::new(Kind::WrongAnswer, what));
    }

    /// A green call was answered.
    pub(crate) fn told_green(&mut self, reply: &Reply, sent: Sent) {
        if reply.status == 200 && (reply.text("state") == "done" || self.may_refuse) {
            self.acknowledged(sent, true, "a read");
            self.count.greens += 1;
            self.greens.push(Told::of(reply));
        } else {
            self.told_no(reply, "a green call");
        }
    }

    /// An effect was answered. Some are asked for again, to see that the same answer comes.
    pub(crate) fn told_effect(&mut self, path: &str, reply: &Reply, sent: Sent, chance: &mut Chance) {
        let Some(mut effect) = self.effects.get(path).cloned() else { return };
        let call = reply.text("call").to_owned();
        let repeated = effect.tries > 1;
        if self.dead && repeated {
            return self.cut(path);
        }
        // What was recorded before can be told at any time.
        if !repeated && reply.status < 300 && reply.text("state") != "unknown" {
            self.acknowledged(sent, false, path);
        }
        match (reply.status, reply.text("state")) {
            (200, "done") => {
                self.same(&effect.done, &call, path);
                self.acknowledge(repeated, |count| &mut count.effects);
                effect.done = Some(call);
            }
            // Cut off before, and seen not to be there; or the program ends and takes nothing new on.
            (200, "failed" | "cancelled") if (repeated || self.may_refuse) && effect.done.is_none() => {
                self.same(&effect.failed, &call, path);
                self.acknowledge(repeated, |count| &mut count.effects);
                effect.failed = Some(call);
            }
            (202, _) if effect.asks() => {
                let card = reply.text("approval").to_owned();
                self.same(&effect.card, &card, path);
                self.acknowledge(repeated, |count| &mut count.cards);
                if effect.card.is_none() {
                    self.open.push(Open { card: card.clone(), path: path.to_owned(), yes: chance.percent(80) });
                }
                effect.card = Some(card);
            }
            (403, _) if reply.text("code") == "denied" && effect.card.is_some() && repeated => {
                self.count.refusals += 1;
                self.refusals.push(Told::of(reply));
            }
            // Approved, and voided because the disk failed just then; whether it was is looked at in its card.
            (409, _) if is_stale(reply) && blames_disk(reply.text("detail")) && effect.card.is_some() && repeated => {
                self.count.refusals += 1;
                self.refusals.push(Told::of(reply));
            }
            (429, _) if effect.asks() => {
                // Nothing was kept of it, so its key is free.
                self.count.refusals += 1;
                self.refusals.push(Told::of(reply));
            }
            // Its first answer never came, and whoever began it has not ended it.
            (409, _) if self.shared && repeated && reply.text("code") == "already_decided" => return self.cut(path),
            // Nobody knows: it was not acknowledged, and is asked for again like one whose answer never came.
            (503, _) | (200, "unknown") if self.may_refuse => {
                self.note_unkept(reply);
                return self.cut(path);
            }
            _ => self.told_no(reply, path),
        }
        if effect.key.is_some() && reply.status < 300 && chance.percent(15) {
            self.again.push(path.to_owned());
        }
        self.effects.insert(path.to_owned(), effect);
    }

    /// A decision was answered.
    pub(crate) fn told_decision(&mut self, open: &Open, reply: &Reply, sent: Sent) {
        // Already decided: by the same hand, whose answer was cut off.
        let before = reply.status == 409 && reply.text("code") == "already_decided";
        if self.may_refuse && reply.status == 503 {
            self.note_unkept(reply);
            return self.open.push(open.clone());
        }
        if self.dead && before {
            return self.open.push(open.clone());
        }
        if reply.status != 200 && !before {
            return self.told_no(reply, &format!("the decision about {}", open.card));
        }
        if !before {
            self.acknowledged(sent, false, "a decision");
        }
        self.count.decisions += 1;
        let ran = reply.body.pointer("/steps/0/answer/call").and_then(Value::as_str);
        let ran = ran.filter(|_| reply.text("state") == "done");
        if let Some(effect) = self.effects.get_mut(&open.path) {
            effect.decided = Some(open.yes);
            effect.card.get_or_insert_with(|| open.card.clone());
            effect.done = effect.done.take().or_else(|| ran.map(str::to_owned));
            effect.fresh = true;
        }
    }

    /// Something was refused that had to be.
    pub(crate) fn told_refusal(&mut self, reply: &Reply, sent: Sent) {
        if reply.status == 404 && reply.text("code") == "unknown_tool" {
            self.acknowledged(sent, true, "a refusal");
            self.count.refusals += 1;
            self.refusals.push(Told::of(reply));
        } else {
            self.told_no(reply, "a tool that does not exist");
        }
    }

    /// An answer that is none of those that were expected.
    pub(crate) fn told_no(&mut self, reply: &Reply, about: &str) {
        if self.may_refuse && (reply.status == 503 || reply.text("code") == "policy_unreadable") {
            return self.note_unkept(reply);
        }
        self.complain(format!("{about} was answered with {} {}", reply.status, reply.body));
    }

    pub(crate) fn note_unkept(&mut self, reply: &Reply) {
        if reply.text("code") == "store_unavailable" {
            self.unkept = (self.unkept.0 + 1, reply.text("detail").to_owned());
        }
    }

    pub(crate) fn same(&mut self, before: &Option<String>, now: &str, path: &str) {
        if let Some(before) = before.as_deref().filter(|before| *before != now) {
            let what = format!("{path} was answered as {before} and, asked again with the same key, as {now}");
            self.wrong.push(Violation::new(Kind::DoubleEffect, what));
        }
    }

    pub(crate) fn acknowledge(&mut self, repeated: bool, first: impl FnOnce(&mut Count) -> &mut u64) {
        *(if repeated { &mut self.count.again } else { first(&mut self.count) }) += 1;
    }
}
