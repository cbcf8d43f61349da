//! Sabotages: what a server would answer that does not keep to its document, or that lets nobody in.

use clap::ValueEnum;

use crate::hostile::Between;

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sabotage {
    /// What is not there is a fault of the server's own.
    ServerError,
    /// The list of tokens lacks a field that its schema demands.
    MissingField,
    /// The list of tokens comes with a status that nobody declared.
    StrangeStatus,
    /// No session is known any more.
    DeadSession,
}

impl Between for Sabotage {
    fn request(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut text = bytes.to_vec();
        if *self == Self::DeadSession {
            replace(&mut text, b"jarvis_session=", b"jarvis_sessiom=");
            replace(&mut text, b"Authorization: Bearer", b"Authorisation: Bearer");
        }
        Some(text)
    }

    fn answer(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut text = bytes.to_vec();
        let lists_tokens = || text.windows(LIST.len()).any(|window| window == LIST);
        match self {
            Self::ServerError => replace(&mut text, b"HTTP/1.1 404", b"HTTP/1.1 500"),
            Self::StrangeStatus if lists_tokens() => replace(&mut text, b"HTTP/1.1 200", b"HTTP/1.1 203"),
            Self::MissingField => replace(&mut text, LIST, br#""tokenz":["#),
            _ => {}
        }
        Some(text)
    }
}

/// How the list of tokens begins.
const LIST: &[u8] = br#""tokens":["#;

/// Writes as many other bytes over the first such ones: a length that was told stays true.
fn replace(text: &mut [u8], from: &[u8], to: &[u8]) {
    if let Some(at) = text.windows(from.len()).position(|window| window == from) {
        text[at..at + from.len()].copy_from_slice(to);
    }
}
