//! A small world to stand the web face in: the real store in a folder of its own, a real gate, queue and mind over it,
//! and a few tools that do what a test wants. What the binary adds is tested with the binary.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of the world")]

pub mod house;
pub mod job;
pub mod sse;
pub mod store;
pub mod tool;
