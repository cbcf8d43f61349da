//! Durable events, live frames and the audit.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// One row of the audit.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventInfo {
    /// Position in the one order of commits; gapless from 1.
    pub seq: u64,
    /// When.
    pub at: i64,
    /// For example `call.read`, `call.intent`, `approval.asked`, `kill.on`.
    pub kind: String,
    /// Who did it.
    pub actor: String,
    /// What it is about, for example a call or an approval id.
    pub subject: String,
    /// Follows one request through everything it caused.
    pub correlation: String,
    /// One redacted line.
    pub summary: String,
    /// Tool, where a call is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Tier, where a call or an approval is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Keyed hash over this row and the one before.
    pub hash: String,
    /// Arguments, output, text; only when a single event is asked for, and null once erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub body: Option<Value>,
}

/// A page of history, newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventPage {
    /// The rows.
    pub events: Vec<EventInfo>,
    /// Pass as `before` to read on; absent at the beginning of time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// Something that is happening now and is not logged. A later frame of the same subject and kind replaces or continues it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FrameInfo {
    /// `turn:ID`, `call:ID`, `job:ID` or `host`.
    pub subject: String,
    /// `text`, `phase`, `progress`, `gauges`; of a job also `state` and `output`.
    pub kind: String,
    /// For `text`: where `data.text` begins, in characters.
    #[serde(default)]
    pub offset: u64,
    /// `text`: `{text}` · `phase`: `{phase}` · `progress`: `{done, total, text}` · `gauges`: see [`Gauges`].
    #[schema(value_type = Object)]
    pub data: Value,
}

/// This machine, a few seconds ago at most.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct Gauges {
    /// Busy share of all cores, 0 to 100.
    pub cpu_percent: f64,
    /// Number of logical cores.
    pub cores: u64,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: [f64; 3],
    /// Bytes in use and not reclaimable.
    pub memory_used: u64,
    /// Bytes of reclaimable cache.
    pub memory_cache: u64,
    /// Bytes of memory.
    pub memory_total: u64,
    /// Mounted file systems that hold data.
    pub disks: Vec<DiskGauge>,
    /// Hottest sensor in °C; absent where the machine shows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub celsius: Option<f64>,
    /// Bytes received and sent a second, all interfaces but loopback.
    pub network: [u64; 2],
    /// Seconds since the machine started.
    pub uptime: u64,
}

/// One file system.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct DiskGauge {
    /// Where it is mounted.
    pub mount: String,
    /// Bytes in use.
    pub used: u64,
    /// Bytes in all.
    pub total: u64,
}

/// What a verification of the audit found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditReport {
    /// Whether every row, every kept body and the seal agree.
    pub ok: bool,
    /// Rows that were checked.
    pub rows: u64,
    /// Bodies that were checked.
    pub bodies: u64,
    /// Bodies that were erased on purpose.
    pub erased: u64,
    /// Last sequence.
    pub head: u64,
    /// Hash of the last row.
    pub hash: String,
    /// Sequence that the seal outside the database vouches for.
    pub sealed: u64,
    /// Everything that did not fit, a sentence each; at most 20.
    pub faults: Vec<String>,
    /// When it was checked.
    pub at: i64,
}
