//! A Docker engine that only keeps books: as far as the program's tools use its API (v1.41 to v1.48), in its shapes.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

use hyper::Method;
use serde_json::{Value, json};

use super::ledger::{self, Deed, Ledger};
use super::serve::{Asked, Served, Told, on_socket};

/// A container.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) command: String,
    pub(crate) running: bool,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) environment: Vec<String>,
    pub(crate) log: Vec<String>,
}

#[derive(Default)]
struct State {
    containers: Vec<Container>,
    images: Vec<String>,
    made: u64,
}

/// The engine.
#[derive(Clone)]
pub(crate) struct Engine {
    state: Arc<Mutex<State>>,
    ledger: Ledger,
    deaf: Arc<AtomicBool>,
}

impl Engine {
    pub(crate) fn new(ledger: Ledger) -> Self {
        Self { state: Arc::default(), ledger, deaf: Arc::default() }
    }

    pub(crate) fn serve(&self, socket: &Path) -> anyhow::Result<Served> {
        let engine = self.clone();
        on_socket(socket, Arc::new(move |asked| engine.answer(&asked)))
    }

    /// Makes a container that runs, and answers its id.
    pub(crate) fn make(&self, name: &str, image: &str, log: &str) -> String {
        let mut state = self.lock();
        state.made += 1;
        let id = id_of(state.made);
        let log = log.lines().map(str::to_owned).collect();
        state.containers.push(Container {
            id: id.clone(),
            name: name.to_owned(),
            image: image.to_owned(),
            command: "/bin/serve".to_owned(),
            running: true,
            labels: Vec::new(),
            environment: Vec::new(),
            log,
        });
        id
    }

    /// Changes a container of this name, as whoever owns the machine can.
    pub(crate) fn change(&self, name: &str, how: impl FnOnce(&mut Container)) {
        if let Some(container) = self.lock().containers.iter_mut().find(|one| one.name == name) {
            how(container);
        }
    }

    /// Takes a container away, as whoever owns the machine can.
    pub(crate) fn forget(&self, name: &str) {
        self.lock().containers.retain(|one| one.name != name);
    }

    /// The id behind a name.
    pub(crate) fn id(&self, name: &str) -> String {
        let state = self.lock();
        state.containers.iter().find(|one| one.name == name).map(|one| one.id.clone()).unwrap_or_default()
    }

    /// From now on it says yes to everything and does nothing.
    pub(crate) fn go_deaf(&self) {
        self.deaf.store(true, Ordering::Relaxed);
    }

