//! The Docker tools against a real engine, through the real gate.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

mod support;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use bollard::models::{ContainerCreateBody, HostConfig, PortBinding};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, RemoveContainerOptionsBuilder, StartContainerOptions,
    WaitContainerOptions,
};
use futures_util::StreamExt as _;
use jarvis_safety::call::{CallState, Origin, Vouching};
use jarvis_safety::kernel::{Registry, RegistryBuilder};
use jarvis_safety::outcome::Answer;
use jarvis_safety::refusal::Code;
use jarvis_safety::tool::ToolErrorKind;
use jarvis_safety::{Actor, Tier};
use jarvis_tools::docker::{self, Docker};
use serde_json::{Value, json};

use support::line::{Break, Line};
use support::{House, approve, failed, ran, refused, unknown, waiting};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A real engine and a gate over its tools.
struct Lab {
    address: String,
    gate: House,
    engine: bollard::Docker,
}

impl Lab {
    async fn new() -> Option<Self> {
        let address = support::part("JARVIS_TEST_DOCKER")?;
        let engine = bollard::Docker::connect_with_unix(&address, 60, bollard::API_DEFAULT_VERSION).unwrap();
        let gate = support::gate(tools(&address)).await;
        Some(Self { address, gate, engine })
    }

    /// The same engine, behind a line that breaks.
    async fn behind(&self, broken: Break) -> (House, Line) {
        let line = Line::to(&PathBuf::from(self.address.trim_start_matches("unix://")), broken);
        (support::gate(tools(&line.path.display().to_string())).await, line)
    }

    async fn call(&self, tool: &str, args: Value) -> Answer {
        support::call(&self.gate, &Actor::operator(), tool, args).await
    }

    async fn create(&self, name: &str, body: ContainerCreateBody) -> Container {
        let options = CreateContainerOptionsBuilder::default().name(name).build();
        let id = self.engine.create_container(Some(options), body).await.unwrap().id;
        Container { id, name: name.to_owned(), address: self.address.clone() }
    }

    /// A container that runs this shell line.
    async fn shell(&self, line: &str) -> Container {
        self.run(&name("sh"), shell(line)).await
    }

    async fn run(&self, name: &str, body: ContainerCreateBody) -> Container {
        let container = self.create(name, body).await;
        self.engine.start_container(&container.id, None::<StartContainerOptions>).await.unwrap();
        container
    }

    /// Waits until it has ended; the answer for a code other than 0 is an error, which is what was waited for too.
    async fn ended(&self, container: &Container) {
        let mut ended = Box::pin(self.engine.wait_container(&container.id, None::<WaitContainerOptions>));
        assert!(ended.next().await.is_some());
    }

    async fn state(&self, id: &str) -> Option<bollard::models::ContainerState> {
        self.engine.inspect_container(id, None::<InspectContainerOptions>).await.ok()?.state
    }

    async fn is_running(&self, id: &str) -> bool {
        self.state(id).await.and_then(|state| state.running).unwrap_or(false)
    }
}

/// Removed when the test ends, however it ends.
struct Container {
    id: String,
    name: String,
    address: String,
}

impl Drop for Container {
    fn drop(&mut self) {
        let (id, address) = (self.id.clone(), self.address.clone());
        let removing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let engine = bollard::Docker::connect_with_unix(&address, 60, bollard::API_DEFAULT_VERSION).unwrap();
                let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
                // Most tests have removed it themselves.
                let _ = engine.remove_container(&id, Some(options)).await;
            });
        });
        let _ = removing.join();
    }
}

fn tools(address: &str) -> RegistryBuilder {
    docker::register(Registry::builder(), Docker::new(Some(address.to_owned())))
}

