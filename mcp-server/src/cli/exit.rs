//! How a command ends.

use std::process::ExitCode;

use jarvis_client::ClientError;

/// The exit codes that scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// It was tried and did not work.
    Failed = 1,
    /// Refused, or the words were wrong. Nothing was done.
    Refused = 2,
    /// Waits for an approval.
    Waiting = 3,
    /// No server answers.
    NoServer = 4,
}

impl Exit {
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(self as u8)
    }

    /// The code for the state of a call or a card.
    pub(crate) fn of_state(state: &str) -> Self {
        match state {
            "done" => Self::Done,
            "waiting" | "pending" | "approved" | "running" => Self::Waiting,
            "denied" | "expired" | "stale" | "refused" => Self::Refused,
            _ => Self::Failed,
        }
    }
}

/// A command that could not be carried out.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl Stop {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Self {
        let exit = match &error {
            ClientError::NoServer { .. } => Exit::NoServer,
            ClientError::Refused(_) => Exit::Refused,
            ClientError::Strange(_) => Exit::Failed,
        };
        let hint = if exit == Exit::NoServer { "\nStart one with `jarvis serve`." } else { "" };
        Self::new(exit, format!("{error}{hint}"))
    }
}

/// Result of a command.
pub(crate) type Result<T = Exit> = std::result::Result<T, Stop>;
