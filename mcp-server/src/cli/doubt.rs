//! `doubts` and `acknowledge`.

use jarvis_client::wire::{DoubtInfo, DoubtList};
use serde_json::{Value, json};

use super::call::path_segment;
use super::connect::Connection;
use super::exit::{Exit, Result};
use super::print::Printer;

pub(super) async fn list(connection: &Connection, printer: &Printer) -> Result {
    let list: DoubtList = connection.client()?.get("/api/doubts").await?;
    printer.answer(&list, || match list.doubts.is_empty() {
        true => "Nothing is in doubt.".to_owned(),
        false => list.doubts.iter().map(told).collect::<Vec<_>>().join("\n\n"),
    });
    Ok(Exit::Done)
}

fn told(doubt: &DoubtInfo) -> String {
    let target = doubt.target.as_ref().map(|target| format!(" on {target}")).unwrap_or_default();
    format!("{} · {}{target}\n  {}", doubt.subject, doubt.what, doubt.words)
}

pub(super) async fn acknowledge(connection: &Connection, printer: &Printer, id: &str) -> Result {
    let client = connection.operator().await?;
    let path = format!("/api/doubts/{}/acknowledge", path_segment(id));
    // The answer has no body: it is acknowledged, or a problem says why not.
    let _: Value = client.post(&path, &json!({}), None).await?;
    printer.answer(&json!({ "acknowledged": id }), || format!("{id} is in doubt no more."));
    Ok(Exit::Done)
}
