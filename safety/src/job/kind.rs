//! A kind of job: one declaration.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::context::JobContext;
use crate::plain::{shorten, visible};

/// Longest message of a failed job, in characters.
pub(super) const MESSAGE: usize = 2000;

/// How often a job is tried, and how long is waited in between: `first`, twice that, four times that … at most `cap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all; at least one is made.
    pub attempts: u32,
    /// Pause after the first attempt.
    pub first: Duration,
    /// Longest pause.
    pub cap: Duration,
}

impl Retry {
    /// One attempt and no more.
    pub const NEVER: Self = Self { attempts: 1, first: Duration::ZERO, cap: Duration::ZERO };

    /// The pause after so many attempts.
    #[must_use]
    pub fn pause(&self, attempt: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
        self.first.saturating_mul(doubled).min(self.cap)
    }
}

/// What a submission does that asks for the same as one that is still open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dedup {
    /// It is another job.
    None,
    /// It joins the open one: same actor, same kind, same payload.
    ByPayload,
}

/// Whether a run that was cut off, and may have had its effect, may be run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// A second run repeats nothing: it finds by its key what the first has done, or does the same once more.
    Safe,
    /// A second run might do it twice: what was cut off is *unknown*.
    Never,
}

/// The fixed part of a kind.
#[derive(Debug, Clone, Copy)]
pub struct JobSpec {
    /// Name, 1 to 48 of `[a-z0-9_]`.
    pub kind: &'static str,
    /// The queue that its jobs stand in; kinds of one queue share its places.
    pub queue: &'static str,
    /// Within the queue the higher goes first.
    pub priority: i32,
    /// How often it is tried.
    pub retry: Retry,
    /// What joins what.
    pub dedup: Dedup,
    /// Whether it may be run again after its worker died.
    pub repeat: Repeat,
    /// How long a worker's silence is borne. It renews its hold three times in that time.
    pub lease: Duration,
    /// Longest run, waiting for an approval included; then it is cancelled.
    pub deadline: Duration,
}

/// One kind of job.
pub trait JobKind: Send + Sync + 'static {
    /// The fixed part.
    const SPEC: JobSpec;
    /// What to do. Kept as JSON, so it holds no secret.
    type Payload: DeserializeOwned + Serialize + Send + Sync;

    /// Looks at a payload before it is kept, and gives it the form in which it is.
    ///
    /// # Errors
    /// Says in a sentence what is wrong with it.
    fn check(&self, payload: Self::Payload) -> Result<Self::Payload, String> {
        Ok(payload)
    }

    /// What it does, in a few words of the program's own. They stand in the audit and outlive the erasing of texts, so
    /// nothing that somebody wrote is among them.
    fn title(&self, payload: &Self::Payload) -> String;

    /// Does it. The future is dropped when the worker has lost its hold, and some time after the job was cancelled.
    fn run(&self, payload: Self::Payload, cx: &JobContext) -> impl Future<Output = Result<Value, JobError>> + Send;
}

/// What a failed attempt means for the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobErrorKind {
    /// It is over.
    Failed,
    /// Try again, as often as the kind allows.
    Retry,
    /// Try again after this time. Not counted as an attempt: it did not begin.
    Later(Duration),
    /// It stopped because it was cancelled, and what it had to do is not done.
    Cancelled,
    /// Nobody can tell what was done: a person must look.
    Unknown,
}

/// Why an attempt came to nothing. The message says what to do next.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct JobError {
    /// What it means.
    pub kind: JobErrorKind,
    /// For people.
    pub message: String,
    /// What it came to all the same.
    pub result: Option<Value>,
}

impl JobError {
    /// An error of a kind.
    #[must_use]
    pub fn new(kind: JobErrorKind, message: impl AsRef<str>) -> Self {
        Self { kind, message: visible(message.as_ref()), result: None }
    }

    /// It is over.
    #[must_use]
    pub fn failed(message: impl AsRef<str>) -> Self {
        Self::new(JobErrorKind::Failed, message)
    }

    /// With what it came to all the same.
    #[must_use]
    pub fn with(mut self, result: Value) -> Self {
        self.result = Some(result);
        self
    }
}

