//! The envelope of a backup: compressed with zstd, and around that, if it was asked for, encrypted with age
//! (<https://age-encryption.org/v1>). Both check themselves, so a byte that was changed or cut off is found.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use age::secrecy::SecretString;
use age::stream::StreamWriter;
use age::{DecryptError, Decryptor, Encryptor, Identity, IdentityFile, scrypt, x25519};
use jarvis_safety::plain::shorten;
use jarvis_safety::secret::Secret;

use super::error::{BackupError, at};

/// First bytes of every age file.
const AGE: &[u8] = b"age-encryption.org/";
/// How hard a guess at a passphrase is made, as a power of two: what age itself does on a fast machine, and not less on
/// one that happens to be busy. Takes about a second and 256 MiB.
const WORK: u8 = 18;
/// Hardest that is still opened.
const MOST_WORK: u8 = 22;
/// First bytes of every zstd frame.
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// For whom a backup is readable.
#[derive(Clone)]
pub enum Protection {
    /// For everybody who holds the file.
    Open,
    /// For whoever holds the identity of this age recipient, `age1…`.
    Recipient(String),
    /// For whoever knows the passphrase.
    Passphrase(Secret),
}

/// What opens a backup.
#[derive(Clone)]
pub enum BackupKey {
    /// Nothing is known; enough for one that is not encrypted.
    None,
    /// A file with age identities, as `age-keygen` writes it.
    Identity(PathBuf),
    /// The passphrase.
    Passphrase(Secret),
}

/// What opens the backup that is just being written, to look at it again.
pub(super) enum Opener {
    Nothing,
    Passphrase(Secret),
    Identities(Vec<Box<dyn Identity + Send + Sync>>),
}

impl Opener {
    pub(super) fn of(key: BackupKey) -> Result<Self, BackupError> {
        match key {
            BackupKey::None => Ok(Self::Nothing),
            BackupKey::Passphrase(secret) => Ok(Self::Passphrase(secret)),
            BackupKey::Identity(path) => {
                let file = File::open(&path).map_err(at(&path))?;
                let read = IdentityFile::from_buffer(BufReader::new(file.take(64 * 1024)));
                let keys = read.map_err(|error| error.to_string());
                let keys = keys.and_then(|keys| keys.into_identities().map_err(|error| error.to_string()));
                let keys =
                    keys.map_err(|why| BackupError::file(&path, format!("this is no file of age keys: {why}")))?;
                Ok(Self::Identities(keys))
            }
        }
    }
}

/// Where the compressed bytes go.
pub(super) enum Sink {
    Plain(File),
    Aged(Box<StreamWriter<File>>),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Aged(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Aged(stream) => stream.flush(),
        }
    }
}

/// A stream into a file.
pub(super) type Out = zstd::Encoder<'static, Sink>;

/// Opens the envelope for writing, and answers what reads it again.
pub(super) fn wrap(file: File, protection: &Protection) -> Result<(Out, Opener), BackupError> {
    let (sink, opener) = match protection {
        Protection::Open => (Sink::Plain(file), Opener::Nothing),
        Protection::Passphrase(secret) => {
            let mut recipient = scrypt::Recipient::new(SecretString::from(secret.expose().to_owned()));
            recipient.set_work_factor(WORK);
            (encrypted(file, &[&recipient])?, Opener::Passphrase(secret.clone()))
        }
        Protection::Recipient(text) => {
            let recipient = recipient(text)?;
            // Only the holder of the recipient's identity can read it later. To look at it once before that is said, it
            // is readable under a second key too, which never leaves this process.
            let once = x25519::Identity::generate();
            let sink = encrypted(file, &[&recipient, &once.to_public()])?;
            (sink, Opener::Identities(vec![Box::new(once)]))
        }
    };
    let mut out = zstd::Encoder::new(sink, zstd::DEFAULT_COMPRESSION_LEVEL).map_err(|error| unwritten(&error))?;
    out.include_checksum(true).map_err(|error| unwritten(&error))?;
    Ok((out, opener))
}

fn encrypted(file: File, recipients: &[&dyn age::Recipient]) -> Result<Sink, BackupError> {
    let encryptor = Encryptor::with_recipients(recipients.iter().copied()).map_err(|error| unwritten(&error))?;
    let stream = encryptor.wrap_output(file).map_err(|error| unwritten(&error))?;
    Ok(Sink::Aged(Box::new(stream)))
}

fn unwritten(error: &dyn std::fmt::Display) -> BackupError {
    BackupError::Database(format!("the backup cannot be written: {error}"))
}

/// Closes the envelope, and puts it on the disk.
pub(super) fn close(out: Out) -> io::Result<()> {
    let file = match out.finish()? {
        Sink::Plain(file) => file,
        Sink::Aged(stream) => stream.finish()?,
    };
    file.sync_all()
}

/// Whether this is an age recipient that can be written for.
pub(super) fn recipient(text: &str) -> Result<x25519::Recipient, BackupError> {
    text.trim().parse().map_err(|why| {
        BackupError::Key(format!(
            "`{}` is no age recipient ({why}); one begins with age1, and `age-keygen -y KEYFILE` prints yours",
            shorten(text, 80)
        ))
    })
}

/// Opens the envelope for reading.
pub(super) fn unwrap(path: &Path, opener: &Opener) -> Result<Box<dyn Read>, BackupError> {
    let damaged = |why: &str| BackupError::Damaged { path: path.to_owned(), why: why.to_owned() };
    let mut file = BufReader::with_capacity(128 * 1024, File::open(path).map_err(at(path))?);
    let first = file.fill_buf().map_err(at(path))?;
    let (aged, plain) = (first.starts_with(AGE), first.starts_with(ZSTD));
    if aged {
        let open = zstd::Decoder::new(decrypt(path, file, opener)?).map_err(|error| damaged(&error.to_string()))?;
        return Ok(Box::new(open));
    }
    if !plain {
        return Err(damaged("it is no backup that `jarvis backup` wrote"));
    }
    let open = zstd::Decoder::with_buffer(file).map_err(|error| damaged(&error.to_string()))?;
    Ok(Box::new(open))
}

fn decrypt(path: &Path, file: BufReader<File>, opener: &Opener) -> Result<impl Read + use<>, BackupError> {
    let damaged = |error: DecryptError| BackupError::Damaged { path: path.to_owned(), why: error.to_string() };
    let sealed = Decryptor::new_buffered(file).map_err(damaged)?;
    let needs = if sealed.is_scrypt() {
        "the passphrase: set JARVIS_BACKUP_PASSPHRASE"
    } else {
        "the age key that it was encrypted for: name its file with --identity"
    };
    let needed = |why: &str| BackupError::Key(format!("{} {why}; it needs {needs}", path.display()));
    let opened = match opener {
        Opener::Nothing => return Err(needed("is encrypted")),
        Opener::Passphrase(secret) => {
            let mut key = scrypt::Identity::new(SecretString::from(secret.expose().to_owned()));
            key.set_max_work_factor(MOST_WORK);
            sealed.decrypt(std::iter::once(&key as &dyn Identity))
        }
        Opener::Identities(keys) => sealed.decrypt(keys.iter().map(|key| &**key as &dyn Identity)),
    };
    opened.map_err(|error| match error {
        DecryptError::NoMatchingKeys | DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
            needed("does not open with what was given")
        }
        DecryptError::ExcessiveWork { .. } => {
            needed("asks for more work than a passphrase is worth; decrypt it with `age` first")
        }
        error => damaged(error),
    })
}
