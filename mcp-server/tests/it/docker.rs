//! A real engine: ask, read, restart, stop and remove a real container, over every face.

use std::process::Command;

use jarvis_client::wire::{ApprovalInfo, ApprovalList};
use serde_json::{Value, json};

use crate::app::{TestApp, call, call_waiting};
use crate::needs;

/// A container of this test, removed when it is dropped.
pub(crate) struct Container {
    engine: String,
    pub(crate) name: String,
    pub(crate) id: String,
}

impl Container {
    pub(crate) fn run(name: &str) -> Option<Self> {
        let engine = needs::part("JARVIS_TEST_DOCKER", "a Docker engine")?;
        let image = needs::part("JARVIS_TEST_IMAGE", "an image on that engine")?;
        let name = format!("it-{name}-{}", std::process::id());
        let script = "echo ready to serve; exec sleep 3600";
        let output =
            docker(&engine, &["run", "-d", "--name", &name, "-e", "SECRET_KEY=hunter2", &image, "sh", "-c", script]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let id = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        Some(Self { engine, name, id })
    }

    pub(crate) fn engine(&self) -> &str {
        &self.engine
    }

    pub(crate) fn exists(&self) -> bool {
        docker(&self.engine, &["inspect", &self.id]).status.success()
    }

    pub(crate) fn started_at(&self) -> String {
        let output = docker(&self.engine, &["inspect", "-f", "{{.State.StartedAt}}", &self.id]);
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        docker(&self.engine, &["rm", "-f", &self.id]);
    }
}

fn docker(engine: &str, words: &[&str]) -> std::process::Output {
    Command::new("docker").args(["-H", engine]).args(words).output().unwrap()
}

fn app(container: &Container) -> TestApp {
    TestApp::start_with(&[("JARVIS_DOCKER", container.engine())])
}

#[tokio::test]
async fn a_container_is_seen_restarted_stopped_and_removed_once() {
    let Some(web) = Container::run("life") else { return };
    let app = app(&web);
    let (local, operator) = (app.local(), app.operator().await);
    let named = json!({ "container": web.name });

    let seen = call(&local, "docker_inspect", named.clone()).await.unwrap();
    assert_eq!(seen.state, "done");
    assert!(!seen.output.to_string().contains("hunter2"), "environment values are not shown");
    let logs = call(&local, "docker_logs", named.clone()).await.unwrap();
    assert!(logs.words.contains("ready to serve") && logs.untrusted);

    let before = web.started_at();
    let restarted = call(&local, "docker_restart", named.clone()).await.unwrap();
    assert_eq!((restarted.state.as_str(), restarted.tier.as_str()), ("done", "yellow"));
    assert_ne!(web.started_at(), before);

    let removal = call(&local, "docker_remove", named.clone()).await.unwrap();
    assert_eq!((removal.state.as_str(), removal.tier.as_str()), ("waiting", "red"));
    assert!(web.exists());
    let id = removal.approval.unwrap();
    let card: ApprovalInfo = local.get(&format!("/api/approvals/{id}")).await.unwrap();
    assert_eq!(card.steps[0].preview.target.id, web.id, "the card names the immutable id");
    let approve = format!("/api/approvals/{id}/approve");
    let done: ApprovalInfo = operator.post(&approve, &json!({}), Some(20)).await.unwrap();
    assert_eq!(done.state, "done");
    assert!(!web.exists());
    let second = operator.post::<_, ApprovalInfo>(&approve, &json!({}), None).await;
    assert_eq!(crate::app::code(second), "already_decided");
}

#[tokio::test]
async fn the_terminal_does_the_same() {
    let Some(web) = Container::run("cli") else { return };
    let app = app(&web);
    let named = json!({ "container": web.name }).to_string();
    let (exit, restarted) = app.cli_json(&["call", "docker_restart", &named]);
    assert_eq!((exit, restarted["state"].as_str()), (0, Some("done")));
    let (exit, stop) = app.cli_json(&["call", "docker_stop", &named]);
    assert_eq!((exit, stop["state"].as_str()), (3, Some("waiting")));
    let (exit, list) = app.cli_json(&["approvals"]);
    assert_eq!((exit, list["approvals"].as_array().map(Vec::len)), (0, Some(1)));
    let (exit, approved) = app.cli_json(&["approve", stop["approval"].as_str().unwrap()]);
    assert_eq!((exit, approved["state"].as_str()), (0, Some("done")));
    let call = approved["steps"][0]["answer"]["call"].as_str().unwrap();
    let (exit, undone) = app.cli_json(&["undo", call]);
    assert_eq!((exit, undone["state"].as_str()), (0, Some("done")), "{undone}");
    let (exit, removal) = app.cli_json(&["call", "docker_remove", &named]);
    assert_eq!(exit, 3);
    let (exit, denied) = app.cli_json(&["deny", removal["approval"].as_str().unwrap(), "--because", "not today"]);
    assert_eq!((exit, denied["state"].as_str()), (0, Some("denied")));
    let (exit, again) = app.cli_json(&["call", "docker_remove", &named]);
    assert_eq!(exit, 2, "{again}");
    assert!(again["error"].as_str().unwrap().contains("not today"));
    assert!(web.exists());
}

#[tokio::test]
async fn a_container_swapped_under_its_name_is_not_removed() {
    let Some(web) = Container::run("swap") else { return };
    let app = app(&web);
    let (local, operator) = (app.local(), app.operator().await);
    let removal = call(&local, "docker_remove", json!({ "container": web.name })).await.unwrap();
    let other = format!("{}-old", web.name);
    assert!(docker(web.engine(), &["rename", &web.name, &other]).status.success());
    let image = std::env::var("JARVIS_TEST_IMAGE").unwrap();
    let output = docker(web.engine(), &["run", "-d", "--name", &web.name, &image, "sleep", "3600"]);
    let impostor = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let approve = format!("/api/approvals/{}/approve", removal.approval.unwrap());
    let card: ApprovalInfo = operator.post(&approve, &json!({}), Some(20)).await.unwrap();
    let kept = docker(web.engine(), &["inspect", &impostor]).status.success();
    docker(web.engine(), &["rm", "-f", &impostor]);
    assert_eq!(card.state, "stale");
    assert!(web.exists() && kept, "neither is removed");
}

#[tokio::test]
async fn everything_above_green_asks_where_the_table_says_so() {
    let Some(web) = Container::run("table") else { return };
    let app = app(&web);
    let local = app.local();
    for (tool, expected) in [("docker_stop", "waiting"), ("docker_remove", "waiting"), ("docker_restart", "done")] {
        let answer = call(&local, tool, json!({ "container": web.name })).await.unwrap();
        assert_eq!(answer.state, expected, "{tool}");
    }
    let list: ApprovalList = local.get("/api/approvals?state=pending&limit=10").await.unwrap();
    assert_eq!(list.approvals.len(), 2);
    assert!(web.exists());
}

#[tokio::test]
async fn a_wait_ends_with_the_outcome() {
    let Some(web) = Container::run("wait") else { return };
    let app = app(&web);
    let (local, operator) = (app.local(), app.operator().await);
    let name = web.name.clone();
    let waiting =
        tokio::spawn(async move { call_waiting(&local, "docker_stop", json!({ "container": name }), Some(30)).await });
    let id = loop {
        let list: ApprovalList = operator.get("/api/approvals?state=pending&limit=10").await.unwrap();
        if let Some(card) = list.approvals.first() {
            break card.id.clone();
        }
        tokio::task::yield_now().await;
    };
    let _: Value = operator.post(&format!("/api/approvals/{id}/approve"), &json!({}), None).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().state, "done");
}

#[tokio::test]
async fn a_missing_socket_is_a_clear_state_and_not_an_error_at_start() {
    let app = TestApp::start_with(&[("JARVIS_DOCKER", "unix:///nowhere/docker.sock")]);
    let problem = crate::app::code(call(&app.local(), "docker_list", json!({})).await);
    assert_eq!(problem, "unavailable");
    let (_, report) = app.cli_json(&["doctor"]);
    assert!(report.to_string().contains("/nowhere/docker.sock"), "{report}");
}
