//! The very first start, killed at single calls: whatever is half there must not look like a loss later.

use super::Lane;
use super::injection::death;
use crate::life::Life;

/// Files of a new data directory, and how many of the calls that write to each are tried.
const FILES: [(&str, Tried); 4] = [
    ("jarvis.db", Tried::Some(6)),
    ("jarvis.db-wal", Tried::Some(6)),
    ("keys/audit.new", Tried::All),
    ("audit.new", Tried::All),
];

/// Most calls on one file that are counted.
const MOST: u64 = 60;

enum Tried {
    /// Each, until the program gets beyond them.
    All,
    /// So many, wherever chance has it.
    Some(u64),
}

impl Lane {
    /// Kills first starts.
    pub(super) async fn births(&mut self) -> anyhow::Result<()> {
        for (file, tried) in FILES {
            let numbers: Vec<u64> = match tried {
                Tried::All => (1..=MOST).collect(),
                Tried::Some(count) => (0..count).map(|_| self.chance.between(1, MOST)).collect(),
            };
            for number in numbers {
                let died = self.birth(file, number).await?;
                if !self.found.is_empty() {
                    return Ok(());
                }
                if !died && matches!(tried, Tried::All) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// One first start that is killed at a call, and the life after it. Answers whether it came to that call.
    async fn birth(&mut self, file: &str, number: u64) -> anyhow::Result<bool> {
        let name = format!("birth-{}-{number}", file.replace('/', "-"));
        let mut life = Life::begin(self.binary.clone(), &self.work, &name, None).await?;
        let died = match life.house.start_under(&death(&life.house.data, file, number)).await {
            Ok(server) => {
                server.kill().await?;
                false
            }
            Err(_) => true,
        };
        self.tally.births += u64::from(died);
        let Some(server) = self.start(&mut life).await else { return Ok(died) };
        life.furnish(&server.host, &mut self.chance).await?;
        life.compare(&server.host, true, &mut self.found).await?;
        for violation in &mut self.found {
            violation.what = format!("killed at call {number} on {file} of its first start: {}", violation.what);
        }
        life.end(server, &mut self.found).await?;
        if self.found.is_empty() {
            life.remove().await?;
        }
        Ok(died)
    }
}
