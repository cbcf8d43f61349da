//! What every death begins with: a data directory in which everybody is known who comes, and the model.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};

use super::model::Model;
use crate::chance::Chance;
use crate::life::Life;
use crate::life::load::People;
use crate::server::Server;
use crate::wire::{Ask, Wire};

/// Data directories in which everybody is who comes, and the model is known; one for each way to keep reads.
pub(super) async fn first(binary: &Path, work: &Path, model: &Model, chance: &mut Chance) -> anyhow::Result<[Life; 2]> {
    let mut one = Life::begin(binary.to_owned(), work, "first", None).await?;
    let server = started(&mut one).await?;
    one.furnish(&server.host, chance).await?;
    // A person asks too, not only the holders of tokens.
    let (operator, mut tokens) = (one.people.operator.clone(), one.people.tokens.clone());
    tokens.push(("operator".to_owned(), operator.clone()));
    one.people = Arc::new(People { operator: operator.clone(), tokens });
    let mut wire = Wire::connect(&server.host).await?;
    let mut settings = wire.ask(Ask::get("/api/settings", &operator)).await?.body;
    settings.as_object_mut().context("there are no settings")?.insert("model".to_owned(), model.setting());
    let reply = wire.ask(Ask::put("/api/settings", &operator, settings)).await?;
    ensure!(reply.status == 200, "the settings were answered with {} {}", reply.status, reply.body);
    server.kill().await?;
    let mut other = one.copy(work, "other").await?;
    let server = started(&mut other).await?;
    other.change_reads(&server.host).await?;
    server.kill().await?;
    Ok([one, other])
}

async fn started(life: &mut Life) -> anyhow::Result<Server> {
    match life.start().await {
        Ok(server) => Ok(server),
        Err(violation) => bail!("{violation}"),
    }
}