fn name(what: &str) -> String {
    format!("jt-{}-{}-{what}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst))
}

fn image() -> Option<String> {
    Some(support::part("JARVIS_TEST_IMAGE").expect("JARVIS_TEST_DOCKER comes with JARVIS_TEST_IMAGE"))
}

fn shell(line: &str) -> ContainerCreateBody {
    ContainerCreateBody {
        image: image(),
        cmd: Some(vec!["sh".to_owned(), "-c".to_owned(), line.to_owned()]),
        ..Default::default()
    }
}

/// Stays until it is told to stop, and then goes at once.
const STAY: &str = "trap 'exit 0' TERM; while :; do sleep 1 & wait; done";

#[tokio::test]
async fn a_running_container_is_listed_with_image_state_and_ports() {
    let Some(lab) = Lab::new().await else { return };
    let binding = PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some("0".to_owned()) };
    let body = ContainerCreateBody {
        image: support::part("JARVIS_TEST_WEB_IMAGE"),
        host_config: Some(HostConfig {
            port_bindings: Some(HashMap::from([("80/tcp".to_owned(), Some(vec![binding]))])),
            ..Default::default()
        }),
        ..Default::default()
    };
    let web = lab.run(&name("web"), body).await;
    let outcome = ran(lab.call("docker_list", json!({ "name": web.name.to_uppercase() })).await);
    let one = &outcome.output["containers"][0];
    assert_eq!((one["name"].as_str(), one["id"].as_str()), (Some(web.name.as_str()), Some(web.id.as_str())));
    assert_eq!((&one["state"], &one["image"]), (&json!("running"), &json!("lab/web:1")));
    let port = one["ports"][0].as_str().unwrap();
    assert!(port.starts_with("127.0.0.1:") && port.ends_with("->80/tcp"), "{port}");
    assert!(one["created"].as_i64().unwrap() > 1_700_000_000_000);
    assert!(outcome.words.starts_with(&format!("{} is running (lab/web:1), up ", web.name)), "{}", outcome.words);
    assert!(!outcome.untrusted && outcome.target.kind == "docker" && !outcome.target.id.is_empty());

    let none = ran(lab.call("docker_list", json!({ "name": web.name, "state": "exited" })).await);
    assert_eq!(none.output["containers"], json!([]));
    assert!(none.words.starts_with("None of the "), "{}", none.words);
}

#[tokio::test]
async fn inspecting_shows_names_of_environment_variables_and_never_a_secret() {
    let Some(lab) = Lab::new().await else { return };
    let secret = "hunter2-very-secret";
    let mut body = shell(&format!("APP_TOKEN={secret} true; {STAY}"));
    body.env = Some(vec![format!("DB_PASSWORD={secret}"), format!("PLAIN={secret}")]);
    body.labels = Some(HashMap::from([
        ("app.api_key".to_owned(), secret.to_owned()),
        ("note".to_owned(), "line\none".to_owned()),
    ]));
    let memory = HostConfig { memory: Some(64 << 20), ..Default::default() };
    body.host_config = Some(memory);
    let one = lab.run(&name("env"), body).await;
    let outcome = ran(lab.call("docker_inspect", json!({ "container": one.id[..10] })).await);
    assert!(!serde_json::to_string(&outcome).unwrap().contains(secret));
    let names = outcome.output["env_names"].as_array().unwrap();
    assert!(names.contains(&json!("DB_PASSWORD")) && names.contains(&json!("PLAIN")));
    assert!(outcome.output["command"].as_str().unwrap().contains("APP_TOKEN=[hidden]"));
    assert!(outcome.output["labels"].to_string().contains(r"line\\u{a}one"), "{}", outcome.output["labels"]);
    assert_eq!(outcome.output["limits"]["memory_bytes"], json!(64 << 20));
    assert_eq!((&outcome.output["state"], &outcome.output["restart_count"]), (&json!("running"), &json!(0)));
    assert_eq!(outcome.output["restart_policy"], json!("no"));
    assert!(!outcome.output["networks"].as_array().unwrap().is_empty());
    assert!(outcome.untrusted);
    assert!(
        outcome.words.starts_with(&format!("{} is running ({}), up ", one.name, image_name())),
        "{}",
        outcome.words
    );
}

