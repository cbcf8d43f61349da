//! Command lines and labels without what looks like a secret.
//!
//! People pass passwords on command lines. Everything that follows a telling name is replaced: `--db-password=x`,
//! `--token x`, `API_KEY=x` inside a shell line, `user:x@host` in an address. Too much is hidden rather than too little.

use std::sync::LazyLock;

use jarvis_safety::plain::{shorten, visible};
use regex::{Captures, Regex};

const HIDDEN: &str = "[hidden]";

static TELLING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)key|secret|token|passw|passphrase|passwd|pwd|credential|basicauth|private|bearer").ok()
});

static ASSIGNED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?ix)
        (?P<name> [\w.-]* (?: key|secret|token|passw|passphrase|pwd|credential|bearer ) [\w.-]* ["']? )
        (?P<sign> \s*[=:]\s* | \s+ )
        (?P<value> "[^"]*" | '[^']*' | [^\s;&|]+ )"#,
    )
    .ok()
});

static IN_ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?P<head>://[^/\s:@]*:)[^/\s@]+@").ok());

/// Whether what stands behind this name should not be shown.
pub(super) fn is_telling(name: &str) -> bool {
    // A pattern that does not compile hides everything; a test compiles it.
    TELLING.as_ref().is_none_or(|pattern| pattern.is_match(name))
}

/// A command line of at most `limit` characters.
pub(super) fn command(words: &[String], limit: usize) -> String {
    let mut shown = Vec::with_capacity(words.len());
    let mut hide_next = false;
    for word in words {
        let flag = word.starts_with('-') && !word.contains('=') && !word.contains(char::is_whitespace);
        if hide_next && !word.starts_with('-') {
            shown.push(HIDDEN.to_owned());
        } else {
            shown.push(text(word));
        }
        hide_next = flag && is_telling(word);
    }
    shorten(&visible(&shown.join(" ")), limit)
}

/// A label's value of at most `limit` characters.
pub(super) fn label(name: &str, value: &str, limit: usize) -> String {
    if is_telling(name) { HIDDEN.to_owned() } else { shorten(&visible(&text(value)), limit) }
}

/// Text without assigned secrets and without passwords in addresses.
fn text(word: &str) -> String {
    let (Some(assigned), Some(address)) = (ASSIGNED.as_ref(), IN_ADDRESS.as_ref()) else {
        return HIDDEN.to_owned();
    };
    let without = address.replace_all(word, format!("${{head}}{HIDDEN}@"));
    let without = assigned.replace_all(&without, |found: &Captures<'_>| {
        let (name, sign) = (&found["name"], &found["sign"]);
        // `the key is` is a sentence; `--token abc` is not.
        let spaced = sign.chars().all(char::is_whitespace);
        if spaced && !name.starts_with('-') { found[0].to_owned() } else { format!("{name}{sign}{HIDDEN}") }
    });
    without.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> String {
        command(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(), 400)
    }

    #[test]
    fn what_follows_a_telling_name_is_hidden() {
        assert_eq!(of(&["db", "--root-password=hunter2", "-v"]), "db --root-password=[hidden] -v");
        assert_eq!(of(&["run", "--token", "hunter2", "--port", "80"]), "run --token [hidden] --port 80");
        assert_eq!(of(&["sh", "-c", "API_KEY=hunter2 run; x"]), "sh -c API_KEY=[hidden] run; x");
        assert_eq!(of(&["sh", "-c", "run --secret hunter2 now"]), "sh -c run --secret [hidden] now");
        assert_eq!(of(&["sh", "-c", r#"PASSWORD="hunter2 x" run"#]), "sh -c PASSWORD=[hidden] run");
        assert_eq!(of(&["{\"token\": \"hunter2\"}"]), "{\"token\": [hidden]}");
        assert_eq!(of(&["psql", "postgres://me:hunter2@db/x"]), "psql postgres://me:[hidden]@db/x");
        assert_eq!(of(&["httpd", "-f", "-p", "80"]), "httpd -f -p 80");
        assert_eq!(of(&["echo", "the key is here"]), "echo the key is here");
        assert!(!is_telling("PATH") && is_telling("DB_PASSWORD"));
    }

    #[test]
    fn labels_that_tell_are_hidden_and_long_ones_cut() {
        assert_eq!(label("traefik.http.middlewares.a.basicauth.users", "x:$apr1$y", 50), "[hidden]");
        assert_eq!(label("note", "a\u{202e}bcdef", 10), r"a\u{202e}b…");
    }
}
