//! Ending holds, many in one statement. Whatever is no longer held in the epoch that its holder knows stays as it is.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use jarvis_safety::JobId;
use jarvis_safety::job::{JobEnd, JobState, Settle};
use jarvis_safety::port::{StoreError, Stored};
use jarvis_safety::secret::Redactor;
use sqlx::any::AnyArguments;
use sqlx::{Arguments as _, AssertSqlSafe, Row as _};

use super::record::HELD;
use crate::change::Tx;
use crate::dialect::Dialect;
use crate::row::Row;
use crate::stored::{clean, to_json};

/// Most rows in one statement.
const CHUNK: usize = 64;

/// Values of a row.
const COLUMNS: [&str; 10] =
    ["id", "epoch", "state", "run_at", "result", "error", "progress", "ended_at", "uncounted", "lapsed"];

/// An end with all that can be computed before the writer has it.
pub(super) struct Ending {
    id: JobId,
    epoch: i64,
    state: JobState,
    run_at: Option<i64>,
    result: Option<String>,
    error: Option<String>,
    progress: Option<String>,
    ended_at: Option<i64>,
    /// What is taken off the attempts.
    uncounted: i64,
    /// Only if the lease lapsed until then.
    lapsed: Option<i64>,
    row: Option<Row>,
}

impl Ending {
    pub(super) fn new(redactor: &Redactor, settle: Settle) -> Stored<Self> {
        let Settle { hold, end, progress, at, only_lapsed, draft } = settle;
        let error = |error: Option<String>| error.map(|error| clean(&error).into_owned());
        let (state, run_at, result, error, ended_at, uncounted) = match end {
            JobEnd::Final { state, result, error: why } => {
                if !state.is_final() {
                    return Err(StoreError::Conflict(format!("{} is no end of a job", state.as_str())));
                }
                let result = result.map(|result| to_json("result", &result)).transpose()?;
                (state, None, result, error(why), Some(at), 0)
            }
            JobEnd::Again { run_at, error: why, counts } => {
                (JobState::Queued, run_at.filter(|run_at| *run_at > at), None, error(why), None, i64::from(!counts))
            }
        };
        Ok(Self {
            id: hold.job,
            epoch: hold.epoch.cast_signed(),
            state,
            run_at,
            result,
            error,
            progress: progress.map(|progress| to_json("progress", &progress)).transpose()?,
            ended_at,
            uncounted,
            lapsed: only_lapsed.then_some(at),
            row: draft.map(|draft| Row::new(redactor, draft)).transpose()?,
        })
    }

    fn bind(&self, arguments: &mut AnyArguments) -> Result<(), sqlx::Error> {
        let put = |arguments: &mut AnyArguments| {
            arguments.add(self.id.as_str())?;
            arguments.add(self.epoch)?;
            arguments.add(self.state.as_str())?;
            arguments.add(self.run_at)?;
            arguments.add(self.result.as_deref())?;
            arguments.add(self.error.as_deref())?;
            arguments.add(self.progress.as_deref())?;
            arguments.add(self.ended_at)?;
            arguments.add(self.uncounted)?;
            arguments.add(self.lapsed)
        };
        put(arguments).map_err(sqlx::Error::Encode)
    }
}

/// Ends holds and answers for each whether it was held.
pub(super) async fn end(tx: &mut Tx<'_>, ends: &[&Ending]) -> Result<Vec<bool>, sqlx::Error> {
    let mut ended = Vec::with_capacity(ends.len());
    let mut rest = ends;
    while !rest.is_empty() {
        // One job twice in a statement would be answered twice.
        let mut seen = HashSet::new();
        let apart = rest.iter().take_while(|end| seen.insert(end.id.as_str())).count();
        let (size, sql) = largest(tx.context.dialect, apart);
        let (chunk, after) = rest.split_at(size);
        let mut arguments = AnyArguments::default();
        arguments.reserve(size * COLUMNS.len(), 0);
        for end in chunk {
            end.bind(&mut arguments)?;
        }
        let rows = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_all(&mut *tx.connection).await?;
        let mut held = HashSet::with_capacity(rows.len());
        for row in &rows {
            held.insert(row.try_get::<&str, _>(0)?);
        }
        for end in chunk {
            let was = held.contains(end.id.as_str());
            match &end.row {
                Some(row) if was => drop(tx.tell(row.clone())),
                None if was => tx.moved(&end.id),
                _ => {}
            }
            ended.push(was);
        }
        rest = after;
    }
    Ok(ended)
}

/// The statement for the largest power of two that is no more than so many rows.
fn largest(dialect: Dialect, rows: usize) -> (usize, Arc<str>) {
    static SQL: [[OnceLock<Arc<str>>; 7]; Dialect::COUNT] = [const { [const { OnceLock::new() }; 7] }; Dialect::COUNT];
    let power = rows.min(CHUNK).ilog2() as usize;
    let sql = SQL[dialect as usize][power].get_or_init(|| statement(dialect, 1 << power).into());
    (1 << power, Arc::clone(sql))
}

pub(super) fn statement(dialect: Dialect, rows: usize) -> String {
    let mut sql = format!("with v ({}) as (values ", COLUMNS.join(", "));
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for value in 0..COLUMNS.len() {
            sql.push_str(if value == 0 { "" } else { ", " });
            dialect.place(&mut sql, row * COLUMNS.len() + value + 1);
        }
        sql.push(')');
    }
    sql.push_str(&format!(
        ") update job set state = v.state, run_at = v.run_at, attempt = job.attempt - v.uncounted, result = v.result, \
         error = v.error, progress = coalesce(v.progress, job.progress), ended_at = v.ended_at, worker = null, \
         lease_until = null from v where job.id = v.id and job.epoch = v.epoch and job.{HELD} \
         and (v.lapsed is null or job.lease_until <= v.lapsed) returning job.id"
    ));
    sql
}
