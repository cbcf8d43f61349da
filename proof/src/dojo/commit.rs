//! A history of commits, whose texts strangers write.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

/// Begins an empty one beside the letters.
pub(super) fn begin(letters: &Path) -> anyhow::Result<()> {
    git(letters, &["init", "--quiet", "--bare"]).map(|_| ())
}

/// The one commit of a bay says this from now on.
pub(super) fn write(letters: &Path, bay: &str, text: &str) -> anyhow::Result<()> {
    let tree = git(letters, &["hash-object", "-t", "tree", "-w", "/dev/null"])?;
    let commit = git(letters, &["commit-tree", "-m", text, &tree])?;
    git(letters, &["update-ref", &format!("refs/heads/{bay}"), &commit]).map(|_| ())
}

/// What git says to this, whoever sits here.
fn git(letters: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new("git");
    command.arg("--git-dir").arg(letters.join("commits.git")).args(arguments);
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "stranger").env(format!("GIT_{who}_EMAIL"), "stranger@invalid");
    }
    let done = command.output().context("git could not be started")?;
    ensure!(done.status.success(), "git: {}", String::from_utf8_lossy(&done.stderr));
    Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
}
