//! How much memory the program holds, as the system counts it.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::time::sleep;

/// Longest wait until it has given back what it held for connections that are closed.
const REST: Duration = Duration::from_secs(45);
/// The same where it is to be seen holding it: less than what an unfinished body is waited for.
pub(super) const SHORT_REST: Duration = Duration::from_secs(8);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// KiB that a process holds.
pub(super) fn resident(process: u32) -> anyhow::Result<u64> {
    line(process, "VmRSS:")
}

/// KiB that it held at most since it began or [`forget`] was called.
pub(super) fn highest(process: u32) -> anyhow::Result<u64> {
    line(process, "VmHWM:")
}

/// From now on the most that is held is counted anew.
pub(super) fn forget(process: u32) -> anyhow::Result<()> {
    Ok(std::fs::write(format!("/proc/{process}/clear_refs"), "5")?)
}

fn line(process: u32, name: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line =
        status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("there is no {name}"))?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

/// Waits until it holds at most so much, or for as long as that makes sense, and answers what it holds.
pub(super) async fn settled(process: u32, most: u64, held: bool) -> anyhow::Result<u64> {
    let (begun, longest) = (Instant::now(), if held { SHORT_REST } else { REST });
    loop {
        let now = resident(process)?;
        if now <= most || begun.elapsed() > longest {
            return Ok(now);
        }
        sleep(LOOK).await;
    }
}
