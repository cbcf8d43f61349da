//! The promises of every keeping port, held on a real SQLite in a temporary directory.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report, also in what tests share")]

mod approval;
mod attempt;
mod backup;
mod call;
mod chain;
mod conversation;
mod crash;
mod directory;
mod doubt;
mod feed;
mod grant;
mod heard;
mod identity;
mod index;
mod job;
mod job_call;
mod job_crash;
mod job_race;
mod job_schedule;
mod job_worker;
mod job_world;
mod live;
mod mcp_session;
mod migration;
mod released;
mod retention;
mod scratch;
mod setting;
mod space;
mod sqlite;
mod vault;
#[expect(dead_code, reason = "tests with replicas use the rest of it")]
mod world;
