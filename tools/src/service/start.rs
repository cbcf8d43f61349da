//! `service_start`: bringing a service up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Change, Service};
use super::guard::Verb;
use super::job::Moved;

/// Starts a service and waits until systemd says that it is up. What is up already stays as it is.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// The service, with or without `.service`.
    #[schemars(extend("x-entity" = "service"))]
    service: String,
}

impl Service for Args {
    fn service(&self) -> &str {
        &self.service
    }
}

pub(super) struct Start;

impl Change for Start {
    const NAME: &'static str = "service_start";
    const VERB: Verb = Verb::Start;
    const SECONDS: u64 = 120;
    const EXAMPLES: &'static [&'static str] = &[
        "start {service}",
        "start the service {service}",
        "bring {service} up",
        "turn {service} on",
        "please get {service} running again",
    ];
    type Args = Args;

    fn undo(moved: &Moved) -> Option<&'static str> {
        moved.changed.then_some("service_stop")
    }

    fn words(moved: &Moved) -> String {
        let state = &moved.service;
        if !moved.changed {
            return format!("{} was up already: {}.", state.name, state.both());
        }
        if !state.is_active() {
            return format!("{} ran and has ended: {}.", state.name, state.both());
        }
        let process = state.main_pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
        format!("{} is up: {}{process}.", state.name, state.both())
    }
}
