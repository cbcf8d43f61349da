//! `docker_events`: what happened on the engine lately.

use std::collections::VecDeque;
use std::time::Duration;

use bollard::models::{EventMessage, EventMessageTypeEnum};
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::{StreamExt as _, pin_mut};
use jarvis_safety::bounded::Bounded;
use jarvis_safety::kernel::Permit;
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::tool::{Done, Look, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::engine::Docker;
use super::moment;

/// Most events in one answer.
const MOST: usize = 200;
/// An engine remembers no more than this many.
const REMEMBERED: usize = 256;

pub(super) struct Events(pub(super) Docker);

/// Shows what happened on the Docker engine lately: containers started, died or were removed, images pulled. The engine
/// remembers only its last 256 events.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// How many minutes to look back.
    #[serde(default = "hour")]
    minutes: Bounded<1, 10_080>,
}

const fn hour() -> Bounded<1, 10_080> {
    Bounded::clamped(60)
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The events, oldest first. What health checks and `docker exec` run is left out.
    events: Vec<Event>,
    /// How many earlier ones were left out.
    cut: usize,
    /// Whether the engine may have forgotten events of this time.
    forgotten: bool,
    /// How many minutes were looked at.
    minutes: u32,
    /// The engine's time, in milliseconds since 1970.
    now: i64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Event {
    /// In milliseconds since 1970.
    at: i64,
    /// `container`, `image`, `network`, `volume` …
    kind: String,
    /// `start`, `die`, `pull` …
    action: String,
    /// Name of the thing, or its id.
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<String>,
}

impl Tool for Events {
    const SPEC: Spec = Spec {
        name: "docker_events",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(15),
        trust: Trust::Named,
        secrets: &[],
        examples: &[
            "what happened in docker?",
            "docker events of the last {minutes} minutes",
            "which containers died in the last {minutes} minutes?",
            "did any container restart lately?",
            "what changed on the docker engine?",
        ],
        lists: None,
    };
    type Args = Args;
    type Output = Output;

    async fn resolve(&self, _: &Args, _: &Look) -> Result<Target, ToolError> {
        self.0.target().await
    }

    fn sentence(&self, args: &Args, target: &Target) -> String {
        let minutes = args.minutes.get();
        format!("Show what happened on the Docker engine {} in the last {minutes} minutes.", target.name)
    }

    async fn run(&self, args: Args, _: &RunContext, _: Permit<Self>) -> Result<Done<Output>, ToolError> {
        let now = self.0.now().await?;
        let since = now / 1000 - i64::from(args.minutes.get()) * 60;
        // With an end in the past the engine tells what it remembers and closes.
        let until = format!("{}.{:03}000000", now / 1000, now % 1000);
        let options = EventsOptionsBuilder::default().since(&since.to_string()).until(&until).build();
        let told = self.0.client().await?.events(Some(options));
        pin_mut!(told);
        let (mut events, mut cut, mut seen) = (VecDeque::new(), 0, 0);
        while let Some(message) = told.next().await {
            seen += 1;
            let message = message.map_err(|error| self.0.failed(&error))?;
            if let Some(event) = Event::of(message) {
                events.push_back(event);
            }
            if events.len() > MOST {
                events.pop_front();
                cut += 1;
            }
        }
        let minutes = args.minutes.get();
        let forgotten = seen >= REMEMBERED;
        Ok(Done::new(Output { events: events.into(), cut, forgotten, minutes, now }))
    }

    fn words(&self, output: &Output) -> String {
        let minutes = output.minutes;
        if output.events.is_empty() {
            return format!("Nothing happened on the Docker engine in the last {minutes} minutes.");
        }
        let skipped = output.events.len().saturating_sub(20);
        let mut lines = vec![format!("{} events in the last {minutes} minutes:", output.events.len() + output.cut)];
        if skipped + output.cut > 0 {
            lines.push(format!("({} earlier ones are left out here)", skipped + output.cut));
        }
        lines.extend(output.events[skipped..].iter().map(|event| event.told(output.now)));
        if output.forgotten {
            lines.push(format!("The engine remembers only its last {REMEMBERED} events; there may have been more."));
        }
        lines.join("\n")
    }
}

impl Event {
    /// Nothing for what runs inside of containers: its command lines are long, frequent, and may hold secrets.
    fn of(message: EventMessage) -> Option<Self> {
        let action = message.action?;
        if action.starts_with("exec_") || action == "top" {
            return None;
        }
        let actor = message.actor.unwrap_or_default();
        let id = actor.id.unwrap_or_default();
        let mut attributes = actor.attributes.unwrap_or_default();
        let mut shown = |name: &str| attributes.remove(name).map(|text| shorten(&visible(&text), 200));
        let kind = message.typ.unwrap_or(EventMessageTypeEnum::EMPTY);
        let short = id.strip_prefix("sha256:").unwrap_or(&id);
        Some(Self {
            at: message.time_nano.map(|nano| nano / 1_000_000).or(message.time.map(|second| second * 1000))?,
            kind: kind.to_string(),
            action: shorten(&visible(&action), 80),
            name: shown("name").unwrap_or_else(|| shorten(&visible(short), 60)),
            image: shown("image"),
            exit_code: shown("exitCode"),
        })
    }

    /// `5 min ago: container web die (exit code 1)`
    fn told(&self, now: i64) -> String {
        let code = self.exit_code.as_ref().map(|code| format!(" (exit code {code})")).unwrap_or_default();
        let ago = moment::span(now - self.at);
        format!("{ago} ago: {} {} {}{code}", self.kind, shorten(&self.name, 40), self.action)
    }
}
