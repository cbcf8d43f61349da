//! The gate over its real store, with a small world of lamps for tools: what holds the kernel.
//!
//! A binary apart from the store's own promises and from the program's: it is what is built and run again for every
//! mutant of the kernel (`cargo xtask mutants`), so it links little.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod approval;
mod bound;
mod combination;
mod grant;
mod lamp;
mod level;
mod place;
mod plan;
mod race;
mod reach;
mod restart;
mod rule;
mod transition;
mod waiting;
