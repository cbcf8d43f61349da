//! Services of a real systemd host: `lab-demo.service` runs there, `lab-broken.service` has failed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

mod support;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use jarvis_safety::call::{Origin, Vouching};
use jarvis_safety::kernel::RegistryBuilder;
use jarvis_safety::refusal::Code;
use jarvis_safety::tool::ToolErrorKind;
use jarvis_safety::{Actor, Tier};
use jarvis_tools::service::{Bus, register};
use serde_json::json;
use support::House;
use support::line::{Break, Line};
use tokio::io::copy_bidirectional;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinSet;

/// Tests that move `lab-demo` take turns.
static DEMO: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);

/// A turn with `lab-demo`, which systemd lets be started afresh: it refuses a service that was started five times in ten
/// seconds, as these tests together do.
async fn turn() -> MutexGuard<'static, ()> {
    let turn = DEMO.lock().await;
    systemctl(&["reset-failed", "lab-demo.service"]);
    turn
}

async fn gate(address: &str) -> House {
    let bus = Bus::new(Some(address.to_owned()));
    support::gate(register(RegistryBuilder::default(), bus)).await
}

async fn host() -> Option<House> {
    Some(gate(&support::part("JARVIS_TEST_DBUS")?).await)
}

/// A command inside the host.
fn inside(arguments: &[&str]) -> Command {
    let prefix = std::env::var("JARVIS_TEST_HOST_EXEC").unwrap();
    let mut words = prefix.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(arguments);
    command
}

fn systemctl(arguments: &[&str]) -> String {
    let all: Vec<_> = ["systemctl"].iter().chain(arguments).copied().collect();
    String::from_utf8(inside(&all).output().unwrap().stdout).unwrap().trim().to_owned()
}

fn demo() -> serde_json::Value {
    json!({ "service": "lab-demo" })
}

/// Leaves the host as it was found.
struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        systemctl(&["start", "lab-demo.service"]);
    }
}

#[tokio::test]
async fn doctor_finds_the_version_of_systemd() {
    let Some(address) = support::part("JARVIS_TEST_DBUS") else { return };
    let found = Bus::new(Some(address)).found().await.unwrap();
    let version = systemctl(&["--version"]);
    assert!(version.contains(&found.version), "{} in {version}", found.version);
    assert_eq!(found.state, systemctl(&["is-system-running"]));
}

#[tokio::test]
async fn services_are_listed_with_the_failed_first() {
    let Some(gate) = host().await else { return };
    let _turn = turn().await;
    let _restored = Restored;
    let all = support::ran(support::call(&gate, &Actor::local(), "service_list", json!({})).await);
    let services = all.output["services"].as_array().unwrap();
    assert_eq!(services[0]["name"], "lab-broken.service");
    assert_eq!(services[0]["active"], "failed");
    let demo = services.iter().find(|service| service["name"] == "lab-demo.service").unwrap();
    assert_eq!(demo["sub"], "running");
    assert_eq!(demo["enabled"], systemctl(&["is-enabled", "lab-demo.service"]));
    assert_eq!(demo["description"], "A service that is always running");
    assert_eq!(all.output["cut"], false);
    assert!(all.words.starts_with("Failed: lab-broken.service."), "{}", all.words);

    let args = json!({ "state": "failed" });
    let failed = support::ran(support::call(&gate, &Actor::local(), "service_list", args).await);
    assert_eq!(failed.output["services"].as_array().unwrap().len(), 1);
    let args = json!({ "state": "running", "name": "DEMO" });
    let running = support::ran(support::call(&gate, &Actor::local(), "service_list", args).await);
    assert_eq!(running.words, "Running: lab-demo.service.");
}

