//! Behind a proxy: whom attempts to sign in are counted for.

use serde_json::json;

use crate::app::TestApp;

/// A wrong attempt through a proxy on this machine that saw this client.
async fn attempt(app: &TestApp, seen: &str) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let asked = client
        .post(format!("{}/api/session", app.url))
        .header("x-forwarded-for", seen)
        .json(&json!({ "password": "wrong horse battery" }));
    asked.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn attempts_are_counted_for_the_client_that_a_trusted_proxy_saw_and_else_for_the_proxy() {
    for (trusted, other) in [(&[("JARVIS_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8")][..], 401), (&[], 429)] {
        let app = TestApp::start_with(trusted);
        for _ in 0..5 {
            // What the client itself wrote stands further left.
            assert_eq!(attempt(&app, "198.51.100.7, 203.0.113.1").await, 401);
        }
        assert_eq!(attempt(&app, "203.0.113.1").await, 429, "five a minute");
        assert_eq!(attempt(&app, "203.0.113.1, 203.0.113.2").await, other, "{trusted:?}");
    }
}
