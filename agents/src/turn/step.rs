//! What comes next, as a pure function of the log.

use jarvis_safety::conversation::{CallEnd, Entry, ModelCall, TurnState};
use jarvis_safety::kernel::Registry;
use jarvis_safety::refusal::Code;
use jarvis_safety::{ApprovalId, Refusal, Tier, json};
use serde_json::Value;

use crate::prompt::Prompts;

use super::answer;
use super::reading::{CallView, Reading, Route};

/// Most answers of a model in one turn.
pub(crate) const MAX_ANSWERS: usize = 12;
/// Most calls that one answer of a model may ask for.
const MAX_CALLS: usize = 16;
/// How often one call may be asked for in a turn; the last time it is not made.
const SAME_CALL: usize = 3;
/// How often in a row an answer may break off.
const MAX_CUTS: usize = 3;

/// What a step depends on beside the log.
pub(crate) struct Facts<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) prompts: &'a Prompts,
}

/// Something to do. The effects of one step may be carried out side by side.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Understand the sentence by rule, and choose the way.
    AskRules,
    /// Ask the model for its next answer.
    AskModel,
    /// Make one call.
    Call(u32),
    /// Make all calls as one plan.
    Plan,
    /// Wait until a person decided the card of this call; with `whole`, of all calls.
    Await { index: u32, approval: ApprovalId, whole: bool },
    /// Append this: it follows from the log alone.
    Keep(Vec<Entry>),
    /// The turn is over.
    End(TurnState),
}

/// The next effects; none once the turn has ended.
pub(crate) fn step(log: &[Entry], facts: &Facts<'_>) -> Vec<Effect> {
    let read = Reading::of(log);
    if read.ended {
        return Vec::new();
    }
    // Whoever was saying this was interrupted: people keep the words, the step is asked again.
    if let Some(text) = read.partial {
        return vec![Effect::Keep(vec![Entry::Cut { text: text.to_owned() }])];
    }
    match read.route {
        None => vec![Effect::AskRules],
        Some(Route::Rule) => by_rule(log, &read, facts),
        Some(Route::Model(_)) => by_model(&read, facts),
    }
}

fn by_rule(log: &[Entry], read: &Reading<'_>, facts: &Facts<'_>) -> Vec<Effect> {
    let Some(first) = read.open().next() else {
        // A question, or an answer that needed no call, was said together with the choice of the way.
        let said = matches!(log.last(), Some(Entry::Said { .. } | Entry::Asked { .. } | Entry::Note { .. }));
        if read.calls.is_empty() || said {
            return vec![Effect::End(TurnState::Done)];
        }
        return vec![Effect::Keep(vec![Entry::Said { text: answer::by_rule(&read.calls, facts) }])];
    };
    let whole = read.calls.len() > 1;
    match first.card {
        Some(card) => vec![Effect::Await { index: first.index, approval: card.clone(), whole }],
        None if whole => vec![Effect::Plan],
        None => vec![Effect::Call(first.index)],
    }
}

fn by_model(read: &Reading<'_>, facts: &Facts<'_>) -> Vec<Effect> {
    if read.wanted.len() > read.calls.len() {
        return place(read);
    }
    if let Some(first) = read.open().next() {
        return next_calls(read, first, facts);
    }
    if read.cuts >= MAX_CUTS {
        return give_up(format!(
            "The model's answer broke off {MAX_CUTS} times in a row, so I stopped. Nothing was run from an unfinished \
             answer."
        ));
    }
    match read.last {
        // Words broken off after the last whole answer are asked for again.
        Some((0, text)) if read.cuts == 0 && !text.trim().is_empty() => vec![Effect::End(TurnState::Done)],
        Some((0, _)) if read.cuts == 0 => give_up("The model answered nothing.".to_owned()),
        _ => vec![Effect::AskModel],
    }
}

/// Reads side by side; whatever may change something alone, in order, and not after one that went wrong.
fn next_calls(read: &Reading<'_>, first: &CallView<'_>, facts: &Facts<'_>) -> Vec<Effect> {
    if let Some(card) = first.card {
        return vec![Effect::Await { index: first.index, approval: card.clone(), whole: false }];
    }
    let green = |call: &CallView<'_>| {
        facts.registry.describe(call.tool).is_none_or(|described| described.spec.tier == Tier::Green)
    };
    if green(first) {
        let reads = read.open().take_while(|call| green(call) && call.card.is_none());
        return reads.map(|call| Effect::Call(call.index)).collect();
    }
    let step = read.calls.len().saturating_sub(read.last.map_or(0, |(calls, _)| calls));
    let broken = read.calls[step..].iter().any(|call| call.end.is_some() && !green(call) && !call.succeeded());
    if broken {
        let refusal = Refusal::new(
            Code::Unavailable,
            "calls in order",
            "not made, because an earlier call of this step did not succeed; look at that first",
        );
        let answer = CallEnd::Refused { refusal };
        return vec![Effect::Keep(vec![Entry::Answered { index: first.index, answer }])];
    }
    vec![Effect::Call(first.index)]
}

