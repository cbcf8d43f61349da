//! What a client wants to be told of: lists that change, and jobs that go on.
//!
//! A modern client listens with one long request and says what for; a client of the old era subscribes within its session.
//! Who may see a job is looked up whenever something about it is about to be told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use jarvis_safety::event::{Event, EventKind};
use jarvis_safety::frame::Frame;
use jarvis_safety::job::JobState;
use jarvis_safety::{Actor, JobId};
use rmcp::model::{ErrorData, ResourceUpdatedNotificationParam, SubscriptionFilter};
use rmcp::service::{Peer, RoleServer, SubscriptionContext};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::change::Change;
use super::resource::job_of;
use super::{Face, expires};

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
    Job(JobId),
    /// Another server has moved it: taken it, put something out, or had it wait.
    Moved(JobId),
    /// A token was taken back.
    Revoked(String),
    /// Nothing that is told, or so much that some of it was missed.
    Nothing,
    Over,
}

/// Where it is heard of: changed lists, what goes on with jobs, and the rows of the audit, which tell how they end.
struct Ears {
    changes: broadcast::Receiver<Change>,
    frames: broadcast::Receiver<Arc<Frame>>,
    rows: broadcast::Receiver<Arc<Event>>,
    moved: broadcast::Receiver<Option<JobId>>,
    /// How each job stood when it was last told of.
    told: BTreeMap<JobId, JobState>,
}

impl Ears {
    async fn next(&mut self) -> Happened {
        tokio::select! {
            change = self.changes.recv() => heard(change, Happened::Changed),
            frame = self.frames.recv() => heard(frame, |frame| of_frame(&frame)),
            row = self.rows.recv() => heard(row, |row| of_row(&row)),
            moved = self.moved.recv() => heard(moved, |job| job.map_or(Happened::Nothing, Happened::Moved)),
        }
    }
}

fn heard<T>(received: Result<T, RecvError>, means: impl FnOnce(T) -> Happened) -> Happened {
    match received {
        Ok(told) => means(told),
        Err(RecvError::Lagged(_)) => Happened::Nothing,
        Err(RecvError::Closed) => Happened::Over,
    }
}

fn of_frame(frame: &Frame) -> Happened {
    let job = frame.subject.strip_prefix("job:").filter(|_| frame.kind == "state").and_then(|id| id.parse().ok());
    job.map_or(Happened::Nothing, Happened::Job)
}

fn of_row(row: &Event) -> Happened {
    match row.kind {
        EventKind::TokenRevoked => Happened::Revoked(row.subject.clone()),
        _ => row.subject.parse().map_or(Happened::Nothing, Happened::Job),
    }
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
        let mut ears = self.ears();
        let accepted = listening.accepted();
        let wants = |uri: &str| accepted.resource_subscriptions.iter().flatten().any(|own| own == uri);
        let longest = Instant::now() + LISTENED;
        let expires = expires(&listening.request_context().extensions).unwrap_or(longest);
        let over = tokio::time::sleep_until(expires.min(longest));
        tokio::pin!(over);
        loop {
            let happened = tokio::select! {
                () = listening.cancelled() => return Ok(()),
                () = &mut over => return Ok(()),
                happened = ears.next() => happened,
            };
            let sink = listening.sink();
            let sent = match happened {
                Happened::Changed(Change::Tools) if accepted.tools_list_changed == Some(true) => {
                    sink.notify_tool_list_changed().await
                }
                Happened::Changed(Change::Prompts) if accepted.prompts_list_changed == Some(true) => {
                    sink.notify_prompt_list_changed().await
                }
                Happened::Revoked(token) if actor.id.as_str().ends_with(&token) => return Ok(()),
                Happened::Over => return Ok(()),
                happened => match self.address(actor, &happened, wants, &mut ears.told).await {
                    Some(uri) => sink.notify_resource_updated(uri).await,
                    None => Ok(()),
                },
            };
            if sent.is_err() {
                return Ok(());
            }
        }
    }

    fn ears(&self) -> Ears {
        Ears {
            changes: self.changes.listen(),
            frames: self.jobs.frames(),
            rows: self.feed.subscribe(),
            moved: self.jobs.moved(),
            told: BTreeMap::new(),
        }
    }

    /// The address of the job that something happened to, if it is wanted, this caller may see it, and there is something
    /// to tell: one that was moved elsewhere may only have put something out.
    async fn address(
        &self,
        actor: &Actor,
        happened: &Happened,
        wanted: impl Fn(&str) -> bool,
        told: &mut BTreeMap<JobId, JobState>,
    ) -> Option<String> {
        let (Happened::Job(job) | Happened::Moved(job)) = happened else { return None };
        let uri = format!("jarvis://jobs/{job}");
        if !wanted(&uri) {
            return None;
        }
        let state = self.jobs.job(actor, job).await.ok()?.state;
        let is_as_told = told.insert(job.clone(), state) == Some(state);
        (matches!(happened, Happened::Job(_)) || !is_as_told).then_some(uri)
    }

    /// Subscribes a session of the old era.
    pub(super) fn subscribed(
        &self,
        actor: Actor,
        expires: Option<Instant>,
        uri: &str,
        peer: Peer<RoleServer>,
    ) -> Result<(), ErrorData> {
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
        self.begin_telling(actor, expires, peer);
        Ok(())
    }

    /// Tells a session of the old era from now on, for as long as it lives and its token has not expired.
    pub(super) fn begin_telling(&self, actor: Actor, expires: Option<Instant>, peer: Peer<RoleServer>) {
        if self.session.told.swap(true, Ordering::AcqRel) {
            return;
        }
        let (face, session) = (self.for_session(), Arc::downgrade(&self.session));
        let ended = self.session.ended.clone();
        tokio::spawn(async move {
            let expired = async {
                match expires {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = ended.cancelled() => {}
                () = expired => {}
                () = face.tell_session(&actor, &session, &peer) => {}
            }
        });
    }

    pub(super) fn unsubscribed(&self, uri: &str) {
        self.session.watched.lock().unwrap_or_else(PoisonError::into_inner).remove(uri);
    }

    async fn tell_session(&self, actor: &Actor, session: &Weak<Session>, peer: &Peer<RoleServer>) {
        let mut ears = self.ears();
        loop {
            let sent = match ears.next().await {
                Happened::Changed(Change::Tools) => peer.notify_tool_list_changed().await,
                Happened::Changed(Change::Prompts) => peer.notify_prompt_list_changed().await,
                Happened::Revoked(token) if actor.id.as_str().ends_with(&token) => return,
                Happened::Over => return,
                happened => {
                    let Some(open) = session.upgrade() else { return };
                    match self.address(actor, &happened, |uri| open.watches(uri), &mut ears.told).await {
                        Some(uri) => peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await,
                        None => Ok(()),
                    }
                }
            };
            if sent.is_err() {
                return;
            }
        }
    }
}
