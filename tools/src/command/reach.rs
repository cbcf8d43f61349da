//! What a confined program may touch.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A family of sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Socket {
    /// TCP, UDP and ICMP, to this machine, the home network and the world alike.
    Internet,
    /// Programs of this machine: D-Bus, Docker, databases.
    Unix,
    /// The kernel's tables of the network.
    Netlink,
}

/// Folders, sockets and amounts. What is not named is out of reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Reach {
    /// Below these everything may be read and run, beside what programs need of the system. `/` is everything but Jarvis's
    /// own files.
    pub(super) reads: Vec<PathBuf>,
    /// Below these everything may be changed too.
    pub(super) writes: Vec<PathBuf>,
    pub(super) sockets: Vec<Socket>,
    /// Stays root where Jarvis is root. Otherwise it becomes `nobody`.
    pub(super) as_root: bool,
    /// Most memory of each process, in MiB.
    pub(super) memory: u64,
    /// Most processes and threads, beside those that its user has already. Root is not held to it.
    pub(super) processes: u64,
}

impl Default for Reach {
    fn default() -> Self {
        Self { reads: Vec::new(), writes: Vec::new(), sockets: Vec::new(), as_root: false, memory: 1024, processes: 64 }
    }
}

impl Reach {
    /// What is wrong with it.
    pub(super) fn fault(&self) -> Option<String> {
        let odd = self.reads.iter().chain(&self.writes).find(|path| !is_plain(path));
        if let Some(path) = odd {
            return Some(format!("`{}` is not an absolute path without `.` and `..`", path.display()));
        }
        if !(16..=1_048_576).contains(&self.memory) {
            return Some(format!("memory = {} is not 16 to 1048576 MiB", self.memory));
        }
        let few = !(1..=4096).contains(&self.processes);
        few.then(|| format!("processes = {} is not 1 to 4096", self.processes))
    }

    /// A line for each thing that a person should know before saying yes.
    pub(super) fn words(&self) -> Vec<String> {
        let list = |paths: &[PathBuf]| {
            let shown: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
            jarvis_safety::plain::visible(&shown.join(", "))
        };
        let reads = match self.reads.as_slice() {
            [] => "it may read programs and the system's state, no other files".to_owned(),
            [top] if top == Path::new("/") => "it may read all files but Jarvis's own".to_owned(),
            some => format!("it may read below {}", list(some)),
        };
        let writes = match self.writes.as_slice() {
            [] => "it may write to a folder of its own that is removed afterwards, and nowhere else".to_owned(),
            [top] if top == Path::new("/") => "it may write to all files but Jarvis's own".to_owned(),
            some => format!("it may write below {}", list(some)),
        };
        let sockets = |family| self.sockets.contains(&family);
        let network = match (sockets(Socket::Internet), sockets(Socket::Unix)) {
            (false, false) => "it reaches no network and no other program".to_owned(),
            (true, false) => "it may reach the network".to_owned(),
            (false, true) => "it may talk to programs of this machine, as far as they let it".to_owned(),
            (true, true) => "it may reach the network and programs of this machine".to_owned(),
        };
        let root = self.as_root.then(|| "it stays root where Jarvis is root".to_owned());
        [Some(reads), Some(writes), Some(network), root].into_iter().flatten().collect()
    }
}

pub(super) fn is_plain(path: &Path) -> bool {
    let text = path.to_string_lossy();
    path.is_absolute() && text.split('/').all(|part| part != "." && part != "..")
}

/// The folders and files below `top` that leave out `own`, as few as name them. A link is left out: what it leads to has
/// its own place.
pub(super) fn around(top: &Path, own: &[PathBuf]) -> Vec<PathBuf> {
    if own.iter().any(|own| top.starts_with(own)) {
        return Vec::new();
    }
    if !own.iter().any(|own| own.starts_with(top)) {
        return vec![top.to_owned()];
    }
    let Ok(entries) = std::fs::read_dir(top) else { return Vec::new() };
    let real = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_symlink()));
    real.flat_map(|entry| around(&entry.path(), own)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_jarviss_own_is_left_out_and_its_neighbours_are_not() {
        let place = tempfile::tempdir().unwrap();
        let top = place.path().canonicalize().unwrap();
        for folder in ["home/me/jarvis/keys", "home/me/photos", "srv"] {
            std::fs::create_dir_all(top.join(folder)).unwrap();
        }
        std::os::unix::fs::symlink(top.join("home/me/jarvis"), top.join("home/link")).unwrap();
        let own = [top.join("home/me/jarvis")];
        let mut found = around(&top, &own);
        found.sort();
        assert_eq!(found, [top.join("home/me/photos"), top.join("srv")]);
        assert_eq!(around(&top.join("srv"), &own), [top.join("srv")]);
        assert!(around(&top.join("home/me/jarvis/keys"), &own).is_empty());
        assert!(around(&top.join("home/me/jarvis"), &own).is_empty());
    }
}
