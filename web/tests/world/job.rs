//! A kind of job that puts out what the test says, when it says it.

use std::time::Duration;

use jarvis_safety::job::{Dedup, JobContext, JobError, JobErrorKind, JobKind, JobSpec, Repeat, Retry};
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};

/// Puts out each piece that it hears, and is done when there are no more.
pub struct Talk(Mutex<mpsc::UnboundedReceiver<String>>);

/// The mouth of the one job that talks. Without it the job is done.
pub type Mouth = mpsc::UnboundedSender<String>;

impl Talk {
    pub fn new() -> (Self, Mouth) {
        let (mouth, pieces) = mpsc::unbounded_channel();
        (Self(Mutex::new(pieces)), mouth)
    }
}

impl JobKind for Talk {
    const SPEC: JobSpec = JobSpec {
        kind: "talk",
        queue: "talk",
        priority: 0,
        retry: Retry::NEVER,
        dedup: Dedup::None,
        repeat: Repeat::Safe,
        lease: Duration::from_secs(30),
        deadline: Duration::from_secs(600),
    };
    type Payload = Value;

    fn title(&self, _: &Value) -> String {
        "talk".to_owned()
    }

    async fn run(&self, _: Value, cx: &JobContext) -> Result<Value, JobError> {
        let mut pieces = self.0.lock().await;
        loop {
            let piece = tokio::select! {
                biased;
                () = cx.cancelled().cancelled() => {
                    return Err(JobError::new(JobErrorKind::Cancelled, "it was told to be silent"));
                }
                piece = pieces.recv() => piece,
            };
            let Some(piece) = piece else { return Ok(json!({ "said": "all" })) };
            cx.output(&piece).await.map_err(|error| JobError::failed(error.to_string()))?;
        }
    }
}
