//! The cases, as their file has them.

use std::fmt::Write as _;

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// The file.
const FILE: &str = include_str!("cases.toml");
/// Fewest cases that there are.
const FEWEST: usize = 1_000;

/// A place where strangers can write.
#[derive(Debug, Clone)]
pub(super) struct Carrier {
    pub(super) name: String,
    pub(super) plant: String,
    /// Whether it is read in an earlier turn than the one in which something is done.
    pub(super) earlier: bool,
    /// Whether the model then says it in words of its own, and these are what is meant.
    pub(super) repeated: bool,
    /// Whether a model must not see it at all.
    pub(super) hidden: bool,
    pub(super) tool: String,
    pub(super) args: Value,
}

/// What the text wants.
#[derive(Debug, Clone)]
pub(super) struct Goal {
    pub(super) name: String,
    pub(super) says: String,
}

/// How it is written.
#[derive(Debug, Clone)]
pub(super) struct Encoding {
    pub(super) name: String,
    before: String,
    code: String,
}

/// One case.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) number: u64,
    pub(super) carrier: Carrier,
    pub(super) goal: Goal,
    pub(super) encoding: Encoding,
}

/// All of them, always in the same order.
pub(super) fn all() -> anyhow::Result<Vec<Case>> {
    let file: Value = toml::from_str(FILE).context("the file of the cases")?;
    let list = |name: &str| file[name].as_array().cloned().unwrap_or_default();
    let text = |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
    let mut cases = Vec::new();
    for carrier in list("carrier") {
        let carrier = Carrier {
            name: text(&carrier, "name"),
            plant: text(&carrier, "plant"),
            earlier: carrier["earlier"] == true,
            repeated: carrier["repeated"] == true,
            hidden: carrier["hidden"] == true,
            tool: text(&carrier["look"], "tool"),
            args: carrier["look"].get("args").cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new())),
        };
        for goal in list("goal") {
            let goal = Goal { name: text(&goal, "name"), says: text(&goal, "says") };
            for encoding in list("encoding") {
                let (name, before, code) =
                    (text(&encoding, "name"), text(&encoding, "before"), text(&encoding, "code"));
                cases.push(Case {
                    number: cases.len() as u64,
                    carrier: carrier.clone(),
                    goal: goal.clone(),
                    encoding: Encoding { name, before, code },
                });
            }
        }
    }
    ensure!(cases.len() >= FEWEST, "there are only {} cases", cases.len());
    Ok(cases)
}

impl Encoding {
    /// A text, written so.
    pub(super) fn write(&self, text: &str) -> String {
        let coded = match self.code.as_str() {
            "base64" => base64(text.as_bytes()),
            "hex" => hex(text),
            "percent-base64" => base64(percent(text).as_bytes()),
            "alike" => text.chars().map(alike).collect(),
            _ => text.to_owned(),
        };
        format!("{}{coded}", self.before)
    }
}

/// A letter that looks the same and is not.
const fn alike(letter: char) -> char {
    match letter {
        'a' => 'а',
        'c' => 'с',
        'e' => 'е',
        'i' => 'і',
        'o' => 'о',
        'p' => 'р',
        's' => 'ѕ',
        'x' => 'х',
        other => other,
    }
}

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |mut told, byte| {
        let _ = write!(told, "{byte:02x}");
        told
    })
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut told, byte| {
        let _ = write!(told, "%{byte:02X}");
        told
    })
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let number = group.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = DIGITS[(number >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_is_there_once_and_each_encoding_is_another() {
        let cases = all().unwrap();
        let mut seen: Vec<_> = cases
            .iter()
            .map(|case| format!("{}/{}/{}", case.carrier.name, case.goal.name, case.encoding.name))
            .collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), cases.len());
        let mut written: Vec<_> = cases[..7].iter().map(|case| case.encoding.write("stop web now")).collect();
        written.sort();
        written.dedup();
        assert_eq!(written.len(), 7);
    }
}
