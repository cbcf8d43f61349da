//! `log_read`: the newest lines of the journal, of one service, or of a log file.

use std::path::Path;
use std::time::Duration;

use jarvis_safety::bounded::Bounded;
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::tool::{Done, Look, RunContext, Spec, Tool, ToolError, ToolErrorKind, Trust};
use jarvis_safety::{Effects, Target, Tier, kernel::Permit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::line::{Line, Priority};
use super::{LogOptions, file, journal};
use crate::service::unit::full_name;

/// Lines that chat shows.
const SHOWN: usize = 60;
/// Longest text to search for, in characters.
const MAX_SEARCH: usize = 200;

/// The newest lines of a log: of a service, of a file under /var/log (`path`), or else of this machine's journal.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// The service.
    #[serde(default)]
    #[schemars(extend("x-entity" = "service"))]
    service: Option<String>,
    /// A file under /var/log.
    #[serde(default)]
    path: Option<String>,
    /// How many lines, 1 to 2000.
    #[serde(default = "hundred")]
    lines: Bounded<1, 2000>,
    /// Only the last minutes; for the journal.
    #[serde(default)]
    minutes: Option<Bounded<1, 525_600>>,
    /// Only lines with this text.
    #[serde(default)]
    #[schemars(length(max = 200))]
    search: Option<String>,
    /// Only lines as grave as this; for the journal.
    #[serde(default)]
    priority: Option<Priority>,
}

const fn hundred() -> Bounded<1, 2000> {
    Bounded::clamped(100)
}

/// What the log says.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// Oldest first.
    lines: Vec<Line>,
    /// Whether there are older ones, or something was too long.
    cut: bool,
    /// `journal`, `journal of NAME`, or the path of the file.
    source: String,
    /// What keeps Jarvis from seeing everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

pub(super) struct LogRead(pub(super) LogOptions);

/// What a call is about; its text is the id of the target.
enum Source {
    Journal,
    Unit(String),
    File(String),
}

impl Source {
    fn target(&self, root: &Path) -> Target {
        match self {
            Self::Journal => Target::new("log", "journal", "journal"),
            Self::Unit(unit) => Target::new("log", format!("unit:{unit}"), format!("journal of {unit}")),
            Self::File(path) => {
                Target::new("log", format!("file:{path}"), root.join(path).to_string_lossy().into_owned())
            }
        }
    }

    fn of(target: &Target) -> Self {
        if let Some(unit) = target.id.strip_prefix("unit:") {
            return Self::Unit(unit.to_owned());
        }
        target.id.strip_prefix("file:").map_or(Self::Journal, |path| Self::File(path.to_owned()))
    }
}

impl Tool for LogRead {
    const SPEC: Spec = Spec {
        name: "log_read",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(30),
        trust: Trust::Untrusted,
        secrets: &[],
        examples: &[
            "show the log of the service {service}",
            "last {lines} lines of the service {service}",
            "why did {service} fail?",
            "search the log of {service} for {search}",
            "show the journal",
            "what happened on this machine in the last {minutes} minutes?",
            "are there errors in the system log?",
            "show the last {lines} lines of {path}",
            "read the log file {path}",
        ],
        lists: None,
    };
    type Args = Args;
    type Output = Output;

    async fn resolve(&self, args: &Args, _: &Look) -> Result<Target, ToolError> {
        check(args)?;
        let source = match (&args.service, &args.path) {
            (Some(_), Some(_)) => {
                return Err(invalid("give `service` or `path`, not both: a file is not the log of a service"));
            }
            (Some(service), None) => Source::Unit(full_name(service)?),
            (None, Some(path)) => {
                let (root, path) = (self.0.files.clone(), path.clone());
                let found = blocking(move || file::find(&root, &path)).await?;
                let path = found.into_os_string().into_string();
                Source::File(path.map_err(|_| invalid("the name of this file is no text"))?)
            }
            (None, None) => Source::Journal,
        };
        Ok(source.target(&self.0.files))
    }

    fn sentence(&self, args: &Args, target: &Target) -> String {
        let what = match Source::of(target) {
            Source::File(_) => target.name.clone(),
            _ => format!("the {}", target.name),
        };
        let with = args.search.as_deref().map(|text| format!(" with “{text}”")).unwrap_or_default();
        format!("read the last {} lines{with} of {what}", args.lines.get())
    }

