//! A turn's log, folded into what a person reads.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use std::str::FromStr as _;

use jarvis_client::wire::{TurnEntry, TurnInfo};
use jarvis_safety::call::CallState;
use jarvis_safety::conversation::{CallEnd, Entry, Turn, TurnState};
use jarvis_safety::outcome::Outcome;
use jarvis_safety::refusal::Code;
use jarvis_safety::{ActorId, ApprovalId, CallId, ConversationId, Refusal, Target, Tier, TurnId};
use serde_json::json;

fn fold(state: TurnState, log: &[Entry]) -> TurnInfo {
    let turn = Turn {
        id: TurnId::new(1),
        conversation: ConversationId::new(2),
        parent: None,
        actor: ActorId::new("operator"),
        asked: "is web running?".to_owned(),
        state,
        created_at: 5,
        key: None,
    };
    jarvis_web::view::turn::turn(&turn, log, |_| "orange")
}

fn called(index: u32, tool: &str) -> Entry {
    Entry::Called { index, tool: tool.to_owned(), args: json!({ "name": "web" }) }
}

fn ran(tool: &str) -> CallEnd {
    CallEnd::Ran {
        outcome: Box::new(Outcome {
            call: CallId::new(9),
            tool: tool.to_owned(),
            tier: Tier::Red,
            target: Target::new("container", "abc", "we\u{202e}b"),
            state: CallState::Done,
            output: json!({ "ok": true }),
            words: "done".to_owned(),
            error: None,
            untrusted: false,
            undoable: true,
            millis: 12,
            rule: "approved once".to_owned(),
        }),
    }
}

fn said(text: &str) -> Entry {
    Entry::Said { text: text.to_owned() }
}

#[test]
fn a_call_is_one_entry_in_its_place_from_running_to_its_outcome() {
    let card = ApprovalId::new(7);
    let mut log = vec![called(0, "docker_remove"), said("and then"), called(1, "docker_list")];
    let entry = |log: &[Entry], at: usize| match &fold(TurnState::Running, log).entries[at] {
        TurnEntry::Call { answer, .. } => answer.clone(),
        other => panic!("a call, not {other:?}"),
    };
    assert_eq!((entry(&log, 0).state.as_str(), entry(&log, 0).tier.as_str()), ("running", "orange"));

    log.push(Entry::Waiting { index: 0, approval: card.clone() });
    assert_eq!(entry(&log, 0).state, "waiting");
    assert_eq!(entry(&log, 0).approval, Some(card.to_string()));

    log.push(Entry::Answered { index: 0, answer: ran("docker_remove") });
    let refusal = Refusal::new(Code::Policy, "policy.toml: x", "not here");
    log.push(Entry::Answered { index: 1, answer: CallEnd::Refused { refusal } });
    let first = entry(&log, 0);
    assert_eq!((first.state.as_str(), first.tier.as_str(), first.undoable), ("done", "red", true));
    assert_eq!(first.approval, Some(card.to_string()), "the card that executed it stays");
    assert_eq!(first.target.unwrap().name, r"we\u{202e}b");
    let second = entry(&log, 2);
    assert_eq!((second.state.as_str(), second.error.as_deref()), ("refused", Some("policy")));
    assert_eq!(fold(TurnState::Running, &log).entries.len(), 3);
}

#[test]
fn words_that_broke_off_are_marked_and_words_that_still_come_are_not() {
    let partial = [Entry::Partial { text: "half a".to_owned() }];
    let cut = |state, log: &[Entry]| match &fold(state, log).entries[..] {
        [TurnEntry::Said { cut, .. }] => *cut,
        other => panic!("one text, not {other:?}"),
    };
    assert!(!cut(TurnState::Running, &partial));
    assert!(cut(TurnState::Stopped, &partial));
    assert!(cut(TurnState::Done, &[Entry::Cut { text: "half a".to_owned() }]));
}

#[test]
fn the_footer_comes_with_the_end_and_adds_up_the_steps() {
    let step = |text: &str, tokens| Entry::Model {
        text: text.to_owned(),
        calls: Vec::new(),
        tokens_in: Some(tokens),
        tokens_out: None,
    };
    let routed =
        Entry::Routed { route: "model".to_owned(), why: "no rule fits".to_owned(), model: Some("qwen".to_owned()) };
    let mut log = vec![routed, step("", 100), step("It runs.", 150)];
    let open = fold(TurnState::Running, &log);
    assert!(open.footer.is_none());
    assert_eq!(open.entries.len(), 1, "a step without words says nothing");

    log.push(Entry::Ended { state: TurnState::Done, millis: 340 });
    let footer = fold(TurnState::Done, &log).footer.unwrap();
    assert_eq!((footer.route.as_str(), footer.model.as_deref()), ("model", Some("qwen")));
    assert_eq!((footer.tokens_in, footer.tokens_out, footer.millis), (Some(250), None, 340));
}

#[test]
fn an_answer_to_a_call_that_was_never_made_changes_nothing() {
    let log = [Entry::Answered { index: 4, answer: ran("docker_remove") }];
    assert!(fold(TurnState::Done, &log).entries.is_empty());
    assert!(TurnId::from_str(&fold(TurnState::Done, &log).id).is_ok());
}
