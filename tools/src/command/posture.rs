//! What this machine has to confine a command with, and whether that is what the operator asks for.
//!
//! Weaker than configured is refused, not made do with: a sandbox that is quietly missing is worse than none.

use serde::{Deserialize, Serialize};

/// What must be there before a command is run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Strength {
    /// All that is known: files, truncation, devices and signals (Linux 6.12), the filter of system calls, and the watch
    /// over Jarvis's end.
    Strict,
    /// Files (Linux 5.13), the filter of system calls and the watch over Jarvis's end.
    #[default]
    Standard,
    /// Whatever there is.
    Off,
}

/// What was found by trying (`confine.rs`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Probed {
    /// Landlock's ABI; 0 where there is none.
    pub(super) landlock: u32,
    /// Whether a filter of system calls is in force.
    pub(super) filter: bool,
    /// Whether the end of another process can be waited for.
    #[serde(default)]
    pub(super) watch: bool,
    pub(super) root: bool,
}

/// ABI of Landlock that holds back everything known here.
const WHOLE: u32 = 6;

impl Strength {
    /// What is missing.
    pub(super) fn lacks(self, probed: &Probed) -> Option<String> {
        let least = match self {
            Self::Strict => WHOLE,
            Self::Standard => 1,
            Self::Off => return None,
        };
        let landlock = (probed.landlock < least).then(|| match probed.landlock {
            0 => "Landlock (Linux 5.13 or newer, `landlock` in `lsm=` at boot)".to_owned(),
            older => format!("Landlock {least} (it has {older}; Linux 6.12 brings it)"),
        });
        let filter = (!probed.filter).then(|| "a filter of system calls (seccomp)".to_owned());
        let watch = (!probed.watch).then(|| "a handle of processes (pidfd_open, Linux 5.3)".to_owned());
        let missing: Vec<_> = [landlock, filter, watch].into_iter().flatten().collect();
        (!missing.is_empty()).then(|| missing.join(" and "))
    }
}

/// What is held back here, for people.
pub(super) fn words(probed: &Probed) -> String {
    let landlock = match probed.landlock {
        0 => "no Landlock: files are not held back".to_owned(),
        abi if abi < 3 => format!("Landlock {abi}: files, but neither truncation nor signals (Linux 6.12)"),
        abi if abi < WHOLE => format!("Landlock {abi}: files, but no signals (Linux 6.12)"),
        abi => format!("Landlock {abi}: files and signals"),
    };
    let filter = match probed.filter {
        true => "system calls are filtered",
        false => "system calls are not filtered, so what begins a session of its own is not ended",
    };
    let watch = match probed.watch {
        true => "all that was begun ends with Jarvis",
        false => "what was begun outlives a killed Jarvis",
    };
    let user = if probed.root { "; Jarvis is root, so commands become nobody" } else { "" };
    format!("{landlock}; {filter}; {watch}{user}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_weaker_than_configured_is_named() {
        for (strength, landlock, filter, watch, lacking) in [
            (Strength::Strict, 6, true, true, None),
            (Strength::Strict, 5, true, true, Some("Landlock 6")),
            (Strength::Standard, 1, true, true, None),
            (Strength::Standard, 0, true, true, Some("Landlock (")),
            (Strength::Standard, 6, false, true, Some("seccomp")),
            (Strength::Standard, 6, true, false, Some("pidfd_open")),
            (Strength::Off, 0, false, false, None),
        ] {
            let lacks = strength.lacks(&Probed { landlock, filter, watch, root: false });
            assert_eq!(lacks.is_some(), lacking.is_some(), "{strength:?} {landlock} {filter} {watch}: {lacks:?}");
            assert!(lacking.is_none_or(|part| lacks.unwrap_or_default().contains(part)));
        }
    }
}
