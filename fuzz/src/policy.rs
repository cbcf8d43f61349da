//! `policy.toml` (`safety/src/kernel/policy.rs`) and what it does to a decision: a file is refused with a word, or it
//! tightens as its rules say when they are read by other means, and is never looser than any rule of it alone.

use jarvis_safety::autonomy::Level;
use jarvis_safety::call::Vouching;
use jarvis_safety::kernel::{Facts, KillSwitch, Policy, Standing, Tightening, Verdict, decide};
use jarvis_safety::{Actor, Effects, GrantId, Target, Tier};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::sabotage::Sabotage;

/// Most rules of which each is tried alone.
const ALONE: usize = 6;

/// A call that the rules are asked about.
struct Call<'a> {
    tool: &'a str,
    args: Value,
    target: Target,
    actor: &'a str,
    /// Chooses everything else that a decision depends on.
    rest: u64,
}

/// How much a rule, or a decision, holds back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    No,
    Asked,
    Refused,
}

/// The input is the file, then tool, target's name and id, actor, and arguments as JSON, with a NUL between them.
pub(crate) fn holds(data: &[u8], sabotage: Sabotage) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut parts = text.split('\0');
    let file = parts.next().unwrap_or_default();
    let mut part = || parts.next().unwrap_or_default();
    let (tool, name, id, actor, args) = (part(), part(), part(), part(), part());
    let policy = match Policy::parse(file) {
        Ok(policy) => policy,
        Err(fault) => {
            let said = fault.to_string();
            assert!(said.starts_with("policy.toml") && said.len() > 20, "refused without a word: {said}");
            return;
        }
    };
    let digest: String = Sha256::digest(file).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(policy.version().as_str().ends_with(&digest), "its version is not that of its text");
    let args = serde_json::from_str(args).unwrap_or_else(|_| serde_json::json!({}));
    let rest = data.iter().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    let call = Call { tool, args, target: Target::new("thing", id, name), actor, rest };
    let rules = rules(file);
    let found = tightening(&policy, &rules, &call, sabotage);
    let expected = rules.iter().map(|rule| says(rule, &call)).max().unwrap_or(Held::No);
    assert_eq!(held(found.as_ref()), expected, "{found:?} is not what the rules say");
    decided(&call, found.as_ref());
    let alone = if rules.len() <= ALONE { rules.as_slice() } else { &[] };
    for rule in alone {
        let strict = apart(rule).tightening(call.tool, &call.args, &call.target, call.actor);
        assert!(held(found.as_ref()) >= held(strict.as_ref()), "looser than a rule of it alone");
        assert!(decision(&call, found.as_ref()) >= decision(&call, strict.as_ref()), "decided looser than by one rule");
    }
}

fn tightening(policy: &Policy, rules: &[toml::Table], call: &Call<'_>, sabotage: Sabotage) -> Option<Tightening> {
    if sabotage == Sabotage::FirstRule {
        let ask = policy.tightening(call.tool, &call.args, &call.target, call.actor)?;
        let first = rules.iter().map(|rule| says(rule, call)).find(|held| *held != Held::No)?;
        return Some(if first == Held::Asked { Tightening::Ask { rule: "the first".to_owned() } } else { ask });
    }
    policy.tightening(call.tool, &call.args, &call.target, call.actor)
}

fn rules(file: &str) -> Vec<toml::Table> {
    let table: toml::Table = file.parse().unwrap_or_default();
    let rules = table.get("rule").and_then(toml::Value::as_array);
    rules.into_iter().flatten().filter_map(toml::Value::as_table).cloned().collect()
}

/// A policy of this rule and no other.
fn apart(rule: &toml::Table) -> Policy {
    let mut table = toml::Table::new();
    table.insert("rule".to_owned(), toml::Value::Array(vec![rule.clone().into()]));
    let text = toml::to_string(&table).unwrap_or_else(|fault| panic!("{rule} cannot be written: {fault}"));
    Policy::parse(&text).unwrap_or_else(|fault| panic!("good among others and refused alone: {fault}\n{text}"))
}

