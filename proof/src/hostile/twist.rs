//! What is made of a JSON value that fits: one change, in a field or in the text.

use serde_json::{Value, json};

use crate::chance::Chance;

/// Stands where something goes that no JSON value can hold.
const HOLE: &str = "@@hole@@";

/// What is put in the place of a value, to the letter.
const TOKENS: [&str; 52] = [
    "null",
    "true",
    "-1",
    "0",
    "1.5",
    "1e999",
    "-1e400",
    "1e-400",
    "-0",
    "0.1e1",
    "1E5",
    "2147483648",
    "9007199254740993",
    "9223372036854775808",
    "18446744073709551616",
    "-9223372036854775809",
    "12345678901234567890123456789012345678901234567890",
    "[]",
    "{}",
    "[[[]]]",
    "[null]",
    "{\"a\":1,\"a\":2}",
    "{\"\":{}}",
    "\"\"",
    "\" \"",
    "\"\\u0000\"",
    "\"a\\u0000b.txt\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\u202e\\u2066evil\"",
    "\"\\u001b[2J\\u0007\"",
    "\"\\u200b\"",
    "\"\\ufeff\"",
    "\"<script>zzhtml()</script>\"",
    "\"../../../../etc/passwd\"",
    "\"/etc/passwd\"",
    "\"..\\\\..\\\\x\"",
    "\"secret://kept\"",
    "\"' or 1=1 --\"",
    "\"%s%n%x\"",
    "\"\\r\\nX-Injected: yes\"",
    "\"${jndi:ldap://127.0.0.1:9/x}\"",
    "\"{{7*7}}\"",
    "NaN",
    "Infinity",
    "01",
    "+1",
    ".5",
    "'a'",
    "undefined",
    "\"\\x41\"",
    "\"unfinished",
];

/// A text that may or may not be taken.
pub(super) fn twist(value: &Value, chance: &mut Chance) -> Vec<u8> {
    match chance.between(0, 100) {
        0..55 => {
            let token = chance.pick(&TOKENS).copied().unwrap_or("null").to_owned();
            replaced(value, &token, chance)
        }
        55..65 => {
            let grown = grown(chance);
            replaced(value, &grown, chance)
        }
        65..75 => without(value, chance),
        _ => spoil(value, chance),
    }
}

/// A text that can never be taken: an object was due, and this is none, or says something twice, or what nobody knows.
pub(super) fn spoil(value: &Value, chance: &mut Chance) -> Vec<u8> {
    let text = value.to_string().into_bytes();
    let inside = text.get(1..).unwrap_or_default();
    let empty = inside.len() <= 1;
    let with = |before: &[u8]| [before, if empty { b"" } else { b"," }, inside].concat();
    match chance.between(0, 15) {
        0 => text[..text.len().saturating_sub(1)].to_vec(),
        1 => [&text[..], &text].concat(),
        2 => [b"[", &text[..], b"]"].concat(),
        3 => with(b"{\"surprise\":1"),
        4 => with(b"{\"surprise\":1,\"surprise\":1"),
        5 => with(format!("{{\"deep\":{}{}", "[".repeat(20_000), "]".repeat(20_000)).as_bytes()),
        6 => with(b"{\"\xff\xfe\":1"),
        7 => with(b"{\"a\x00\":1"),
        8 => [b"{'a':1}", &text[..]].concat(),
        9 => [b"// a comment\n", &text[..]].concat(),
        10 => [&text[..text.len().saturating_sub(1)], b",}"].concat(),
        11 => with(b"{\"\\u001b[2J\\u202e\":1"),
        12 => chance
            .pick(&[&b"null"[..], b"\"\"", b"7", b"[]", b"true", b"\x00", b"\x1f\x8b\x08"])
            .map_or(vec![], |it| it.to_vec()),
        13 => with(b"{\"__proto__\":{\"admin\":true}"),
        _ => with(format!("{{\"{}\":1", "k".repeat(70_000)).as_bytes()),
    }
}

/// The text with something else in the place of one of its values.
fn replaced(value: &Value, token: &str, chance: &mut Chance) -> Vec<u8> {
    let mut places = Vec::new();
    list(value, String::new(), &mut places);
    let mut changed = value.clone();
    let place = chance.take(&mut places).unwrap_or_default();
    match changed.pointer_mut(&place) {
        Some(found) => *found = json!(HOLE),
        None => return token.as_bytes().to_vec(),
    }
    changed.to_string().replacen(&format!("\"{HOLE}\""), token, 1).into_bytes()
}

/// The text without one of its fields.
fn without(value: &Value, chance: &mut Chance) -> Vec<u8> {
    let mut changed = value.clone();
    let mut names: Vec<_> = value.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    if let (Some(name), Some(fields)) = (chance.take(&mut names), changed.as_object_mut()) {
        fields.remove(&name);
    }
    changed.to_string().into_bytes()
}

/// Where all values stand, the whole left out.
fn list(value: &Value, at: String, places: &mut Vec<String>) {
    if !at.is_empty() {
        places.push(at.clone());
    }
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                list(inner, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), places);
            }
        }
        Value::Array(all) => {
            for (index, inner) in all.iter().enumerate() {
                list(inner, format!("{at}/{index}"), places);
            }
        }
        _ => {}
    }
}

/// Something large.
fn grown(chance: &mut Chance) -> String {
    match chance.between(0, 6) {
        0 => json!("x".repeat(100_000)).to_string(),
        1 => format!("{}1{}", "[".repeat(200), "]".repeat(200)),
        2 => format!("{}1{}", "{\"a\":".repeat(5_000), "}".repeat(5_000)),
        3 => format!("[{}0]", "0,".repeat(20_000)),
        4 => json!("\u{202e}".repeat(300)).to_string(),
        _ => "9".repeat(5_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spoiled_is_no_object_of_known_fields() {
        let (mut chance, _) = Chance::new(Some(3)).unwrap();
        for value in [json!({}), json!({ "name": "a", "n": [1, { "b": 2 }] })] {
            for _ in 0..300 {
                let text = spoil(&value, &mut chance);
                let read: Option<Value> = serde_json::from_slice(&text).ok();
                let known = |it: &Value| it.as_object().is_some_and(|it| it.keys().all(|key| value.get(key).is_some()));
                assert!(!read.as_ref().is_some_and(known), "{}", text.escape_ascii());
            }
        }
    }

    #[test]
    fn a_twist_changes_something() {
        let (mut chance, _) = Chance::new(Some(4)).unwrap();
        let value = json!({ "name": "a", "n": [1, { "b": 2 }] });
        let kept = (0..300).filter(|_| twist(&value, &mut chance) == value.to_string().into_bytes()).count();
        assert_eq!(kept, 0);
    }
}
