//! Reading what was typed, and the environment beside it.
//!
//! Help and faults are answers too: with `--json` they are JSON like every other.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use serde_json::json;

use super::arguments::Arguments;
use super::exit::{Exit, Result, Stop};
use super::print::Printer;
use crate::config::Environment;

/// The command line, or how the program ends instead.
pub(super) fn read(words: Vec<OsString>) -> std::result::Result<Arguments, ExitCode> {
    if words.len() < 2 {
        // Somebody who types the bare name wants to know what there is.
        return Err(help(&Printer::new(false), Arguments::command().render_help().to_string()));
    }
    // The words could not be read, so nobody else knows whether JSON was asked for.
    let json = words.iter().take_while(|word| *word != "--").any(|word| word == "--json");
    Arguments::try_parse_from(words).map_err(|error| {
        let printer = Printer::new(json);
        match error.kind() {
            ErrorKind::DisplayHelp => help(&printer, error.render().to_string()),
            ErrorKind::DisplayVersion => {
                let version = env!("CARGO_PKG_VERSION");
                printer.answer(&json!({ "version": version }), || format!("jarvis {version}"));
                printer.end(Ok(Exit::Done))
            }
            _ if json => printer.end(Err(Stop::invalid(fault(&error)))),
            _ => {
                let _ = error.print();
                Exit::Refused.code()
            }
        }
    })
}

fn help(printer: &Printer, text: String) -> ExitCode {
    match printer.is_json() {
        true => printer.answer(&json!({ "help": text }), String::new),
        false => printer.write(&text),
    }
    printer.end(Ok(Exit::Done))
}

/// What was wrong, without the usage that a person is shown below it.
fn fault(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let said = text.split("\n\nUsage:").next().unwrap_or_default();
    let said = said.split("\n\nFor more information").next().unwrap_or_default();
    said.trim_start_matches("error: ").trim().to_owned()
}

/// The variables. What is no text cannot be a setting of ours, and where one should be it is named.
pub(super) fn environment(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<Environment> {
    let mut environment = Environment::new();
    for (name, value) in variables {
        let Ok(name) = name.into_string() else { continue };
        let ours = name.starts_with("JARVIS_") || ["HOME", "XDG_DATA_HOME", "DOCKER_HOST"].contains(&name.as_str());
        match value.into_string() {
            Ok(value) => drop(environment.insert(name, value)),
            Err(_) if ours => {
                return Err(Stop::invalid(format!("{name} is not valid UTF-8; set it to plain text")));
            }
            Err(_) => {}
        }
    }
    Ok(environment)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    #[test]
    fn a_variable_that_is_no_text_is_named_where_it_is_ours_and_left_alone_elsewhere() {
        let raw = |name: &str| [(name.into(), OsString::from_vec(vec![b'/', 0xff]))].into_iter();
        assert!(environment(raw("LESSOPEN")).unwrap().is_empty());
        for name in ["JARVIS_DATA", "HOME"] {
            let stop = environment(raw(name)).unwrap_err();
            assert!(stop.exit == Exit::Refused && stop.message.contains(name), "{}", stop.message);
        }
    }
}
