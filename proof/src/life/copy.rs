//! A life that begins where another one is, so that what all have in common is done once.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use super::Life;
use crate::server::House;

impl Life {
    /// Another one with a copy of the data directory. Neither runs yet, and nothing was told of either.
    pub(crate) async fn copy(&self, work: &Path, name: &str) -> anyhow::Result<Self> {
        let data = work.join(name);
        let copied = Command::new("cp").arg("-a").arg(&self.house.data).arg(&data).status().await;
        let copied = copied.context("`cp` cannot be started")?;
        ensure!(copied.success(), "{} cannot be copied ({copied})", self.house.data.display());
        let house = House { data, log: work.join(format!("{name}.log")), ..self.house.clone() };
        Ok(Self {
            people: Arc::clone(&self.people),
            seen: Some(self.seen()?.anew()),
            reads: self.reads,
            sealed: self.sealed.clone(),
            believed_strict: self.believed_strict,
            disk_fails: self.disk_fails,
            ..Self::of(house)
        })
    }
}
