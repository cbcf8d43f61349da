//! Comparing a turn with what was told of it, with what the kill left, with the model's own record, and with its calls.

use anyhow::Context as _;
use serde_json::{Value, json};

use super::Telling;
use super::book::{self, Entry, Held, Turn};
use super::log::Walk;
use crate::boundary::model::NAME;
use crate::life::Life;
use crate::report::{Kind, Violation};
use crate::wire::{Ask, Wire};

/// Collects what does not fit.
struct Check<'a> {
    telling: &'a Telling,
    life: &'a Life,
    found: &'a mut Vec<Violation>,
}

impl Telling {
    /// Compares all of it, once the turn has ended and the audit was read.
    pub(in crate::boundary) async fn check(
        &self,
        life: &Life,
        host: &str,
        found: &mut Vec<Violation>,
    ) -> anyhow::Result<()> {
        let held = book::held(&life.house.data).await?;
        let mut check = Check { telling: self, life, found };
        let Some(turn) = check.only_turn(&held) else { return Ok(()) };
        check.rows(turn, &held);
        let walk = Walk::of(&self.words, &turn.log);
        check.log(turn, &walk);
        check.prefix(turn);
        check.model();
        check.calls(&walk)?;
        let mut wire = Wire::connect(host).await?;
        check.shown(turn, &walk, &held, &mut wire).await?;
        check.doubts(&mut wire).await
    }
}

