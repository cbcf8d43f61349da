//! From the vocabulary of the house to the wire.
//!
//! Pure translations, one file a subject. What strangers named or wrote is made visible here where it becomes part of a
//! sentence or a block that a person decides by; arguments and outputs stay as they are.

pub mod approval;
pub mod call;
pub mod event;
pub mod grant;
pub mod job;
pub mod mount;
pub mod replay;
pub mod secret;
pub mod setting;
pub mod token;
pub mod tool;
pub mod turn;
