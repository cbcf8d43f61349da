//! Jobs: work that outlives whoever asked for it, and the process that began it.
//!
//! ```text
//! queued ─► running ─► done | failed | cancelled | unknown
//!   ▲          │ ▲
//!   └─ again ──┤ └► waiting   (for an approval: holds its lease, takes no place in its queue)
//!              └─ cancelled while it was queued: at once
//! ```
//!
//! A kind of job is declared like a tool, in one block ([`JobKind`]). Whoever submits talks to the [`JobQueue`], whoever
//! runs is a [`Worker`], and what is kept is kept by the port [`Jobs`]. A worker holds a job by a **lease** with an
//! **epoch**: every claim raises it, and whatever an earlier holder says is refused. A job whose worker died is run
//! again only if its kind says that this repeats nothing ([`Repeat::Safe`]); otherwise it is *unknown*, and a person
//! looks.

mod call;
mod context;
mod fire;
mod kind;
mod own;
mod port;
mod queue;
mod record;
mod row;
mod run;
mod schedule;
mod timetable;
mod worker;

pub use call::{ToolCall, ToolCallPayload};
pub use context::JobContext;
pub use kind::{Dedup, JobError, JobErrorKind, JobKind, JobSpec, Kinds, KindsBuilder, KindsError, Repeat, Retry};
pub use own::OwnJobs;
pub use port::{
    Appended, Beat, Cancel, Cancelled, Claim, Due, Fire, Hold, JobCounts, JobEnd, JobFilter, Jobs, NewJob, Settle,
    Submitted,
};
pub use queue::{JobQueue, QueueParts, Receipt, Submission};
pub use record::{JobProgress, JobRecord, JobState, OutputChunk};
pub use schedule::{Missed, NewSchedule, Schedule};
pub use timetable::{Timetable, TimetableError};
pub use worker::{Peers, Worker, WorkerOptions};