#[tokio::test]
async fn a_status_agrees_with_systemctl() {
    let Some(gate) = host().await else { return };
    let _turn = turn().await;
    let outcome = support::ran(support::call(&gate, &Actor::local(), "service_status", demo()).await);
    assert_eq!(outcome.target.id, "lab-demo.service");
    assert_eq!(outcome.output["active"], "active");
    let pid = systemctl(&["show", "-P", "MainPID", "lab-demo.service"]);
    assert_eq!(outcome.output["main_pid"].to_string(), pid);
    let memory = systemctl(&["show", "-P", "MemoryCurrent", "lab-demo.service"]);
    assert_eq!(outcome.output.get("memory_bytes").is_some(), memory != "[not set]", "{memory}");
    assert!(outcome.words.starts_with("lab-demo.service is active (running) for "), "{}", outcome.words);

    let args = json!({ "service": "lab-broken.service" });
    let broken = support::ran(support::call(&gate, &Actor::local(), "service_status", args).await);
    assert_eq!(broken.output["result"], "exit-code");
    assert_eq!(broken.output["exit_status"], 3);
    assert!(broken.words.contains("exit status 3"), "{}", broken.words);
}

#[tokio::test]
async fn a_restart_is_yellow_runs_and_gives_a_new_process() {
    let Some(gate) = host().await else { return };
    let _turn = turn().await;
    let _restored = Restored;
    systemctl(&["start", "lab-demo.service"]);
    let before = systemctl(&["show", "-P", "MainPID", "lab-demo.service"]);
    let outcome = support::ran(support::call(&gate, &Actor::local(), "service_restart", demo()).await);
    assert_eq!(outcome.tier, Tier::Yellow);
    let after = systemctl(&["show", "-P", "MainPID", "lab-demo.service"]);
    assert_ne!(before, after);
    assert_eq!(outcome.output["service"]["main_pid"].to_string(), after);
    assert!(!outcome.undoable);
    assert_eq!(outcome.words, format!("lab-demo.service was restarted and is up: active (running), process {after}."));
}

#[tokio::test]
async fn a_stop_asks_runs_once_approved_and_can_be_taken_back() {
    let Some(gate) = host().await else { return };
    let _turn = turn().await;
    let _restored = Restored;
    systemctl(&["start", "lab-demo.service"]);
    let answer = support::call(&gate, &Actor::local(), "service_stop", demo()).await;
    let card = support::waiting(answer.clone());
    assert_eq!(card.steps[0].tier, Tier::Orange);
    assert_eq!(card.steps[0].sentence, "stop the service lab-demo.service.");
    assert_eq!(systemctl(&["is-active", "lab-demo.service"]), "active", "asking does nothing");

    let outcome = support::ran(support::approve(&gate, answer).await);
    assert_eq!(systemctl(&["is-active", "lab-demo.service"]), "inactive");
    assert_eq!(outcome.words, "lab-demo.service is stopped: inactive (dead).");
    assert!(outcome.undoable);

    let undone = support::ran(gate.undo(&Actor::operator(), &outcome.call, Origin::default(), Vouching::Person).await);
    assert_eq!(undone.tool, "service_start");
    assert_eq!(systemctl(&["is-active", "lab-demo.service"]), "active");
}

#[tokio::test]
async fn starting_what_is_up_changes_nothing_and_leaves_nothing_to_take_back() {
    let Some(gate) = host().await else { return };
    let _turn = turn().await;
    systemctl(&["start", "lab-demo.service"]);
    let before = systemctl(&["show", "-P", "MainPID", "lab-demo.service"]);
    let outcome = support::ran(support::call(&gate, &Actor::local(), "service_start", demo()).await);
    assert_eq!(outcome.output["changed"], false);
    assert!(!outcome.undoable);
    assert_eq!(systemctl(&["show", "-P", "MainPID", "lab-demo.service"]), before);
}

#[tokio::test]
async fn a_service_that_falls_over_at_once_is_not_called_started() {
    let Some(gate) = host().await else { return };
    let _turn = turn().await;
    let args = json!({ "service": "lab-broken" });
    let outcome = support::failed(support::call(&gate, &Actor::local(), "service_start", args).await);
    assert_eq!(outcome.error.unwrap().kind, ToolErrorKind::Failed);
    assert!(outcome.words.contains("exit status 3"), "{}", outcome.words);
}

#[tokio::test]
async fn an_unknown_service_is_refused_with_near_names() {
    let Some(gate) = host().await else { return };
    let args = json!({ "service": "lab-dmeo" });
    let refusal = support::refused(support::call(&gate, &Actor::local(), "service_status", args).await);
    assert_eq!(refusal.code, Code::UnknownTarget);
    assert!(refusal.message.contains("lab-demo.service"), "{}", refusal.message);

    let args = json!({ "service": "dbus.socket" });
    let refusal = support::refused(support::call(&gate, &Actor::local(), "service_restart", args).await);
    assert_eq!(refusal.code, Code::InvalidArguments);
    assert!(refusal.message.contains("is a socket"), "{}", refusal.message);
}

