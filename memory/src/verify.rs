//! Verification: reads the whole audit; what does not fit, the walk over its rows says (`walk.rs`).
//!
//! What it can find: a row that was altered, removed, added, or moved; a body that was altered or added; bodies that
//! vanished without a row that tells of their erasure; an end that was cut off after the seal. What it cannot find: an
//! attacker who holds the key, and one who puts back database *and* seal of an earlier time.

use jarvis_safety::port::{Feed as _, Stored, Verification};
use sqlx::any::AnyRow;
use sqlx::{AnyPool, AssertSqlSafe, Row as _};

use crate::chain::{Chain, Fields};
use crate::row::{self, COLUMNS};
use crate::seal;
use crate::sealed::Sealed;
use crate::store::Store;
use crate::stored::{unavailable, unreadable};
use crate::walk::{FAULTS, Kept, Walk};

/// Rows read at a time.
const PAGE: usize = 2000;

pub(crate) async fn verify(store: &Store) -> Stored<Verification> {
    // The seal first: whatever it vouches for must be there when the rows are read.
    let sealed = read_seal(store).await?;
    let mut found = audit(&store.0.readers, &store.0.chain, &sealed, store.head()).await?;
    if store.0.directory.refused_seal().exists() && found.faults.len() < FAULTS {
        found.faults.push(format!(
            "at a start the seal was missing or contradicted the database; it lies in {} until you have looked into it \
             and remove it",
            store.0.directory.refused_seal().display()
        ));
    }
    found.at = store.0.clock.now();
    Ok(found)
}

/// Reads an audit whose last row is known to be this one or a later one.
pub(crate) async fn audit(readers: &AnyPool, chain: &Chain, sealed: &Sealed, known: u64) -> Stored<Verification> {
    let mut walk = Walk::new(chain, sealed);
    let sql = format!(
        "select {COLUMNS}, e.body, b.salt, b.json from event e left join body b on b.seq = e.seq \
         where e.seq > $1 order by e.seq limit {PAGE}"
    );
    loop {
        let page = sqlx::query(AssertSqlSafe(sql.clone()))
            .bind(walk.seq().cast_signed())
            .fetch_all(readers)
            .await
            .map_err(|error| unavailable(&error))?;
        for row in &page {
            if let Err(error) = read(row).map(|(fields, hash, body)| walk.row(&fields, hash, body)) {
                pass(&mut walk, row, &error).map_err(|error| unreadable("audit", &error.to_string()))?;
            }
        }
        if page.len() < PAGE {
            break;
        }
        tokio::task::yield_now().await;
    }
    let early = count(readers, "select count(*) from event where seq < 1").await?;
    let orphans = "select count(*) from body b left join event e on e.seq = b.seq where e.seq is null";
    Ok(walk.end(known, early, count(readers, orphans).await?))
}

fn read(row: &AnyRow) -> Result<(Fields<'_>, &str, Kept<'_>), sqlx::Error> {
    let (fields, hash) = row::fields(row)?;
    Ok((fields, hash, Kept { salt: row.try_get(12)?, json: row.try_get(13)? }))
}

/// Goes on behind a row in which a column holds what was never written there.
fn pass(walk: &mut Walk<'_>, row: &AnyRow, error: &sqlx::Error) -> Result<(), sqlx::Error> {
    let seq = row.try_get::<i64, _>(0)?.cast_unsigned();
    walk.unreadable(seq, row.try_get(10).unwrap_or_default(), &error.to_string());
    Ok(())
}

async fn count(readers: &AnyPool, sql: &'static str) -> Stored<u64> {
    let count: i64 = sqlx::query(sql)
        .fetch_one(readers)
        .await
        .and_then(|row| row.try_get(0))
        .map_err(|error| unavailable(&error))?;
    Ok(count.cast_unsigned())
}

async fn read_seal(store: &Store) -> Stored<Sealed> {
    let unavailable = |why: String| jarvis_safety::port::StoreError::Unavailable(why);
    let inner = std::sync::Arc::clone(&store.0);
    let read = tokio::task::spawn_blocking(move || seal::read(&inner.directory, &inner.chain)).await;
    read.map_err(|error| unavailable(error.to_string()))?.map_err(|error| unavailable(error.to_string()))
}
