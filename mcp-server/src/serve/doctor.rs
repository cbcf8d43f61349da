//! What was found on this machine, what is missing, and how to mend it.
//!
//! Looks at the Docker socket, the system bus, the journal, the model and the configuration. It scans nothing.

use std::sync::Arc;

use async_trait::async_trait;
use jarvis_client::wire::{DoctorReport, Finding};
use jarvis_safety::kernel::Gate;
use jarvis_safety::tool::ToolError;
use jarvis_tools::docker::Docker;
use jarvis_tools::service::Bus;

use crate::config::Config;

use super::policy;

/// Looks while the server runs.
pub(super) struct Doctor {
    pub(super) config: Config,
    pub(super) docker: Docker,
    pub(super) bus: Bus,
    pub(super) gate: Gate,
    pub(super) warnings: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
}

#[async_trait]
impl jarvis_web::Doctor for Doctor {
    async fn report(&self) -> DoctorReport {
        let mut findings = machine(&self.config, &self.docker, &self.bus).await;
        findings.push(match self.gate.settings().model {
            Some(model) => finding("model", "ok", format!("{} at {}", model.name, model.url), ""),
            None => finding("model", "ok", "none is configured; plain requests are understood by rule".to_owned(), ""),
        });
        findings.extend((self.warnings)().into_iter().map(|warning| finding("attention", "warning", warning, "")));
        DoctorReport { findings }
    }
}

/// Looks when no server runs.
pub(crate) async fn offline_report(config: &Config) -> DoctorReport {
    let docker = Docker::new(config.docker.clone());
    let bus = Bus::new(config.dbus.clone());
    let mut findings = vec![finding("server", "missing", "no server runs".to_owned(), "start it with `jarvis serve`")];
    findings.extend(machine(config, &docker, &bus).await);
    DoctorReport { findings }
}

async fn machine(config: &Config, docker: &Docker, bus: &Bus) -> Vec<Finding> {
    let mut findings = vec![finding("data directory", "ok", config.data.display().to_string(), "")];
    if let Some(file) = &config.file {
        findings.push(finding("jarvis.toml", "ok", file.display().to_string(), ""));
    }
    findings.push(match policy::load(&config.policy) {
        Ok(_) if !config.policy.exists() => {
            finding("policy.toml", "ok", "there is none; the table alone decides".to_owned(), "")
        }
        Ok(_) => finding("policy.toml", "ok", format!("{} holds against its examples", config.policy.display()), ""),
        Err(fault) => finding(
            "policy.toml",
            "warning",
            fault,
            "mend the named rule; until then everything above green is refused",
        ),
    });
    findings.push(found("Docker", docker.found().await));
    findings
        .push(found("systemd", bus.found().await.map(|found| format!("systemd {} is {}", found.version, found.state))));
    findings
}

fn found(what: &str, looked: Result<String, ToolError>) -> Finding {
    match looked {
        Ok(version) => finding(what, "ok", version, ""),
        Err(error) => finding(what, "missing", error.message, ""),
    }
}

fn finding(what: &str, state: &str, found: String, fix: &str) -> Finding {
    Finding { what: what.to_owned(), state: state.to_owned(), found, fix: fix.to_owned() }
}
