//! `commands.toml`: which commands are understood, and how dangerous they are.
//!
//! ```toml
//! [[command]]
//! name = "site status"
//! program = "/usr/bin/git"             # a whole path, or a name in the system's folders
//! tier = "green"                       # or yellow, orange, red
//! words = ["-C", "/srv/site", "status"]
//! options = { "--short" = "flag" }
//! reads = ["/srv/site"]                # nothing else is in reach: see `reach`
//! accepted = [["-C", "/srv/site", "status", "--short"]]
//! refused = [["-C", "/srv/site", "push"], ["-C", "/", "status"]]
//! ```
//!
//! A form proves itself by its own examples when it is loaded. What no form understands is red.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jarvis_safety::Tier;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::grammar::{Grammar, Operands};
use super::posture::Strength;
use super::reach::{Reach, Socket, is_plain};
use super::value::{Kind, Named};

/// Commands that every Linux has and that only look.
const BUILT_IN: &str = include_str!("builtin.toml");
/// Programs that run whatever they are told: a form for one of them leaves nothing to choose.
const RUNNERS: &[&str] = &[
    "ansible",
    "at",
    "bun",
    "bwrap",
    "capsh",
    "chrt",
    "crontab",
    "dbus-run-session",
    "deno",
    "docker",
    "ed",
    "emacs",
    "ex",
    "flock",
    "gdb",
    "kubectl",
    "less",
    "man",
    "more",
    "mysql",
    "nano",
    "nodejs",
    "npm",
    "nvim",
    "openssl",
    "pip",
    "pkexec",
    "podman",
    "psql",
    "pypy",
    "run-parts",
    "screen",
    "sqlite",
    "start-stop-daemon",
    "strace",
    "taskset",
    "tclsh",
    "tmux",
    "view",
    "zip",
    "ash",
    "awk",
    "bash",
    "busybox",
    "chroot",
    "csh",
    "dash",
    "doas",
    "env",
    "expect",
    "find",
    "fish",
    "gawk",
    "ionice",
    "ksh",
    "lua",
    "make",
    "mawk",
    "nice",
    "node",
    "nohup",
    "nsenter",
    "parallel",
    "perl",
    "php",
    "python",
    "python3",
    "ruby",
    "runuser",
    "script",
    "sed",
    "setpriv",
    "setsid",
    "sh",
    "socat",
    "ssh",
    "stdbuf",
    "su",
    "sudo",
    "systemd-run",
    "tcsh",
    "time",
    "timeout",
    "unshare",
    "vi",
    "vim",
    "watch",
    "xargs",
    "zsh",
];
/// Longest time of a form, in seconds.
pub(super) const MOST_SECONDS: u64 = 540;
const SECONDS: u64 = 30;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default = "yes")]
    builtin: bool,
    #[serde(default)]
    sandbox: Strength,
    unknown: Option<Reach>,
    #[serde(default)]
    command: Vec<FormText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FormText {
    name: String,
    program: String,
    tier: Tier,
    #[serde(default)]
    words: Vec<String>,
    #[serde(default)]
    options: BTreeMap<String, Kind>,
    operands: Option<Operands>,
    folder: Option<String>,
    #[serde(default)]
    reads: Vec<std::path::PathBuf>,
    #[serde(default)]
    writes: Vec<std::path::PathBuf>,
    #[serde(default)]
    sockets: Vec<Socket>,
    #[serde(default)]
    as_root: bool,
    memory: Option<u64>,
    processes: Option<u64>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    seconds: Option<u64>,
    #[serde(default = "zero")]
    ok: Vec<u8>,
    #[serde(default)]
    accepted: Vec<Vec<String>>,
    #[serde(default)]
    refused: Vec<Vec<String>>,
}

const fn yes() -> bool {
    true
}

fn zero() -> Vec<u8> {
    vec![0]
}

