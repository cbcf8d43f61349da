//! Breaking what is promised of turns on purpose, while the program does not run.

use anyhow::ensure;
use sqlx::Connection as _;

use crate::kill::sabotage::Sabotage;
use crate::life::Life;

/// From the outcome of the first write on, as if it had never been kept.
const FROM_WRITE: &str = "delete from turn_entry where idx >= \
    (select idx from turn_entry where kind = 'answered' and json_extract(json, '$.index') = 1)";
/// From the model's last answer on.
const FROM_ANSWER: &str = "delete from turn_entry where idx >= (select max(idx) from turn_entry where kind = 'model')";
const OPEN: &str = "update turn set state = 'running'";
const FORGET: &str = "update call set idempotency = null where idempotency like 'turn:%:1'";

/// What is done to the database for a sabotage; nothing for those that are not about turns.
pub(in crate::boundary) const fn statements(sabotage: Sabotage) -> &'static [&'static str] {
    match sabotage {
        Sabotage::LostTurn => &["delete from turn"],
        Sabotage::DoubleTurn => &[FROM_WRITE, OPEN, FORGET],
        Sabotage::DoubleStep => &[FROM_ANSWER, OPEN],
        _ => &[],
    }
}

/// Breaks it.
pub(in crate::boundary) async fn break_dead(sabotage: Sabotage, life: &Life) -> anyhow::Result<()> {
    let mut connection = life.book.open_to_break().await?;
    for sql in statements(sabotage) {
        let altered = sqlx::query(*sql).execute(&mut connection).await?.rows_affected();
        ensure!(altered > 0, "`{sql}` altered nothing");
    }
    Ok(connection.close().await?)
}