    /// Gives two containers each other's name.
    pub(crate) fn swap(&self, one: &str, other: &str) {
        for container in &mut self.lock().containers {
            if container.name == one {
                other.clone_into(&mut container.name);
            } else if container.name == other {
                one.clone_into(&mut container.name);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, asked: &Asked) -> Told {
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        let mut parts: Vec<_> = path.trim_matches('/').split('/').collect();
        // `/v1.44/containers/json` and `/containers/json` are the same.
        if parts.first().is_some_and(|part| part.starts_with("v1.")) {
            parts.remove(0);
        }
        if self.deaf.load(Ordering::Relaxed) && matches!(asked.method, Method::POST | Method::DELETE) {
            return Told::new(204, "text/plain", "");
        }
        match (&asked.method, parts.as_slice()) {
            (_, ["_ping"]) => Told::new(200, "text/plain", "OK"),
            (&Method::GET, ["version"]) => told(200, &version()),
            (&Method::GET, ["info"]) => told(200, &info()),
            (&Method::GET, ["containers", "json"]) => {
                told(200, &self.lock().containers.iter().map(listed).collect::<Value>())
            }
            (&Method::GET, ["containers", id, "json"]) => self.with(id, |one| told(200, &inspected(one))),
            (&Method::GET, ["containers", id, "logs"]) => self.with(id, logs),
            (&Method::POST, ["containers", id, "wait"]) => self.with(id, |_| refused(500, "not while it runs")),
            (&Method::POST, ["containers", id, "restart"]) => self.set(id, "docker_restart", true),
            (&Method::POST, ["containers", id, "start"]) => self.set(id, "docker_start", true),
            (&Method::POST, ["containers", id, "stop"]) => self.set(id, "docker_stop", false),
            (&Method::DELETE, ["containers", id]) => self.remove(id),
            (&Method::POST, ["images", "create"]) => self.pull(query),
            (&Method::GET, ["containers", id, "stats"]) => self.with(id, |_| told(200, &measured())),
            (&Method::GET, ["events"]) => Told::new(200, "application/json", ""),
            (&Method::GET, ["images", "json"]) => {
                let state = self.lock();
                let used = state.containers.iter().map(|one| &one.image);
                told(200, &(1..).zip(used.chain(&state.images)).map(stored).collect::<Value>())
            }
            (&Method::GET, ["images", name @ .., "json"]) => self.image(&name.join("/")),
            _ => refused(404, "page not found"),
        }
    }

    fn with(&self, id: &str, then: impl FnOnce(&mut Container) -> Told) -> Told {
        let mut state = self.lock();
        match state.containers.iter_mut().find(|one| one.id == id || one.name == id) {
            Some(container) => then(container),
            None => refused(404, &format!("No such container: {id}")),
        }
    }

    fn set(&self, id: &str, tool: &'static str, running: bool) -> Told {
        self.with(id, |one| {
            if one.running == running && tool != "docker_restart" {
                self.ledger.idle(Deed::new(tool, one.id.clone()));
                return Told::new(304, "text/plain", "");
            }
            one.running = running;
            self.ledger.write(Deed::new(tool, one.id.clone()));
            Told::new(204, "text/plain", "")
        })
    }

    /// Removes it, and makes another of the same name, as whatever keeps services up would.
    fn remove(&self, id: &str) -> Told {
        let mut state = self.lock();
        state.made += 1;
        let fresh = id_of(state.made);
        let Some(container) = state.containers.iter_mut().find(|one| one.id == id || one.name == id) else {
            return refused(404, &format!("No such container: {id}"));
        };
        self.ledger.write(Deed::new("docker_remove", container.id.clone()));
        (container.id, container.running) = (fresh, true);
        Told::new(204, "text/plain", "")
    }

    fn pull(&self, query: &str) -> Told {
        let field = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(known, _)| *known == name).map(|(_, value)| plain(value)).unwrap_or_default()
        };
        let image = format!("{}:{}", field("fromImage"), field("tag"));
        self.ledger.write(Deed::new("docker_pull", image.clone()));
        self.lock().images.push(image);
        Told::new(200, "application/json", "{\"status\":\"Status: Downloaded newer image\"}\r\n")
    }

    fn image(&self, name: &str) -> Told {
        let name = plain(name);
        let known = self.lock().images.iter().any(|image| image.ends_with(&name) || name.ends_with(image));
        if !known {
            return refused(404, &format!("No such image: {name}"));
        }
        told(200, &json!({ "Id": format!("sha256:{}", id_of(1)), "RepoTags": [name], "Size": 1_000_000 }))
    }
}

fn told(status: u16, body: &Value) -> Told {
    Told::new(status, "application/json", body.to_string())
}

fn refused(status: u16, why: &str) -> Told {
    told(status, &json!({ "message": why }))
}

fn version() -> Value {
    json!({
        "Platform": { "Name": "Docker Engine - Community" }, "Version": "28.0.1", "ApiVersion": "1.48",
        "MinAPIVersion": "1.24", "GitCommit": "bbd0a17", "GoVersion": "go1.23.6", "Os": "linux", "Arch": "amd64",
        "KernelVersion": "6.1.0",
    })
}

fn info() -> Value {
    json!({
        "ID": "9a1c7b0e-77a4-4c55-9a6b-1f0f8a3b8f10", "Name": "lab", "ServerVersion": "28.0.1", "SystemTime": now(),
        "Containers": 3, "OSType": "linux", "Architecture": "x86_64",
    })
}