/// Turns what the model asked for into calls, or into reasons why not.
fn place(read: &Reading<'_>) -> Vec<Effect> {
    if read.answers >= MAX_ANSWERS {
        return give_up(format!(
            "I stopped after {MAX_ANSWERS} steps without an end in sight; the last calls were not made. What was done \
             stands above."
        ));
    }
    let mut entries = Vec::new();
    let mut seen: Vec<(String, Value)> =
        read.calls.iter().map(|call| (call.tool.to_owned(), call.args.clone())).collect();
    let new = &read.wanted[read.calls.len()..];
    for (place, wanted) in new.iter().enumerate() {
        let index = u32::try_from(read.calls.len() + place).unwrap_or(u32::MAX);
        let args = arguments(wanted);
        let same = (wanted.tool.clone(), args.clone());
        if seen.iter().filter(|call| **call == same).count() + 1 >= SAME_CALL {
            return give_up(format!(
                "The model asked for the same call ({}) {SAME_CALL} times, so I stopped: it goes in circles. The call \
                 was not made again.",
                jarvis_safety::plain::visible(&wanted.tool)
            ));
        }
        entries.push(Entry::Called { index, tool: wanted.tool.clone(), args: args.clone() });
        if let Some(refusal) = objection(read, wanted, &args, place) {
            entries.push(Entry::Answered { index, answer: CallEnd::Refused { refusal } });
        }
        seen.push(same);
    }
    vec![Effect::Keep(entries)]
}

/// The arguments as the gate wants them. Text that is no strict JSON stays text.
fn arguments(wanted: &ModelCall) -> Value {
    if wanted.args.trim().is_empty() {
        return Value::Object(serde_json::Map::new());
    }
    json::parse(&wanted.args).unwrap_or_else(|_| Value::String(wanted.args.clone()))
}

/// Why a call does not even go to the gate.
fn objection(read: &Reading<'_>, wanted: &ModelCall, args: &Value, place: usize) -> Option<Refusal> {
    if place >= MAX_CALLS {
        return Some(Refusal::invalid(format!(
            "at most {MAX_CALLS} calls are made in one step; ask for the rest in the next one"
        )));
    }
    if let Value::String(text) = args {
        let why = json::parse(text).err().map_or_else(String::new, |error| format!(" ({error})"));
        return Some(Refusal::invalid(format!(
            "the arguments of `{}` are not one valid JSON object{why}; nothing was done. Call it again with valid JSON",
            wanted.tool
        )));
    }
    let denied = read.calls.iter().any(|call| {
        let denial = matches!(call.end, Some(CallEnd::Refused { refusal }) if refusal.code == Code::Denied);
        denial && call.tool == wanted.tool && call.args == args
    });
    denied.then(|| {
        Refusal::new(
            Code::Denied,
            "denied before",
            "a person has denied exactly this call in this turn; it is not asked again",
        )
    })
}

/// Whether the arguments hold a value that must not be kept: what is said in a conversation is kept.
pub(crate) fn holds_secret(registry: &Registry, tool: &str, args: &Value) -> bool {
    let secrets = registry.describe(tool).map_or(&[][..], |described| described.spec.secrets);
    secrets.iter().any(|field| args.get(field).is_some_and(|value| !value.is_null()))
}

/// The refusal of such a call.
pub(crate) fn secret_refusal(tool: &str) -> Refusal {
    Refusal::invalid(format!(
        "`{tool}` takes a secret, and what is said in a conversation is kept; make this call from the tools page or \
         `jarvis call`. Nothing was done"
    ))
}

fn give_up(text: String) -> Vec<Effect> {
    vec![Effect::Keep(vec![Entry::Note { text }]), Effect::End(TurnState::Failed)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(log: &[Entry]) -> Vec<Effect> {
        let registry = Registry::builder().build().unwrap();
        step(log, &Facts { registry: &registry, prompts: &Prompts::load(None).unwrap() })
    }

    fn routed(route: &str) -> Entry {
        Entry::Routed { route: route.to_owned(), why: String::new(), model: Some("m".to_owned()) }
    }

    fn said(text: &str, calls: &[&str]) -> Entry {
        let call =
            |args: &&str| ModelCall { id: String::new(), tool: "lamp_list".to_owned(), args: (*args).to_owned() };
        let calls = calls.iter().map(call).collect();
        Entry::Model { text: text.to_owned(), calls, tokens_in: None, tokens_out: None }
    }

    fn cut() -> Entry {
        Entry::Cut { text: "half".to_owned() }
    }

    #[test]
    fn an_empty_log_asks_the_rules_and_an_ended_one_nothing() {
        assert_eq!(next(&[]), [Effect::AskRules]);
        assert_eq!(next(&[routed("rule"), Entry::Ended { state: TurnState::Done, millis: 1 }]), []);
    }

    #[test]
    fn words_that_were_being_said_become_a_cut_and_are_asked_for_again() {
        let partial = Entry::Partial { text: "half".to_owned() };
        assert_eq!(next(&[routed("model"), partial]), [Effect::Keep(vec![cut()])]);
        assert_eq!(next(&[routed("model"), cut()]), [Effect::AskModel]);
        assert_eq!(next(&[routed("model"), said("whole", &[]), cut()]), [Effect::AskModel]);
        let thrice = next(&[routed("model"), cut(), cut(), cut()]);
        assert_eq!(thrice.last(), Some(&Effect::End(TurnState::Failed)));
    }

    #[test]
    fn every_call_that_a_model_asks_for_becomes_an_entry_once() {
        let log = [routed("model"), said("", &["{}", "{\"a\":1}"])];
        let effects = next(&log);
        let [Effect::Keep(entries)] = effects.as_slice() else { panic!("{effects:?}") };
        assert_eq!(entries.len(), 2);
        let placed = [&log[..], entries].concat();
        assert_eq!(next(&placed), [Effect::Call(0), Effect::Call(1)]);
    }

    #[test]
    fn words_without_calls_end_the_turn() {
        assert_eq!(next(&[routed("model"), said("Good evening.", &[])]), [Effect::End(TurnState::Done)]);
        let silent = next(&[routed("model"), said(" ", &[])]);
        assert_eq!(silent.last(), Some(&Effect::End(TurnState::Failed)));
    }
}
