//! The policy file: it only tightens, and proves itself by its own examples.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]

use jarvis_safety::Target;
use jarvis_safety::kernel::{Policy, Tightening};
use serde_json::json;

const RULE: &str = r#"
    [[rule]]
    name = "databases keep running"
    tool = "docker_*"
    target = "postgres*"
    then = "refuse"
    because = "stop it by hand"
    refused = [{ tool = "docker_stop", target = "postgres-15" }]
    accepted = [{ tool = "docker_stop", target = "web" }]
"#;

/// K-24.
#[test]
fn a_rule_is_held_against_its_own_examples_at_load() {
    assert!(Policy::parse(RULE).is_ok());
    let wrong = RULE.replace("target = \"web\"", "target = \"postgres\"");
    assert!(Policy::parse(&wrong).unwrap_err().to_string().contains("accepted example 1 is caught by it"));
    let typo = RULE.replace("\"docker_*\"", "\"doker_*\"");
    assert!(Policy::parse(&typo).unwrap_err().to_string().contains("refused example 1 is not caught by it"));
}

#[test]
fn a_wrong_key_is_named_with_its_line() {
    let error = Policy::parse("[[rule]]\nnmae = \"x\"\n").unwrap_err().to_string();
    assert!(error.contains("nmae") && error.contains('2'), "{error}");
}

/// K-24.
#[test]
fn the_strictest_fitting_rule_wins() {
    let ask = "[[rule]]\nname='all'\nthen='ask'\nrefused=[{tool='x'}]\n";
    let policy = Policy::parse(&format!("{ask}{RULE}")).unwrap();
    let found = |name: &str| policy.tightening("docker_stop", &json!({}), &Target::new("container", "1", name), "a");
    assert!(matches!(found("postgres"), Some(Tightening::Refuse { .. })));
    assert!(matches!(found("web"), Some(Tightening::Ask { .. })));
}