impl Check<'_> {
    fn wrong(&mut self, kind: Kind, what: String) {
        self.found.push(Violation::new(kind, what));
    }

    fn ensure(&mut self, holds: bool, kind: Kind, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong(kind, what());
        }
    }

    /// The turn: what was said once is there once.
    fn only_turn<'b>(&mut self, held: &'b Held) -> Option<&'b Turn> {
        let words = &self.telling.words;
        let ids: Vec<_> = held.turns.iter().map(|turn| turn.id.clone()).collect();
        let [turn] = held.turns.as_slice() else {
            let kind = if ids.is_empty() { Kind::LostTurn } else { Kind::DoubleEffect };
            self.wrong(kind, format!("`{words}` was said once and is {} turns: {ids:?}", ids.len()));
            return None;
        };
        let told = self.telling.id.clone();
        self.ensure(told.as_ref() == Some(&turn.id), Kind::LostTurn, || format!("{told:?} was told; kept is {ids:?}"));
        let fits = turn.asked == *words && turn.actor == "operator" && turn.state == "done";
        self.ensure(fits, Kind::LostTurn, || {
            format!("{} is {} of {}, asked `{}` instead of `{words}`", turn.id, turn.state, turn.actor, turn.asked)
        });
        Some(turn)
    }

    /// The rows of the audit about turns: each is about this one, which was asked once and then ended once.
    fn rows(&mut self, turn: &Turn, held: &Held) {
        let all = held.rows.iter();
        let foreign = all.clone().find(|(_, subject)| *subject != turn.id);
        self.ensure(foreign.is_none(), Kind::LostTurn, || {
            format!("the audit tells of a turn that is gone: {foreign:?}")
        });
        let kinds: Vec<_> = all.map(|(kind, _)| kind.as_str()).collect();
        let between = kinds.get(1..kinds.len().saturating_sub(1)).unwrap_or_default();
        let fits = kinds.first() == Some(&"turn.asked")
            && kinds.last() == Some(&"turn.done")
            && between.iter().all(|kind| matches!(*kind, "turn.step" | "turn.waiting"));
        self.ensure(fits, Kind::Untrue, || format!("the audit tells of {}: {kinds:?}", turn.id));
    }

    fn log(&mut self, turn: &Turn, walk: &Walk) {
        for fault in &walk.faults {
            self.wrong(Kind::LostTurn, format!("the log of {}: {fault}", turn.id));
        }
        self.ensure(walk.ended, Kind::LostTurn, || format!("the log of {} has no end", turn.id));
        // One kill cuts off one answer at most.
        self.ensure(walk.cuts <= 1, Kind::Untrue, || format!("{} answers of {} broke off", walk.cuts, turn.id));
    }

    /// What was kept before the kill is kept. Only words that were being said are followed by something else.
    fn prefix(&mut self, turn: &Turn) {
        let Some(left) = self.telling.left.turns.first() else { return };
        let kept: Vec<&Entry> = left.log.iter().filter(|entry| entry.kind != "partial").collect();
        let mut now = turn.log.iter();
        let lost = kept.iter().map(|kept| (*kept, now.next())).find(|(kept, now)| Some(*kept) != *now);
        if let Some((kept, now)) = lost {
            let now = now.map(Entry::brief);
            let what = format!("{} was kept in {} before the kill; now there is {now:?}", kept.brief(), left.id);
            self.wrong(Kind::LostTurn, what);
        }
        let partial = left.log.last().filter(|entry| entry.kind == "partial");
        let Some(words) = partial.map(|entry| entry.text("/text")) else { return };
        let next = turn.log.get(kept.len());
        let cut = next.is_some_and(|entry| entry.kind == "cut" && entry.text("/text") == words);
        self.ensure(cut, Kind::LostTurn, || {
            format!("`{words}` broke off in {}, and what followed is {:?}", turn.id, next.map(Entry::brief))
        });
    }

    /// Each answer was asked for once before the kill, and after it only those that were not kept.
    fn model(&mut self) {
        let heard = self.telling.model.heard(&self.telling.words);
        for fault in heard.iter().filter_map(|heard| heard.step.as_ref().err()) {
            self.wrong(Kind::WrongAnswer, format!("the model was asked what its vendor refuses: {fault}"));
        }
        let steps = |life: u32| -> Vec<usize> {
            heard.iter().filter(|heard| heard.life == life).filter_map(|heard| heard.step.clone().ok()).collect()
        };
        let (before, after) = (steps(0), steps(1));
        let log = self.telling.left.turns.first().map_or(&[][..], |turn| turn.log.as_slice());
        let kept = log.iter().filter(|entry| entry.kind == "model").count();
        let fits = before == (0..before.len()).collect::<Vec<_>>()
            && (kept == before.len() || kept + 1 == before.len())
            && after == (kept..3).collect::<Vec<_>>();
        self.ensure(fits, Kind::DoubleEffect, || {
            format!(
                "the model was asked for {before:?} before the kill, {kept} answers were kept, and for {after:?} after"
            )
        });
    }

    /// What the log says of its calls is what the calls themselves say.
    fn calls(&mut self, walk: &Walk) -> anyhow::Result<()> {
        let seen = self.life.seen()?;
        let Some((look, writes)) = walk.ends.split_first() else { return Ok(()) };
        let rows = seen.reads(&look.call).len();
        self.ensure(look.state == "done" && rows == 1, Kind::LostRow, || {
            format!("the green call {} is {} and has {rows} rows", look.call, look.state)
        });
        for (path, end) in self.telling.paths.iter().zip(writes) {
            let intents = seen.intents(path);
            if end.state == "refused" {
                self.ensure(intents.is_empty(), Kind::Untrue, || format!("{path} was not made, and {intents:?} began"));
                let broken = writes.first().is_some_and(|first| first.state != "done" && first != end);
                self.ensure(broken, Kind::LostEffect, || format!("{path} was asked for and refused: {writes:?}"));
                continue;
            }
            let kept = seen.call_table.get(&end.call).map(|call| call.state.as_str());
            let same = intents == [end.call.clone()] && kept == Some(end.state.as_str());
            self.ensure(same, Kind::Untrue, || {
                format!("{path} is {} by {} in the log; begun was {intents:?}, which is {kept:?}", end.state, end.call)
            });
            let card = seen.call_table.get(&end.call).and_then(|call| call.card.clone());
            // Who approved while the turn was not looking is not waited for.
            let fits = end.card.is_none() || end.card == card;
            self.ensure(fits, Kind::Untrue, || format!("{path} waited for {:?} and ran for {card:?}", end.card));
        }
        Ok(())
    }

    /// What a person is shown is what is kept, and holds what was shown before the kill.
    async fn shown(&mut self, turn: &Turn, walk: &Walk, held: &Held, wire: &mut Wire) -> anyhow::Result<()> {
        let secret = &self.life.people.operator;
        let place = format!("/api/conversations/{}", turn.conversation);
        let view = wire.ask(Ask::get(&place, secret)).await?.body;
        let turns = view.get("turns").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let [shown] = turns else {
            self.wrong(Kind::LostTurn, format!("{} shows {} turns instead of one", turn.conversation, turns.len()));
            return Ok(());
        };
        let entries = shown.get("entries").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let brief: Vec<_> = entries.iter().map(brief).collect();
        let wanted = wanted(turn, walk);
        self.ensure(brief == wanted, Kind::Untrue, || {
            format!("{} is shown as {brief:?}, and its log says {wanted:?}", turn.id)
        });
        let of = |pointer: &str| shown.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let frame = [of("/id"), of("/asked"), of("/state"), of("/footer/route"), of("/footer/model")];
        let fits = frame == [turn.id.as_str(), self.telling.words.as_str(), "done", "model", NAME];
        self.ensure(fits, Kind::Untrue, || format!("{} is shown as {frame:?}", turn.id));
        for told in [&self.telling.before, &self.telling.told].into_iter().flatten() {
            self.holds(told, shown, entries);
        }

        let listed = wire.ask(Ask::get("/api/conversations?limit=200", secret)).await?.body;
        let all = listed.get("conversations").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let own = all.iter().filter(|one| one.get("id") == Some(&turn.conversation.as_str().into()));
        let counts: Vec<_> = own.map(|one| one.get("turns").cloned().unwrap_or_default()).collect();
        // A conversation begins with its first turn, or not at all.
        let fits = all.len() == 1 && held.conversations.len() == 1 && counts == [1];
        self.ensure(fits, Kind::LostTurn, || format!("the list of conversations is {listed}"));

        let replayed = wire.ask(Ask::get(&format!("{place}/replay"), secret)).await?.body;
        let whole = replayed.get("whole") == Some(&Value::Bool(true));
        self.ensure(whole, Kind::Untrue, || format!("replayed, {} does not follow from itself: {replayed}", turn.id));
        Ok(())
    }

    /// What was told of the turn still stands where it stood.
    fn holds(&mut self, told: &Value, shown: &Value, entries: &[Value]) {
        let before = told.get("entries").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let of = |entry: &Value, pointer: &str| entry.pointer(pointer).cloned().unwrap_or_default();
        for (place, old) in before.iter().enumerate() {
            let now = entries.get(place).cloned().unwrap_or_default();
            let said = |entry: &Value| entry.get("text").and_then(Value::as_str).map(str::to_owned);
            let fits = match (said(old), said(&now)) {
                // What was being said may have gone on.
                (Some(old), Some(now)) => now.starts_with(&old),
                (None, None) => {
                    let open = matches!(of(old, "/answer/state").as_str(), Some("running" | "waiting"));
                    let same = |pointer: &str| of(old, pointer) == of(&now, pointer);
                    same("/args") && same("/answer/tool") && (open || same("/answer/state") && same("/answer/call"))
                }
                _ => false,
            };
            self.ensure(fits, Kind::LostTurn, || format!("{} was told; in its place is {}", brief(old), brief(&now)));
        }
        let open = matches!(of(told, "/state").as_str(), Some("running" | "waiting"));
        self.ensure(open || told == shown, Kind::LostTurn, || {
            let id = of(told, "/id");
            format!(
                "{id} was told as ended, and is shown otherwise: {} and {}",
                of(told, "/footer"),
                of(shown, "/footer")
            )
        });
    }

    /// Whatever was in doubt after the kill has one end. What nobody can tell is told as that, where a person looks.
    async fn doubts(&mut self, wire: &mut Wire) -> anyhow::Result<()> {
        let seen = self.life.seen()?;
        let secret = &self.life.people.operator;
        let history = wire.ask(Ask::get("/api/history?limit=500", secret)).await?.body;
        let rows = history.get("events").and_then(Value::as_array).context("there is no history")?;
        for doubt in &self.telling.left.doubts {
            let ends = seen.ends(&doubt.call);
            let &[end] = ends.as_slice() else {
                let what = format!("{} was in doubt after the kill and has the ends {ends:?}", doubt.call);
                self.wrong(Kind::LostRow, what);
                continue;
            };
            let disturbed = self.telling.disturbed.contains(&doubt.call);
            self.ensure(!disturbed || end == "unknown", Kind::Untrue, || {
                format!("nobody could tell what came of {}, and it is recorded as {end}", doubt.call)
            });
            if end != "unknown" {
                continue;
            }
            // The newest row about a call is what the overview goes by.
            let of = |row: &Value, name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let newest = rows.iter().find(|row| of(row, "subject") == doubt.call);
            let kind = newest.map(|row| of(row, "kind")).unwrap_or_default();
            self.ensure(kind == "call.unknown", Kind::Untrue, || {
                format!("nobody can tell what came of {}, and the overview says {kind:?}", doubt.call)
            });
            let kept = wire.ask(Ask::get(&format!("/api/calls/{}", doubt.call), secret)).await?;
            self.ensure(kept.text("state") == "unknown", Kind::Untrue, || {
                format!("nobody can tell what came of {}, and it is shown as {}", doubt.call, kept.body)
            });
        }
        Ok(())
    }
}

/// An entry that is shown, as far as it is compared.
fn brief(entry: &Value) -> Value {
    let of = |pointer: &str| entry.pointer(pointer).cloned().unwrap_or_default();
    match of("/kind").as_str() {
        Some("said") => json!(["said", of("/text"), of("/cut")]),
        Some("call") => json!(["call", of("/answer/tool"), of("/args"), of("/answer/state"), of("/answer/call")]),
        _ => entry.clone(),
    }
}

/// What is to be shown by the log.
fn wanted(turn: &Turn, walk: &Walk) -> Vec<Value> {
    let mut ends = walk.ends.iter();
    let shown = turn.log.iter().filter_map(|entry| match entry.kind.as_str() {
        "model" | "cut" if entry.text("/text").is_empty() => None,
        "model" => Some(json!(["said", entry.text("/text"), false])),
        "cut" => Some(json!(["said", entry.text("/text"), true])),
        "called" => {
            let end = ends.next();
            let call = end.map(|end| end.call.as_str()).filter(|call| !call.is_empty());
            Some(json!(["call", entry.text("/tool"), entry.json.get("args"), end.map(|end| &end.state), call]))
        }
        _ => None,
    });
    shown.collect()
}
