//! A small world to stand the web face in: the ports, kept in memory. The real store is joined with it in the tests of
//! the binary; here it is the door that is under test.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of the world")]

pub mod book;
pub mod frame;
pub mod house;
pub mod journal;
pub mod key;
pub mod shelf;
pub mod tool;
