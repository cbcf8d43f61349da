//! Jobs: calls that outlive whoever asked for them.
//!
//! A job is a call of a tool through the gate, as whoever submitted it; it is decided when it runs, not when it is
//! handed in.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jarvis_client::wire::{CallBody, CancelInfo, JobBody, JobInfo, JobPage, OutputInfo, OutputPage};
use jarvis_safety::frame::Frame;
use jarvis_safety::job::{Cancelled, JobFilter, JobRecord, JobState, Submission};
use jarvis_safety::{Actor, JobId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use utoipa::IntoParams;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use super::session::From;
use super::{call, stream};
use crate::auth::{Caller, Face};
use crate::guard::locate::{Asked, At};
use crate::guard::prefer::Wait;
use crate::problem::{Answered, Fault, quote};
use crate::stream::{End, Seat};
use crate::view;
use crate::web::Web;

/// The kind of job that calls a tool.
pub(super) const TOOL_CALL: &str = "tool_call";

/// Pieces of output that are read at once. They stay in memory while the client takes them, and each may have 16 KiB.
const PIECES: u32 = 10;
/// Time between comments that keep proxies from giving up.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Hands in a call as a job. Answers 202 as soon as the job is durable, and 200 with the job that is there already when
/// the same key was used before; with `Prefer: wait=N` it looks on until the job has ended.
#[utoipa::path(post, path = "/api/jobs", tag = "jobs", request_body = JobBody,
    params(
        ("prefer" = Option<String>, Header, description = "`wait=N`: look on for up to N seconds (0 to 50)"),
        ("idempotency-key" = Option<String>, Header, min_length = 1, max_length = 200, description = "The same key and the same call are the same job"),
    ),
    responses(
        (status = 202, description = "It is durable; the Location header names it", body = JobInfo),
        (status = 200, description = "It was there before, or has ended meanwhile", body = JobInfo),
    ))]
pub(super) async fn submit_job(
    State(web): State<Web>,
    caller: Caller,
    face: Face,
    wait: Wait,
    request: Request,
) -> Answered<Response> {
    let (headers, body) = call::read::<JobBody>(&caller, request).await?;
    let JobBody { tool, args, key, run_at } = body;
    let key = call::key(&headers, key.as_deref()).map_err(|fault| call::misfit(&web, fault, &caller, &tool))?;
    let asked = call::to_request(&web, &caller, &face, CallBody { tool, args, key: None }, key).await?;
    let subject = asked.tool.clone();
    let submission = Submission {
        actor: asked.actor,
        origin: asked.origin,
        vouching: asked.vouching,
        kind: TOOL_CALL.to_owned(),
        payload: json!({ "tool": asked.tool, "args": asked.args }),
        key: asked.key,
        run_at,
    };
    let receipt = web.jobs.submit(submission).await;
    let receipt = receipt.map_err(|refusal| call::misfit(&web, refusal.into(), &caller, &subject))?;
    let mut job = JobRecord::clone(&receipt.job);
    if wait.any() && !job.state.is_final() {
        job = web.jobs.follow(&caller.actor, &job.id, wait.0).await?;
    }
    let status = if receipt.new && !job.state.is_final() { StatusCode::ACCEPTED } else { StatusCode::OK };
    let mut response = (status, Json(shown(&web, &job))).into_response();
    if let Ok(place) = HeaderValue::from_str(&format!("/api/jobs/{}", job.id)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    #[serde(default = "all")]
    #[param(schema_with = state_words)]
    state: String,
    /// Only those that this schedule has submitted.
    schedule: Option<String>,
    /// Only those before this job.
    before: Option<String>,
    /// 1 to 200.
    #[serde(default = "fifty")]
    #[param(minimum = 1, maximum = 200)]
    limit: u32,
}

fn all() -> String {
    "all".to_owned()
}

const fn fifty() -> u32 {
    50
}

fn state_words() -> Object {
    let words = ["all", "open"].into_iter().chain(JobState::ALL.iter().map(|state| state.as_str()));
    let said = "`all` (the default), `open` (queued, running or waiting), or a state.";
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).description(Some(said)).build()
}

