//! `service_restart`: the usual remedy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Change, Service};
use super::guard::Verb;
use super::job::Moved;

/// Restarts a service, or starts it if it is down, and waits until systemd says that it is up.
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

pub(super) struct Restart;

impl Change for Restart {
    const NAME: &'static str = "service_restart";
    const VERB: Verb = Verb::Restart;
    const SECONDS: u64 = 210;
    const EXAMPLES: &'static [&'static str] = &[
        "restart {service}",
        "restart the service {service}",
        "reboot the {service} service",
        "bounce {service}",
        "stop and start {service} again",
    ];
    type Args = Args;

    /// Only one that was down can be brought back to how it was.
    fn undo(moved: &Moved) -> Option<&'static str> {
        matches!(moved.before.as_str(), "inactive" | "failed").then_some("service_stop")
    }

    fn words(moved: &Moved) -> String {
        let state = &moved.service;
        if !state.is_active() {
            return format!("{} was restarted, ran and has ended: {}.", state.name, state.both());
        }
        let process = state.main_pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
        let was = if moved.before == "active" { "" } else { " (it was down before)" };
        format!("{} was restarted{was} and is up: {}{process}.", state.name, state.both())
    }
}
