//! Conversations: begun, listed, searched, renamed.
//!
//! A search compares text that was lower-cased here, not by the database: what a database calls lower case differs.

use async_trait::async_trait;
use jarvis_safety::conversation::{Conversation, Entry, Turn, TurnState, Uttered};
use jarvis_safety::event::Draft;
use jarvis_safety::port::{Conversations, Stored};
use jarvis_safety::{ActorId, ConversationId, TurnId};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use crate::change::{Change, Tx};
use crate::erase::Delete;
use crate::replica::Carried;
use crate::row::Row;
use crate::store::Store;
use crate::stored::{Halt, clean, conflict, from_word, not_found, unavailable};
use crate::turn::{self, AddTurn, Step};

const COLUMNS: &str = "c.id, c.owner, c.title, c.created_at, c.updated_at, \
                       (select count(*) from turn t where t.conversation = c.id)";

/// Longest text that is searched for, in characters.
const SEARCH: usize = 200;

fn conversation(row: &AnyRow) -> Result<Conversation, Halt> {
    let turns: i64 = row.try_get(5)?;
    Ok(Conversation {
        id: from_word("conversation", row.try_get(0)?)?,
        owner: ActorId::new(row.try_get::<String, _>(1)?),
        title: row.try_get(2)?,
        created_at: row.try_get(3)?,
        updated_at: row.try_get(4)?,
        turns: turns.cast_unsigned(),
    })
}

/// Text as a search compares it.
pub(crate) fn folded(text: &str) -> String {
    clean(text).to_lowercase()
}

/// A pattern that matches every text that holds this one.
fn pattern(search: &str) -> String {
    let mut pattern = String::from("%");
    for character in folded(search.trim()).chars().take(SEARCH) {
        if matches!(character, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

struct Begin(Conversation, AddTurn);

#[async_trait]
impl Change for Begin {
    type Answer = Uttered;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<Uttered, Halt> {
        if let Some(known) = self.1.known(tx, true).await? {
            return Ok(known);
        }
        let inserted = sqlx::query(
            "insert into conversation (id, owner, title, folded, created_at, updated_at) \
             values ($1, $2, $3, $4, $5, $6) on conflict do nothing returning id",
        )
        .bind(self.0.id.as_str())
        .bind(clean(self.0.owner.as_str()).as_ref())
        .bind(clean(&self.0.title).as_ref())
        .bind(folded(&self.0.title))
        .bind(self.0.created_at)
        .bind(self.0.updated_at)
        .fetch_optional(&mut *tx.connection)
        .await?;
        inserted.ok_or_else(|| conflict(format!("{} is there already", self.0.id)))?;
        self.1.apply(tx).await.map_err(Halt::after_writing)
    }
}

struct Rename {
    id: ConversationId,
    title: String,
    row: Row,
}

#[async_trait]
impl Change for Rename {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        let renamed = sqlx::query("update conversation set title = $2, folded = $3 where id = $1")
            .bind(self.id.as_str())
            .bind(clean(&self.title).as_ref())
            .bind(folded(&self.title))
            .execute(&mut *tx.connection)
            .await?;
        if renamed.rows_affected() == 0 {
            return Err(not_found("conversation", self.id.as_str()));
        }
        tx.tell(self.row.clone());
        Ok(())
    }
}

#[async_trait]
impl Conversations for Store {
    async fn begin(&self, conversation: &Conversation, first: &Turn, draft: Draft) -> Stored<Uttered> {
        let first = AddTurn { turn: first.clone(), row: Row::new(&self.0.redactor, draft)? };
        self.0.writer.submit(Begin(conversation.clone(), first)).await
    }

    async fn conversation(&self, id: &ConversationId) -> Stored<Option<Conversation>> {
        let sql = format!("select {COLUMNS} from conversation c where c.id = $1");
        let found = sqlx::query(AssertSqlSafe(sql)).bind(id.as_str()).fetch_optional(&self.0.readers).await;
        let found = found.map_err(|error| unavailable(&error))?;
        Ok(found.as_ref().map(conversation).transpose()?)
    }

    async fn conversations(&self, owner: Option<&ActorId>, search: &str, limit: u32) -> Stored<Vec<Conversation>> {
        let mut filters = Vec::new();
        let search = Some(search).filter(|text| !text.trim().is_empty()).map(pattern);
        if search.is_some() {
            filters.push(
                "(c.folded like $2 escape '!' or exists (select 1 from turn t where t.conversation = c.id and \
                 (t.folded like $2 escape '!' or exists (select 1 from turn_entry e where e.turn = t.id and \
                 e.folded like $2 escape '!'))))",
            );
        }
        if owner.is_some() {
            filters.push(if search.is_some() { "c.owner = $3" } else { "c.owner = $2" });
        }
        let filter = if filters.is_empty() { String::new() } else { format!("where {}", filters.join(" and ")) };
        let sql =
            format!("select {COLUMNS} from conversation c {filter} order by c.updated_at desc, c.id desc limit $1");
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(i64::from(limit));
        if let Some(pattern) = search {
            query = query.bind(pattern);
        }
        if let Some(owner) = owner {
            query = query.bind(clean(owner.as_str()).into_owned());
        }
        let rows = query.fetch_all(&self.0.readers).await.map_err(|error| unavailable(&error))?;
        rows.iter().map(|row| conversation(row).map_err(Into::into)).collect()
    }

    async fn rename(&self, id: &ConversationId, title: &str, draft: Draft) -> Stored<()> {
        let change = Rename {
            id: id.clone(),
            title: self.0.redactor.text(title).into_owned(),
            row: Row::new(&self.0.redactor, draft)?,
        };
        self.0.writer.submit(change).await
    }

    async fn delete(&self, id: &ConversationId, draft: Draft) -> Stored<()> {
        self.0.writer.submit(Delete::new(&self.0.redactor, id, draft, self.0.clock.now())?).await
    }

    async fn add_turn(&self, turn: &Turn, draft: Draft) -> Stored<Uttered> {
        self.0.writer.submit(AddTurn { turn: turn.clone(), row: Row::new(&self.0.redactor, draft)? }).await
    }

    async fn turn(&self, id: &TurnId) -> Stored<Option<(Turn, Vec<Entry>)>> {
        turn::find(&self.0.readers, id).await
    }

    async fn turns(&self, id: &ConversationId) -> Stored<Vec<(Turn, Vec<Entry>)>> {
        turn::of_conversation(&self.0.readers, id).await
    }

    async fn step(&self, id: &TurnId, entries: &[Entry], state: TurnState, draft: Option<Draft>) -> Stored<()> {
        self.0.writer.submit(Step::new(&self.0.redactor, id, entries, state, draft, self.0.clock.now())?).await
    }

    async fn open_turns(&self) -> Stored<Vec<Turn>> {
        turn::open(&self.0.readers).await
    }

    async fn abandoned_turns(&self) -> Stored<Vec<Turn>> {
        let ids = self.take_over(Carried::Turns).await?;
        let open = if ids.is_empty() { Vec::new() } else { turn::open(&self.0.readers).await? };
        Ok(open.into_iter().filter(|turn| ids.iter().any(|id| id == turn.id.as_str())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_searched_for_is_never_a_pattern() {
        assert_eq!(pattern(" 100%_Ä! "), "%100!%!_ä!!%");
    }
}