#[tokio::test]
async fn logs_tell_both_streams_and_say_when_there_is_more() {
    let Some(lab) = Lab::new().await else { return };
    let one = lab.shell("for i in $(seq 1 50); do echo out $i; done; echo Oops $((6*7)) >&2; exit 3").await;
    lab.ended(&one).await;
    let last = ran(lab.call("docker_logs", json!({ "container": one.name, "lines": 20 })).await);
    let lines = last.output["lines"].as_array().unwrap();
    assert_eq!((lines.len(), &last.output["cut"], &last.output["older"]), (20, &json!(0), &json!(true)));
    assert!(lines.iter().all(|line| line["at"].as_i64().unwrap() > 1_700_000_000_000));
    let oops = ran(lab.call("docker_logs", json!({ "container": one.name, "search": "oops" })).await);
    assert_eq!(oops.output["lines"][0]["text"], json!("Oops 42"));
    assert_eq!(oops.output["lines"][0]["stream"], json!("stderr"));
    assert_eq!((&oops.output["looked"], &oops.output["older"]), (&json!(51), &json!(false)));
    let all = ran(lab.call("docker_logs", json!({ "container": one.name, "minutes": 5 })).await);
    assert_eq!((all.output["lines"].as_array().unwrap().len(), &all.output["older"]), (51, &json!(false)));
    assert!(all.untrusted && all.words.contains("\nout 50"), "{}", all.words);
    let none = ran(lab.call("docker_logs", json!({ "container": one.name, "search": "absent" })).await);
    assert_eq!(none.words, format!("None of the last 51 lines of {} holds that text.", one.name));
}

#[tokio::test]
async fn a_log_that_is_too_large_is_cut_at_its_old_end_and_says_so() {
    let Some(lab) = Lab::new().await else { return };
    let line = "head -c 20000 /dev/zero | tr '\\0' x";
    let one = lab.shell(&format!("for i in $(seq 1 60); do {line}; echo; done; echo end")).await;
    lab.ended(&one).await;
    let outcome = ran(lab.call("docker_logs", json!({ "container": one.name, "lines": 60 })).await);
    let lines = outcome.output["lines"].as_array().unwrap();
    let bytes: usize = lines.iter().map(|line| line["text"].as_str().unwrap().len()).sum();
    assert!(bytes <= 96 * 1024 && lines.len() > 20, "{bytes} bytes in {} lines", lines.len());
    assert_eq!(outcome.output["cut"].as_u64().unwrap() as usize, 60 - lines.len());
    assert_eq!(lines.last().unwrap()["text"], json!("end"));
    assert!(lines[0]["text"].as_str().unwrap().ends_with('…'));
    assert!(outcome.output["shortened"].as_u64().unwrap() >= 24);
    assert!(outcome.words.contains("earlier ones are left out here"), "{}", &outcome.words[..200]);
}

#[tokio::test]
async fn logs_of_a_container_with_a_terminal_are_plain_lines() {
    let Some(lab) = Lab::new().await else { return };
    let mut body = shell("printf '\\033[31mred\\033[0m\\n'; echo two >&2; printf three");
    body.tty = Some(true);
    let one = lab.run(&name("tty"), body).await;
    lab.ended(&one).await;
    let outcome = ran(lab.call("docker_logs", json!({ "container": one.name })).await);
    let lines = outcome.output["lines"].as_array().unwrap();
    let texts: Vec<_> = lines.iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["red", "two", "three"]);
    assert!(lines.iter().all(|line| line["stream"] == "terminal" && line["at"].is_i64()));
}

#[tokio::test]
async fn stats_measure_one_container_or_all_that_run() {
    let Some(lab) = Lab::new().await else { return };
    let busy = lab.shell("while :; do :; done").await;
    let outcome = ran(lab.call("docker_stats", json!({ "container": busy.name })).await);
    let one = &outcome.output["containers"][0];
    assert!(one["cpu_percent"].as_f64().unwrap() > 5.0, "{one}");
    assert!(one["memory_bytes"].as_u64().unwrap() > 0 && one["processes"].as_u64().unwrap() >= 1, "{one}");
    assert!(one["memory_limit_bytes"].as_u64().unwrap() > one["memory_bytes"].as_u64().unwrap());
    assert!(outcome.words.starts_with(&format!("{} uses ", busy.name)), "{}", outcome.words);
    let all = ran(lab.call("docker_stats", json!({})).await);
    let names = all.output["containers"].as_array().unwrap().iter().map(|one| &one["name"]);
    assert!(names.collect::<Vec<_>>().contains(&&json!(busy.name)));

    let idle = lab.create(&name("idle"), shell(STAY)).await;
    let outcome = failed(lab.call("docker_stats", json!({ "container": idle.name })).await);
    assert!(outcome.words.contains("is not running"), "{}", outcome.words);
}

