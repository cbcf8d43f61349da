//! Taking back what a whole turn changed.

use serde_json::{Value, json};

use crate::app::{self, TestApp};
use crate::turn::model::{ModelServer, call, words};

/// A turn in which a model writes two files, one of them over an old one.
async fn turn(app: &TestApp) -> String {
    std::fs::create_dir_all(app.data().join("files")).unwrap();
    std::fs::write(app.data().join("files/old.txt"), "as it was\n").unwrap();
    let id = made(
        app,
        &[
            ("file_write", json!({ "path": "new.txt", "content": "new\n" })),
            ("file_write", json!({ "path": "old.txt", "content": "changed\n" })),
        ],
    )
    .await;
    assert!(app.data().join("files/new.txt").exists());
    id
}

/// A turn in which a model makes these calls.
async fn made(app: &TestApp, calls: &[(&'static str, Value)]) -> String {
    let answers = calls.iter().map(|(tool, args)| call(tool, args.clone())).chain([words("Done.")]);
    ModelServer::start(answers.collect()).await.connect(app, None).await;
    let (code, said) = app.cli_json(&["say", "bring my notes into the shape that we spoke about"]);
    assert_eq!(code, 0, "{said}");
    said["id"].as_str().unwrap().to_owned()
}

fn text(app: &TestApp, name: &str) -> Option<String> {
    std::fs::read_to_string(app.data().join("files").join(name)).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_is_shown_before_and_taken_back_as_one_the_last_change_first() {
    let app = TestApp::start();
    let id = turn(&app).await;
    let (code, shown) = app.cli_json(&["undo", &id, "--show"]);
    assert_eq!(code, 0, "{shown}");
    let steps = shown["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 2, "{shown}");
    let diff = steps[0]["preview"]["diff"].as_str().unwrap();
    assert!(diff.contains("-changed") && diff.contains("+as it was"), "{diff}");
    assert_eq!(text(&app, "old.txt").as_deref(), Some("changed\n"), "showing changes nothing");

    let (code, undone) = app.cli_json(&["undo", &id]);
    let answers = undone["answers"].as_array().unwrap_or_else(|| panic!("{undone}"));
    assert_eq!((code, answers.len()), (0, 2), "{undone}");
    assert_eq!((text(&app, "old.txt").as_deref(), text(&app, "new.txt")), (Some("as it was\n"), None));
    let (code, again) = app.cli_json(&["undo", &id]);
    assert_eq!((code, again["code"].as_str()), (2, Some("not_undoable")), "{again}");
    assert!(again.to_string().contains("taken back already"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_only_be_looked_at_once_another_is_taken_back_is_taken_back_in_order() {
    let app = TestApp::start();
    let path = json!({ "path": "third.txt" });
    let write = |content: &str| ("file_write", json!({ "path": "third.txt", "content": content }));
    let id = made(&app, &[write("one\n"), write("two\n"), ("file_remove", path)]).await;
    assert_eq!(text(&app, "third.txt"), None);
    let (code, undone) = app.cli_json(&["undo", &id]);
    let states: Vec<_> = undone["answers"].as_array().unwrap_or_else(|| panic!("{undone}")).iter().collect();
    assert_eq!((code, states.len()), (0, 3), "{undone}");
    assert!(states.iter().all(|answer| answer["state"] == "done"), "{undone}");
    assert_eq!(text(&app, "third.txt"), None, "before the turn there was none");
    let rows = app.cli_json(&["audit", "tail", "-n", "50"]).1.to_string();
    assert_eq!(rows.matches("call.intent").count(), 6, "each was a governed call: {rows}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_alone_is_left_out_and_a_strict_level_asks_for_all_on_one_card() {
    let app = TestApp::start();
    let id = turn(&app).await;
    let operator = app.operator().await;
    let turn: Value = operator.get(&format!("/api/turns/{id}")).await.unwrap();
    let calls = turn["entries"].as_array().unwrap().iter().filter_map(|entry| entry["answer"]["call"].as_str());
    let first = calls.map(str::to_owned).next().unwrap();
    let mut settings: Value = operator.get("/api/settings").await.unwrap();
    settings["autonomy"]["default"] = json!(1);
    let _: Value = operator.put("/api/settings", &settings).await.unwrap();
    let (code, asked) = app.cli_json(&["undo", &id]);
    assert_eq!((code, asked["steps"].as_array().map(Vec::len)), (3, Some(2)), "{asked}");
    assert_eq!(text(&app, "old.txt").as_deref(), Some("changed\n"), "asking changes nothing");
    let card = asked["id"].as_str().unwrap().to_owned();
    // Each step says which call it takes back, so neither can be taken back twice.
    let (_, decided) = app.cli_json(&["approve", &card, "--without", "2", "--wait", "20"]);
    assert_eq!(text(&app, "old.txt").as_deref(), Some("as it was\n"), "{decided}");
    let (_, shown) = app.cli_json(&["undo", &id, "--show"]);
    assert_eq!(shown["steps"].as_array().map(Vec::len), Some(1), "{shown}");
    assert_eq!(shown["steps"][0]["undoes"], first.as_str(), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_of_somebody_else_and_one_that_changed_nothing_are_refused_in_words() {
    let app = TestApp::start();
    let id = turn(&app).await;
    let token = app.token("ide", "yellow", "client").await;
    let stranger = app.over_tcp(token.secret.as_deref());
    let refused = stranger.get::<Value>(&format!("/api/turns/{id}/undo")).await;
    assert_eq!(app::code(refused), "not_found");
    let (_, said) = app.cli_json(&["say", "how is this machine?"]);
    let (code, nothing) = app.cli_json(&["undo", said["id"].as_str().unwrap()]);
    assert_eq!((code, nothing["code"].as_str()), (2, Some("not_undoable")), "{nothing}");
    let (code, unknown) = app.cli_json(&["undo", "turn_01m7y6xyqgexgr2hgw96rave6j"]);
    assert_eq!((code, unknown["code"].as_str()), (2, Some("not_found")), "{unknown}");
}
