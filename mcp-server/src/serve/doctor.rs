//! What was found on this machine, what is missing, and how to mend it.
//!
//! Looks at the Docker socket, the system bus, the journal, the model and the configuration. It scans nothing.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jarvis_client::wire::{DoctorReport, Finding};
use jarvis_memory::Database;
use jarvis_safety::kernel::Gate;
use jarvis_safety::tool::ToolError;
use jarvis_tools::command::Commands;
use jarvis_tools::docker::Docker;
use jarvis_tools::service::Bus;

use crate::config::Config;

use super::policy;

/// Looks while the server runs.
pub(super) struct Doctor {
    pub(super) config: Config,
    pub(super) docker: Docker,
    pub(super) bus: Bus,
    pub(super) commands: Commands,
    pub(super) gate: Gate,
    pub(super) warnings: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
}

#[async_trait]
impl jarvis_web::Doctor for Doctor {
    async fn report(&self) -> DoctorReport {
        let mut findings = machine(&self.config, &self.docker, &self.bus, &self.commands).await;
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
    let commands = Commands::load(config.command_options(), None);
    let mut findings = vec![finding("server", "missing", "no server runs".to_owned(), "start it with `jarvis serve`")];
    findings.extend(machine(config, &docker, &bus, &commands).await);
    DoctorReport { findings }
}

async fn machine(config: &Config, docker: &Docker, bus: &Bus, commands: &Commands) -> Vec<Finding> {
    let mut findings = vec![data_directory(&config.data)];
    if !matches!(config.database, Database::Directory) {
        findings.push(finding("database", "ok", format!("everything is kept in {:?}", config.database), ""));
    }
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
    findings.push(match commands.found().await {
        Ok(told) => finding("commands", "ok", told, ""),
        Err(fault) => finding("commands", "warning", fault.message, "until then no command is run; all else works"),
    });
    findings.push(found("Docker", docker.found().await));
    findings
        .push(found("systemd", bus.found().await.map(|found| format!("systemd {} is {}", found.version, found.state))));
    findings
}

/// Whether the data directory is there and can be written to. Nothing is written.
fn data_directory(data: &Path) -> Finding {
    let at = data.display();
    let what = "data directory";
    if !data.exists() {
        return finding(what, "missing", format!("{at} is not there"), "the first start of `jarvis serve` makes it");
    }
    match OpenOptions::new().write(true).open(data.join("lock")) {
        Ok(_) => finding(what, "ok", at.to_string(), ""),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            finding(what, "missing", format!("{at} holds nothing of Jarvis yet"), "start it with `jarvis serve`")
        }
        Err(error) => finding(
            what,
            "warning",
            format!("{at} cannot be written to: {error}"),
            "see that this user owns it and that its disk is not mounted read-only",
        ),
    }
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
