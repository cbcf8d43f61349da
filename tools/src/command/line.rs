//! A command line as it was asked for: judged, shown, and carried out.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jarvis_safety::Target;
use jarvis_safety::plain::{shorten, visible, visible_block};
use jarvis_safety::tool::{RunContext, ToolError, ToolErrorKind};
use schemars::JsonSchema;
use serde::Serialize;

use super::child::{Ended, ending, run};
use super::confine::{NOBODY, Order};
use super::form::{Form, MOST_SECONDS, is_runner};
use super::output::text;
use super::program::{self, Program};
use super::reach::{Reach, Socket, is_plain};
use super::scratch::Scratch;
use super::{Commands, launcher, posture, weaker};

/// Most arguments, and most bytes of all of them: what a person can still read on a card.
pub(super) const MOST_ARGS: usize = 100;
const MOST_BYTES: usize = 8 * 1024;
/// Most folders that a call may ask for.
pub(super) const MOST_FOLDERS: usize = 8;
/// Characters of output in plain words.
const SHOWN: usize = 4_000;
/// Longest command that the sentence of a card shows whole.
const AT_A_GLANCE: usize = 300;
/// Longest time of a command that no form gives another, in seconds.
const SECONDS: u64 = 30;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    pub(super) program: String,
    pub(super) args: Vec<String>,
    pub(super) folder: Option<String>,
    pub(super) writes: Vec<String>,
    pub(super) network: bool,
    pub(super) seconds: Option<u64>,
}

/// What came of a command.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct LineOutput {
    /// The program that was run.
    program: String,
    /// `exit code 0`, or the signal that ended it.
    ended: String,
    /// What it wrote.
    stdout: String,
    /// What it complained of.
    stderr: String,
    /// Whether something in the middle was left out.
    cut: bool,
}

impl Line {
    /// The program that is meant, and by what it was judged: other forms, or another file, are another call.
    pub(super) async fn target(&self, commands: &Commands) -> Result<Target, ToolError> {
        let forms = commands.forms()?;
        self.fault().map_or(Ok(()), |said| Err(ToolError::new(ToolErrorKind::Invalid, said)))?;
        let program = find(&self.program).await?;
        let id = format!("{}#{}~{}", program.path.display(), program.stamp, forms.version);
        Ok(Target::new("program", id, program.path.to_string_lossy()))
    }