#[tokio::test]
async fn an_alias_is_acted_on_under_its_canonical_name() {
    let Some(gate) = host().await else { return };
    let args = json!({ "service": "dbus-org.freedesktop.login1" });
    let outcome = support::ran(support::call(&gate, &Actor::local(), "service_status", args).await);
    assert_eq!(outcome.target.id, "systemd-logind.service");
}

#[tokio::test]
async fn stopping_the_way_to_the_machine_is_red_and_says_why() {
    let Some(gate) = host().await else { return };
    let args = json!({ "service": "dbus" });
    let card = support::waiting(support::call(&gate, &Actor::local(), "service_stop", args).await);
    assert_eq!(card.steps[0].tier, Tier::Red);
    let effects = card.steps[0].preview.effects.join("\n");
    assert!(effects.contains("reach this machine through this service"), "{effects}");
    assert!(effects.contains("systemd-logind.service") || effects.contains("dbus.service is active"), "{effects}");
}

#[tokio::test]
async fn without_a_bus_the_tools_say_what_is_missing() {
    let gate = gate("unix:path=/nowhere/system_bus_socket").await;
    let listed = support::failed(support::call(&gate, &Actor::local(), "service_list", json!({})).await);
    assert_eq!(listed.error.unwrap().kind, ToolErrorKind::Unavailable);
    assert!(listed.words.contains("/run/dbus/system_bus_socket"), "{}", listed.words);
    let refusal = support::refused(support::call(&gate, &Actor::local(), "service_start", demo()).await);
    assert_eq!(refusal.code, Code::Unavailable);
}

/// A socket whose connections a test can lead elsewhere and cut.
struct Relay {
    _folder: tempfile::TempDir,
    listener: UnixListener,
    address: String,
}

impl Relay {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path: PathBuf = folder.path().join("bus");
        let listener = UnixListener::bind(&path).unwrap();
        Self { address: format!("unix:path={}", path.display()), _folder: folder, listener }
    }
}

#[tokio::test]
async fn a_connection_that_was_cut_is_made_anew() {
    let Some(address) = support::part("JARVIS_TEST_DBUS") else { return };
    let socket = address.strip_prefix("unix:path=").unwrap().to_owned();
    let relay = Relay::new();
    let gate = gate(&relay.address).await;
    let (cut, mut cuts) = tokio::sync::mpsc::channel::<tokio::sync::oneshot::Sender<()>>(1);
    let server = tokio::spawn(async move {
        let mut accepted = 0;
        let mut lines = JoinSet::new();
        loop {
            tokio::select! {
                Ok((mut near, _)) = relay.listener.accept() => {
                    accepted += 1;
                    let mut far = UnixStream::connect(&socket).await.unwrap();
                    lines.spawn(async move { copy_bidirectional(&mut near, &mut far).await });
                }
                done = cuts.recv() => {
                    lines.shutdown().await;
                    match done {
                        Some(done) => done.send(()).unwrap(),
                        None => return accepted,
                    }
                }
            }
        }
    });
    support::ran(support::call(&gate, &Actor::local(), "service_list", json!({})).await);
    let (done, is_cut) = tokio::sync::oneshot::channel();
    cut.send(done).await.unwrap();
    is_cut.await.unwrap();
    // The first call may be the one that finds out; the one after it must not.
    let first = support::call(&gate, &Actor::local(), "service_list", json!({})).await;
    drop(first);
    support::ran(support::call(&gate, &Actor::local(), "service_list", json!({})).await);
    drop(cut);
    assert_eq!(server.await.unwrap(), 2, "one connection before the cut and one after");
}

/// A gate over a line to the host that breaks at this request, once systemd has ended the job.
async fn cut_at(request: &'static str) -> Option<(House, Line)> {
    let address = support::part("JARVIS_TEST_DBUS")?;
    let bus = PathBuf::from(address.strip_prefix("unix:path=").unwrap());
    let line = Line::to(&bus, Break::at(request, "JobRemoved"));
    let gate = gate(&format!("unix:path={}", line.path.display())).await;
    Some((gate, line))
}

