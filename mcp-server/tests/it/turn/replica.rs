//! Turns of a server that was killed, gone on with by another one on the same database.

use serde_json::json;

use super::model::{Answer, ModelServer, Piece, call, words};
use super::{Watch, calls, count, is_running, said};
use crate::docker::Container;
use crate::replica::Scratch;
use jarvis_client::wire::ApprovalInfo;

#[tokio::test]
async fn another_server_goes_on_with_what_was_being_said_and_with_what_waited_for_a_person() {
    let Some(scratch) = Scratch::new() else { return };
    let Some(web) = Container::run("turn-replica") else { return };
    let silent = vec![Piece::Words("Once upon a time".to_owned()), Piece::Silence];
    let script = vec![
        call("docker_stop", json!({ "container": web.name })),
        Answer::Stream(silent),
        words("It was a quiet night."),
        words("The visitor sleeps."),
    ];
    let model = ModelServer::start(script).await;
    let docker = [("JARVIS_DOCKER", web.engine())];
    let mut one = scratch.first(&docker);
    let other = scratch.beside(&one, &docker);
    model.connect(&one, None).await;
    let mut watch = Watch::of(&one).await;
    let waits = watch.say("qwzx, put the visitor to sleep").await;
    let waiting = watch.rests(&waits.id, "waiting").await;
    let approval = calls(&waiting)[0].approval.clone().unwrap();
    let speaks = watch.say("tell me a story about web").await;
    while said(&watch.turn(&speaks.id).await).is_empty() {
        tokio::task::yield_now().await;
    }
    let mut watch = Watch::of(&other).await;
    one.kill();

    let done = watch.rests(&speaks.id, "done").await;
    assert_eq!(said(&done), [("Once upon a time", true), ("It was a quiet night.", false)]);
    assert_eq!(watch.turn(&waits.id).await.state, "waiting");
    assert!(is_running(&web), "nobody said yes");
    let path = format!("/api/approvals/{approval}/approve");
    let card: ApprovalInfo = other.operator().await.post(&path, &json!({}), Some(30)).await.unwrap();
    assert_eq!(card.state, "done", "{card:?}");
    assert!(!is_running(&web));
    let done = watch.rests(&waits.id, "done").await;
    assert_eq!(said(&done), [("The visitor sleeps.", false)]);
    assert_eq!(model.seen().len(), 4, "each step was asked for once, but for the one that was cut off");
    let client = other.local();
    assert_eq!((count(&client, "turn.asked").await, count(&client, "turn.done").await), (2, 2));
    assert_eq!(count(&client, "call.intent").await, 1);
}
