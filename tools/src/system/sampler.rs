//! The few numbers that a dashboard shows all the time.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use sysinfo::{Components, MemoryRefreshKind, Networks};

use super::memory::Memory;
use super::mount::Mounts;
use super::quantity::tenth;
use super::temperature::heat;

/// This machine at one moment. The fields are those of the wire's `Gauges`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Gauges {
    /// Busy share of all cores since the last sample, 0 to 100.
    pub cpu_percent: f64,
    /// Number of logical cores.
    pub cores: u64,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: [f64; 3],
    /// Bytes in use and not reclaimable.
    pub memory_used: u64,
    /// Bytes of reclaimable cache.
    pub memory_cache: u64,
    /// Bytes of memory.
    pub memory_total: u64,
    /// Mounted file systems that hold data, fullest first.
    pub disks: Vec<DiskGauge>,
    /// Hottest sensor in °C; absent where the machine shows none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub celsius: Option<f64>,
    /// Bytes received and sent a second since the last sample.
    pub network: [u64; 2],
    /// Seconds since the machine started.
    pub uptime: u64,
}

/// One file system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DiskGauge {
    /// Where it is mounted.
    pub mount: String,
    /// Bytes in use.
    pub used: u64,
    /// Bytes in all that programs may use: what is reserved for root is left out, so that full reads as full.
    pub total: u64,
}

/// Takes samples. Rates are over the time between two of them.
///
/// A sample reads files of `/proc` and `/sys` and may wait for a disk: take it on a blocking thread.
#[derive(Debug)]
pub struct Sampler {
    machine: Option<sysinfo::System>,
    networks: Option<Networks>,
    components: Option<Components>,
    last: Instant,
}

impl Sampler {
    /// Takes the first look, against which the first sample is measured.
    #[must_use]
    pub fn new() -> Self {
        let mut machine = sysinfo::System::new().ok();
        if let Some(machine) = &mut machine {
            machine.refresh_cpu_usage();
        }
        Self {
            machine,
            networks: Networks::new_with_refreshed_list().ok(),
            components: Components::new_with_refreshed_list().ok(),
            last: Instant::now(),
        }
    }

    /// This machine now. What cannot be read stays zero or absent.
    pub fn sample(&mut self) -> Gauges {
        let load = sysinfo::System::load_average().map(|load| [load.one, load.five, load.fifteen]);
        let mut gauges = Gauges {
            load: load.unwrap_or_default(),
            uptime: sysinfo::System::uptime().unwrap_or_default(),
            disks: disks(),
            network: self.network(),
            ..Gauges::default()
        };
        if let Some(machine) = &mut self.machine {
            machine.refresh_cpu_usage();
            machine.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
            let memory = Memory::of(machine);
            gauges.cpu_percent = tenth(f64::from(machine.global_cpu_usage()));
            gauges.cores = machine.cpus().len() as u64;
            gauges.memory_total = memory.total;
            gauges.memory_used = memory.used;
            gauges.memory_cache = memory.cache;
        }
        if let Some(components) = &mut self.components {
            components.refresh(true);
            gauges.celsius = heat(components).0;
        }
        gauges
    }

    fn network(&mut self) -> [u64; 2] {
        let Some(networks) = &mut self.networks else { return [0, 0] };
        networks.refresh(true);
        let elapsed = self.last.elapsed().as_secs_f64();
        self.last = Instant::now();
        let names: Vec<_> = networks.keys().filter_map(|name| name.to_str()).collect();
        let counted = counted(&names, |name| Path::new("/sys/class/net").join(name).join("device").exists());
        let (mut received, mut sent) = (0_u64, 0_u64);
        for (name, data) in networks.iter() {
            if counted.iter().any(|kept| name == kept.as_str()) {
                received = received.saturating_add(data.received());
                sent = sent.saturating_add(data.transmitted());
            }
        }
        [rate(received, elapsed), rate(sent, elapsed)]
    }
}

impl Default for Sampler {
    fn default() -> Self {
        Self::new()
    }
}

/// The interfaces whose traffic is the machine's. A byte to a container passes a bridge, a pair and the card: counted
/// everywhere it would show three times. So where there are cards only cards count; where there are none (in a
/// container) all but loopback.
fn counted(names: &[&str], is_card: impl Fn(&str) -> bool) -> Vec<String> {
    let cards: Vec<_> = names.iter().filter(|name| is_card(name)).map(|name| (*name).to_owned()).collect();
    if cards.is_empty() {
        return names.iter().filter(|name| **name != "lo").map(|name| (*name).to_owned()).collect();
    }
    cards
}

fn rate(count: u64, seconds: f64) -> u64 {
    if seconds < 0.001 { 0 } else { (count as f64 / seconds) as u64 }
}

fn disks() -> Vec<DiskGauge> {
    let mounts = Mounts::read().unwrap_or_default().measured;
    let gauge = |mount: super::mount::Mount| DiskGauge {
        total: mount.used.saturating_add(mount.free),
        used: mount.used,
        mount: mount.mount,
    };
    mounts.into_iter().map(gauge).collect()
}

/// Number of processes: the directories of `/proc` that are numbers.
pub(super) fn process_count() -> u64 {
    let Ok(entries) = fs::read_dir("/proc") else { return 0 };
    let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(is_number)).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_through_a_bridge_is_counted_once() {
        let names = ["lo", "eth0", "docker0", "veth1"];
        assert_eq!(counted(&names, |name| name == "eth0"), ["eth0"]);
        assert_eq!(counted(&["lo", "eth0"], |_| false), ["eth0"], "inside a container");
    }

    #[test]
    fn a_rate_over_no_time_is_nothing() {
        assert_eq!(rate(1000, 0.0), 0);
        assert_eq!(rate(1000, 0.5), 2000);
    }
}
