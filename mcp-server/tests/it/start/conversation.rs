//! Conversations over the API: found, renamed, branched and erased.

use std::path::PathBuf;

use jarvis_client::Client;
use jarvis_client::wire::{
    AuditReport, ConversationInfo, ConversationList, ConversationView, EventInfo, EventPage, SayBody, TurnInfo,
};
use serde_json::json;

use crate::app::{PASSWORD, TestApp, code};

async fn say(client: &Client, text: &str, conversation: Option<&str>, parent: Option<&str>) -> TurnInfo {
    let own = |text: Option<&str>| text.map(str::to_owned);
    let body =
        SayBody { text: text.to_owned(), conversation: own(conversation), parent: own(parent), ..SayBody::default() };
    let turn: TurnInfo = client.post("/api/say", &body, Some(30)).await.unwrap();
    assert_eq!(turn.state, "done", "{turn:?}");
    turn
}

async fn found(client: &Client, search: &str) -> Vec<String> {
    let list: ConversationList = client.get(&format!("/api/conversations?search={search}")).await.unwrap();
    list.conversations.into_iter().map(|conversation| conversation.id).collect()
}

async fn view(client: &Client, id: &str) -> ConversationView {
    client.get(&format!("/api/conversations/{id}")).await.unwrap()
}

/// Every event that has a body, with it.
async fn bodies(client: &Client) -> Vec<EventInfo> {
    let page: EventPage = client.get("/api/history?limit=500").await.unwrap();
    let mut bodies = Vec::new();
    for event in page.events {
        let whole: EventInfo = client.get(&format!("/api/events/{}", event.seq)).await.unwrap();
        bodies.extend(Some(whole).filter(|event| event.body.is_some()));
    }
    bodies
}

fn with(bodies: &[EventInfo], text: &str) -> usize {
    bodies.iter().filter(|event| event.body.as_ref().unwrap().to_string().contains(text)).count()
}

#[tokio::test]
async fn what_is_said_again_with_its_key_is_the_same_turn() {
    let app = TestApp::start();
    let local = app.local();
    let keyed = |text: &str| SayBody { text: text.to_owned(), key: Some("cut off".to_owned()), ..SayBody::default() };
    let first: TurnInfo = local.post("/api/say", &keyed("how is this machine?"), Some(30)).await.unwrap();
    let again: TurnInfo = local.post("/api/say", &keyed("how is this machine?"), Some(30)).await.unwrap();
    assert_eq!((&again.id, again.entries.len()), (&first.id, first.entries.len()));
    let other = local.post::<_, TurnInfo>("/api/say", &keyed("what is filling the disk?"), None).await;
    assert_eq!(code(other), "key_reused");
    let plan = SayBody { plan: true, ..keyed("how is this machine?") };
    assert_eq!(code(local.post::<_, serde_json::Value>("/api/say", &plan, None).await), "invalid_arguments");
    let list: ConversationList = local.get("/api/conversations").await.unwrap();
    assert_eq!(list.conversations.len(), 1);

    // From the terminal too.
    let (code_first, first) = app.cli_json(&["say", "--key", "c1", "how is this machine?"]);
    let (code_again, again) = app.cli_json(&["say", "--key", "c1", "how is this machine?"]);
    assert_eq!((code_first, code_again, &first["id"]), (0, 0, &again["id"]));
}

