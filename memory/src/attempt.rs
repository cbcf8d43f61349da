//! Limits for guessing passwords and codes.
//!
//! An attempt is counted when it begins and forgotten when it was right, so many at once gain nothing. Sources are
//! counted singly, and all distant ones together, so that many addresses do not add up. This machine is not part of the
//! sum: a stranger cannot lock the owner out of it. Whoever goes on from afar is locked out for a while; this machine never
//! is. Replicas count together, but for their own machines.

use std::collections::HashMap;

use async_trait::async_trait;
use jarvis_safety::identity::{Admission, Source};
use sqlx::Row as _;

use crate::change::{Change, Durability, Tx};
use crate::stored::{Halt, clean, from_json, to_json};

/// Attempts of one source within a window.
const PER_SOURCE: usize = 5;
/// Attempts of all distant sources within a window.
const ALTOGETHER: usize = 60;
/// The window.
const WINDOW_MS: i64 = 60_000;
/// Wrong attempts of one distant source within [`LOCK_MS`] after which it is locked out.
const LOCKED: usize = 15;
/// So long it is, from the last of them on, in milliseconds.
const LOCK_MS: i64 = 15 * 60_000;
/// Sources of the last minute that are taken; more than can reach [`ALTOGETHER`].
const MAX_SOURCES: usize = 256;

/// Counts an attempt, if it is not one too many.
pub(crate) struct Admit {
    pub(crate) source: Source,
    pub(crate) now: i64,
}

/// Forgets the attempts of a source.
pub(crate) struct Forgive(pub(crate) Source);

/// The source as it is kept: what is near is near to one machine only.
fn key(source: &Source, replica: Option<&str>) -> String {
    match (source.far, replica) {
        (false, Some(replica)) => format!("{} of {replica}", clean(&source.name)),
        _ => clean(&source.name).into_owned(),
    }
}

/// Attempts that are remembered, and whether their source is distant.
type Attempts = HashMap<String, (bool, Vec<i64>)>;

async fn read(tx: &mut Tx<'_>, now: i64) -> Result<Attempts, Halt> {
    let rows = sqlx::query("select source, far, times from attempt").fetch_all(&mut *tx.connection).await?;
    let mut attempts = Attempts::with_capacity(rows.len());
    for row in &rows {
        let mut times: Vec<i64> = from_json("attempt", row.try_get(2)?)?;
        // Whoever is locked out was locked by what came before his last attempt.
        times.retain(|at| is_within(*at, now, 2 * LOCK_MS));
        if !times.is_empty() {
            attempts.insert(row.try_get(0)?, (row.try_get::<i64, _>(1)? != 0, times));
        }
    }
    Ok(attempts)
}

const fn is_within(at: i64, now: i64, window: i64) -> bool {
    at > now - window && at <= now
}

fn judge(attempts: &Attempts, key: &str, far: bool, now: i64) -> Admission {
    let recent = |at: &i64| is_within(*at, now, WINDOW_MS);
    let own: &[i64] = attempts.get(key).map_or(&[], |(_, times)| times);
    let latest = own.iter().max().copied().unwrap_or(now);
    let run = own.iter().filter(|at| is_within(**at, latest, LOCK_MS)).count();
    if far && run >= LOCKED && now < latest + LOCK_MS {
        return Admission::TooMany { wait_ms: latest + LOCK_MS - now };
    }
    let before = own.iter().copied().filter(recent);
    if before.clone().count() >= PER_SOURCE {
        return too_many(before, now);
    }
    let distant = || attempts.values().filter(|(far, _)| *far).flat_map(|(_, times)| times).copied().filter(recent);
    let sources = || attempts.values().filter(|(_, times)| times.iter().any(recent)).count();
    if far && (distant().count() >= ALTOGETHER || sources() >= MAX_SOURCES) {
        return too_many(distant(), now);
    }
    Admission::Admitted { before: before.count() }
}

fn too_many(times: impl Iterator<Item = i64>, now: i64) -> Admission {
    let oldest = times.min().unwrap_or(now);
    Admission::TooMany { wait_ms: (oldest + WINDOW_MS - now).max(1) }
}

#[async_trait]
impl Change for Admit {
    type Answer = Admission;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Admission, Halt> {
        let key = key(&self.source, tx.context.replica);
        let mut attempts = read(tx, self.now).await?;
        let admission = judge(&attempts, &key, self.source.far, self.now);
        if matches!(admission, Admission::TooMany { .. }) {
            // It is not counted, so that waiting helps.
            return Ok(admission);
        }
        let mut times = attempts.remove(&key).map(|(_, times)| times).unwrap_or_default();
        times.push(self.now);
        let times = to_json("attempt", &times)?;
        sqlx::query("delete from attempt where latest <= $1 or latest > $2")
            .bind(self.now - LOCK_MS)
            .bind(self.now)
            .execute(&mut *tx.connection)
            .await?;
        sqlx::query(
            "insert into attempt (source, far, latest, times) values ($1, $2, $3, $4) \
             on conflict (source) do update set latest = excluded.latest, times = excluded.times",
        )
        .bind(key)
        .bind(i64::from(self.source.far))
        .bind(self.now)
        .bind(times)
        .execute(&mut *tx.connection)
        .await?;
        Ok(admission)
    }

    /// Nothing is done by it.
    fn durability(&self) -> Durability {
        Durability::Wal
    }
}

#[async_trait]
impl Change for Forgive {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        sqlx::query("delete from attempt where source = $1")
            .bind(key(&self.0, tx.context.replica))
            .execute(&mut *tx.connection)
            .await?;
        Ok(())
    }

    fn durability(&self) -> Durability {
        Durability::Wal
    }
}
