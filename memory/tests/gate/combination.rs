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

/// One combination, and what came of it.
#[derive(Clone)]
struct Seen {
    combination: [String; COLUMNS],
    became: String,
    /// What was done to lamps, if it was called.
    effects: usize,
}

/// Where what was seen is not what the table says, and how often each row decided.
fn against(table: &[Row], all: &[Seen]) -> (Vec<String>, Vec<usize>) {
    let (mut faults, mut decided) = (Vec::new(), vec![0; table.len()]);
    for Seen { combination, became, effects } in all {
        let row = decides(table, combination.each_ref().map(String::as_str));
        decided[row] += 1;
        let runs = ["run", "granted"].contains(&table[row].becomes.as_str());
        if *became != table[row].becomes || *effects > usize::from(runs) {
            faults.push(format!("{combination:?} became {became} with {effects} effects, row {row}"));
        }
    }
    (faults, decided)
}

fn combinations(stopped: &'static str, grant: &'static str) -> Vec<([String; COLUMNS], Level, Request)> {
    let mut all = Vec::new();
    for at in Level::ALL {
        for (actor, who) in actors() {
            for ((kind, tool), target) in KINDS.into_iter().flat_map(|kind| TARGETS.map(|target| (kind, target))) {
                for (chosen, vouching) in CHOSEN {
                    let number = u8::from(at).to_string();
                    let combination = [kind, &number, actor, target, grant, chosen, stopped].map(str::to_owned);
                    all.push((combination, at, Request { vouching, ..request(&who, tool, args(kind, target)) }));
                }
            }
        }
    }
    all
}

fn granted() -> [(&'static str, Vec<Terms>); 3] {
    [("none", Vec::new()), ("wide", vec![wide()]), ("exact", exact())]
}

/// What the gate decides of every combination, without doing any of it.
async fn classified() -> Vec<Seen> {
    let (house, mut all) = (house().await, Vec::new());
    for (stopped, kill) in STOPPED {
        house.gate.set_kill_switch(&Actor::operator(), kill, &Origin::default()).await.unwrap();
        for (grant, terms) in granted() {
            give(&house, terms).await;
            for (combination, at, request) in combinations(stopped, grant) {
                level(&house, at);
                let became = match house.gate.gate().classify(&request).await {
                    Err(refusal) => refused(&refusal),
                    Ok(prepared) => match &prepared.verdict {
                        Verdict::Refuse(refusal) => refused(refusal),
                        Verdict::Ask { .. } => "ask".to_owned(),
                        Verdict::Run { grant: Some(_), .. } => "granted".to_owned(),
                        Verdict::Run { grant: None, .. } => "run".to_owned(),
                    },
                };
                all.push(Seen { combination, became, effects: 0 });
            }
            take_all_back(&house).await;
        }
    }
    assert_eq!(all.len(), 5 * 5 * 7 * 2 * 3 * 5 * 3);
    all
}

#[tokio::test]
async fn every_combination_becomes_what_the_table_says() {
    let (mut table, all) = (table(), classified().await);
    let (faults, decided) = against(&table, &all);
    assert_eq!(faults, [""; 0]);
    // A row that decides nothing could say anything.
    assert!(decided.iter().all(|count| *count > 0), "{decided:?}");
    // Sabotage: no row can say anything else, and nothing can happen that is not said.
    for row in 0..table.len() {
        let other = if table[row].becomes == "run" { "ask" } else { "run" };
        let said = std::mem::replace(&mut table[row].becomes, other.to_owned());
        assert_eq!(against(&table, &all).0.len(), decided[row], "row {row}");
        table[row].becomes = said;
    }
    let stray = |seen: &Seen| Seen { effects: 1, ..seen.clone() };
    let asked = all.iter().find(|seen| seen.became == "ask").unwrap();
    let ran = all.iter().find(|seen| seen.became == "granted").unwrap();
    assert_eq!(against(&table, &[stray(asked)]).0.len(), 1);
    assert_eq!(against(&table, &[stray(ran)]).0.len(), 0);
    assert_eq!(against(&table, &[Seen { effects: 2, ..ran.clone() }]).0.len(), 1);
}

/// What the table says is also what happens when each is called: nothing is done that it does not let run.
async fn called(stopped: &'static str, kill: KillSwitch) {
    let (house, mut all) = (house().await, Vec::new());
    house.gate.set_kill_switch(&Actor::operator(), kill, &Origin::default()).await.unwrap();
    for (grant, terms) in granted() {
        let mut given = None;
        for (combination, at, request) in combinations(stopped, grant) {
            level(&house, at);
            // Questions lapse, and what was repeated lies long back.
            house.clock.turn(2 * 60 * 60 * 1000);
            if given.is_none_or(|at| house.clock.now() - at > MONTH / 2) {
                take_all_back(&house).await;
                give(&house, terms.clone()).await;
                given = Some(house.clock.now());
            }
            let before = house.effects().len();
            let became = match house.gate.call(request).await {
                Answer::Ran(outcome) if outcome.rule.starts_with("granted by ") => "granted".to_owned(),
                Answer::Ran(_) => "run".to_owned(),
                Answer::Waiting(_) => "ask".to_owned(),
                Answer::Refused(refusal) => refused(&refusal),
            };
            let effects = house.effects().len() - before;
            let ran = ["run", "granted"].contains(&became.as_str());
            // What asks a lamp's maker leaves the lamp as it is.
            assert_eq!(effects, usize::from(ran && combination[0] != "out"), "{combination:?}");
            all.push(Seen { combination, became, effects });
        }
    }
    assert_eq!(against(&table(), &all).0, [""; 0]);
}

#[tokio::test]
async fn what_is_called_does_what_the_table_says() {
    called("off", KillSwitch::Off).await;
}

#[tokio::test]
async fn while_effects_are_stopped_only_reads_are_done() {
    called("effects", KillSwitch::Effects).await;
}

#[tokio::test]
async fn while_all_is_stopped_nothing_is_done() {
    called("all", KillSwitch::All).await;
}
