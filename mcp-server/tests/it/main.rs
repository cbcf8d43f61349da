//! Integration tests: the real store, the real gate, the real binary, real parts of the world.
//!
//! One binary, so that everything is linked once. A part that is missing makes its tests say `skipped: needs …`; in CI
//! that is a failure.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "in a test a panic is the report")]

mod app;
mod backup;
mod catalogue;
mod command;
mod corpus;
mod crash;
mod docker;
mod ending;
mod factor;
mod host;
mod job;
mod kill;
mod layering;
mod mcp;
mod mount;
mod named;
mod needs;
mod protocol;
mod proxy;
mod refusal;
mod replica;
mod retention;
mod retry;
mod secret;
mod space;
mod start;
mod stream;
mod table;
mod terminal;
mod turn;
mod understanding;
mod undo;
