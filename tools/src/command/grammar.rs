//! Whether a form understands the arguments of a command.
//!
//! What is not understood is not guessed: an option is written out in the form or it is unknown. Long options take their
//! value after `=`, short ones as the next argument, because every program that has them reads these two alike; letters
//! run together (`-la`) and shortened names (`--li`) are unknown unless the form has them so.

use std::collections::BTreeMap;

use jarvis_safety::plain::{shorten, visible};
use serde::Deserialize;

use super::value::Kind;

/// The arguments of one form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Grammar {
    /// What comes first, word for word: a subcommand.
    pub(super) words: Vec<String>,
    pub(super) options: BTreeMap<String, Kind>,
    pub(super) operands: Option<Operands>,
}

/// Arguments that are no options.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Operands {
    pub(super) value: Kind,
    #[serde(default)]
    pub(super) least: usize,
    pub(super) most: usize,
}

impl Grammar {
    /// Whether it understands all of them.
    ///
    /// # Errors
    /// The first thing that it does not understand, for people.
    pub(super) fn understands(&self, args: &[String]) -> Result<(), String> {
        let Some(rest) = args.strip_prefix(self.words.as_slice()) else {
            let first = self.words.iter().zip(args).find(|(word, arg)| word != arg).map(|(_, arg)| arg);
            return Err(first.map_or_else(
                || format!("it begins with {}", self.words.join(" ")),
                |arg| format!("{} stands where {} should", quoted(arg), self.words.join(" ")),
            ));
        };
        let operands = self.options_taken(rest)?;
        let count = operands.len();
        let Some(known) = &self.operands else {
            return operands.first().map_or(Ok(()), |arg| Err(format!("it takes no {}", quoted(arg))));
        };
        if let Some(arg) = operands.iter().find(|arg| !known.value.admits(arg)) {
            return Err(format!("{} is not {}", quoted(arg), known.value.words()));
        }
        if !(known.least..=known.most).contains(&count) {
            return Err(format!("it takes {} to {} of {}, not {count}", known.least, known.most, known.value.words()));
        }
        Ok(())
    }

    /// What is left once the options are taken out.
    fn options_taken<'a>(&self, args: &'a [String]) -> Result<Vec<&'a str>, String> {
        let mut operands = Vec::new();
        let mut args = args.iter().map(String::as_str);
        while let Some(arg) = args.next() {
            if arg == "--" {
                operands.extend(args);
                break;
            }
            if !arg.starts_with('-') {
                operands.push(arg);
                continue;
            }
            let (name, given) = match arg.split_once('=') {
                Some((name, value)) if arg.starts_with("--") => (name, Some(value)),
                _ => (arg, None),
            };
            let kind = self.options.get(name).ok_or_else(|| format!("{} is unknown", quoted(name)))?;
            if *kind == Kind::FLAG {
                match given {
                    None => continue,
                    Some(_) => return Err(format!("{} takes no value", quoted(name))),
                }
            }
            let value = if name.starts_with("--") { given } else { args.next() };
            let missing = || format!("{} takes {}, as {}", quoted(name), kind.words(), written(name, kind));
            let value = value.ok_or_else(missing)?;
            if !kind.admits(value) {
                return Err(format!("{} is not {}", quoted(value), kind.words()));
            }
        }
        Ok(operands)
    }

    /// Whether there is nothing to choose: the words alone.
    pub(super) fn is_fixed(&self) -> bool {
        self.options.is_empty() && self.operands.is_none()
    }

    /// How a call of it looks, in the usual way of help texts.
    pub(super) fn usage(&self) -> String {
        let mut parts = self.words.clone();
        parts.extend(self.options.iter().map(|(name, kind)| format!("[{}]", written(name, kind))));
        if let Some(Operands { value, least, most }) = &self.operands {
            let word = value.words();
            parts.extend((0..*least).map(|_| word.clone()));
            if most > least {
                let dots = if most - least > 1 { "..." } else { "" };
                parts.push(format!("[{word}{dots}]"));
            }
        }
        parts.join(" ")
    }
}

fn written(name: &str, kind: &Kind) -> String {
    match (*kind == Kind::FLAG, name.starts_with("--")) {
        (true, _) => name.to_owned(),
        (false, true) => format!("{name}={}", kind.words()),
        (false, false) => format!("{name} {}", kind.words()),
    }
}

fn quoted(arg: &str) -> String {
    format!("`{}`", visible(&shorten(arg, 80)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::value::Named;

    fn grammar() -> Grammar {
        let text = r#"
            "-a" = "flag"
            "--all" = "flag"
            "-n" = { from = 1, to = 50 }
            "--unit" = "word"
            "--sort" = ["size", "name"]
        "#;
        Grammar {
            words: vec!["show".to_owned()],
            options: toml::from_str(text).unwrap(),
            operands: Some(Operands { value: Kind::Named(Named::Word), least: 0, most: 2 }),
        }
    }

    fn understood(line: &[&str]) -> Result<(), String> {
        let args: Vec<String> = line.iter().map(|arg| (*arg).to_owned()).collect();
        grammar().understands(&args)
    }

    #[test]
    fn what_is_written_out_is_understood() {
        for line in [
            &["show"][..],
            &["show", "-a", "--all"],
            &["show", "-n", "5", "--unit=web", "--sort=size", "one", "two"],
            &["show", "one", "-a"],
            &["show", "--", "one"],
        ] {
            assert_eq!(understood(line), Ok(()), "{line:?}");
        }
    }

    #[test]
    fn everything_else_is_not() {
        for line in [
            &[][..],
            &["sho"],
            &["-a", "show"],
            &["show", "-an", "5"],
            &["show", "-n5"],
            &["show", "-n=5"],
            &["show", "-n", "500"],
            &["show", "-n"],
            &["show", "-n", "-a"],
            &["show", "--unit", "web"],
            &["show", "--uni=web"],
            &["show", "--unit="],
            &["show", "--unit=-a"],
            &["show", "--all=x"],
            &["show", "--sort=age"],
            &["show", "--other"],
            &["show", "-"],
            &["show", "a", "b", "c"],
            &["show", "--", "--all"],
            &["show", "a;b"],
            &["show", "$(reboot)"],
            &["show", "a b"],
            &["show", ""],
        ] {
            assert!(understood(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn usage_reads_like_a_help_text() {
        assert_eq!(grammar().usage(), "show [--all] [--sort=size|name] [--unit=WORD] [-a] [-n 1..50] [WORD...]");
    }
}