#[tokio::test]
async fn conversations_are_listed_searched_and_renamed() {
    let app = TestApp::start();
    let local = app.local();
    let first = say(&local, "how is this machine?", None, None).await.conversation;
    let second = say(&local, "what is filling the disk?", None, None).await.conversation;
    assert_eq!(found(&local, "").await, [second.as_str(), &first], "the newest first");
    assert_eq!(found(&local, "FILLING").await, [second.as_str()]);
    assert!(found(&local, "%25").await.iter().all(|id| [&first, &second].contains(&id)));

    // The operator sees everybody's, and may rename them.
    let session = json!({ "password": PASSWORD, "bearer": true });
    let session: serde_json::Value = app.over_tcp(None).post("/api/session", &session, None).await.unwrap();
    let rename = |title: &str| {
        let request = reqwest::Client::new().patch(format!("{}/api/conversations/{first}", app.url));
        request.bearer_auth(session["secret"].as_str().unwrap()).json(&json!({ "title": title })).send()
    };
    let renamed: ConversationInfo = rename("Morning round").await.unwrap().json().await.unwrap();
    assert_eq!(renamed.title, "Morning round");
    assert_eq!(rename(" ").await.unwrap().status().as_u16(), 400);
    assert_eq!(found(&local, "morning%20round").await, [first.as_str()]);
    assert_eq!(view(&local, &first).await.conversation.title, "Morning round");

    let token = app.token("ide", "yellow", "client").await;
    let stranger = app.over_tcp(token.secret.as_deref());
    assert!(found(&stranger, "").await.is_empty());
    let none = stranger.get::<ConversationView>(&format!("/api/conversations/{first}")).await;
    assert_eq!(code(none), "not_found");
}

#[tokio::test]
async fn a_conversation_branches_where_something_else_is_said() {
    let app = TestApp::start();
    let local = app.local();
    let first = say(&local, "how is this machine?", None, None).await;
    let id = first.conversation.as_str();
    let second = say(&local, "what is filling the disk?", Some(id), None).await;
    let branch = say(&local, "how warm is it?", Some(id), Some(&first.id)).await;
    let root = say(&local, "how much memory is free?", Some(id), Some("root")).await;
    assert_eq!(second.parent.as_ref(), Some(&first.id));
    assert_eq!((branch.parent.as_ref(), root.parent), (Some(&first.id), None));
    let view = view(&local, id).await;
    let turns: Vec<_> = view.turns.iter().map(|turn| turn.id.as_str()).collect();
    assert_eq!(turns, [&first.id, &second.id, &branch.id, &root.id]);
    assert_eq!(view.conversation.turns, 4);
    let elsewhere = say(&local, "how is this machine?", None, None).await;
    let body = json!({ "text": "x", "conversation": elsewhere.conversation, "parent": first.id });
    assert_eq!(code(local.post::<_, TurnInfo>("/api/say", &body, None).await), "not_found");
}

#[tokio::test]
async fn an_erased_conversation_leaves_no_text_behind_and_a_whole_audit() {
    let mut app = TestApp::start();
    let local = app.local();
    let kept = say(&local, "what is filling the disk?", None, None).await.conversation;
    let kept_bodies = bodies(&local).await.len();
    // The audit's line about it shows how it begins, which stays; what is looked for stands behind that.
    let long = format!("{} tell the heron good night", "blah ".repeat(30));
    let gone = say(&local, &long, None, None).await.conversation;
    say(&local, "how is this machine?", Some(&gone), None).await;
    let before = bodies(&local).await;
    assert!(with(&before, "heron") > 0 && with(&before, "how is this machine?") > 0);

    assert_ne!(app.files_with("heron"), Vec::<PathBuf>::new());
    local.delete(&format!("/api/conversations/{gone}")).await.unwrap();
    assert_eq!(found(&local, "").await, [kept]);
    assert!(found(&local, "heron").await.is_empty());
    assert_eq!(code(local.get::<ConversationView>(&format!("/api/conversations/{gone}")).await), "not_found");
    let after = bodies(&local).await;
    assert_eq!((with(&after, "heron"), with(&after, "how is this machine?"), after.len()), (0, 0, kept_bodies));
    let report: AuditReport = local.post("/api/audit/verify", &json!({}), None).await.unwrap();
    assert!(report.ok, "{:?}", report.faults);
    assert_eq!(report.erased, (before.len() - kept_bodies) as u64);
    app.stop();
    assert_eq!(app.files_with("heron"), Vec::<PathBuf>::new());
}
