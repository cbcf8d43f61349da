//! Small conversions between what the vocabulary holds and what a column holds.

use std::borrow::Cow;

use jarvis_safety::port::StoreError;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer as _};
use serde::{Deserialize, Serialize};

/// Why one change of a batch did not come about.
#[derive(Debug)]
pub(crate) enum Halt {
    /// It contradicts what is there. Nothing was written for it.
    Refused(StoreError),
    /// The database failed; whatever was written for it must be rolled back.
    Broken(sqlx::Error),
}

impl From<sqlx::Error> for Halt {
    fn from(error: sqlx::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<Halt> for StoreError {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Refused(error) => error,
            Halt::Broken(error) => unavailable(&error),
        }
    }
}

impl Halt {
    /// For what is found unreadable once something was written: the change cannot be refused any more, it must be
    /// rolled back.
    pub(crate) fn after_writing(self) -> Self {
        match self {
            Self::Refused(error) => Self::Broken(sqlx::Error::Protocol(error.to_string())),
            broken @ Self::Broken(_) => broken,
        }
    }
}

pub(crate) fn unavailable(error: &sqlx::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

pub(crate) fn conflict(why: impl Into<String>) -> Halt {
    Halt::Refused(StoreError::Conflict(why.into()))
}

pub(crate) fn not_found(what: &str, id: &str) -> Halt {
    Halt::Refused(StoreError::NotFound(format!("{what} {id}")))
}

/// Text without NUL, which PostgreSQL cannot hold and log lines do contain.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// A structure as the JSON of a column. NUL is escaped there by JSON itself.
pub(crate) fn to_json<T: Serialize>(what: &str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Unavailable(format!("{what} cannot be written as JSON: {error}")))
}

/// The structure back from a column.
pub(crate) fn from_json<T: DeserializeOwned>(what: &str, json: &str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|error| unreadable(what, &error.to_string()))
}

/// An enum back from its stable word.
pub(crate) fn from_word<T: for<'de> Deserialize<'de>>(what: &str, word: &str) -> Result<T, StoreError> {
    let deserializer: StrDeserializer<'_, serde::de::value::Error> = word.into_deserializer();
    T::deserialize(deserializer).map_err(|error| unreadable(what, &error.to_string()))
}

pub(crate) fn unreadable(what: &str, why: &str) -> StoreError {
    StoreError::Unavailable(format!("the stored {what} cannot be read: {why}; run `jarvis audit verify`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_never_reaches_the_database() {
        assert_eq!(clean("a\0b"), "a\u{fffd}b");
        assert!(matches!(clean("plain"), Cow::Borrowed("plain")));
        assert!(!to_json("text", &"a\0b").unwrap().contains('\0'));
    }
}
