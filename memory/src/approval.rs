//! Approval cards and their steps. Every change of a state is conditional on the state before.

use async_trait::async_trait;
use jarvis_safety::approval::{Approval, ApprovalState, Step, StepState};
use jarvis_safety::call::CallState;
use jarvis_safety::event::Draft;
use jarvis_safety::port::{Asked, Decision, Due, Said, Stored};
use jarvis_safety::secret::Redactor;
use jarvis_safety::{Actor, ActorId, ApprovalId, Digest};
use sqlx::any::AnyRow;
use sqlx::{AnyPool, AssertSqlSafe, Row as _};

use crate::change::{Change, Tx};
use crate::dialect::{Connection, Lookup};
use crate::row::Row;
use crate::stored::{Halt, clean, conflict, from_json, from_word, not_found, to_json, unavailable};

const FINAL: &str = "('done', 'failed', 'unknown', 'denied', 'expired', 'stale')";

/// Most lapsed cards that are read at once.
const MOST_DUE: usize = 200;

const COLUMNS: &str = "a.json, a.state, a.decided_at, a.decided_by, a.because, a.finished_at, \
                       s.json, s.state, s.outcome";

/// Cards with their steps, from rows that are ordered by card and step.
fn cards(rows: &[AnyRow]) -> Result<Vec<Approval>, Halt> {
    let mut cards: Vec<Approval> = Vec::new();
    let mut last: Option<&str> = None;
    for row in rows {
        let json: &str = row.try_get(0)?;
        // The card's own part holds its id, so equal text means the same card.
        if last != Some(json) {
            last = Some(json);
            cards.push(card(json, row)?);
        }
        let step: Option<&str> = row.try_get(6)?;
        if let (Some(card), Some(step)) = (cards.last_mut(), step) {
            let mut step: Step = from_json("approval step", step)?;
            let outcome: Option<&str> = row.try_get(8)?;
            step.state = from_word(card.id.as_str(), row.try_get(7)?)?;
            step.outcome = outcome.map(|json| from_json(card.id.as_str(), json)).transpose()?;
            card.steps.push(step);
        }
    }
    Ok(cards)
}

fn card(json: &str, row: &AnyRow) -> Result<Approval, Halt> {
    let mut card: Approval = from_json("approval", json)?;
    card.state = from_word(card.id.as_str(), row.try_get(1)?)?;
    card.decided_at = row.try_get(2)?;
    card.decided_by = row.try_get::<Option<String>, _>(3)?.map(ActorId::new);
    card.because = row.try_get(4)?;
    card.finished_at = row.try_get(5)?;
    Ok(card)
}

