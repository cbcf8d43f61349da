//! How one service is, read at one moment.

use jarvis_safety::Target;
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::tool::{ToolError, ToolErrorKind};
use schemars::JsonSchema;
use serde::Serialize;
use zbus::OwnedObjectPath;

use super::bus::{Bus, MANAGER, Properties, ROOT, body};
use super::unit::{full_name, near};
use crate::system::quantity::{bytes, counted, span};

const UNIT: &str = "org.freedesktop.systemd1.Unit";
const SERVICE: &str = "org.freedesktop.systemd1.Service";
/// systemd writes "unknown" as the largest number.
const UNKNOWN: u64 = u64::MAX;

/// How a service is.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct State {
    /// Canonical name.
    pub(super) name: String,
    /// What it is, in its author's words.
    pub(super) description: String,
    /// `active`, `inactive`, `failed`, `activating`, `deactivating` or `reloading`.
    pub(super) active: String,
    /// The finer state: `running`, `exited`, `dead`, `auto-restart` …
    pub(super) sub: String,
    /// Whether it starts with the machine: `enabled`, `disabled`, `static`, `masked` …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) enabled: Option<String>,
    /// Why it ended, where that was not a success: `exit-code`, `signal`, `timeout`, `oom-kill` …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<String>,
    /// Exit status of its last main process, where that was not 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exit_status: Option<i32>,
    /// Since when, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<i64>,
    /// For how many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seconds: Option<u64>,
    /// Main process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) main_pid: Option<u32>,
    /// How often systemd has restarted it by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) restarts: Option<u32>,
    /// Bytes of memory of all its processes, where systemd counts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) memory_bytes: Option<u64>,
    /// Sockets, timers and paths that start it again when something arrives.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) triggered_by: Vec<String>,
}

impl State {
    /// `active (running)`; `failed`, whose finer state is the same word.
    pub(super) fn both(&self) -> String {
        if self.active == self.sub {
            return self.active.clone();
        }
        format!("{} ({})", self.active, self.sub)
    }

    pub(super) fn is_active(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading" | "refreshing")
    }

    pub(super) fn is_down(&self) -> bool {
        matches!(self.active.as_str(), "inactive" | "failed")
    }

    /// Whether it has failed, or is between two tries.
    pub(super) fn has_failed(&self) -> bool {
        self.active == "failed" || self.sub.starts_with("auto-restart")
    }

    /// Why it ended, for the end of a sentence.
    pub(super) fn reason(&self) -> String {
        match (&self.result, self.exit_status) {
            (Some(result), Some(status)) => format!(": {result}, exit status {status}"),
            (Some(result), None) => format!(": {result}"),
            _ => String::new(),
        }
    }

    /// In one line.
    pub(super) fn words(&self) -> String {
        let lasting = self.seconds.map(|seconds| format!(" for {}", span(seconds))).unwrap_or_default();
        let mut parts = vec![format!("{} is {}{lasting}{}", self.name, self.both(), self.reason())];
        parts.extend(self.restarts.map(|count| counted(u64::from(count), "restart")));
        parts.extend(self.main_pid.map(|pid| format!("process {pid}")));
        parts.extend(self.memory_bytes.map(|count| format!("{} of memory", bytes(count))));
        parts.extend(self.enabled.as_deref().and_then(at_start).map(str::to_owned));
        let what = if self.description.is_empty() || self.description == self.name {
            String::new()
        } else {
            format!(" It is “{}”.", self.description)
        };
        let next = if self.has_failed() { " `log_read` shows why." } else { "" };
        format!("{}.{what}{next}", parts.join("; "))
    }
}

fn at_start(enabled: &str) -> Option<&'static str> {
    match enabled {
        "enabled" | "enabled-runtime" => Some("starts with the machine"),
        "disabled" => Some("does not start with the machine"),
        "masked" | "masked-runtime" => Some("masked, so it cannot be started"),
        _ => None,
    }
}

impl Bus {
    /// Finds the one service of this name, under its canonical name.
    pub(super) async fn resolve(&self, given: &str) -> Result<Target, ToolError> {
        let name = full_name(given)?;
        match self.unit(&name).await? {
            Some(mut unit) => {
                let id = unit.text("Id");
                Ok(Target::new("service", id.as_str(), id.as_str()))
            }
            None => Err(self.not_found(&name).await),
        }
    }

    /// How a service is now.
    pub(super) async fn state(&self, id: &str) -> Result<State, ToolError> {
        let Some(unit) = self.unit(id).await? else { return Err(self.not_found(id).await) };
        let path = self.path(id).await?;
        let service = self.properties(path.as_str(), SERVICE).await?;
        Ok(state(unit, service, now_monotonic()))
    }

