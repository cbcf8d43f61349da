//! Comparing what was told with what is there.
//!
//! A call is begun at most once, whatever happened; what is recorded of it is what its file shows; what was told holds.
//! An effect that was cut off may be recorded as not done (its file is then not there) or as in doubt, which is counted.

use std::path::Path;
use std::time::{Duration, Instant};

use super::job::{Job, Work, is_end};
use super::ledger::{Effect, State, Told, blames_disk};
use super::seen::Seen;
use crate::book::JobRow;
use crate::report::{Kind, Violation};

/// Compares one data directory.
pub(crate) struct Check<'a> {
    pub(crate) data: &'a Path,
    pub(crate) seen: &'a Seen,
    pub(crate) found: Vec<Violation>,
    /// Effects of which nobody could tell whether they happened.
    pub(crate) doubts: u64,
    /// Effects that were begun and cut off before anything happened.
    pub(crate) stopped: u64,
    /// Approvals that the program voided because the disk failed under the target or the policy when it looked at them
    /// again. They are told as such, with a reason. A store that is away is no such reason.
    pub(crate) voided: u64,
    /// Jobs that were given up, because the program was killed under them again and again or because nothing could be
    /// kept; they are told as unknown.
    pub(crate) given_up: u64,
    /// Jobs that ended without their call: a person said no, or too many questions were open.
    pub(crate) turned_down: u64,
    /// Whether the disk, or the database, may have failed for a long time.
    pub(crate) disk_failed: bool,
    /// When the power was cut, if reads may be lost that were told shortly before.
    pub(crate) cut: Option<Instant>,
    /// Reads that were, and how long before the cut the earliest of them was told.
    pub(crate) late: (u64, Duration),
}

/// Longest that a read may lag behind the disk in default mode. The promise is 5 ms; a machine that does not come round
/// to it for so long is not what this is about.
const LAG: Duration = Duration::from_millis(500);

/// How a job says that its workers were lost too often.
const GAVE_UP: &str = "its worker was lost again and again";

impl<'a> Check<'a> {
    pub(crate) const fn new(data: &'a Path, seen: &'a Seen) -> Self {
        Self {
            data,
            seen,
            found: Vec::new(),
            doubts: 0,
            stopped: 0,
            voided: 0,
            given_up: 0,
            turned_down: 0,
            disk_failed: false,
            cut: None,
            late: (0, Duration::ZERO),
        }
    }

    fn wrong(&mut self, kind: Kind, what: String) {
        self.found.push(Violation::new(kind, what));
    }

    /// Everything that changed since the last time, or everything.
    pub(crate) fn state(&mut self, state: &mut State, greens: usize, refusals: usize, all: bool) {
        let mut fresh = state.greens.split_off(greens);
        fresh.retain(|told| self.green(told));
        state.greens.append(&mut fresh);
        let mut fresh = state.refusals.split_off(refusals);
        fresh.retain(|told| self.refusal(told));
        state.refusals.append(&mut fresh);
        for effect in state.effects.values_mut().filter(|effect| all || effect.fresh) {
            // What a job does just now is looked at next time.
            let job = self.seen.job_table.get(&effect.path);
            let left = self.seen.is_left(&effect.path, effect.card.as_ref());
            effect.fresh = left || job.is_some_and(|job| !is_end(&job.state));
            if left {
                continue;
            }
            if job.is_none_or(|job| is_end(&job.state) || job.state == "waiting") {
                self.effect(effect);
            }
        }
        for job in state.jobs.values_mut().filter(|job| all || job.fresh) {
            // One that has not ended is looked at again next time.
            job.fresh = !self.job(job, all);
        }
        self.found.append(&mut state.wrong);
    }

    /// Whether it is to be looked for again.
    fn green(&mut self, told: &Told) -> bool {
        let rows = self.seen.reads(&told.call);
        match rows {
            [] if self.may_be_late(told) => return false,
            [only] if *only == told.correlation => {}
            [_] => self.wrong(Kind::Untrue, format!("the row of {} belongs to another request", told.call)),
            _ => {
                let what = format!("the green call {} was answered and has {} rows", told.call, rows.len());
                self.wrong(Kind::LostRow, what);
            }
        }
        true
    }

    fn refusal(&mut self, told: &Told) -> bool {
        let rows = self.seen.refused(&told.correlation);
        if rows == 0 && self.may_be_late(told) {
            return false;
        }
        if rows != 1 {
            self.wrong(Kind::LostRow, format!("the refusal {} was answered and has {rows} rows", told.correlation));
        }
        true
    }

