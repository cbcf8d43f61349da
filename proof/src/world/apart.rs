//! A network of our own, so that the program finds public addresses on this machine and reaches no others.

use std::process::Command;

use anyhow::{Context as _, bail};

use super::site::{LISTED, OTHER};
use crate::report::{Verdict, say};

/// Says that this process is in it already.
const INSIDE: &str = "PROOF_APART";

/// How it goes on.
pub(crate) enum Place {
    /// This process is apart.
    Here,
    /// Another one was, and ended so.
    Ended(Verdict),
    /// It cannot be had here.
    Missing(String),
}

/// Runs this very command line again in a network namespace of its own, unless that is where it runs.
pub(crate) fn go() -> anyhow::Result<Place> {
    if std::env::var_os(INSIDE).is_some() {
        return Ok(Place::Here);
    }
    let up = format!(
        "ip link set lo up && ip addr add {LISTED}/32 dev lo && ip addr add {OTHER}/32 dev lo && exec \"$0\" \"$@\""
    );
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", &up]);
        command
    };
    let tried = unshare().arg("true").output();
    match tried {
        Ok(output) if output.status.success() => {}
        Ok(output) => return Ok(Place::Missing(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
        Err(error) => return Ok(Place::Missing(format!("unshare: {error}"))),
    }
    let status = unshare().arg(std::env::current_exe()?).args(std::env::args_os().skip(1)).env(INSIDE, "1").status();
    let status = status.context("the proof cannot be started apart")?;
    match status.code() {
        Some(0) => Ok(Place::Ended(Verdict::Kept)),
        Some(3) => Ok(Place::Ended(Verdict::Broken)),
        Some(4) => Ok(Place::Ended(Verdict::Skipped)),
        _ => bail!("apart from here it ended with {status}"),
    }
}

impl Place {
    /// How a suite ended that did not run in this process.
    pub(crate) fn verdict(self) -> anyhow::Result<Verdict> {
        match self {
            Self::Here => bail!("the suite has not run yet"),
            Self::Ended(verdict) => Ok(verdict),
            Self::Missing(why) => {
                say(&format!("skipped: needs a network of its own (unshare and ip, as root): {why}"));
                Ok(Verdict::Skipped)
            }
        }
    }
}
