//! All persistence: the event log that is the audit, calls, approvals, conversations, identities, settings; and the two
//! things that are held in memory only, live frames and the index over the tools.
//!
//! ```text
//! Store ── reads ──► a small pool of connections
//!   └───── changes ─► writer: one task, one connection, many changes a transaction
//!                        ├─ chain: sequence, time and keyed hash of each new row
//!                        ├─ sync:  fsyncs what green calls wrote, within 5 ms
//!                        └─ seal:  the head of the chain, in a file outside the database
//! ```
//!
//! No model and no route is known here. What differs between databases stands in `dialect`, the full-text engine is
//! named in `index` only.

mod approval;
mod attempt;
mod backup;
mod call;
mod chain;
mod change;
mod conversation;
mod dialect;
mod directory;
mod doubt;
mod erase;
mod error;
mod factor;
mod feed;
mod follow;
mod grant;
mod heard;
mod identity;
mod index;
mod job;
mod key;
mod lease;
mod ledger;
mod live;
mod mark;
mod mcp_session;
mod migration;
mod pace;
mod password;
mod replica;
mod retention;
mod row;
mod seal;
mod sealed;
mod session;
mod setting;
mod space;
mod store;
mod stored;
mod sync;
mod table;
mod tear;
mod token;
mod tool;
mod transfer;
mod turn;
mod vault;
mod verify;
mod walk;
mod writer;

pub use backup::{
    Backup, BackupError, BackupKey, BackupOptions, Protection, RestoreOptions, Restored, Voided, backup, restore,
    void_dumped,
};
pub use dialect::Database;
pub use directory::{AUDIT_KEY, VAULT_KEY};
pub use error::OpenError;
pub use index::{IndexError, ToolIndex};
pub use job::JobStore;
pub use live::LiveHub;
pub use mcp_session::{McpSession, McpSessions};
pub use retention::{Pruned, Retention};
pub use store::{Options, Store};
pub use tool::{JobDesk, register as register_tools};
pub use transfer::{Moved, Progress, TransferError, Transferred, transfer};
pub use vault::{SecretVault, VaultKey, VaultOptions};