#[tokio::test]
async fn images_tell_who_uses_them_and_events_what_happened() {
    let Some(lab) = Lab::new().await else { return };
    let one = lab.shell("exit 4").await;
    lab.ended(&one).await;
    let images = ran(lab.call("docker_images", json!({})).await);
    let all = images.output["images"].as_array().unwrap();
    let used = all.iter().find(|image| image["name"] == json!(image_name())).unwrap();
    assert!(used["used_by"].as_array().unwrap().contains(&json!(one.name)));
    assert!(used["id"].as_str().unwrap().starts_with("sha256:"));
    let events = ran(lab.call("docker_events", json!({ "minutes": 5 })).await);
    let events = events.output["events"].as_array().unwrap();
    let own: Vec<_> = events.iter().filter(|event| event["name"] == json!(one.name)).collect();
    let actions: Vec<_> = own.iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["create", "start", "die"]);
    assert_eq!(own[2]["exit_code"], json!("4"));
}

fn image_name() -> String {
    image().unwrap()
}

#[tokio::test]
async fn a_restart_runs_at_once_and_reports_how_the_container_is() {
    let Some(lab) = Lab::new().await else { return };
    let one = lab.shell(STAY).await;
    let before = lab.state(&one.id).await.unwrap().started_at;
    let outcome = ran(lab.call("docker_restart", json!({ "container": one.name })).await);
    assert_eq!((outcome.tier, &outcome.output["state"]), (Tier::Yellow, &json!("running")));
    assert_eq!(outcome.words, format!("{} was restarted and runs ({}).", one.name, image_name()));
    assert_ne!(lab.state(&one.id).await.unwrap().started_at, before);
}

#[tokio::test]
async fn a_container_that_ends_at_once_is_not_called_restarted() {
    let Some(lab) = Lab::new().await else { return };
    let broken = lab.create(&name("broken"), shell("exit 3")).await;
    let outcome = failed(lab.call("docker_start", json!({ "container": broken.name })).await);
    let told = format!("{} was started but did not stay up: it is exited with exit code 3", broken.name);
    assert!(outcome.words.starts_with(&told), "{}", outcome.words);

    let mut body = shell("exit 3");
    body.host_config = Some(serde_json::from_value(json!({ "RestartPolicy": { "Name": "always" } })).unwrap());
    let looping = lab.create(&name("loop"), body).await;
    let outcome = failed(lab.call("docker_restart", json!({ "container": looping.name })).await);
    assert!(outcome.words.contains("starts it again and again"), "{}", outcome.words);

    let short = lab.create(&name("short"), shell("true")).await;
    let outcome = ran(lab.call("docker_start", json!({ "container": short.name })).await);
    assert!(outcome.words.contains("ended by itself with code 0"), "{}", outcome.words);
    assert!(!outcome.undoable);
}

#[tokio::test]
async fn health_is_reported_after_a_restart() {
    let Some(lab) = Lab::new().await else { return };
    let health = |test: &str| {
        let mut body = shell(STAY);
        body.healthcheck = Some(
            serde_json::from_value(json!({
                "Test": ["CMD-SHELL", test], "Interval": 1_000_000_000, "Retries": 1
            }))
            .unwrap(),
        );
        body
    };
    let well = lab.run(&name("well"), health("true")).await;
    let outcome = ran(lab.call("docker_restart", json!({ "container": well.name })).await);
    assert_eq!(outcome.output["health"], json!("healthy"), "{}", outcome.words);
    let sick = lab.run(&name("sick"), health("false")).await;
    let outcome = ran(lab.call("docker_restart", json!({ "container": sick.name })).await);
    assert!(outcome.words.contains("but its health check fails"), "{}", outcome.words);
    let listed = ran(lab.call("docker_list", json!({ "name": sick.name })).await);
    assert_eq!(listed.output["containers"][0]["health"], json!("unhealthy"));
}

