//! The variables of a `.env` file. Nothing is expanded: `$HOME` stays `$HOME`, so that no file can read the environment
//! of the server.

use super::Secret;

/// One line that says something.
pub struct Line {
    /// Its number, from 1.
    pub number: usize,
    /// The name, as far as it can be told.
    pub name: String,
    /// The value, or what is wrong with the line; that never holds the value.
    pub value: Result<Secret, &'static str>,
}

/// Whether a value looks like a place or a switch and not like a secret: a path, an address without a password, a host
/// with a port, a time zone, a kind of media.
#[must_use]
pub fn is_plain(value: &str) -> bool {
    let of = |text: &str, marks: &[u8]| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic() || marks.contains(&byte))
    };
    let word = |text: &str| of(text, b"_-.+");
    let host = |text: &str| of(text, b".-_[]:0123456789");
    let port = |text: &str| (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let schemes = ["http://", "https://", "tcp://", "unix://", "ws://", "wss://"];
    let address = schemes.iter().any(|scheme| value.starts_with(scheme));
    (value.starts_with(['/', '~', '.']) && !value.contains(' '))
        || (address && !value.contains(['@', '?']))
        || value.rsplit_once(':').is_some_and(|(name, number)| host(name) && port(number))
        || value.split_once('/').is_some_and(|(first, second)| word(first) && second.split('/').all(word))
        || value.split(',').all(|name| name.contains('.') && word(name))
}

/// Reads `NAME=VALUE`, `export NAME=VALUE`, quotes of both kinds (in double ones `\n`, `\"` and the like mean what they
/// mean in a shell, and lines may go on), and `#` comments.
#[must_use]
pub fn parse(text: &str) -> Vec<Line> {
    let mut found = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut number = 1;
    while !rest.is_empty() {
        let (line, _) = rest.split_once('\n').unwrap_or((rest, ""));
        let said = line.trim();
        if said.is_empty() || said.starts_with('#') {
            rest = &rest[(line.len() + 1).min(rest.len())..];
            number += 1;
            continue;
        }
        let (name, value, used) = variable(rest, line);
        found.push(Line { number, name, value });
        number += rest[..used].matches('\n').count() + 1;
        rest = &rest[(used + 1).min(rest.len())..];
    }
    found
}

/// Name and value at the beginning of a text whose first line is given, and how many bytes they take, up to the end of a
/// line.
fn variable(text: &str, line: &str) -> (String, Result<Secret, &'static str>, usize) {
    let told = line.trim_start();
    let told = told.strip_prefix("export ").map_or(told, str::trim_start);
    let Some((name, value)) = told.split_once('=') else {
        // What stands there may be a value, so it is not repeated.
        return (String::new(), Err("there is no `=` in it"), line.len());
    };
    let name = name.trim().to_owned();
    let value = value.trim_start();
    let begin = line.len() - value.len();
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let (value, used) = quoted(&text[begin + 1..], quote);
            let end = (begin + 1 + used).min(text.len());
            let after = &text[end..];
            let line_end = after.find('\n').unwrap_or(after.len());
            let tail = after[..line_end].trim();
            let clean = value.is_some() && (tail.is_empty() || tail.starts_with('#'));
            let value = value.filter(|_| clean).map(Secret::new).ok_or("its quotes do not fit");
            (name, value, if clean { end + line_end } else { line.len() })
        }
        _ => {
            let value = if value.starts_with('#') { "" } else { value };
            let bare =
                [" #", "\t#"].iter().filter_map(|mark| value.find(mark)).min().map_or(value, |end| &value[..end]);
            (name, Ok(Secret::new(bare.trim_end().to_owned())), line.len())
        }
    }
}

/// What stands between quotes, and how many bytes it takes with the closing one.
fn quoted(text: &str, quote: char) -> (Option<String>, usize) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            end if end == quote => return (Some(value), at + 1),
            '\\' if quote == '"' => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 'r')) => value.push('\r'),
                Some((_, 't')) => value.push('\t'),
                Some((_, other @ ('"' | '\\' | '$' | '`'))) => value.push(other),
                Some((_, other)) => value.extend(['\\', other]),
                None => break,
            },
            other => value.push(other),
        }
    }
    (None, text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(usize, String, Result<String, &'static str>)> {
        let told = |line: Line| (line.number, line.name, line.value.map(|value| value.expose().to_owned()));
        parse(text).into_iter().map(told).collect()
    }

    #[test]
    fn names_and_values_are_read_as_a_shell_would_without_expanding_anything() {
        let text = "# comment\n\nPLAIN=value\nexport SPACED = a b  # note\nSINGLE='a $HOME \\n # b'\nDOUBLE=\"a \\\"b\\\" \\n $X\"  # note\nEMPTY=\nHASH=a#b\r\n";
        let expected = [
            (3, "PLAIN", "value"),
            (4, "SPACED", "a b"),
            (5, "SINGLE", "a $HOME \\n # b"),
            (6, "DOUBLE", "a \"b\" \n $X"),
            (7, "EMPTY", ""),
            (8, "HASH", "a#b"),
        ];
        let expected: Vec<_> =
            expected.iter().map(|(line, name, value)| (*line, (*name).to_owned(), Ok((*value).to_owned()))).collect();
        assert_eq!(read(text), expected);
    }

    #[test]
    fn places_and_switches_are_no_secrets() {
        for plain in [
            "/usr/local/bin",
            "~/data",
            "https://example.org/a",
            "localhost:3000",
            "10.0.0.1:80",
            "Europe/Berlin",
            "America/Argentina/Buenos_Aires",
            "application/json",
            "en_US.UTF",
            "a.example.org,b.example.org",
        ] {
            assert!(is_plain(plain), "{plain}");
        }
        for secret in [
            "postgres://user:Passw0rd@db/x",
            "ghp_0123456789",
            "a/b+c9==",
            "correct horse battery",
            "https://x/?key=1",
            "user:Passw0rd",
            "Tr0ub4dor&3",
            "AKIA0/abc1",
        ] {
            assert!(!is_plain(secret), "{secret}");
        }
    }

    #[test]
    fn a_quoted_value_may_have_several_lines_and_the_numbers_go_on() {
        let text = "KEY=\"-----BEGIN\nabc\n-----END\"\nNEXT=1";
        assert_eq!(read(text)[0], (1, "KEY".to_owned(), Ok("-----BEGIN\nabc\n-----END".to_owned())));
        assert_eq!(read(text)[1], (4, "NEXT".to_owned(), Ok("1".to_owned())));
    }

    #[test]
    fn what_is_no_variable_is_told_by_its_line_and_never_repeated() {
        let text = "just-a-token\nOPEN=\"never closed\nNEXT=fine\nTAIL='a' b\n";
        let found = read(text);
        assert_eq!(found[0], (1, String::new(), Err("there is no `=` in it")));
        assert_eq!(found[1], (2, "OPEN".to_owned(), Err("its quotes do not fit")));
        assert_eq!(found[2], (3, "NEXT".to_owned(), Ok("fine".to_owned())));
        assert_eq!(found[3], (4, "TAIL".to_owned(), Err("its quotes do not fit")));
    }
}
