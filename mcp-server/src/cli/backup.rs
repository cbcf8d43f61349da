//! `backup` and `restore`. Both work on the files themselves: a backup beside the server that runs, a restore where none
//! does.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueHint};
use jarvis_memory::{
    AUDIT_KEY, Backup, BackupError, BackupKey, BackupOptions, Database, Options, Protection, RestoreOptions, Restored,
    VAULT_KEY, Voided,
};
use jarvis_safety::secret::{Redactor, Secret};

use super::audit::clock_time;
use super::connect::Connection;
use super::directory;
use super::exit::{Exit, Result, Stop};
use super::print::Printer;
use crate::config;
use crate::serve::{SystemClock, UuidIds};

const PASSPHRASE: &str = "JARVIS_BACKUP_PASSPHRASE";

#[derive(Debug, Args)]
pub(super) struct BackupWanted {
    /// The file to write; nothing may be there.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) file: PathBuf,
    /// Also what the file tools keep: `files/` and `trash/`.
    #[arg(long)]
    pub(super) files: bool,
    /// Encrypt it for the holder of this age key.
    #[arg(long, value_name = "AGE_KEY")]
    pub(super) recipient: Option<String>,
    /// Write it although the audit is not whole.
    #[arg(long)]
    pub(super) damaged: bool,
}

#[derive(Debug, Args)]
pub(super) struct RestoreWanted {
    /// The backup.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "dumped")]
    pub(super) file: Option<PathBuf>,
    /// File with the age key that it was encrypted for.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) identity: Option<PathBuf>,
    /// Restore it although the audit is not whole.
    #[arg(long)]
    pub(super) damaged: bool,
    /// Instead of a backup: the PostgreSQL of this data directory was restored from a dump. Voids what was open in it.
    #[arg(long, conflicts_with_all = ["file", "identity", "damaged"])]
    pub(super) dumped: bool,
}

pub(super) async fn backup(connection: &Connection, printer: &Printer, wanted: BackupWanted) -> Result {
    connection.must_be_local("a backup is made of the data directory on the server's own machine")?;
    let data = connection.data();
    directory::must_be_own(&data)?;
    let database =
        config::database(&data, &connection.environment).map_err(|error| Stop::invalid(error.to_string()))?;
    if !matches!(database, Database::Directory) {
        let told = format!(
            "everything is kept in PostgreSQL: back it up with pg_dump, and with it {} and {}, without which nobody can \
             verify the audit or open a secret. A database that comes from a dump is made safe with `jarvis restore \
             --dumped` before a server starts on it",
            data.join(AUDIT_KEY).display(),
            data.join(VAULT_KEY).display()
        );
        return Err(Stop::new(Exit::Refused, told));
    }
    let protection = match (wanted.recipient, passphrase(connection)) {
        (Some(recipient), _) => Protection::Recipient(recipient),
        (None, Some(secret)) => Protection::Passphrase(secret),
        (None, None) => Protection::Open,
    };
    let options = BackupOptions {
        data: data.clone(),
        file: wanted.file,
        files: wanted.files,
        protection,
        damaged: wanted.damaged,
        clock: Arc::new(SystemClock),
        ids: Arc::new(UuidIds),
    };
    let taken = jarvis_memory::backup(options).await.map_err(stop)?;
    if !taken.encrypted {
        printer.remark(&format!(
            "{} is not encrypted and holds the audit key and every text; keep it where only you can read, or use \
             --recipient or {PASSPHRASE}.",
            taken.file.display()
        ));
        if data.join(VAULT_KEY).exists() {
            printer.remark(&format!(
                "The key of the vault is not in it: keep {VAULT_KEY} elsewhere, or encrypt the backup."
            ));
        }
    }
    if !taken.left_out.is_empty() {
        printer.remark(&format!("Not copied, because they are no files: {}.", some(&taken.left_out)));
    }
    printer.answer(&taken, || taken_words(&data, &taken));
    Ok(end(printer, &taken.faults))
}

