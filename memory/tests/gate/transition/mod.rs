//! The kernel held against its standard, `docs/kernel.md`: each state of a card and of a call is brought about in the
//! real gate over the real store, everything that can happen happens in it, and what is seen must be what the table
//! says: the state after it, the answer, the rows of the audit, and the effects.

mod call;
mod card;
mod switch;
mod table;

use std::sync::Arc;

use jarvis_safety::call::{Origin, Request};
use jarvis_safety::port::{EventFilter, Feed as _};
use jarvis_safety::{Actor, Tier};
use serde_json::json;

use self::switch::{Switch, Wall};
use crate::lamp::{House, request};

const MINUTE: i64 = 60_000;

/// Of whatever is no case's own.
fn nobody() -> Origin {
    Origin { face: "test".to_owned(), ..Origin::default() }
}

/// The house and its wall of lamps.
struct Place {
    house: House,
    wall: Arc<Wall>,
    lamps: usize,
}

/// One state with one event: a lamp of its own, by whose name its rows are found.
#[derive(Clone)]
struct Case {
    lamp: String,
}

impl Place {
    async fn new() -> Self {
        let wall = Arc::new(Wall::default());
        let same = Arc::clone(&wall);
        let house = House::fitted(Arc::new(move |tools, store, _| {
            (tools.with(Switch(Arc::clone(&same))), Arc::new(store.clone()))
        }));
        Self { house: house.await, wall, lamps: 0 }
    }

    fn next(&mut self) -> Case {
        self.lamps += 1;
        Case { lamp: format!("lamp {}", self.lamps) }
    }

    /// The process is killed and started again.
    async fn restart(self) -> Self {
        Self { house: self.house.killed().await, ..self }
    }

    /// The newest row that is committed: one of another thread may not have been made known yet.
    async fn newest(&self) -> u64 {
        let newest = self.house.store.before(i64::MAX.cast_unsigned(), &EventFilter::default(), 1).await.unwrap();
        newest[0].seq
    }

    /// Kinds of the rows of a case since one, in order.
    async fn told(&self, case: &Case, since: u64) -> String {
        let all = self.house.store.after(since, &EventFilter::default(), 500).await.unwrap();
        let own = all.into_iter().filter(|event| event.correlation == case.lamp);
        let told: Vec<_> = own.map(|event| event.kind.as_str()).collect();
        if told.is_empty() { "-".to_owned() } else { told.join(" ") }
    }
}

impl Case {
    fn origin(&self) -> Origin {
        Origin { face: "test".to_owned(), correlation: self.lamp.clone(), ..Origin::default() }
    }

    fn switch(&self, actor: &Actor, tier: Tier, suffix: &str) -> Request {
        let args = json!({ "lamp": format!("{}{suffix}", self.lamp), "tier": tier });
        Request { origin: self.origin(), ..request(actor, "lamp_switch", args) }
    }

    /// Where a run on the lamp stops.
    fn run(&self) -> String {
        format!("run {}", self.lamp)
    }
}

/// A rule of the standard is held by a test that names it, and no test names one that there is not.
#[test]
fn every_rule_of_the_standard_is_named_by_a_test() {
    let standard = include_str!("../../../../docs/kernel.md");
    let rules = |text: &str| {
        let found = text.match_indices("K-").map(|(at, _)| text[at + 2..].split(|c: char| !c.is_ascii_digit()).next());
        let found = found.flatten().filter(|digits| !digits.is_empty());
        found.map(|digits| digits.parse::<u32>().unwrap()).collect::<std::collections::BTreeSet<_>>()
    };
    let stated: Vec<_> = standard
        .lines()
        .filter(|line| line.starts_with("**K-"))
        .flat_map(|line| {
            let number = line[4..].split('.').next();
            number.map(|number| number.parse::<u32>().unwrap())
        })
        .collect();
    assert_eq!(stated, (1..=stated.len() as u32).collect::<Vec<_>>(), "numbered in order");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut named = std::collections::BTreeSet::new();
    for folder in ["memory/tests/gate", "memory/tests/gate/race", "memory/tests/gate/transition", "safety/tests"] {
        for file in std::fs::read_dir(root.join(folder)).unwrap().map(|file| file.unwrap().path()) {
            if file.extension().is_some_and(|ending| ending == "rs") {
                named.extend(rules(&std::fs::read_to_string(file).unwrap()));
            }
        }
    }
    assert_eq!(named, stated.into_iter().collect(), "named in tests, stated in the standard");
}
