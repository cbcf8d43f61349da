//! A tool: one declaration from which everything else is derived.
//!
//! What a model and a person read, the MCP schema, the dashboard's form, the catalogue and the plain sentences all come
//! from this block. The dangerous parts (tier, effects, deadline, trust) have no defaults: a tool without a tier does
//! not compile.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::actor::Actor;
use crate::call::Caller;
use crate::id::CallId;
use crate::kernel::Permit;
use crate::secret::{Redactor, Secret, Vault};
use crate::target::Target;
use crate::tier::{Effects, Tier};

/// Who wrote what a tool returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Only values that this program or the kernel of the machine made.
    Trusted,
    /// Such values, beside names and short remarks that strangers may have chosen: of containers, units, images. Shown
    /// like what is trusted, but a model that has read it may have been talked to.
    Named,
    /// Text written by strangers: logs, pages, file contents.
    Untrusted,
}

impl Trust {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Named => "named",
            Self::Untrusted => "untrusted",
        }
    }
}

/// Tells that a green tool's output names things of the world, so that plain sentences can be understood.
#[derive(Debug, Clone, Copy)]
pub struct Listing {
    /// Kind of the things, as in `x-entity` of a schema: `container`, `service`, `image`, `path`.
    pub entity: &'static str,
    /// Key of the array in the output.
    pub items: &'static str,
    /// Key of the name in each item.
    pub name: &'static str,
    /// Key of the state in each item; empty where there is none.
    pub state: &'static str,
}

/// The fixed part of a tool.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// `family_verb`, at most 48 characters of `[a-z0-9_]`.
    pub name: &'static str,
    /// Raised whenever the meaning changes; open approvals then become stale.
    pub revision: u32,
    /// Lowest tier of any call.
    pub tier: Tier,
    /// What it may touch.
    pub effects: Effects,
    /// Longest run. When it is over the call is cancelled.
    pub deadline: Duration,
    /// Who wrote the output.
    pub trust: Trust,
    /// Argument fields whose values are secret: never stored, shown or logged.
    pub secrets: &'static [&'static str],
    /// Sentences that mean this tool. `{slots}` are argument names.
    pub examples: &'static [&'static str],
    /// Set where the output names things of the world.
    pub lists: Option<Listing>,
}

impl Spec {
    /// Whether it changes something or goes out: then it matters who chose the call. What only looks around here may be
    /// called for anything.
    #[must_use]
    pub fn changes_or_goes_out(&self) -> bool {
        self.tier > Tier::Green || self.effects.network
    }
}

/// One capability.
///
/// The doc comment on `Args` is the description that people and models read; those on its fields describe the
/// arguments. `Args` must carry `#[serde(deny_unknown_fields)]`; the registry refuses a tool that does not. A field that
/// names a thing of the world says so with `#[schemars(extend("x-entity" = "container"))]`.
pub trait Tool: Sized + Send + Sync + 'static {
    /// The fixed part.
    const SPEC: Spec;
    /// Arguments. Defaults are filled in before the call is hashed.
    type Args: DeserializeOwned + Serialize + JsonSchema + Send + Sync + 'static;
    /// Output; bounded by the tool, and honest about what was cut.
    type Output: Serialize + JsonSchema + Send + 'static;

    /// Finds the one thing that the call acts on. Runs before the decision: reads only, and only what the actor may.
    fn resolve(&self, args: &Self::Args, look: &Look) -> impl Future<Output = Result<Target, ToolError>> + Send;

    /// What will happen, in one sentence made of nothing but what is hashed.
    fn sentence(&self, args: &Self::Args, target: &Target) -> String;

    /// What a person should see before saying yes. Reads only.
    fn preview(
        &self,
        args: &Self::Args,
        target: &Target,
        look: &Look,
    ) -> impl Future<Output = Result<Preview, ToolError>> + Send {
        let _ = (args, target, look);
        async { Ok(Preview::default()) }
    }

    /// Tier of exactly this call. The gate takes the higher of this and the declared one.
    fn tier_of(&self, args: &Self::Args, target: &Target) -> Tier {
        let _ = (args, target);
        Self::SPEC.tier
    }

    /// Does it, to `permit.target()` and nothing else.
    fn run(
        &self,
        args: Self::Args,
        cx: &RunContext,
        permit: Permit<Self>,
    ) -> impl Future<Output = Result<Done<Self::Output>, ToolError>> + Send;

    /// After a crash or a cancel: did the effect happen?
    fn probe(&self, args: &Self::Args, target: &Target) -> impl Future<Output = Probe> + Send {
        let _ = (args, target);
        async { Probe::Unknown }
    }

    /// The output in plain words: what chat says when there is no model. A few lines at most, no markdown tables.
    fn words(&self, output: &Self::Output) -> String;
}

/// The read-only view that `resolve` and `preview` get.
#[derive(Debug)]
pub struct Look {
    actor: Actor,
    words: Option<String>,
}

impl Look {
    pub(crate) const fn new(actor: Actor, words: Option<String>) -> Self {
        Self { actor, words }
    }

    /// On whose behalf is looked.
    #[must_use]
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Whether exactly this text stands in the person's own message that led to the call.
    #[must_use]
    pub fn said(&self, text: &str) -> bool {
        let mut rest = self.words.as_deref().unwrap_or_default();
        while let Some(at) = rest.find(text) {
            let end = at + text.len();
            let open = |byte: Option<char>| byte.is_none_or(|c| c.is_whitespace() || "\"'<>()[]`,;!?".contains(c));
            let after = rest[end..].strip_prefix('.').unwrap_or(&rest[end..]);
            if !text.is_empty() && open(rest[..at].chars().next_back()) && open(after.chars().next()) {
                return true;
            }
            match rest[at..].char_indices().nth(1) {
                Some((next, _)) => rest = &rest[at + next..],
                None => return false,
            }
        }
        false
    }
}

