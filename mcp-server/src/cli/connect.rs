//! Finding the server: the address in `JARVIS_URL`, else the socket in the data directory.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use jarvis_client::wire::{SessionInfo, SignInBody};
use jarvis_client::{Client, Options};

use crate::config::{Environment, SOCKET, data_directory};

use super::exit::{Exit, Result, Stop};

/// What is known about where the server is.
pub(crate) struct Connection {
    pub(crate) data_flag: Option<PathBuf>,
    pub(crate) environment: Environment,
}

impl Connection {
    pub(super) const fn new(data_flag: Option<PathBuf>, environment: Environment) -> Self {
        Self { data_flag, environment }
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

    /// A client that may say, call and read.
    pub(crate) fn client(&self) -> Result<Client> {
        let options = match self.variable("JARVIS_URL") {
            Some(url) => Options::Url { url: server_url(&url)?, token: self.variable("JARVIS_TOKEN") },
            None => Options::Socket { path: self.data().join(SOCKET) },
        };
        let client = Client::new(options)?;
        Ok(match self.variable("JARVIS_TOKEN") {
            Some(token) => client.with_bearer(token),
            None => client,
        })
    }

    /// A client that may decide: by the operator's password, or by a token that was made to.
    pub(crate) async fn operator(&self) -> Result<Client> {
        let client = self.client()?;
        let password = match self.variable("JARVIS_OPERATOR_PASSWORD") {
            Some(password) => password,
            None if self.variable("JARVIS_TOKEN").is_some() => return Ok(client),
            None if std::io::stdin().is_terminal() => rpassword::prompt_password("Operator's password: ")
                .map_err(|error| Stop::new(Exit::Failed, format!("the password could not be read: {error}")))?,
            None => {
                return Err(Stop::new(
                    Exit::Refused,
                    "this needs the operator: set JARVIS_OPERATOR_PASSWORD, or run it in a terminal",
                ));
            }
        };
        let session: SessionInfo = client.post("/api/session", &SignInBody { password, bearer: true }, None).await?;
        let secret = session.secret.ok_or_else(|| Stop::new(Exit::Failed, "the server opened no session"))?;
        Ok(client.with_bearer(secret))
    }
}

fn server_url(text: &str) -> Result<url::Url> {
    let wrong = |_| Stop::new(Exit::Refused, format!("JARVIS_URL: `{text}` is not an address; write http://host:7878"));
    let mut url = url::Url::parse(text).map_err(wrong)?;
    let portless = url.scheme() == "http" && url.port().is_none() && !text.trim_end_matches('/').ends_with(":80");
    if portless {
        // The scheme's default port is never Jarvis's.
        let _ = url.set_port(Some(crate::config::PORT));
    }
    Ok(url)
}