#[tokio::test]
async fn a_start_can_be_taken_back_and_a_stop_too() {
    let Some(lab) = Lab::new().await else { return };
    let one = lab.create(&name("undo"), shell(STAY)).await;
    let started = ran(lab.call("docker_start", json!({ "container": one.name })).await);
    assert!(started.undoable && lab.is_running(&one.id).await);
    // By somebody else: the third call of one actor within ten minutes would ask.
    let args = json!({ "container": one.name });
    let again = ran(support::call(&lab.gate, &Actor::local(), "docker_start", args).await);
    assert!(!again.undoable && again.words.contains("was running already"), "{}", again.words);

    let stop = lab.gate.undo(&Actor::operator(), &started.call, Origin::default(), Vouching::Person).await;
    let stopped = ran(approve(&lab.gate, stop).await);
    assert!(stopped.undoable && !lab.is_running(&one.id).await);
    let back = ran(lab.gate.undo(&Actor::operator(), &stopped.call, Origin::default(), Vouching::Person).await);
    assert!(back.tool == "docker_start" && lab.is_running(&one.id).await);
}

#[tokio::test]
async fn stopping_and_removing_wait_for_a_yes_and_happen_exactly_once() {
    let Some(lab) = Lab::new().await else { return };
    let one = lab.shell(STAY).await;
    let card = waiting(lab.call("docker_stop", json!({ "container": one.name })).await);
    assert!(card.tier == Tier::Orange && lab.is_running(&one.id).await);
    assert_eq!(card.steps[0].sentence, format!("Stop container {}.", one.name));
    let stopped = ran(approve(&lab.gate, Answer::Waiting(Box::new(card))).await);
    assert!(stopped.words.starts_with(&format!("{} is stopped (exited ", one.name)), "{}", stopped.words);
    let twice = lab.call("docker_start", json!({ "container": one.name })).await;
    ran(twice);

    let card = waiting(lab.call("docker_remove", json!({ "container": one.name })).await);
    let step = &card.steps[0];
    assert_eq!(card.tier, Tier::Red);
    assert_eq!(step.sentence, format!("Remove container {}, leaving its volumes, even if it is running.", one.name));
    let preview = step.preview.effects.join("\n");
    assert!(preview.contains("is running, up ") && preview.contains("It is running now"), "{preview}");
    assert!(step.preview.undo.as_ref().unwrap().starts_with("It cannot be taken back."));
    let removed = ran(approve(&lab.gate, Answer::Waiting(Box::new(card.clone()))).await);
    assert_eq!(removed.output["was_running"], json!(true));
    assert!(lab.state(&one.id).await.is_none());
    let second = lab.gate.approve(&Actor::operator(), &card.id, &Origin::default()).await.unwrap_err();
    assert_eq!(second.code, Code::AlreadyDecided);
    let calls = lab.gate.calls().await;
    assert_eq!(calls.iter().filter(|call| call.tool == "docker_remove").count(), 1);
    let events = ran(lab.call("docker_events", json!({ "minutes": 5 })).await);
    let events = events.output["events"].as_array().unwrap();
    let gone = events.iter().filter(|event| event["action"] == "destroy" && event["name"] == json!(one.name));
    assert_eq!(gone.count(), 1);
}

#[tokio::test]
async fn anonymous_volumes_go_only_when_that_was_approved() {
    let Some(lab) = Lab::new().await else { return };
    let body = || ContainerCreateBody { volumes: Some(vec!["/data".to_owned()]), ..shell(STAY) };
    let volume_of = async |one: &Container| {
        let inspected = lab.engine.inspect_container(&one.id, None::<InspectContainerOptions>).await.unwrap();
        inspected.mounts.unwrap().remove(0).name.unwrap()
    };
    let keep = lab.create(&name("keep"), body()).await;
    let kept = volume_of(&keep).await;
    let card = waiting(lab.call("docker_remove", json!({ "container": keep.name })).await);
    assert!(card.steps[0].preview.effects.iter().any(|line| line.contains("stays, without a container")));
    let outcome = ran(approve(&lab.gate, Answer::Waiting(Box::new(card))).await);
    assert_eq!(outcome.output["volumes_kept"], json!([kept]));
    lab.engine.inspect_volume(&kept).await.expect("it was to stay");
    let options = bollard::query_parameters::RemoveVolumeOptionsBuilder::default().build();
    lab.engine.remove_volume(&kept, Some(options)).await.unwrap();

    let drop = lab.create(&name("drop"), body()).await;
    let dropped = volume_of(&drop).await;
    let card = waiting(lab.call("docker_remove", json!({ "container": drop.name, "volumes": true })).await);
    assert!(card.steps[0].sentence.contains("with its anonymous volumes"));
    let outcome = ran(approve(&lab.gate, Answer::Waiting(Box::new(card))).await);
    assert_eq!(outcome.output["volumes_deleted"], json!([dropped]));
    assert!(lab.engine.inspect_volume(&dropped).await.is_err());
}

