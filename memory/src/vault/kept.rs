//! A secret as a row holds it.

use jarvis_safety::port::StoreError;
use jarvis_safety::secret::{Secret, SecretRecord};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::stored::{Halt, from_json, to_json, unreadable};

use super::cipher::{Envelope, Master};

pub(super) const COLUMNS: &str =
    "name, version, note, uses, key_id, wrapped, sealed, created_at, changed_at, retired_at";

pub(super) struct Sealed {
    pub(super) record: SecretRecord,
    pub(super) key_id: String,
    pub(super) retired: bool,
    envelope: Envelope,
}

impl Sealed {
    pub(super) fn read(row: &AnyRow) -> Result<Self, Halt> {
        let name: &str = row.try_get(0)?;
        let record = SecretRecord {
            name: name.parse().map_err(|_| unreadable("secret", "its name is none"))?,
            note: row.try_get(2)?,
            uses: from_json("secret", row.try_get(3)?)?,
            version: row.try_get::<i64, _>(1)?.cast_unsigned(),
            created_at: row.try_get(7)?,
            changed_at: row.try_get(8)?,
        };
        let envelope = Envelope { wrapped: row.try_get(5)?, sealed: row.try_get(6)? };
        let retired = row.try_get::<Option<i64>, _>(9)?.is_some();
        Ok(Self { record, key_id: row.try_get(4)?, retired, envelope })
    }

    pub(super) fn open(&self, master: &Master) -> Option<Secret> {
        let value = master.open(&self.envelope, &bound(&self.record).ok()?)?;
        Some(Secret::new(value.as_str().to_owned()))
    }
}

/// What cannot be changed without the key: which secret it is, which of its values, and who may get it.
pub(super) fn bound(record: &SecretRecord) -> Result<String, StoreError> {
    to_json("secret", &("jarvis secret", record.name.as_str(), record.version, &record.uses))
}
