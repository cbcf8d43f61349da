//! `system_processes`: what runs, by processor or memory.

use std::collections::HashMap;
use std::time::Duration;

use jarvis_safety::bounded::Bounded;
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::tool::{Done, Look, RunContext, Spec, Tool, ToolError, Trust};
use jarvis_safety::{Effects, Target, Tier, kernel::Permit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sysinfo::{Process, ProcessRefreshKind, ProcessesToUpdate, UpdateKind};

use super::quantity::{bytes, tenth};
use super::user::users;
use super::{System, blocking, unreadable};

/// Use is a rate, so it takes two looks. The kernel counts in hundredths of a second: much closer together they would
/// tell busy from idle and nothing finer.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// By what processes are sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Sort {
    /// Processor use, highest first.
    #[default]
    Cpu,
    /// Memory use, highest first.
    Memory,
}

/// The busiest or largest processes of this machine: name, user, processor share, memory, start. Arguments of a program
/// are not shown, because passwords stand in them.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Sort by `cpu` or by `memory`.
    #[serde(default)]
    sort: Sort,
    /// How many, 1 to 100.
    #[serde(default = "ten")]
    limit: Bounded<1, 100>,
    /// Only processes with this in their name.
    #[serde(default)]
    #[schemars(length(max = 100))]
    name: Option<String>,
}

const fn ten() -> Bounded<1, 100> {
    Bounded::clamped(10)
}

/// One process.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Running {
    /// Name of the program.
    name: String,
    /// The script or file that the program was started with, where its first argument is a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// Process id.
    pid: u32,
    /// User it runs as.
    user: String,
    /// Share of one core over the last half second; above 100 when it uses several.
    cpu_percent: f64,
    /// Bytes of memory.
    memory_bytes: u64,
    /// When it started, in milliseconds since 1970.
    started: i64,
}

/// The processes.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// In the order asked for.
    processes: Vec<Running>,
    /// How many there are in all, or with this name.
    total: u64,
    /// By what they are sorted.
    sort: Sort,
}

pub(super) struct SystemProcesses(pub(super) System);

impl Tool for SystemProcesses {
    const SPEC: Spec = Spec {
        name: "system_processes",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(15),
        // Any program can give itself any name.
        trust: Trust::Untrusted,
        secrets: &[],
        examples: &[
            "what is using the CPU?",
            "show the top {limit} processes",
            "which processes use the most {sort}?",
            "what is eating the memory?",
            "is a process named {name} running?",
            "show processes",
        ],
        lists: None,
    };
    type Args = Args;
    type Output = Output;

    async fn resolve(&self, _: &Args, _: &Look) -> Result<Target, ToolError> {
        Ok(self.0.target())
    }

    fn sentence(&self, args: &Args, target: &Target) -> String {
        let by = if args.sort == Sort::Cpu { "processor use" } else { "memory use" };
        format!("list up to {} processes of {} by {by}", args.limit.get(), target.name)
    }

    async fn run(&self, args: Args, _: &RunContext, _: Permit<Self>) -> Result<Done<Output>, ToolError> {
        let machine = blocking(|| {
            let mut machine = sysinfo::System::new().map_err(|error| unreadable("the list of processes", error))?;
            refresh(&mut machine);
            Ok(machine)
        })
        .await?;
        tokio::time::sleep(BETWEEN_LOOKS).await;
        blocking(move || Ok(Done::new(read(machine, &args)))).await
    }

    fn words(&self, output: &Output) -> String {
        words(output)
    }
}

fn refresh(machine: &mut sysinfo::System) {
    let what = ProcessRefreshKind::nothing()
        .with_cpu()
        .with_memory()
        .with_user(UpdateKind::OnlyIfNotSet)
        .with_exe(UpdateKind::OnlyIfNotSet)
        .with_cmd(UpdateKind::OnlyIfNotSet)
        .without_tasks();
    machine.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
}