/// What a rule says of a call, read from its text.
fn says(rule: &toml::Table, call: &Call<'_>) -> Held {
    let text = |field: &str| rule.get(field).and_then(toml::Value::as_str);
    let is =
        |field: &str, texts: &[&str]| text(field).is_none_or(|pattern| texts.iter().any(|text| fits(pattern, text)));
    let when = rule.get("when").and_then(toml::Value::as_table);
    let arguments = when.into_iter().flatten().all(|(field, pattern)| {
        let pattern = pattern.as_str().unwrap_or_default();
        match call.args.get(field) {
            Some(Value::String(text)) => fits(pattern, text),
            Some(other) => fits(pattern, &other.to_string()),
            None => false,
        }
    });
    let target = [call.target.name.as_str(), call.target.id.as_str()];
    if !(is("tool", &[call.tool]) && is("target", &target) && is("actor", &[call.actor]) && arguments) {
        return Held::No;
    }
    if text("then") == Some("refuse") { Held::Refused } else { Held::Asked }
}

/// `*` is any text, `?` one character, all else itself.
fn fits(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    // Which beginnings of the text fit the pattern so far, by length.
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for sign in pattern.chars() {
        if sign == '*' {
            let first = reached.iter().position(|reached| *reached).unwrap_or(reached.len());
            reached[first..].fill(true);
            continue;
        }
        for at in (0..text.len()).rev() {
            reached[at + 1] = reached[at] && (sign == '?' || sign == text[at]);
        }
        reached[0] = false;
    }
    reached[text.len()]
}

const fn held(tightening: Option<&Tightening>) -> Held {
    match tightening {
        None => Held::No,
        Some(Tightening::Ask { .. }) => Held::Asked,
        Some(Tightening::Refuse { .. }) => Held::Refused,
    }
}

/// What a rule says comes to pass, whatever else speaks for the call.
fn decided(call: &Call<'_>, found: Option<&Tightening>) {
    let with = decision(call, found);
    assert!(with >= decision(call, None), "a rule loosened a decision");
    match found {
        None => {}
        Some(Tightening::Refuse { .. }) => assert_eq!(with, Held::Refused, "refused by a rule, and decided otherwise"),
        Some(Tightening::Ask { .. }) => {
            let approved = facts(call, &Actor::operator(), found).standing != Standing::Fresh;
            assert!(approved || with >= Held::Asked, "a rule asks, and nobody was asked");
        }
    }
}

fn decision(call: &Call<'_>, found: Option<&Tightening>) -> Held {
    match decide(&facts(call, &Actor::operator(), found)) {
        Verdict::Run { .. } => Held::No,
        Verdict::Ask { .. } => Held::Asked,
        Verdict::Refuse(_) => Held::Refused,
    }
}

fn facts<'a>(call: &Call<'_>, actor: &'a Actor, found: Option<&Tightening>) -> Facts<'a> {
    let one = |bit: u32, many: u64| usize::try_from((call.rest >> bit) % many).unwrap_or(0);
    let tiers = [Tier::Green, Tier::Yellow, Tier::Orange, Tier::Red];
    let vouchings = [Vouching::Person, Vouching::Client, Vouching::Model, Vouching::Led, Vouching::Unvouched];
    Facts {
        tier: tiers[one(3, 4)],
        effects: Effects { network: one(7, 2) == 0, ..Effects::READS },
        level: Level::ALL[one(11, 5)],
        actor,
        kill: KillSwitch::Off,
        policy: Ok(found.cloned()),
        vouching: vouchings[one(17, 5)],
        repeats: one(23, 4) as u64,
        approvable: one(29, 4) > 0,
        grant: (one(31, 2) == 0).then(|| GrantId::new(1)),
        standing: [Standing::Fresh, Standing::Fresh, Standing::Approved, Standing::InPlan][one(37, 4)],
    }
}
