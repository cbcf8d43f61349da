//! Half a secret: what is cut before it is struck shows the half that nothing finds any more.

use jarvis_client::Client;
use jarvis_client::wire::CallAnswer;
use serde_json::{Value, json};

use super::{hostile, review, servers, shared, until};
use crate::app::{TestApp, call};

const SECRET: &str = "s3same-0pen-Wide";
/// As much of it as no accident holds.
const TRACE: usize = 5;

fn clean(what: &str, text: &str) {
    for start in 0..=SECRET.len() - TRACE {
        let trace = &SECRET[start..start + TRACE];
        assert!(!text.contains(trace), "{what} holds {trace}: …{}", &text[text.len().saturating_sub(200)..]);
    }
}

async fn said(client: &Client, tool: &str, args: Value) -> CallAnswer {
    call(client, tool, args).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_secret_is_struck_too_wherever_an_answer_is_cut() {
    let Some(_) = servers() else { return };
    let (app, home) = (TestApp::start(), shared(0o755));
    let client = app.operator().await;
    let _: Value = client.put("/api/secrets/door", &json!({ "value": SECRET })).await.unwrap();
    let token = ("TOKEN".to_owned(), "secret://door".to_owned());
    let lab = hostile(&client, &home, |body| body.environment = [token].into()).await;
    clean("its name", &json!(lab.server).to_string());
    let reviewed = review(&client, &lab, &["spill", "slip", "crash"], "green").await;
    clean("what the operator reads", &format!("{reviewed:?}"));
    let tools: Value = client.get("/api/tools").await.unwrap();
    assert!(tools.to_string().contains("ddddd"));
    clean("what models are shown", &tools.to_string());

    // Where each way cuts, and so where the secret has to stand.
    for (way, limit, state) in [
        ("text", 128 * 1024, "done"),
        ("link", 400, "done"),
        ("type", 100, "done"),
        ("error", 2_000, "failed"),
        ("refusal", 2_000, "failed"),
        ("pieces", 8, "done"),
    ] {
        for before in [6, 8, 12] {
            let told = said(&client, "lab_spill", json!({ "way": way, "pad": limit - before.min(limit) })).await;
            assert_eq!(told.state, state, "{way}: {told:?}");
            let told = serde_json::to_string(&told).unwrap();
            assert!(told.contains('s'), "{way}");
            clean(way, &told);
        }
    }
    for pad in 280..300 {
        let told = said(&client, "lab_slip", json!({ "pad": pad })).await;
        assert!(told.words.contains("not what the server declared"), "{told:?}");
        clean("a fault of an answer", &serde_json::to_string(&told).unwrap());
    }
    for pad in [988, 992, 996] {
        let _ = said(&client, "lab_crash", json!({ "pad": pad })).await;
        let down = until(&client, "lab", |mount| mount.why.as_deref().unwrap_or_default().contains("eeeee")).await;
        clean("a complaint", down.why.as_deref().unwrap());
        until(&client, "lab", |mount| mount.state == "up").await;
    }
    let rows: Value = client.get("/api/history?limit=200").await.unwrap();
    clean("the audit", &rows.to_string());
    assert_eq!(app.files_with(SECRET), Vec::<std::path::PathBuf>::new());
}
