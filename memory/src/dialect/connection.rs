//! A connection to either database. Whoever asks sees no difference; a look along an index need not wait for a thread.

use std::future;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};
use sqlx::any::{AnyQueryResult, AnyRow, AnyStatement, AnyTypeInfo};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Either, Error, Execute, Executor, SqlStr};
use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard};

use super::local::{Answer, Local};

/// A connection.
#[derive(Debug)]
pub(crate) enum Connection {
    /// To PostgreSQL, or to a file of SQLite that is not the store's.
    Any(AnyConnection),
    /// One of those that read.
    Pooled(PoolConnection<Any>),
    /// To SQLite, on this thread.
    Local(Local),
    /// The same for all who look something up, one at a time.
    Lookup(OwnedMappedMutexGuard<Option<Local>, Local>),
}

/// Who carries a statement out.
enum Way<'c> {
    Any(&'c mut AnyConnection),
    Local(&'c mut Local),
}

impl Connection {
    fn way(&mut self) -> Way<'_> {
        match self {
            Self::Any(connection) => Way::Any(connection),
            Self::Pooled(connection) => Way::Any(connection),
            Self::Local(local) => Way::Local(local),
            Self::Lookup(local) => Way::Local(local),
        }
    }

    /// What can be asked without waiting for a thread.
    pub(crate) fn local(&self) -> Option<&Local> {
        match self {
            Self::Any(_) | Self::Pooled(_) => None,
            Self::Local(local) => Some(local),
            Self::Lookup(local) => Some(local),
        }
    }

    pub(crate) async fn close(self) -> Result<(), Error> {
        match self {
            Self::Any(connection) => sqlx::Connection::close(connection).await,
            Self::Pooled(connection) => connection.close().await,
            Self::Local(local) => local.close(),
            Self::Lookup(_) => Ok(()),
        }
    }
}

impl From<AnyConnection> for Connection {
    fn from(connection: AnyConnection) -> Self {
        Self::Any(connection)
    }
}

impl Local {
    fn carry_out<'q>(&mut self, mut query: impl Execute<'q, Any>, most: usize) -> Result<Answer, Error> {
        let arguments = query.take_arguments().map_err(Error::Encode)?;
        self.run(query.sql().as_str(), arguments.as_ref(), most)
    }
}

impl<'c> Executor<'c> for &'c mut Connection {
    type Database = Any;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<AnyQueryResult, AnyRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        match self.way() {
            Way::Any(connection) => connection.fetch_many(query),
            Way::Local(local) => match local.carry_out(query, usize::MAX) {
                Ok((rows, result)) => {
                    let rows = rows.into_iter().map(|row| Ok(Either::Right(row)));
                    stream::iter(rows.chain([Ok(Either::Left(result))])).boxed()
                }
                Err(error) => stream::once(future::ready(Err(error))).boxed(),
            },
        }
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<AnyRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        match self.way() {
            Way::Any(connection) => connection.fetch_optional(query),
            Way::Local(local) => {
                future::ready(local.carry_out(query, 1).map(|(rows, _)| rows.into_iter().next())).boxed()
            }
        }
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [AnyTypeInfo]) -> BoxFuture<'e, Result<AnyStatement, Error>>
    where
        'c: 'e,
    {
        match self.way() {
            Way::Any(connection) => connection.prepare_with(sql, parameters),
            Way::Local(_) => future::ready(Err(Error::Protocol("statements are prepared as they run".into()))).boxed(),
        }
    }
}

/// Where something is looked up along an index: with SQLite on the thread that asks, one after the other.
#[derive(Clone)]
pub(crate) struct Lookup {
    local: Option<Arc<Mutex<Option<Local>>>>,
    pool: AnyPool,
}

impl Lookup {
    pub(super) fn new(local: Option<Local>, pool: AnyPool) -> Self {
        Self { local: local.map(|local| Arc::new(Mutex::new(Some(local)))), pool }
    }

    pub(crate) async fn connection(&self) -> Result<Connection, Error> {
        if let Some(local) = &self.local {
            let held = Arc::clone(local).lock_owned().await;
            if let Ok(local) = OwnedMutexGuard::try_map(held, Option::as_mut) {
                return Ok(Connection::Lookup(local));
            }
        }
        self.pool.acquire().await.map(Connection::Pooled)
    }

    pub(crate) async fn close(&self) {
        if let Some(local) = &self.local {
            drop(local.lock().await.take());
        }
    }
}
