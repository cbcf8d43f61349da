//! Breaking a promise on purpose, from outside, to see that this is found.
//!
//! Each one does what a defect of the program would: it loses what was kept, forgets a key, does a thing twice. What
//! then complains is the same code as in an honest run.

use anyhow::Context as _;
use clap::ValueEnum;
use sqlx::{AnyConnection, Connection as _, Row as _};

use crate::book::Book;
use crate::chain::Walk;
use crate::life::Life;
use crate::life::job::{Job, Work};
use crate::life::ledger::{Effect, State};
use crate::life::load::People;
use crate::seal::Seal;
use crate::wire::{Ask, Wire};

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sabotage {
    /// The newest rows are gone and the seal is made anew, so that chain and seal fit: only who was told knows.
    LostAck,
    /// An effect is done again under a new key.
    DoubleEffect,
    /// The summary of a row is altered.
    ForgedRow,
    /// A file that was written is gone.
    LostEffect,
    /// A card that was approved waits again.
    LostDecision,
    /// A call no longer knows its idempotency key.
    ForgottenKey,
    /// A job that was acknowledged is gone.
    LostJob,
    /// A job that is done is begun again, and its call is no longer known by its key.
    DoubleJob,
    /// A job no longer knows its idempotency key, and is handed in again.
    ForgottenJob,
    /// A turn that was acknowledged is gone (only where there are turns: `boundary`).
    LostTurn,
    /// The outcome of a turn's call is forgotten, and so is the key of the call.
    DoubleTurn,
    /// The last answer of a model is forgotten, and asked for again.
    DoubleStep,
    /// Reads are answered before they are on the disk, while strict reads are promised (where power is cut); or the
    /// database acknowledges what it has not written (PostgreSQL).
    EarlyAck,
}

impl Sabotage {
    /// Breaks a promise while the program does not run.
    pub(crate) async fn break_dead(self, life: &Life) -> anyhow::Result<()> {
        // Nobody else holds the ledger now; it is taken out, because the database is waited for.
        let mut state = std::mem::take(&mut *life.ledger.state());
        let broken = self.while_dead(life, &mut state).await;
        *life.ledger.state() = state;
        broken
    }

    /// The same while it runs.
    pub(crate) async fn break_alive(self, life: &Life, host: &str) -> anyhow::Result<()> {
        let mut state = std::mem::take(&mut *life.ledger.state());
        let broken = self.while_alive(host, &life.people, &mut state).await;
        *life.ledger.state() = state;
        broken
    }

    async fn while_dead(self, life: &Life, state: &mut State) -> anyhow::Result<()> {
        let book = &life.book;
        match self {
            Self::LostAck => {
                let fresh = state.greens.get(life.checked.0..).unwrap_or_default();
                let told = fresh.get(fresh.len() / 2).context("nothing was acknowledged that could be lost")?;
                cut_off(life, &told.call).await
            }
            Self::ForgedRow => {
                let sql = "update event set summary = summary || '.' \
                           where seq = (select max(seq) from event where kind = 'call.read')";
                alter(book, sql, "").await
            }
            Self::LostEffect => {
                let effect = some(state, |effect| effect.done.is_some())?;
                Ok(std::fs::remove_file(life.house.data.join("files").join(&effect.path))?)
            }
            Self::LostDecision => {
                let effect = some(state, |effect| effect.decided == Some(true))?;
                let card = effect.card.clone().unwrap_or_default();
                alter(book, "update approval set state = 'pending', decided_at = null where id = $1", &card).await
            }
            Self::ForgottenKey => {
                let effect = some(state, |effect| effect.done.is_some() && effect.key.is_some() && !effect.asks())?;
                let (path, call) = (effect.path.clone(), effect.done.clone().unwrap_or_default());
                // The next one that is sent again.
                state.again.push(path);
                alter(book, "update call set idempotency = null where id = $1", &call).await
            }
            Self::LostJob => {
                let job = done_job(book, state, |_| true).await?;
                alter(book, "delete from job where id = $1", &job).await
            }
            Self::DoubleJob => {
                let job = done_job(book, state, |job| job.work == Work::Write).await?;
                let sql = "update job set state = 'queued', result = null, ended_at = null where id = $1";
                alter(book, sql, &job).await?;
                alter(book, "update call set idempotency = null where idempotency = 'job:' || $1", &job).await
            }
            Self::ForgottenJob => {
                let fits = |job: &Job| job.work == Work::Write && job.key.is_some();
                let job = done_job(book, state, fits).await?;
                state.jobs_again =
                    state.jobs.values().filter(|it| it.id.as_ref() == Some(&job)).map(|it| it.name.clone()).collect();
                alter(book, "update job set idempotency = null where id = $1", &job).await
            }
            Self::LostTurn | Self::DoubleTurn | Self::DoubleStep => anyhow::bail!("there are no turns here"),
            Self::DoubleEffect | Self::EarlyAck => Ok(()),
        }
    }