    /// The form that understands it. What is too long to be read at a glance is not understood: it is asked, in full.
    ///
    /// # Errors
    /// What stands in the way, for people.
    pub(super) fn form<'a>(&self, commands: &'a Commands, target: &Target) -> Result<&'a Form, String> {
        if !self.writes.is_empty() || self.network {
            return Err("it asks for more than a form gives".to_owned());
        }
        if self.command(target).chars().count() > AT_A_GLANCE {
            return Err(format!("it is longer than {AT_A_GLANCE} characters"));
        }
        let forms = commands.forms().map_err(|fault| fault.message)?;
        forms.understand(target.name.as_ref(), &self.args, self.folder.as_deref())
    }

    /// As a person reads it, written as in a shell, so that where one argument ends is never in doubt.
    pub(super) fn sentence(&self, target: &Target) -> String {
        // First what is not the command itself: what is long is cut at its end.
        let mut line = "Run".to_owned();
        if self.network {
            line.push_str(" with the network,");
        }
        if !self.writes.is_empty() {
            let folders: Vec<_> = self.writes.iter().map(|folder| quoted(folder)).collect();
            line.push_str(&format!(" free to change files below {},", visible(&folders.join(" "))));
        }
        if let Some(folder) = &self.folder {
            line.push_str(&format!(" in the folder {},", visible(&quoted(folder))));
        }
        line.push(' ');
        line.push_str(&self.command(target));
        line
    }

    /// The command as one would type it: where one argument ends is never in doubt.
    fn command(&self, target: &Target) -> String {
        let words = std::iter::once(&target.name).chain(&self.args).map(|word| quoted(word)).collect::<Vec<_>>();
        visible(&words.join(" "))
    }

    /// What a person should know before saying yes.
    pub(super) async fn effects(&self, commands: &Commands, target: &Target) -> Result<Vec<String>, ToolError> {
        let (reach, why) = match self.form(commands, target) {
            Ok(form) => (form.reach.clone(), format!("it is understood as “{}”", visible(&form.name))),
            Err(why) => (self.widened(&commands.forms()?.unknown), format!("it is not understood: {why}")),
        };
        let confined = match commands.probed().await {
            Ok(probed) => posture::words(probed),
            Err(fault) => fault.message,
        };
        let runner = is_runner(target.name.as_ref())
            .then(|| format!("{} does whatever its arguments say: read them as a program", visible(&target.name)));
        // The sentence of a card is cut; here every word is shown.
        let command = self.command(target);
        let long = (command.chars().count() > AT_A_GLANCE).then(|| format!("in full: {command}"));
        let shared = (!reach.writes.is_empty()).then(|| {
            "it may change rights and times of every file of the user that it runs as: the kernel does not hold that back"
                .to_owned()
        });
        Ok(std::iter::once(why)
            .chain(long)
            .chain(runner)
            .chain(shared)
            .chain(reach.words())
            .chain([format!("confined by {confined}")])
            .collect())
    }

    /// Runs it to its end.
    pub(super) async fn carry_out(
        self,
        commands: &Commands,
        cx: &RunContext,
        target: &Target,
    ) -> Result<LineOutput, ToolError> {
        let forms = commands.forms()?;
        let probed = commands.probed().await?;
        if let Some(missing) = forms.strength.lacks(probed) {
            return Err(weaker(&missing));
        }
        let form = self.form(commands, target).ok();
        let reach = form.map_or_else(|| self.widened(&forms.unknown), |form| form.reach.clone());
        let seconds = self.seconds.or(form.map(|form| form.seconds)).unwrap_or(SECONDS).min(MOST_SECONDS);
        let owner = (probed.root && !reach.as_root).then_some(NOBODY);
        let scratch = Scratch::new(owner).map_err(|error| {
            let said = format!("no folder can be made for it ({error}); nothing was run");
            ToolError::new(ToolErrorKind::Unavailable, said)
        })?;
        let environment = environment(form, cx)?;
        let folder = self.folder.as_ref().or(form.and_then(|form| form.folder.as_ref())).map(PathBuf::from);
        let order = Order {
            jarvis: std::process::id(),
            stays: false,
            program: self.unchanged(target).await?,
            args: self.args,
            folder: folder.unwrap_or_else(|| scratch.path().to_owned()),
            scratch: scratch.path().to_owned(),
            reach,
            own: commands.own(),
            files: commands.0.data.join("files"),
            must: forms.strength != posture::Strength::Off,
            seconds,
        };
        let ended = run(launcher(), &order, environment, Duration::from_secs(seconds)).await?;
        told(&target.name, &ended, form.map_or(&[0], |form| &form.ok), cx)
    }

    /// The program that was decided about, if it still is that file.
    async fn unchanged(&self, target: &Target) -> Result<PathBuf, ToolError> {
        let found = find(&self.program).await?;
        if target.id.starts_with(&format!("{}#{}~", found.path.display(), found.stamp)) {
            return Ok(found.path);
        }
        let said = format!("`{}` was changed meanwhile; nothing was run. Ask again", visible(&target.name));
        Err(ToolError::new(ToolErrorKind::NeverBegan, said))
    }

    /// What makes no sense whatever is understood.
    fn fault(&self) -> Option<String> {
        let bytes: usize = self.args.iter().map(String::len).sum();
        if self.args.len() > MOST_ARGS || bytes > MOST_BYTES {
            return Some(format!(
                "these are {} arguments of {bytes} bytes; a command has at most {MOST_ARGS}, of {MOST_BYTES} bytes in all",
                self.args.len()
            ));
        }
        if self.args.iter().any(|arg| arg.contains('\0')) || self.program.contains('\0') {
            return Some("an argument holds a NUL, which no program can be given".to_owned());
        }
        if self.writes.len() > MOST_FOLDERS {
            return Some(format!("`writes` takes at most {MOST_FOLDERS} folders"));
        }
        if self.seconds.is_some_and(|seconds| !(1..=MOST_SECONDS).contains(&seconds)) {
            return Some(format!("`seconds` takes 1 to {MOST_SECONDS}; what takes longer is no command to wait for"));
        }
        let odd = self.folder.iter().chain(&self.writes).find(|path| !is_plain(path.as_ref()))?;
        Some(format!("`{}` is not an absolute path without `.` and `..`", visible(&shorten(odd, 200))))
    }

    /// What it may touch beside what every unknown command may.
    fn widened(&self, unknown: &Reach) -> Reach {
        let mut reach = unknown.clone();
        reach.writes.extend(self.writes.iter().map(PathBuf::from));
        if self.network && !reach.sockets.contains(&Socket::Internet) {
            reach.sockets.push(Socket::Internet);
        }
        reach
    }
}

