//! Live frames: what is happening now and is not logged.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::ActorId;

/// A piece of the present. A later frame of the same subject and kind replaces it, or continues it at `offset`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// `turn:ID`, `call:ID`, `job:ID` or `host`.
    pub subject: String,
    /// `text`, `phase`, `progress`, `gauges`; of a job also `state` and `output`.
    pub kind: String,
    /// Where the text begins, in characters, for `text`.
    pub offset: u64,
    /// The content.
    pub data: Value,
    /// Who, beside the operator, may see it.
    #[serde(skip, default = "nobody")]
    pub owner: ActorId,
}

fn nobody() -> ActorId {
    ActorId::new("operator")
}