#[tokio::test]
async fn a_container_that_removes_itself_is_stopped_and_removed_as_the_card_says() {
    let Some(lab) = Lab::new().await else { return };
    let body = || ContainerCreateBody {
        volumes: Some(vec!["/data".to_owned()]),
        host_config: Some(HostConfig { auto_remove: Some(true), ..Default::default() }),
        ..shell(STAY)
    };
    let one = lab.run(&name("rm"), body()).await;
    let card = waiting(lab.call("docker_stop", json!({ "container": one.name })).await);
    let preview = card.steps[0].preview.effects.join("\n");
    assert!(preview.contains("with --rm") && preview.contains("is deleted with all that it holds"), "{preview}");
    let outcome = ran(approve(&lab.gate, Answer::Waiting(Box::new(card))).await);
    assert!(!outcome.undoable, "{}", outcome.words);

    let two = lab.run(&name("rm"), body()).await;
    let card = lab.call("docker_remove", json!({ "container": two.name })).await;
    let outcome = ran(approve(&lab.gate, card).await);
    assert_eq!(outcome.output["volumes_deleted"], json!([]), "{}", outcome.words);
    let kept = outcome.output["volumes_kept"][0].as_str().unwrap();
    let options = bollard::query_parameters::RemoveVolumeOptionsBuilder::default().build();
    lab.engine.remove_volume(kept, Some(options)).await.unwrap();
}

#[tokio::test]
async fn another_container_under_the_same_name_is_not_what_was_approved() {
    let Some(lab) = Lab::new().await else { return };
    let first = lab.shell(STAY).await;
    let card = waiting(lab.call("docker_remove", json!({ "container": first.name })).await);
    let taken = first.name.clone();
    drop(first);
    let second = lab.run(&taken, shell(STAY)).await;
    let refusal = refused(approve(&lab.gate, Answer::Waiting(Box::new(card))).await);
    assert_eq!(refusal.code, Code::ApprovalStale);
    assert!(refusal.message.contains(&format!("{taken} is another container now")), "{refusal}");
    assert!(lab.is_running(&second.id).await);
    assert!(lab.gate.calls().await.is_empty());
}

#[tokio::test]
async fn an_unknown_name_is_refused_with_near_ones_and_a_short_id_is_no_id() {
    let Some(lab) = Lab::new().await else { return };
    let one = lab.create(&name("nearby"), shell(STAY)).await;
    let near = format!("{}x", one.name);
    let refusal = refused(lab.call("docker_inspect", json!({ "container": near })).await);
    assert_eq!(refusal.code, Code::UnknownTarget);
    assert!(refusal.message.contains("did you mean") && refusal.message.contains(&one.name), "{refusal}");
    for (wanted, known) in [(&one.id[..8], true), (&one.id[..7], false), (one.id.as_str(), true), ("a?b/../c", false)] {
        let answer = lab.call("docker_inspect", json!({ "container": wanted })).await;
        assert_eq!(matches!(answer, Answer::Ran(_)), known, "{wanted}: {answer:?}");
    }
    let wrong = refused(lab.call("docker_logs", json!({ "container": one.name, "lines": 2001 })).await);
    assert_eq!(wrong.code, Code::InvalidArguments);
}

#[tokio::test]
async fn a_missing_socket_is_told_with_what_to_do() {
    let path = tempfile::tempdir().unwrap().path().join("docker.sock").display().to_string();
    let docker = Docker::new(Some(format!("unix://{path}")));
    let missing = docker.found().await.unwrap_err();
    assert_eq!(missing.kind, ToolErrorKind::Unavailable);
    assert!(missing.message.contains(&path) && missing.message.contains("systemctl start docker"), "{missing}");
    let gate = support::gate(tools(&path)).await;
    for (tool, args) in [
        ("docker_list", json!({})),
        ("docker_remove", json!({ "container": "web" })),
        ("docker_pull", json!({ "image": "x" })),
    ] {
        let refusal = refused(support::call(&gate, &Actor::operator(), tool, args).await);
        assert_eq!(refusal.code, Code::Unavailable, "{tool}: {refusal}");
        assert!(refusal.message.contains(&path), "{refusal}");
    }
}

