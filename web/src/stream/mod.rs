//! The event stream: what happened, resumable; and what is happening, as far as it is asked for.

mod pump;
mod seat;
mod topic;

pub use pump::{End, Ends, Message, Pump};
pub use seat::{Full, Seat, Seats};
pub use topic::Topics;
