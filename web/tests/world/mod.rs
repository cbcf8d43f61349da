//! A small world to stand the web face in: the ports, kept in memory.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of the world")]

pub mod frame;
pub mod journal;
