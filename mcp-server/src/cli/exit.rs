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

    /// The stable word for programs, where the server gave none.
    const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Waiting => "waiting",
            Self::NoServer => "no_server",
        }
    }
}

/// A command that could not be carried out.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) exit: Exit,
    /// Stable word for programs, the server's own where it refused.
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Stop {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, code: exit.word().to_owned(), message: message.into() }
    }

    /// What was typed or set makes no sense.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self { code: "invalid_arguments".to_owned(), ..Self::new(Exit::Refused, message) }
    }
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Self {
        let exit = match &error {
            ClientError::NoServer { .. } => Exit::NoServer,
            // The server broke, or could not say whether it was kept: that is no refusal.
            ClientError::Refused(problem) if ["internal", "store_unavailable"].contains(&problem.code.as_str()) => {
                Exit::Failed
            }
            ClientError::Refused(_)
            | ClientError::NotAllowed { .. }
            | ClientError::Tls { .. }
            | ClientError::Token(_) => Exit::Refused,
            ClientError::Cut { .. } | ClientError::Strange(_) => Exit::Failed,
        };
        let hint = match &error {
            ClientError::NoServer { at, .. } if at.starts_with("http") => {
                "\nIs JARVIS_URL right, and does Jarvis run there and listen on that address?"
            }
            ClientError::NoServer { .. } => "\nStart one with `jarvis serve`.",
            ClientError::NotAllowed { .. } => {
                "\nAsk as the user that runs the server, or set JARVIS_URL and JARVIS_TOKEN."
            }
            _ => "",
        };
        let stop = Self::new(exit, format!("{error}{hint}"));
        match error {
            ClientError::Refused(problem) => Self { code: problem.code, ..stop },
            _ => stop,
        }
    }
}

/// Result of a command.
pub(crate) type Result<T = Exit> = std::result::Result<T, Stop>;
