//! Firing schedules whose time has come.
//!
//! The jobs of a run and the schedule's next run are one transaction, and each job carries the run as its idempotency
//! key: a run submits once, whoever fires it and however often.

use super::port::{Fire, NewJob};
use super::queue::{Asked, Inner, SCHEDULED};
use super::row;
use super::schedule::{Missed, Schedule};
use crate::actor::Actor;
use crate::call::Origin;
use crate::refusal::Refusal;

impl Inner {
    /// Fires what is due; answers whether anything was.
    pub(super) async fn fire_due(&self) -> bool {
        let now = self.clock.now();
        let due = match self.jobs.due_schedules(now).await {
            Ok(due) => due,
            Err(error) => {
                tracing::error!(%error, "schedules cannot be read; trying again in a moment");
                return false;
            }
        };
        let mut fired = false;
        for schedule in due {
            match self.fire(&schedule, now).await {
                Ok(now) => fired |= now,
                Err(error) => tracing::error!(schedule = %schedule.id, %error, "a schedule could not be fired"),
            }
        }
        fired
    }

    async fn fire(&self, schedule: &Schedule, now: i64) -> Result<bool, Refusal> {
        let Some(due) = schedule.next_at else { return Ok(false) };
        let runs = schedule.runs(due, now);
        let made: Result<Vec<_>, _> = runs.take.iter().map(|run| self.job_of(schedule, *run)).collect();
        let system = Actor::system().id;
        let (jobs, missed) = match made {
            Ok(jobs) => {
                let why = match schedule.missed {
                    Missed::Skip => "runs were missed and are left out",
                    Missed::CatchUp(_) => "runs were missed; the last ones are caught up, the older ones left out",
                };
                (jobs, runs.left_out.then(|| row::missed(schedule, &system, why)))
            }
            // What it asks for makes no sense any more: a person hears of it, and the next run is tried again.
            Err(refusal) => {
                let why = format!("its run came to no job: {}", refusal.message);
                (Vec::new(), Some(row::missed(schedule, &system, &why)))
            }
        };
        let fire = Fire { schedule: schedule.id.clone(), due, next: runs.next, at: now, jobs, missed };
        self.jobs.fire(fire).await.map_err(|error| crate::refusal::store_refusal(&error))
    }

    fn job_of(&self, schedule: &Schedule, run: i64) -> Result<NewJob, Refusal> {
        let origin = Origin {
            face: "schedule".to_owned(),
            correlation: schedule.id.to_string(),
            conversation: schedule.origin.conversation.clone(),
            ..Origin::default()
        };
        self.new_job(Asked {
            actor: schedule.actor.clone(),
            origin,
            vouching: schedule.vouching,
            kind: schedule.kind.clone(),
            payload: schedule.payload.clone(),
            key: Some(format!("{SCHEDULED}{}:{run}", schedule.id)),
            schedule: Some(schedule.id.clone()),
            run_at: None,
        })
    }
}
