//! `audit tail --follow`: goes on over restarts, and ends when nobody reads it.

use std::io::{BufRead as _, BufReader, Lines};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use jarvis_client::wire::{EventInfo, EventPage};
use serde_json::json;

use crate::app::{Heard, TestApp, call};

struct Tail {
    child: Child,
    rows: Lines<BufReader<ChildStdout>>,
    remarks: Heard,
}

impl Tail {
    fn start(app: &TestApp, lines: &str, environment: &[(&str, &str)]) -> Self {
        // Whoever runs the tests in the background made them deaf to Ctrl-C.
        let mut command = Command::new("env");
        command.args(["--default-signal=INT", env!("CARGO_BIN_EXE_jarvis")]);
        command.args(["audit", "tail", "-n", lines, "--follow", "--json"]).stdin(Stdio::null());
        command.env_clear().env("JARVIS_DATA", app.data()).envs(environment.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let rows = BufReader::new(child.stdout.take().unwrap()).lines();
        let remarks = Heard::listen(child.stderr.take().unwrap());
        Self { child, rows, remarks }
    }

    fn row(&mut self) -> EventInfo {
        serde_json::from_str(&self.rows.next().unwrap().unwrap()).unwrap()
    }

    /// Rows up to the one about this call.
    fn until(&mut self, call: &str) -> Vec<EventInfo> {
        let mut rows = vec![self.row()];
        while rows.last().unwrap().subject != call {
            rows.push(self.row());
        }
        rows
    }

    fn interrupt(mut self) -> ExitStatus {
        Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        self.child.wait().unwrap()
    }
}

async fn read(app: &TestApp) -> String {
    call(&app.local(), "system_temperatures", json!({})).await.unwrap().call.unwrap()
}

#[tokio::test]
async fn rows_are_followed_as_they_are_written_until_it_is_interrupted() {
    let app = TestApp::start();
    let first = read(&app).await;
    let mut tail = Tail::start(&app, "1", &[]);
    assert_eq!(tail.row().subject, first, "it begins with the newest row");
    let second = read(&app).await;
    assert_eq!(tail.row().subject, second);
    assert_eq!(tail.interrupt().signal(), Some(2), "as a shell expects it");
}

#[tokio::test]
async fn a_restart_is_waited_for_and_no_row_is_lost_or_told_twice() {
    let mut app = TestApp::start();
    let begin = read(&app).await;
    let mut tail = Tail::start(&app, "1", &[]);
    let mut rows = tail.until(&begin);
    for outage in 1..=2 {
        let before = read(&app).await;
        rows.extend(tail.until(&before));
        app.stop();
        tail.remarks.times("The server is away", outage);
        app.start_again();
        let after = read(&app).await;
        rows.extend(tail.until(&after));
    }
    let page: EventPage = app.local().get("/api/history?limit=500").await.unwrap();
    let all: Vec<_> = page.events.iter().rev().map(|row| row.seq).filter(|seq| *seq >= rows[0].seq).collect();
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), all);
    let remarks = tail.remarks.clone();
    tail.interrupt();
    let told = remarks.whole();
    for remark in ["The server is away", "The server is back"] {
        assert_eq!(told.matches(remark).count(), 2, "once an outage: {told}");
    }
}

#[tokio::test]
async fn none_of_the_rows_before_are_told_where_none_are_wanted() {
    let app = TestApp::start();
    let before = read(&app).await;
    let mut tail = Tail::start(&app, "0", &[]);
    // When the stream is open is not told, so rows are made until one is seen.
    let (told, seen) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let row = tail.row();
        told.send(()).unwrap();
        (tail, row)
    });
    while seen.try_recv().is_err() {
        read(&app).await;
    }
    let (tail, row) = reader.join().unwrap();
    assert_ne!(row.subject, before);
    tail.interrupt();
}

#[tokio::test]
async fn it_ends_when_its_reader_has_left_or_the_server_refuses_it() {
    let app = TestApp::start();
    read(&app).await;
    let mut left = Tail::start(&app, "1", &[]);
    left.row();
    let Tail { mut child, rows, .. } = left;
    drop(rows);
    while child.try_wait().unwrap().is_none() {
        read(&app).await;
    }
    assert!(child.wait().unwrap().success());

    let token = app.token("script", "green", "client").await;
    let variables = [("JARVIS_URL", app.url.as_str()), ("JARVIS_TOKEN", token.secret.as_deref().unwrap())];
    let own = app.over_tcp(token.secret.as_deref());
    let last = call(&own, "system_temperatures", json!({})).await.unwrap().call.unwrap();
    let mut tail = Tail::start(&app, "1", &variables);
    assert_eq!(tail.row().subject, last);
    app.operator().await.delete(&format!("/api/tokens/{}", token.id)).await.unwrap();
    let last = tail.rows.by_ref().map(Result::unwrap).last().unwrap();
    assert!(last.contains(r#""code":"unauthenticated""#), "{last}");
    assert_eq!(tail.child.wait().unwrap().code(), Some(2));
}
