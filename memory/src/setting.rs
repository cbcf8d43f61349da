//! The operator's settings and the kill switch: one row each.

use async_trait::async_trait;
use jarvis_safety::event::Draft;
use jarvis_safety::kernel::KillSwitch;
use jarvis_safety::port::{SettingStore, Stored};
use jarvis_safety::secret::Redactor;
use jarvis_safety::setting::Settings;
use serde::de::DeserializeOwned;
use sqlx::{AnyPool, Row as _};

use crate::change::{Change, Tx};
use crate::error::OpenError;
use crate::row::Row;
use crate::store::Store;
use crate::stored::{Halt, from_json, to_json, unavailable};

const SETTINGS: &str = "settings";
pub(crate) const KILL_SWITCH: &str = "kill switch";

async fn read<T: DeserializeOwned + Default>(readers: &AnyPool, name: &str) -> Stored<T> {
    let found = sqlx::query("select json from setting where name = $1")
        .bind(name)
        .fetch_optional(readers)
        .await
        .map_err(|error| unavailable(&error))?;
    let Some(row) = found else { return Ok(T::default()) };
    let json: &str = row.try_get(0).map_err(|error| unavailable(&error))?;
    from_json(name, json)
}

/// Looks at a start whether what is kept can still be read.
pub(crate) async fn check(readers: &AnyPool) -> Result<(), OpenError> {
    let unreadable = |what: &str, why: String| OpenError::Unreadable { what: what.to_owned(), why };
    let settings = read::<Settings>(readers, SETTINGS).await;
    settings.map_err(|error| unreadable(SETTINGS, error.to_string()))?;
    kill_switch(readers).await.map_err(|error| unreadable(KILL_SWITCH, error.to_string()))?;
    Ok(())
}

pub(crate) async fn kill_switch(readers: &AnyPool) -> Stored<KillSwitch> {
    read(readers, KILL_SWITCH).await
}

/// Replaces one of them.
pub(crate) struct Save {
    name: &'static str,
    json: String,
    row: Row,
}

impl Save {
    pub(crate) fn kill_switch(redactor: &Redactor, kill: KillSwitch, draft: Draft) -> Stored<Self> {
        Ok(Self { name: KILL_SWITCH, json: to_json(KILL_SWITCH, &kill)?, row: Row::new(redactor, draft)? })
    }

    fn settings(redactor: &Redactor, settings: &Settings, draft: Draft) -> Stored<Self> {
        Ok(Self { name: SETTINGS, json: to_json(SETTINGS, settings)?, row: Row::new(redactor, draft)? })
    }
}

#[async_trait]
impl Change for Save {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        sqlx::query(
            "insert into setting (name, json) values ($1, $2) on conflict (name) do update set json = excluded.json",
        )
        .bind(self.name)
        .bind(self.json.as_str())
        .execute(&mut *tx.connection)
        .await?;
        tx.tell(self.row.clone());
        Ok(())
    }
}

/// Keeps a text under a name, unless there is one; answers the one that is there.
struct Once {
    name: &'static str,
    json: String,
}

#[async_trait]
impl Change for Once {
    type Answer = String;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<String, Halt> {
        sqlx::query("insert into setting (name, json) values ($1, $2) on conflict do nothing")
            .bind(self.name)
            .bind(self.json.as_str())
            .execute(&mut *tx.connection)
            .await?;
        let kept = sqlx::query("select json from setting where name = $1").bind(self.name);
        Ok(from_json(self.name, kept.fetch_one(&mut *tx.connection).await?.try_get(0)?)?)
    }
}

impl Store {
    /// The text that is kept under a name; this one if there was none.
    pub(crate) async fn setting_once(&self, name: &'static str, text: &str) -> Stored<String> {
        self.0.writer.submit(Once { name, json: to_json(name, &text)? }).await
    }
}

#[async_trait]
impl SettingStore for Store {
    async fn settings(&self) -> Stored<Settings> {
        read(&self.0.readers, SETTINGS).await
    }

    async fn save(&self, settings: &Settings, draft: Draft) -> Stored<()> {
        self.0.writer.submit(Save::settings(&self.0.redactor, settings, draft)?).await
    }
}
