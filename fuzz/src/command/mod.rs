//! Grammars of commands: a `commands.toml` is refused with a word or keeps its own rules, and what a form understands is
//! what its text describes when it is read by other means, no more and no less, and nothing of a forbidden shape.

// What only the tools use is not used here.
#[allow(dead_code)]
#[path = "../../../tools/src/command/form.rs"]
mod form;
#[allow(dead_code)]
#[path = "../../../tools/src/command/grammar.rs"]
mod grammar;
#[allow(dead_code)]
#[path = "../../../tools/src/command/posture.rs"]
mod posture;
#[allow(dead_code)]
#[path = "../../../tools/src/command/program.rs"]
mod program;
#[allow(dead_code)]
#[path = "../../../tools/src/command/reach.rs"]
mod reach;
#[allow(dead_code)]
#[path = "../../../tools/src/command/value.rs"]
mod value;

mod described;

use std::path::Path;
use std::sync::OnceLock;

use jarvis_safety::Tier;

use crate::sabotage::Sabotage;
use form::{Form, Forms, is_runner};
use reach::Socket;

/// Forms with everything that a form may have, for inputs that bring none.
const USUAL: &str = include_str!("usual.toml");

/// A file that was read, and the same by other means.
struct Read {
    forms: Forms,
    text: toml::Table,
}

/// The input is a `commands.toml`, and after a NUL each argument of a command. No file stands for the usual one.
pub(crate) fn holds(data: &[u8], sabotage: Sabotage) {
    static READ: OnceLock<Read> = OnceLock::new();
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut parts = text.split('\0');
    let file = parts.next().unwrap_or_default();
    let args: Vec<String> = parts.map(str::to_owned).collect();
    if file.is_empty() {
        let usual = READ.get_or_init(|| read(USUAL).unwrap_or_else(|fault| panic!("the usual forms: {fault}")));
        return judged(usual, &args, sabotage);
    }
    // The forms that are built in are among the usual ones; reading them for every input would take most of the time.
    match read(&format!("builtin = false\n{file}")) {
        Ok(read) => judged(&read, &args, sabotage),
        Err(fault) => assert!(fault.len() > 5, "refused without a word: {fault}"),
    }
}

fn read(file: &str) -> Result<Read, String> {
    let forms = Forms::parse(file)?;
    let text: toml::Table = file.parse().map_err(|fault| format!("{fault}"))?;
    forms.iter().for_each(sound);
    Ok(Read { forms, text })
}

/// What holds for every form that was let in, whatever its text says.
fn sound(form: &Form) {
    let talks = form.reach.sockets.iter().any(|socket| *socket != Socket::Netlink);
    let opens = form.environment.values().any(|value| value.starts_with("secret://"));
    let changes = opens || talks || form.reach.as_root || !form.reach.writes.is_empty();
    assert!(form.tier > Tier::Green || !changes, "“{}” is green and changes something", form.name);
    assert!(!is_runner(Path::new(&form.program)) || form.grammar.is_fixed(), "“{}” runs what it is told", form.name);
    assert!((1..=540).contains(&form.seconds), "“{}” may take {} s", form.name, form.seconds);
    for path in form.reach.reads.iter().chain(&form.reach.writes) {
        let text = path.to_string_lossy();
        let steps = text.split('/').any(|part| part == "." || part == "..");
        assert!(text.starts_with('/') && !steps, "“{}” reaches {text}", form.name);
    }
    for name in form.environment.keys() {
        let ours = name.starts_with("LD_") || name.starts_with("JARVIS_") || name == "PATH" || name == "HOME";
        assert!(!ours && !name.contains(['=', '\0']), "“{}” is given {name}", form.name);
    }
}

fn judged(read: &Read, args: &[String], sabotage: Sabotage) {
    for form in read.forms.iter() {
        let understood = understands(form, args, sabotage);
        // What is built in has no text here: its own examples are its text.
        let Some(text) = described::form(&read.text, &form.name) else { continue };
        let described = described::describes(text, args);
        assert_eq!(understood.is_ok(), described, "“{}” and {args:?}: {understood:?}", form.name);
        if let Err(why) = understood {
            assert!(!why.is_empty() && !why.contains(char::is_control), "refused without a plain word: {why:?}");
        }
    }
}

fn understands(form: &Form, args: &[String], sabotage: Sabotage) -> Result<(), String> {
    if sabotage != Sabotage::CleanedText {
        return form.grammar.understands(args);
    }
    let cleaned = args.iter().map(|arg| arg.replace(char::is_control, ""));
    form.grammar.understands(&cleaned.collect::<Vec<_>>())
}
