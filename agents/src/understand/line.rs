//! "Run df -h": a program and its arguments, word for word.
//!
//! All that stands behind the order is the line, to the end of the text, and only where it can be read in one way: plain
//! words, one space between them, no quotes, no marks, nothing that joins sentences. Whether it means anything is not for
//! the rules to say: the gate judges the call, and one that it does not know to be harmless is not understood.

use serde_json::{Value, json};

use super::grammar::Grammar;
use super::lexicon::Lexicon;

/// What the arguments are called that a tool takes a line by.
pub(super) const PROGRAM: &str = "program";
pub(super) const ARGS: &str = "args";

/// Words that belong to a sentence and not to a line.
const JOINING: [&str; 6] = ["and", "then", "condition", "negation", "ending", "except"];

/// The line that a text orders to run, as arguments of a call.
pub(super) fn of(lexicon: &Lexicon, grammar: &Grammar, text: &str) -> Option<Value> {
    let said: Vec<&str> = text.trim().split(' ').collect();
    let low: Vec<String> = said.iter().map(|word| word.to_lowercase()).collect();
    let mut at = 0;
    loop {
        match ["request", "polite"].iter().map(|list| lexicon.listed(list, &low, at)).max() {
            Some(length) if length > 0 => at += length,
            _ => break,
        }
    }
    let verb = lexicon.at(&low[at..], 0).filter(|found| found.length == 1 && found.particle.is_none())?;
    if !verb.meaning.commands || !grammar.runs.contains(&verb.meaning.concept) {
        return None;
    }
    at += 1;
    let announced = matches!(low.get(at..at + 2), Some([the, what]) if the == "the" && is_announced(what));
    let (program, args) = said.get(at + if announced { 2 } else { 0 }..)?.split_first()?;
    let joins = |word: &&str| JOINING.iter().any(|list| lexicon.is(list, &word.to_lowercase()));
    let fits = is_plain(program) && args.iter().all(|word| is_plain(word) && !joins(word));
    fits.then(|| json!({ PROGRAM: program, ARGS: args }))
}

fn is_announced(word: &str) -> bool {
    matches!(word, "command" | "program")
}

fn is_plain(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(&b))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn line(text: &str) -> Option<Value> {
        let grammar = Grammar { runs: HashSet::from(["run".into()]), ..Grammar::default() };
        of(&Lexicon::new(), &grammar, text)
    }

    #[test]
    fn what_stands_behind_the_order_is_the_line() {
        for text in ["run df -h", "Please execute df -h", "could you run the command df -h", "run the program df -h "] {
            assert_eq!(line(text), Some(json!({ "program": "df", "args": ["-h"] })), "{text}");
        }
        assert_eq!(line("run Uptime"), Some(json!({ "program": "Uptime", "args": [] })));
    }

    #[test]
    fn what_could_be_read_in_another_way_is_no_line() {
        for text in [
            "run",
            "df -h",
            "run df  -h",
            "run df -h; reboot",
            "run df\n-h",
            "run df\t-h",
            "run 'df -h'",
            "run df \"-h\"",
            "run df -h | sh",
            "run df > /etc/passwd",
            "run df $(reboot)",
            "run df `reboot`",
            "run df ~",
            "run df *",
            "run df \\-h",
            "run df \u{2010}h",
            "run df -h and restart web",
            "run df -h then stop web",
            "run df -h if the disk is full",
            "run df -h please",
            "do not run df -h",
            "should I run df -h",
            "running df -h",
        ] {
            assert_eq!(line(text), None, "{text}");
        }
    }
}
