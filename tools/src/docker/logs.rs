//! `docker_logs`: what a container has written.

use std::time::Duration;

use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::{StreamExt as _, pin_mut};
use jarvis_safety::bounded::Bounded;
use jarvis_safety::kernel::Permit;
use jarvis_safety::plain::shorten;
use jarvis_safety::tool::{Done, Look, RunContext, Spec, Tool, ToolError, ToolErrorKind, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::engine::Docker;
use super::lines::{Line, Lines};

/// How many of the last lines a search looks at.
const SEARCHED: usize = 20_000;
/// Just above the largest piece of a line that an engine sends: 16 KiB and the time in front.
const PIECE: usize = 16 * 1024 + 32;
/// Longest line, in characters, in the answer in plain words; and most lines there.
const SAID: (usize, usize) = (240, 100);

pub(super) struct Logs(pub(super) Docker);

/// Shows the last lines that a container has written. Can be narrowed to the last minutes or to lines with a text.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Name or id of the container.
    #[schemars(extend("x-entity" = "container"))]
    container: String,
    /// How many of the last lines.
    #[serde(default = "hundred")]
    lines: Bounded<1, 2000>,
    /// Only lines of the last so many minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    minutes: Option<Bounded<1, 43_200>>,
    /// Only lines that hold this text, in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    search: Option<String>,
}

const fn hundred() -> Bounded<1, 2000> {
    Bounded::clamped(100)
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    container: String,
    /// The lines, oldest first.
    lines: Vec<Line>,
    /// How many lines that were asked for were left out, because the answer would have become too large.
    cut: usize,
    /// How many lines were cut short for the same reason; they end with `…`.
    shortened: usize,
    /// How many lines of the log were looked at.
    looked: usize,
    /// Whether there are older lines that were not looked at, or that fitted beyond the number asked for.
    older: bool,
}

impl Tool for Logs {
    const SPEC: Spec = Spec {
        name: "docker_logs",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(30),
        trust: Trust::Untrusted,
        secrets: &[],
        examples: &[
            "last {lines} lines of {container}",
            "what is {container} logging?",
            "show the logs of {container}",
            "logs of {container} from the last {minutes} minutes",
            "search the logs of {container} for {search}",
            "does {container} log errors?",
            "docker logs {container}",
        ],
        lists: None,
    };
    type Args = Args;
    type Output = Output;

    async fn resolve(&self, args: &Args, _: &Look) -> Result<Target, ToolError> {
        if args.search.as_ref().is_some_and(|search| search.is_empty() || search.len() > 500) {
            return Err(ToolError::new(
                ToolErrorKind::Invalid,
                "search for 1 to 500 characters, or leave `search` out",
            ));
        }
        self.0.container(&args.container).await
    }

    fn sentence(&self, args: &Args, target: &Target) -> String {
        let with = args.search.as_ref().map(|search| format!(" with “{search}”")).unwrap_or_default();
        let span = args.minutes.map(|minutes| format!(" of the last {} minutes", minutes.get()));
        let lines = args.lines.get();
        format!("Read the last {lines} lines{with}{} of container {}.", span.unwrap_or_default(), target.name)
    }

    async fn run(&self, args: Args, _: &RunContext, permit: Permit<Self>) -> Result<Done<Output>, ToolError> {
        let target = permit.target();
        let wanted = args.lines.get() as usize;
        let since = match args.minutes {
            Some(minutes) => Some(self.0.now().await? / 1000 - i64::from(minutes.get()) * 60),
            None => None,
        };
        // One more than asked for tells whether there are older ones, and takes the place of a line that begins before
        // what was read. The engine counts pieces, so long lines need more of them.
        let mut tail = if args.search.is_some() { SEARCHED } else { wanted + 1 };
        let (mut lines, all) = loop {
            let mut lines = Lines::new(wanted, args.search.as_deref());
            let pieces = self.read(target, tail, since, &mut lines).await?;
            if pieces < tail || lines.seen > wanted || tail == SEARCHED {
                break (lines, pieces < tail);
            }
            tail = (tail * 4).min(SEARCHED);
        };
        let kept = lines.end();
        // What was pushed out beyond the wanted number was not asked for; below it the size of the answer did it.
        let cut = lines.dropped.min(wanted.saturating_sub(kept.len()));
        Ok(Done::new(Output {
            container: target.name.clone(),
            cut,
            shortened: lines.shortened,
            looked: lines.seen,
            older: lines.dropped > cut || !all,
            lines: kept,
        }))
    }

    fn words(&self, output: &Output) -> String {
        let name = &output.container;
        if output.lines.is_empty() {
            return match output.looked {
                0 => format!("{name} has written nothing in that time."),
                looked => format!("None of the last {looked} lines of {name} holds that text."),
            };
        }
        let (longest, most) = SAID;
        let skipped = output.lines.len().saturating_sub(most);
        let left = output.cut + skipped;
        let left = if left > 0 { format!(" ({left} earlier ones are left out here)") } else { String::new() };
        let count = output.lines.len() - skipped;
        let noun = if count == 1 { "line" } else { "lines" };
        let mut told = format!("The last {count} {noun} of {name}{left}:");
        for line in &output.lines[skipped..] {
            told.push('\n');
            told.push_str(&shorten(&line.text, longest));
        }
        told
    }
}

impl Logs {
    /// Reads the last pieces of a log and answers how many there were.
    async fn read(
        &self,
        target: &Target,
        tail: usize,
        since: Option<i64>,
        lines: &mut Lines,
    ) -> Result<usize, ToolError> {
        let mut options =
            LogsOptionsBuilder::default().stdout(true).stderr(true).timestamps(true).tail(&tail.to_string());
        if let Some(since) = since {
            options = options.since(i32::try_from(since).unwrap_or(i32::MAX));
        }
        let told = self.0.client().await?.logs(&target.id, Some(options.build()));
        pin_mut!(told);
        let mut pieces = 0;
        while let Some(piece) = told.next().await {
            let piece = piece.map_err(|error| self.0.failed(&error))?;
            // Of a container with a terminal the client has put the pieces of a line together.
            pieces += 1 + piece.as_ref().len() / PIECE;
            lines.take(&piece);
        }
        Ok(pieces)
    }
}
