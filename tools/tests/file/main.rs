//! The file tools, through the gate, on real files.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod change;
mod closed;
mod read;
#[path = "../support/mod.rs"]
mod support;
mod world;

use jarvis_safety::Tier;

use crate::world::world;

#[tokio::test]
async fn the_family_declares_what_it_is() {
    let world = world().await;
    let tiers: Vec<_> = world
        .gate
        .registry()
        .described()
        .map(|tool| (tool.spec.name, tool.spec.tier, tool.spec.examples.len()))
        .collect();
    let names: Vec<_> = tiers.iter().map(|(name, tier, _)| (*name, *tier)).collect();
    assert_eq!(
        names,
        [
            ("file_list", Tier::Green),
            ("file_read", Tier::Green),
            ("file_remove", Tier::Yellow),
            ("file_restore", Tier::Yellow),
            ("file_search", Tier::Green),
            ("file_write", Tier::Yellow),
        ]
    );
    assert!(tiers.iter().all(|(_, _, examples)| *examples >= 4));
    let write = world.gate.registry().describe("file_write").unwrap();
    assert_eq!(write.input["properties"]["path"]["x-entity"], "path");
}
