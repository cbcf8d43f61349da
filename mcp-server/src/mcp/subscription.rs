//! What a client wants to be told of: lists that change, and jobs that go on.
//!
//! A modern client listens with one long request and says what for; a client of the old era subscribes within its session.
//! Who may see a job is looked up whenever something about it is about to be told.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use jarvis_safety::frame::Frame;
use jarvis_safety::{Actor, JobId};
use rmcp::model::{ErrorData, ResourceUpdatedNotificationParam, SubscriptionFilter};
use rmcp::service::{Peer, RoleServer, SubscriptionContext};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Face;
use super::change::Change;
use super::resource::job_of;

/// How long one request listens. The client then asks again, and is looked at again.
const LISTENED: Duration = Duration::from_secs(15 * 60);
/// Most addresses of one client.
const MOST: usize = 100;
/// The address that no job is behind and that a fixture of the suite subscribes to.
const WATCHED: &str = "test://watched-resource";

/// What a session of the old era has said. Dropped with it.
pub(super) struct Session {
    #[expect(deprecated, reason = "the suite still sets a level of log messages")]
    level: Mutex<Option<rmcp::model::LoggingLevel>>,
    watched: Mutex<BTreeSet<String>>,
    /// Whether somebody tells it already.
    told: AtomicBool,
    ended: CancellationToken,
    _end: DropGuard,
}

impl Default for Session {
    fn default() -> Self {
        let ended = CancellationToken::new();
        Self {
            level: Mutex::default(),
            watched: Mutex::default(),
            told: AtomicBool::default(),
            _end: ended.clone().drop_guard(),
            ended,
        }
    }
}

#[expect(deprecated, reason = "the suite still sets a level of log messages")]
impl Session {
    pub(super) fn level(&self) -> Option<rmcp::model::LoggingLevel> {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_level(&self, level: rmcp::model::LoggingLevel) {
        *self.level.lock().unwrap_or_else(PoisonError::into_inner) = Some(level);
    }
}

impl Session {
    fn watches(&self, uri: &str) -> bool {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).contains(uri)
    }
}

/// What happened that somebody may have subscribed to.
enum Happened {
    Changed(Change),
    Job(Arc<Frame>),
    /// Some of it was missed.
    Missed,
    Over,
}

async fn next(changes: &mut broadcast::Receiver<Change>, frames: &mut broadcast::Receiver<Arc<Frame>>) -> Happened {
    tokio::select! {
        change = changes.recv() => match change {
            Ok(change) => Happened::Changed(change),
            Err(RecvError::Lagged(_)) => Happened::Missed,
            Err(RecvError::Closed) => Happened::Over,
        },
        frame = frames.recv() => match frame {
            Ok(frame) => Happened::Job(frame),
            Err(RecvError::Lagged(_)) => Happened::Missed,
            Err(RecvError::Closed) => Happened::Over,
        },
    }
}

/// The job whose state a frame tells.
fn job(frame: &Frame) -> Option<JobId> {
    frame.subject.strip_prefix("job:").filter(|_| frame.kind == "state")?.parse().ok()
}

impl Face {
    /// What of a wish is listened for: everything but addresses that never tell of a change.
    pub(super) fn acceptable(&self, wanted: &SubscriptionFilter) -> SubscriptionFilter {
        let mut accepted = wanted.clone();
        accepted.resources_list_changed = None;
        if let Some(uris) = &mut accepted.resource_subscriptions {
            uris.retain(|uri| self.tells(uri));
            uris.truncate(MOST);
        }
        accepted
    }

    /// Whether something under this address is ever told of.
    fn tells(&self, uri: &str) -> bool {
        job_of(uri).is_some() || (self.fixtures && uri == WATCHED)
    }

