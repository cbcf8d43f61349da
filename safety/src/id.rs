//! Ids that cannot be mixed up.
//!
//! Each is a prefix that names the kind, and 26 characters of time-ordered base 32 (UUID version 7), so that an id read
//! aloud or found in a log says what it is and sorts by age.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn encode(mut number: u128) -> String {
    let mut digits = [0_u8; 26];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(number & 31) as usize];
        number >>= 5;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

/// The text is no id of this kind.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{text}` is no id of this kind; one looks like `{kind}_01h…` (26 characters after the underscore)")]
pub struct BadId {
    text: String,
    kind: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Makes an id from a number that [`crate::port::Ids`] gave.
            #[must_use]
            pub fn new(number: u128) -> Self {
                Self(format!(concat!($prefix, "_{}"), encode(number)))
            }

            /// The text of the id.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                let digits = text.strip_prefix(concat!($prefix, "_")).unwrap_or_default();
                if digits.len() == 26 && digits.bytes().all(|byte| ALPHABET.contains(&byte)) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(BadId { text: text.chars().take(60).collect(), kind: $prefix })
                }
            }
        }
    };
}

id!(
    /// One call that passed, or asked to pass, the gate.
    CallId,
    "call"
);
id!(
    /// One approval card.
    ApprovalId,
    "appr"
);
id!(
    /// One conversation.
    ConversationId,
    "conv"
);
id!(
    /// One turn of a conversation.
    TurnId,
    "turn"
);
id!(
    /// One token of a client.
    TokenId,
    "tok"
);
id!(
    /// One signed-in session of the operator.
    SessionId,
    "sess"
);
id!(
    /// One grant.
    GrantId,
    "grant"
);
id!(
    /// One job.
    JobId,
    "job"
);
id!(
    /// One schedule, by which jobs are submitted again and again.
    ScheduleId,
    "sched"
);

/// Who acted, as it stands in the audit: `operator`, `local`, `mcp:stdio`, `token:tok_…`, `system`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActorId(String);

impl ActorId {
    /// Takes the text as it is.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