#[tokio::test]
async fn an_engine_that_went_away_is_found_again_when_it_is_back() {
    let Some(lab) = Lab::new().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docker.sock");
    let engine = PathBuf::from(lab.address.trim_start_matches("unix://"));
    let docker = Docker::new(Some(path.display().to_string()));
    let gate = support::gate(docker::register(Registry::builder(), docker.clone())).await;
    for _ in 0..2 {
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let engine = engine.clone();
        let relay = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut far = tokio::net::UnixStream::connect(&engine).await.unwrap();
                tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
            }
        });
        let found = docker.found().await.unwrap();
        assert!(found.contains("API 1.") && found.contains(&path.display().to_string()), "{found}");
        ran(support::call(&gate, &Actor::operator(), "docker_list", json!({})).await);
        relay.abort();
        let _ = relay.await;
        std::fs::remove_file(&path).unwrap();
        let away = support::call(&gate, &Actor::operator(), "docker_list", json!({})).await;
        let words = match away {
            Answer::Ran(outcome) => outcome.words,
            Answer::Refused(refusal) => refusal.message,
            Answer::Waiting(_) => unreachable!("green never asks"),
        };
        assert!(words.contains(&path.display().to_string()), "{words}");
        assert_eq!(docker.found().await.unwrap_err().kind, ToolErrorKind::Unavailable);
    }
}

#[tokio::test]
async fn a_pull_asks_and_says_clearly_why_it_did_not_succeed() {
    let Some(lab) = Lab::new().await else { return };
    // Nothing listens on this port of the loopback, so the engine is refused at once.
    let card = waiting(lab.call("docker_pull", json!({ "image": "127.0.0.1:1/lab/none" })).await);
    assert_eq!(card.steps[0].sentence, "Pull image 127.0.0.1:1/lab/none:latest from 127.0.0.1:1.");
    assert!(card.steps[0].preview.effects.contains(&"It is not here yet.".to_owned()));
    let outcome = failed(approve(&lab.gate, Answer::Waiting(Box::new(card))).await);
    assert_eq!(outcome.error.as_ref().unwrap().kind, ToolErrorKind::Unavailable, "{}", outcome.words);
    assert!(outcome.words.contains("cannot reach the registry"), "{}", outcome.words);
    let wrong = refused(lab.call("docker_pull", json!({ "image": "a b" })).await);
    assert_eq!(wrong.code, Code::InvalidArguments);
}

#[tokio::test]
async fn after_a_crash_the_container_tells_what_happened() {
    let Some(lab) = Lab::new().await else { return };
    let one = lab.create(&name("doubt"), shell(STAY)).await;
    ran(lab.call("docker_start", json!({ "container": one.name })).await);
    ran(approve(&lab.gate, lab.call("docker_stop", json!({ "container": one.name })).await).await);
    let after_crash = async |tool: &str| {
        let call = lab.gate.calls().await.into_iter().find(|call| call.tool == tool).unwrap();
        support::gate(tools(&lab.address)).await.found_after_crash(call).await
    };
    assert_eq!(after_crash("docker_stop").await, CallState::Done);
    // It was started once, so that it does not run now proves nothing.
    assert_eq!(after_crash("docker_start").await, CallState::Unknown);
    ran(lab.call("docker_start", json!({ "container": one.name })).await);
    assert_eq!(after_crash("docker_start").await, CallState::Done);
    assert_eq!(after_crash("docker_stop").await, CallState::Unknown);

    let card = lab.call("docker_remove", json!({ "container": one.name })).await;
    ran(approve(&lab.gate, card).await);
    assert_eq!(after_crash("docker_remove").await, CallState::Done);
}

