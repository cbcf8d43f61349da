//! How much memory the program holds, as the system counts it.

use anyhow::Context as _;

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
