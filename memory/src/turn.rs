//! Turns: a row each, and their log, one entry a row.

use async_trait::async_trait;
use jarvis_safety::conversation::{CallEnd, Entry, Turn, TurnState, Uttered};
use jarvis_safety::event::Draft;
use jarvis_safety::port::Stored;
use jarvis_safety::secret::Redactor;
use jarvis_safety::{ActorId, ConversationId, TurnId};
use sqlx::any::AnyRow;
use sqlx::{AnyPool, AssertSqlSafe, Row as _};

use crate::change::{Change, Durability, Tx};
use crate::conversation::folded;
use crate::row::Row;
use crate::stored::{Halt, clean, conflict, from_json, from_word, not_found, to_json, unavailable};

const COLUMNS: &str = "t.id, t.conversation, t.parent, t.actor, t.asked, t.state, t.created_at, t.idempotency";
const PARTIAL: &str = "partial";

fn turn(row: &AnyRow) -> Result<Turn, Halt> {
    let parent: Option<&str> = row.try_get(2)?;
    Ok(Turn {
        id: from_word("turn", row.try_get(0)?)?,
        conversation: from_word("turn", row.try_get(1)?)?,
        parent: parent.map(|id| from_word("turn", id)).transpose()?,
        actor: ActorId::new(row.try_get::<String, _>(3)?),
        asked: row.try_get(4)?,
        state: from_word("turn", row.try_get(5)?)?,
        created_at: row.try_get(6)?,
        key: row.try_get(7)?,
    })
}

/// Turns with their logs, from rows that are ordered by turn and entry.
fn logs(rows: &[AnyRow]) -> Result<Vec<(Turn, Vec<Entry>)>, Halt> {
    let mut turns: Vec<(Turn, Vec<Entry>)> = Vec::new();
    for row in rows {
        let id: &str = row.try_get(0)?;
        if turns.last().is_none_or(|(last, _)| last.id.as_str() != id) {
            turns.push((turn(row)?, Vec::new()));
        }
        let entry: Option<&str> = row.try_get(8)?;
        if let (Some((_, log)), Some(json)) = (turns.last_mut(), entry) {
            log.push(from_json("turn entry", json)?);
        }
    }
    Ok(turns)
}

