//! Who was handed what strangers may have written, and when that was last.

use async_trait::async_trait;
use jarvis_safety::ActorId;
use jarvis_safety::port::Stored;
use sqlx::Row as _;

use crate::change::{Change, Tx};
use crate::dialect::Lookup;
use crate::stored::{Halt, clean, unavailable};

/// Keeps that an actor is handed it now.
pub(crate) struct Hear {
    pub(crate) actor: ActorId,
    pub(crate) at: i64,
}

#[async_trait]
impl Change for Hear {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        sqlx::query(
            "insert into heard (actor, at) values ($1, $2) on conflict (actor) do update set at = excluded.at \
             where excluded.at > heard.at",
        )
        .bind(clean(self.actor.as_str()).as_ref())
        .bind(self.at)
        .execute(&mut *tx.connection)
        .await?;
        Ok(())
    }
}

/// When an actor was last handed it.
pub(crate) async fn last(lookup: &Lookup, actor: &ActorId) -> Stored<Option<i64>> {
    let mut connection = lookup.connection().await.map_err(|error| unavailable(&error))?;
    let found = sqlx::query("select at from heard where actor = $1")
        .bind(clean(actor.as_str()).as_ref())
        .fetch_optional(&mut connection)
        .await
        .map_err(|error| unavailable(&error))?;
    found.map(|row| row.try_get(0)).transpose().map_err(|error| unavailable(&error))
}