    fn may_be_late(&mut self, told: &Told) -> bool {
        let Some(age) = self.cut.map(|cut| cut.saturating_duration_since(told.at)).filter(|age| *age <= LAG) else {
            return false;
        };
        self.late = (self.late.0 + 1, self.late.1.max(age));
        true
    }

    fn effect(&mut self, effect: &Effect) {
        let path = effect.path.as_str();
        let times = self.times(effect);
        let seen = self.seen;
        let intents = seen.intents(path);
        if times > 1 {
            self.wrong(Kind::DoubleEffect, format!("what was to be written to {path} once stands there {times} times"));
        }
        if let Some(call) = intents.first() {
            self.begun(effect, call, times);
        } else {
            if times > 0 {
                self.wrong(Kind::LostRow, format!("{path} was written, and no row tells that it was begun"));
            }
            if let Some(call) = effect.done.as_ref().or(effect.failed.as_ref()) {
                self.wrong(Kind::LostRow, format!("{call} on {path} was answered, and no row tells that it was begun"));
            }
            if effect.decided == Some(true) && !self.is_voided(effect) {
                self.wrong(Kind::LostDecision, format!("{path} was approved, and the call never ran"));
            }
        }
        if let Some(card) = &effect.card {
            self.card(effect, card);
        }
    }

    /// A call that was begun: it has one end, and the end is what the file shows.
    fn begun(&mut self, effect: &Effect, call: &str, times: usize) {
        let path = effect.path.as_str();
        let seen = self.seen;
        let ends = seen.ends(call);
        let &[end] = ends.as_slice() else {
            return self.wrong(Kind::LostRow, format!("{call} on {path} has {} outcomes: {ends:?}", ends.len()));
        };
        match end {
            "done" if times == 0 => {
                self.wrong(Kind::LostEffect, format!("{call} is recorded as done, and {path} does not show it"));
            }
            "failed" | "cancelled" if times > 0 => {
                self.wrong(Kind::Untrue, format!("{call} is recorded as {end}, and {path} shows that it was done"));
            }
            "failed" | "cancelled" => self.stopped += 1,
            "unknown" => self.doubts += 1,
            _ => {}
        }
        for (told, word) in [(&effect.done, "done"), (&effect.failed, "not done")] {
            let Some(told) = told else { continue };
            if told != call || (word == "done") != (end == "done") {
                self.wrong(
                    Kind::LostRow,
                    format!("{told} on {path} was answered as {word}; recorded is {call}, {end}"),
                );
            }
        }
        let Some(kept) = seen.call_table.get(call) else {
            return self.wrong(Kind::LostRow, format!("{call} on {path} was begun and is not kept"));
        };
        if kept.state != end {
            self.wrong(Kind::Untrue, format!("{call} ended as {end} and is kept as {}", kept.state));
        }
        let job = seen.job_table.get(path).map(|job| format!("job:{}", job.id));
        let key = job.as_ref().or(effect.key.as_ref());
        if !effect.asks() && kept.key.as_ref() != key {
            let what = format!("{call} was sent with the key {key:?} and is kept with {:?}", kept.key);
            self.wrong(Kind::LostRow, what);
        }
        if effect.asks() {
            let card = kept.card.clone().unwrap_or_default();
            if seen.card(&card, "approval.approved") != 1 {
                self.wrong(Kind::Untrue, format!("{call} on {path} ran, and nobody approved it"));
            }
            if effect.card.as_ref().is_some_and(|told| *told != card) {
                self.wrong(Kind::Untrue, format!("{call} on {path} ran for another card than the one that was told"));
            }
        }
    }

    /// A card that was told: it was put up once, and what was decided about it holds.
    fn card(&mut self, effect: &Effect, card: &str) {
        let (path, seen) = (effect.path.as_str(), self.seen);
        let asked = seen.card(card, "approval.asked");
        if asked != 1 {
            self.wrong(Kind::LostRow, format!("the card {card} for {path} was told and has {asked} rows"));
        }
        let Some(kept) = seen.card_table.get(card) else {
            return self.wrong(Kind::LostDecision, format!("the card {card} for {path} was told and is not kept"));
        };
        let (yes, no) = (seen.card(card, "approval.approved"), seen.card(card, "approval.denied"));
        if yes + no > 1 {
            self.wrong(Kind::Untrue, format!("the card {card} for {path} was decided {} times", yes + no));
        }
        let state = kept.state.as_str();
        let fits = match effect.decided {
            Some(true) if self.is_voided(effect) => {
                self.voided += 1;
                yes == 1
            }
            Some(true) => yes == 1 && matches!(state, "done" | "failed" | "unknown"),
            Some(false) => no == 1 && state == "denied",
            None => true,
        };
        if !fits {
            let told = if effect.decided == Some(true) { "approved" } else { "denied" };
            let because = kept.because.as_deref().unwrap_or("no reason");
            let what = format!("the card {card} for {path} was told as {told}; it is {state} ({because})");
            self.wrong(Kind::LostDecision, what);
        }
        let ran = !seen.intents(path).is_empty();
        if ran != matches!(state, "done" | "failed" | "unknown") {
            self.wrong(Kind::Untrue, format!("the card {card} is {state}, and its call ran: {ran}"));
        }
    }

