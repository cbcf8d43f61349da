//! The promises of every keeping port, held on a real SQLite in a temporary directory.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report, also in what tests share")]

mod approval;
mod call;
mod chain;
mod conversation;
mod crash;
mod directory;
mod feed;
mod identity;
mod index;
mod live;
mod setting;
mod world;
