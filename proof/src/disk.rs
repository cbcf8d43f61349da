//! A small disk of our own, whose power can be cut.
//!
//! It is an ext4 file system in a file. `mount -o remount,abort` makes the kernel stop writing to it at once, as if it
//! had met an error it cannot go on from: whatever was not fsynced by then never reaches the disk. Mounted anew, it
//! shows what a machine would find after a power cut. Needs root and loop devices.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tokio::process::Command;

/// The disk, mounted while this lives.
#[derive(Debug)]
pub(crate) struct Disk {
    image: PathBuf,
    mount: PathBuf,
}

impl Disk {
    /// Makes and mounts one of so many MiB.
    pub(crate) async fn new(work: &Path, name: &str, mib: u64) -> anyhow::Result<Self> {
        let disk = Self { image: work.join(format!("{name}.img")), mount: work.join(name) };
        std::fs::create_dir_all(&disk.mount)?;
        let image = std::fs::File::create(&disk.image)?;
        image.set_len(mib << 20)?;
        run("mkfs.ext4", &["-q", "-F", "-m", "0"], &[&disk.image]).await?;
        disk.attach().await?;
        Ok(disk)
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        &self.mount
    }

    async fn attach(&self) -> anyhow::Result<()> {
        run("mount", &["-o", "loop"], &[&self.image, &self.mount]).await
    }

    /// Everything that was written is on the disk afterwards.
    pub(crate) async fn sync(&self) -> anyhow::Result<()> {
        run("sync", &["-f"], &[&self.mount]).await
    }

    /// Cuts the power. Whoever has files open there may go on, and gets errors.
    pub(crate) async fn cut(&self) -> anyhow::Result<()> {
        run("mount", &["-o", "remount,abort"], &[&self.mount]).await
    }

    /// Bytes that are free.
    pub(crate) async fn free(&self) -> anyhow::Result<u64> {
        let told = Command::new("stat").args(["-f", "-c", "%a %S"]).arg(&self.mount).output().await?;
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let (blocks, size) = told.trim().split_once(' ').with_context(|| format!("`stat` said `{told}`"))?;
        Ok(blocks.parse::<u64>()? * size.parse::<u64>()?)
    }

    /// Makes a file there that takes so many bytes, without writing them.
    pub(crate) async fn allocate(&self, file: &Path, bytes: u64) -> anyhow::Result<()> {
        run("fallocate", &["-l", &bytes.to_string()], &[file]).await
    }

    /// Makes it read-only, or writable again. Nobody may have files open for writing there.
    pub(crate) async fn protect(&self, protected: bool) -> anyhow::Result<()> {
        run("mount", &["-o", if protected { "remount,ro" } else { "remount,rw" }], &[&self.mount]).await
    }

    /// The power comes back. Nobody may have files open there.
    pub(crate) async fn restore(&self) -> anyhow::Result<()> {
        run("umount", &[], &[&self.mount]).await?;
        self.attach().await
    }

    /// Takes the disk away.
    pub(crate) async fn remove(self) -> anyhow::Result<()> {
        run("umount", &[], &[&self.mount]).await?;
        Ok(std::fs::remove_file(&self.image)?)
    }
}

/// What is not here and would be needed, if anything is not.
pub(crate) fn missing() -> Option<&'static str> {
    let works =
        |words: &str| std::process::Command::new("sh").args(["-c", words]).status().is_ok_and(|it| it.success());
    if !works("test \"$(id -u)\" = 0") {
        return Some("root");
    }
    if !works("command -v mkfs.ext4 >/dev/null") {
        return Some("mkfs.ext4");
    }
    (!works("losetup -f >/dev/null 2>&1")).then_some("loop devices")
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Only where a run broke off: `remove` has done it already, and then this finds nothing to do.
        let _ = std::process::Command::new("umount").args(["--quiet", "--lazy"]).arg(&self.mount).status();
    }
}

async fn run(program: &str, options: &[&str], paths: &[&Path]) -> anyhow::Result<()> {
    let mut command = Command::new(program);
    command.args(options).args(paths);
    let done = command.output().await.with_context(|| format!("{program} cannot be started"))?;
    if done.status.success() {
        return Ok(());
    }
    let shown: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    bail!(
        "`{program} {} {}` failed: {}",
        options.join(" "),
        shown.join(" "),
        String::from_utf8_lossy(&done.stderr).trim()
    )
}
