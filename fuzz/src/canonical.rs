//! Canonical JSON (`safety/src/json.rs`): what is read is what another reading finds, or refused where that refuses; what
//! is written is RFC 8785; and reading what was written changes nothing.

use jarvis_safety::json;
use serde_json::Value;

use crate::reading;
use crate::sabotage::Sabotage;

pub(crate) fn holds(data: &[u8], sabotage: Sabotage) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if sabotage == Sabotage::Endless && text.contains("[[[[") {
        loop {
            std::hint::spin_loop();
        }
    }
    let tree = reading::read(text);
    let value = match (json::parse(text), &tree) {
        (Ok(value), Some(tree)) => {
            assert!(tree.is(&value), "read as {value}, and by another reader as {tree:?}");
            value
        }
        (Err(refused), None) => {
            assert!(!refused.to_string().is_empty(), "refused without a word");
            return;
        }
        (Ok(value), None) => panic!("read as {value}, and it means more than one thing"),
        (Err(refused), Some(tree)) => panic!("refused ({refused}), and it means one thing: {tree:?}"),
    };
    if sabotage == Sabotage::Hoard && value.is_object() {
        std::mem::forget(vec![1_u8; 1 << 20]);
    }
    let written = canonical(&value, sabotage);
    let mut expected = String::new();
    if let Some(tree) = tree {
        tree.write(&mut expected);
    }
    assert_eq!(written, expected, "the canonical form is RFC 8785");
    let again = json::parse(&written).unwrap_or_else(|refused| panic!("{written} cannot be read again: {refused}"));
    assert_eq!(canonical(&again, sabotage), written, "reading the canonical form changes nothing");
    assert_eq!(json::size(&value), value.to_string().len(), "the size is that of the text");
}

fn canonical(value: &Value, sabotage: Sabotage) -> String {
    if sabotage == Sabotage::AlwaysQuick {
        return value.to_string();
    }
    json::canonical(value).unwrap_or_else(|refused| panic!("{value} has no canonical form: {refused}"))
}
