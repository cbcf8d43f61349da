//! Secrets that nobody else has, the forms in which they are planted, and what would be left of them.

use std::fmt::Write as _;

use crate::chance::Chance;

const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// What makes forms differ from each other.
const EDGES: [&str; 6] = ["", "/", "+\"", "\\ü", "%&=", "'<€>"];

/// A secret.
#[derive(Debug, Clone)]
pub(super) struct Canary {
    pub(super) name: String,
    pub(super) value: String,
    /// The letters within it, which look the same in most forms.
    core: String,
}

impl Canary {
    pub(super) fn new(number: usize, chance: &mut Chance) -> Self {
        let length = chance.between(14, 30);
        let letter = |chance: &mut Chance| chance.pick(LETTERS).map_or('x', |letter| char::from(*letter));
        let core: String = (0..length).map(|_| letter(chance)).collect();
        let edge = |chance: &mut Chance| chance.pick(&EDGES).copied().unwrap_or_default();
        let value = format!("{}{core}{}", edge(chance), edge(chance));
        Self { name: format!("canary-{number}"), value, core }
    }

    /// The seven forms in which it stands in a text, each with something around it.
    pub(super) fn forms(&self) -> Vec<String> {
        let Self { value, .. } = self;
        vec![
            format!("is {value}."),
            base64(format!("{value} it is").as_bytes()),
            base64(format!("a{value} it is").as_bytes()),
            base64(format!("ab{value} it is").as_bytes()),
            hex(format!("x{value}y").as_bytes()),
            format!("https://x.test/?t={}&u=1", percent(value)),
            serde_json::json!({ "token": value }).to_string(),
        ]
    }

    /// Name of a folder that gives it away.
    pub(super) fn folder(&self) -> String {
        hex(self.value.as_bytes())
    }

    /// Name of a link to that folder, which says nothing.
    pub(super) fn link(&self) -> String {
        format!("{}.link", self.name)
    }

    /// What stands where it was struck out.
    pub(super) fn mark(&self) -> String {
        format!("[secret {}]", self.name)
    }

    /// What an unstruck form would leave behind: parts of it that no accident makes.
    pub(super) fn traces(&self) -> Vec<String> {
        let middle = &self.core[1..12];
        let mut traces = vec![middle.to_owned(), hex(middle.as_bytes()), middle.chars().rev().collect()];
        for shift in 0..3 {
            let text = base64(&[&b"ab"[..shift], middle.as_bytes()].concat());
            // The first and the last characters are also made of what stands around.
            traces.push(text[4..14].to_owned());
        }
        traces
    }
}

fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let number = group.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = BASE64[(number >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut told, byte| {
        let _ = match byte {
            byte if byte.is_ascii_alphanumeric() => write!(told, "{}", char::from(byte)),
            byte => write!(told, "%{byte:02X}"),
        };
        told
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (plain, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(plain.as_bytes()), text);
        }
    }

    #[test]
    fn every_form_leaves_a_trace() {
        let (mut chance, _) = Chance::new(Some(7)).unwrap();
        for number in 0..200 {
            let canary = Canary::new(number, &mut chance);
            for form in canary.forms() {
                assert!(canary.traces().iter().any(|trace| form.contains(trace.as_str())), "{canary:?}: {form}");
            }
        }
    }
}
