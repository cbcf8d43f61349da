//! The vault: secrets, sealed in the database, opened in memory.
//!
//! Everything is opened at a start, because whatever is kept here must be struck out of all that goes out. A vault that
//! cannot be opened hands out nothing and keeps nothing, and says why.

mod change;
mod cipher;
mod kept;
mod source;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use jarvis_safety::event::{Draft, EventKind};
use jarvis_safety::plain::shorten;
use jarvis_safety::port::{StoreError, Stored};
use jarvis_safety::secret::{Redactor, Secret, SecretChange, SecretName, SecretRecord, SecretStore, Vault};
use jarvis_safety::{Actor, ActorId};
use sqlx::AssertSqlSafe;

use crate::directory::{create, read_small};
use crate::row::Row;
use crate::store::Store;
use crate::stored::unavailable;

use change::{Keep, Rekey, Remove};
use cipher::Master;
use kept::{COLUMNS, Sealed};
pub use source::VaultKey;

/// Name under which the salt of a passphrase is kept.
const SALT: &str = "vault salt";

/// Where the key of a vault comes from.
#[derive(Clone, Default)]
pub struct VaultOptions {
    /// The key.
    pub key: VaultKey,
    /// Where it comes from, in words: `file:/etc/jarvis/vault.key`.
    pub words: String,
    /// The key before this one: what is sealed under it is sealed anew.
    pub previous: Option<VaultKey>,
}

/// The vault. Clones share one.
#[derive(Clone)]
pub struct SecretVault(Arc<Inner>);

struct Inner {
    store: Store,
    options: VaultOptions,
    redactor: Redactor,
    open: RwLock<Open>,
    /// Held while anything is changed or read anew: what was read too early must not be put over what came later.
    changing: tokio::sync::Mutex<()>,
}

/// What is open.
#[derive(Default)]
struct Open {
    /// None as long as there is no key: there was nothing to keep yet.
    master: Option<Arc<Master>>,
    /// Without the values where it is closed: what is there can still be seen and removed.
    kept: BTreeMap<SecretName, (SecretRecord, Option<Secret>)>,
    /// Values that were replaced or removed, and are still struck out.
    retired: Vec<(SecretName, Secret)>,
    /// Why it cannot be opened.
    fault: Option<String>,
    /// What the rows were like that this was read from.
    read: Option<Vec<Mark>>,
}

impl Open {
    /// Nothing is handed out any more; what is there can be seen and removed.
    fn closed(why: String, rows: Vec<Sealed>) -> Self {
        let live = rows.into_iter().filter(|row| !row.retired).map(|row| row.record);
        let kept = live.map(|record| (record.name.clone(), (record, None))).collect();
        Self { kept, fault: Some(why), ..Self::default() }
    }

    /// Everything that was known is struck out as before.
    fn go_on_striking(&mut self, before: Self) {
        let kept = before.kept.into_iter().filter_map(|(name, (_, secret))| Some((name, secret?)));
        for (name, secret) in kept.chain(before.retired) {
            if !self.retired.iter().any(|(_, known)| known.expose() == secret.expose()) {
                self.retired.push((name, secret));
            }
        }
    }
}

impl SecretVault {
    /// Unlocks the vault of a store. One that cannot be opened says so in [`SecretStore::vault_fault`].
    pub async fn unlock(store: &Store, options: VaultOptions) -> Self {
        let (store, redactor) = (store.clone(), store.0.redactor.clone());
        let changing = tokio::sync::Mutex::default();
        let vault = Self(Arc::new(Inner { store, options, redactor, open: RwLock::default(), changing }));
        vault.load().await;
        if let Some(fault) = vault.vault_fault() {
            tracing::error!(fault, "the vault cannot be opened");
        }
        vault
    }

    /// Reads everything anew: another replica has changed something. What was struck out before is struck out as before
    /// if it cannot be read.
    pub async fn load(&self) {
        let _changing = self.0.changing.lock().await;
        self.0.load().await;
    }

