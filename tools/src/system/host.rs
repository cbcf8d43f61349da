//! What this machine is: its names, its kernel, and what it runs on.

use std::fs;
use std::path::Path;

use jarvis_safety::plain::{shorten, visible};

/// What does not change while the machine runs.
#[derive(Debug, Clone)]
pub(super) struct Host {
    /// The machine id; where there is none, the name.
    pub(super) id: String,
    /// Host name.
    pub(super) name: String,
    /// Distribution and version.
    pub(super) os: String,
    /// Kernel release.
    pub(super) kernel: String,
    /// Instruction set.
    pub(super) arch: String,
    /// What it runs inside of; absent on bare metal, as far as can be told.
    pub(super) virtualization: Option<String>,
}

impl Host {
    pub(super) fn read() -> Self {
        let name = text("/proc/sys/kernel/hostname").unwrap_or_else(|| "this machine".to_owned());
        Self {
            id: text("/etc/machine-id").unwrap_or_else(|| name.clone()),
            os: os(&fs::read_to_string("/etc/os-release").unwrap_or_default()),
            kernel: text("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown".to_owned()),
            arch: std::env::consts::ARCH.to_owned(),
            virtualization: virtualization(),
            name,
        }
    }
}

/// The name that the distribution gives itself (os-release(5)).
fn os(release: &str) -> String {
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let name = name.map(|name| name.trim_matches(['"', '\'']).trim()).filter(|name| !name.is_empty());
    shorten(&visible(name.unwrap_or("Linux")), 120)
}

/// A container first, because it hides the machine that it runs on; then what the firmware says; then what the
/// processor says.
fn virtualization() -> Option<String> {
    if let Some(container) = text("/run/systemd/container") {
        return Some(format!("{container} container"));
    }
    if Path::new("/.dockerenv").exists() {
        return Some("docker container".to_owned());
    }
    if Path::new("/run/.containerenv").exists() {
        return Some("podman container".to_owned());
    }
    let vendor = text("/sys/class/dmi/id/sys_vendor").unwrap_or_default();
    let product = text("/sys/class/dmi/id/product_name").unwrap_or_default();
    by_firmware(&vendor, &product).map(str::to_owned).or_else(|| {
        let hypervisor = fs::read_to_string("/proc/cpuinfo").is_ok_and(|cpu| has_hypervisor_flag(&cpu));
        hypervisor.then(|| "virtual machine".to_owned())
    })
}

fn by_firmware(vendor: &str, product: &str) -> Option<&'static str> {
    let known = [
        ("QEMU", "QEMU virtual machine"),
        ("KVM", "KVM virtual machine"),
        ("VMware", "VMware virtual machine"),
        ("VirtualBox", "VirtualBox virtual machine"),
        ("innotek", "VirtualBox virtual machine"),
        ("Xen", "Xen virtual machine"),
        ("Parallels", "Parallels virtual machine"),
        ("Amazon EC2", "Amazon EC2 instance"),
        ("Google Compute Engine", "Google Compute Engine instance"),
    ];
    let hyper_v = vendor.starts_with("Microsoft") && product.starts_with("Virtual Machine");
    if hyper_v {
        return Some("Hyper-V virtual machine");
    }
    known.into_iter().find(|(mark, _)| vendor.contains(mark) || product.contains(mark)).map(|(_, name)| name)
}

fn has_hypervisor_flag(cpuinfo: &str) -> bool {
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags"));
    flags.is_some_and(|line| line.split_whitespace().any(|flag| flag == "hypervisor"))
}

/// One short line of a small file.
fn text(path: &str) -> Option<String> {
    let read = fs::read_to_string(path).ok()?;
    let line = shorten(&visible(read.lines().next()?.trim()), 120);
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_is_named_as_it_names_itself() {
        assert_eq!(os("ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"), "Debian GNU/Linux 12 (bookworm)");
        assert_eq!(os("ID=own\n"), "Linux");
    }

    #[test]
    fn a_virtual_machine_is_told_from_metal() {
        assert_eq!(by_firmware("QEMU", "Standard PC (Q35 + ICH9, 2009)"), Some("QEMU virtual machine"));
        assert_eq!(by_firmware("Microsoft Corporation", "Virtual Machine"), Some("Hyper-V virtual machine"));
        assert_eq!(by_firmware("Microsoft Corporation", "Surface Pro"), None);
        assert_eq!(by_firmware("ASRock", "N100DC-ITX"), None);
        assert!(has_hypervisor_flag("model name\t: x\nflags\t\t: fpu vme hypervisor lahf_lm\n"));
        assert!(!has_hypervisor_flag("model name\t: hypervisor\nflags\t\t: fpu vme\n"));
    }
}