impl LineOutput {
    /// The output in plain words.
    pub(super) fn words(&self) -> String {
        let mut words = self.stdout.trim_end().to_owned();
        if !self.stderr.trim().is_empty() {
            words.push_str(&format!("\nIt complained:\n{}", self.stderr.trim_end()));
        }
        if words.trim().is_empty() {
            return format!("{} wrote nothing and ended with {}.", visible(&self.program), self.ended);
        }
        visible_block(&shorten(words.trim_start_matches('\n'), SHOWN))
    }
}

/// An argument as one would type it: bare, or between single quotes.
fn quoted(arg: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !arg.is_empty() && arg.chars().all(bare) { arg.to_owned() } else { format!("'{}'", arg.replace('\'', r"'\''")) }
}

/// Looks for it on a thread where waiting for a disk hurts nobody.
pub(super) async fn find(name: &str) -> Result<Program, ToolError> {
    let name = name.to_owned();
    let found = tokio::task::spawn_blocking(move || program::find(&name)).await;
    found.unwrap_or_else(|_| Err(ToolError::new(ToolErrorKind::Panicked, "looking for the program broke off")))
}

/// Variables of the form, with the secrets that it names.
fn environment(form: Option<&Form>, cx: &RunContext) -> Result<BTreeMap<String, String>, ToolError> {
    let set = form.into_iter().flat_map(|form| &form.environment);
    set.map(|(name, value)| {
        let value = match value.starts_with("secret://") {
            true => cx.secret(value)?.expose().to_owned(),
            false => value.clone(),
        };
        Ok((name.clone(), value))
    })
    .collect()
}

/// A command that says it failed has failed, and what it wrote says why.
fn told(program: &str, ended: &Ended, ok: &[u8], cx: &RunContext) -> Result<LineOutput, ToolError> {
    let (stdout, cut) = text(&ended.stdout, cx.redactor());
    let (stderr, also) = text(&ended.stderr, cx.redactor());
    let output =
        LineOutput { program: program.to_owned(), ended: ending(ended.status), stdout, stderr, cut: cut || also };
    if ended.status.code().and_then(|code| u8::try_from(code).ok()).is_some_and(|code| ok.contains(&code)) {
        return Ok(output);
    }
    let last = [&output.stdout, &output.stderr].map(|text| text.trim_end()).join("\n");
    let start = last.ceil_char_boundary(last.len().saturating_sub(SHOWN));
    let said = format!("{} ended with {}\n{}", visible(program), output.ended, last[start..].trim());
    Err(ToolError::new(ToolErrorKind::Failed, said.trim_end().to_owned()))
}
