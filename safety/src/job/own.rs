//! The queue as a tool sees it: with the eyes and the rights of whoever called the tool, whom it never learns.

use std::time::Duration;

use serde_json::Value;

use super::port::{Cancelled, JobFilter};
use super::queue::{JobQueue, Receipt, Submission};
use super::record::{JobRecord, OutputChunk};
use crate::call::{Caller, Origin};
use crate::id::JobId;
use crate::refusal::Refusal;
use crate::tool::RunContext;

/// Jobs of the caller of a running tool. What it hands in runs as that caller, chosen as that call was chosen.
pub struct OwnJobs<'a> {
    queue: &'a JobQueue,
    caller: &'a Caller,
    call: &'a str,
}

impl JobQueue {
    /// The queue for a running tool.
    #[must_use]
    pub fn own<'a>(&'a self, cx: &'a RunContext) -> OwnJobs<'a> {
        OwnJobs { queue: self, caller: &cx.caller, call: cx.call.as_str() }
    }

    /// Looks whether a job could be handed in, and keeps nothing.
    ///
    /// # Errors
    /// If there is no such kind, or the payload is not one of it.
    pub fn check(&self, kind: &str, payload: Value) -> Result<(), Refusal> {
        let found = self.0.kinds.known(kind).map_err(Refusal::invalid)?;
        found.accept(payload).map(|_| ()).map_err(Refusal::invalid)
    }
}

impl OwnJobs<'_> {
    /// Hands in a job. Without a key of the caller's own, the call itself is the key: it hands in once.
    ///
    /// # Errors
    /// As [`JobQueue::submit`].
    pub async fn submit(&self, kind: &str, payload: Value, key: Option<String>) -> Result<Receipt, Refusal> {
        let key = key.unwrap_or_else(|| self.call.to_owned());
        self.queue
            .submit(Submission {
                actor: self.caller.actor.clone(),
                origin: Origin { undoes: None, ..self.caller.origin.clone() },
                vouching: self.caller.vouching,
                kind: kind.to_owned(),
                payload,
                key: Some(key),
                run_at: None,
            })
            .await
    }

    /// A job, once it has ended or so much time has passed.
    ///
    /// # Errors
    /// As [`JobQueue::job`].
    pub async fn follow(&self, id: &JobId, longest: Duration) -> Result<JobRecord, Refusal> {
        self.queue.follow(&self.caller.actor, id, longest).await
    }

    /// What a job has put out after a piece.
    ///
    /// # Errors
    /// As [`JobQueue::job`].
    pub async fn output(&self, id: &JobId, after: u64, limit: u32) -> Result<Vec<OutputChunk>, Refusal> {
        self.queue.output(&self.caller.actor, id, after, limit).await
    }

    /// Jobs, newest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn list(&self, filter: JobFilter, limit: u32) -> Result<Vec<JobRecord>, Refusal> {
        self.queue.jobs(&self.caller.actor, filter, None, limit).await
    }

    /// Wants a job to stop.
    ///
    /// # Errors
    /// As [`JobQueue::job`].
    pub async fn cancel(&self, id: &JobId) -> Result<Cancelled, Refusal> {
        self.queue.cancel(&self.caller.actor, id, &self.caller.origin).await
    }
}