/// Whether a program runs whatever its arguments say, by the name of its file with or without a version.
pub(super) fn is_runner(program: &Path) -> bool {
    let name = program.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with("ld-linux")
        || RUNNERS.contains(&name)
        || RUNNERS.contains(&name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.'))
}

/// One way to call a program that is understood.
#[derive(Debug, Clone)]
pub(super) struct Form {
    pub(super) name: String,
    pub(super) program: String,
    pub(super) tier: Tier,
    pub(super) grammar: Grammar,
    /// Where it runs; else in a folder of its own.
    pub(super) folder: Option<String>,
    pub(super) reach: Reach,
    /// Variables; `secret://NAME` is opened when the command is run.
    pub(super) environment: BTreeMap<String, String>,
    pub(super) seconds: u64,
    /// Exit codes that are no failure.
    pub(super) ok: Vec<u8>,
}

/// A file, checked, with the forms that are built in behind it.
#[derive(Debug, Clone)]
pub(super) struct Forms {
    forms: Vec<Form>,
    /// How many of them are the operator's.
    pub(super) own: usize,
    /// What a command is held to that no form understands.
    pub(super) unknown: Reach,
    pub(super) strength: Strength,
    /// Changes whenever the file does, or what is built in.
    pub(super) version: String,
}

impl Forms {
    /// Reads and checks the text of `commands.toml`.
    ///
    /// # Errors
    /// Names the line or the form that is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let own: Vec<_> = file.command.iter().map(Form::checked).collect::<Result<_, _>>()?;
        let names: BTreeSet<_> = own.iter().map(|form| form.name.as_str()).collect();
        if names.len() < own.len() {
            return Err("two commands have the same name".to_owned());
        }
        let unknown = file.unknown.unwrap_or_else(|| Reach { reads: vec!["/".into()], ..Reach::default() });
        if let Some(fault) = unknown.fault() {
            return Err(format!("[unknown]: {fault}"));
        }
        let mut forms = own.clone();
        if file.builtin {
            let built_in: File = toml::from_str(BUILT_IN).map_err(|error| format!("built in: {error}"))?;
            for form in &built_in.command {
                let form = Form::checked(form)?;
                // The operator's form of the same name takes its place.
                if !names.contains(form.name.as_str()) {
                    forms.push(form);
                }
            }
        }
        let digest = Sha256::new().chain_update(BUILT_IN).chain_update(text).finalize();
        let version = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { forms, own: own.len(), unknown, strength: file.sandbox, version })
    }

    /// All of them, the operator's first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Form> {
        self.forms.iter()
    }

    /// The first form that understands this command.
    ///
    /// # Errors
    /// What stands in the way, for people.
    pub(super) fn understand(&self, program: &Path, args: &[String], folder: Option<&str>) -> Result<&Form, String> {
        let mut why = None;
        for form in self.forms.iter().filter(|form| form.is_of(program)) {
            let fits = form.grammar.understands(args).and_then(|()| form.takes(folder));
            match fits {
                Ok(()) => return Ok(form),
                Err(fault) => why = why.or(Some(format!("“{}” does not fit: {fault}", form.name))),
            }
        }
        Err(why.unwrap_or_else(|| "commands.toml has no form for this program".to_owned()))
    }
}

impl Form {
    fn checked(text: &FormText) -> Result<Self, String> {
        let FormText { name, program, tier, reads, writes, sockets, as_root, .. } = text;
        let usual = Reach::default();
        let reach = Reach {
            reads: reads.clone(),
            writes: writes.clone(),
            sockets: sockets.clone(),
            as_root: *as_root,
            memory: text.memory.unwrap_or(usual.memory),
            processes: text.processes.unwrap_or(usual.processes),
        };
        let form = Self {
            name: name.clone(),
            program: program.clone(),
            tier: *tier,
            grammar: Grammar {
                words: text.words.clone(),
                options: text.options.clone(),
                operands: text.operands.clone(),
            },
            folder: text.folder.clone(),
            reach,
            environment: text.environment.clone(),
            seconds: text.seconds.unwrap_or(SECONDS),
            ok: text.ok.clone(),
        };
        form.fault().or_else(|| form.unproven(text)).map_or(Ok(form), |fault| Err(format!("command `{name}`: {fault}")))
    }