fn listed(one: &Container) -> Value {
    let (state, status) = if one.running { ("running", "Up 3 hours") } else { ("exited", "Exited (0) 1 hour ago") };
    let labels: serde_json::Map<_, _> = one.labels.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "Id": one.id, "Names": [format!("/{}", one.name)], "Image": one.image, "ImageID": format!("sha256:{}", id_of(7)),
        "Command": one.command, "Created": 1_790_000_000, "Ports": [], "Labels": labels, "State": state,
        "Status": status, "HostConfig": { "NetworkMode": "bridge" }, "NetworkSettings": { "Networks": {} }, "Mounts": [],
    })
}

fn stored((number, name): (u64, &String)) -> Value {
    json!({
        "Id": format!("sha256:{}", id_of(number)), "ParentId": "", "RepoTags": [name], "RepoDigests": [],
        "Created": 1_790_000_000, "Size": 1_000_000, "SharedSize": -1, "Labels": {}, "Containers": -1,
    })
}

fn measured() -> Value {
    json!({
        "cpu_stats": { "cpu_usage": { "total_usage": 3000 }, "system_cpu_usage": 20_000, "online_cpus": 2 },
        "precpu_stats": { "cpu_usage": { "total_usage": 1000 }, "system_cpu_usage": 10_000 },
        "memory_stats": { "usage": 50_000_000, "limit": 1_000_000_000 }, "pids_stats": { "current": 3 },
    })
}

fn inspected(one: &Container) -> Value {
    let labels: serde_json::Map<_, _> = one.labels.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "Id": one.id, "Name": format!("/{}", one.name), "Created": "2026-11-01T08:00:00.000000000Z",
        "Path": one.command, "Args": [], "Image": format!("sha256:{}", id_of(7)), "RestartCount": 0,
        "State": {
            "Status": if one.running { "running" } else { "exited" }, "Running": one.running, "Paused": false,
            "Restarting": false, "OOMKilled": false, "Dead": false, "Pid": 4711, "ExitCode": 0, "Error": "",
            "StartedAt": "2026-11-20T08:00:00.000000000Z",
            "FinishedAt": if one.running { "0001-01-01T00:00:00Z" } else { "2026-11-21T08:00:00.000000000Z" },
        },
        "Config": {
            "Image": one.image, "Env": one.environment, "Labels": labels, "Cmd": [one.command], "User": "",
        },
        "HostConfig": { "AutoRemove": false, "Privileged": false, "RestartPolicy": { "Name": "no" } },
        "NetworkSettings": { "Ports": {}, "Networks": {} }, "Mounts": [],
    })
}

/// Lines of standard output, each in a frame of its own.
fn logs(one: &mut Container) -> Told {
    let mut body = Vec::new();
    for line in &one.log {
        let text = format!("2026-11-21T08:00:00.000000000Z {line}\n");
        let length = u32::try_from(text.len()).unwrap_or(0).to_be_bytes();
        body.extend([1, 0, 0, 0]);
        body.extend(length);
        body.extend(text.bytes());
    }
    Told::new(200, "application/vnd.docker.multiplexed-stream", body)
}

/// 64 hexadecimal characters, different from the first one on.
fn id_of(number: u64) -> String {
    let mut mixed = crate::chance::Chance::of(0x00d0_c4e2, number);
    (0..4).map(|_| format!("{:016x}", mixed.next())).collect()
}

/// Percent signs undone.
fn plain(text: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, tail @ ..] = rest {
        let byte = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok()?.parse_hex());
        match (first, byte) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = &tail[2..];
            }
            (byte, _) => {
                out.push(*byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

trait Hex {
    fn parse_hex(&self) -> Option<u8>;
}

impl Hex for str {
    fn parse_hex(&self) -> Option<u8> {
        u8::from_str_radix(self, 16).ok()
    }
}

/// The time as the engine writes it.
fn now() -> String {
    let seconds = ledger::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, clock) = (i64::try_from(seconds / 86_400).unwrap_or(0), seconds % 86_400);
    let (year, month, day) = date(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.0Z", clock / 3600, clock / 60 % 60, clock % 60)
}

/// Year, month and day of a day since 1970.
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(20_779), (2026, 11, 22));
    }

    #[test]
    fn percent_signs_are_undone_once() {
        assert_eq!(plain("ghcr.io%2Fa%25b"), "ghcr.io/a%b");
    }
}