async fn select(readers: &AnyPool, filter: &'static str, value: &str) -> Stored<Vec<(Turn, Vec<Entry>)>> {
    let sql = format!(
        "select {COLUMNS}, e.json from turn t left join turn_entry e on e.turn = t.id where {filter} = $1 \
         order by t.created_at, t.id, e.idx"
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(value).fetch_all(readers).await;
    Ok(logs(&rows.map_err(|error| unavailable(&error))?)?)
}

/// One turn and its log.
pub(crate) async fn find(readers: &AnyPool, id: &TurnId) -> Stored<Option<(Turn, Vec<Entry>)>> {
    Ok(select(readers, "t.id", id.as_str()).await?.pop())
}

/// All turns of a conversation, oldest first.
pub(crate) async fn of_conversation(readers: &AnyPool, id: &ConversationId) -> Stored<Vec<(Turn, Vec<Entry>)>> {
    select(readers, "t.conversation", id.as_str()).await
}

/// Turns that have not ended, oldest first.
pub(crate) async fn open(readers: &AnyPool) -> Stored<Vec<Turn>> {
    let sql =
        format!("select {COLUMNS} from turn t where t.state in ('running', 'waiting') order by t.created_at, t.id");
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(readers).await.map_err(|error| unavailable(&error))?;
    rows.iter().map(|row| turn(row).map_err(Into::into)).collect()
}

/// Adds a turn to a conversation.
pub(crate) struct AddTurn {
    pub(crate) turn: Turn,
    pub(crate) row: Row,
}

impl AddTurn {
    /// What its key is known for. `begins`: it was to begin a conversation, and is the same in whichever it stands.
    pub(crate) async fn known(&self, tx: &mut Tx<'_>, begins: bool) -> Result<Option<Uttered>, Halt> {
        let Some(key) = &self.turn.key else { return Ok(None) };
        let sql = format!("select {COLUMNS} from turn t where t.actor = $1 and t.idempotency = $2");
        let found = sqlx::query(AssertSqlSafe(sql))
            .bind(clean(self.turn.actor.as_str()).as_ref())
            .bind(clean(key).as_ref())
            .fetch_optional(&mut *tx.connection)
            .await?;
        let Some(known) = found.as_ref().map(turn).transpose()? else { return Ok(None) };
        let place = if begins { known.parent.is_none() } else { known.conversation == self.turn.conversation };
        let same = place && known.asked == clean(&self.turn.asked);
        Ok(Some(if same { Uttered::Known(Box::new(known)) } else { Uttered::KeyReused(known.id) }))
    }
}

#[async_trait]
impl Change for AddTurn {
    type Answer = Uttered;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Uttered, Halt> {
        if let Some(known) = self.known(tx, false).await? {
            return Ok(known);
        }
        let turn = &self.turn;
        let there = sqlx::query("select id from conversation where id = $1")
            .bind(turn.conversation.as_str())
            .fetch_optional(&mut *tx.connection)
            .await?;
        if there.is_none() {
            return Err(not_found("conversation", turn.conversation.as_str()));
        }
        if let Some(parent) = &turn.parent {
            let found = sqlx::query("select id from turn where id = $1 and conversation = $2")
                .bind(parent.as_str())
                .bind(turn.conversation.as_str())
                .fetch_optional(&mut *tx.connection)
                .await?;
            if found.is_none() {
                return Err(conflict(format!("{parent} is no turn of {}", turn.conversation)));
            }
        }
        let inserted = sqlx::query(
            "insert into turn (id, conversation, parent, actor, asked, folded, state, created_at, replica, idempotency) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing returning id",
        )
        .bind(turn.id.as_str())
        .bind(turn.conversation.as_str())
        .bind(turn.parent.as_ref().map(TurnId::as_str))
        .bind(clean(turn.actor.as_str()).as_ref())
        .bind(clean(&turn.asked).as_ref())
        .bind(folded(&turn.asked))
        .bind(turn.state.as_str())
        .bind(turn.created_at)
        .bind(tx.context.replica)
        .bind(turn.key.as_deref().map(|key| clean(key).into_owned()))
        .fetch_optional(&mut *tx.connection)
        .await?;
        if inserted.is_none() {
            return Err(conflict(format!("{} is there already", turn.id)));
        }
        say_something(tx, turn.conversation.as_str(), turn.created_at).await?;
        tx.tell(self.row.clone());
        Ok(Uttered::New)
    }
}

async fn say_something(tx: &mut Tx<'_>, conversation: &str, at: i64) -> Result<(), sqlx::Error> {
    sqlx::query("update conversation set updated_at = $2 where id = $1 and updated_at < $2")
        .bind(conversation)
        .bind(at)
        .execute(&mut *tx.connection)
        .await?;
    Ok(())
}

/// One entry as it is kept.
struct Kept {
    partial: bool,
    kind: &'static str,
    call: Option<String>,
    folded: Option<String>,
    json: String,
}

impl Kept {
    fn new(entry: &Entry) -> Stored<Self> {
        let call = match entry {
            Entry::Answered { answer: CallEnd::Ran { outcome }, .. } => Some(outcome.call.to_string()),
            _ => None,
        };
        let (kind, said) = match entry {
            Entry::Routed { .. } => ("routed", None),
            Entry::Model { text, .. } => ("model", Some(text)),
            Entry::Partial { .. } => (PARTIAL, None),
            Entry::Cut { .. } => ("cut", None),
            Entry::Called { .. } => ("called", None),
            Entry::Waiting { .. } => ("waiting", None),
            Entry::Answered { .. } => ("answered", None),
            Entry::Said { text } => ("said", Some(text)),
            Entry::Asked { text, .. } => ("asked", Some(text)),
            Entry::Note { text } => ("note", Some(text)),
            Entry::Ended { .. } => ("ended", None),
        };
        Ok(Self {
            partial: kind == PARTIAL,
            kind,
            call,
            folded: said.map(|text| folded(text)),
            json: to_json("turn entry", entry)?,
        })
    }
}

/// Appends entries to a turn's log and moves its state.
pub(crate) struct Step {
    id: TurnId,
    entries: Vec<Kept>,
    state: TurnState,
    at: i64,
    row: Option<Row>,
}

impl Step {
    pub(crate) fn new(
        redactor: &Redactor,
        id: &TurnId,
        entries: &[Entry],
        state: TurnState,
        draft: Option<Draft>,
        at: i64,
    ) -> Stored<Self> {
        let last = entries.len().saturating_sub(1);
        // A partial that something follows is replaced by it before it is even written.
        let kept = entries
            .iter()
            .enumerate()
            .filter(|(index, entry)| *index == last || !matches!(entry, Entry::Partial { .. }))
            .map(|(_, entry)| Kept::new(entry));
        Ok(Self {
            id: id.clone(),
            entries: kept.collect::<Stored<_>>()?,
            state,
            at,
            row: draft.map(|draft| Row::new(redactor, draft)).transpose()?,
        })
    }

    async fn append(&self, tx: &mut Tx<'_>) -> Result<(), sqlx::Error> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let last = sqlx::query("select idx, kind from turn_entry where turn = $1 order by idx desc limit 1")
            .bind(self.id.as_str())
            .fetch_optional(&mut *tx.connection)
            .await?;
        let mut next = 0;
        if let Some(last) = last {
            let (index, kind): (i64, &str) = (last.try_get(0)?, last.try_get(1)?);
            next = index + 1;
            if kind == PARTIAL {
                next = index;
                sqlx::query("delete from turn_entry where turn = $1 and idx = $2")
                    .bind(self.id.as_str())
                    .bind(index)
                    .execute(&mut *tx.connection)
                    .await?;
            }
        }
        for (index, entry) in (next..).zip(&self.entries) {
            sqlx::query("insert into turn_entry (turn, idx, kind, call, folded, json) values ($1, $2, $3, $4, $5, $6)")
                .bind(self.id.as_str())
                .bind(index)
                .bind(entry.kind)
                .bind(entry.call.as_deref())
                .bind(entry.folded.as_deref())
                .bind(entry.json.as_str())
                .execute(&mut *tx.connection)
                .await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Change for Step {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        let found = sqlx::query("select state, conversation, replica from turn where id = $1")
            .bind(self.id.as_str())
            .fetch_optional(&mut *tx.connection)
            .await?
            .ok_or_else(|| not_found("turn", self.id.as_str()))?;
        let (state, conversation): (&str, &str) = (found.try_get(0)?, found.try_get(1)?);
        if !matches!(state, "running" | "waiting") {
            return Err(conflict(format!("{} has ended already, as {state}", self.id)));
        }
        let carried_by: Option<&str> = found.try_get(2)?;
        if tx.context.replica.is_some() && carried_by != tx.context.replica {
            return Err(conflict(format!("another replica goes on with {}", self.id)));
        }
        self.append(tx).await?;
        sqlx::query("update turn set state = $2 where id = $1 and state in ('running', 'waiting')")
            .bind(self.id.as_str())
            .bind(self.state.as_str())
            .execute(&mut *tx.connection)
            .await?;
        say_something(tx, conversation, self.at).await?;
        if let Some(row) = &self.row {
            tx.tell(row.clone());
        }
        Ok(())
    }

    /// What the model has said so far is worth no fsync each second: after a power cut the step is asked again.
    fn durability(&self) -> Durability {
        let only_partial = self.row.is_none() && self.entries.iter().all(|entry| entry.partial);
        if only_partial && !self.entries.is_empty() { Durability::Wal } else { Durability::Fsync }
    }
}
