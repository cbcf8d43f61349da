//! The filter of system calls: what Landlock does not hold back.
//!
//! A list of what is refused, not of what is allowed: programs differ too much for the other, and what is refused here
//! are ways around the rest (namespaces, mounts, tracing, rings), ways to the machine itself (modules, clocks, reboot),
//! sockets, and leaving the process group, by which everything a command began is ended together.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use super::reach::{Reach, Socket};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Refused whatever their arguments.
const REFUSED: &[c_long] = &[
    // Ways around what is confined.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Other processes, and leaving one's own group.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_setsid,
    libc::SYS_setpgid,
    // The kernel and the machine.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    libc::SYS_fanotify_init,
    // Memory and queues that outlive whoever made them.
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_msgget,
    libc::SYS_semget,
    libc::SYS_mq_open,
];
/// Rights, owners, times and attributes of files: Landlock knows none of them, so whoever shares Jarvis's user could change
/// those of his own files. Refused to what may write nowhere.
const INODE: &[c_long] = &[
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    FCHMODAT2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    SETXATTRAT,
    REMOVEXATTRAT,
    FILE_SETATTR,
];
/// The same, on the one architecture that has them.
#[cfg(target_arch = "x86_64")]
const INODE_HERE: &[c_long] =
    &[libc::SYS_chmod, libc::SYS_chown, libc::SYS_lchown, libc::SYS_utime, libc::SYS_utimes, libc::SYS_futimesat];
#[cfg(not(target_arch = "x86_64"))]
const INODE_HERE: &[c_long] = &[];
/// Younger than libc's list; the same number everywhere (`asm-generic/unistd.h`).
const FCHMODAT2: c_long = 452;
const SETXATTRAT: c_long = 463;
const REMOVEXATTRAT: c_long = 466;
const FILE_SETATTR: c_long = 469;
/// Refused on the one architecture that has them.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[c_long] = &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[c_long] = &[];
/// A namespace of its own, by way of clone(2).
const NAMESPACES: &[i32] = &[
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];
/// Set in the numbers of the x32 ABI, which would else go past every rule.
const X32: i64 = 0x4000_0000;
/// Numbers that only the x32 ABI has.
const X32_OWN: std::ops::RangeInclusive<i64> = 512..=547;
/// Bits of socketpair(2)'s type; flags stand above them.
const TYPE: u64 = 0xf;

/// Puts the filter in force, for this thread and whatever it becomes.
pub(super) fn restrict(reach: &Reach) -> Result<(), String> {
    let refused = refused(reach).map_err(|error| error.to_string())?;
    let absent = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    // As an old kernel says it: libraries then use clone(2), whose arguments a filter can see.
    apply(absent, libc::ENOSYS)?;
    apply(refused, libc::EPERM)
}

fn apply(mut rules: Rules, errno: i32) -> Result<(), String> {
    if cfg!(target_arch = "x86_64") {
        let twins: Vec<_> = rules.iter().map(|(call, rules)| (call | X32, rules.clone())).collect();
        rules.extend(twins);
        rules.extend(X32_OWN.map(|call| (call | X32, Vec::new())));
    }
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    let action = SeccompAction::Errno(u32::try_from(errno).unwrap_or_default());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch).map_err(|error| error.to_string())?;
    let program = BpfProgram::try_from(filter).map_err(|error| error.to_string())?;
    seccompiler::apply_filter(&program).map_err(|error| error.to_string())
}

fn refused(reach: &Reach) -> Result<Rules, seccompiler::BackendError> {
    let sockets = &reach.sockets;
    let inode = if reach.writes.is_empty() { [INODE, INODE_HERE] } else { [&[][..], &[]] };
    let always = REFUSED.iter().chain(REFUSED_HERE).chain(inode.into_iter().flatten());
    let mut rules: Rules = always.map(|call| (*call, Vec::new())).collect();
    others(&mut rules)?;
    let mut families = Vec::new();
    for socket in sockets {
        families.extend(match socket {
            Socket::Internet => vec![libc::AF_INET, libc::AF_INET6],
            Socket::Unix => vec![libc::AF_UNIX],
            Socket::Netlink => vec![libc::AF_NETLINK],
        });
    }
    // Names are looked up with the kernel's table of addresses.
    if sockets.contains(&Socket::Internet) {
        families.push(libc::AF_NETLINK);
    }
    rules.insert(libc::SYS_socket, none_of(&families)?);
    let mut pairs = none_of(&[libc::AF_UNIX])?;
    // A pair of these can be led to any socket of a path.
    for kind in [libc::SOCK_DGRAM, libc::SOCK_RAW] {
        pairs.push(rule(&[(1, SeccompCmpOp::MaskedEq(TYPE), number(kind))])?);
    }
    rules.insert(libc::SYS_socketpair, pairs);
    // A namespace of its own, or a child that would be Jarvis's instead of the command's.
    let spaces = NAMESPACES.iter().chain([&libc::CLONE_PARENT]).map(|flag| {
        let flag = number(*flag);
        rule(&[(0, SeccompCmpOp::MaskedEq(flag), flag)])
    });
    rules.insert(libc::SYS_clone, spaces.collect::<Result<_, _>>()?);
    // Words into the terminal of whoever started it.
    let push = [libc::TIOCSTI, libc::TIOCLINUX].map(|request| rule(&[(1, SeccompCmpOp::Eq, request)]));
    rules.insert(libc::SYS_ioctl, push.into_iter().collect::<Result<_, _>>()?);
    Ok(rules)
}

/// What a program may do to itself and to nobody else: limits, processors, priorities.
fn others(rules: &mut Rules) -> Result<(), seccompiler::BackendError> {
    // Setting a limit, and not only reading it, of another process.
    let limit = SeccompRule::new(vec![
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, 0)?,
        SeccompCondition::new(2, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 0)?,
    ])?;
    rules.insert(libc::SYS_prlimit64, vec![limit]);
    for call in
        [libc::SYS_sched_setaffinity, libc::SYS_sched_setscheduler, libc::SYS_sched_setparam, libc::SYS_sched_setattr]
    {
        rules.insert(call, vec![rule(&[(0, SeccompCmpOp::Ne, 0)])?]);
    }
    // The first argument says of whom: of one process (0 here, 1 there), and that one must be itself.
    for (call, process) in [(libc::SYS_setpriority, 0), (libc::SYS_ioprio_set, 1)] {
        rules.insert(call, vec![rule(&[(0, SeccompCmpOp::Ne, process)])?, rule(&[(1, SeccompCmpOp::Ne, 0)])?]);
    }
    Ok(())
}

/// Fits when every argument (by its place) compares so; of each the lower half, which is all of a number.
fn rule(arguments: &[(u8, SeccompCmpOp, u64)]) -> Result<SeccompRule, seccompiler::BackendError> {
    let conditions = arguments.iter().map(|(place, compares, value)| {
        SeccompCondition::new(*place, SeccompCmpArgLen::Dword, compares.clone(), *value)
    });
    SeccompRule::new(conditions.collect::<Result<_, _>>()?)
}

fn number(value: i32) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

/// Fits when the first argument is none of these; whatever it is, where there are none.
fn none_of(families: &[i32]) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    if families.is_empty() {
        return Ok(Vec::new());
    }
    let others: Vec<_> = families.iter().map(|family| (0, SeccompCmpOp::Ne, number(*family))).collect();
    Ok(vec![rule(&others)?])
}
