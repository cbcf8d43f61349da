//! What must hold for every input of the readers that strangers reach: not only that they do not crash.
//!
//! Each module has one property over arbitrary bytes. The readers are the rooms' own source files, compiled here once
//! more: nothing has to be opened for the fuzzer, and nothing heavy has to be built with coverage. What they are held
//! against is written anew here. `cargo xtask proof --suite fuzz` searches for an input that breaks a property
//! (`main.rs`); `tests/seed.rs` replays the committed ones.

mod audit;
mod canonical;
mod command;
mod model;
mod policy;
mod reading;
mod rpc;
mod sabotage;

pub use sabotage::Sabotage;

/// A reader, and what must hold for it.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// As it is asked for.
    pub name: &'static str,
    /// Panics if it does not hold for these bytes.
    pub holds: fn(&[u8], Sabotage),
}

/// All of them.
pub const TARGETS: [Target; 6] = [
    Target { name: "rpc", holds: rpc::holds },
    Target { name: "canonical", holds: canonical::holds },
    Target { name: "policy", holds: policy::holds },
    Target { name: "command", holds: command::holds },
    Target { name: "model", holds: model::holds },
    Target { name: "audit", holds: audit::holds },
];
