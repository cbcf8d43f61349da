//! Secrets, outwards: everything but the value.

use jarvis_client::wire::{SecretInfo, SecretUse};
use jarvis_safety::secret::SecretRecord;

/// What is known of a secret.
#[must_use]
pub fn secret(record: &SecretRecord) -> SecretInfo {
    let used =
        |allowed: &jarvis_safety::secret::Use| SecretUse { tool: allowed.tool.clone(), target: allowed.target.clone() };
    SecretInfo {
        name: record.name.to_string(),
        note: record.note.clone(),
        uses: record.uses.iter().map(used).collect(),
        version: record.version,
        created_at: record.created_at,
        changed_at: record.changed_at,
    }
}
