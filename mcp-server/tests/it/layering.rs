//! The floors of the house: no arrow runs up, and rooms on one floor do not see each other.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// Which of ours each room may name.
const MAY: [(&str, &[&str]); 9] = [
    ("jarvis-safety", &[]),
    ("jarvis-client", &[]),
    ("jarvis-memory", &["jarvis-safety"]),
    ("jarvis-tools", &["jarvis-safety"]),
    ("jarvis-agents", &["jarvis-safety"]),
    ("jarvis-bots", &["jarvis-client"]),
    ("jarvis-web", &["jarvis-safety", "jarvis-agents", "jarvis-client"]),
    (
        "jarvis-mcp-server",
        &["jarvis-safety", "jarvis-client", "jarvis-memory", "jarvis-tools", "jarvis-agents", "jarvis-web"],
    ),
    ("xtask", &[]),
];

/// Crates that one room alone may name.
const OWNED: [(&str, &[&str]); 9] = [
    ("bollard", &["jarvis-tools"]),
    ("zbus", &["jarvis-tools"]),
    ("cap-std", &["jarvis-tools"]),
    ("rmcp", &["jarvis-mcp-server"]),
    ("tantivy", &["jarvis-memory"]),
    ("sqlx", &["jarvis-memory"]),
    ("async-openai", &["jarvis-agents"]),
    ("minijinja", &["jarvis-agents"]),
    ("utoipa-axum", &["jarvis-web"]),
];

fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| (name(package), package["dependencies"].as_array().unwrap().iter().map(name).collect()))
        .collect()
}

#[test]
fn no_arrow_runs_up_and_rooms_on_one_floor_do_not_see_each_other() {
    let graph = dependencies();
    assert_eq!(graph.len(), MAY.len(), "every room is in the table: {:?}", graph.keys());
    for (room, allowed) in MAY {
        for needed in graph[room].iter().filter(|name| name.starts_with("jarvis-") || *name == "xtask") {
            assert!(allowed.contains(&needed.as_str()), "{room} must not know {needed}");
        }
    }
}

#[test]
fn each_heavy_crate_is_named_in_one_room() {
    for (room, needed) in dependencies() {
        for (foreign, owners) in OWNED {
            let named = needed.iter().any(|name| name == foreign);
            assert!(!named || owners.contains(&room.as_str()), "{room} must not name {foreign}");
        }
    }
}
