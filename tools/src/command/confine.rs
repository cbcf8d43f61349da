//! The inside of the launcher: confines itself, begins the program, and watches over it (`supervise`).
//!
//! A child begins as this very binary, and confines the one thread that the program is begun from: no code between fork and
//! exec, no window in which it runs free. Landlock holds back files and signals, a filter of system calls what Landlock does
//! not know (sockets, namespaces, tracing, mounts, leaving the process group), limits hold back amounts. It is all or
//! nothing: what cannot be set up ends the launcher before the program begins.

use std::fmt::Display;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use landlock::{
    ABI, Access as _, AccessFs, LandlockStatus, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, Scope,
    path_beneath_rules,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::CapabilitySet;
use serde::{Deserialize, Serialize};

use super::posture::Probed;
use super::reach::{Reach, around};
use super::{supervise, syscall};

/// The hidden word of the binary.
pub(super) const WORD: &str = "confine";
/// The last ABI of Landlock whose rights are known here: files, truncation, devices, signals (Linux 6.12).
const KNOWN: ABI = ABI::V6;
/// `nobody` on every Linux (the kernel's overflow id).
pub(super) const NOBODY: u32 = 65_534;
/// Most bytes of a file that a command leaves in the folder of its own, where it may write nowhere else.
const LARGEST_FILE: u64 = 1024 * 1024 * 1024;
const OPEN_FILES: u64 = 1024;

/// What programs need of a system before they do anything: programs, libraries, names, certificates, the kernel's state.
const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/proc",
    "/sys",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/terminfo",
    "/etc/timezone",
    "/run/systemd/resolve",
    "/dev/urandom",
    "/dev/random",
];
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full"];
/// Not part of what is around them: terminals, credentials of services, sockets of sessions.
const HIDDEN: &[&str] = &["/dev", "/run/credentials", "/run/user"];

/// What the launcher is told, as its one argument.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    /// The process of Jarvis, whom nothing outlives.
    pub(super) jarvis: u32,
    /// Whether it stays: then its standard input is its own. Otherwise it has none, and Jarvis is told there how it ended.
    pub(super) stays: bool,
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    /// Where it runs.
    pub(super) folder: PathBuf,
    /// A folder of its own.
    pub(super) scratch: PathBuf,
    pub(super) reach: Reach,
    /// Files and folders of Jarvis that nothing opens.
    pub(super) own: Vec<PathBuf>,
    /// The one folder in them that may be named all the same: `DATA/files`.
    pub(super) files: PathBuf,
    /// Whether Landlock, the filter and the watch over Jarvis must be there.
    pub(super) must: bool,
    /// Most processor time of each process, in seconds.
    pub(super) seconds: u64,
}

/// What the launcher is told, if this process is one: to be asked before anything else is begun.
#[must_use]
pub fn ordered() -> Option<String> {
    let mut words = std::env::args_os().skip(1);
    (words.next()? == WORD).then(|| words.next().unwrap_or_default().to_string_lossy().into_owned())
}

/// Confines a program, begins it, and comes back when it has ended or could not be begun.
#[must_use]
#[expect(clippy::print_stderr, reason = "it is the standard error of the command, whoever started it")]
pub fn confine(order: &str) -> ExitCode {
    if order == PROBE {
        return probe();
    }
    let Ok(order) = serde_json::from_str::<Order>(order) else {
        eprintln!("`jarvis {WORD}` is how Jarvis starts commands; it is of no use by itself");
        return ExitCode::from(2);
    };
    // Nothing that whoever started Jarvis left open goes on to the program.
    close_fds::set_fds_cloexec(3, &[]);
    let Err(fault) = supervise::over(&order);
    eprintln!("{fault}");
    ExitCode::FAILURE
}

/// Asks what this machine has, by trying it.
pub(super) const PROBE: &str = "probe";

#[expect(clippy::print_stdout, reason = "the answer is its output")]
fn probe() -> ExitCode {
    let watch = rustix::process::getppid().is_some_and(|parent| supervise::end_of(parent).is_ok());
    let landlock = restrict_files(&Reach::default(), &[]).unwrap_or(0);
    let filter = syscall::restrict(&Reach::default()).is_ok();
    let probed = Probed { landlock, filter, watch, root: rustix::process::geteuid().is_root() };
    println!("{}", serde_json::to_string(&probed).unwrap_or_default());
    ExitCode::SUCCESS
}