/// Jobs, newest first: all for the operator, for everybody else their own.
#[utoipa::path(get, path = "/api/jobs", tag = "jobs", params(Which), responses((status = 200, body = JobPage)))]
pub(super) async fn list_jobs(
    State(web): State<Web>,
    caller: Caller,
    Asked(which): Asked<Which>,
) -> Answered<Json<JobPage>> {
    if !(1..=200).contains(&which.limit) {
        return Err(Fault::invalid(format!("limit is {}; use 1 to 200", which.limit)));
    }
    let filter = JobFilter {
        states: states(&which.state)?,
        schedule: which.schedule.as_deref().map(|id| parsed("schedule", id)).transpose()?,
        ..JobFilter::default()
    };
    let before = which.before.as_deref().map(|id| parsed("before", id)).transpose()?;
    let jobs = web.jobs.jobs(&caller.actor, filter, before.as_ref(), which.limit).await?;
    let full = jobs.len() == which.limit as usize;
    let counts = if caller.sees_all() { Some(view::job::counts(&web.jobs.counts().await?)) } else { None };
    Ok(Json(JobPage {
        next: jobs.last().filter(|_| full).map(|job| job.id.to_string()),
        jobs: jobs.iter().map(|job| shown(&web, job)).collect(),
        counts,
    }))
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str, text: &str) -> Answered<T> {
    text.parse().map_err(|error: T::Err| Fault::invalid(format!("{name}: {error}")))
}

fn states(word: &str) -> Answered<Vec<JobState>> {
    match word {
        "all" => Ok(Vec::new()),
        "open" => Ok(JobState::ALL.into_iter().filter(|state| !state.is_final()).collect()),
        _ => JobState::from_word(word).map(|state| vec![state]).ok_or_else(|| {
            let words: Vec<_> = JobState::ALL.iter().map(|state| state.as_str()).collect();
            Fault::invalid(format!("state is {}; use all, open, or one of {}", quote(word), words.join(", ")))
        }),
    }
}

/// One job. With `Prefer: wait=N` it looks on until the job has ended.
#[utoipa::path(get, path = "/api/jobs/{id}", tag = "jobs",
    params(("id" = String, Path, description = "Job id"), ("prefer" = Option<String>, Header, description = "`wait=N`")),
    responses((status = 200, body = JobInfo)))]
pub(super) async fn get_job(
    State(web): State<Web>,
    caller: Caller,
    wait: Wait,
    At(id): At<JobId>,
) -> Answered<Json<JobInfo>> {
    let job = web.jobs.follow(&caller.actor, &id, wait.0).await?;
    Ok(Json(shown(&web, &job)))
}

/// Stops a job: one that has not begun ends at once, one that runs is cancelled and what came of it is recorded.
#[utoipa::path(post, path = "/api/jobs/{id}/cancel", tag = "jobs", params(("id" = String, Path, description = "Job id")),
    responses((status = 200, body = CancelInfo)))]
