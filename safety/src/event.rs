//! The rows of the audit.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::ActorId;
use crate::tier::Tier;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal),* $(,)?) => {
        /// Everything that can happen.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum EventKind {
            $($(#[$doc])* #[serde(rename = $word)] $name,)*
        }

        impl EventKind {
            /// The stable word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// The kind with this word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$name),)* _ => None }
            }
        }
    };
}

kinds! {
    /// A green call: decision and outcome in one row.
    CallRead = "call.read",
    /// Somebody looked at what a call would do.
    CallPreviewed = "call.previewed",
    /// The gate said no.
    CallRefused = "call.refused",
    /// A call above green is about to run.
    CallIntent = "call.intent",
    /// It happened.
    CallDone = "call.done",
    /// It did not.
    CallFailed = "call.failed",
    /// Nobody can tell.
    CallUnknown = "call.unknown",
    /// It was cancelled and did not happen.
    CallCancelled = "call.cancelled",
    /// A person looked at what became of a call or a job in doubt.
    DoubtAcknowledged = "doubt.acknowledged",
    /// A card was put up.
    ApprovalAsked = "approval.asked",
    /// A person said yes.
    ApprovalApproved = "approval.approved",
    /// A person said no.
    ApprovalDenied = "approval.denied",
    /// Nobody decided in time.
    ApprovalExpired = "approval.expired",
    /// Voided at spending.
    ApprovalStale = "approval.stale",
    /// Somebody tried to decide who may not, or too late.
    ApprovalRefused = "approval.refused",
    /// The operator gave a grant.
    GrantGiven = "grant.given",
    /// The operator took a grant back.
    GrantRevoked = "grant.revoked",
    /// The operator kept a secret, or changed one.
    SecretKept = "secret.kept",
    /// The operator took a secret out of use.
    SecretRemoved = "secret.removed",
    /// All secrets were sealed under another key.
    VaultRekeyed = "vault.rekeyed",
    /// Something was said to Jarvis.
    TurnAsked = "turn.asked",
    /// A step of the turn was persisted.
    TurnStep = "turn.step",
    /// The turn waits for an approval.
    TurnWaiting = "turn.waiting",
    /// The turn ended.
    TurnDone = "turn.done",
    /// A person stopped it.
    TurnStopped = "turn.stopped",
    /// It could not be answered.
    TurnFailed = "turn.failed",
    /// A conversation got another title.
    ConversationRenamed = "conversation.renamed",
    /// A conversation's texts were erased.
    ConversationDeleted = "conversation.deleted",
    /// The kill switch was put on.
    KillOn = "kill.on",
    /// The kill switch was released.
    KillOff = "kill.off",
    /// A policy file took effect.
    PolicyLoaded = "policy.loaded",
    /// The policy file cannot be read; everything above green is refused.
    PolicyUnreadable = "policy.unreadable",
    /// The operator changed settings.
    SettingChanged = "setting.changed",
    /// A mounted MCP server answers, stopped answering, or changed tools that were reviewed.
    MountChanged = "mount.changed",
    /// A token was made.
    TokenCreated = "token.created",
    /// A token was revoked.
    TokenRevoked = "token.revoked",
    /// The operator signed in.
    SessionOpened = "session.opened",
    /// A session ended.
    SessionClosed = "session.closed",
    /// A wrong password or code.
    SessionRefused = "session.refused",
    /// The operator's password was set.
    OperatorSet = "operator.set",
    /// A body was erased.
    BodyErased = "body.erased",
    /// A job was handed in.
    JobSubmitted = "job.submitted",
    /// An attempt of a job came to nothing, or its worker was lost; it will be tried again.
    JobRetried = "job.retried",
    /// Somebody wants a running job to stop.
    JobStopping = "job.stopping",
    /// A job was done.
    JobDone = "job.done",
    /// A job came to nothing.
    JobFailed = "job.failed",
    /// A job was cancelled.
    JobCancelled = "job.cancelled",
    /// Nobody can tell what became of a job: a person must look.
    JobUnknown = "job.unknown",
    /// A schedule was made or changed.
    ScheduleSaved = "schedule.saved",
    /// Runs of a schedule were missed and are not caught up.
    ScheduleMissed = "schedule.missed",
    /// A schedule was removed.
    ScheduleRemoved = "schedule.removed",
    /// The server began to serve.
    ServerStarted = "server.started",
}

/// A row that is to be written. Sequence, time and hash are given by the store at commit.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Kind.
    pub kind: EventKind,
    /// Who did it.
    pub actor: ActorId,
    /// Who, beside the operator, may read it.
    pub owner: ActorId,
    /// Call, approval, turn … id.
    pub subject: String,
    /// Follows the request.
    pub correlation: String,
    /// Tool, for calls.
    pub tool: Option<String>,
    /// Tier, for calls and approvals.
    pub tier: Option<Tier>,
    /// One redacted line, at most 300 characters, control characters shown.
    pub summary: String,
    /// Arguments, output, texts. Kept apart, and erasable.
    pub body: Option<Value>,
}

/// A row of the audit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Position in the one order of commits; gapless from 1.
    pub seq: u64,
    /// Milliseconds since 1970.
    pub at: i64,
    /// Kind.
    pub kind: EventKind,
    /// Who did it.
    pub actor: ActorId,
    /// Who, beside the operator, may read it.
    pub owner: ActorId,
    /// What it is about.
    pub subject: String,
    /// Follows the request.
    pub correlation: String,
    /// Tool, for calls.
    pub tool: Option<String>,
    /// Tier, for calls and approvals.
    pub tier: Option<Tier>,
    /// One line.
    pub summary: String,
    /// Keyed hash over this row and the one before, hexadecimal.
    pub hash: String,
}