    /// What is wrong with it, whatever its examples say.
    fn fault(&self) -> Option<String> {
        let path = Path::new(&self.program);
        let named = if self.program.contains('/') { is_plain(path) } else { !self.program.is_empty() };
        let options = &self.grammar.options;
        let odd_option = options.keys().find(|key| {
            let name = key.trim_start_matches('-');
            name.is_empty() || !key.starts_with('-') || key.contains(['=', ' ']) || key.chars().any(char::is_control)
        });
        let valueless = self.grammar.operands.as_ref().is_some_and(|operands| {
            operands.value == Kind::Named(Named::Flag) || operands.most == 0 || operands.least > operands.most
        });
        let odd_variable = self.environment.keys().find(|name| {
            let plain = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
            let loaders = ["LD_", "GCONV_", "GLIBC_", "JARVIS_", "MALLOC_"];
            let ours = ["PATH", "HOME", "TMPDIR", "BASH_ENV", "ENV"];
            !plain
                || name.is_empty()
                || loaders.iter().any(|start| name.starts_with(start))
                || ours.contains(&name.as_str())
        });
        let talks = self.reach.sockets.iter().any(|socket| *socket != Socket::Netlink);
        let opens = self.environment.values().any(|value| value.starts_with("secret://"));
        let changes = opens || !self.reach.writes.is_empty() || talks || self.reach.as_root;
        if self.name.trim().is_empty() || self.name.chars().count() > 60 {
            return Some("its name has 1 to 60 characters".to_owned());
        }
        if !named {
            return Some(format!("program = `{}` is neither a name nor an absolute path", self.program));
        }
        if is_runner(path) && !self.grammar.is_fixed() {
            let program = &self.program;
            return Some(format!(
                "`{program}` runs whatever it is told; give it `words` alone, no options and no operands"
            ));
        }
        if let Some(option) = odd_option {
            return Some(format!("`{option}` is no option; write \"-x\" or \"--long\""));
        }
        if valueless {
            return Some("operands take a value that is no flag, and `least` to `most` of them, 1 or more".to_owned());
        }
        if let Some(variable) = odd_variable {
            return Some(format!("`{variable}` is no variable that a command is given"));
        }
        if self.tier == Tier::Green && changes {
            return Some(
                "it is green, which only looks: `writes`, `as_root`, `internet`, `unix` and secrets need yellow or more"
                    .to_owned(),
            );
        }
        if !(1..=MOST_SECONDS).contains(&self.seconds) {
            return Some(format!("seconds = {} is not 1 to {MOST_SECONDS}", self.seconds));
        }
        if self.folder.as_deref().is_some_and(|folder| !is_plain(Path::new(folder))) {
            return Some("folder is an absolute path without `.` and `..`".to_owned());
        }
        self.reach.fault()
    }

    /// What its own examples say against it.
    fn unproven(&self, text: &FormText) -> Option<String> {
        let lists = [("accepted", &text.accepted, true), ("refused", &text.refused, false)];
        for (list, examples, expected) in lists {
            if examples.is_empty() {
                return Some(format!("give at least one `{list}` example, so that it is known to work"));
            }
            for (index, example) in examples.iter().enumerate() {
                let number = index + 1;
                match self.grammar.understands(example) {
                    Err(why) if expected => {
                        return Some(format!("its accepted example {number} is not understood: {why}"));
                    }
                    Ok(()) if !expected => return Some(format!("its refused example {number} is understood")),
                    _ => {}
                }
            }
        }
        None
    }

    /// Whether it is for this program.
    fn is_of(&self, program: &Path) -> bool {
        if self.program.contains('/') {
            return Path::new(&self.program) == program;
        }
        // A bare name stands for what is found by it, and a path below somebody's home is not that.
        program.file_name().is_some_and(|name| *name == *self.program)
            && super::program::find(&self.program).is_ok_and(|found| found.path == program)
    }