pub(super) async fn cancel_job(
    State(web): State<Web>,
    caller: Caller,
    face: Face,
    At(id): At<JobId>,
) -> Answered<Json<CancelInfo>> {
    let state = match web.jobs.cancel(&caller.actor, &id, &face.origin(&caller)).await? {
        Cancelled::Ended => "cancelled",
        Cancelled::Stopping => "stopping",
        Cancelled::Over(state) => state.as_str(),
    };
    Ok(Json(CancelInfo { state: state.to_owned() }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Piece {
    /// Number of the last piece that the caller has.
    #[serde(default)]
    #[param(format = "uint64")]
    after: u64,
    /// 1 to 500.
    #[serde(default = "five_hundred")]
    #[param(minimum = 1, maximum = 500)]
    limit: u32,
}

const fn five_hundred() -> u32 {
    500
}

/// What a job has put out, oldest first; at most 1 MiB or 4,096 pieces are kept of one job.
#[utoipa::path(get, path = "/api/jobs/{id}/output", tag = "jobs",
    params(("id" = String, Path, description = "Job id"), Piece), responses((status = 200, body = OutputPage)))]
pub(super) async fn job_output(
    State(web): State<Web>,
    caller: Caller,
    At(id): At<JobId>,
    Asked(from): Asked<Piece>,
) -> Answered<Json<OutputPage>> {
    if !(1..=500).contains(&from.limit) {
        return Err(Fault::invalid(format!("limit is {}; use 1 to 500", from.limit)));
    }
    let output = web.jobs.output(&caller.actor, &id, from.after, from.limit).await?;
    Ok(Json(OutputPage { output: output.iter().map(view::job::output).collect() }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct After {
    /// Number of the last piece that the client has; `Last-Event-ID` counts more.
    #[serde(default)]
    #[param(format = "uint64")]
    after: u64,
}

/// One job as it goes on. `output` holds an OutputInfo, its id is the number of the piece, so that a client that comes
/// back goes on where it was; `job` holds a JobInfo, at first and whenever its state or progress has changed. Ends when
/// the job has ended and everything was sent.
#[utoipa::path(get, path = "/api/jobs/{id}/stream", tag = "jobs",
    params(("id" = String, Path, description = "Job id"), After),
    responses((status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream")))]
pub(super) async fn job_stream(
    State(web): State<Web>,
    first: Caller,
    from: From,
    At(id): At<JobId>,
    headers: HeaderMap,
    Asked(after): Asked<After>,
) -> Answered<Response> {
    web.jobs.job(&first.actor, &id).await?;
    let seat = web.seats.take(&first.actor).map_err(|full| stream::too_many(&first.actor, full))?;
    let (caller, ends) = stream::ends(&web, &headers, &from).await?;
    let after = stream::last_event_id(&headers).unwrap_or(after.after);
    let following = Following {
        // Subscribed before the first look, so that nothing in between is missed.
        frames: web.live.subscribe(),
        rows: web.feed.subscribe(),
        moved: web.jobs.moved(),
        end: ends.come().boxed(),
        web,
        actor: caller.actor,
        id,
        after,
        seen: None,
        over: false,
        _seat: seat,
    };
    let pages = futures_util::stream::unfold(following, |mut at| async move { Some((at.page().await?, at)) });
    let events = pages.flat_map(|page| futures_util::stream::iter(page.into_iter().map(Ok::<_, axum::Error>)));
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE).text("alive")).into_response())
}

/// Where a client is.
struct Following {
    web: Web,
    actor: Actor,
    id: JobId,
    after: u64,
    frames: Receiver<Arc<Frame>>,
    rows: Receiver<Arc<jarvis_safety::event::Event>>,
    moved: Receiver<Option<JobId>>,
    end: BoxFuture<'static, End>,
    seen: Option<JobRecord>,
    over: bool,
    /// The seat lives as long as the body.
    _seat: Seat,
}

impl Following {
    /// The next events, once there are any; none when everything was sent.
    async fn page(&mut self) -> Option<Vec<Event>> {
        while !self.over {
            // Looked at before anything is read: whoever may not look any more learns nothing more, however much is left
            // and however long the client did not read.
            if (&mut self.end).now_or_never().is_some() {
                return None;
            }
            // Read before the output: what a job puts out before it ends is kept before its end.
            let job = self.web.jobs.job(&self.actor, &self.id).await.ok()?;
            let output = self.web.jobs.output(&self.actor, &self.id, self.after, PIECES).await.ok()?;
            let more = output.len() == PIECES as usize;
            let mut events: Vec<_> =
                output.iter().map(|piece| piece_event(&self.web, &view::job::output(piece))).collect();
            self.after = output.last().map_or(self.after, |piece| piece.number);
            self.over = job.state.is_final() && !more;
            if !more && self.seen.as_ref() != Some(&job) {
                events.push(event(&self.web, "job", &shown(&self.web, &job)));
                self.seen = Some(job);
            }
            if !events.is_empty() {
                return Some(events);
            }
            self.change().await?;
        }
        None
    }

    /// Waits for a row or frame about this job, or for word of it from another replica; none when the caller's session or the server ends.
    async fn change(&mut self) -> Option<()> {
        let subject = format!("job:{}", self.id);
        loop {
            tokio::select! {
                _ = &mut self.end => return None,
                row = self.rows.recv() => match row {
                    Ok(row) if row.subject != self.id.as_str() => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return Some(()),
                    Err(RecvError::Closed) => return None,
                },
                moved = self.moved.recv() => match moved {
                    Ok(Some(job)) if job != self.id => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return Some(()),
                    Err(RecvError::Closed) => return None,
                },
                frame = self.frames.recv() => match frame {
                    Ok(frame) if frame.subject != subject => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return Some(()),
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }
}

fn piece_event(web: &Web, piece: &OutputInfo) -> Event {
    event(web, "output", piece).id(piece.number.to_string())
}

fn event(web: &Web, name: &str, data: &impl Serialize) -> Event {
    // Wire types are plain strings, numbers and JSON values: they can be written.
    let data = serde_json::to_string(data).unwrap_or_else(|_| Value::Null.to_string());
    Event::default().event(name).data(web.redactor.json(data))
}

fn shown(web: &Web, job: &JobRecord) -> JobInfo {
    view::job::job(job, |tool| web.gate.registry().describe(tool).map_or("", |tool| tool.spec.tier.as_str()))
}
