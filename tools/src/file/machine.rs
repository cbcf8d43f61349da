//! Folders of a machine's system: read like any other below a root, and never changed, whatever the roots say.
//!
//! What lies there is run, obeyed or trusted by the machine without asking again: programs, their configuration, logs,
//! jobs, logins, devices. The list is closed and short enough to be said in one sentence. It holds for this machine, and
//! for every folder that holds a whole machine (the host's disk as a container sees it, the tree of another container).

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jarvis_safety::plain::visible;
use jarvis_safety::tool::ToolError;

use super::fault::closed;

/// Below the top of a machine. Programs: bin to usr. Configuration: boot, etc. The kernel: dev, proc, run, sys. What
/// services, package managers, cron and the journal keep: below var.
const SYSTEM: [&str; 21] = [
    "bin",
    "sbin",
    "lib",
    "lib32",
    "lib64",
    "libx32",
    "nix",
    "snap",
    "usr",
    "boot",
    "efi",
    "etc",
    "dev",
    "proc",
    "run",
    "sys",
    "var/cache",
    "var/lib",
    "var/log",
    "var/run",
    "var/spool",
];
/// Folders that decide who may sign in, wherever they are.
const LOGIN: [&str; 2] = [".ssh", ".gnupg"];

/// Refuses a canonical path that lies in such a folder.
pub(super) fn spares(absolute: &Path) -> Result<(), ToolError> {
    let known: Vec<_> = SYSTEM.iter().filter_map(|folder| identity(&Path::new("/").join(folder))).collect();
    let Some(folder) = by_path(absolute).or_else(|| by_mount(absolute, &known)) else { return Ok(()) };
    Err(closed(format!(
        "`{}` lies in {}, a folder of the system; no tool changes those, whatever the settings allow. Do it by hand",
        visible(&absolute.to_string_lossy()),
        visible(&folder.to_string_lossy())
    )))
}

fn by_path(absolute: &Path) -> Option<PathBuf> {
    let in_machine = |top: &&Path| is_machine(top);
    let system = absolute.ancestors().filter(in_machine).find_map(|top| {
        let rest = absolute.strip_prefix(top).ok()?;
        SYSTEM.iter().find(|folder| rest.starts_with(folder)).map(|folder| top.join(folder))
    });
    let login = |part: &&Path| part.file_name().is_some_and(|name| LOGIN.iter().any(|login| name == *login));
    system.or_else(|| absolute.ancestors().find(login).map(Path::to_owned))
}

/// The same folder under another path: a bind mount.
fn by_mount(absolute: &Path, known: &[(u64, u64)]) -> Option<PathBuf> {
    let system = |folder: &&Path| identity(folder).is_some_and(|identity| known.contains(&identity));
    absolute.ancestors().find(system).map(Path::to_owned)
}

/// Every system says what it is in os-release(5).
fn is_machine(top: &Path) -> bool {
    let told = ["etc/os-release", "usr/lib/os-release"];
    top == Path::new("/") || told.iter().any(|file| top.join(file).symlink_metadata().is_ok())
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|seen| (seen.dev(), seen.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_of_this_system_are_closed_and_their_neighbours_are_not() {
        for path in
            ["/etc", "/etc/passwd", "/usr/local/bin/x", "/var/lib/x/y", "/var/spool/cron/root", "/run/x", "/lib64/x"]
        {
            assert!(spares(Path::new(path)).is_err(), "{path}");
        }
        for path in ["/root/.ssh/authorized_keys", "/home/me/.gnupg/x", "/srv/.ssh"] {
            assert!(spares(Path::new(path)).is_err(), "{path}");
        }
        for path in ["/", "/srv/etc/x", "/home/me/usr/x", "/etcetera/x", "/var/www/x", "/opt/x", "/root/x", "/tmp/x"] {
            assert!(spares(Path::new(path)).is_ok(), "{path}");
        }
    }

    #[test]
    fn another_machines_folders_are_closed_too() {
        let place = tempfile::tempdir().unwrap();
        let top = place.path().canonicalize().unwrap();
        std::fs::create_dir_all(top.join("etc")).unwrap();
        assert!(spares(&top.join("etc/passwd")).is_ok(), "a folder of that name is no machine");
        std::fs::write(top.join("etc/os-release"), "ID=lab").unwrap();
        assert!(spares(&top.join("etc/passwd")).is_err());
        assert!(spares(&top.join("var/lib/x")).is_err());
        assert!(spares(&top.join("srv/x")).is_ok());
    }

    #[test]
    fn a_system_folder_is_known_under_another_mount() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().canonicalize().unwrap();
        let known = [identity(&folder).unwrap()];
        assert_eq!(by_mount(&folder.join("a/b"), &known), Some(folder.clone()));
        assert_eq!(by_mount(folder.parent().unwrap(), &known), None);
    }
}