#[tokio::test]
async fn a_stop_whose_answer_was_lost_is_looked_for_and_never_called_failed() {
    let Some((gate, _line)) = cut_at("StopUnit").await else { return };
    let _turn = turn().await;
    let _restored = Restored;
    systemctl(&["start", "lab-demo.service"]);
    let card = support::call(&gate, &Actor::local(), "service_stop", demo()).await;
    let outcome = support::ran(support::approve(&gate, card).await);
    assert_eq!(systemctl(&["is-active", "lab-demo.service"]), "inactive");
    assert!(outcome.words.contains("the line to systemd broke off"), "{}", outcome.words);
    assert!(outcome.words.ends_with("the effect was seen to be there"), "{}", outcome.words);
}

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_looked_for_and_never_called_failed() {
    let Some((gate, _line)) = cut_at("StartUnit").await else { return };
    let _turn = turn().await;
    let _restored = Restored;
    systemctl(&["stop", "lab-demo.service"]);
    let outcome = support::ran(support::call(&gate, &Actor::local(), "service_start", demo()).await);
    assert_eq!(systemctl(&["is-active", "lab-demo.service"]), "active");
    assert!(outcome.words.ends_with("the effect was seen to be there"), "{}", outcome.words);

    // It is tried, falls over and is down again: that it is down does not prove that nothing was done.
    let args = json!({ "service": "lab-broken" });
    let outcome = support::unknown(support::call(&gate, &Actor::local(), "service_start", args).await);
    assert_eq!(outcome.error.unwrap().kind, ToolErrorKind::Interrupted);
}

#[tokio::test]
async fn a_restart_whose_answer_was_lost_is_unknown() {
    let Some((gate, _line)) = cut_at("RestartUnit").await else { return };
    let _turn = turn().await;
    let _restored = Restored;
    systemctl(&["start", "lab-demo.service"]);
    let before = systemctl(&["show", "-P", "MainPID", "lab-demo.service"]);
    let outcome = support::unknown(support::call(&gate, &Actor::local(), "service_restart", demo()).await);
    assert_ne!(systemctl(&["show", "-P", "MainPID", "lab-demo.service"]), before, "it was done");
    assert!(outcome.words.contains("look at the target before you repeat it"), "{}", outcome.words);
}

#[tokio::test]
async fn a_user_without_the_right_is_told_the_rule_to_add() {
    if support::part("JARVIS_TEST_DBUS").is_none() {
        return;
    }
    let relay = Relay::new();
    let gate = gate(&relay.address).await;
    // systemd sees who connects: a bridge that runs as nobody inside the host makes every call nobody's.
    let server = tokio::spawn(async move {
        let mut lines = JoinSet::new();
        while let Ok((near, _)) = relay.listener.accept().await {
            let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "systemd-stdio-bridge"];
            let mut command = tokio::process::Command::from(inside(&nobody));
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
            lines.spawn(async move {
                let mut bridge = command.spawn().unwrap();
                let (mut into, mut out) = (bridge.stdin.take().unwrap(), bridge.stdout.take().unwrap());
                let (mut near_out, mut near_in) = near.into_split();
                tokio::select! {
                    end = tokio::io::copy(&mut near_out, &mut into) => end,
                    end = tokio::io::copy(&mut out, &mut near_in) => end,
                }
            });
        }
    });
    let status = support::ran(support::call(&gate, &Actor::local(), "service_status", demo()).await);
    assert_eq!(status.output["name"], "lab-demo.service", "looking is allowed to everybody");
    let _turn = turn().await;
    let before = systemctl(&["show", "-P", "MainPID", "lab-demo.service"]);
    let outcome = support::failed(support::call(&gate, &Actor::local(), "service_restart", demo()).await);
    assert_eq!(outcome.error.unwrap().kind, ToolErrorKind::NotPermitted);
    for part in ["/etc/polkit-1/rules.d/50-jarvis.rules", "manage-units", "\"lab-demo.service\"", "polkit.Result.YES"] {
        assert!(outcome.words.contains(part), "{part} in {}", outcome.words);
    }
    assert_eq!(systemctl(&["show", "-P", "MainPID", "lab-demo.service"]), before, "nothing was done");
    server.abort();
}