async fn by_id(connection: &mut Connection, id: &str) -> Result<Option<Approval>, Halt> {
    let sql = format!(
        "select {COLUMNS} from approval a left join approval_step s on s.approval = a.id where a.id = $1 \
         order by s.idx"
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_all(connection).await?;
    Ok(cards(&rows)?.pop())
}

/// One card.
pub(crate) async fn find(lookup: &Lookup, id: &ApprovalId) -> Stored<Option<Approval>> {
    find_by_word(lookup, id.as_str()).await
}

/// One card, by its id as it is kept.
pub(crate) async fn find_by_word(lookup: &Lookup, id: &str) -> Stored<Option<Approval>> {
    let mut connection = lookup.connection().await.map_err(|error| unavailable(&error))?;
    Ok(by_id(&mut connection, id).await?)
}

/// The card that an actor's call with a key put up.
pub(crate) async fn keyed(lookup: &Lookup, actor: &ActorId, key: &str) -> Stored<Option<Approval>> {
    let mut connection = lookup.connection().await.map_err(|error| unavailable(&error))?;
    let found = sqlx::query("select id from approval where actor = $1 and idempotency = $2")
        .bind(clean(actor.as_str()).as_ref())
        .bind(clean(key).as_ref())
        .fetch_optional(&mut connection)
        .await
        .map_err(|error| unavailable(&error))?;
    let Some(row) = found else { return Ok(None) };
    let id: &str = row.try_get(0).map_err(|error| unavailable(&error))?;
    Ok(by_id(&mut connection, id).await?)
}

/// Cards in some states, or all, newest first.
pub(crate) async fn list(readers: &AnyPool, states: &[ApprovalState], limit: u32) -> Stored<Vec<Approval>> {
    let places: Vec<_> = (2..states.len() + 2).map(|place| format!("${place}")).collect();
    let filter = if states.is_empty() { String::new() } else { format!("where state in ({})", places.join(", ")) };
    let sql = format!(
        "select {COLUMNS} from (select * from approval {filter} order by created_at desc, id desc limit $1) a \
         left join approval_step s on s.approval = a.id order by a.created_at desc, a.id desc, s.idx"
    );
    let mut query = sqlx::query(AssertSqlSafe(sql)).bind(i64::from(limit));
    for state in states {
        query = query.bind(state.as_str());
    }
    let rows = query.fetch_all(readers).await.map_err(|error| unavailable(&error))?;
    Ok(cards(&rows)?)
}

/// Pending cards that have lapsed, and when the next one does.
pub(crate) async fn due(readers: &AnyPool, now: i64) -> Stored<Due> {
    let sql = format!(
        "select {COLUMNS} from (select * from approval where state = 'pending' and expires_at <= $1 \
         order by expires_at limit {MOST_DUE}) a \
         left join approval_step s on s.approval = a.id order by a.expires_at, a.id, s.idx"
    );
    let rows =
        sqlx::query(AssertSqlSafe(sql)).bind(now).fetch_all(readers).await.map_err(|error| unavailable(&error))?;
    let cards = cards(&rows)?;
    // With a full page there is more that is due already.
    let after = if cards.len() < MOST_DUE { now } else { cards.last().map_or(now, |card| card.expires_at - 1) };
    let next = sqlx::query("select min(expires_at) from approval where state = 'pending' and expires_at > $1")
        .bind(after)
        .fetch_one(readers)
        .await
        .and_then(|row| row.try_get(0))
        .map_err(|error| unavailable(&error))?;
    Ok(Due { cards, next })
}

/// Whether a step can be spent now: its card is approved, and every step before it is done or was left out.
pub(crate) async fn can_spend(connection: &mut Connection, card: &str, step: i64) -> Result<bool, Halt> {
    let found = sqlx::query(
        "select a.state, s.state, (select count(*) from approval_step p where p.approval = a.id and p.idx < s.idx \
         and p.state not in ('done', 'denied')) from approval a join approval_step s on s.approval = a.id \
         where a.id = $1 and s.idx = $2",
    )
    .bind(card)
    .bind(step)
    .fetch_optional(connection)
    .await?
    .ok_or_else(|| not_found("approval", &format!("{card}, step {step}")))?;
    let (card, step): (&str, &str) = (found.try_get(0)?, found.try_get(1)?);
    let open_before: i64 = found.try_get(2)?;
    Ok(matches!(card, "approved" | "running") && step == "waiting" && open_before == 0)
}

/// Spends a step that can be spent.
pub(crate) async fn spend(connection: &mut Connection, card: &str, step: i64) -> Result<(), Halt> {
    let spent = sqlx::query(
        "update approval_step set state = 'running' where approval = $1 and idx = $2 and state = 'waiting'",
    )
    .bind(card)
    .bind(step)
    .execute(&mut *connection)
    .await?;
    let moved = sqlx::query("update approval set state = 'running' where id = $1 and state in ('approved', 'running')")
        .bind(card)
        .execute(&mut *connection)
        .await?;
    if spent.rows_affected() == 1 && moved.rows_affected() == 1 {
        return Ok(());
    }
    // Looked at a moment ago in this very transaction. If it is otherwise now, everything is rolled back.
    Err(Halt::Broken(sqlx::Error::Protocol(format!("step {step} of {card} changed inside a transaction"))))
}

/// Moves a step and its card on after the step's call has ended.
pub(crate) async fn settle_step(
    connection: &mut Connection,
    card: &str,
    step: i64,
    state: CallState,
    outcome: &str,
    at: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query("update approval_step set state = $3, outcome = $4 where approval = $1 and idx = $2")
        .bind(card)
        .bind(step)
        .bind(state.as_str())
        .bind(outcome)
        .execute(&mut *connection)
        .await?;
    let card_state = match state {
        CallState::Done => ApprovalState::Done,
        CallState::Unknown | CallState::Running => ApprovalState::Unknown,
        CallState::Failed | CallState::Cancelled => ApprovalState::Failed,
    };
    if card_state == ApprovalState::Done {
        let left: i64 =
            sqlx::query("select count(*) from approval_step where approval = $1 and state in ('waiting', 'running')")
                .bind(card)
                .fetch_one(&mut *connection)
                .await?
                .try_get(0)?;
        if left > 0 {
            return Ok(());
        }
    } else {
        skip_waiting(connection, card).await?;
    }
    sqlx::query("update approval set state = $2, finished_at = $3 where id = $1 and state = 'running'")
        .bind(card)
        .bind(card_state.as_str())
        .bind(at)
        .execute(connection)
        .await?;
    Ok(())
}

async fn skip_waiting(connection: &mut Connection, card: &str) -> Result<(), sqlx::Error> {
    sqlx::query("update approval_step set state = 'skipped' where approval = $1 and state = 'waiting'")
        .bind(card)
        .execute(connection)
        .await?;
    Ok(())
}

/// Puts up a card.
pub(crate) struct Ask {
    id: ApprovalId,
    actor: String,
    digest: Digest,
    question: Digest,
    key: Option<String>,
    conversation: Option<String>,
    state: ApprovalState,
    created_at: i64,
    expires_at: i64,
    most_open: i64,
    json: String,
    steps: Vec<(StepState, String)>,
    row: Row,
}

impl Ask {
    pub(crate) fn new(redactor: &Redactor, approval: &Approval, most_open: u32, draft: Draft) -> Stored<Self> {
        let bare = Approval { steps: Vec::new(), ..approval.clone() };
        let steps = approval.steps.iter().map(|step| Ok((step.state, to_json("approval step", step)?)));
        Ok(Self {
            id: approval.id.clone(),
            actor: clean(approval.actor.id.as_str()).into_owned(),
            digest: approval.digest.clone(),
            question: approval.question.clone(),
            key: approval.key.as_deref().map(|key| clean(key).into_owned()),
            conversation: approval.origin.conversation.as_ref().map(ToString::to_string),
            state: approval.state,
            created_at: approval.created_at,
            expires_at: approval.expires_at,
            most_open: i64::from(most_open),
            json: to_json("approval", &bare)?,
            steps: steps.collect::<Stored<_>>()?,
            row: Row::new(redactor, draft)?,
        })
    }
}

#[async_trait]
impl Change for Ask {
    type Answer = Asked;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Asked, Halt> {
        let inserted = sqlx::query(
            "insert into approval (id, actor, digest, conversation, state, created_at, json, question, idempotency, \
             expires_at) select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 \
             where (select count(*) from approval where actor = $2 and state = 'pending') < $11 \
             on conflict do nothing returning id",
        )
        .bind(self.id.as_str())
        .bind(self.actor.as_str())
        .bind(self.digest.as_str())
        .bind(self.conversation.as_deref())
        .bind(self.state.as_str())
        .bind(self.created_at)
        .bind(self.json.as_str())
        .bind(self.question.as_str())
        .bind(self.key.as_deref())
        .bind(self.expires_at)
        .bind(self.most_open)
        .fetch_optional(&mut *tx.connection)
        .await?;
        if inserted.is_none() {
            let open = sqlx::query("select id from approval where actor = $1 and digest = $2 and state = 'pending'")
                .bind(self.actor.as_str())
                .bind(self.digest.as_str())
                .fetch_optional(&mut *tx.connection)
                .await?;
            let Some(open) = open else { return self.kept_out(tx.connection).await };
            let joined = by_id(tx.connection, open.try_get(0)?).await?;
            return joined
                .map(|card| Asked::Joined(Box::new(card)))
                .ok_or_else(|| not_found("approval", self.id.as_str()));
        }
        for (index, (state, json)) in self.steps.iter().enumerate() {
            sqlx::query("insert into approval_step (approval, idx, state, json) values ($1, $2, $3, $4)")
                .bind(self.id.as_str())
                .bind(index as i64)
                .bind(state.as_str())
                .bind(json.as_str())
                .execute(&mut *tx.connection)
                .await?;
        }
        tx.tell(self.row.clone());
        Ok(Asked::New)
    }
}

impl Ask {
    /// Why the card was not taken, if its question is not open.
    async fn kept_out(&self, connection: &mut Connection) -> Result<Asked, Halt> {
        let open: i64 = sqlx::query("select count(*) from approval where actor = $1 and state = 'pending'")
            .bind(self.actor.as_str())
            .fetch_one(connection)
            .await?
            .try_get(0)?;
        if open >= self.most_open {
            return Ok(Asked::Full);
        }
        Err(conflict(format!("{} is there already", self.id)))
    }
}

/// Decides a card.
pub(crate) struct Decide {
    pub(crate) decision: Decision,
    pub(crate) row: Row,
}

#[async_trait]
impl Change for Decide {
    type Answer = bool;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<bool, Halt> {
        let decision = &self.decision;
        let stale = decision.state == ApprovalState::Stale;
        let sql = match decision.state {
            ApprovalState::Approved | ApprovalState::Denied | ApprovalState::Expired => {
                "update approval set state = $2, because = $3, decided_at = $4, decided_by = $5, replica = $6, \
                 withdrawn = $7 where id = $1 and state = 'pending'"
            }
            // Who said yes, and when, stays on the card.
            ApprovalState::Stale => {
                "update approval set state = $2, because = $3, finished_at = $4, decided_at = coalesce(decided_at, $4), \
                 decided_by = coalesce(decided_by, $5), replica = $6, withdrawn = $7 where id = $1 and state in ('approved', 'running') and \
                 (select count(*) from approval_step where approval = $1 and state = 'running') = 0"
            }
            other => return Err(conflict(format!("nobody decides a card to be {}", other.as_str()))),
        };
        let decided = sqlx::query(sql)
            .bind(decision.approval.as_str())
            .bind(decision.state.as_str())
            .bind(decision.because.as_deref().map(clean).as_deref())
            .bind(decision.at)
            .bind(clean(decision.by.as_str()).as_ref())
            .bind(tx.context.replica)
            .bind(decision.withdrawn.then_some(1_i64))
            .execute(&mut *tx.connection)
            .await?;
        if decided.rows_affected() == 0 {
            return Ok(false);
        }
        if stale {
            skip_waiting(tx.connection, decision.approval.as_str()).await?;
        }
        for step in &decision.without {
            sqlx::query("update approval_step set state = 'denied' where approval = $1 and idx = $2")
                .bind(decision.approval.as_str())
                .bind(i64::from(*step))
                .execute(&mut *tx.connection)
                .await?;
        }
        tx.tell(self.row.clone());
        Ok(true)
    }
}

/// Hands the outcome of a finished card to a caller that asks again, once.
pub(crate) struct HandOver {
    pub(crate) actor: ActorId,
    pub(crate) question: Digest,
    pub(crate) since: i64,
    pub(crate) now: i64,
}

impl HandOver {
    /// Whether there is anything to hand over: most questions are new and need no transaction to find that out.
    pub(crate) async fn is_there(&self, lookup: &Lookup) -> Stored<bool> {
        let mut connection = lookup.connection().await.map_err(|error| unavailable(&error))?;
        let found = self.find(&mut connection).await.map_err(|error| unavailable(&error))?;
        Ok(found.is_some())
    }

    async fn find(&self, connection: &mut Connection) -> Result<Option<String>, sqlx::Error> {
        let sql = format!(
            "select id from approval where actor = $1 and question = $2 and state in {FINAL} and handed_at is null \
             and coalesce(finished_at, decided_at, 0) >= $3 \
             order by coalesce(finished_at, decided_at, 0) desc, id desc limit 1"
        );
        let found = sqlx::query(AssertSqlSafe(sql))
            .bind(clean(self.actor.as_str()).as_ref())
            .bind(self.question.as_str())
            .bind(self.since)
            .fetch_optional(connection)
            .await?;
        found.map(|row| row.try_get(0)).transpose()
    }
}

#[async_trait]
impl Change for HandOver {
    type Answer = Option<Approval>;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Option<Approval>, Halt> {
        let Some(id) = self.find(tx.connection).await? else { return Ok(None) };
        sqlx::query("update approval set handed_at = $2 where id = $1 and handed_at is null")
            .bind(id.as_str())
            .bind(self.now)
            .execute(&mut *tx.connection)
            .await?;
        by_id(tx.connection, &id).await.map_err(Halt::after_writing)
    }
}

/// How an actor's question was decided by a person since a time: neither taken back, nor by the client's own form. To say
/// nothing until it lapses is a no.
pub(crate) async fn said(readers: &AnyPool, actor: &ActorId, question: &Digest, since: i64) -> Stored<Said> {
    let rows = sqlx::query(
        "select state, count(*) from approval where actor = $1 and question = $2 and decided_at >= $3 \
         and withdrawn is null and (decided_by <> $1 or decided_by = $4) and state <> 'pending' group by state",
    )
    .bind(clean(actor.as_str()).as_ref())
    .bind(question.as_str())
    .bind(since)
    .bind(Actor::operator().id.as_str())
    .fetch_all(readers)
    .await
    .map_err(|error| unavailable(&error))?;
    let mut said = Said::default();
    for row in rows {
        let read = |row: &AnyRow| Ok((row.try_get::<String, _>(0)?, row.try_get::<i64, _>(1)?.cast_unsigned()));
        let (state, cards) = read(&row).map_err(|error: sqlx::Error| unavailable(&error))?;
        let no = [ApprovalState::Denied.as_str(), ApprovalState::Expired.as_str()].contains(&state.as_str());
        let count = if no { &mut said.no } else { &mut said.yes };
        *count += cards;
    }
    Ok(said)
}

/// Notes that a waiting caller has the outcome of a final card.
pub(crate) struct Handed {
    pub(crate) approval: ApprovalId,
    pub(crate) now: i64,
}

#[async_trait]
impl Change for Handed {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        let sql =
            format!("update approval set handed_at = $2 where id = $1 and handed_at is null and state in {FINAL}");
        sqlx::query(AssertSqlSafe(sql))
            .bind(self.approval.as_str())
            .bind(self.now)
            .execute(&mut *tx.connection)
            .await?;
        Ok(())
    }
}
