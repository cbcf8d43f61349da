//! `docker_stats`: what containers use just now.

use std::time::Duration;

use bollard::models::{ContainerCpuStats, ContainerStatsResponse, ContainerSummaryStateEnum};
use bollard::query_parameters::StatsOptionsBuilder;
use futures_util::{StreamExt as _, pin_mut, stream};
use jarvis_safety::kernel::Permit;
use jarvis_safety::tool::{Done, Look, RunContext, Spec, Tool, ToolError, ToolErrorKind, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::container::name_of;
use super::engine::Docker;
use super::size;

/// Most containers in one answer, and how many are asked at a time. The engine takes one to two seconds for each,
/// because the share of the processor is the difference of two looks.
const MOST: usize = 100;
const AT_ONCE: usize = 25;
/// Longest time for one container.
const EACH: Duration = Duration::from_secs(6);

pub(super) struct Stats(pub(super) Docker);

/// Measures what one running container, or all of them, use now: processor, memory, network, disk, processes.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Name or id of the container; leave it out for all that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-entity" = "container"))]
    container: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// The containers, the one with the most memory first.
    containers: Vec<Usage>,
    /// Containers that ended or did not answer while they were measured.
    missed: Vec<String>,
    /// How many running containers were left out.
    cut: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
struct Usage {
    name: String,
    /// Per cent of one processor: 200 is two processors fully used.
    cpu_percent: f64,
    /// Without the cache that the kernel gives back.
    memory_bytes: u64,
    /// The container's limit, or the memory of the machine.
    memory_limit_bytes: u64,
    memory_percent: f64,
    net_received_bytes: u64,
    net_sent_bytes: u64,
    disk_read_bytes: u64,
    disk_written_bytes: u64,
    processes: u64,
}

impl Tool for Stats {
    const SPEC: Spec = Spec {
        name: "docker_stats",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(40),
        trust: Trust::Named,
        secrets: &[],
        examples: &[
            "how much memory does {container} use?",
            "how much cpu does {container} use?",
            "which container uses the most memory?",
            "what do the containers use?",
            "docker stats",
            "how busy is {container}?",
        ],
        lists: None,
    };
    type Args = Args;
    type Output = Output;

    async fn resolve(&self, args: &Args, _: &Look) -> Result<Target, ToolError> {
        match &args.container {
            Some(name) => self.0.container(name).await,
            None => self.0.target().await,
        }
    }

    fn sentence(&self, args: &Args, target: &Target) -> String {
        match args.container {
            Some(_) => format!("Measure what container {} uses.", target.name),
            None => "Measure what all running containers use.".to_owned(),
        }
    }

    async fn run(&self, args: Args, _: &RunContext, permit: Permit<Self>) -> Result<Done<Output>, ToolError> {
        let target = permit.target();
        if args.container.is_some() {
            if !self.0.snapshot(target).await?.is_running() {
                return Err(ToolError::new(
                    ToolErrorKind::Invalid,
                    format!("{} is not running, so it uses nothing; docker_start starts it", target.name),
                ));
            }
            let usage = self.measure(target.id.clone(), target.name.clone()).await?;
            return Ok(Done::new(Output { containers: vec![usage], missed: Vec::new(), cut: 0 }));
        }
        let running = self.0.containers().await?.into_iter();
        let running: Vec<_> = running
            .filter(|one| one.state == Some(ContainerSummaryStateEnum::RUNNING))
            .filter_map(|one| Some((name_of(&one), one.id?)))
            .collect();
        let cut = running.len().saturating_sub(MOST);
        let measured = stream::iter(running.into_iter().take(MOST))
            .map(|(name, id)| async move { self.measure(id, name.clone()).await.map_err(|_| name) })
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        let (mut containers, mut missed) = (Vec::new(), Vec::new());
        for one in measured {
            match one {
                Ok(usage) => containers.push(usage),
                Err(name) => missed.push(name),
            }
        }
        containers.sort_by(|a, b| b.memory_bytes.cmp(&a.memory_bytes).then_with(|| a.name.cmp(&b.name)));
        missed.sort();
        Ok(Done::new(Output { containers, missed, cut }))
    }

    fn words(&self, output: &Output) -> String {
        let mut lines: Vec<_> = output.containers.iter().take(10).map(Usage::told).collect();
        if lines.is_empty() {
            lines.push("No container is running.".to_owned());
        }
        let more = output.containers.len().saturating_sub(10) + output.cut;
        if more > 0 {
            lines.push(format!("{more} more use less or were not measured."));
        }
        if !output.missed.is_empty() {
            lines.push(format!("Not measured, because they did not answer: {}.", output.missed.join(", ")));
        }
        lines.join("\n")
    }
}

impl Stats {
    async fn measure(&self, id: String, name: String) -> Result<Usage, ToolError> {
        let options = StatsOptionsBuilder::default().stream(false).build();
        let answers = self.0.client().await?.stats(&id, Some(options));
        pin_mut!(answers);
        let silent = || {
            ToolError::new(
                ToolErrorKind::Failed,
                format!("the engine did not measure {name} within {} s; ask again", EACH.as_secs()),
            )
        };
        let first = tokio::time::timeout(EACH, answers.next()).await.map_err(|_| silent())?;
        let answer = first.ok_or_else(silent)?.map_err(|error| self.0.failed(&error))?;
        Ok(Usage::of(&answer, name))
    }
}

impl Usage {
    fn of(answer: &ContainerStatsResponse, name: String) -> Self {
        let (memory_bytes, memory_limit_bytes) = memory(answer);
        let networks = answer.networks.iter().flatten().map(|(_, network)| network);
        let disk = |wanted: &str| {
            let all = answer.blkio_stats.as_ref().and_then(|disk| disk.io_service_bytes_recursive.as_ref());
            let fits = |op: &Option<String>| op.as_ref().is_some_and(|op| op.eq_ignore_ascii_case(wanted));
            all.into_iter().flatten().filter(|entry| fits(&entry.op)).filter_map(|entry| entry.value).sum()
        };
        Self {
            name,
            cpu_percent: cpu_percent(answer),
            memory_bytes,
            memory_limit_bytes,
            memory_percent: tenth(100.0 * memory_bytes as f64 / memory_limit_bytes.max(1) as f64),
            net_received_bytes: networks.clone().filter_map(|network| network.rx_bytes).sum(),
            net_sent_bytes: networks.filter_map(|network| network.tx_bytes).sum(),
            disk_read_bytes: disk("read"),
            disk_written_bytes: disk("write"),
            processes: answer.pids_stats.as_ref().and_then(|processes| processes.current).unwrap_or(0),
        }
    }

    /// `web uses 0.3 % of a processor and 12.3 MiB of memory (1.2 % of 1.0 GiB).`
    fn told(&self) -> String {
        format!(
            "{} uses {:.1} % of a processor and {} of memory ({:.1} % of {}).",
            self.name,
            self.cpu_percent,
            size::told(self.memory_bytes),
            self.memory_percent,
            size::told(self.memory_limit_bytes)
        )
    }
}

/// Share of one processor between the two looks, as `docker stats` counts it.
fn cpu_percent(answer: &ContainerStatsResponse) -> f64 {
    let used = |stats: &ContainerCpuStats| stats.cpu_usage.as_ref().and_then(|usage| usage.total_usage);
    let (Some(now), Some(before)) = (&answer.cpu_stats, &answer.precpu_stats) else { return 0.0 };
    let own = used(now).unwrap_or(0).saturating_sub(used(before).unwrap_or(0));
    let all = now.system_cpu_usage.unwrap_or(0).saturating_sub(before.system_cpu_usage.unwrap_or(0));
    let each = now.cpu_usage.as_ref().and_then(|usage| usage.percpu_usage.as_ref()).map_or(1, Vec::len);
    let processors = now.online_cpus.map_or(each as f64, f64::from);
    if all == 0 { 0.0 } else { tenth(100.0 * processors * own as f64 / all as f64) }
}

/// Memory in use and its limit. The cache of files is not in use: control groups of version 1 and 2 name it differently.
fn memory(answer: &ContainerStatsResponse) -> (u64, u64) {
    let Some(memory) = &answer.memory_stats else { return (0, 0) };
    let detail = |name: &str| memory.stats.as_ref().and_then(|stats| stats.get(name)).copied();
    let cache = detail("total_inactive_file").or_else(|| detail("inactive_file")).unwrap_or(0);
    (memory.usage.unwrap_or(0).saturating_sub(cache), memory.limit.unwrap_or(0))
}

fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_without_cache_and_cpu_as_share_of_one_processor() {
        let answer: ContainerStatsResponse = serde_json::from_str(
            r#"{"cpu_stats":{"cpu_usage":{"total_usage":3000},"system_cpu_usage":20000,"online_cpus":2},
            "precpu_stats":{"cpu_usage":{"total_usage":1000},"system_cpu_usage":10000},
            "memory_stats":{"usage":5000,"limit":10000,"stats":{"inactive_file":1000,"total_inactive_file":2000}},
            "networks":{"eth0":{"rx_bytes":7,"tx_bytes":8},"eth1":{"rx_bytes":1}},
            "blkio_stats":{"io_service_bytes_recursive":[{"op":"Read","value":5},{"op":"read","value":1},{"op":"Write","value":9}]},
            "pids_stats":{"current":3}}"#,
        )
        .unwrap();
        let usage = Usage::of(&answer, "web".to_owned());
        assert!((usage.cpu_percent - 40.0).abs() < 1e-9 && (usage.memory_percent - 30.0).abs() < 1e-9);
        assert_eq!((usage.memory_bytes, usage.net_received_bytes, usage.net_sent_bytes), (3000, 8, 8));
        assert_eq!((usage.disk_read_bytes, usage.disk_written_bytes, usage.processes), (6, 9, 3));
        assert_eq!(Usage::of(&ContainerStatsResponse::default(), String::new()), Usage::default());
    }
}
