//! A power cut while nothing gets to the disk.
//!
//! On a fast disk whatever is acknowledged too early is there before anybody can cut its power. To see that it is found,
//! every fsync of the program is held back until the power is gone.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::Lane;
use crate::fault::HELD;
use crate::life::Life;
use crate::life::kill::kill_among;
use crate::server::Server;

/// Clients.
const CLIENTS: u64 = 16;
/// Longest that they are there, which is shorter than anything is held back, and the pause between two looks at them.
const LOAD: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(5);

impl Lane {
    /// Lets clients loose on the program, holds its fsyncs back, cuts the power and kills it.
    pub(super) async fn cut_while_held(&mut self, life: &mut Life, server: Server) -> anyhow::Result<()> {
        let mut clients = life.clients(&server, &mut self.chance, CLIENTS)?;
        let held = HELD.attach(server.id()?, &life.house.data, &self.work.join("strace.log")).await?;
        // Whatever is asked from now on is told in vain; what was under way is soon through.
        let enough = life.ledger.state().count.acks() + 2 * CLIENTS;
        let begun = Instant::now();
        while life.ledger.state().count.acks() < enough && begun.elapsed() < LOAD {
            sleep(PAUSE).await;
        }
        life.cut().await?;
        // Nothing is written any more, so nothing need be held; and a program that is held does not die.
        drop(held);
        kill_among(server, &mut clients).await?;
        life.restore().await
    }
}
