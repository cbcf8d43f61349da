//! What the mind promises, seen from outside: a real gate, a real store, a real socket to a
//! scripted model.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

mod boxed;
mod budget;
mod conversation;
mod crash;
mod decoder;
mod model;
mod provider;
mod replay;
mod rule;
mod support;
mod trust;
