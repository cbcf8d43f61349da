//! The mind of Jarvis: what a sentence means, what is done about it, and how it is answered.
//!
//! A sentence is understood by rule where that is possible and by a model where one is connected. Either way it ends in
//! calls that go through the gate; nothing here can run a tool, open a store or read a secret by itself.

mod context;
pub mod mind;
pub mod prompt;
pub mod provider;
mod sight;
mod turn;
pub mod understand;
mod world;

pub use mind::{After, Mind, MindParts, PlannedCall, Said, SayPlan};
pub use prompt::{PromptError, Prompts};
pub use provider::Patience;
pub use turn::replay::{Divergence, Replay, ReplayedStep, replay};
