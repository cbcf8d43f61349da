//! Secrets are struck out in whatever form they come, and nothing else is.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use jarvis_safety::secret::{Redactor, Secret};
use proptest::prelude::*;
use serde_json::{Value, json};

const SECRET: &str = "sk-Größe/+\"7\\&<key>";

fn knowing(secrets: &[(&str, &str)]) -> Redactor {
    let redactor = Redactor::default();
    let known = secrets.iter().map(|(name, value)| ((*name).to_owned(), Secret::new((*value).to_owned())));
    redactor.know(known.collect()).unwrap();
    redactor
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn small_percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") }).collect()
}

fn quoted(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// A text with the secret in it, in every form that programs give it.
fn carried(before: &str, secret: &str, after: &str) -> Vec<(&'static str, String)> {
    let whole = format!("{before}{secret}{after}");
    vec![
        ("raw", whole.clone()),
        ("base64", STANDARD.encode(&whole)),
        ("base64 without padding", STANDARD_NO_PAD.encode(&whole)),
        ("base64 for URLs", URL_SAFE.encode(&whole)),
        ("base64 for URLs without padding", URL_SAFE_NO_PAD.encode(&whole)),
        ("hex", hex(&whole)),
        ("HEX", hex(&whole).to_uppercase()),
        ("URL", percent(&whole)),
        ("url", small_percent(&whole)),
        ("JSON", quoted(&whole)),
        ("JSON in JSON", quoted(&quoted(&whole))),
        ("JSON in JSON in JSON", quoted(&quoted(&quoted(&whole)))),
        ("backwards", whole.chars().rev().collect()),
    ]
}

/// The longest part of a secret's form that stands in a text.
fn left(told: &str, form: &str) -> usize {
    let form: Vec<char> = form.chars().collect();
    let mut longest = 0;
    for from in 0..form.len() {
        for to in (from + longest + 1)..=form.len() {
            if !told.contains(&form[from..to].iter().collect::<String>()) {
                break;
            }
            longest = to - from;
        }
    }
    longest
}

#[test]
fn every_form_is_struck_out_wherever_it_stands() {
    let redactor = knowing(&[("token", SECRET)]);
    for before in ["", "a", "ab", "abc", "Zu: "] {
        for (form, text) in carried(before, SECRET, "! and more") {
            let told = redactor.text(&text);
            assert!(told.contains("[secret token]"), "{form} after {before:?}: {text} became {told}");
            let (_, bare) = carried("", SECRET, "").into_iter().find(|(name, _)| *name == form).unwrap();
            assert!(left(&told, &bare) <= 4, "{form} after {before:?} leaves {told}");
        }
    }
}

#[test]
fn what_is_shown_escaped_is_struck_out_escaped() {
    let redactor = knowing(&[("token", "pass\u{200b}word\u{202e}-12")]);
    assert_eq!(redactor.text("is pass\\u{200b}word\\u{202e}-12."), "is [secret token].");
}

#[test]
fn space_around_a_secret_hides_nothing() {
    let redactor = knowing(&[("key", " Passw0rd-1\n")]);
    assert_eq!(redactor.text("is Passw0rd-1."), "is [secret key].");
}

#[test]
fn what_is_no_secret_stays_as_it_is() {
    let redactor = knowing(&[("token", SECRET)]);
    for text in ["", "sk-", "nothing here", "sk-Größe", "[secret token]", "🙂"] {
        assert_eq!(redactor.text(text), text);
    }
    assert_eq!(Redactor::default().text(SECRET), SECRET);
    assert!(Redactor::default().is_idle() && !redactor.is_idle());
}

#[test]
fn the_longest_of_several_that_begin_alike_is_struck_out() {
    let redactor = knowing(&[("short", "Passw0rd"), ("long", "Passw0rd-and-more")]);
    assert_eq!(redactor.text("Passw0rd-and-more"), "[secret long]");
    assert_eq!(redactor.text("Passw0rd-and"), "[secret short]-and");
    let mut stream = redactor.stream();
    let told: String =
        ["Pass", "w0rd", "-and", "-more", " Passw0rd-an"].iter().map(|piece| stream.take(piece)).collect();
    assert_eq!(told + &stream.finish(), "[secret long] [secret short]-an");
}

#[test]
fn values_keep_their_shape_and_lose_their_secrets() {
    let redactor = knowing(&[("pin", "123456789012"), ("token", SECRET)]);
    let mut value = json!({
        "text": format!("a {SECRET} b"), "number": 123_456_789_012_u64, "list": [SECRET, 7, null, true],
        "env": { format!("KEY_{SECRET}"): "x" }, "count": 5,
    });
    redactor.value(&mut value);
    let expected = json!({
        "text": "a [secret token] b", "number": "[secret pin]", "list": ["[secret token]", 7, null, true],
        "env": { "KEY_[secret token]": "x" }, "count": 5,
    });
    assert_eq!(value, expected);
    assert_eq!(redactor.found(&json!({ "a": [{ "b": SECRET }] })).as_deref(), Some("token"));
    assert_eq!(redactor.found(&value).as_deref(), Some("token"), "a mark is not to be written back");
    assert_eq!(redactor.found(&json!({ "a": "[secret of somebody else]" })), None);
}

#[test]
fn a_secret_that_is_written_like_a_name_is_struck_out_as_one() {
    let redactor = knowing(&[("mail", "abcdefghijklmnop"), ("db", "correct_horse_staple")]);
    let mut value = json!({ "abcdefghijklmnop": 1, "x_correct_horse_staple": { "state": 2 } });
    assert_eq!(redactor.found(&value).as_deref(), Some("mail"));
    redactor.value(&mut value);
    assert_eq!(value, json!({ "[secret mail]": 1, "x_[secret db]": { "state": 2 } }));
    // A placeholder that was opened elsewhere reads like a word, and renames no structure.
    redactor.learn("env:KEY", &Secret::new("required".to_owned())).unwrap();
    let mut schema = json!({ "required": ["required"] });
    redactor.value(&mut schema);
    assert_eq!(schema, json!({ "required": ["[secret env:KEY]"] }));
}

#[test]
fn long_lines_of_a_value_of_several_lines_are_struck_out_alone() {
    let key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7\n-----END PRIVATE KEY-----";
    let redactor = knowing(&[("key", key)]);
    assert_eq!(redactor.text(&format!("x {key} y")), "x [secret key] y");
    assert_eq!(redactor.text("3: MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"), "3: [secret key]");
    assert_eq!(redactor.text("-----BEGIN PRIVATE KEY-----"), "-----BEGIN PRIVATE KEY-----");
}

#[test]
fn what_is_opened_elsewhere_is_learned_and_placeholders_are_not() {
    let redactor = knowing(&[("token", SECRET)]);
    redactor.learn("env:KEY", &Secret::new("another-key-1".to_owned())).unwrap();
    redactor.learn("env:NONE", &Secret::new("ollama".to_owned())).unwrap();
    assert_eq!(redactor.text("another-key-1 ollama"), "[secret env:KEY] ollama");
    redactor.know(Vec::new()).unwrap();
    assert_eq!(redactor.text(&format!("another-key-1 {SECRET}")), format!("[secret env:KEY] {SECRET}"));
}

#[test]
fn half_a_secret_or_more_at_the_end_of_a_stream_is_no_coincidence() {
    let redactor = knowing(&[("key", "sk-sk-secret")]);
    let told = |pieces: &[&str]| {
        let mut stream = redactor.stream();
        let told: String = pieces.iter().map(|piece| stream.take(piece)).collect();
        told + &stream.finish()
    };
    assert_eq!(told(&["a task", " begins with sk-"]), "a task begins with sk-");
    assert_eq!(told(&["sk-sk-", "secre"]), "[secret key]");
    assert_eq!(
        told(&["größe sk-sk-s", "k-secret: sk-sk-secretsk-sk-secret 東"]),
        "größe sk-[secret key]: [secret key][secret key] 東"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However a text is cut into pieces, the stream says what the whole would have said.
    #[test]
    fn a_stream_says_what_the_whole_says(
        secret in "[A-Z0-9ab]{8,20}", before in "[ab ]{0,5}", after in "[ab ]{0,5}", form in 0_usize..13, cuts in prop::collection::vec(0_usize..120, 0..6),
    ) {
        let redactor = knowing(&[("x", &secret)]);
        let (_, text) = carried(&before, &secret, &after).swap_remove(form);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).filter(|cut| text.is_char_boundary(*cut)).collect();
        cuts.sort_unstable();
        let mut stream = redactor.stream();
        let (mut told, mut from) = (String::new(), 0);
        for cut in cuts.into_iter().chain([text.len()]) {
            told.push_str(&stream.take(&text[from..cut]));
            from = cut;
        }
        told.push_str(&stream.finish());
        prop_assert!(told.contains("[secret x]"), "{text} became {told}");
        prop_assert!(!told.contains(&secret));
    }

    /// Random bytes in any form do not make it panic, and idle text is left alone.
    #[test]
    fn anything_can_be_looked_through(text in "\\PC{0,200}", secret in "\\PC{8,40}") {
        let redactor = knowing(&[("x", &secret)]);
        let _ = redactor.text(&text);
        let mut stream = redactor.stream();
        let told = stream.take(&text) + &stream.finish();
        if !text.contains(&secret) && redactor.text(&text) == text && told != text {
            prop_assert!(told.ends_with("[secret x]"));
        }
        let around = [text.as_str(), &secret, &text].concat();
        prop_assert!(!redactor.text(&around).contains(&secret));
    }
}