pub(super) async fn restore(connection: &Connection, printer: &Printer, wanted: RestoreWanted) -> Result {
    connection.must_be_local("a backup is restored on the server's own machine")?;
    let Some(file) = wanted.file else { return dumped(connection, printer).await };
    let key = match (wanted.identity, passphrase(connection)) {
        (Some(path), _) => BackupKey::Identity(path),
        (None, Some(secret)) => BackupKey::Passphrase(secret),
        (None, None) => BackupKey::None,
    };
    let options = RestoreOptions {
        file,
        data: connection.data(),
        key,
        damaged: wanted.damaged,
        clock: Arc::new(SystemClock),
        ids: Arc::new(UuidIds),
    };
    let restored = jarvis_memory::restore(options).await.map_err(stop)?;
    printer.answer(&restored, || restored_words(&restored));
    Ok(end(printer, &restored.faults))
}

/// Makes a database safe that came from a dump.
async fn dumped(connection: &Connection, printer: &Printer) -> Result {
    let data = connection.data();
    directory::must_be_own(&data)?;
    let database =
        config::database(&data, &connection.environment).map_err(|error| Stop::invalid(error.to_string()))?;
    let options = Options {
        data: data.clone(),
        clock: Arc::new(SystemClock),
        ids: Arc::new(UuidIds),
        redactor: Redactor::default(),
    };
    let voided = jarvis_memory::void_dumped(database, options).await.map_err(stop)?;
    printer.answer(&voided, || voided_words(&data, &voided));
    Ok(end(printer, &voided.faults))
}

fn passphrase(connection: &Connection) -> Option<Secret> {
    connection.environment.get(PASSPHRASE).filter(|text| !text.is_empty()).cloned().map(Secret::new)
}

fn stop(error: BackupError) -> Stop {
    let exit = if error.is_refusal() { Exit::Refused } else { Exit::Failed };
    Stop { code: error.code().to_owned(), ..Stop::new(exit, error.to_string()) }
}

/// Done, and still no success if the audit in it is not whole.
fn end(printer: &Printer, faults: &[String]) -> Exit {
    if faults.is_empty() {
        return Exit::Done;
    }
    printer.remark(&format!("THE AUDIT IN IT IS NOT WHOLE:\n{}", faults.join("\n")));
    Exit::Failed
}

/// The first few of some names.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    let left = names.len().saturating_sub(SHOWN);
    if left == 0 { shown } else { format!("{shown} and {left} more") }
}

/// A count with its noun.
fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn head(head: u64, hash: &str) -> String {
    format!("head {head} {}", hash.get(..12).unwrap_or_default())
}

fn taken_words(data: &Path, taken: &Backup) -> String {
    let Backup { file, bytes, rows, parts, .. } = taken;
    format!(
        "Backed up {} as it was at {} to {}: {}, {}, {}; {bytes} bytes. It was read again and verified.",
        data.display(),
        clock_time(taken.taken_at),
        file.display(),
        counted(*rows, "row", "rows"),
        head(taken.head, &taken.hash),
        counted(*parts as u64, "file", "files"),
    )
}

fn restored_words(restored: &Restored) -> String {
    let Restored { data, version, rows, lapsed, jobs, grants, sessions, running, tokens, .. } = restored;
    format!(
        "Restored what Jarvis {version} backed up at {} into {}: {}, {}. {}",
        clock_time(restored.taken_at),
        data.display(),
        counted(*rows, "row", "rows"),
        head(restored.head, &restored.hash),
        void_words(data, [*lapsed, *jobs, *grants, *sessions], *running, *tokens),
    )
}

fn voided_words(data: &Path, voided: &Voided) -> String {
    let Voided { rows, lapsed, jobs, grants, sessions, running, tokens, .. } = voided;
    format!(
        "The database holds {}, {}. {}",
        counted(*rows, "row", "rows"),
        head(voided.head, &voided.hash),
        void_words(data, [*lapsed, *jobs, *grants, *sessions], *running, *tokens),
    )
}

/// What is void after a restore, and what to do now.
fn void_words(data: &Path, [cards, jobs, grants, sessions]: [u64; 4], running: usize, tokens: usize) -> String {
    let running = match running {
        0 => String::new(),
        count => format!(
            " {} under way then; the next start looks what came of that.",
            counted(count as u64, "call was", "calls were")
        ),
    };
    format!(
        "{} void, {} unknown, {} taken back, {} ended.{running}\nTokens are valid as they were then ({tokens}): revoke \
         what was revoked since. Start it with `jarvis serve --data {}`.",
        counted(cards, "open approval is", "open approvals are"),
        counted(jobs, "open job is", "open jobs are"),
        counted(grants, "grant is", "grants are"),
        counted(sessions, "session has", "sessions have"),
        data.display(),
    )
}
