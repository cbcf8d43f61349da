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

use crate::directory::{read_small, replace};
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
    /// Held while a key is made: two at once would make two.
    making: tokio::sync::Mutex<()>,
}

/// What is open.
#[derive(Default)]
struct Open {
    /// None as long as there is no key: there was nothing to keep yet.
    master: Option<Arc<Master>>,
    kept: BTreeMap<SecretName, (SecretRecord, Secret)>,
    /// Values that were replaced or removed, and are still struck out.
    retired: Vec<(SecretName, Secret)>,
    /// Why it cannot be opened.
    fault: Option<String>,
}

impl SecretVault {
    /// Unlocks the vault of a store. One that cannot be opened says so in [`SecretStore::vault_fault`].
    pub async fn unlock(store: &Store, options: VaultOptions) -> Self {
        let (store, redactor) = (store.clone(), store.0.redactor.clone());
        let making = tokio::sync::Mutex::default();
        let vault = Self(Arc::new(Inner { store, options, redactor, open: RwLock::default(), making }));
        vault.load().await;
        if let Some(fault) = vault.vault_fault() {
            tracing::error!(fault, "the vault cannot be opened");
        }
        vault
    }

    /// Reads everything anew: another replica has changed something.
    pub async fn load(&self) {
        let opened = self.0.read().await.unwrap_or_else(|why| Open { fault: Some(why), ..Open::default() });
        *self.0.open.write().unwrap_or_else(PoisonError::into_inner) = opened;
        self.0.strike();
    }

    fn find(&self, reference: &str) -> Result<(SecretRecord, Secret), String> {
        let name = SecretName::referred(reference)
            .ok_or_else(|| format!("`{}` is no reference to a secret; write secret://NAME", shorten(reference, 40)))?;
        let open = self.0.open.read().unwrap_or_else(PoisonError::into_inner);
        match (&open.fault, open.kept.get(&name)) {
            (Some(fault), _) => Err(format!("the vault is closed: {fault}")),
            (None, Some(found)) => Ok(found.clone()),
            (None, None) => {
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
    async fn read(&self) -> Result<Open, String> {
        let rows = self.rows().await?;
        let mut master = self.key(&self.options.key, rows.is_empty()).await?.map(Arc::new);
        if let (Some(previous), Some(to)) = (&self.options.previous, &master)
            && let Some(from) = self.key(previous, true).await?.map(Arc::new)
            && rows.iter().any(|row| row.key_id == from.id())
        {
            self.rekey(from, Arc::clone(to)).await?;
            return Box::pin(self.read()).await;
        }
        let mut open = Open::default();
        for row in &rows {
            let name = &row.record.name;
            let Some(master) = &master else { return Err("its key is not there".to_owned()) };
            if row.key_id != master.id() {
                return Err(format!(
                    "the secret {name} is sealed under another key ({}, and this one is {}); give the vault that key \
                     again, or name it as `previous`",
                    row.key_id,
                    master.id()
                ));
            }
            let value = row.open(master).ok_or_else(|| format!("the secret {name} was changed in the database"))?;
            if row.retired {
                open.retired.push((name.clone(), value));
            } else {
                open.kept.insert(name.clone(), (row.record.clone(), value));
            }
        }
        open.master = master.take();
        Ok(open)
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
        let _making = self.making.lock().await;
        {
            let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(fault) = &open.fault {
                return Err(closed(fault.clone()));
            }
            if let Some(master) = &open.master {
                return Ok(Arc::clone(master));
            }
        }
        let master = Master::random().map_err(closed)?;
        let (path, text) = (self.own(), master.text());
        let written = tokio::task::spawn_blocking(move || replace(&path, text.as_bytes())).await;
        written.map_err(|error| closed(error.to_string()))?.map_err(|error| closed(error.to_string()))?;
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(open.master.insert(Arc::new(master))))
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
        tracing::info!(count, "secrets were sealed anew under the new key; `previous` can go");
        Ok(())
    }

    /// What is held in memory follows what was kept. Without a value the one that was stays.
    fn put(&self, record: SecretRecord, value: Option<Secret>) {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        let before = open.kept.remove(&record.name).map(|(_, secret)| secret);
        let Some(secret) = value.or_else(|| before.clone()) else { return };
        if let Some(before) = before.filter(|before| before.expose() != secret.expose()) {
            open.retired.push((record.name.clone(), before));
        }
        open.kept.insert(record.name.clone(), (record, secret));
        drop(open);
        self.strike();
    }

    fn forget(&self, name: &SecretName) {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, secret)) = open.kept.remove(name) {
            open.retired.push((name.clone(), secret));
        }
    }

    fn strike(&self) {
        let known = {
            let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
            let kept = open.kept.iter().map(|(name, (_, secret))| (name.to_string(), secret.clone()));
            kept.chain(open.retired.iter().map(|(name, secret)| (name.to_string(), secret.clone()))).collect()
        };
        if let Err(why) = self.redactor.know(known) {
            tracing::error!(why, "new secrets are not struck out");
            self.open.write().unwrap_or_else(PoisonError::into_inner).fault = Some(why);
        }
    }
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
        open.kept.values().map(|(record, _)| record.clone()).collect()
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
        let vault = Arc::clone(&self.0);
        let (master, at) = (vault.master().await?, vault.store.0.clock.now());
        // Whatever tells of it, from its row on, must not hold the value.
        if let Some(value) = &change.value {
            vault.redactor.learn(name.as_str(), value).map_err(StoreError::Conflict)?;
        }
        let row = Row::new(&vault.redactor, draft)?;
        let keep = Keep { vault, master, name: name.clone(), change, at, row };
        self.0.store.0.writer.submit(keep).await
    }

    async fn remove_secret(&self, name: &SecretName, draft: Draft) -> Stored<bool> {
        let vault = Arc::clone(&self.0);
        let (at, row) = (vault.store.0.clock.now(), Row::new(&vault.redactor, draft)?);
        self.0.store.0.writer.submit(Remove { vault, name: name.clone(), at, row }).await
    }
}
