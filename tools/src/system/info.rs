//! `system_info`: how this machine is, in one look.

use std::time::Duration;

use jarvis_safety::plain::visible;
use jarvis_safety::tool::{Done, Look, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier, kernel::Permit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sysinfo::{Components, MINIMUM_CPU_UPDATE_INTERVAL};

use super::host::Host;
use super::memory::{Memory, Swap};
use super::mount::{Mount, Mounts};
use super::quantity::{bytes, counted, span, tenth};
use super::sampler::process_count;
use super::temperature::{Sensor, heat};
use super::{System, blocking, unreadable};

/// How this machine is: name, system, uptime, processor use and load, memory, the fullest disk, temperature. Start here
/// when somebody asks whether the machine is well.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {}

/// How this machine is.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// Host name.
    host: String,
    /// Distribution and version.
    os: String,
    /// Kernel release.
    kernel: String,
    /// Instruction set.
    arch: String,
    /// What it runs inside of, where that shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    virtualization: Option<String>,
    /// Seconds since it started.
    uptime_seconds: u64,
    /// Number of logical cores.
    cores: u64,
    /// Busy share of all cores over the last fifth of a second, 0 to 100.
    cpu_percent: f64,
    /// Load averages over 1, 5 and 15 minutes.
    load: [f64; 3],
    /// Memory.
    memory: Memory,
    /// Swap.
    swap: Swap,
    /// Number of processes.
    processes: u64,
    /// The fullest file system that holds data.
    #[serde(skip_serializing_if = "Option::is_none")]
    fullest_disk: Option<Mount>,
    /// Number of file systems that hold data.
    disks: u64,
    /// Hottest sensor in °C; absent where the machine shows none.
    #[serde(skip_serializing_if = "Option::is_none")]
    celsius: Option<f64>,
    /// Sensors that are near their limit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hot: Vec<Sensor>,
}

pub(super) struct SystemInfo(pub(super) System);

impl Tool for SystemInfo {
    const SPEC: Spec = Spec {
        name: "system_info",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(10),
        trust: Trust::Named,
        secrets: &[],
        examples: &[
            "how is this machine?",
            "how is the server doing?",
            "is everything all right here?",
            "what is the uptime?",
            "how much memory is free?",
            "show CPU, load and memory",
            "which system and kernel is this?",
        ],
        lists: None,
    };
    type Args = Args;
    type Output = Output;

    async fn resolve(&self, _: &Args, _: &Look) -> Result<Target, ToolError> {
        Ok(self.0.target())
    }

    fn sentence(&self, _: &Args, target: &Target) -> String {
        format!("look at {}", target.name)
    }

    async fn run(&self, _: Args, _: &RunContext, _: Permit<Self>) -> Result<Done<Output>, ToolError> {
        let mut machine = sysinfo::System::new().map_err(|error| unreadable("the state of this machine", error))?;
        machine.refresh_cpu_usage();
        // Use is a rate: it takes two looks, and sysinfo answers nothing for a shorter time between them.
        tokio::time::sleep(MINIMUM_CPU_UPDATE_INTERVAL + Duration::from_millis(10)).await;
        let host = self.0.host().clone();
        blocking(move || Ok(Done::new(read(host, machine)))).await
    }

    fn words(&self, output: &Output) -> String {
        words(output)
    }
}

fn read(host: Host, mut machine: sysinfo::System) -> Output {
    machine.refresh_cpu_usage();
    machine.refresh_memory();
    let mounts = Mounts::read().unwrap_or_default().measured;
    let load = sysinfo::System::load_average().map(|load| [load.one, load.five, load.fifteen]);
    let sensors = Components::new_with_refreshed_list().ok();
    let (celsius, hot) = sensors.as_ref().map(heat).unwrap_or_default();
    Output {
        host: host.name,
        os: host.os,
        kernel: host.kernel,
        arch: host.arch,
        virtualization: host.virtualization,
        uptime_seconds: sysinfo::System::uptime().unwrap_or_default(),
        cores: machine.cpus().len() as u64,
        cpu_percent: tenth(f64::from(machine.global_cpu_usage())),
        load: load.unwrap_or_default(),
        memory: Memory::of(&machine),
        swap: Swap::of(&machine),
        processes: process_count(),
        disks: mounts.len() as u64,
        fullest_disk: mounts.into_iter().next(),
        celsius,
        hot,
    }
}

