//! What crosses the wire, and the client that speaks it.
//!
//! CLI, bots and tests are clients of one door. They know this crate and nothing behind it.

mod client;
mod stream;
mod token;
pub mod wire;

pub use client::{Client, ClientError, Options};
pub use stream::{EventStream, Message};
pub use token::{TokenFault, check_token};
