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

/// K-24.
#[test]
fn of_equally_strict_rules_the_first_wins() {
    let rule = |name: &str, then: &str| format!("[[rule]]\nname='{name}'\nthen='{then}'\nrefused=[{{tool='x'}}]\n");
    for then in ["ask", "refuse"] {
        let policy = Policy::parse(&format!("{}{}", rule("one", then), rule("two", then))).unwrap();
        let found = policy.tightening("x", &json!({}), &Target::new("container", "1", "web"), "a").unwrap();
        let (Tightening::Ask { rule } | Tightening::Refuse { rule, .. }) = found;
        assert_eq!(rule, "one", "{then}");
    }
}

/// K-24.
#[test]
fn a_rule_fits_only_where_tool_target_actor_and_arguments_all_do() {
    let text = "[[rule]]\nname='r'\ntool='t*'\ntarget='web'\nactor='token:*'\nwhen={deep='true',why='x*'}\nthen='ask'\n\
                refused=[{tool='tt',target='web',actor='token:a',args={deep=true,why='xy'}}]\n";
    let policy = Policy::parse(text).unwrap();
    assert_eq!(policy.example_tools().collect::<Vec<_>>(), ["tt"]);
    assert_ne!(policy.version(), Policy::default().version());
    let args = json!({ "deep": true, "why": "xy" });
    let fits = |tool: &str, args: &serde_json::Value, id: &str, name: &str, actor: &str| {
        policy.tightening(tool, args, &Target::new("container", id, name), actor).is_some()
    };
    assert!(fits("tt", &args, "1", "web", "token:a"));
    assert!(fits("tt", &args, "web", "other", "token:a"), "by the target's id too");
    assert!(!fits("u", &args, "1", "web", "token:a"));
    assert!(!fits("tt", &args, "1", "other", "token:a"));
    assert!(!fits("tt", &args, "1", "web", "local"));
    for other in [json!({ "deep": false, "why": "xy" }), json!({ "deep": true, "why": "y" }), json!({ "deep": true })] {
        assert!(!fits("tt", &other, "1", "web", "token:a"), "{other}");
    }
}

/// K-22.
#[test]
fn a_rule_may_want_a_tool_asked_that_its_pattern_fits_and_a_rule_that_refuses_wants_none() {
    let rule = |tool: &str, then: &str| {
        format!("[[rule]]\nname='r'\n{tool}target='web'\nthen='{then}'\nrefused=[{{tool='tt',target='web'}}]\n")
    };
    let asks = |text: &str, tool: &str| Policy::parse(text).unwrap().asks(tool);
    let of_some = rule("tool='t*'\n", "ask");
    assert!(asks(&of_some, "tt") && !asks(&of_some, "u"));
    assert!(asks(&rule("", "ask"), "u"), "a rule without a tool is of each");
    assert!(!asks(&rule("", "refuse"), "tt"));
    assert!(asks(&format!("{}{of_some}", rule("", "refuse")), "tt"), "any of them");
    assert!(!Policy::default().asks("tt"));
}
