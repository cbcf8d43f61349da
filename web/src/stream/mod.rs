//! The event stream: what happened, resumable; and what is happening, as far as it is asked for.

mod pump;
mod topic;

pub use pump::{End, Ends, Message, Pump};
pub use topic::Topics;
