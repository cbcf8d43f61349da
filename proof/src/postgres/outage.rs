//! What is broken, and when it is whole again.

use std::time::Duration;

use tokio::process::Command;
use tokio::time::sleep;

use super::cluster::{Cluster, Stop};
use super::gate::Gate;
use super::pair::Pair;
use crate::chance::Chance;

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outage {
    /// The server ends processes that serve the program: some or all of them.
    Terminated,
    /// Kill -9 of one such process; the server then begins anew with all of them.
    Crashed,
    /// The server is restarted in good order, and perhaps away for a while.
    Restarted,
    /// It is stopped at once and recovers from its log.
    Recovered,
    /// Connections are cut.
    Cut,
    /// Connections are cut, and none can be made for a while.
    Shut,
    /// Connections are cut in the middle of an answer.
    Snipped,
    /// Kill -9 of one replica, which is started again.
    OneKilled,
    /// Kill -9 of both at once.
    BothKilled,
}

/// Which there are, what the report calls them, and how often each of them comes in a hundred.
pub(super) const OUTAGES: [(Outage, &str, u64); 9] = [
    (Outage::Terminated, "backends terminated", 14),
    (Outage::Crashed, "backend killed", 10),
    (Outage::Restarted, "server restarted", 12),
    (Outage::Recovered, "server recovered", 12),
    (Outage::Cut, "connections cut", 10),
    (Outage::Shut, "connections refused", 12),
    (Outage::Snipped, "answers cut", 12),
    (Outage::OneKilled, "one replica killed", 12),
    (Outage::BothKilled, "both replicas killed", 6),
];

/// Longest that the database is away, most times.
const AWAY: Duration = Duration::from_secs(1);
/// How long it is away now and then: longer than anything is tried again, and not so long that a lease lapses.
const LONG: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(7));
/// Answers that are waited for so that they can be cut, at most, and the pause between two looks.
const LOOKS: u32 = 100;
const LOOK: Duration = Duration::from_millis(5);

impl Outage {
    /// One of them.
    pub(super) fn pick(chance: &mut Chance) -> Self {
        let mut thrown = chance.between(0, OUTAGES.iter().map(|(.., share)| share).sum());
        for (outage, _, share) in OUTAGES {
            match thrown.checked_sub(share) {
                Some(rest) => thrown = rest,
                None => return outage,
            }
        }
        Self::Terminated
    }

    pub(super) fn name(self) -> &'static str {
        OUTAGES.iter().find(|(outage, ..)| *outage == self).map_or("", |(_, name, _)| name)
    }

    /// Breaks it and, but for replicas that were killed, makes it whole again.
    pub(super) async fn happen(self, cluster: &Cluster, pair: &mut Pair, chance: &mut Chance) -> anyhow::Result<()> {
        match self {
            Self::Terminated => {
                let some = if chance.percent(50) { " and random() < 0.5" } else { "" };
                let sql = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'jarvis'";
                cluster.say("postgres", &format!("{sql}{some}")).await
            }
            Self::Crashed => {
                if let Some(id) = chance.pick(&cluster.backends().await?) {
                    // It may have ended by itself meanwhile.
                    Command::new("sh").args(["-c", "kill -KILL \"$0\" 2>/dev/null", &id.to_string()]).status().await?;
                }
                cluster.ready().await
            }
            Self::Restarted => restart(cluster, pair, Stop::Fast, chance).await,
            Self::Recovered => restart(cluster, pair, Stop::Immediate, chance).await,
            Self::Cut => {
                chosen(pair, chance).filter_map(|number| pair.gates.get(number)).for_each(Gate::cut);
                Ok(())
            }
            Self::Shut => {
                let chosen: Vec<_> = chosen(pair, chance).collect();
                shut(pair, &chosen).await;
                sleep(away(chance)).await;
                reopen(pair, &chosen).await
            }
            Self::Snipped => {
                snip(pair, chance).await;
                Ok(())
            }
            Self::OneKilled => {
                let one = pair.one(chance)?;
                pair.kill(one).await
            }
            Self::BothKilled => {
                while let Ok(one) = pair.one(chance) {
                    pair.kill(one).await?;
                }
                Ok(())
            }
        }
    }
}

/// How long the database is away this time.
fn away(chance: &mut Chance) -> Duration {
    if chance.percent(12) { chance.time(LONG.0, LONG.1) } else { chance.time(Duration::ZERO, AWAY) }
}

/// One gate, or all of them.
fn chosen(pair: &Pair, chance: &mut Chance) -> impl Iterator<Item = usize> + use<> {
    let all = pair.gates.len();
    let one = usize::try_from(chance.between(0, all as u64)).unwrap_or(0);
    if chance.percent(50) { 0..all } else { one..one + 1 }
}

async fn restart(cluster: &Cluster, pair: &mut Pair, how: Stop, chance: &mut Chance) -> anyhow::Result<()> {
    // A gate takes connections although nobody is behind it; a server that is away takes none.
    let all: Vec<_> = if chance.percent(50) { (0..pair.gates.len()).collect() } else { Vec::new() };
    let away = if chance.percent(60) { away(chance) } else { Duration::ZERO };
    shut(pair, &all).await;
    cluster.stop(how).await?;
    sleep(away).await;
    cluster.start().await?;
    cluster.ready().await?;
    reopen(pair, &all).await
}

async fn shut(pair: &mut Pair, chosen: &[usize]) {
    for number in chosen {
        if let Some(gate) = pair.gates.get_mut(*number) {
            gate.shut().await;
        }
    }
}

async fn reopen(pair: &mut Pair, chosen: &[usize]) -> anyhow::Result<()> {
    for number in chosen {
        if let Some(gate) = pair.gates.get_mut(*number) {
            gate.reopen().await?;
        }
    }
    Ok(())
}

/// Cuts some connections in the middle of the next answers.
async fn snip(pair: &Pair, chance: &mut Chance) {
    let gates: Vec<_> = chosen(pair, chance).filter_map(|number| pair.gates.get(number)).collect();
    for gate in &gates {
        gate.snip(chance.between(1, 6));
    }
    let mut looks = 0;
    while gates.iter().any(|gate| gate.is_snipping()) && looks < LOOKS {
        looks += 1;
        sleep(LOOK).await;
    }
    gates.iter().for_each(|gate| gate.snip(0));
}
