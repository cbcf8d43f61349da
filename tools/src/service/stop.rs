//! `service_stop`: taking a service down until somebody starts it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Change, Service};
use super::guard::Verb;
use super::job::Moved;

/// Stops a service until somebody starts it again, and waits until systemd says that it is down.
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

pub(super) struct Stop;

impl Change for Stop {
    const NAME: &'static str = "service_stop";
    const VERB: Verb = Verb::Stop;
    const SECONDS: u64 = 120;
    const EXAMPLES: &'static [&'static str] = &[
        "stop {service}",
        "stop the service {service}",
        "shut {service} down",
        "turn {service} off",
        "take {service} down",
    ];
    type Args = Args;

    /// What was not running is not started by taking it back.
    fn undo(moved: &Moved) -> Option<&'static str> {
        (moved.changed && moved.before != "failed").then_some("service_start")
    }

    fn words(moved: &Moved) -> String {
        let state = &moved.service;
        if !moved.changed {
            return format!("{} was down already: {}.", state.name, state.both());
        }
        let again = if state.triggered_by.is_empty() {
            String::new()
        } else {
            format!(" It can be started again by {}.", state.triggered_by.join(", "))
        };
        format!("{} is stopped: {}.{again}", state.name, state.both())
    }
}