/// Confines this thread for good, and begins the program from it.
pub(super) fn begin(order: &Order) -> Result<Child, String> {
    // When memory is short, the command is the one to end. Where that cannot be said, nothing is lost.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let reach = &order.reach;
    let below = |tops: &[PathBuf]| tops.iter().flat_map(|top| open(top, order)).collect::<Vec<_>>();
    let mut reads = below(&reach.reads);
    let mut writes = below(&reach.writes);
    reads.push(order.program.clone());
    writes.push(order.scratch.clone());
    let wide = Reach { reads, writes, ..reach.clone() };
    let leaves_root = rustix::process::geteuid().is_root() && !reach.as_root;
    let landlock = restrict_files(&wide, &order.own);
    let filter = syscall::restrict(reach);
    if order.must {
        landlock.map_err(|fault| format!("Landlock: {fault}"))?;
        filter.map_err(|fault| format!("the filter of system calls: {fault}"))?;
    }
    let mut command = Command::new(&order.program);
    command.args(&order.args).current_dir(&order.folder);
    give_up_rights();
    // Told as whom to run, a child begins by fork(2): the other way asks for memory, which the limit has ended by now.
    match leaves_root {
        true => command.uid(NOBODY).gid(NOBODY),
        false => command.gid(rustix::process::getgid().as_raw()),
    };
    if !order.stays {
        command.stdin(Stdio::null());
    }
    let cannot = |error| format!("{} cannot be begun in {}: {error}", order.program.display(), order.folder.display());
    // Last: they hold for the launcher too, whose own memory counts.
    limit(order, leaves_root)?;
    command.spawn().map_err(cannot)
}

/// Even root reads no memory and no variables of others: these rights go past what Landlock holds back. Whoever has none
/// of them cannot give them up.
fn give_up_rights() {
    for right in [CapabilitySet::SYS_PTRACE, CapabilitySet::PERFMON, CapabilitySet::SYS_ADMIN] {
        let _ = rustix::thread::remove_capability_from_bounding_set(right);
    }
}

/// What may be opened of a folder that is named.
fn open(top: &Path, order: &Order) -> Vec<PathBuf> {
    let Ok(top) = top.canonicalize() else { return Vec::new() };
    if top.starts_with(&order.files) {
        return vec![top];
    }
    // Devices and what belongs to one user's session are opened only where they are named.
    let hidden = HIDDEN.iter().map(PathBuf::from).filter(|hidden| !top.starts_with(hidden));
    around(&top, &order.own.iter().cloned().chain(hidden).collect::<Vec<_>>())
}

/// Answers the ABI that is in force.
fn restrict_files(reach: &Reach, own: &[PathBuf]) -> Result<u32, String> {
    let system = SYSTEM.iter().filter_map(|path| Path::new(path).canonicalize().ok());
    let system: Vec<_> = system.flat_map(|path| around(&path, own)).collect();
    let told = |error: &dyn Display| error.to_string();
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))
        .and_then(|ruleset| ruleset.scope(Scope::from_all(KNOWN)))
        .and_then(Ruleset::create)
        .and_then(|ruleset| ruleset.add_rules(path_beneath_rules(system, AccessFs::from_read(KNOWN))))
        .and_then(|ruleset| ruleset.add_rules(path_beneath_rules(&reach.reads, AccessFs::from_read(KNOWN))))
        .and_then(|ruleset| ruleset.add_rules(path_beneath_rules(&reach.writes, AccessFs::from_all(KNOWN))))
        .and_then(|ruleset| ruleset.add_rules(path_beneath_rules(DEVICES, AccessFs::ReadFile | AccessFs::WriteFile)))
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(|error| told(&error))?;
    match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => Ok(effective_abi as u32),
        LandlockStatus::NotEnabled => Err("it is not switched on in this kernel (`lsm=` at boot)".to_owned()),
        LandlockStatus::NotImplemented => Err("this kernel has none (Linux 5.13 brings it)".to_owned()),
    }
}

fn limit(order: &Order, leaves_root: bool) -> Result<(), String> {
    let user = if leaves_root { NOBODY } else { rustix::process::getuid().as_raw() };
    let table = [
        (Resource::Cpu, order.seconds.saturating_add(1)),
        (Resource::Data, order.reach.memory.saturating_mul(1024 * 1024)),
        (Resource::Fsize, if order.reach.writes.is_empty() { LARGEST_FILE } else { u64::MAX }),
        (Resource::Nofile, OPEN_FILES),
        (Resource::Core, 0),
        (Resource::Nproc, tasks_of(user).saturating_add(order.reach.processes)),
    ];
    for (resource, most) in table {
        let hard = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let most = Some(hard.min(most)).filter(|most| *most < u64::MAX);
        setrlimit(resource, Rlimit { current: most, maximum: most })
            .map_err(|error| format!("the limit {resource:?} cannot be set: {error}"))?;
    }
    Ok(())
}

/// Processes and threads that a user has: the kernel's limit counts them all.
fn tasks_of(user: u32) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(entries) = std::fs::read_dir("/proc") else { return 0 };
    let is_process =
        |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().bytes().all(|c| c.is_ascii_digit());
    let own = entries.flatten().filter(is_process).filter(|entry| entry.metadata().is_ok_and(|it| it.uid() == user));
    let tasks = own.map(|entry| std::fs::read_dir(entry.path().join("task")).map_or(1, |tasks| tasks.count() as u64));
    tasks.sum()
}