    async fn run(&self, args: Args, _: &RunContext, permit: Permit<Self>) -> Result<Done<Output>, ToolError> {
        let target = permit.target();
        let limit = args.lines.get() as usize;
        let unit = match Source::of(target) {
            Source::File(path) => {
                let (root, name) = (self.0.files.clone(), target.name.clone());
                let read = move || file::read(&root, Path::new(&path), limit, args.search.as_deref());
                let (lines, cut) = blocking(read).await?;
                return Ok(Done::new(Output { lines, cut, source: name, note: None }));
            }
            Source::Unit(unit) => Some(unit),
            Source::Journal => None,
        };
        let query = journal::Query {
            directory: self.0.journal_directory.clone(),
            unit,
            lines: limit,
            minutes: args.minutes.map(Bounded::get),
            search: args.search,
            priority: args.priority,
        };
        let found = journal::read(&query).await?;
        let source = target.name.clone();
        Ok(Done::new(Output { lines: found.lines, cut: found.cut, source, note: found.note }))
    }

    fn words(&self, output: &Output) -> String {
        words(output)
    }
}

fn check(args: &Args) -> Result<(), ToolError> {
    if args.path.is_some() && (args.minutes.is_some() || args.priority.is_some()) {
        return Err(invalid(
            "`minutes` and `priority` are for the journal; a file is only told by `lines` and `search`",
        ));
    }
    match &args.search {
        Some(text) if text.is_empty() || text.chars().any(char::is_control) => {
            Err(invalid("`search` must be a text of one line"))
        }
        Some(text) if text.chars().count() > MAX_SEARCH => Err(invalid("`search` has at most 200 characters")),
        _ => Ok(()),
    }
}

fn invalid(message: &str) -> ToolError {
    ToolError::new(ToolErrorKind::Invalid, message)
}

async fn blocking<T, F>(work: F) -> Result<T, ToolError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, ToolError> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(ToolError::new(ToolErrorKind::Panicked, format!("reading the log broke off: {error}")))
    })
}

fn words(output: &Output) -> String {
    let source = shorten(&visible(&output.source), 120);
    let of = if source.starts_with('/') { source } else { format!("the {source}") };
    let note = output.note.as_deref().map(|note| format!("\n{note}.")).unwrap_or_default();
    if output.lines.is_empty() {
        return format!("There is no such line in {of}.{note}");
    }
    let hidden = output.lines.len().saturating_sub(SHOWN);
    let with_unit = output.source == "journal";
    let shown: Vec<_> = output.lines.iter().skip(hidden).map(|line| line.shown(with_unit)).collect();
    let count = match shown.len() {
        1 => "The last line".to_owned(),
        count => format!("The last {count} lines"),
    };
    let older = if hidden > 0 { format!(" ({hidden} older ones were read too)") } else { String::new() };
    format!("{count} of {of}{older}:\n{}{note}", shown.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line {
            at: Some(1_795_226_729_000),
            unit: Some("nginx.service".to_owned()),
            priority: Some(Priority::Error),
            text: text.to_owned(),
        }
    }

    fn output(source: &str, lines: Vec<Line>) -> Output {
        Output { lines, cut: false, source: source.to_owned(), note: None }
    }

    #[test]
    fn the_words_are_the_lines_themselves() {
        assert_eq!(
            words(&output("journal of nginx.service", vec![line("bind() failed")])),
            "The last line of the journal of nginx.service:\n2026-11-21 02:05:29Z  bind() failed"
        );
        assert_eq!(
            words(&output("journal", vec![line("a"), line("b")])),
            "The last 2 lines of the journal:\n2026-11-21 02:05:29Z  nginx.service  a\n2026-11-21 02:05:29Z  \
             nginx.service  b"
        );
        assert_eq!(words(&output("/var/log/x", Vec::new())), "There is no such line in /var/log/x.");
    }

    #[test]
    fn of_many_lines_chat_shows_the_newest() {
        let lines = (0..100).map(|number| line(&number.to_string())).collect();
        let words = words(&output("journal", lines));
        assert!(words.starts_with("The last 60 lines of the journal (40 older ones were read too):"), "{words}");
        assert!(words.ends_with("99"));
    }
}
