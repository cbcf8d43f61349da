//! A stream over HTTP that ends as soon as it was opened.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jarvis_client::wire::MountBody;
use serde_json::json;

use super::{Ended, mount, review, servers};
use crate::app::{TestApp, call};

const RETRY: &str = include_str!("retry.mjs");
/// Openings at once, before there is one a second.
const BURST: u64 = 16;

#[tokio::test]
async fn a_stream_that_wants_to_be_opened_at_once_is_opened_once_a_second() {
    let Some(_) = servers() else { return };
    let (app, home) = (TestApp::start(), tempfile::tempdir().unwrap());
    let script = home.path().join("retry.mjs");
    std::fs::write(&script, RETRY).unwrap();
    let begun = Instant::now();
    let mut server = Ended(Command::new("node").arg(script).stdout(Stdio::piped()).spawn().unwrap());
    let mut port = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let client = app.operator().await;
    let url = Some(format!("http://127.0.0.1:{}/mcp", port.trim()));
    let web = mount(&client, "web", &MountBody { url, seconds: 60, ..MountBody::default() }).await;
    review(&client, &web, &["echo"], "green").await;
    let opened = async || {
        let said = call(&client, "web_echo", json!({})).await.unwrap();
        said.output["text"].as_str().unwrap().parse::<u64>().unwrap()
    };
    // It is opened again, as the protocol wants it, and its calls are answered.
    while opened().await < BURST + 2 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is not opened again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // How often, and not whether: that takes a while to look at.
    let (before, begun) = (opened().await, Instant::now());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let times = opened().await - before;
    let most = begun.elapsed().as_secs() + 2;
    assert!(times <= most, "{times} times, and {most} at most");
}
