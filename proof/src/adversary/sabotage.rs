//! Promises that are broken on purpose.

use std::path::Path;

use clap::ValueEnum;
use hyper::Request;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde_json::json;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use tokio::net::UnixStream;

use crate::server::Server;
use crate::wire::{Ask, Wire};
use crate::world::World;
use crate::world::call::Call;
use crate::world::ledger::Why;

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sabotage {
    /// A container is stopped past the program.
    StrayEffect,
    /// What was approved once happens twice.
    DoubleEffect,
    /// The person says yes to everything.
    CarelessPerson,
    /// A call stands there as approved by a card that was denied.
    ForgedCard,
    /// The outcome of a call is taken out of the audit.
    LostRow,
    /// A call is recorded that never happened.
    PhantomCall,
    /// The operator gives a grant for more calls than he tells.
    WideGrant,
    /// The operator says that everything is stopped, and nothing is.
    NoBrake,
}

impl Sabotage {
    /// What is done while the program runs.
    pub(super) async fn among_the_living(self, world: &World, server: &Server, secret: &str) -> anyhow::Result<()> {
        let id = world.engine.id("bay0-mail");
        match self {
            Self::StrayEffect => {
                world.engine.change("bay0-mail", |one| one.running = true);
                past(world, &format!("/containers/{id}/stop")).await?;
            }
            Self::DoubleEffect => {
                let mut wire = Wire::connect(&server.host).await?;
                let call = Call::restart("bay0-mail", &id);
                let body = json!({ "tool": call.tool, "args": call.args });
                world.covers.give(call.deed.clone(), Why::Words, "bay0", "operator");
                wire.ask(Ask::post("/api/call", secret, Some(body))).await?;
                past(world, &format!("/containers/{id}/restart")).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// What is done to the books of a program that has ended.
    pub(super) async fn among_the_books(self, data: &Path) -> anyhow::Result<()> {
        let sql = match self {
            Self::ForgedCard => {
                "update call set step = 0, approval = (select id from approval where state = 'denied' limit 1) \
                 where id = (select id from call where approval is not null limit 1)"
            }
            Self::LostRow => "delete from event where seq = (select max(seq) from event where kind = 'call.done')",
            Self::PhantomCall => {
                "insert into call select id || 'x', actor, null, tool, target_kind, target_name, asked, conversation, null, \
                 null, state, created_at, settled_at, json, outcome, undo, undone_by, erased_at, replica, null from call \
                 where tool = 'docker_restart' and state = 'done' limit 1"
            }
            _ => return Ok(()),
        };
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(&format!("sqlite://{}", data.join("jarvis.db").display())).await?;
        let done = connection.execute(AssertSqlSafe(sql.to_owned())).await?;
        anyhow::ensure!(done.rows_affected() > 0, "there was nothing to break");
        connection.close().await?;
        Ok(())
    }
}

/// Asks the engine past the program.
async fn past(world: &World, path: &str) -> anyhow::Result<()> {
    let stream = UnixStream::connect(&world.socket).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move { connection.await.ok() });
    let request = Request::post(path).header("host", "docker").body(String::new())?;
    let status = sender.send_request(request).await?.status();
    anyhow::ensure!(status == 204, "the engine answered {status}");
    Ok(())
}
