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

use super::reach::Socket;

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
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    libc::SYS_fanotify_init,
];
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

/// Puts the filter in force, for this thread and whatever it becomes.
pub(super) fn restrict(sockets: &[Socket]) -> Result<(), String> {
    let refused = refused(sockets).map_err(|error| error.to_string())?;
    let absent = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    // As an old kernel says it: libraries then use clone(2), whose arguments a filter can see.
    apply(absent, libc::ENOSYS)?;
    apply(refused, libc::EPERM)
}

fn apply(mut rules: Rules, errno: i32) -> Result<(), String> {
    if cfg!(target_arch = "x86_64") {
        let twins: Vec<_> = rules.iter().map(|(call, rules)| (call | X32, rules.clone())).collect();
        rules.extend(twins);
    }
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    let action = SeccompAction::Errno(u32::try_from(errno).unwrap_or_default());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch).map_err(|error| error.to_string())?;
    let program = BpfProgram::try_from(filter).map_err(|error| error.to_string())?;
    seccompiler::apply_filter(&program).map_err(|error| error.to_string())
}

fn refused(sockets: &[Socket]) -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = REFUSED.iter().chain(REFUSED_HERE).map(|call| (*call, Vec::new())).collect();
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
    rules.insert(libc::SYS_socketpair, none_of(&[libc::AF_UNIX])?);
    let spaces = NAMESPACES.iter().map(|flag| {
        let flag = u64::try_from(*flag).unwrap_or_default();
        SeccompRule::new(vec![SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(flag), flag)?])
    });
    rules.insert(libc::SYS_clone, spaces.collect::<Result<_, _>>()?);
    // Words into the terminal of whoever started it.
    let push = [libc::TIOCSTI, libc::TIOCLINUX].map(|request| {
        SeccompRule::new(vec![SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, request)?])
    });
    rules.insert(libc::SYS_ioctl, push.into_iter().collect::<Result<_, _>>()?);
    Ok(rules)
}

/// Fits when the first argument is none of these; whatever it is, where there are none.
fn none_of(families: &[i32]) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    if families.is_empty() {
        return Ok(Vec::new());
    }
    let others = families.iter().map(|family| {
        let family = u64::try_from(*family).unwrap_or_default();
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, family)
    });
    Ok(vec![SeccompRule::new(others.collect::<Result<_, _>>()?)?])
}
