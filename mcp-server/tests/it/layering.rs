//! The floors of the house: no arrow runs up, and rooms on one floor do not see each other.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// Which of ours each room may name.
const MAY: [(&str, &[&str]); 11] = [
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
    // A checker that shared code with what it checks would share its mistakes.
    ("jarvis-proof", &[]),
    // The readers that it tries are compiled there from the rooms' own files.
    ("jarvis-fuzz", &["jarvis-safety"]),
];

/// Crates that one room alone may name.
const OWNED: [(&str, &[&str]); 10] = [
    ("bollard", &["jarvis-tools"]),
    ("zbus", &["jarvis-tools"]),
    ("cap-std", &["jarvis-tools"]),
    // The fuzzer reads the same message the usual way.
    ("rmcp", &["jarvis-mcp-server", "jarvis-fuzz"]),
    ("tantivy", &["jarvis-memory"]),
    // The proof reads the database file by queries of its own.
    ("sqlx", &["jarvis-memory", "jarvis-proof"]),
    ("rusqlite", &["jarvis-memory"]),
    ("async-openai", &["jarvis-agents"]),
    ("minijinja", &["jarvis-agents"]),
    ("utoipa-axum", &["jarvis-web"]),
];

/// What the tests of each room may name beside: the real store instead of a double of it.
const IN_TESTS: [(&str, &[&str]); 3] =
    [("jarvis-tools", &["jarvis-memory"]), ("jarvis-agents", &["jarvis-memory"]), ("jarvis-web", &["jarvis-memory"])];

/// What each package names: for its code, and for its tests.
fn dependencies(tests: bool) -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version=1", "--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap();
    let of = |package: &Value| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        dependencies.filter(|needed| (needed["kind"] == "dev") == tests).map(name).collect()
    };
    packages.iter().map(|package| (name(package), of(package))).collect()
}

#[test]
fn no_arrow_runs_up_and_rooms_on_one_floor_do_not_see_each_other() {
    let (graph, in_tests) = (dependencies(false), dependencies(true));
    assert_eq!(graph.len(), MAY.len(), "every room is in the table: {:?}", graph.keys());
    for (room, allowed) in MAY {
        for needed in graph[room].iter().filter(|name| name.starts_with("jarvis-") || *name == "xtask") {
            assert!(allowed.contains(&needed.as_str()), "{room} must not know {needed}");
        }
        let beside = IN_TESTS.iter().find(|(other, _)| *other == room).map_or(&[][..], |(_, beside)| beside);
        for needed in in_tests[room].iter().filter(|name| name.starts_with("jarvis-")) {
            assert!(
                allowed.contains(&needed.as_str()) || beside.contains(&needed.as_str()),
                "the tests of {room} must not know {needed}"
            );
        }
    }
}

#[test]
fn each_heavy_crate_is_named_in_one_room() {
    for (room, needed) in dependencies(false) {
        for (foreign, owners) in OWNED {
            let named = needed.iter().any(|name| name == foreign);
            assert!(!named || owners.contains(&room.as_str()), "{room} must not name {foreign}");
        }
    }
}
