//! Every combination of tier, level, actor, target, grant, chooser and kill switch, against a table written by hand.
//!
//! Each row must decide some combination, and each combination must have a row: so a wrong row cannot pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use jarvis_safety::call::{Origin, Request, Vouching};
use jarvis_safety::grant::{Terms, Wanted};
use jarvis_safety::kernel::{Autonomy, KillSwitch, Level, Permit, Verdict};
use jarvis_safety::outcome::Answer;
use jarvis_safety::port::{Clock as _, Ledger as _};
use jarvis_safety::setting::Settings;
use jarvis_safety::tool::{Done, Look, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Actor, ActorId, Effects, Reach, Refusal, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::lamp::{House, request};

const TABLE: &str = include_str!("combination/table.txt");
const COLUMNS: usize = 7;

/// Asks a lamp's maker about it: green, and goes out.
pub(crate) struct Maker;

/// Names a lamp.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    lamp: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Nothing {}

impl Tool for Maker {
    const SPEC: Spec = Spec {
        name: "lamp_maker",
        revision: 1,
        tier: Tier::Green,
        effects: Effects { network: true, ..Effects::READS },
        deadline: std::time::Duration::from_secs(5),
        trust: Trust::Trusted,
        secrets: &[],
        examples: &["{lamp}"],
        lists: None,
    };
    type Args = Asked;
    type Output = Nothing;

    async fn resolve(&self, args: &Asked, _: &Look) -> Result<Target, ToolError> {
        Ok(Target::new("lamp", format!("id-{}", args.lamp), &args.lamp))
    }

    fn sentence(&self, args: &Asked, _: &Target) -> String {
        format!("Ask the maker of {}.", args.lamp)
    }

    async fn run(&self, _: Asked, _: &RunContext, _: Permit<Self>) -> Result<Done<Nothing>, ToolError> {
        Ok(Done::new(Nothing {}))
    }

    fn words(&self, _: &Nothing) -> String {
        String::new()
    }
}

#[derive(Clone)]
struct Row {
    fits: [String; COLUMNS],
    becomes: String,
}

fn table() -> Vec<Row> {
    let lines = TABLE.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let row = |line: &str| {
        let mut words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        let becomes = words.pop().unwrap();
        Row { fits: words.try_into().unwrap_or_else(|_| panic!("`{line}` has not {COLUMNS} columns")), becomes }
    };
    lines.map(row).collect()
}

/// The row that decides.
fn decides(table: &[Row], combination: [&str; COLUMNS]) -> usize {
    let fits = |row: &Row| {
        row.fits.iter().zip(combination).all(|(cell, word)| cell == "*" || cell.split('|').any(|known| known == word))
    };
    table.iter().position(fits).unwrap_or_else(|| panic!("no row fits {combination:?}"))
}

const KINDS: [(&str, &str); 5] = [
    ("green", "lamp_see"),
    ("out", "lamp_maker"),
    ("yellow", "lamp_dim"),
    ("orange", "lamp_stop"),
    ("red", "lamp_smash"),
];
/// How long a grant lives at most, in milliseconds.
const MONTH: i64 = 30 * 24 * 60 * 60 * 1000;
const TARGETS: [&str; 2] = ["hall", "cellar"];
const CHOSEN: [(&str, Vouching); 5] = [
    ("person", Vouching::Person),
    ("client", Vouching::Client),
    ("model", Vouching::Model),
    ("led", Vouching::Led),
    ("unvouched", Vouching::Unvouched),
];
const STOPPED: [(&str, KillSwitch); 3] =
    [("off", KillSwitch::Off), ("effects", KillSwitch::Effects), ("all", KillSwitch::All)];

fn actors() -> [(&'static str, Actor); 7] {
    let token = |name: &str, ceiling| Actor {
        id: ActorId::new(format!("token:{name}")),
        name: name.to_owned(),
        ceiling,
        kind: jarvis_safety::ActorKind::Token,
        ..Actor::mcp_stdio()
    };
    [
        ("operator", Actor::operator()),
        ("local", Actor::local()),
        ("client", token("client", Tier::Red)),
        ("low", token("low", Tier::Yellow)),
        ("watcher", token("watcher", Tier::Green)),
        ("bound", Actor { reach: Reach::new(vec!["hall".to_owned()]).unwrap(), ..token("bound", Tier::Red) }),
        ("stdio", Actor::mcp_stdio()),
    ]
}

fn wide() -> Terms {
    let tool = "lamp_*".to_owned();
    Terms { tool, target: None, target_id: None, actor: None, when: BTreeMap::new(), only: false }
}

/// This tool, this target, every argument.
fn exact() -> Vec<Terms> {
    let of = |tool: &str, target: &str| Terms {
        tool: tool.to_owned(),
        target_id: Some(format!("id-{target}")),
        when: [("lamp".to_owned(), Wanted::Is(json!(target))), ("slow".to_owned(), Wanted::Is(json!(0)))].into(),
        only: true,
        ..wide()
    };
    ["lamp_dim", "lamp_stop"].into_iter().flat_map(|tool| TARGETS.map(|target| of(tool, target))).collect()
}

fn args(kind: &str, target: &str) -> Value {
    if kind == "out" { json!({ "lamp": target }) } else { json!({ "lamp": target, "slow": 0 }) }
}

async fn give(house: &House, terms: Vec<Terms>) {
    for terms in terms {
        house.gate.grant(&Actor::operator(), terms, 1_000, 43_200, &Origin::default()).await.unwrap();
    }
}

async fn take_all_back(house: &House) {
    for grant in house.store.grants(Some(house.clock.now())).await.unwrap() {
        house.gate.revoke_grant(&Actor::operator(), &grant.id, &Origin::default()).await.unwrap();
    }
}

fn level(house: &House, level: Level) {
    let autonomy = Autonomy { default: level, ..Autonomy::default() };
    house.gate.apply_settings(Settings { autonomy, ..Settings::default() });
}

async fn house() -> House {
    House::fitted(Arc::new(|tools, store, _| (tools.with(Maker), Arc::new(store.clone())))).await
}

fn refused(refusal: &Refusal) -> String {
    refusal.code.as_str().to_owned()
}

async fn becomes(house: &House, request: &Request) -> String {
    match house.gate.gate().classify(request).await {
        Err(refusal) => refused(&refusal),
        Ok(prepared) => match &prepared.verdict {
            Verdict::Refuse(refusal) => refused(refusal),
            Verdict::Ask { .. } => "ask".to_owned(),
            Verdict::Run { grant: Some(_), .. } => "granted".to_owned(),
            Verdict::Run { grant: None, .. } => "run".to_owned(),
        },
    }
}

#[tokio::test]
async fn every_combination_becomes_what_the_table_says() {
    let (house, table) = (house().await, table());
    let mut decided = vec![0_usize; table.len()];
    let mut all = 0;
    for (stopped, kill) in STOPPED {
        house.gate.set_kill_switch(&Actor::operator(), kill, &Origin::default()).await.unwrap();
        for (grant, terms) in [("none", Vec::new()), ("wide", vec![wide()]), ("exact", exact())] {
            give(&house, terms).await;
            for number in Level::ALL {
                level(&house, number);
                let number = u8::from(number).to_string();
                for (actor, who) in actors() {
                    for ((kind, tool), target) in
                        KINDS.into_iter().flat_map(|kind| TARGETS.map(|target| (kind, target)))
                    {
                        for (chosen, vouching) in CHOSEN {
                            let combination = [kind, &number, actor, target, grant, chosen, stopped];
                            let request = Request { vouching, ..request(&who, tool, args(kind, target)) };
                            let row = decides(&table, combination);
                            assert_eq!(
                                becomes(&house, &request).await,
                                table[row].becomes,
                                "{combination:?}, row {row}"
                            );
                            decided[row] += 1;
                            all += 1;
                        }
                    }
                }
            }
            take_all_back(&house).await;
        }
    }
    assert_eq!(all, 5 * 5 * 7 * 2 * 3 * 5 * 3);
    // A row that decides nothing could say anything.
    assert!(decided.iter().all(|count| *count > 0), "{decided:?}");
}

/// What the table says is also what happens: nothing is done that it does not let run.
#[tokio::test]
async fn what_is_called_does_what_the_table_says() {
    let (house, table) = (house().await, table());
    let mut number = 0_usize;
    for (grant, terms) in [("none", Vec::new()), ("wide", vec![wide()]), ("exact", exact())] {
        let mut given = None;
        for at in Level::ALL {
            level(&house, at);
            let shown = u8::from(at).to_string();
            for (actor, who) in actors() {
                for (kind, tool) in KINDS {
                    for (chosen, vouching) in CHOSEN {
                        number += 1;
                        // Every third, and all of what a grant lets through.
                        let combination = [kind, &shown, actor, "hall", grant, chosen, "off"];
                        let expected = &table[decides(&table, combination)].becomes;
                        if !number.is_multiple_of(3) && expected != "granted" {
                            continue;
                        }
                        // Questions lapse, and what was repeated lies long back.
                        house.clock.turn(2 * 60 * 60 * 1000);
                        if given.is_none_or(|at| house.clock.now() - at > MONTH / 2) {
                            take_all_back(&house).await;
                            give(&house, terms.clone()).await;
                            given = Some(house.clock.now());
                        }
                        let before = house.effects().len();
                        let answer =
                            house.gate.call(Request { vouching, ..request(&who, tool, args(kind, "hall")) }).await;
                        let done = house.effects().len() - before;
                        let seen = match &answer {
                            Answer::Ran(_) => "run".to_owned(),
                            Answer::Waiting(_) => "ask".to_owned(),
                            Answer::Refused(refusal) => refused(refusal),
                        };
                        let expected = if expected == "granted" { "run" } else { expected };
                        assert_eq!(seen, expected, "{combination:?}: {answer:?}");
                        assert_eq!(done, usize::from(expected == "run" && kind != "out"), "{combination:?}");
                    }
                }
            }
        }
    }
}
