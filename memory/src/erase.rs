//! Erasing a conversation: its rows go, and with them every text that the audit kept about it. The chain stays whole.
//!
//! What goes: the conversation, its turns and their logs; the bodies of events about it, about its turns, its calls and
//! its approvals; the person's words on those calls and approvals, and the outputs of those calls. What stays: the rows
//! of the audit with their one-line summaries, and of each call with an effect its arguments, its end and its undo,
//! because the operator must still be able to see what was done to the house and to take it back.

use async_trait::async_trait;
use jarvis_safety::ConversationId;
use jarvis_safety::approval::Approval;
use jarvis_safety::call::CallRecord;
use jarvis_safety::event::{Draft, EventKind};
use jarvis_safety::outcome::Outcome;
use jarvis_safety::port::Stored;
use jarvis_safety::secret::Redactor;
use sqlx::Row as _;

use crate::call::without_texts;
use crate::change::{Change, Tx};
use crate::dialect::Connection;
use crate::row::Row;
use crate::stored::{Halt, from_json, not_found, to_json};

/// Erases one conversation.
pub(crate) struct Delete {
    id: ConversationId,
    at: i64,
    draft: Draft,
    row: Row,
}

impl Delete {
    pub(crate) fn new(redactor: &Redactor, id: &ConversationId, draft: Draft, at: i64) -> Stored<Self> {
        let bare = Draft { body: None, ..draft.clone() };
        Ok(Self { id: id.clone(), at, draft: bare, row: Row::new(redactor, draft)? })
    }

    fn erased_row(&self, count: u64) -> Stored<Row> {
        Row::own(Draft {
            kind: EventKind::BodyErased,
            // Verification reads the number that stands first.
            summary: format!("{count} bodies erased with {}", self.id),
            ..self.draft.clone()
        })
    }

    async fn erase(&self, tx: &mut Tx<'_>, owner: &str) -> Result<(), Halt> {
        let id = self.id.as_str();
        let about = bodies_about(tx.connection, id).await?;
        let within = bodies_within(tx.connection, id, owner).await?;
        calls(tx.connection, id, self.at).await?;
        approvals(tx.connection, id).await?;
        // The turns and their logs go with it.
        sqlx::query("delete from conversation where id = $1").bind(id).execute(&mut *tx.connection).await?;
        tx.tell(self.row.clone());
        let erased = about + within;
        if erased > 0 {
            tx.tell(self.erased_row(erased)?);
        }
        Ok(())
    }
}

#[async_trait]
impl Change for Delete {
    type Answer = ();

    fn erases(&self) -> bool {
        true
    }

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        let id = self.id.as_str();
        let owner: String = sqlx::query("select owner from conversation where id = $1")
            .bind(id)
            .fetch_optional(&mut *tx.connection)
            .await?
            .ok_or_else(|| not_found("conversation", id))?
            .try_get(0)?;
        // Rows of the same batch may tell of it too.
        tx.write_rows().await?;
        self.erase(tx, &owner).await.map_err(Halt::after_writing)
    }
}

/// Bodies of events whose subject is the conversation or something of it.
async fn bodies_about(connection: &mut Connection, id: &str) -> Result<u64, sqlx::Error> {
    let erased = sqlx::query(
        "delete from body where seq in (select e.seq from event e where e.subject = $1 or e.subject in \
         (select t.id from turn t where t.conversation = $1 \
          union select c.id from call c where c.conversation = $1 \
          union select a.id from approval a where a.conversation = $1 \
          union select s.subject from (select x.call as subject from turn_entry x join turn t on t.id = x.turn \
                where t.conversation = $1 and x.call is not null) s))",
    )
    .bind(id)
    .execute(connection)
    .await?;
    Ok(erased.rows_affected())
}

/// Bodies of reads and refusals that a turn caused and that name no turn: same owner, same correlation, between the
/// turn's first row and its last. The owner is compared because a client can choose its correlation.
async fn bodies_within(connection: &mut Connection, id: &str, owner: &str) -> Result<u64, sqlx::Error> {
    let spans = sqlx::query(
        "select e.correlation, min(e.seq), max(e.seq) from event e \
         where e.subject in (select t.id from turn t where t.conversation = $1) and e.correlation <> '' \
         group by e.subject, e.correlation",
    )
    .bind(id)
    .fetch_all(&mut *connection)
    .await?;
    let mut erased = 0;
    for span in spans {
        let correlation: &str = span.try_get(0)?;
        let (first, last): (i64, i64) = (span.try_get(1)?, span.try_get(2)?);
        let result = sqlx::query(
            "delete from body where seq in (select e.seq from event e where e.seq >= $1 and e.seq <= $2 \
             and e.correlation = $3 and e.owner = $4 and e.kind in ('call.read', 'call.refused'))",
        )
        .bind(first)
        .bind(last)
        .bind(correlation)
        .bind(owner)
        .execute(&mut *connection)
        .await?;
        erased += result.rows_affected();
    }
    Ok(erased)
}

async fn calls(connection: &mut Connection, id: &str, at: i64) -> Result<(), Halt> {
    let rows = sqlx::query("select id, json, outcome from call where conversation = $1")
        .bind(id)
        .fetch_all(&mut *connection)
        .await?;
    for row in rows {
        let mut record: CallRecord = from_json("call", row.try_get(1)?)?;
        record.origin.words = None;
        let outcome = row.try_get::<Option<&str>, _>(2)?.map(bare_outcome).transpose()?;
        sqlx::query("update call set json = $2, outcome = $3, erased_at = $4 where id = $1")
            .bind(row.try_get::<&str, _>(0)?)
            .bind(to_json("call", &record)?)
            .bind(outcome)
            .bind(at)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn approvals(connection: &mut Connection, id: &str) -> Result<(), Halt> {
    let rows = sqlx::query("select id, json from approval where conversation = $1")
        .bind(id)
        .fetch_all(&mut *connection)
        .await?;
    for row in rows {
        let card: &str = row.try_get(0)?;
        let mut approval: Approval = from_json("approval", row.try_get(1)?)?;
        approval.origin.words = None;
        sqlx::query("update approval set json = $2 where id = $1")
            .bind(card)
            .bind(to_json("approval", &approval)?)
            .execute(&mut *connection)
            .await?;
        steps(connection, card).await?;
    }
    Ok(())
}

async fn steps(connection: &mut Connection, card: &str) -> Result<(), Halt> {
    let rows = sqlx::query("select idx, outcome from approval_step where approval = $1 and outcome is not null")
        .bind(card)
        .fetch_all(&mut *connection)
        .await?;
    for row in rows {
        sqlx::query("update approval_step set outcome = $3 where approval = $1 and idx = $2")
            .bind(card)
            .bind(row.try_get::<i64, _>(0)?)
            .bind(bare_outcome(row.try_get(1)?)?)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

fn bare_outcome(json: &str) -> Stored<String> {
    let outcome: Outcome = from_json("outcome", json)?;
    to_json("outcome", &without_texts(outcome))
}
