//! What bars every start on a database until it is carried through.

use sqlx::Row as _;

use crate::dialect::Connection;

/// A mark in the database itself, so that every server sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mark {
    /// A move into it was begun.
    Moving,
    /// It came from a dump, and what was open in it is being made void.
    Voiding,
}

impl Mark {
    /// Its name among the settings, which no setting has.
    const fn name(self) -> &'static str {
        match self {
            Self::Moving => "transfer",
            Self::Voiding => "void",
        }
    }

    pub(crate) async fn is_set(self, connection: &mut Connection) -> Result<bool, sqlx::Error> {
        let sql = "select count(*) from setting where name = $1";
        let found: i64 = sqlx::query(sql).bind(self.name()).fetch_one(connection).await?.try_get(0)?;
        Ok(found > 0)
    }

    pub(crate) async fn set(self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        let sql = "insert into setting (name, json) values ($1, '\"begun\"') on conflict (name) do nothing";
        sqlx::query(sql).bind(self.name()).execute(connection).await.map(|_| ())
    }

    pub(crate) async fn clear(self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        sqlx::query("delete from setting where name = $1").bind(self.name()).execute(connection).await.map(|_| ())
    }
}