    async fn while_alive(self, host: &str, people: &People, state: &mut State) -> anyhow::Result<()> {
        if self == Self::ForgottenJob {
            let name = state.jobs_again.pop().context("no job was forgotten")?;
            let job = state.sent_job(&name).context("there is no such job")?;
            let mut wire = Wire::connect(host).await?;
            let ask = Ask::post("/api/jobs", people.secret(job.actor), Some(job.body()));
            let reply = wire.ask(ask.wait(20)).await?;
            anyhow::ensure!(reply.text("state") == "done", "it could not be done twice: {}", reply.body);
            return Ok(());
        }
        let (path, key) = match self {
            Self::DoubleEffect => {
                let done = state.effects.values().find(|effect| effect.done.is_some() && !effect.asks());
                (
                    done.context("nothing was done that could be done twice")?.path.clone(),
                    Some("another one".to_owned()),
                )
            }
            Self::ForgottenKey => (state.again.pop().context("no key was forgotten")?, None),
            _ => return Ok(()),
        };
        let effect = state.sent(&path).context("there is no such effect")?;
        let body = Effect { key: key.or_else(|| effect.key.clone()), ..effect.clone() }.body();
        let mut wire = Wire::connect(host).await?;
        let reply = wire.ask(Ask::post("/api/call", people.secret(effect.actor), Some(body))).await?;
        anyhow::ensure!(reply.status == 200, "it could not be done twice: {}", reply.body);
        Ok(())
    }
}

/// The newest effect of a kind, marked as one that is to be looked at.
fn some(state: &mut State, fits: impl Fn(&Effect) -> bool) -> anyhow::Result<&Effect> {
    let found = state.effects.values_mut().rev().find(|effect| fits(effect));
    let effect = found.context("nothing was acknowledged that could be broken")?;
    effect.fresh = true;
    Ok(effect)
}

/// The newest job of a kind that is done and was acknowledged; it is looked at again.
async fn done_job(book: &Book, state: &mut State, fits: impl Fn(&Job) -> bool) -> anyhow::Result<String> {
    let done = book.done_jobs().await?;
    let found =
        state.jobs.values_mut().rev().find(|job| fits(job) && job.id.as_ref().is_some_and(|id| done.contains(id)));
    let job = found.context("no acknowledged job is done that could be broken")?;
    job.fresh = true;
    if let Some(effect) = state.effects.get_mut(&job.name) {
        effect.fresh = true;
    }
    job.id.clone().context("it was not acknowledged")
}

async fn alter(book: &Book, sql: &'static str, subject: &str) -> anyhow::Result<()> {
    let mut connection = book.open_to_break().await?;
    let mut query = sqlx::query(sql);
    if !subject.is_empty() {
        query = query.bind(subject);
    }
    let altered = query.execute(&mut connection).await?.rows_affected();
    connection.close().await?;
    anyhow::ensure!(altered == 1, "{altered} rows were altered instead of one");
    Ok(())
}

/// Takes away the row of a call and everything after it, and makes head and seals fit.
async fn cut_off(life: &Life, call: &str) -> anyhow::Result<()> {
    let mut connection = life.book.open_to_break().await?;
    let head = before(&mut connection, call).await?;
    for sql in ["delete from event where seq > $1", "delete from body where seq > $1"] {
        sqlx::query(sql).bind(head.seq).execute(&mut connection).await?;
    }
    sqlx::query("update head set seq = $1, at = $2, hash = $3")
        .bind(head.seq)
        .bind(head.at)
        .bind(&head.hash)
        .execute(&mut connection)
        .await?;
    connection.close().await?;
    let key = life.seen()?.key();
    Ok(life.houses().try_for_each(|house| Seal::forge(key, &house.data, &head))?)
}

/// The row before that of a call.
async fn before(connection: &mut AnyConnection, call: &str) -> anyhow::Result<Walk> {
    let sql = "select seq, at, hash from event where seq < (select min(seq) from event where subject = $1) \
               order by seq desc limit 1";
    let row = sqlx::query(sql).bind(call).fetch_one(connection).await?;
    Ok(Walk { seq: row.try_get(0)?, at: row.try_get(1)?, hash: row.try_get(2)? })
}
