//! The forms in which a secret may come out of a tool, a model or an error.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use crate::digest::hex;
use crate::plain::visible;

/// Shorter forms would strike out what only happens to look like it.
const SHORTEST_FORM: usize = 6;
/// Shortest line of a value of several lines that is struck out by itself.
const SHORTEST_LINE: usize = 16;
/// How often JSON may stand as a text within JSON.
const NESTED: usize = 3;

/// A value as it is and as it looks in the encodings that carry it: base64 (both alphabets, wherever it begins in a
/// group of three bytes), hexadecimal, URL, JSON, HTML and backwards. Of a value of several lines each long line too,
/// because outputs and logs go by lines.
pub(super) fn forms(value: &str) -> BTreeSet<String> {
    // Space around it is lost on the way.
    let value = value.trim();
    let mut forms = BTreeSet::new();
    add(value, &mut forms);
    if value.contains('\n') {
        let lines = value.lines().map(str::trim);
        lines.filter(|line| line.len() >= SHORTEST_LINE && !line.contains(' ') && !line.starts_with("-----")).for_each(
            |line| {
                add(line, &mut forms);
            },
        );
    }
    forms.retain(|form| form.len() >= SHORTEST_FORM);
    forms
}

fn add(value: &str, forms: &mut BTreeSet<String>) {
    forms.insert(value.to_owned());
    // As it is shown to people.
    forms.insert(visible(value));
    forms.insert(value.chars().rev().collect());
    for offset in 0..3 {
        let bytes = [&[0; 2][..offset], value.as_bytes()].concat();
        // What neighbours a character of base64 shares with the value cannot be known.
        let (from, to) = ((8 * offset).div_ceil(6), 8 * bytes.len() / 6);
        for text in [STANDARD.encode(&bytes), URL_SAFE.encode(&bytes)] {
            forms.insert(text[from..to].to_owned());
        }
    }
    forms.extend([hex(value.as_bytes()), hex(value.as_bytes()).to_ascii_uppercase()]);
    urls(value, forms);
    let mut escaped = vec![value.to_owned()];
    for _ in 0..NESTED {
        escaped = escaped.iter().flat_map(|text| writings(&json(text))).collect();
        escaped.sort_unstable();
        escaped.dedup();
        forms.extend(escaped.iter().cloned());
    }
    forms.extend([html(value), html(value).replace("&quot;", "&#34;").replace('+', "&#43;")]);
}

/// What programs leave as it is in a URL differs: nothing, what RFC 3986 calls unreserved, what JavaScript's
/// `encodeURIComponent` and `encodeURI` leave, and what a path may hold.
fn urls(value: &str, forms: &mut BTreeSet<String>) {
    for kept in ["", "-_.~", "-_.!~*'()", "-_.!~*'();,/?:@&=+$#", "-_.~!$&'()*+,;=:@", "-_.*"] {
        for upper in [true, false] {
            let text = value.bytes().fold(String::new(), |mut text, byte| {
                let plain = !kept.is_empty() && (byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte));
                let _ = match (plain, upper) {
                    (true, _) => write!(text, "{}", char::from(byte)),
                    (false, true) => write!(text, "%{byte:02X}"),
                    (false, false) => write!(text, "%{byte:02x}"),
                };
                text
            });
            forms.insert(text.replace("%20", "+"));
            forms.insert(text);
        }
    }
}

fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// How programs write the same JSON: with slashes escaped, in nothing but ASCII, and fit for a page of HTML.
fn writings(json: &str) -> [String; 5] {
    let page = json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e");
    [json.to_owned(), json.replace('/', "\\/"), ascii(json, false), ascii(json, true), page]
}

fn ascii(text: &str, upper: bool) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            plain.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = if upper { write!(plain, "\\u{unit:04X}") } else { write!(plain, "\\u{unit:04x}") };
            }
        }
    }
    plain
}

fn html(text: &str) -> String {
    let escapes = [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;"), ("'", "&#39;")];
    escapes.iter().fold(text.to_owned(), |text, (plain, escaped)| text.replace(plain, escaped))
}
