//! A turn: what a person said, and everything that is done about it.
//!
//! [`step`] is a pure function from the persisted log of a turn to what comes next; [`driver`] carries that out and
//! appends what came of it, one transaction a step. There is no other state, so a turn that was interrupted anywhere
//! goes on from its log.
//!
//! ```text
//! log ─► step ─► effects ─► driver (rules, model, gate, card) ─► entries ─► log …
//! ```

pub(crate) mod act;
pub(crate) mod answer;
pub(crate) mod driver;
pub(crate) mod generate;
pub(crate) mod reading;
pub(crate) mod replay;
pub(crate) mod route;
pub(crate) mod row;
pub(crate) mod step;
pub(crate) mod vouch;
