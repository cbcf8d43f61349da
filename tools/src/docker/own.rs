//! The container that Jarvis himself runs in, if he runs in one: what would end him is red.
//!
//! The engine tells nobody which container asks. A process finds its own id in the path of its control group, in the
//! files that the engine mounts over `/etc/hostname` and its like, or in its host name, which is the id's beginning
//! unless somebody chose another.

use std::fs;

/// Ids that may be our own container's: 64 hexadecimal characters, or the first twelve of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Own(Vec<String>);

impl Own {
    /// Reads what the kernel says of this process. Outside of a container nothing is found.
    pub(super) fn look() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self::of(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"), read("/proc/sys/kernel/hostname").trim())
    }

    pub(super) fn of(cgroup: &str, mountinfo: &str, hostname: &str) -> Self {
        let mut ids: Vec<String> = cgroup.lines().filter_map(last_id).collect();
        ids.extend(mountinfo.lines().filter_map(mounted_id));
        if hostname.len() == 12 && is_hex(hostname) {
            ids.push(hostname.to_owned());
        }
        ids.sort();
        ids.dedup();
        Self(ids)
    }

    /// Whether this full id is one of them.
    pub(super) fn is(&self, id: &str) -> bool {
        self.0.iter().any(|own| id.starts_with(own.as_str()))
    }
}

/// The last run of 64 hexadecimal characters: of containers inside each other the innermost.
fn last_id(line: &str) -> Option<String> {
    let mut runs = line.split(|character: char| !character.is_ascii_hexdigit());
    runs.rfind(|run| run.len() == 64).map(str::to_lowercase)
}

/// The id in the source of a mount over one of the files that an engine provides. Other mounts do not count: outside of
/// containers the host sees those of all of them.
fn mounted_id(line: &str) -> Option<String> {
    let mut fields = line.split(' ').skip(3);
    let (source, place) = (fields.next()?, fields.next()?);
    let provided = matches!(place, "/etc/hostname" | "/etc/hosts" | "/etc/resolv.conf");
    if provided { last_id(source) } else { None }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f4e0f5a9c1b2d3e4f5061728394a5b6c7d8e9f00112233445566778899aabbc";

    #[test]
    fn the_own_container_is_found_by_cgroup_mount_or_host_name() {
        let cgroup = format!("12:cpu:/docker/{ID}\n0::/\n");
        let scope = format!("0::/system.slice/docker-{ID}.scope\n");
        let mount =
            format!("594 586 0:45 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n");
        for own in [Own::of(&cgroup, "", "web"), Own::of(&scope, "", ""), Own::of("0::/\n", &mount, "")] {
            assert!(own.is(ID), "{own:?}");
            assert!(!own.is(&ID.replace('3', "4")));
        }
        assert!(Own::of("0::/", "", &ID[..12]).is(ID));
    }

    #[test]
    fn a_host_that_sees_the_mounts_of_its_containers_is_in_none_of_them() {
        let shm = format!("83 25 0:50 / /var/lib/docker/containers/{ID}/mounts/shm rw - tmpfs shm rw\n");
        let own = Own::of("0::/user.slice\n", &shm, "nas");
        assert_eq!(own, Own::default());
        assert!(!own.is(ID));
    }
}
