//! The same promises, held on a real PostgreSQL; and those that only a database can hold that replicas share.
//!
//! What is about files, a killed process, or the memory of one, is tested in `it`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the report, also in what tests share"
)]

#[path = "../it/approval.rs"]
mod approval;
#[path = "../it/attempt.rs"]
mod attempt;
#[path = "../it/call.rs"]
mod call;
#[path = "../it/chain.rs"]
mod chain;
#[path = "../it/conversation.rs"]
mod conversation;
#[path = "../it/doubt.rs"]
mod doubt;
#[path = "../it/feed.rs"]
mod feed;
#[path = "../it/grant.rs"]
mod grant;
#[path = "../it/heard.rs"]
mod heard;
#[path = "../it/identity.rs"]
mod identity;
#[path = "../it/job.rs"]
mod job;
#[path = "../it/job_call.rs"]
mod job_call;
#[path = "../it/job_race.rs"]
mod job_race;
#[path = "../it/job_schedule.rs"]
mod job_schedule;
#[path = "../it/job_worker.rs"]
mod job_worker;
#[path = "../it/job_world.rs"]
mod job_world;
mod migration;
#[path = "../it/released.rs"]
mod released;
mod replica;
#[path = "../it/retention.rs"]
mod retention;
#[path = "../it/scratch.rs"]
mod scratch;
#[path = "../it/setting.rs"]
mod setting;
mod transfer;
#[path = "../it/vault.rs"]
mod vault;
#[path = "../it/world.rs"]
mod world;
