//! Jobs as they were handed in, and what was told of them.
//!
//! Each has a name of its own: the text that it echoes, or the path of the file to which it appends a line. A job that
//! writes has an effect of this path in the ledger, which is held to the same promises as any other.

use serde_json::{Value, json};

use super::ledger::{Effect, Open, Sent, State};
use crate::chance::Chance;
use crate::report::{Kind, Violation};
use crate::wire::Reply;

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Only says something.
    Echo,
    /// Writes a file.
    Write,
    /// Writes one for which a person is asked.
    Ask,
}

/// One job.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) name: String,
    pub(crate) work: Work,
    /// Which token hands it in.
    pub(crate) actor: usize,
    pub(crate) key: Option<String>,
    /// How often it was handed in.
    pub(crate) tries: u32,
    /// The id that was told.
    pub(crate) id: Option<String>,
    /// The end that was told.
    pub(crate) end: Option<String>,
    /// Whether it has changed, or not ended, since it was last compared.
    pub(crate) fresh: bool,
}

impl Job {
    /// What is handed in.
    pub(crate) fn body(&self) -> Value {
        let (tool, args) = match self.work {
            Work::Echo => ("echo", json!({ "text": self.name })),
            Work::Write | Work::Ask => ("file_write", Effect::of(&self.name, self.actor, None).args()),
        };
        match &self.key {
            Some(key) => json!({ "tool": tool, "args": args, "key": key }),
            None => json!({ "tool": tool, "args": args }),
        }
    }
}

/// Whether nothing more happens to a job in this state.
pub(crate) fn is_end(state: &str) -> bool {
    matches!(state, "done" | "failed" | "cancelled" | "unknown")
}

impl State {
    /// A new job of an actor.
    pub(crate) fn make_job(&mut self, actor: usize, work: Work, keyed: bool) -> String {
        let number = self.number();
        let name = match work {
            Work::Echo => format!("said-{number:06}"),
            Work::Write => format!("{}job-{number:06}", self.folder),
            Work::Ask => format!("{}asked-job-{number:06}", self.folder),
        };
        let key = keyed.then(|| format!("key of {name}"));
        if work != Work::Echo {
            self.effects.insert(name.clone(), Effect::of(&name, actor, None));
        }
        let job = Job { name: name.clone(), work, actor, key, tries: 0, id: None, end: None, fresh: true };
        self.jobs.insert(name.clone(), job);
        name
    }

    /// A job that is about to be handed in.
    pub(crate) fn sent_job(&mut self, name: &str) -> Option<Job> {
        let job = self.jobs.get_mut(name)?;
        job.tries += 1;
        job.fresh = true;
        if let Some(effect) = self.effects.get_mut(name) {
            effect.fresh = true;
        }
        Some(job.clone())
    }

    /// Its answer never came. With a key it is handed in again, until one does.
    pub(crate) fn cut_job(&mut self, name: &str) {
        self.count.cut += 1;
        if self.jobs.get(name).is_some_and(|job| job.key.is_some()) {
            self.jobs_again.push(name.to_owned());
        }
    }

    /// A job that is to be handed in again.
    pub(crate) fn take_job_again(&mut self, chance: &mut Chance) -> Option<String> {
        chance.take(&mut self.jobs_again)
    }

    /// A job that is to be looked at.
    pub(crate) fn take_watched(&mut self, chance: &mut Chance) -> Option<Job> {
        let name = chance.take(&mut self.watched)?;
        self.jobs.get(&name).cloned()
    }

    /// A submission was answered. Some are handed in again, to see that they are the same job.
    pub(crate) fn told_job(&mut self, was: &Job, reply: &Reply, sent: Sent, chance: &mut Chance) {
        let name = was.name.as_str();
        if self.may_refuse && reply.status == 503 {
            self.note_unkept(reply);
            return self.cut_job(name);
        }
        let repeated = was.tries > 1;
        if self.dead && repeated {
            return self.cut_job(name);
        }
        if !(reply.status == 202 || reply.status == 200 && repeated) {
            return self.told_no(reply, &format!("the job {name}"));
        }
        let id = reply.text("id").to_owned();
        let Some(job) = self.jobs.get_mut(name) else { return };
        let (keyed, before) = (job.key.is_some(), job.id.replace(id.clone()));
        self.same(&before, &id, name);
        if !repeated {
            self.acknowledged(sent, false, name);
        }
        self.acknowledge(repeated, |count| &mut count.jobs);
        self.note_job(was, reply, chance);
        if before.is_none() && chance.percent(50) {
            self.watched.push(name.to_owned());
        }
        if keyed && chance.percent(15) {
            self.jobs_again.push(name.to_owned());
        }
    }

    /// Somebody looked at a job.
    pub(crate) fn told_look(&mut self, job: &Job, reply: &Reply, chance: &mut Chance) {
        if self.may_refuse && reply.status == 503 {
            self.note_unkept(reply);
            return self.watched.push(job.name.clone());
        }
        if self.dead {
            return self.watched.push(job.name.clone());
        }
        if reply.status != 200 || job.id.as_deref() != Some(reply.text("id")) {
            let what = format!("{:?} was told for {}; now: {} {}", job.id, job.name, reply.status, reply.body);
            return self.wrong.push(Violation::new(Kind::LostJob, what));
        }
        self.count.looks += 1;
        self.note_job(job, reply, chance);
        if !is_end(reply.text("state")) {
            self.watched.push(job.name.clone());
        }
    }

    /// Takes in what an answer says of a job, which was asked for when it stood as it `was`: its end holds from then on,
    /// and its card can be decided.
    fn note_job(&mut self, was: &Job, reply: &Reply, chance: &mut Chance) {
        let (name, state) = (was.name.as_str(), reply.text("state"));
        if let Some(end) = was.end.as_deref().filter(|end| *end != state) {
            let what = format!("{name} was told as {end} and later as {state}");
            self.wrong.push(Violation::new(Kind::LostJob, what));
        }
        let Some(job) = self.jobs.get_mut(name) else { return };
        job.fresh = true;
        if is_end(state) {
            job.end = Some(state.to_owned());
        }
        let call = reply.body.pointer("/answer/call").and_then(Value::as_str).filter(|_| state == "done");
        let card = reply.text("approval");
        let Some(effect) = self.effects.get_mut(name) else { return };
        effect.fresh = true;
        effect.done = effect.done.take().or_else(|| call.map(str::to_owned));
        if effect.card.is_none() && state == "waiting" && !card.is_empty() {
            effect.card = Some(card.to_owned());
            self.open.push(Open { card: card.to_owned(), path: name.to_owned(), yes: chance.percent(80) });
        }
    }
}
