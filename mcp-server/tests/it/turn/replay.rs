//! `jarvis replay` on the real binary: whole after a kill, and honest where a log does not follow from its beginning.

use serde_json::{Value, json};

use super::model::{Answer, ModelServer, Piece, words};
use super::{Watch, said};
use crate::app::TestApp;

fn printed(app: &TestApp, conversation: &str) -> (Option<i32>, String) {
    let told = app.cli(&["replay", conversation]);
    (told.status.code(), String::from_utf8(told.stdout).unwrap())
}

/// Says something, in this conversation if there is one already, and answers the turn as it then rests.
fn say(app: &TestApp, text: &str, conversation: Option<&str>) -> Value {
    let place = conversation.map_or_else(Vec::new, |id| vec!["--conversation", id]);
    app.cli_json(&[&["say", text], &place[..]].concat()).1
}

#[tokio::test]
async fn a_conversation_replays_whole_and_one_that_an_answer_was_worded_anew_for_diverges() {
    let mut app = TestApp::start();
    std::fs::write(app.data().join("files/list.txt"), "milk\n").unwrap();
    let first = say(&app, "how is this machine?", None);
    let conversation = first["conversation"].as_str().unwrap();
    say(&app, "read list.txt", Some(conversation));
    let operator = app.operator().await;
    let mut settings: Value = operator.get("/api/settings").await.unwrap();
    settings["autonomy"]["default"] = 1.into();
    let _: Value = operator.put("/api/settings", &settings).await.unwrap();
    let waiting = say(&app, "remove the file list.txt", Some(conversation));
    assert_eq!(waiting["state"], "waiting");
    let (exit, whole) = app.cli_json(&["replay", conversation]);
    assert_eq!((exit, &whole["whole"], &whole["conversation"]), (0, &json!(true), &json!(conversation)));
    let turns = whole["turns"].as_array().unwrap();
    assert_eq!(turns.len(), 3);
    assert!(turns.iter().all(|turn| turn.get("divergence").is_none()), "{whole}");
    assert_eq!((&turns[0]["id"], &turns[0]["asked"]), (&first["id"], &json!("how is this machine?")));
    assert_eq!(turns[0]["steps"][1]["does"], "make call 0 (system_info)");
    assert!(turns[2]["next"].as_str().unwrap().starts_with("wait until appr_"), "{whole}");
    let steps: usize = turns.iter().map(|turn| turn["steps"].as_array().unwrap().len()).sum();
    let (exit, told) = printed(&app, conversation);
    assert_eq!(exit, Some(0), "{told}");
    assert_eq!(told.lines().last(), Some(format!("Replayed 3 turns, {steps} steps: whole.").as_str()), "{told}");
    // A line for each turn and step, one for what is next, and one for what was found.
    assert_eq!(told.lines().count(), 3 + steps + 1 + 1, "{told}");
    assert!(told.contains("    2 make call 0 (system_info) → call 0, system_info, is done\n"), "{told}");

    // What was said about the file follows from the log and from this prompt.
    app.stop();
    std::fs::create_dir_all(app.data().join("prompts")).unwrap();
    std::fs::write(app.data().join("prompts/quotation.md"), "So says {{ target }}:").unwrap();
    app.start_again();
    let (exit, diverging) = app.cli_json(&["replay", conversation]);
    assert_eq!((exit, &diverging["whole"]), (1, &json!(false)), "{diverging}");
    let divergence = &diverging["turns"][1]["divergence"];
    assert_eq!(divergence["at"], 3, "{diverging}");
    assert!(divergence["step"].as_str().unwrap().starts_with("says “So says"), "{diverging}");
    assert!(divergence["log"].as_str().unwrap().starts_with("says “What is in"), "{diverging}");
    let (exit, told) = printed(&app, conversation);
    assert!(exit == Some(1) && told.contains("    3 DIVERGES: the step says: says “So says"), "{told}");
    assert!(told.lines().last().unwrap().starts_with("REPLAYED 3 turns"), "{told}");

    for unknown in ["conv_00000000000000000000000000", "nonsense"] {
        assert_eq!(app.cli_json(&["replay", unknown]).0, 2, "{unknown}");
    }
}

#[tokio::test]
async fn a_turn_that_a_kill_cut_off_replays_whole_before_and_after() {
    let cut = vec![Piece::Words("Once upon a time".to_owned()), Piece::Silence];
    let model = ModelServer::start(vec![Answer::Stream(cut), words("It was a quiet night.")]).await;
    let mut app = TestApp::start();
    model.connect(&app, None).await;
    let watch = Watch::of(&app).await;
    let turn = watch.say("tell me a story about web").await;
    while said(&watch.turn(&turn.id).await).is_empty() {
        tokio::task::yield_now().await;
    }
    let (exit, before) = app.cli_json(&["replay", &turn.conversation]);
    assert_eq!((exit, &before["turns"][0]["state"]), (0, &json!("running")), "{before}");
    assert_eq!(before["turns"][0]["steps"][1]["came"], "the model has said so far “Once upon a time”");
    app.kill_and_restart();
    let mut watch = Watch { stream: app.local().stream(0, "").await.unwrap(), client: app.local() };
    watch.rests(&turn.id, "done").await;
    let (exit, told) = printed(&app, &turn.conversation);
    assert_eq!(exit, Some(0), "{told}");
    let steps: Vec<_> = told.lines().skip(2).collect();
    let wanted = [
        "    1 ask the model → an answer broke off after “Once upon a time”",
        "    2 ask the model → the model says “It was a quiet night.”",
        "    3 end the turn as done → the turn is done",
        "Replayed 1 turn, 4 steps: whole.",
    ];
    assert_eq!(steps, wanted);
}
