//! The audit key and the database that it belongs to.
//!
//! The key lies in the data directory and must be the same for every replica of a database. So the database holds a
//! code that only the right key makes; a key that makes another one is refused before it writes a row that nobody could
//! verify.

use sqlx::Row as _;

use crate::chain::{Chain, Head, random};
use crate::dialect::{Connection, Dialect};
use crate::directory::{self, Directory};
use crate::error::OpenError;
use crate::row::{COLUMNS, fields};
use crate::seal;
use crate::sealed::Sealed;
use crate::stored::to_json;

/// Name under which the code is kept.
const NAME: &str = "audit key";

/// Opens the key; makes it if this database has never had one.
pub(crate) async fn open(
    directory: &Directory,
    dialect: Dialect,
    connection: &mut Connection,
    head: &Head,
) -> Result<Chain, OpenError> {
    // Two replicas that begin with the same new database: one makes the key.
    dialect.begin(connection).await?;
    let known: Option<String> = sqlx::query("select json from setting where name = $1")
        .bind(NAME)
        .fetch_optional(&mut *connection)
        .await?
        .map(|row| row.try_get(0))
        .transpose()?;
    let fresh = known.is_none() && head.seq == 0;
    if !fresh && dialect.is_shared() && !directory.audit_key().exists() {
        return Err(wrong(
            directory,
            "it is not there, and the database is in use already; copy the file from the data \
            directory of a Jarvis that uses the same database",
        ));
    }
    let chain = Chain::open(directory, fresh)?;
    let code = to_json(NAME, &chain.own_code()).map_err(|error| wrong(directory, &error.to_string()))?;
    match known {
        Some(known) if known == code => {}
        Some(_) => return Err(wrong(directory, OTHER)),
        None => {
            if !fits(connection, &chain, head).await? {
                return Err(wrong(directory, OTHER));
            }
            sqlx::query("insert into setting (name, json) values ($1, $2)")
                .bind(NAME)
                .bind(code)
                .execute(&mut *connection)
                .await?;
        }
    }
    if fresh {
        let wrong = |error: std::io::Error| OpenError::Directory { path: directory.seal(), why: error.to_string() };
        match seal::read(directory, &chain).map_err(wrong)? {
            Sealed::Missing | Sealed::Nothing => {}
            Sealed::Head(sealed) if sealed.seq == 0 => {}
            Sealed::Head(_) | Sealed::Forged => return Err(OpenError::Gone { seal: directory.seal() }),
        }
        // Before the database knows the key: a crash in between must not leave a used database without a seal, which
        // would look at the next start as if somebody had removed it.
        seal::write(directory, &chain, head).map_err(wrong)?;
    }
    dialect.commit(connection, None, &[]).await?;
    Ok(chain)
}

impl Chain {
    /// Opens the key, or makes one if the database is new.
    pub(crate) fn open(directory: &Directory, fresh: bool) -> Result<Self, OpenError> {
        let path = directory.audit_key();
        let wrong = |why: String| OpenError::Key { path: path.clone(), why };
        let found = directory::read_small(&path).map_err(|error| wrong(error.to_string()))?;
        let key = match found {
            Some(key) if key.len() == 32 => key,
            Some(key) => {
                return Err(wrong(format!("it holds {} bytes and must hold 32; restore it from a backup", key.len())));
            }
            None if fresh => {
                let key = random::<32>().map_err(wrong)?;
                directory::replace(&path, &key).map_err(|error| wrong(error.to_string()))?;
                key.to_vec()
            }
            None => {
                return Err(wrong(
                    "it is gone, and without it the audit cannot be checked or continued; restore it from a backup"
                        .to_owned(),
                ));
            }
        };
        Self::new(&key).map_err(wrong)
    }
}

const OTHER: &str = "the audit in the database was written under another key; copy the file from the data directory \
                     that the database was used with, or restore both from one backup";

fn wrong(directory: &Directory, why: &str) -> OpenError {
    OpenError::Key { path: directory.audit_key(), why: why.to_owned() }
}

/// Whether the newest row could have been written under this key. For a database from before codes were kept.
async fn fits(connection: &mut Connection, chain: &Chain, head: &Head) -> Result<bool, OpenError> {
    let sql = format!("select {COLUMNS}, e.body from event e where e.seq = $1 or e.seq = $2 order by e.seq desc");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(head.seq.cast_signed())
        .bind(head.seq.cast_signed() - 1)
        .fetch_all(connection)
        .await?;
    let Some(newest) = rows.first() else { return Ok(true) };
    let (newest, hash) = fields(newest)?;
    let before = match rows.get(1) {
        Some(row) => row.try_get(10)?,
        None if newest.seq == 1 => crate::chain::GENESIS,
        // The row before is gone: verification tells of that.
        None => return Ok(true),
    };
    Ok(chain.hash(before, &newest, &mut Vec::new()) == hash)
}