    /// Tells a modern client until it hangs up, or for a while.
    pub(super) async fn tell(&self, actor: &Actor, listening: &SubscriptionContext) -> Result<(), ErrorData> {
        let (mut changes, mut frames) = (self.changes.listen(), self.jobs.frames());
        let accepted = listening.accepted();
        let wants = |uri: &str| accepted.resource_subscriptions.iter().flatten().any(|own| own == uri);
        let over = tokio::time::sleep(LISTENED);
        tokio::pin!(over);
        loop {
            let happened = tokio::select! {
                () = listening.cancelled() => return Ok(()),
                () = &mut over => return Ok(()),
                happened = next(&mut changes, &mut frames) => happened,
            };
            let sink = listening.sink();
            let sent = match happened {
                Happened::Changed(Change::Tools) if accepted.tools_list_changed == Some(true) => {
                    sink.notify_tool_list_changed().await
                }
                Happened::Changed(Change::Prompts) if accepted.prompts_list_changed == Some(true) => {
                    sink.notify_prompt_list_changed().await
                }
                Happened::Job(frame) => match self.subject(actor, &frame, wants).await {
                    Some(uri) => sink.notify_resource_updated(uri).await,
                    None => Ok(()),
                },
                Happened::Over => return Ok(()),
                _ => Ok(()),
            };
            if sent.is_err() {
                return Ok(());
            }
        }
    }

    /// The address that a frame is about, if it is wanted and this caller may see it.
    async fn subject(&self, actor: &Actor, frame: &Frame, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let id = job(frame)?;
        let uri = format!("jarvis://jobs/{id}");
        if !wanted(&uri) {
            return None;
        }
        self.jobs.job(actor, &id).await.ok().map(|_| uri)
    }

    /// Subscribes a session of the old era.
    pub(super) fn subscribed(&self, actor: Actor, uri: &str, peer: Peer<RoleServer>) -> Result<(), ErrorData> {
        if !self.tells(uri) {
            let said = "what stands under this address is never told of; read it again. Jobs (`jarvis://jobs/ID`) are";
            return Err(ErrorData::invalid_params(said, None));
        }
        {
            let mut watched = self.session.watched.lock().unwrap_or_else(PoisonError::into_inner);
            if watched.len() >= MOST && !watched.contains(uri) {
                return Err(ErrorData::invalid_params(
                    format!("a session subscribes to {MOST} addresses at most"),
                    None,
                ));
            }
            watched.insert(uri.to_owned());
        }
        self.begin_telling(actor, peer);
        Ok(())
    }

    /// Tells a session of the old era from now on, for as long as it lives.
    pub(super) fn begin_telling(&self, actor: Actor, peer: Peer<RoleServer>) {
        if self.session.told.swap(true, Ordering::AcqRel) {
            return;
        }
        let (face, session) = (self.for_session(), Arc::downgrade(&self.session));
        let ended = self.session.ended.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = ended.cancelled() => {}
                () = face.tell_session(&actor, &session, &peer) => {}
            }
        });
    }

    pub(super) fn unsubscribed(&self, uri: &str) {
        self.session.watched.lock().unwrap_or_else(PoisonError::into_inner).remove(uri);
    }

    async fn tell_session(&self, actor: &Actor, session: &Weak<Session>, peer: &Peer<RoleServer>) {
        let (mut changes, mut frames) = (self.changes.listen(), self.jobs.frames());
        loop {
            let sent = match next(&mut changes, &mut frames).await {
                Happened::Changed(Change::Tools) => peer.notify_tool_list_changed().await,
                Happened::Changed(Change::Prompts) => peer.notify_prompt_list_changed().await,
                Happened::Job(frame) => {
                    let Some(open) = session.upgrade() else { return };
                    match self.subject(actor, &frame, |uri| open.watches(uri)).await {
                        Some(uri) => peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await,
                        None => Ok(()),
                    }
                }
                Happened::Missed => Ok(()),
                Happened::Over => return,
            };
            if sent.is_err() {
                return;
            }
        }
    }
}