/// A kind without its type.
#[async_trait]
pub(super) trait Erased: Send + Sync {
    fn spec(&self) -> JobSpec;
    /// The payload in the form in which it is kept, and the title.
    fn accept(&self, payload: Value) -> Result<(Value, String), String>;
    async fn run(&self, payload: Value, cx: &JobContext) -> Result<Value, JobError>;
}

#[async_trait]
impl<K: JobKind> Erased for K {
    fn spec(&self) -> JobSpec {
        K::SPEC
    }

    fn accept(&self, payload: Value) -> Result<(Value, String), String> {
        let payload = serde_json::from_value(payload).map_err(|error| error.to_string())?;
        let payload = self.check(payload)?;
        let title = shorten(&visible(&self.title(&payload)), 200);
        let kept = serde_json::to_value(payload).map_err(|error| error.to_string())?;
        Ok((kept, title))
    }

    async fn run(&self, payload: Value, cx: &JobContext) -> Result<Value, JobError> {
        let payload = serde_json::from_value(payload).map_err(|error| {
            JobError::failed(format!(
                "the payload was kept by another version and cannot be read ({error}); submit it again"
            ))
        })?;
        JobKind::run(self, payload, cx).await
    }
}

/// Why kinds cannot be put together.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KindsError {
    /// Two kinds of one name.
    #[error("two kinds of job are named `{0}`")]
    Twice(&'static str),
    /// The name or the queue has other characters, or too many.
    #[error("`{0}` names no kind of job and no queue: 1 to 48 of [a-z0-9_]")]
    Name(&'static str),
    /// A lease that no heartbeat can hold, or no attempt.
    #[error("the kind `{0}` needs a lease of at least 3 s, a deadline and at least one attempt")]
    Bounds(&'static str),
}

/// Collects kinds.
#[derive(Default)]
pub struct KindsBuilder {
    kinds: BTreeMap<&'static str, Arc<dyn Erased>>,
    fault: Option<KindsError>,
}

impl KindsBuilder {
    /// Adds one kind.
    #[must_use]
    pub fn with<K: JobKind>(mut self, kind: K) -> Self {
        let spec = K::SPEC;
        let named = |name: &str| {
            (1..=48).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        let fault = if let Some(name) = [spec.kind, spec.queue].into_iter().find(|name| !named(name)) {
            Some(KindsError::Name(name))
        } else if spec.lease < Duration::from_secs(3) || spec.deadline.is_zero() || spec.retry.attempts == 0 {
            Some(KindsError::Bounds(spec.kind))
        } else if self.kinds.contains_key(spec.kind) {
            Some(KindsError::Twice(spec.kind))
        } else {
            self.kinds.insert(spec.kind, Arc::new(kind));
            None
        };
        self.fault = self.fault.or(fault);
        self
    }

    /// The kinds.
    ///
    /// # Errors
    /// Names the first kind whose declaration does not hold.
    pub fn build(self) -> Result<Kinds, KindsError> {
        self.fault.map_or(Ok(Kinds { kinds: self.kinds }), Err)
    }
}

/// All kinds of jobs.
pub struct Kinds {
    kinds: BTreeMap<&'static str, Arc<dyn Erased>>,
}

impl Kinds {
    /// An empty collection to add kinds to.
    #[must_use]
    pub fn builder() -> KindsBuilder {
        KindsBuilder::default()
    }

    /// The fixed parts of all kinds, in the order of their names.
    pub fn specs(&self) -> impl Iterator<Item = JobSpec> {
        self.kinds.values().map(|kind| kind.spec())
    }

    pub(super) fn find(&self, name: &str) -> Option<&Arc<dyn Erased>> {
        self.kinds.get(name)
    }

    /// The kind of this name, or a sentence that names those there are.
    pub(super) fn known(&self, name: &str) -> Result<&Arc<dyn Erased>, String> {
        self.find(name).ok_or_else(|| {
            let all = self.kinds.keys().copied().collect::<Vec<_>>().join(", ");
            format!("there is no kind of job `{}`; there is: {all}", shorten(&visible(name), 60))
        })
    }
}

impl std::fmt::Debug for Kinds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.kinds.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_its_cap_and_never_overflows() {
        let retry = Retry { attempts: 9, first: Duration::from_secs(2), cap: Duration::from_secs(60) };
        let pauses: Vec<_> = (1..=7).map(|attempt| retry.pause(attempt).as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(retry.pause(u32::MAX).as_secs(), 60);
    }
}
