//! The second factor of the real binary: at the terminal, and on two servers at once.

use std::process::Command;

use jarvis_client::wire::SessionInfo;
use jarvis_client::{Client, ClientError};
use serde_json::{Value, json};

use crate::app::{PASSWORD, TestApp};
use crate::needs;
use crate::replica::Scratch;

/// What an authenticator app shows for a key, so many steps of 30 seconds from now.
const APP: &str = "\
import base64, hmac, struct, sys, time
hash = hmac.digest(base64.b32decode(sys.argv[1]), struct.pack('>Q', int(time.time()) // 30 + int(sys.argv[2])), 'sha1')
at = hash[19] & 15
print('%06d' % ((struct.unpack('>I', hash[at:at + 4])[0] & 0x7fffffff) % 1000000))";

struct Authenticator {
    python: String,
    key: String,
}

impl Authenticator {
    /// Turns the second factor on, which spends the code of the moment.
    async fn set_up(app: &TestApp) -> Option<Self> {
        let python = needs::part("JARVIS_TEST_PYTHON", "Python")?;
        let operator = app.operator().await;
        let proposed: Value = operator.post("/api/second-factor/proposal", &json!({}), None).await.unwrap();
        let shown = Self { python, key: proposed["secret"].as_str().unwrap().to_owned() };
        let body = json!({ "password": PASSWORD, "secret": shown.key, "code": shown.code(0) });
        let _: Value = operator.put("/api/second-factor", &body).await.unwrap();
        Some(shown)
    }

    fn code(&self, steps: i32) -> String {
        let said = Command::new(&self.python).args(["-c", APP, &self.key, &steps.to_string()]).output().unwrap();
        assert!(said.status.success(), "{said:?}");
        String::from_utf8(said.stdout).unwrap().trim().to_owned()
    }
}

async fn sign_in(client: &Client, code: &str) -> Result<SessionInfo, ClientError> {
    client.post("/api/session", &json!({ "password": PASSWORD, "code": code, "bearer": true }), None).await
}

#[tokio::test]
async fn the_terminal_wants_the_code_beside_the_password() {
    let mut app = TestApp::start();
    let Some(shown) = Authenticator::set_up(&app).await else { return };
    let without = app.cli(&["stop"]);
    let said = String::from_utf8_lossy(&without.stderr).into_owned();
    assert_eq!(without.status.code(), Some(2), "{said}");
    assert!(said.contains("JARVIS_OPERATOR_CODE"), "{said}");
    // A step ahead: the one of the moment was spent by turning it on.
    app.set("JARVIS_OPERATOR_CODE", &shown.code(1));
    let with = app.cli(&["stop"]);
    assert!(with.status.success(), "{with:?}");
    assert!(!app.cli(&["resume"]).status.success(), "the same code again");
}

#[tokio::test]
async fn one_code_opens_one_of_two_servers_once() {
    let Some(scratch) = Scratch::new() else { return };
    let one = scratch.first(&[]);
    let Some(shown) = Authenticator::set_up(&one).await else { return };
    let other = scratch.beside(&one, &[]);
    let (here, there) = (one.over_tcp(None), other.over_tcp(None));
    let code = shown.code(1);
    let (at_one, at_other) = tokio::join!(sign_in(&here, &code), sign_in(&there, &code));
    assert_eq!([&at_one, &at_other].iter().filter(|came| came.is_ok()).count(), 1, "{at_one:?} {at_other:?}");
    assert!(sign_in(&there, &code).await.is_err() && sign_in(&here, &code).await.is_err(), "spent on both");
}
