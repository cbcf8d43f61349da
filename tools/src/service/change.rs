//! What starting, stopping and restarting a service share as tools. Their own files hold what differs.

use std::marker::PhantomData;
use std::time::Duration;

use jarvis_safety::tool::{Done, Look, Preview, Probe, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier, kernel::Permit};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::bus::Bus;
use super::guard::Verb;
use super::job::Moved;

/// One of the three.
pub(super) trait Change: Send + Sync + 'static {
    /// Name of the tool.
    const NAME: &'static str;
    /// What is done.
    const VERB: Verb;
    /// Longest run, in seconds.
    const SECONDS: u64;
    /// Sentences that mean it.
    const EXAMPLES: &'static [&'static str];
    /// Arguments; their comment is what people and models read.
    type Args: Service + DeserializeOwned + Serialize + JsonSchema + Send + Sync + 'static;

    /// The tool that takes it back, if there is anything to take back.
    fn undo(moved: &Moved) -> Option<&'static str>;

    /// How it went, in plain words.
    fn words(moved: &Moved) -> String;
}

/// Arguments that name a service.
pub(super) trait Service {
    /// The service, as it was written.
    fn service(&self) -> &str;
}

/// The tool.
pub(super) struct Changing<C>(Bus, PhantomData<C>);

impl<C> Changing<C> {
    pub(super) const fn new(bus: Bus) -> Self {
        Self(bus, PhantomData)
    }
}

impl<C: Change> Tool for Changing<C> {
    const SPEC: Spec = Spec {
        name: C::NAME,
        revision: 1,
        tier: C::VERB.tier(),
        effects: Effects::WRITES,
        deadline: Duration::from_secs(C::SECONDS),
        trust: Trust::Named,
        secrets: &[],
        examples: C::EXAMPLES,
        lists: None,
    };
    type Args = C::Args;
    type Output = Moved;

    async fn resolve(&self, args: &C::Args, _: &Look) -> Result<Target, ToolError> {
        self.0.resolve(args.service()).await
    }

    fn sentence(&self, _: &C::Args, target: &Target) -> String {
        format!("{} the service {}", C::VERB.as_str(), target.name)
    }

    async fn preview(&self, _: &C::Args, target: &Target, _: &Look) -> Result<Preview, ToolError> {
        self.0.preview_of(C::VERB, &target.id).await
    }

    fn tier_of(&self, _: &C::Args, target: &Target) -> Tier {
        self.0.guard().tier(C::VERB, &target.id)
    }

    async fn run(&self, _: C::Args, cx: &RunContext, permit: Permit<Self>) -> Result<Done<Moved>, ToolError> {
        let id = &permit.target().id;
        let moved = self.0.move_service(C::VERB, id, cx).await?;
        let undo = C::undo(&moved);
        let done = Done::new(moved);
        Ok(match undo {
            Some(tool) => done.undo_by(tool, json!({ "service": id })),
            None => done,
        })
    }

    async fn probe(&self, _: &C::Args, target: &Target) -> Probe {
        self.0.probe_service(C::VERB, &target.id).await
    }

    fn words(&self, moved: &Moved) -> String {
        C::words(moved)
    }
}
