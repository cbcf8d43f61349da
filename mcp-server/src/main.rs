//! `jarvis`: the server and the terminal's client of it, in one binary.
//!
//! This crate joins the rooms: it reads the configuration, opens the store, registers the tool families, and serves.
//! Everything that can be owned by a lower floor is.

mod catalogue;
mod cli;
mod config;
mod fixture;
mod mcp;
mod mount;
mod proxy;
mod serve;

use std::process::ExitCode;

/// Long-lived tokio processes grow on glibc's allocator, so the allocator was chosen on day one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // A child that confines itself begins nothing else.
    if let Some(order) = jarvis_tools::command::ordered() {
        return jarvis_tools::command::confine(&order);
    }
    // The provider is process-wide; installing it twice is the only way this fails.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli::run()
}
