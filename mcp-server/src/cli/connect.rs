//! Finding the server: the address in `JARVIS_URL`, else the socket in the data directory.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use jarvis_client::wire::{SessionInfo, SignInBody};
use jarvis_client::{Client, Options, check_token};

use crate::config::{Environment, PORT, SOCKET, data_directory};

use super::address;
use super::exit::{Exit, Result, Stop};

/// What is known about where the server is.
pub(crate) struct Connection {
    pub(crate) data_flag: Option<PathBuf>,
    pub(crate) environment: Environment,
    /// With the session that was opened for this command.
    opened: Mutex<Option<Client>>,
}

impl Connection {
    pub(super) fn new(data_flag: Option<PathBuf>, environment: Environment) -> Self {
        Self { data_flag, environment, opened: Mutex::new(None) }
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        data_directory(self.data_flag.as_deref(), &self.environment)
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.environment.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// Whether another machine was named.
    pub(crate) fn is_remote(&self) -> bool {
        self.variable("JARVIS_URL").is_some()
    }

    /// For what is done on this machine only, so that nobody takes it for done on another.
    pub(super) fn must_be_local(&self, what: &str) -> Result<()> {
        match self.is_remote() {
            true => Err(Stop::new(
                Exit::Refused,
                format!("{what}, and JARVIS_URL names a server; run it on that machine, with JARVIS_URL unset"),
            )),
            false => Ok(()),
        }
    }

    /// A client that may say, call and read.
    pub(crate) fn client(&self) -> Result<Client> {
        let token = self.token()?;
        let options = match self.variable("JARVIS_URL") {
            Some(text) => Options::Url { url: address::read(&text, PORT)?, token: None },
            None => Options::Socket { path: self.data().join(SOCKET) },
        };
        let client = Client::new(options)?;
        Ok(match token {
            Some(token) => client.with_bearer(token),
            None => client,
        })
    }

    fn token(&self) -> Result<Option<String>> {
        let token = self.variable("JARVIS_TOKEN");
        token.as_deref().map_or(Ok(()), check_token).map_err(|fault| {
            Stop::invalid(format!(
                "JARVIS_TOKEN is no token: {fault}; set it to the one word that `jarvis token create` printed"
            ))
        })?;
        Ok(token)
    }

    /// A client that may decide: by the operator's password, or by a token that was made to.
    pub(crate) async fn operator(&self) -> Result<Client> {
        let client = self.client()?;
        let password = self.variable("JARVIS_OPERATOR_PASSWORD");
        if password.is_none() && self.variable("JARVIS_TOKEN").is_some() {
            return Ok(client);
        }
        // Asked before the password is: without a server, or before anybody has set one, there is no use in typing it.
        let known: SessionInfo = client.get("/api/session").await?;
        if known.setup_needed {
            return Err(Stop::new(
                Exit::Refused,
                "nobody has set the operator's password yet; open the link that `jarvis serve` printed, or start it with \
                 JARVIS_OPERATOR_PASSWORD set",
            ));
        }
        let password = match password {
            Some(password) => password,
            None if std::io::stdin().is_terminal() => rpassword::prompt_password("Operator's password: ")
                .map_err(|error| Stop::new(Exit::Failed, format!("the password could not be read: {error}")))?,
            None => {
                return Err(Stop::new(
                    Exit::Refused,
                    "this needs the operator: set JARVIS_OPERATOR_PASSWORD, or run it in a terminal",
                ));
            }
        };
        let code = if known.second_factor { Some(self.code()?) } else { None };
        let session: SessionInfo =
            client.post("/api/session", &SignInBody { password, code, bearer: true }, None).await?;
        let secret = session.secret.ok_or_else(|| Stop::new(Exit::Failed, "the server opened no session"))?;
        let client = client.with_bearer(secret);
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.clone());
        Ok(client)
    }

    /// The code beside the password, asked for only where the second factor is on.
    fn code(&self) -> Result<String> {
        match self.variable("JARVIS_OPERATOR_CODE") {
            Some(code) => Ok(code),
            None if std::io::stdin().is_terminal() => rpassword::prompt_password("Code of the authenticator app: ")
                .map_err(|error| Stop::new(Exit::Failed, format!("the code could not be read: {error}"))),
            None => Err(Stop::new(
                Exit::Refused,
                "the second factor is on: set JARVIS_OPERATOR_CODE to the code that the authenticator app shows now (or to a \
                 recovery code), or run it in a terminal",
            )),
        }
    }

    /// Ends the session that was opened for this command: the list of sessions is of those that somebody still uses.
    pub(super) async fn leave(&self) {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(client) = opened {
            // If it cannot be ended now, it ends by itself.
            let _ = client.delete("/api/session").await;
        }
    }
}