/// One paragraph, what is unusual first.
fn words(output: &Output) -> String {
    let unusual = unusual(output);
    let lead = if unusual.is_empty() {
        format!("{} is fine.", output.host)
    } else {
        format!("{} needs a look: {}.", output.host, unusual.join("; "))
    };
    let [one, five, fifteen] = output.load;
    let mut parts = vec![
        format!("Up {}", span(output.uptime_seconds)),
        format!(
            "CPU at {:.0} % of {}, load {one:.2} {five:.2} {fifteen:.2}",
            output.cpu_percent,
            counted(output.cores, "core")
        ),
        format!(
            "{} of {} memory in use ({:.0} %)",
            bytes(output.memory.used),
            bytes(output.memory.total),
            output.memory.percent
        ),
    ];
    if let Some(disk) = &output.fullest_disk {
        let which = if output.disks == 1 { "the disk" } else { "the fullest disk" };
        parts.push(format!(
            "{which} {} is {:.0} % full, {} free",
            visible(&disk.mount),
            disk.percent,
            bytes(disk.free)
        ));
    }
    if let Some(celsius) = output.celsius {
        parts.push(format!("the hottest sensor shows {celsius:.0} °C"));
    }
    parts.push(format!("{} processes", output.processes));
    format!("{lead} {}; {}, kernel {}.", parts.join("; "), output.os, output.kernel)
}

fn unusual(output: &Output) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(disk) = output.fullest_disk.as_ref().filter(|disk| disk.percent >= 85.0) {
        found.push(format!("the disk {} is {:.0} % full", visible(&disk.mount), disk.percent));
    }
    let inodes = output.fullest_disk.as_ref().and_then(|disk| disk.inodes_percent);
    if let Some(inodes) = inodes.filter(|share| *share >= 90.0) {
        found.push(format!("{inodes:.0} % of its inodes are used"));
    }
    if output.memory.percent >= 90.0 {
        found.push(format!("{:.0} % of the memory is in use", output.memory.percent));
    }
    if output.load[0] > output.cores as f64 {
        found.push(format!("the load of {:.1} is above its {}", output.load[0], counted(output.cores, "core")));
    }
    if let Some(sensor) = output.hot.first() {
        found.push(format!("it is hot, {}", sensor.words()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1024 * 1024 * 1024;

    fn well() -> Output {
        Output {
            host: "rack-1".to_owned(),
            os: "Debian 12".to_owned(),
            kernel: "6.1.0".to_owned(),
            arch: "x86_64".to_owned(),
            virtualization: None,
            uptime_seconds: 12 * 86_400,
            cores: 4,
            cpu_percent: 3.4,
            load: [0.2, 0.3, 0.25],
            memory: Memory { total: 16 * GIB, used: 4 * GIB, cache: 8 * GIB, available: 12 * GIB, percent: 25.0 },
            swap: Swap { total: 0, used: 0 },
            processes: 210,
            fullest_disk: Some(Mount {
                mount: "/".to_owned(),
                device: "/dev/sda1".to_owned(),
                fs: "ext4".to_owned(),
                total: 100 * GIB,
                used: 40 * GIB,
                free: 60 * GIB,
                percent: 40.0,
                inodes_percent: Some(3.0),
            }),
            disks: 1,
            celsius: None,
            hot: Vec::new(),
        }
    }

    #[test]
    fn a_machine_that_is_well_is_called_fine() {
        assert_eq!(
            words(&well()),
            "rack-1 is fine. Up 12 days; CPU at 3 % of 4 cores, load 0.20 0.30 0.25; 4.0 GiB of 16.0 GiB memory in \
             use (25 %); the disk / is 40 % full, 60.0 GiB free; 210 processes; Debian 12, kernel 6.1.0."
        );
    }

    #[test]
    fn what_is_unusual_comes_first() {
        let mut bad = well();
        bad.load[0] = 9.0;
        bad.memory.percent = 93.0;
        bad.celsius = Some(91.0);
        bad.hot = vec![Sensor { sensor: "coretemp Core 0".to_owned(), celsius: 91.0, critical: Some(100.0) }];
        if let Some(disk) = &mut bad.fullest_disk {
            disk.percent = 85.0;
        }
        let words = words(&bad);
        assert!(
            words.starts_with(
                "rack-1 needs a look: the disk / is 85 % full; 93 % of the memory is in use; the load of 9.0 is \
                 above its 4 cores; it is hot, coretemp Core 0 91 °C (critical at 100 °C)."
            ),
            "{words}"
        );
    }
}
