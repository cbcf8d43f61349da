//! The vocabulary of Jarvis, the ports through which it reaches the world, and the gate.
//!
//! Everything else depends on this crate and it depends on nothing of ours. It does no I/O of its own: what it needs
//! from outside it asks of the traits in [`port`]. The part that decides stands in [`kernel`]; the rest are the words
//! it is written in.

pub mod actor;
pub mod approval;
pub mod autonomy;
pub mod bar;
pub mod bounded;
pub mod call;
mod carry;
mod close;
pub mod conversation;
pub mod digest;
pub mod doubt;
pub mod event;
pub mod factor;
mod follow;
pub mod foreign;
pub mod frame;
pub mod grant;
pub mod heard;
mod held;
pub mod id;
pub mod identity;
pub mod job;
pub mod json;
pub mod kernel;
mod kill;
mod lapse;
mod look;
pub mod mount;
pub mod outcome;
mod pattern;
pub mod plain;
mod plan;
pub mod port;
pub mod reach;
mod recover;
pub mod refusal;
pub mod registry;
mod replica;
pub mod role;
mod row;
mod run;
pub mod secret;
pub mod setting;
mod settle;
mod sight;
mod stale;
pub mod target;
pub mod tier;
pub mod tool;
mod undo;

pub use actor::{Actor, ActorKind};
pub use digest::Digest;
pub use id::{ActorId, ApprovalId, CallId, ConversationId, GrantId, JobId, ScheduleId, TurnId};
pub use reach::Reach;
pub use refusal::Refusal;
pub use role::Role;
pub use target::Target;
pub use tier::{Effects, Tier};
