//! The mounted file systems that hold data: which there are, and how full.
//!
//! `/proc/self/mountinfo` (proc_pid_mountinfo(5)) lists far more than a person means by "the disks": kernel views,
//! overlays of containers, images, the same device in ten places. What is kept here is one mount a device, of file
//! systems that live on storage. Network mounts are named but not measured: `statvfs` on a server that has gone away
//! waits for ever.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::quantity::percent;

const DATA: [&str; 22] = [
    "ext2",
    "ext3",
    "ext4",
    "xfs",
    "btrfs",
    "zfs",
    "f2fs",
    "bcachefs",
    "jfs",
    "reiserfs",
    "nilfs2",
    "ufs",
    "vfat",
    "exfat",
    "msdos",
    "ntfs",
    "ntfs3",
    "fuseblk",
    "hfs",
    "hfsplus",
    "apfs",
    "fuse.mergerfs",
];
const NETWORK: [&str; 10] =
    ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "fuse.sshfs", "fuse.rclone", "fuse.glusterfs"];
/// Where container engines and boot loaders mount things that are not a person's disks.
const NOISE: [&str; 7] =
    ["/var/lib/docker/", "/var/lib/containers/", "/var/lib/kubelet/", "/run/", "/snap/", "/boot/efi", "/efi"];

/// How full a mounted file system is.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Mount {
    /// Where it is mounted.
    pub(super) mount: String,
    /// What is mounted.
    pub(super) device: String,
    /// Type of the file system.
    pub(super) fs: String,
    /// Bytes in all.
    pub(super) total: u64,
    /// Bytes in use.
    pub(super) used: u64,
    /// Bytes that programs can still write.
    pub(super) free: u64,
    /// Used share, 0 to 100, of what programs may use (as `df` counts it).
    pub(super) percent: f64,
    /// Used share of the inodes, 0 to 100; absent where the file system makes them as needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inodes_percent: Option<f64>,
}

/// The mounts of this machine.
#[derive(Debug, Clone, Default)]
pub(super) struct Mounts {
    /// With data, fullest first.
    pub(super) measured: Vec<Mount>,
    /// Mounts over the network, not measured.
    pub(super) network: Vec<String>,
}

impl Mounts {
    /// Reads and measures them.
    pub(super) fn read() -> std::io::Result<Self> {
        let table = fs::read_to_string("/proc/self/mountinfo")?;
        let entries = entries(&table);
        let is_directory = |entry: &&Entry| Path::new(&entry.mount).is_dir();
        let mut measured: Vec<_> = data(&entries).into_iter().filter(is_directory).filter_map(measure).collect();
        if measured.is_empty() {
            // Inside a container every real file system is hidden behind the root.
            measured.extend(entries.iter().filter(|entry| entry.mount == "/").filter_map(measure));
        }
        measured.sort_by(|one, other| other.percent.total_cmp(&one.percent));
        let network = entries.iter().filter(|entry| NETWORK.contains(&entry.fs.as_str()));
        Ok(Self { measured, network: network.map(|entry| entry.mount.clone()).collect() })
    }
}

/// Every place where something is mounted: a walk that stays on one file system must not step into them.
pub(super) fn mount_points() -> HashSet<PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    entries(&table).into_iter().map(|entry| PathBuf::from(entry.mount)).collect()
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    /// `major:minor`.
    number: String,
    /// What part of the file system is mounted.
    root: String,
    mount: String,
    fs: String,
    source: String,
}

/// The table, without what a later mount on the same place hides.
fn entries(table: &str) -> Vec<Entry> {
    let mut by_place = BTreeMap::new();
    for entry in table.lines().filter_map(entry) {
        by_place.insert(entry.mount.clone(), entry);
    }
    by_place.into_values().collect()
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
fn entry(line: &str) -> Option<Entry> {
    let (place, kind) = line.split_once(" - ")?;
    let place: Vec<_> = place.split(' ').collect();
    let mut kind = kind.split(' ');
    Some(Entry {
        number: (*place.get(2)?).to_owned(),
        root: unescaped(place.get(3)?),
        mount: unescaped(place.get(4)?),
        fs: kind.next()?.to_owned(),
        source: unescaped(kind.next()?),
    })
}

/// Space, tab, line break and backslash are written as three octal digits.
fn unescaped(field: &str) -> String {
    field.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

/// One mount a device. The whole file system is preferred to a part of it, then the shortest path.
fn data(entries: &[Entry]) -> Vec<&Entry> {
    let mut by_device: BTreeMap<&str, &Entry> = BTreeMap::new();
    for entry in entries {
        let quiet = !NOISE.iter().any(|noise| entry.mount.starts_with(noise));
        if !DATA.contains(&entry.fs.as_str()) || !quiet || entry.source.starts_with("/dev/loop") {
            continue;
        }
        // Subvolumes of btrfs have numbers of their own but share their space, so the source tells more.
        let named = entry.source.starts_with('/') || entry.fs == "zfs";
        let device = if named { &entry.source } else { &entry.number };
        let rank = |entry: &Entry| (entry.root != "/", entry.mount.len());
        let kept = by_device.entry(device).or_insert(entry);
        if rank(entry) < rank(kept) {
            *kept = entry;
        }
    }
    by_device.into_values().collect()
}

fn measure(entry: &Entry) -> Option<Mount> {
    let room = rustix::fs::statvfs(&entry.mount).ok()?;
    let total = room.f_blocks.saturating_mul(room.f_frsize);
    let used = room.f_blocks.saturating_sub(room.f_bfree).saturating_mul(room.f_frsize);
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let inodes = room.f_files.saturating_sub(room.f_ffree);
    (total > 0).then(|| Mount {
        mount: entry.mount.clone(),
        device: entry.source.clone(),
        fs: entry.fs.clone(),
        total,
        used,
        free,
        percent: percent(used, used.saturating_add(free)),
        inodes_percent: (room.f_files > 0).then(|| percent(inodes, room.f_files)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:5 / /dev rw - devtmpfs devtmpfs rw
24 22 254:0 /run/netns /srv/bind rw - ext4 /dev/vda rw
25 22 0:40 / /var/lib/docker/overlay2/abc/merged rw - overlay overlay rw
26 22 7:1 / /media/image ro - ext4 /dev/loop1 ro
27 22 0:50 /@home /home rw - btrfs /dev/sdb1 rw
28 22 0:51 /@ /data\\040one rw - btrfs /dev/sdb1 rw
29 22 0:60 / /mnt/nas rw - nfs4 nas:/share rw
30 22 8:17 / /boot/efi rw - vfat /dev/sdc1 rw
31 22 0:70 / /tank rw - zfs tank rw
32 22 8:33 / /mnt/old rw - ext4 /dev/sdd1 rw
33 22 8:49 / /mnt/old rw - xfs /dev/sde1 rw";

    #[test]
    fn one_mount_a_device_and_no_noise() {
        let entries = entries(TABLE);
        let kept: Vec<_> = data(&entries).into_iter().map(|entry| entry.mount.as_str()).collect();
        assert_eq!(kept, ["/home", "/mnt/old", "/", "/tank"], "sorted by device");
    }

    #[test]
    fn a_mount_on_top_of_another_hides_it() {
        let entries = entries(TABLE);
        let old = entries.iter().find(|entry| entry.mount == "/mnt/old").unwrap();
        assert_eq!(old.source, "/dev/sde1");
    }

    #[test]
    fn escaped_names_are_read_as_they_are() {
        assert!(entries(TABLE).iter().any(|entry| entry.mount == "/data one"));
        assert_eq!(entry("too short"), None);
    }
}
