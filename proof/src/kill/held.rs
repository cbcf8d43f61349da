//! A power cut while nothing gets to the disk.
//!
//! On a fast disk whatever is acknowledged too early is there before anybody can cut its power. To see that it is found,
//! every fsync of the program is held back until the power is gone.

use std::time::Duration;

use tokio::time::sleep;

use super::Lane;
use crate::fault::HELD;
use crate::life::Life;
use crate::life::kill::kill_among;
use crate::server::Server;

/// Clients, and how long they are there: shorter than anything is held back.
const CLIENTS: u64 = 16;
const LOAD: Duration = Duration::from_millis(300);

impl Lane {
    /// Lets clients loose on the program, holds its fsyncs back, cuts the power and kills it.
    pub(super) async fn cut_while_held(&mut self, life: &mut Life, server: Server) -> anyhow::Result<()> {
        let mut clients = life.clients(&server, &mut self.chance, CLIENTS)?;
        let held = HELD.attach(server.id()?, &life.house.data, &self.work.join("strace.log")).await?;
        sleep(LOAD).await;
        life.cut().await?;
        // Nothing is written any more, so nothing need be held; and a program that is held does not die.
        drop(held);
        kill_among(server, &mut clients).await?;
        life.restore().await
    }
}