    fn takes(&self, folder: Option<&str>) -> Result<(), String> {
        match folder {
            Some(folder) if self.folder.as_deref() != Some(folder) => {
                Err(format!("it does not run in `{}`", jarvis_safety::plain::visible(folder)))
            }
            _ => Ok(()),
        }
    }

    /// How a call of it looks.
    pub(super) fn usage(&self) -> String {
        format!("{} {}", self.program, self.grammar.usage()).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = r#"
        [[command]]
        name = "site status"
        program = "/usr/bin/git"
        tier = "green"
        words = ["-C", "/srv/site", "status"]
        options = { "--short" = "flag" }
        reads = ["/srv/site"]
        accepted = [["-C", "/srv/site", "status", "--short"]]
        refused = [["-C", "/srv/site", "push"]]
    "#;

    #[test]
    fn what_is_built_in_holds_against_its_own_examples_and_only_looks() {
        let forms = Forms::parse("").unwrap();
        assert!(forms.iter().count() >= 10);
        for form in forms.iter() {
            assert_eq!(form.tier, Tier::Green, "{}", form.name);
            assert!(form.reach.writes.is_empty() && !form.reach.as_root, "{}", form.name);
        }
        assert_eq!(Forms::parse("builtin = false").unwrap().iter().count(), 0);
    }

    #[test]
    fn a_form_that_contradicts_its_examples_or_itself_is_named() {
        assert_eq!(Forms::parse(STATUS).unwrap().own, 1);
        let swapped = |from: &str, to: &str| Forms::parse(&STATUS.replace(from, to)).unwrap_err();
        for (from, to, said) in [
            ("\"--short\"]]", "\"--long\"]]", "accepted example 1"),
            ("\"push\"", "\"status\"", "refused example 1 is understood"),
            ("refused = [[\"-C\", \"/srv/site\", \"push\"]]", "", "at least one `refused`"),
            ("/usr/bin/git", "usr/bin/git", "neither a name nor"),
            ("/usr/bin/git", "/bin/bash", "runs whatever it is told"),
            ("/usr/bin/git", "python3.11", "runs whatever it is told"),
            ("reads =", "writes =", "only looks"),
            ("reads = [\"/srv/site\"]", "as_root = true", "only looks"),
            ("reads = [\"/srv/site\"]", "reads = [\"/srv/../etc\"]", "not an absolute path"),
            ("reads = [\"/srv/site\"]", "seconds = 0", "seconds = 0"),
            ("reads = [\"/srv/site\"]", "environment = { LD_PRELOAD = \"/x\" }", "no variable"),
            ("\"--short\" = \"flag\"", "\"short\" = \"flag\"", "no option"),
            ("\"--short\" = \"flag\"", "\"--short\" = \"flg\"", "\"flag\", \"word\""),
            ("tier = \"green\"", "tier = \"blue\"", "blue"),
            ("program =", "programme =", "programme"),
        ] {
            let error = swapped(from, to);
            assert!(error.contains(said), "{to}: {error}");
        }
    }

    #[test]
    fn the_operators_form_takes_the_place_of_the_one_built_in() {
        let own = STATUS.replace("site status", "disk space");
        let forms = Forms::parse(&own).unwrap();
        let named: Vec<_> = forms.iter().filter(|form| form.name == "disk space").collect();
        assert_eq!(named.len(), 1);
        assert_eq!(named[0].program, "/usr/bin/git");
    }

    #[test]
    fn another_program_or_folder_is_not_understood() {
        let forms = Forms::parse(&format!("builtin = false\n{STATUS}")).unwrap();
        let args = ["-C", "/srv/site", "status"].map(str::to_owned);
        assert!(forms.understand(Path::new("/usr/bin/git"), &args, None).is_ok());
        for (program, folder) in [("/usr/local/bin/git", None), ("/usr/bin/git", Some("/srv/site"))] {
            assert!(forms.understand(Path::new(program), &args, folder).is_err(), "{program} {folder:?}");
        }
    }
}
