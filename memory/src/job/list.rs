//! Looking at jobs. Each query goes along one index and ends after a page, however many jobs there are.

use jarvis_safety::job::{Due, JobCounts, JobFilter, JobRecord, JobState, OutputChunk};
use jarvis_safety::port::Stored;
use jarvis_safety::{ActorId, JobId};
use sqlx::{AnyPool, AssertSqlSafe, Row as _};

use super::record::{COLUMNS, HELD, by_id, record};
use crate::dialect::Lookup;
use crate::stored::{clean, unavailable};

/// Most jobs, or pieces of output, in one answer.
const PAGE: u32 = 500;

/// Most jobs that are looked at as held.
const MOST_HELD: u32 = 1000;

/// Each count stops there.
const COUNTED: u32 = 10_000;

/// When something is due next.
pub(super) const DUE: &str = "select \
     (select run_at from job where state = 'queued' and run_at is not null order by run_at limit 1), \
     (select lease_until from job where state in ('running', 'waiting') order by lease_until limit 1), \
     (select next_at from schedule where next_at is not null order by next_at limit 1)";

pub(super) async fn find(lookup: &Lookup, id: &JobId) -> Stored<Option<JobRecord>> {
    let mut connection = lookup.connection().await.map_err(|error| unavailable(&error))?;
    Ok(by_id(&mut connection, id.as_str()).await?)
}

pub(super) async fn held(readers: &AnyPool) -> Stored<Vec<JobRecord>> {
    let sql = format!("select {COLUMNS} from job where {HELD} order by lease_until limit {MOST_HELD}");
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(readers).await.map_err(|error| unavailable(&error))?;
    rows.iter().map(|row| record(row).map_err(Into::into)).collect()
}

pub(super) async fn doubts(readers: &AnyPool, actor: Option<&ActorId>, limit: u32) -> Stored<Vec<JobRecord>> {
    let sql = format!(
        "select {COLUMNS} from job where state = 'unknown' and acknowledged_at is null and ($1 is null or actor = $1) order by created_at desc limit {limit}"
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(actor.map(ActorId::as_str))
        .fetch_all(readers)
        .await
        .map_err(|error| unavailable(&error))?;
    rows.iter().map(|row| record(row).map_err(Into::into)).collect()
}

pub(super) async fn due(readers: &AnyPool) -> Stored<Due> {
    let row = sqlx::query(DUE).fetch_one(readers).await.map_err(|error| unavailable(&error))?;
    let at = |index: usize| row.try_get(index).map_err(|error| unavailable(&error));
    Ok(Due { job: at(0)?, lease: at(1)?, schedule: at(2)? })
}

/// What the index over a state is over.
const fn hint(state: Option<JobState>) -> &'static str {
    match state {
        None | Some(JobState::Done) => "1 = 1",
        Some(JobState::Running) => HELD,
        Some(_) => "state not in ('running', 'done')",
    }
}

/// The query for jobs in one state, or in any, and the texts that it binds.
pub(super) fn query<'a>(
    filter: &'a JobFilter,
    state: Option<JobState>,
    before: Option<&'a JobId>,
    limit: u32,
) -> (String, Vec<&'a str>) {
    let mut texts: Vec<&str> = Vec::new();
    // Said in the words of the index, so that it is found.
    let mut hints = Vec::new();
    // What runs is in no index for lists: it is little, and read whole.
    let from = match state {
        Some(JobState::Running) => {
            format!("(select * from job where {HELD} order by lease_until limit {MOST_HELD}) job")
        }
        _ => "job".to_owned(),
    };
    let mut sql = format!("select {COLUMNS} from {from} where ");
    let mut also = |column: &str, text| {
        texts.push(text);
        sql.push_str(&format!("{column} ${} and ", texts.len()));
    };
    if let Some(actor) = &filter.actor {
        also("actor =", actor.as_str());
    }
    if let Some(kind) = &filter.kind {
        also("kind =", kind.as_str());
        if kind != "tool_call" {
            hints.push("kind <> 'tool_call'");
        }
    }
    if let Some(schedule) = &filter.schedule {
        also("schedule is not null and schedule =", schedule.as_str());
    }
    if let Some(state) = state {
        also("state =", state.as_str());
    }
    if let Some(before) = before {
        also("id <", before.as_str());
    }
    hints.push(hint(state));
    sql.push_str(&format!("{} order by id desc limit {limit}", hints.join(" and ")));
    (sql, texts)
}

pub(super) async fn jobs(
    readers: &AnyPool,
    filter: &JobFilter,
    before: Option<&JobId>,
    limit: u32,
) -> Stored<Vec<JobRecord>> {
    let limit = limit.min(PAGE);
    let cleaned = JobFilter {
        actor: filter.actor.as_ref().map(|actor| ActorId::new(clean(actor.as_str()))),
        kind: filter.kind.as_deref().map(|kind| clean(kind).into_owned()),
        schedule: filter.schedule.clone(),
        states: filter.states.clone(),
    };
    let mut states: Vec<_> = cleaned.states.iter().copied().map(Some).collect();
    if states.is_empty() {
        states.push(None);
    }
    // A page of each state, merged: one query over several would sort all that there ever were.
    let mut found = Vec::new();
    for state in states {
        let (sql, texts) = query(&cleaned, state, before, limit);
        let mut asked = sqlx::query(AssertSqlSafe(sql));
        for text in texts {
            asked = asked.bind(text);
        }
        for row in asked.fetch_all(readers).await.map_err(|error| unavailable(&error))? {
            found.push(record(&row)?);
        }
    }
    found.sort_by(|a: &JobRecord, b| b.id.cmp(&a.id));
    found.dedup_by(|a, b| a.id == b.id);
    found.truncate(limit as usize);
    Ok(found)
}

/// The query that counts one state.
pub(super) fn counting(state: JobState) -> String {
    format!(
        "select count(*) from (select id from job where state = '{}' and {} limit {COUNTED}) counted",
        state.as_str(),
        hint(Some(state))
    )
}

pub(super) async fn counts(readers: &AnyPool) -> Stored<JobCounts> {
    let mut counts = JobCounts::default();
    for (state, count) in [
        (JobState::Queued, &mut counts.queued),
        (JobState::Running, &mut counts.running),
        (JobState::Waiting, &mut counts.waiting),
        (JobState::Unknown, &mut counts.unknown),
    ] {
        let row = sqlx::query(AssertSqlSafe(counting(state))).fetch_one(readers).await;
        let found: i64 = row.and_then(|row| row.try_get(0)).map_err(|error| unavailable(&error))?;
        *count = found.cast_unsigned();
    }
    Ok(counts)
}

pub(super) async fn output(readers: &AnyPool, id: &JobId, after: u64, limit: u32) -> Stored<Vec<OutputChunk>> {
    let sql = format!(
        "select number, at, text from job_output where job = $1 and number > $2 order by number limit {}",
        limit.min(PAGE)
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(id.as_str())
        .bind(i64::try_from(after).unwrap_or(i64::MAX))
        .fetch_all(readers)
        .await
        .map_err(|error| unavailable(&error))?;
    let chunk = |row: &sqlx::any::AnyRow| -> Result<OutputChunk, sqlx::Error> {
        let number: i64 = row.try_get(0)?;
        Ok(OutputChunk { number: number.cast_unsigned(), at: row.try_get(1)?, text: row.try_get(2)? })
    };
    rows.iter().map(|row| chunk(row).map_err(|error| unavailable(&error))).collect()
}