    /// A job: what was told is kept as it was told, and its end is that of its call. Answers whether it has ended.
    fn job(&mut self, job: &Job, all: bool) -> bool {
        let (name, seen) = (job.name.as_str(), self.seen);
        let Some(kept) = seen.job_table.get(name) else {
            if let Some(id) = &job.id {
                self.wrong(Kind::LostJob, format!("{id}, which does {name}, was told and is not kept"));
            }
            return true;
        };
        if job.id.as_ref().is_some_and(|told| *told != kept.id) || job.key != kept.key {
            let what = format!("{name} was told as {:?} with the key {:?}; kept is {kept:?}", job.id, job.key);
            self.wrong(Kind::LostJob, what);
        }
        if job.end.as_ref().is_some_and(|told| *told != kept.state) {
            let what = format!("{name} was told as {:?} and is now {}", job.end, kept.state);
            self.wrong(Kind::LostJob, what);
        }
        if !is_end(&kept.state) {
            if all {
                let what = format!(
                    "{} ({name}) has not ended; it is {} and was begun {} times",
                    kept.id, kept.state, kept.attempt
                );
                self.wrong(Kind::LostJob, what);
            }
            return false;
        }
        if seen.is_left(name, None) {
            return false;
        }
        self.ended(job, kept);
        true
    }

    /// A job that has ended says what its call came to.
    fn ended(&mut self, job: &Job, kept: &JobRow) {
        let (name, id, state) = (job.name.as_str(), kept.id.as_str(), kept.state.as_str());
        let error = kept.error.as_deref().unwrap_or_default();
        if job.work == Work::Echo {
            return match state {
                "done" => {}
                "unknown" if error.contains(GAVE_UP) => self.given_up += 1,
                // A disk that fails may last longer than a job tries.
                "failed" if self.disk_failed && error.contains("the store ") => self.given_up += 1,
                _ => self.wrong(Kind::LostJob, format!("{id} only says something, and it is {state}: {error}")),
            };
        }
        let ends = match self.seen.intents(name) {
            [] => Vec::new(),
            calls => calls.iter().flat_map(|call| self.seen.ends(call)).collect(),
        };
        match (state, ends.as_slice()) {
            // Nobody heard the outcome that is recorded, again and again.
            ("unknown", _) if error.contains(GAVE_UP) && kept.card.is_none() => self.given_up += 1,
            ("failed", []) if job.work == Work::Ask || self.disk_failed => self.turned_down += 1,
            (_, []) => {
                self.wrong(
                    Kind::LostJob,
                    format!("{id} ({name}) is {state}, and its call was never begun, or has no end: {error}"),
                );
            }
            (state, [end]) if state == *end => {}
            (state, ends) => {
                self.wrong(Kind::Untrue, format!("{id} ({name}) is {state}, and its call is {ends:?}: {error}"));
            }
        }
    }

    fn is_voided(&self, effect: &Effect) -> bool {
        let card = effect.card.as_ref().and_then(|card| self.seen.card_table.get(card));
        let because = card.filter(|card| card.state == "stale").and_then(|card| card.because.as_deref());
        because.is_some_and(blames_disk)
    }

    /// How often an effect stands in its file. A path in a shared folder is whole, and stays as it is.
    fn times(&mut self, effect: &Effect) -> usize {
        let there = match std::fs::read_to_string(self.data.join("files").join(&effect.path)) {
            Ok(there) => there,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return 0,
            Err(error) => {
                self.wrong(Kind::LostEffect, format!("{} cannot be read: {error}", effect.path));
                return 0;
            }
        };
        let times = there.matches(&effect.content).count();
        if there.len() != times * effect.content.len() {
            self.wrong(Kind::Untrue, format!("{} holds what nobody wrote there", effect.path));
        }
        times
    }
}
