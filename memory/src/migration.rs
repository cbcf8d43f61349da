//! Migrations: numbered SQL files that are only ever added, each applied in one transaction.

use sqlx::{AssertSqlSafe, Row as _};

use jarvis_safety::Digest;

use crate::dialect::{Connection, Dialect};
use crate::error::OpenError;

/// All of them, in order; the number is the position from 1.
const ALL: [&str; 15] = [
    include_str!("../../migrations/0001_first.sql"),
    include_str!("../../migrations/0002_approval_due.sql"),
    include_str!("../../migrations/0003_job.sql"),
    include_str!("../../migrations/0004_replica.sql"),
    include_str!("../../migrations/0005_attempt.sql"),
    include_str!("../../migrations/0006_doubt.sql"),
    include_str!("../../migrations/0007_grant.sql"),
    include_str!("../../migrations/0008_secret.sql"),
    include_str!("../../migrations/0009_heard.sql"),
    include_str!("../../migrations/0010_token_role.sql"),
    include_str!("../../migrations/0011_session_place.sql"),
    include_str!("../../migrations/0012_second_factor.sql"),
    include_str!("../../migrations/0013_mcp_session.sql"),
    include_str!("../../migrations/0014_turn_key.sql"),
    include_str!("../../migrations/0015_pace.sql"),
];

/// Brings a database to the newest version.
pub(crate) async fn migrate(connection: &mut Connection, dialect: Dialect, now: i64) -> Result<(), OpenError> {
    // On an error the connection is dropped, and the lock with it.
    dialect.lock_schema(connection).await?;
    bring(connection, dialect, now).await?;
    dialect.unlock_schema(connection).await?;
    Ok(())
}

async fn bring(connection: &mut Connection, dialect: Dialect, now: i64) -> Result<(), OpenError> {
    sqlx::raw_sql(
        "create table if not exists migration (version bigint not null primary key, digest text not null, \
         applied_at bigint not null)",
    )
    .execute(&mut *connection)
    .await?;
    let applied =
        sqlx::query("select version, digest from migration order by version").fetch_all(&mut *connection).await?;
    for row in &applied {
        let (version, digest): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
        let known = usize::try_from(version - 1).ok().and_then(|index| ALL.get(index));
        let Some(text) = known else {
            return Err(OpenError::Newer { found: version, known: ALL.len() as i64 });
        };
        if Digest::of(text.as_bytes()).as_str() != digest {
            return Err(OpenError::Altered { version });
        }
    }
    for (index, text) in ALL.iter().enumerate().skip(applied.len()) {
        apply(connection, dialect, index as i64 + 1, text, now).await?;
    }
    Ok(())
}

async fn apply(
    connection: &mut Connection,
    dialect: Dialect,
    version: i64,
    text: &str,
    now: i64,
) -> Result<(), OpenError> {
    sqlx::raw_sql(dialect.begin_schema()).execute(&mut *connection).await?;
    // On an error the connection is dropped, and the transaction with it.
    sqlx::raw_sql(AssertSqlSafe(dialect.schema(text))).execute(&mut *connection).await?;
    sqlx::query("insert into migration (version, digest, applied_at) values ($1, $2, $3)")
        .bind(version)
        .bind(Digest::of(text.as_bytes()).as_str())
        .bind(now)
        .execute(&mut *connection)
        .await?;
    sqlx::raw_sql("commit").execute(&mut *connection).await?;
    tracing::info!(version, "database migrated");
    Ok(())
}
