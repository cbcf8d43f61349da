//! Integration tests: the real store, the real gate, the real binary, real parts of the world.
//!
//! One binary, so that everything is linked once. A part that is missing makes its tests say `skipped: needs …`; in CI
//! that is a failure.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "in a test a panic is the report")]

mod app;
mod approval;
mod backup;
mod catalogue;
mod combination;
mod command;
mod corpus;
mod crash;
mod docker;
mod grant;
mod host;
mod job;
mod kill;
mod lamp;
mod layering;
mod mcp;
mod mount;
mod named;
mod needs;
mod plan;
mod protocol;
mod race;
mod reach;
mod refusal;
mod replica;
mod restart;
mod secret;
mod space;
mod start;
mod stream;
mod table;
mod terminal;
mod turn;
mod understanding;
mod undo;
