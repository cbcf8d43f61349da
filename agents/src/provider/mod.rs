//! Model servers, seen as one stream of events.
//!
//! Every wire format has its own decoder that is fed bytes and yields [`ModelEvent`]s; what follows (the turn loop, the
//! log) knows only those. So far there is one format: the chat completions that `llama-server`, Ollama's `/v1` and
//! OpenAI share.

pub mod client;
mod event;
pub mod generation;
pub mod openai;
pub mod place;
mod scrub;
mod thought;

use std::time::Duration;

pub use event::{ModelEvent, Stop};

/// How long to wait for a model server, and how often to ask again.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For the connection.
    pub connect: Duration,
    /// For the first byte of an answer: a small machine reads a long prompt slowly.
    pub first: Duration,
    /// Between two bytes.
    pub idle: Duration,
    /// For a whole answer.
    pub longest: Duration,
    /// Before the second attempt; doubled before the third.
    pub backoff: Duration,
    /// Attempts in all, as long as nothing of an answer was shown.
    pub tries: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first: Duration::from_secs(120),
            idle: Duration::from_secs(60),
            longest: Duration::from_secs(1800),
            backoff: Duration::from_millis(500),
            tries: 3,
        }
    }
}

/// Why a model server could not be asked, or did not answer. No variant ever holds a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// Nothing was sent: the settings do not allow it or make no sense.
    #[error("{0}")]
    NotSent(String),
    /// The server is not there, overloaded or broken for the moment; asking again may help.
    #[error("{message}")]
    Busy {
        /// What it said.
        message: String,
        /// How long it wants to be left alone.
        after: Option<Duration>,
    },
    /// The server understood and said no; asking again will not help.
    #[error("{0}")]
    Rejected(String),
    /// The answer broke off.
    #[error("{0}")]
    Broken(String),
}
