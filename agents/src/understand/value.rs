//! Values that a sentence carries: numbers, spans of time, quotations, addresses, paths and image references.

use super::token::{Shape, Token};

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// A number, with the word that follows it.
    Count(u64, String),
    /// A span of time in seconds.
    Span(u64),
    /// Words in quotes, or words whose place says that they are meant literally.
    Text(String),
    /// An http address.
    Url(String),
    /// A path or file name.
    Path(String),
    /// An image with registry, owner or tag.
    Image(String),
    /// An id that Jarvis gave: what it is of, and 26 characters.
    Id(String),
}

/// A value and the tokens that say it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Said {
    pub(super) value: Value,
    pub(super) from: usize,
    pub(super) to: usize,
}

const FILE_ENDINGS: [&str; 34] = [
    "txt", "md", "log", "conf", "cfg", "yml", "yaml", "json", "toml", "ini", "env", "sh", "py", "xml", "csv", "html",
    "gz", "zip", "tar", "sql", "bak", "js", "css", "list", "pem", "key", "png", "jpg", "pdf", "old", "tmp", "lock",
    "rs", "htm",
];
const UNIT_ENDINGS: [&str; 7] = ["service", "socket", "timer", "mount", "target", "slice", "scope"];

/// The value that begins at `at`, if one does.
pub(super) fn value_at(tokens: &[Token], at: usize) -> Option<Said> {
    let token = &tokens[at];
    let said = |value, to| Some(Said { value, from: at, to });
    match token.shape {
        Shape::Mark => None,
        Shape::Quoted => {
            let whole = one_word(&token.raw).and_then(literal);
            said(whole.unwrap_or_else(|| Value::Text(token.raw.clone())), at + 1)
        }
        Shape::Word => match span(tokens, at) {
            Some((seconds, to)) => said(Value::Span(seconds), to),
            None => match number(&token.low) {
                Some(count) => {
                    let unit = tokens.get(at + 1).filter(|next| next.shape == Shape::Word);
                    said(Value::Count(count, unit.map(|unit| unit.low.clone()).unwrap_or_default()), at + 1)
                }
                None => said(literal(&token.raw)?, at + 1),
            },
        },
    }
}

fn one_word(text: &str) -> Option<&str> {
    (!text.contains(char::is_whitespace)).then_some(text)
}

/// An address, a path or an image reference.
fn literal(raw: &str) -> Option<Value> {
    let low = raw.to_ascii_lowercase();
    if low.starts_with("http://") || low.starts_with("https://") {
        return Some(Value::Url(raw.to_owned()));
    }
    let last = low.rsplit('/').next().unwrap_or(&low);
    let ending = last.rsplit_once('.').map(|(_, ending)| ending);
    let rooted = raw.starts_with('/') || raw.starts_with("~/") || raw.starts_with("./") || raw.starts_with("../");
    let named_file = ending.is_some_and(|ending| FILE_ENDINGS.contains(&ending)) && !raw.contains(':');
    let folder = raw.ends_with('/') && raw.len() > 1 && !raw.contains(':');
    if rooted || named_file || folder || (raw.starts_with('.') && raw.len() > 2 && !raw.starts_with("..")) {
        return Some(Value::Path(raw.to_owned()));
    }
    if is_id(raw) {
        return Some(Value::Id(raw.to_owned()));
    }
    // Ids of kept things, such as versions of files.
    if raw.len() == 32 && raw.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Some(Value::Text(raw.to_owned()));
    }
    if is_image(&low) {
        return Some(Value::Image(raw.to_owned()));
    }
    let domain = ending.is_some_and(|ending| {
        ending.len() >= 2 && ending.bytes().all(|b| b.is_ascii_lowercase()) && !UNIT_ENDINGS.contains(&ending)
    });
    let plain = low.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
    (domain && plain).then(|| Value::Url(format!("https://{raw}")))
}

fn is_id(raw: &str) -> bool {
    raw.split_once('_').is_some_and(|(kind, id)| {
        !kind.is_empty()
            && kind.bytes().all(|b| b.is_ascii_lowercase())
            && id.len() == 26
            && id.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase())
    })
}

/// `owner/name`, `name:tag` or both, perhaps with a registry before and a digest behind.
fn is_image(low: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-_./:@".contains(&b);
    let name = low.rsplit('/').next().unwrap_or(low).split([':', '@']).next().unwrap_or_default();
    (low.contains('/') || low.contains(':'))
        && low.bytes().all(good)
        && low.starts_with(|c: char| c.is_ascii_alphanumeric())
        && low.ends_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().any(|b| b.is_ascii_lowercase())
        && !low.contains("//")
}

