//! What the audit says of jobs and schedules.

use serde_json::{Value, json};

use super::record::{JobRecord, JobState};
use super::schedule::Schedule;
use crate::call::Origin;
use crate::event::{Draft, EventKind};
use crate::id::ActorId;
use crate::json;
use crate::plain::visible;

/// Largest result that is kept in a body too.
const KEPT_RESULT: usize = 4 * 1024;

fn row(kind: EventKind, by: &ActorId, owner: &ActorId, subject: &str, origin: &Origin, said: &str) -> Draft {
    Draft {
        kind,
        actor: by.clone(),
        owner: owner.clone(),
        subject: subject.to_owned(),
        correlation: origin.correlation.clone(),
        tool: None,
        tier: None,
        summary: visible(said),
        body: None,
    }
}

/// A job was handed in. What it is to do stands in the job alone: a call tells of its arguments itself when it is made,
/// and the row of a submission is written as often as any other.
pub(super) fn submitted(job: &JobRecord) -> Draft {
    let said = format!("{}: {}", job.kind, job.title);
    row(EventKind::JobSubmitted, &job.actor, &job.actor, job.id.as_str(), &job.origin, &said)
}

/// A job ended.
pub(super) fn ended(
    job: &JobRecord,
    by: &ActorId,
    state: JobState,
    error: Option<&str>,
    result: Option<&Value>,
) -> Draft {
    let kind = match state {
        JobState::Done => EventKind::JobDone,
        JobState::Failed => EventKind::JobFailed,
        JobState::Cancelled => EventKind::JobCancelled,
        _ => EventKind::JobUnknown,
    };
    let kept = result.filter(|result| !result.is_null() && json::size(result) <= KEPT_RESULT);
    let body =
        (kept.is_some() || error.is_some()).then(|| json!({ "attempt": job.attempt, "error": error, "result": kept }));
    // What went wrong may hold what strangers wrote: it stands in the body, which can be erased.
    let said = format!("{} {}: {}", state.as_str(), job.kind, job.title);
    Draft { body, ..row(kind, by, &job.actor, job.id.as_str(), &job.origin, &said) }
}

/// A job will be tried again.
pub(super) fn retried(job: &JobRecord, by: &ActorId, error: &str, run_at: Option<i64>) -> Draft {
    let said = format!("attempt {} of {} came to nothing, trying again: {}", job.attempt, job.kind, job.title);
    Draft {
        body: Some(json!({ "attempt": job.attempt, "error": error, "run_at": run_at })),
        ..row(EventKind::JobRetried, by, &job.actor, job.id.as_str(), &job.origin, &said)
    }
}

/// Somebody wants a running job to stop.
pub(super) fn stopping(job: &JobRecord, by: &ActorId, origin: &Origin) -> Draft {
    let said = format!("asked to stop {}: {}", job.kind, job.title);
    row(EventKind::JobStopping, by, &job.actor, job.id.as_str(), origin, &said)
}

/// A queued job was cancelled.
pub(super) fn withdrawn(job: &JobRecord, by: &ActorId, origin: &Origin) -> Draft {
    Draft { correlation: origin.correlation.clone(), ..ended(job, by, JobState::Cancelled, None, None) }
}

/// A schedule was made or changed.
pub(super) fn saved(schedule: &Schedule, by: &ActorId) -> Draft {
    let active = if schedule.active { "" } else { " (paused)" };
    let said = format!(
        "{}{active}: {} by `{}` in {}",
        schedule.name,
        schedule.kind,
        schedule.timetable.cron(),
        schedule.timetable.zone()
    );
    Draft {
        body: Some(json!({
            "kind": schedule.kind, "payload": schedule.payload, "timetable": schedule.timetable,
            "missed": schedule.missed, "active": schedule.active,
        })),
        ..about(EventKind::ScheduleSaved, schedule, by, &schedule.origin, &said)
    }
}

/// Runs that are not caught up, or that came to no job.
pub(super) fn missed(schedule: &Schedule, by: &ActorId, why: &str) -> Draft {
    about(EventKind::ScheduleMissed, schedule, by, &schedule.origin, &format!("{}: {why}", schedule.name))
}

/// A schedule was removed.
pub(super) fn removed(schedule: &Schedule, by: &ActorId, origin: &Origin) -> Draft {
    about(EventKind::ScheduleRemoved, schedule, by, origin, &format!("removed the schedule {}", schedule.name))
}

fn about(kind: EventKind, schedule: &Schedule, by: &ActorId, origin: &Origin, said: &str) -> Draft {
    row(kind, by, &schedule.actor, schedule.id.as_str(), origin, said)
}
