//! `JARVIS_URL` and `JARVIS_TOKEN`: what is wrong with them is said, and never taken for a server that is away.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;

use super::{document, errors, jarvis, run};
use crate::app::TestApp;

fn tools(data: &Path, url: &str, token: &str) -> Output {
    run(jarvis(data).env("JARVIS_URL", url).env("JARVIS_TOKEN", token), &["tools", "--json"])
}

#[tokio::test]
async fn a_token_that_cannot_be_sent_is_named_and_not_shown() {
    let app = TestApp::start();
    let secret = app.token("script", "green", "client").await.secret.unwrap();
    assert_eq!(document(&tools(&app.data(), &app.url, &secret)).0, 0);
    let cases = [
        (format!("{secret}\n"), "a line break"),
        (format!(" {secret}"), "a space"),
        (format!("{secret} {secret}"), "a space"),
        (format!("{secret}\u{7f}"), "a control character"),
        (format!("{secret}\u{2013}"), "not ASCII"),
        (secret.repeat(20), "longer than"),
    ];
    for (token, part) in cases {
        // Over TCP and over the socket alike.
        for url in [app.url.as_str(), ""] {
            let (exit, told) = document(&tools(&app.data(), url, &token));
            let error = told["error"].as_str().unwrap();
            assert!(exit == 2 && error.contains("JARVIS_TOKEN") && error.contains(part), "{token:?}: {told}");
            assert!(!error.contains(&secret), "{error}");
        }
    }
    let (exit, told) = document(&tools(&app.data(), &app.url, "jrv_nobodys"));
    assert_eq!((exit, told["code"].as_str()), (2, Some("unauthenticated")), "what can be sent, the server judges");
}

#[test]
fn an_address_that_is_none_is_refused_before_anything_is_asked() {
    let app = TestApp::start();
    for (url, part) in [
        ("nonsense".to_owned(), "`nonsense`"),
        (app.url.replace("http://", ""), "http://"),
        (format!("{}/api", app.url), "goes on after the host"),
        (format!("{}?x=1", app.url), "goes on after the host"),
        (app.url.replace("http://", "http://me:hunter2@"), "JARVIS_TOKEN"),
        (app.url.replace("http://", "https://"), "without TLS"),
    ] {
        let (exit, told) = document(&tools(&app.data(), &url, "x"));
        let error = told["error"].as_str().unwrap();
        assert!(exit == 2 && error.contains(part) && !error.contains("hunter2"), "{url}: {told}");
    }
}

/// Answers one request with this text and closes the connection.
fn answer_once(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(text.as_bytes());
    });
    url
}

#[test]
fn who_answers_instead_of_jarvis_is_told_apart() {
    let data = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, exit, part) in [
        (format!("http://{closed}"), 4, "Is JARVIS_URL right"),
        (answer_once("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 3\r\n\r\nbad"), 4, "502"),
        (answer_once("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>"), 1, "is that Jarvis"),
        (answer_once("HTTP/1.1 302 Found\r\nlocation: https://elsewhere/\r\ncontent-length: 0\r\n\r\n"), 1, "302"),
        (answer_once(""), 1, "whether it was done stands in the audit"),
    ] {
        let (found, told) = document(&tools(data.path(), &url, "x"));
        assert_eq!(found, exit, "{told}");
        assert!(told["error"].as_str().unwrap().contains(part), "{told}");
    }
}

#[test]
fn what_is_done_on_this_machine_is_not_done_for_another() {
    let app = TestApp::start();
    for words in [&["mcp"][..], &["operator", "reset"]] {
        let told = run(jarvis(&app.data()).env("JARVIS_URL", "http://elsewhere.lan"), words);
        assert_eq!(told.status.code(), Some(2), "{told:?}");
        assert!(errors(&told).contains("JARVIS_URL") && told.stdout.is_empty(), "{told:?}");
    }
}
