//! The hands of Jarvis: one module a family, each with the library that only it names.
//!
//! A family says what it needs, and `register` adds its tools. Nothing here knows who called, whether it may run, or
//! where things are kept: that is the gate's.

pub mod command;
pub mod docker;
mod doubt;
pub mod file;
pub mod http;
pub mod log;
pub mod service;
pub mod system;
