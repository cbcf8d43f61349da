//! Services whose end would take Jarvis or the way to the machine with them.

use std::fs;
use std::path::Path;

use jarvis_safety::Tier;

/// Services by which people and the network reach the machine. A name that ends in `@` means every instance.
const ACCESS: [&str; 34] = [
    "ssh",
    "sshd",
    "ssh@",
    "sshd@",
    "dropbear",
    "systemd-networkd",
    "NetworkManager",
    "networking",
    "network",
    "connman",
    "iwd",
    "wpa_supplicant",
    "wpa_supplicant@",
    "dhcpcd",
    "dhclient@",
    "ifup@",
    "netctl@",
    "tailscaled",
    "zerotier-one",
    "netbird",
    "wg-quick@",
    "openvpn",
    "openvpn@",
    "openvpn-client@",
    "openvpn-server@",
    "cloudflared",
    "systemd-logind",
    "dbus",
    "dbus-broker",
    "polkit",
    "ufw",
    "nftables",
    "firewalld",
    "iptables",
];

/// What is done to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Start,
    Stop,
    Restart,
}

impl Verb {
    /// The word for sentences.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }

    /// The tier of doing this to a service that nothing hangs on.
    pub(super) const fn tier(self) -> Tier {
        match self {
            Self::Start | Self::Restart => Tier::Yellow,
            Self::Stop => Tier::Orange,
        }
    }
}

/// Knows which services hold Jarvis.
#[derive(Debug, Clone, Default)]
pub(super) struct Guard {
    own: Vec<String>,
}

impl Guard {
    /// Looks which services this process runs under: those in the path of its control group, and the container engine
    /// where it runs in a container.
    pub(super) fn read() -> Self {
        let mut own = units(&fs::read_to_string("/proc/self/cgroup").unwrap_or_default());
        if Path::new("/.dockerenv").exists() {
            own.extend(["docker.service", "containerd.service"].map(str::to_owned));
        }
        Self { own }
    }

    /// The tier of doing this to this service.
    pub(super) fn tier(&self, verb: Verb, unit: &str) -> Tier {
        if verb == Verb::Start {
            return verb.tier();
        }
        if self.own.iter().any(|own| own == unit) {
            return Tier::Red;
        }
        match verb {
            Verb::Stop if is_access(unit) => Tier::Red,
            Verb::Restart if is_access(unit) => Tier::Orange,
            _ => verb.tier(),
        }
    }

    /// Why the tier is higher than usual, for the card.
    pub(super) fn warning(&self, unit: &str) -> Option<&'static str> {
        if self.own.iter().any(|own| own == unit) {
            return Some("Jarvis himself runs in this service");
        }
        is_access(unit).then_some("people or programs may reach this machine through this service")
    }
}

fn is_access(unit: &str) -> bool {
    let name = unit.strip_suffix(".service").unwrap_or(unit);
    let template = name.split_once('@').map(|(template, _)| template);
    ACCESS.iter().any(|access| match access.strip_suffix('@') {
        Some(access) => template == Some(access),
        None => name == *access,
    })
}

/// Every service in the paths of `/proc/self/cgroup` (cgroups(7)): under a user's own manager it is that manager that
/// systemd knows.
fn units(cgroup: &str) -> Vec<String> {
    let paths = cgroup.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    let names = paths.flat_map(|path| path.split('/')).filter(|part| part.ends_with(".service"));
    let mut units: Vec<_> = names.map(str::to_owned).collect();
    units.sort();
    units.dedup();
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stopping_jarvis_or_the_way_to_the_machine_is_red() {
        let guard = Guard { own: vec!["jarvis.service".to_owned()] };
        for (verb, unit, tier) in [
            (Verb::Stop, "nginx.service", Tier::Orange),
            (Verb::Restart, "nginx.service", Tier::Yellow),
            (Verb::Start, "jarvis.service", Tier::Yellow),
            (Verb::Stop, "jarvis.service", Tier::Red),
            (Verb::Restart, "jarvis.service", Tier::Red),
            (Verb::Stop, "ssh.service", Tier::Red),
            (Verb::Restart, "NetworkManager.service", Tier::Orange),
            (Verb::Stop, "wg-quick@wg0.service", Tier::Red),
            (Verb::Stop, "wg-quick.service", Tier::Orange),
        ] {
            assert_eq!(guard.tier(verb, unit), tier, "{verb:?} {unit}");
        }
    }

    #[test]
    fn the_own_service_is_found_in_both_kinds_of_control_group() {
        assert_eq!(units("0::/system.slice/jarvis.service\n"), ["jarvis.service"]);
        assert_eq!(
            units(
                "1:name=systemd:/user.slice/user-1000.slice/user@1000.service/app.slice/jarvis.service\n4:memory:/\n"
            ),
            ["jarvis.service", "user@1000.service"]
        );
        assert!(units("0::/\n").is_empty());
    }
}