    /// Keeps a secret, Jarvis's own too.
    pub(crate) async fn keep(&self, name: &SecretName, change: SecretChange, draft: Draft) -> Stored<SecretRecord> {
        let vault = &self.0;
        let _changing = vault.changing.lock().await;
        let (master, at) = (vault.master().await?, vault.store.0.clock.now());
        // Whatever tells of it, from its row on, must not hold the value.
        if let Some(value) = change.value.clone() {
            let (redactor, name) = (vault.redactor.clone(), name.to_string());
            let learned = tokio::task::spawn_blocking(move || redactor.learn(&name, &value)).await;
            learned.map_err(|error| StoreError::Unavailable(error.to_string()))?.map_err(StoreError::Conflict)?;
        }
        let row = Row::new(&vault.redactor, draft)?;
        let kept = vault.store.0.writer.submit(Keep { master, name: name.clone(), change, at, row }).await;
        vault.load().await;
        kept
    }

    /// The value of a secret that is Jarvis's own.
    pub(crate) fn value(&self, name: &SecretName) -> Result<Secret, String> {
        let open = self.0.open.read().unwrap_or_else(PoisonError::into_inner);
        match (&open.fault, open.kept.get(name)) {
            (Some(fault), _) => Err(format!("the vault is closed: {fault}")),
            (None, Some((_, Some(secret)))) => Ok(secret.clone()),
            (None, _) => Err("its key is not there".to_owned()),
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    fn find(&self, reference: &str) -> Result<(SecretRecord, Secret), String> {
        let name = SecretName::referred(reference)
            .filter(|name| !is_own(name))
            .ok_or_else(|| format!("`{}` is no reference to a secret; write secret://NAME", shorten(reference, 40)))?;
        let open = self.0.open.read().unwrap_or_else(PoisonError::into_inner);
        match (&open.fault, open.kept.get(&name)) {
            (Some(fault), _) => Err(format!("the vault is closed: {fault}")),
            (None, Some((record, Some(secret)))) => Ok((record.clone(), secret.clone())),
            (None, Some((_, None)) | None) => {
                Err(format!("there is no secret {name}; keep it in the settings, or with `jarvis secret set {name}`"))
            }
        }
    }
}

impl Vault for SecretVault {
    fn open(&self, reference: &str) -> Result<Secret, String> {
        self.find(reference).map(|(_, secret)| secret)
    }

    fn open_for(&self, reference: &str, tool: &str, target: &str) -> Result<Secret, String> {
        let (record, secret) = self.find(reference)?;
        if record.uses.iter().any(|allowed| allowed.fits(tool, target)) {
            return Ok(secret);
        }
        Err(format!(
            "`{tool}` may not have {reference} for {}; the operator can allow it in the settings. Nothing was sent",
            shorten(target, 80)
        ))
    }
}

impl Inner {
    async fn load(&self) {
        let before = {
            let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
            (open.master.clone(), open.read.clone())
        };
        let opened = match self.rows().await {
            Ok(rows) if before.1 == Some(marks(&rows)) => return,
            Ok(rows) => self.opened(rows, before.0).await,
            Err(why) => Err((why, Vec::new())),
        };
        {
            let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
            let before = std::mem::replace(&mut *open, opened.unwrap_or_else(|(why, rows)| Open::closed(why, rows)));
            if open.fault.is_some() {
                open.go_on_striking(before);
            }
        }
        self.strike().await;
    }

    /// Opens everything, or says why not, and what is there all the same.
    async fn opened(&self, rows: Vec<Sealed>, known: Option<Arc<Master>>) -> Result<Open, (String, Vec<Sealed>)> {
        let mut master = known;
        if master.is_none() {
            let fresh = rows.iter().all(|row| row.retired) || self.options.previous.is_some();
            master = match self.key(&self.options.key, fresh).await {
                Ok(key) => key.map(Arc::new),
                Err(why) => return Err((why, rows)),
            };
        }
        let foreign = rows.iter().find(|row| !row.retired && master.as_ref().is_none_or(|key| key.id() != row.key_id));
        if let Some((name, sealed_under)) = foreign.map(|row| (row.record.name.clone(), row.key_id.clone())) {
            return match self.rekeyed(master, &sealed_under).await {
                Ok(true) => Box::pin(self.again()).await,
                Ok(false) => Err((other_key(&name, &sealed_under), rows)),
                Err(why) => Err((why, rows)),
            };
        }
        let mut open = Open { read: Some(marks(&rows)), master: master.clone(), ..Open::default() };
        let mut changed = None;
        for row in &rows {
            let name = row.record.name.clone();
            let value = master.as_ref().and_then(|master| row.open(master));
            match (value, row.retired) {
                (Some(value), false) => drop(open.kept.insert(name, (row.record.clone(), Some(value)))),
                (Some(value), true) => open.retired.push((name, value)),
                (None, true) => {
                    tracing::warn!(%name, "a value that was replaced can no longer be opened or struck out");
                }
                (None, false) => changed = Some(name),
            }
        }
        let Some(name) = changed else { return Ok(open) };
        let why = format!("the secret {name} was changed in the database; remove it, or restore a backup");
        let mut closed = Open::closed(why, rows);
        closed.go_on_striking(open);
        Ok(closed)
    }

    async fn again(&self) -> Result<Open, (String, Vec<Sealed>)> {
        let rows = self.rows().await.map_err(|why| (why, Vec::new()))?;
        self.opened(rows, None).await
    }

    /// Seals everything anew, if it is sealed under the previous key.
    async fn rekeyed(&self, master: Option<Arc<Master>>, sealed_under: &str) -> Result<bool, String> {
        let Some(previous) = &self.options.previous else { return Ok(false) };
        let Some(from) = self.key(previous, true).await?.map(Arc::new) else { return Ok(false) };
        if from.id() != sealed_under {
            return Ok(false);
        }
        let to = match master {
            Some(to) => to,
            None => self.make().await?,
        };
        self.rekey(from, to).await?;
        Ok(true)
    }

    async fn rows(&self) -> Result<Vec<Sealed>, String> {
        let sql = format!("select {COLUMNS} from secret order by name, version");
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&self.store.0.readers).await;
        let rows = rows.map_err(|error| unavailable(&error).to_string())?;
        let read = rows.iter().map(Sealed::read).collect::<Result<_, _>>();
        read.map_err(|halt| StoreError::from(halt).to_string())
    }

    /// The key, where there is one. `fresh`: nothing is sealed under it yet.
    async fn key(&self, from: &VaultKey, fresh: bool) -> Result<Option<Master>, String> {
        match from {
            VaultKey::Unreadable(why) => Err(why.clone()),
            VaultKey::Key(text) => source::key(text.expose()).map(Some),
            VaultKey::Passphrase(text) => {
                let (text, salt) = (text.clone(), self.salt().await?);
                let derived = tokio::task::spawn_blocking(move || source::derived(&text, &salt)).await;
                derived.map_err(|error| error.to_string())?.map(Some)
            }
            VaultKey::Own => {
                let path = self.own();
                let wrong = |why: String| format!("{}: {why}", path.display());
                match read_small(&path).map_err(|error| wrong(error.to_string()))? {
                    Some(bytes) => source::key(&String::from_utf8_lossy(&bytes)).map(Some).map_err(wrong),
                    None if fresh => Ok(None),
                    None => Err(wrong(
                        "it is not there, and secrets are sealed under it; copy it from the data directory that the \
                         database was used with, or from an encrypted backup"
                            .to_owned(),
                    )),
                }
            }
        }
    }

    fn own(&self) -> PathBuf {
        self.store.0.directory.vault_key()
    }

    /// The key under which something is kept; made if there is none yet.
    async fn master(&self) -> Stored<Arc<Master>> {
        let closed = |why: String| StoreError::Unavailable(format!("the vault is closed: {why}; nothing was kept"));
        {
            let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(fault) = &open.fault {
                return Err(closed(fault.clone()));
            }
            if let Some(master) = &open.master {
                return Ok(Arc::clone(master));
            }
        }
        let master = self.make().await.map_err(closed)?;
        self.open.write().unwrap_or_else(PoisonError::into_inner).master = Some(Arc::clone(&master));
        Ok(master)
    }

    /// Makes a key of its own, unless one lies there by now.
    async fn make(&self) -> Result<Arc<Master>, String> {
        if let Some(there) = self.key(&VaultKey::Own, true).await? {
            return Ok(Arc::new(there));
        }
        let master = Master::random()?;
        let (path, text) = (self.own(), master.text());
        let written = tokio::task::spawn_blocking(move || create(&path, text.as_bytes())).await;
        written.map_err(|error| error.to_string())?.map_err(|error| format!("{}: {error}", self.own().display()))?;
        Ok(Arc::new(master))
    }

    async fn salt(&self) -> Result<String, String> {
        let salt = source::salt()?;
        let kept = self.store.setting_once(SALT, &salt).await;
        kept.map_err(|error| format!("the salt of its passphrase cannot be read: {error}"))
    }

    async fn rekey(&self, from: Arc<Master>, to: Arc<Master>) -> Result<(), String> {
        let system = Actor::system().id;
        let row = Row::own(draft(&system, "the vault was sealed anew under another key".to_owned()));
        let row = row.map_err(|error| error.to_string())?;
        let count = self.store.0.writer.submit(Rekey { from, to, row }).await.map_err(|error| error.to_string())?;
        tracing::info!(count, "secrets were sealed anew under the new key; the previous one can go");
        Ok(())
    }

    /// Lets the redactor know what is kept now. Building what finds it takes its time.
    async fn strike(&self) {
        let known: Vec<_> = {
            let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
            let kept = open.kept.iter().filter_map(|(name, (_, secret))| Some((name.to_string(), secret.clone()?)));
            kept.chain(open.retired.iter().map(|(name, secret)| (name.to_string(), secret.clone()))).collect()
        };
        let redactor = self.redactor.clone();
        let told = tokio::task::spawn_blocking(move || redactor.know(known)).await;
        if let Err(why) = told.unwrap_or_else(|error| Err(error.to_string())) {
            tracing::error!(why, "new secrets are not struck out");
            self.open.write().unwrap_or_else(PoisonError::into_inner).fault = Some(why);
        }
    }
}

/// What tells whether a row was read before.
type Mark = (SecretRecord, bool, String);

fn marks(rows: &[Sealed]) -> Vec<Mark> {
    rows.iter().map(|row| (row.record.clone(), row.retired, row.key_id.clone())).collect()
}

/// Whether nobody but Jarvis keeps, opens or removes it.
fn is_own(name: &SecretName) -> bool {
    name.as_str() == crate::factor::NAME
}

fn other_key(name: &SecretName, id: &str) -> String {
    format!(
        "the secret {name} is sealed under another key ({id}); give the vault that key again, or name it as \
         `previous_key` or `previous_passphrase` under [vault]; or remove what it sealed"
    )
}

fn draft(by: &ActorId, summary: String) -> Draft {
    Draft {
        kind: EventKind::VaultRekeyed,
        actor: by.clone(),
        owner: by.clone(),
        subject: "vault".to_owned(),
        correlation: "start".to_owned(),
        tool: None,
        tier: None,
        summary,
        body: None,
    }
}

#[async_trait]
impl SecretStore for SecretVault {
    fn secrets(&self) -> Vec<SecretRecord> {
        let open = self.0.open.read().unwrap_or_else(PoisonError::into_inner);
        open.kept.values().map(|(record, _)| record.clone()).filter(|record| !is_own(&record.name)).collect()
    }

    fn key_words(&self) -> String {
        match &self.0.options.key {
            VaultKey::Own => format!("file:{}", self.0.own().display()),
            _ => self.0.options.words.clone(),
        }
    }

    fn vault_fault(&self) -> Option<String> {
        self.0.open.read().unwrap_or_else(PoisonError::into_inner).fault.clone()
    }

    async fn keep_secret(&self, name: &SecretName, change: SecretChange, draft: Draft) -> Stored<SecretRecord> {
        if is_own(name) {
            return Err(StoreError::Conflict(format!("{name} is Jarvis's own; take another name")));
        }
        self.keep(name, change, draft).await
    }

    async fn remove_secret(&self, name: &SecretName, draft: Draft) -> Stored<bool> {
        if is_own(name) {
            return Ok(false);
        }
        let vault = &self.0;
        let _changing = vault.changing.lock().await;
        let (at, row) = (vault.store.0.clock.now(), Row::new(&vault.redactor, draft)?);
        let removed = vault.store.0.writer.submit(Remove { name: name.clone(), at, row }).await;
        vault.load().await;
        removed
    }
}
