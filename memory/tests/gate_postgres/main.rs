//! What holds the kernel, over a store on a real PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the report, also in what tests share"
)]

#[path = "../gate/approval.rs"]
mod approval;
#[path = "../gate/bound.rs"]
mod bound;
#[path = "../gate/combination.rs"]
mod combination;
#[path = "../gate/grant.rs"]
mod grant;
#[path = "../gate/lamp.rs"]
mod lamp;
#[path = "../gate/level.rs"]
mod level;
mod place;
#[path = "../gate/plan.rs"]
mod plan;
#[path = "../gate/race/mod.rs"]
mod race;
#[path = "../gate/reach.rs"]
mod reach;
#[path = "../gate/restart.rs"]
mod restart;
#[path = "../gate/rule.rs"]
mod rule;
#[path = "../it/scratch.rs"]
mod scratch;
#[path = "../gate/transition/mod.rs"]
mod transition;
#[path = "../gate/waiting.rs"]
mod waiting;