/// What a running tool knows about its call.
pub struct RunContext {
    pub(crate) call: CallId,
    pub(crate) cancel: CancellationToken,
    pub(crate) progress: tokio::sync::watch::Sender<Option<Progress>>,
    /// Who called. Tools cannot see it: it is for what acts on the caller's behalf.
    pub(crate) caller: Caller,
    pub(crate) hand: Hand,
}

/// What opens secrets for one call.
pub(crate) struct Hand {
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) redactor: Redactor,
    pub(crate) tool: &'static str,
    pub(crate) target: String,
}

impl RunContext {
    /// Id of the call; tools use it where the target takes an idempotency key.
    #[must_use]
    pub const fn call(&self) -> &CallId {
        &self.call
    }

    /// Opens a secret, `secret://NAME`, if the operator lets this tool hand it to this target. Send it and forget it: it
    /// belongs into no output, no error and no undo.
    ///
    /// # Errors
    /// If it may not have it, or there is none of this name. Nothing has been done by then if the tool asks first.
    pub fn secret(&self, reference: &str) -> Result<Secret, ToolError> {
        let Hand { vault, tool, target, .. } = &self.hand;
        vault.open_for(reference, tool, target).map_err(|why| ToolError::new(ToolErrorKind::NotPermitted, why))
    }

    /// What strikes secrets out of a text. Whatever a tool cuts must be struck first: half of one is not found any more.
    #[must_use]
    pub const fn redactor(&self) -> &Redactor {
        &self.hand.redactor
    }

    /// Fires when the caller, the deadline or the kill switch ends the call. The gate also drops the future.
    #[must_use]
    pub const fn cancelled(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Tells how far it is. Only the latest is kept.
    pub fn progress(&self, done: f64, total: Option<f64>, text: impl Into<String>) {
        let mut text = text.into();
        self.hand.redactor.strike(&mut text);
        self.progress.send_replace(Some(Progress { done, total, text }));
    }
}

/// How far a call is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    /// Units done.
    pub done: f64,
    /// Units in all, where known.
    pub total: Option<f64>,
    /// What is being done.
    pub text: String,
}

/// What `run` gives back.
#[derive(Debug)]
pub struct Done<O> {
    /// The output.
    pub output: O,
    /// The call that takes it back, where there is one.
    pub undo: Option<Undo>,
}

impl<O> Done<O> {
    /// An output that needs no taking back.
    pub const fn new(output: O) -> Self {
        Self { output, undo: None }
    }

    /// Says which call takes it back.
    #[must_use]
    pub fn undo_by(mut self, tool: &str, args: Value) -> Self {
        self.undo = Some(Undo { tool: tool.to_owned(), args });
        self
    }
}

/// The call that takes another one back. State that it needs (an old file content) lies where its arguments point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Undo {
    /// Tool.
    pub tool: String,
    /// Arguments.
    pub args: Value,
}

/// What a person should see before deciding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Preview {
    /// Predicted effects, a line each.
    pub effects: Vec<String>,
    /// Unified diff.
    pub diff: Option<String>,
    /// How it can be taken back.
    pub undo: Option<String>,
    /// Text by strangers that matters here.
    pub untrusted: Option<String>,
}

/// What a probe found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// The effect is there.
    Done,
    /// The effect is not there.
    NotDone,
    /// It cannot be told; a person must look.
    Unknown,
}

/// Why a tool could not do it. The message says what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ToolError {
    /// Stable kind.
    pub kind: ToolErrorKind,
    /// For people and models.
    pub message: String,
}

/// Kinds of failure that callers can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolErrorKind {
    /// The thing is not there.
    NotFound,
    /// The arguments make no sense for this thing.
    Invalid,
    /// What the tool needs is missing on this machine; nothing was changed.
    Unavailable,
    /// The machine does not let Jarvis; the message names the right to add.
    NotPermitted,
    /// It was tried and did not work.
    Failed,
    /// The deadline passed.
    Deadline,
    /// It was cancelled.
    Cancelled,
    /// It was cancelled before it began.
    NeverBegan,
    /// It was begun, and then the line broke: it may or may not have happened.
    Interrupted,
    /// A defect in the tool.
    Panicked,
}

impl ToolErrorKind {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
            Self::Unavailable => "unavailable",
            Self::NotPermitted => "not_permitted",
            Self::Failed => "failed",
            Self::Deadline => "deadline",
            Self::Cancelled => "cancelled",
            Self::NeverBegan => "never_began",
            Self::Interrupted => "interrupted",
            Self::Panicked => "panicked",
        }
    }
}

impl ToolError {
    /// An error of a kind.
    #[must_use]
    pub fn new(kind: ToolErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_span_of_the_persons_words_counts_as_said() {
        let look = Look::new(Actor::operator(), Some("read https://example.org/a, then stop.".to_owned()));
        assert!(look.said("https://example.org/a"));
        assert!(!look.said("https://example.org/"));
        assert!(!look.said("example.org"));
        assert!(!look.said(""));
        assert!(look.said("stop"));
        assert!(!Look::new(Actor::operator(), None).said("stop"));
    }
}
