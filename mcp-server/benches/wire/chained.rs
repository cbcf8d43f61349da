//! The bare reference of a call that is written down: one handler that answers a text, and one thread that keeps a row
//! of each call in SQLite, chained by SHA-256 and fsynced before the answer. Rows that come meanwhile are committed
//! together. No token, no schema, no policy.

use std::path::Path;

use axum::Json;
use axum::extract::State;
use axum::routing::post;
use axum::serve::ListenerExt as _;
use rusqlite::Connection;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, oneshot};

/// With it, and a folder after it, the benchmark is this server instead.
pub(crate) const FLAG: &str = "--chained";

/// Most rows of one transaction.
const MOST: usize = 1_024;
const SCHEMA: &str = "pragma journal_mode = wal; pragma synchronous = full; \
                      create table row (number integer primary key, body text not null, hash blob not null);";

/// A row, and who waits until it is kept.
type Kept = (String, oneshot::Sender<()>);
type Rows = mpsc::UnboundedSender<Kept>;

pub(crate) fn serve(folder: &str) {
    let connection = Connection::open(Path::new(folder).join("rows.db")).unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    let (rows, taken) = mpsc::unbounded_channel();
    std::thread::spawn(move || keep(connection, taken));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("listens on http://{}", listener.local_addr().unwrap());
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        axum::serve(listener, axum::Router::new().route("/mcp", post(echo)).with_state(rows)).await.unwrap();
    });
}

async fn echo(State(rows): State<Rows>, Json(call): Json<Value>) -> Json<Value> {
    let (told, kept) = oneshot::channel();
    let (id, params) = (&call["id"], &call["params"]);
    rows.send((json!({ "tool": params["name"], "args": params["arguments"] }).to_string(), told)).unwrap();
    kept.await.unwrap();
    let content = json!([{ "type": "text", "text": params["arguments"]["text"] }]);
    Json(json!({ "jsonrpc": "2.0", "id": id, "result": { "content": content, "isError": false } }))
}

fn keep(mut connection: Connection, mut taken: mpsc::UnboundedReceiver<Kept>) {
    let (mut head, mut batch) = ([0_u8; 32], Vec::new());
    while taken.blocking_recv_many(&mut batch, MOST) > 0 {
        let transaction = connection.transaction().unwrap();
        for (body, _) in &batch {
            head = Sha256::new().chain_update(head).chain_update(body).finalize().into();
            let mut insert = transaction.prepare_cached("insert into row (body, hash) values (?1, ?2)").unwrap();
            insert.execute((body, head.as_slice())).unwrap();
        }
        transaction.commit().unwrap();
        for (_, told) in batch.drain(..) {
            // Who hung up meanwhile is told nothing.
            let _ = told.send(());
        }
    }
}