    /// Active services that go down with this one.
    pub(super) async fn dependents(&self, id: &str) -> Result<Vec<String>, ToolError> {
        let Some(mut unit) = self.unit(id).await? else { return Ok(Vec::new()) };
        let mut names: Vec<String> = Vec::new();
        for relation in ["RequiredBy", "BoundBy", "ConsistsOf"] {
            names.extend(unit.take::<Vec<String>>(relation).unwrap_or_default());
        }
        names.sort();
        names.dedup();
        names.truncate(50);
        if names.is_empty() {
            return Ok(names);
        }
        let listed = self.listed("ListUnitsByNames", &(names,)).await?;
        let active = listed.into_iter().filter(|unit| unit.active == "active");
        Ok(active.map(|unit| shorten(&visible(&unit.name), 100)).take(10).collect())
    }

    async fn path(&self, name: &str) -> Result<OwnedObjectPath, ToolError> {
        body(&self.call(ROOT, MANAGER, "LoadUnit", &(name,)).await?)
    }

    /// The properties of a unit; `None` where there is none of this name. A service whose file is gone but that still
    /// runs is there.
    async fn unit(&self, name: &str) -> Result<Option<Properties>, ToolError> {
        let path = self.path(name).await?;
        let mut unit = self.properties(path.as_str(), UNIT).await?;
        let (load, active) = (unit.text("LoadState"), unit.text("ActiveState"));
        let there = load != "not-found" || active != "inactive";
        unit.put("ActiveState", active);
        Ok(there.then_some(unit))
    }

    async fn not_found(&self, name: &str) -> ToolError {
        let names = self.service_names().await.unwrap_or_default();
        let near = near(name, &names);
        let hint = if near.is_empty() {
            "`service_list` shows what there is".to_owned()
        } else {
            format!("near to it: {}", near.join(", "))
        };
        ToolError::new(
            ToolErrorKind::NotFound,
            format!("there is no service `{}`; {hint}", shorten(&visible(name), 80)),
        )
    }
}

/// Microseconds of the clock that systemd's `…Monotonic` stamps are taken from.
fn now_monotonic() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or_default() * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default() / 1000
}

fn state(mut unit: Properties, mut service: Properties, now: u64) -> State {
    let active = unit.text("ActiveState");
    let stamp = match active.as_str() {
        "active" | "reloading" | "refreshing" => "ActiveEnterTimestamp",
        "inactive" | "failed" => "InactiveEnterTimestamp",
        _ => "StateChangeTimestamp",
    };
    // 0: it was never in this state.
    let stamped = |time: &u64| *time > 0;
    let since = unit.take::<u64>(stamp).filter(stamped);
    let entered = unit.take::<u64>(&format!("{stamp}Monotonic")).filter(stamped);
    let result = Some(service.text("Result")).filter(|result| !result.is_empty() && result != "success");
    let exit_status = service.take::<i32>("ExecMainStatus").filter(|status| *status != 0 && result.is_some());
    let mut triggered_by = unit.take::<Vec<String>>("TriggeredBy").unwrap_or_default();
    triggered_by.truncate(10);
    let clean = |text: String| shorten(&visible(&text), 200);
    State {
        name: clean(unit.text("Id")),
        description: clean(unit.text("Description")),
        sub: clean(unit.text("SubState")),
        enabled: Some(unit.text("UnitFileState")).filter(|state| !state.is_empty()).map(clean),
        result: result.map(clean),
        exit_status,
        since: since.and_then(|micros| i64::try_from(micros / 1000).ok()),
        seconds: entered.map(|entered| now.saturating_sub(entered) / 1_000_000),
        main_pid: service.take::<u32>("MainPID").filter(|pid| *pid > 0),
        restarts: service.take("NRestarts"),
        memory_bytes: service.take::<u64>("MemoryCurrent").filter(|count| *count != UNKNOWN),
        triggered_by: triggered_by.into_iter().map(clean).collect(),
        active: clean(active),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::service) fn running() -> State {
        State {
            name: "nginx.service".to_owned(),
            description: "A web server".to_owned(),
            active: "active".to_owned(),
            sub: "running".to_owned(),
            enabled: Some("enabled".to_owned()),
            result: None,
            exit_status: None,
            since: Some(1_795_000_000_000),
            seconds: Some(3 * 86_400),
            main_pid: Some(812),
            restarts: Some(0),
            memory_bytes: Some(12 * 1024 * 1024),
            triggered_by: Vec::new(),
        }
    }

    #[test]
    fn a_running_service_in_one_line() {
        assert_eq!(
            running().words(),
            "nginx.service is active (running) for 3 days; 0 restarts; process 812; 12.0 MiB of memory; starts with \
             the machine. It is “A web server”."
        );
    }

    #[test]
    fn a_failed_service_says_how_it_ended() {
        let failed = State {
            active: "failed".to_owned(),
            sub: "failed".to_owned(),
            result: Some("exit-code".to_owned()),
            exit_status: Some(3),
            main_pid: None,
            memory_bytes: None,
            enabled: None,
            seconds: Some(60),
            ..running()
        };
        assert_eq!(
            failed.words(),
            "nginx.service is failed for 1 minute: exit-code, exit status 3; 0 restarts. It is “A web \
             server”. `log_read` shows why."
        );
    }
}