/// A number in digits or words.
pub(super) fn number(word: &str) -> Option<u64> {
    if word.len() <= 9 && !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()) {
        return word.parse().ok();
    }
    let known = [
        ("one", 1),
        ("two", 2),
        ("three", 3),
        ("four", 4),
        ("five", 5),
        ("six", 6),
        ("seven", 7),
        ("eight", 8),
        ("nine", 9),
        ("ten", 10),
        ("eleven", 11),
        ("twelve", 12),
        ("dozen", 12),
        ("fifteen", 15),
        ("twenty", 20),
        ("thirty", 30),
        ("forty", 40),
        ("fifty", 50),
        ("sixty", 60),
        ("ninety", 90),
        ("hundred", 100),
        ("thousand", 1000),
        ("couple", 2),
    ];
    // "one" is a pronoun more often than a number: "restart that one".
    known.iter().find(|(name, _)| *name == word && word != "one").map(|&(_, value)| value)
}

/// Seconds in a unit of time.
pub(super) fn unit_seconds(word: &str) -> Option<u64> {
    match word {
        "s" | "sec" | "secs" | "second" | "seconds" => Some(1),
        "m" | "min" | "mins" | "minute" | "minutes" => Some(60),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some(3_600),
        "d" | "day" | "days" => Some(86_400),
        "w" | "week" | "weeks" => Some(604_800),
        _ => None,
    }
}

/// "2 hours", "30m", "half an hour", "the last hour", "today".
fn span(tokens: &[Token], at: usize) -> Option<(u64, usize)> {
    let word = |offset: usize| tokens.get(at + offset).filter(|t| t.shape == Shape::Word).map_or("", |t| &t.low);
    let first = word(0);
    let long = |word: &str| unit_seconds(word).filter(|_| word.len() > 2);
    if let Some(amount) = number(first) {
        let skip = if matches!(word(1), "of" | "more") { 2 } else { 1 };
        return unit_seconds(word(skip)).map(|unit| (amount.saturating_mul(unit), at + skip + 1));
    }
    match first {
        "half" => {
            let skip = if matches!(word(1), "an" | "a") { 2 } else { 1 };
            long(word(skip)).map(|unit| (unit / 2, at + skip + 1))
        }
        "a" | "an" if word(1) == "couple" || word(1) == "dozen" || word(1) == "hundred" => {
            let skip = if word(2) == "of" { 3 } else { 2 };
            let unit = unit_seconds(word(skip))?;
            Some((number(word(1))?.saturating_mul(unit), at + skip + 1))
        }
        "last" | "past" | "previous" | "an" | "a" => long(word(1)).map(|unit| (unit, at + 2)),
        "hourly" => None,
        "today" => Some((86_400, at + 1)),
        _ => {
            let digits = first.bytes().take_while(u8::is_ascii_digit).count();
            let (amount, unit) = first.split_at_checked(digits)?;
            Some((number(amount)?.saturating_mul(unit_seconds(unit)?), at + 1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::token::{clean, tokens};
    use super::*;

    fn first(text: &str) -> Option<Value> {
        value_at(&tokens(&clean(text)), 0).map(|said| said.value)
    }

    #[test]
    fn spans_of_time_are_read() {
        assert_eq!(first("2 hours"), Some(Value::Span(7_200)));
        assert_eq!(first("30m"), Some(Value::Span(1_800)));
        assert_eq!(first("half an hour"), Some(Value::Span(1_800)));
        assert_eq!(first("last hour"), Some(Value::Span(3_600)));
        assert_eq!(first("a couple of days"), Some(Value::Span(172_800)));
        assert_eq!(first("20 lines"), Some(Value::Count(20, "lines".into())));
    }

    #[test]
    fn paths_images_and_addresses_are_told_apart() {
        assert_eq!(first("notes.txt"), Some(Value::Path("notes.txt".into())));
        assert_eq!(first("/etc/hosts"), Some(Value::Path("/etc/hosts".into())));
        assert_eq!(first("ghcr.io/a/b:1.2"), Some(Value::Image("ghcr.io/a/b:1.2".into())));
        assert_eq!(first("postgres:17"), Some(Value::Image("postgres:17".into())));
        assert_eq!(first("example.org"), Some(Value::Url("https://example.org".into())));
        assert_eq!(first("nginx.service"), None);
        assert_eq!(first("12:30"), None);
        assert_eq!(first("web"), None);
        let id = "job_01h5fskfsk4fpeqwnsyz5hj55t";
        assert_eq!(first(id), Some(Value::Id(id.into())));
        assert_eq!(first("old_db"), None);
    }
}
