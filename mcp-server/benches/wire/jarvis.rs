//! The real binary: token, schema, policy, gate and audit row.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::api::{self, Connection};
use super::contestant::{Server, directory};
use super::leash;

const PASSWORD: &str = "a benchmark's password";

/// A server with an operator, on a directory of its own.
pub(crate) struct Jarvis {
    pub(crate) server: Server,
    operator: String,
    pub(crate) directory: TempDir,
}

impl Jarvis {
    pub(crate) fn start() -> Self {
        Self::start_on(&[], None)
    }

    /// With further variables, and with the key of another one whose database it shares.
    pub(crate) fn start_on(environment: &[(&str, &str)], other: Option<&Self>) -> Self {
        let directory = directory();
        if let Some(other) = other {
            let key = |of: &TempDir| of.path().join("keys/audit.key");
            std::fs::create_dir(directory.path().join("keys")).unwrap();
            std::fs::copy(key(&other.directory), key(&directory)).unwrap();
        }
        let mut command = command(directory.path());
        command.envs(environment.iter().copied());
        command.env("JARVIS_OPERATOR_PASSWORD", PASSWORD).args(["serve", "--listen", "127.0.0.1:0", "--fixtures"]);
        let server = Server::start(&mut command);
        let asked = json!({ "password": PASSWORD, "bearer": true });
        let signed = Connection::new(&server.address, None).ask("POST", "/api/session", Some(&asked));
        Self { operator: signed["secret"].as_str().unwrap().to_owned(), server, directory }
    }

    /// The same one started anew: without the fixtures, and without what setting it up took.
    pub(crate) fn anew(self) -> Self {
        let Self { server, operator, directory } = self;
        server.stop();
        let server = Server::start(command(directory.path()).args(["serve", "--listen", "127.0.0.1:0"]));
        Self { server, operator, directory }
    }

    pub(crate) fn operator(&self) -> Connection {
        Connection::new(&self.server.address, Some(&self.operator))
    }

    /// A new token's secret.
    pub(crate) fn token(&self, name: &str, ceiling: &str) -> String {
        let made = self.operator().ask("POST", "/api/tokens", Some(&json!({ "name": name, "ceiling": ceiling })));
        made["secret"].as_str().unwrap().to_owned()
    }

    /// Changes one setting.
    pub(crate) fn set(&self, setting: &str, value: Value) {
        let mut operator = self.operator();
        let mut settings = operator.ask("GET", "/api/settings", None);
        settings[setting] = value;
        operator.ask("PUT", "/api/settings", Some(&settings));
    }

    /// A call of `echo`.
    pub(crate) fn echo(&self, token: &str) -> Vec<u8> {
        api::tools_call(&self.server.address, Some(token), "echo", &json!({ "text": "hello" }))
    }
}

/// The program on a data directory, and nothing of the environment that it could trip over.
pub(crate) fn command(data: &Path) -> Command {
    let mut command = leash::command(env!("CARGO_BIN_EXE_jarvis"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("JARVIS_")) {
        command.env_remove(name);
    }
    command.env("JARVIS_DATA", data).env("JARVIS_LOG", "error");
    command
}