fn read(mut machine: sysinfo::System, args: &Args) -> Output {
    refresh(&mut machine);
    let wanted = args.name.as_deref().unwrap_or_default().to_lowercase();
    let mut found: Vec<_> = machine
        .processes()
        .values()
        .filter(|process| process.thread_kind().is_none_or(|kind| kind == sysinfo::ThreadKind::Kernel))
        .map(|process| (name_of(process), process))
        .filter(|(name, _)| name.to_lowercase().contains(&wanted))
        .collect();
    let total = found.len() as u64;
    found.sort_by(|(_, one), (_, other)| {
        let by_cpu = other.cpu_usage().total_cmp(&one.cpu_usage());
        let by_memory = other.memory().cmp(&one.memory());
        match args.sort {
            Sort::Cpu => by_cpu.then(by_memory),
            Sort::Memory => by_memory.then(by_cpu),
        }
        .then(one.pid().cmp(&other.pid()))
    });
    found.truncate(args.limit.get() as usize);
    let users = users();
    let processes = found.into_iter().map(|(name, process)| running(name, process, &users)).collect();
    Output { processes, total, sort: args.sort }
}

fn running(name: String, process: &Process, users: &HashMap<u32, String>) -> Running {
    let uid = process.effective_user_id().or_else(|| process.user_id()).map(|uid| **uid);
    let user = uid.map(|uid| users.get(&uid).cloned().unwrap_or_else(|| uid.to_string()));
    let argument = process.cmd().get(1).and_then(|argument| argument.to_str());
    Running {
        name,
        file: argument.filter(|argument| is_path(argument)).map(|path| shorten(&visible(path), 200)),
        pid: process.pid().as_u32(),
        user: user.unwrap_or_else(|| "unknown".to_owned()),
        cpu_percent: tenth(f64::from(process.cpu_usage())),
        memory_bytes: process.memory(),
        started: i64::try_from(process.start_time()).unwrap_or_default().saturating_mul(1000),
    }
}

/// The name of the program file where it shows. The name that a process gave itself is used only else: it is cut at 15
/// characters, and may say anything.
fn name_of(process: &Process) -> String {
    let program = process.exe().and_then(|exe| exe.file_name()).map(|name| name.to_string_lossy());
    // A program that runs from memory has the name of a piece of memory there.
    let program = program.filter(|name| !name.starts_with("memfd:"));
    let name = program.unwrap_or_else(|| process.name().to_string_lossy());
    shorten(&visible(name.strip_suffix(" (deleted)").unwrap_or(&name)), 60)
}

/// Only what is plainly a path: neither an address with a password in it, nor an option with a value.
fn is_path(argument: &str) -> bool {
    let begins = argument.starts_with('/') || argument.starts_with("./") || argument.starts_with("../");
    begins && !argument.contains(['=', '@', '?', ' ']) && !argument.contains("://")
}

fn words(output: &Output) -> String {
    if output.processes.is_empty() {
        return "No process has that in its name.".to_owned();
    }
    let shown: Vec<_> = output.processes.iter().take(10).map(line).collect();
    let by = if output.sort == Sort::Cpu { "processor use" } else { "memory" };
    format!("{} of {} processes by {by}:\n{}", shown.len(), output.total, shown.join("\n"))
}

fn line(process: &Running) -> String {
    let file = process.file.as_deref().map(|file| format!(" {file}")).unwrap_or_default();
    format!(
        "{}{file} ({}, {}): {:.1} % CPU, {}",
        process.name,
        process.pid,
        process.user,
        process.cpu_percent,
        bytes(process.memory_bytes)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_that_may_hold_secrets_are_not_paths() {
        for path in ["/opt/app/main.py", "./run.sh", "../x"] {
            assert!(is_path(path), "{path}");
        }
        for secret in ["--password=hunter2", "-phunter2", "hunter2", "postgres://u:p@h/db", "/x?token=1", "/a=b"] {
            assert!(!is_path(secret), "{secret}");
        }
    }
}
