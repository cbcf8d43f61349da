//! Jobs and schedules.

use jarvis_client::wire::{CallAnswer, JobCountsInfo, JobInfo, OutputInfo, ProgressInfo, ScheduleInfo};
use jarvis_safety::Refusal;
use jarvis_safety::job::{JobCounts, JobProgress, JobRecord, Missed, OutputChunk, Schedule};
use jarvis_safety::outcome::Outcome;
use jarvis_safety::plain::{visible, visible_block};
use serde::Deserialize;
use serde_json::Value;

use super::call;

/// What is kept of a refused call.
#[derive(Deserialize)]
struct Refused {
    refusal: Refusal,
}

/// A job. `declared` tells the tier that a tool declares, which is what is known of a call that was refused.
#[must_use]
pub fn job(job: &JobRecord, declared: impl Fn(&str) -> &'static str) -> JobInfo {
    JobInfo {
        id: job.id.to_string(),
        kind: job.kind.clone(),
        title: visible(&job.title),
        payload: job.payload.clone(),
        state: job.state.as_str().to_owned(),
        actor: job.actor.to_string(),
        face: job.origin.face.clone(),
        correlation: job.origin.correlation.clone(),
        schedule: job.schedule.as_ref().map(ToString::to_string),
        key: job.key.clone(),
        run_at: job.run_at,
        attempt: job.attempt,
        approval: job.approval.as_ref().map(ToString::to_string),
        progress: job.progress.as_ref().map(progress),
        chunks: job.chunks,
        answer: job.result.as_ref().and_then(|result| answer(job, result, declared)),
        error: job.error.as_deref().map(visible_block),
        cancelled_by: job.cancelled_by.as_ref().map(ToString::to_string),
        created_at: job.created_at,
        started_at: job.started_at,
        ended_at: job.ended_at,
    }
}

/// What came of the call that a job was.
fn answer(job: &JobRecord, result: &Value, declared: impl Fn(&str) -> &'static str) -> Option<CallAnswer> {
    let approval = job.approval.as_ref().map(ToString::to_string);
    if let Ok(outcome) = Outcome::deserialize(result) {
        return Some(CallAnswer { approval, ..call::outcome(&outcome) });
    }
    let Refused { refusal } = Refused::deserialize(result).ok()?;
    Some(CallAnswer { approval, ..call::refused(&job.title, declared(&job.title), &refusal) })
}

fn progress(progress: &JobProgress) -> ProgressInfo {
    ProgressInfo { done: progress.done, total: progress.total, text: visible(&progress.text) }
}

/// How many are open or in doubt.
#[must_use]
pub const fn counts(counts: &JobCounts) -> JobCountsInfo {
    let JobCounts { queued, running, waiting, unknown } = *counts;
    JobCountsInfo { queued, running, waiting, unknown }
}

/// A piece of output.
#[must_use]
pub fn output(chunk: &OutputChunk) -> OutputInfo {
    OutputInfo { number: chunk.number, at: chunk.at, text: visible_block(&chunk.text) }
}

/// A schedule.
#[must_use]
pub fn schedule(schedule: &Schedule) -> ScheduleInfo {
    ScheduleInfo {
        id: schedule.id.to_string(),
        name: visible(&schedule.name),
        actor: schedule.actor.to_string(),
        kind: schedule.kind.clone(),
        payload: schedule.payload.clone(),
        cron: schedule.timetable.cron().to_owned(),
        zone: schedule.timetable.zone().to_owned(),
        catch_up: match schedule.missed {
            Missed::Skip => 0,
            Missed::CatchUp(most) => most,
        },
        active: schedule.active,
        next_at: schedule.next_at,
        last_at: schedule.last_at,
        created_at: schedule.created_at,
    }
}