/// The engine has answered, so it has done it; the client hears nothing.
#[tokio::test]
async fn a_change_whose_answer_was_lost_is_looked_for_and_never_called_failed() {
    let Some(lab) = Lab::new().await else { return };
    let one = lab.create(&name("lost"), shell(STAY)).await;
    let args = || json!({ "container": one.name });
    let seen = "the effect was seen to be there";

    let (gate, _line) = lab.behind(Break::at("/start", "HTTP/1.1 204")).await;
    let started = ran(support::call(&gate, &Actor::operator(), "docker_start", args()).await);
    assert!(started.words.contains("broke off before it told") && started.words.ends_with(seen), "{}", started.words);
    assert!(lab.is_running(&one.id).await);

    let before = lab.state(&one.id).await.unwrap().started_at;
    let (gate, _line) = lab.behind(Break::at("/restart", "HTTP/1.1 204")).await;
    let restarted = unknown(support::call(&gate, &Actor::operator(), "docker_restart", args()).await);
    assert_eq!(restarted.error.unwrap().kind, ToolErrorKind::Interrupted);
    assert_ne!(lab.state(&one.id).await.unwrap().started_at, before, "it was done");

    let (gate, _line) = lab.behind(Break::at("/stop", "HTTP/1.1 204")).await;
    let card = support::call(&gate, &Actor::operator(), "docker_stop", args()).await;
    assert!(ran(approve(&gate, card).await).words.ends_with(seen));
    assert!(!lab.is_running(&one.id).await);

    let (gate, _line) = lab.behind(Break::at("DELETE /", "HTTP/1.1 204")).await;
    let card = support::call(&gate, &Actor::operator(), "docker_remove", args()).await;
    assert!(ran(approve(&gate, card).await).words.ends_with(seen));
    assert!(lab.state(&one.id).await.is_none());

    // Nobody can see whether a tag that was here already has moved.
    let (gate, _line) = lab.behind(Break::at("/images/create", "HTTP/1.1 ")).await;
    let card = support::call(&gate, &Actor::operator(), "docker_pull", json!({ "image": image_name() })).await;
    unknown(approve(&gate, card).await);
}

const FAULT: &str = "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n\
                     {\"message\":\"broken\"}";

#[tokio::test]
async fn an_engine_that_fell_over_may_have_done_it() {
    let Some(lab) = Lab::new().await else { return };
    let one = lab.create(&name("fault"), shell(STAY)).await;
    let (gate, _line) = lab.behind(Break::at("/start", "HTTP/1.1 204").telling(FAULT)).await;
    let args = json!({ "container": one.name });
    let started = ran(support::call(&gate, &Actor::operator(), "docker_start", args).await);
    assert!(started.words.starts_with("the Docker engine says: broken; the effect was seen"), "{}", started.words);
    assert!(lab.is_running(&one.id).await);
}

#[tokio::test]
async fn a_start_that_the_engine_gave_up_has_failed_and_tells_why() {
    let Some(lab) = Lab::new().await else { return };
    let on_port = |port: &str| {
        let binding = PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(port.to_owned()) };
        let ports = HashMap::from([("80/tcp".to_owned(), Some(vec![binding]))]);
        let host_config = Some(HostConfig { port_bindings: Some(ports), ..Default::default() });
        ContainerCreateBody { image: support::part("JARVIS_TEST_WEB_IMAGE"), host_config, ..Default::default() }
    };
    let first = lab.run(&name("first"), on_port("0")).await;
    let listed = ran(lab.call("docker_list", json!({ "name": first.name })).await);
    let published = listed.output["containers"][0]["ports"][0].as_str().unwrap().to_owned();
    let port = published.trim_start_matches("127.0.0.1:").trim_end_matches("->80/tcp");
    let second = lab.create(&name("second"), on_port(port)).await;
    for tool in ["docker_start", "docker_restart"] {
        let outcome = failed(lab.call(tool, json!({ "container": second.name })).await);
        assert!(outcome.words.contains("port is already allocated"), "{}", outcome.words);
        assert!(outcome.words.ends_with(&format!("{} is created now", second.name)), "{}", outcome.words);
    }
}

#[tokio::test]
async fn a_start_after_which_nobody_can_look_is_unknown() {
    let Some(lab) = Lab::new().await else { return };
    let one = lab.create(&name("unseen"), shell(STAY)).await;
    let (gate, _line) = lab.behind(Break::at("/wait", "HTTP/1.1 200").for_good()).await;
    let args = json!({ "container": one.name });
    let started = unknown(support::call(&gate, &Actor::operator(), "docker_start", args).await);
    assert!(started.words.contains("was started, but how it is now cannot be seen"), "{}", started.words);
    assert!(lab.is_running(&one.id).await);
}
