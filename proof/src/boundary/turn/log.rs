//! The log of a turn, held to the order that it must have: each step once, each call once, each outcome once.

use serde_json::Value;

use super::book::Entry;
use crate::boundary::model::{Answer, answers};

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    /// `refused` where it was not made.
    pub(super) state: String,
    /// Its id; empty where it was not made.
    pub(super) call: String,
    /// The card that it waited for.
    pub(super) card: Option<String>,
}

/// A log, followed from its first entry to its last.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Answers of the model.
    pub(super) answers: usize,
    /// Calls that were placed.
    called: usize,
    /// Calls that the model asked for.
    due: usize,
    pub(super) ends: Vec<End>,
    waiting: Option<String>,
    /// Answers that broke off.
    pub(super) cuts: usize,
    pub(super) ended: bool,
    /// What does not fit.
    pub(super) faults: Vec<String>,
}

impl Walk {
    /// Follows the log of a turn that these words began.
    pub(super) fn of(words: &str, log: &[Entry]) -> Self {
        let mut walk = Self::default();
        for (place, entry) in log.iter().enumerate() {
            if let Err(why) = walk.step(words, place, entry) {
                walk.faults.push(format!("entry {} {why}: {}", entry.index, entry.brief()));
            }
        }
        walk
    }

    fn step(&mut self, words: &str, place: usize, entry: &Entry) -> Result<(), &'static str> {
        ensure(i64::try_from(place) == Ok(entry.index), "is not the next one")?;
        ensure(!self.ended, "comes after the end")?;
        ensure((entry.kind == "routed") == (place == 0), "does not begin as it should")?;
        match entry.kind.as_str() {
            "routed" => ensure(entry.text("/route") == "model", "goes another way"),
            "model" => self.heard(words, entry),
            "called" => self.placed(words, entry),
            "waiting" => self.asked(entry),
            "answered" => self.answered(entry),
            "cut" => {
                self.cuts += 1;
                let whole = self.next(words).map(|answer| answer.text).unwrap_or_default();
                let cut = entry.text("/text");
                ensure(!cut.is_empty() && whole.starts_with(cut), "is not what the model had said")
            }
            "ended" => {
                self.ended = true;
                ensure(self.next(words).is_none() && self.rests(), "comes too early")?;
                ensure(entry.text("/state") == "done", "is no good end")
            }
            _ => Err("has no place here"),
        }
    }

    /// The answer that comes next.
    fn next(&self, words: &str) -> Option<Answer> {
        let ends: Vec<_> = self.ends.iter().map(|end| end.state.clone()).collect();
        answers(words, &ends)?.into_iter().nth(self.answers)
    }

    /// Whether nothing is open that was asked for.
    const fn rests(&self) -> bool {
        self.called == self.due && self.ends.len() == self.due
    }

    fn heard(&mut self, words: &str, entry: &Entry) -> Result<(), &'static str> {
        ensure(self.rests(), "comes before its calls have come to their end")?;
        let answer = self.next(words).ok_or("was asked for although the answer was there")?;
        self.answers += 1;
        self.due += answer.calls.len();
        let calls = entry.json.get("calls").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let same = calls.len() == answer.calls.len()
            && calls.iter().zip(&answer.calls).all(|(call, (tool, args))| {
                let kept = call.get("args").and_then(Value::as_str).and_then(|args| serde_json::from_str(args).ok());
                call.get("tool").and_then(Value::as_str) == Some(*tool) && kept.as_ref() == Some(args)
            });
        ensure(same && entry.text("/text") == answer.text, "is not what the model said")
    }

    fn placed(&mut self, words: &str, entry: &Entry) -> Result<(), &'static str> {
        ensure(self.called < self.due && entry.call() == Some(self.called), "is no call that is due")?;
        let all = answers(words, &[]).into_iter().flatten().flat_map(|answer| answer.calls);
        let (tool, args) = all.into_iter().nth(self.called).ok_or("is no call that the model asked for")?;
        self.called += 1;
        ensure(entry.text("/tool") == tool && entry.json.get("args") == Some(&args), "is not what the model asked for")
    }

    fn asked(&mut self, entry: &Entry) -> Result<(), &'static str> {
        ensure(entry.call() == Some(self.ends.len()) && self.waiting.is_none(), "is no call that can wait")?;
        self.waiting = Some(entry.text("/approval").to_owned());
        Ok(())
    }

    fn answered(&mut self, entry: &Entry) -> Result<(), &'static str> {
        let next = self.ends.len();
        ensure(next < self.called && entry.call() == Some(next), "tells an outcome that is not the next one")?;
        let state = match entry.text("/answer/end") {
            "ran" => entry.text("/answer/outcome/state"),
            _ => "refused",
        };
        let call = entry.text("/answer/outcome/call").to_owned();
        self.ends.push(End { state: state.to_owned(), call, card: self.waiting.take() });
        Ok(())
    }
}

fn ensure(holds: bool, why: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(why) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::boundary::model;

    fn log() -> Vec<Entry> {
        let words = words();
        let ends = ["done", "done", "done"].map(str::to_owned);
        let [look, act, result] = answers(&words, &ends).unwrap();
        let said = |answer: &Answer| {
            let calls: Vec<_> =
                answer.calls.iter().map(|(tool, args)| json!({ "tool": tool, "args": args.to_string() })).collect();
            ("model", json!({ "text": answer.text, "calls": calls }))
        };
        let called = |index: usize, (tool, args): &(&str, Value)| {
            ("called", json!({ "index": index, "tool": tool, "args": args }))
        };
        let ran = |index: usize| {
            let outcome = json!({ "state": "done", "call": format!("call_{index}") });
            ("answered", json!({ "index": index, "answer": { "end": "ran", "outcome": outcome } }))
        };
        let entries = [
            ("routed", json!({ "route": "model" })),
            said(&look),
            called(0, &look.calls[0]),
            ran(0),
            said(&act),
            called(1, &act.calls[0]),
            called(2, &act.calls[1]),
            ran(1),
            ("waiting", json!({ "index": 2, "approval": "appr_1" })),
            ran(2),
            ("cut", json!({ "text": "That is" })),
            said(&result),
            ("ended", json!({ "state": "done" })),
        ];
        let entry = |(index, (kind, json))| Entry { index, kind: str::to_owned(kind), json };
        (0..).zip(entries).map(entry).collect()
    }

    fn words() -> String {
        model::words(7, "made-000001", "asked-000002")
    }

    #[test]
    fn a_whole_log_has_no_fault_and_each_entry_that_is_gone_or_there_twice_is_one() {
        let walk = Walk::of(&words(), &log());
        assert!(walk.faults.is_empty() && walk.ended, "{walk:?}");
        assert_eq!((walk.answers, walk.cuts, walk.ends[2].card.as_deref()), (3, 1, Some("appr_1")));
        let numbered = |mut log: Vec<Entry>| {
            (0..).zip(&mut log).for_each(|(index, entry)| entry.index = index);
            log
        };
        for place in 0..log().len() {
            let (mut less, mut twice) = (log(), log());
            let entry = less.remove(place);
            twice.insert(place, entry.clone());
            // Words that broke off may be there or not, and whether a call waited is told by its card.
            let optional = matches!(entry.kind.as_str(), "cut" | "waiting");
            let less = Walk::of(&words(), &numbered(less));
            assert_eq!(less.faults.is_empty() && less.ended, optional, "without {entry:?}: {less:?}");
            let twice = Walk::of(&words(), &numbered(twice));
            assert_eq!(twice.faults.is_empty(), entry.kind == "cut", "{entry:?} twice: {twice:?}");
        }
    }
}
