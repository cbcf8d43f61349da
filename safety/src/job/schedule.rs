//! Schedules: jobs that are submitted again and again, by a timetable.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::timetable::Timetable;
use crate::actor::Actor;
use crate::call::{Origin, Vouching};
use crate::id::{ActorId, ScheduleId};

/// A run that is no later than this was not missed: the server was busy for a moment.
const ON_TIME_MS: i64 = 60_000;

/// Most missed runs that are caught up at once.
pub(super) const MOST: u32 = 100;

/// What becomes of runs whose time passed while Jarvis was not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// They are left out; a row of the audit says so.
    Skip,
    /// The last so many of them run at once, 1 to 100; older ones are left out.
    CatchUp(u32),
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Id.
    pub id: ScheduleId,
    /// What a person calls it; at most 100 characters.
    pub name: String,
    /// On whose behalf its jobs run.
    pub actor: ActorId,
    /// From where it was made; without words, which were said for that moment alone.
    pub origin: Origin,
    /// Who chose.
    pub vouching: Vouching,
    /// Kind of its jobs.
    pub kind: String,
    /// Their payload.
    pub payload: Value,
    /// When.
    pub timetable: Timetable,
    /// What becomes of missed runs.
    pub missed: Missed,
    /// Whether it runs at all.
    pub active: bool,
    /// The next run; none while it is not active.
    pub next_at: Option<i64>,
    /// The last run that was looked at.
    pub last_at: Option<i64>,
    /// When it was made.
    pub created_at: i64,
}

/// A schedule that somebody wants.
#[derive(Debug, Clone)]
pub struct NewSchedule {
    /// The one to replace.
    pub id: Option<ScheduleId>,
    /// Who wants it.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
    /// Who chose.
    pub vouching: Vouching,
    /// What a person calls it.
    pub name: String,
    /// Kind of its jobs.
    pub kind: String,
    /// Their payload.
    pub payload: Value,
    /// Five fields of cron.
    pub cron: String,
    /// IANA time zone.
    pub zone: String,
    /// What becomes of missed runs.
    pub missed: Missed,
    /// Whether it runs at all.
    pub active: bool,
}

/// What a due schedule does now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Runs {
    /// The runs to submit, in their order.
    pub(super) take: Vec<i64>,
    /// The next one.
    pub(super) next: Option<i64>,
    /// Whether earlier ones are left out.
    pub(super) left_out: bool,
}

impl Schedule {
    /// What it does now, where `due` is the run that was next.
    pub(super) fn runs(&self, due: i64, now: i64) -> Runs {
        let most = match self.missed {
            Missed::Skip => 1,
            Missed::CatchUp(most) => most.clamp(1, MOST),
        };
        let mut take = Vec::new();
        let mut run = self.timetable.until(now).filter(|run| *run >= due);
        while let Some(at) = run {
            let too_late = self.missed == Missed::Skip && at < now - ON_TIME_MS;
            if too_late || take.len() == most as usize {
                break;
            }
            take.push(at);
            run = self.timetable.until(at - 1).filter(|run| *run >= due);
        }
        take.reverse();
        Runs { take, next: self.timetable.after(now), left_out: run.is_some() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    /// A full hour.
    const NOON: i64 = 472_222 * HOUR;

    fn hourly(missed: Missed) -> Schedule {
        Schedule {
            id: ScheduleId::new(1),
            name: "hourly".to_owned(),
            actor: Actor::operator().id,
            origin: Origin::default(),
            vouching: Vouching::Person,
            kind: "x".to_owned(),
            payload: Value::Null,
            timetable: Timetable::new("0 * * * *", "UTC").unwrap(),
            missed,
            active: true,
            next_at: Some(NOON),
            last_at: None,
            created_at: 0,
        }
    }

    #[test]
    fn a_run_in_time_is_taken_whatever_the_policy() {
        for missed in [Missed::Skip, Missed::CatchUp(1), Missed::CatchUp(5)] {
            let runs = hourly(missed).runs(NOON, NOON + 500);
            assert_eq!(runs, Runs { take: vec![NOON], next: Some(NOON + HOUR), left_out: false });
        }
    }

    #[test]
    fn missed_runs_are_skipped_or_the_last_so_many_are_caught_up() {
        let late = NOON + 3 * HOUR + HOUR / 2;
        let runs = |missed| hourly(missed).runs(NOON, late);
        assert_eq!(runs(Missed::Skip), Runs { take: vec![], next: Some(NOON + 4 * HOUR), left_out: true });
        let last = NOON + 3 * HOUR;
        assert_eq!(runs(Missed::CatchUp(1)).take, [last]);
        assert!(runs(Missed::CatchUp(1)).left_out);
        assert_eq!(runs(Missed::CatchUp(3)).take, [NOON + HOUR, NOON + 2 * HOUR, last]);
        assert_eq!(runs(Missed::CatchUp(9)).take, [NOON, NOON + HOUR, NOON + 2 * HOUR, last]);
        assert!(!runs(Missed::CatchUp(9)).left_out);
    }

    #[test]
    fn a_skipping_schedule_still_takes_the_run_of_this_minute() {
        let runs = hourly(Missed::Skip).runs(NOON, NOON + 2 * HOUR + 1_000);
        assert_eq!((runs.take, runs.left_out), (vec![NOON + 2 * HOUR], true));
    }

    #[test]
    fn years_of_missed_runs_are_bounded() {
        let runs = hourly(Missed::CatchUp(u32::MAX)).runs(NOON, NOON + 50_000 * HOUR);
        assert_eq!((runs.take.len(), runs.left_out), (MOST as usize, true));
    }
}
