//! Sign-in, tokens and who the caller is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who the caller is, and what a page needs before it may ask anything else.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SessionInfo {
    /// Whether the caller is known.
    pub signed_in: bool,
    /// Whether nobody has set the operator's password yet.
    pub setup_needed: bool,
    /// Name of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Highest tier the caller may ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<String>,
    /// Whether the caller may decide approvals.
    pub may_approve: bool,
    /// `operator`, or the role of the caller's token: `client`, `approver`, `viewer` or `guest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Whether the caller is the operator.
    pub operator: bool,
    /// Whether the operator signs in with a code beside the password.
    pub second_factor: bool,
    /// Name of the machine.
    pub host: String,
    /// Version of Jarvis.
    pub version: String,
    /// A session secret for programs that keep no cookies; only in the answer to a sign-in without a cookie jar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// A session of the operator that is open.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OpenSession {
    /// Id.
    pub id: String,
    /// `dashboard`, or `cli` for a program; empty for one from before this was kept.
    pub face: String,
    /// Address that it was opened from, as far as it is known: `socket` for this machine's own, a proxy's for what comes
    /// through one.
    pub place: String,
    /// When it was opened.
    pub created_at: i64,
    /// When it was last used, to the minute.
    pub used_at: i64,
    /// When it ends by itself.
    pub expires_at: i64,
    /// Whether it is the caller's own.
    pub current: bool,
}

/// Sessions that are open.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SessionList {
    /// Newest first.
    pub sessions: Vec<OpenSession>,
}

/// First sign-in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetupBody {
    /// The one-time code that the first start printed.
    pub code: String,
    /// At least 10 characters.
    pub password: String,
}

/// Sign-in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInBody {
    /// The operator's password.
    pub password: String,
    /// The code of the authenticator app, or a recovery code; where the second factor is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Answer with the session's secret instead of a cookie.
    #[serde(default)]
    pub bearer: bool,
}

/// The second factor beside the operator's password.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FactorInfo {
    /// Whether it is on.
    pub on: bool,
    /// When it was turned on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// Recovery codes that were not used.
    pub recovery_left: u32,
}

/// A key for an authenticator app. It is kept nowhere until it comes back with a code of it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FactorProposal {
    /// The key in base32.
    pub secret: String,
    /// The same as a link for apps on this device.
    pub uri: String,
    /// The link as a QR code: the path of an SVG in units of one module.
    pub qr: String,
    /// Side of the QR code in modules, its quiet border included.
    pub qr_size: u32,
}

/// Turns the second factor on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FactorBody {
    /// The operator's password.
    pub password: String,
    /// The proposed key.
    pub secret: String,
    /// The code that the app shows for it.
    pub code: String,
}

/// Recovery codes, in this answer and never again. Each opens the door once, in place of a code of the app.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FactorCodes {
    /// The codes.
    pub recovery: Vec<String>,
}

/// Turns the second factor off.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FactorOffBody {
    /// The operator's password.
    pub password: String,
    /// A code of the app, or a recovery code.
    pub code: String,
}

/// What to allow a new token.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenBody {
    /// 1 to 60 characters.
    pub name: String,
    /// `client` (the default): acts up to its ceiling. `approver`: a bot that also decides approvals up to its ceiling, and cannot
    /// be used over MCP. `viewer`: reads, and leaves nothing behind. `guest`: asks green things on its targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Highest tier that it may ask for: `green`, `yellow`, `orange` or `red`. That of a viewer and a guest is green.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<String>,
    /// Let the client's own form confirm up to this tier: `yellow` (the default) or `orange`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// Names of targets that it may call on, `*` and `?` allowed, or whole ids; at most 32. Empty means all, which a guest
    /// cannot have.
    #[serde(default)]
    pub targets: Vec<String>,
    /// It ends after so many minutes, 1 to 2,628,000 (five years); without it, when it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u32>,
    /// Most requests a minute, 1 to 60,000; without it as many as the machine can answer, but 30 for a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<u32>,
}

/// A token, without its secret.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenInfo {
    /// Id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Highest tier.
    pub ceiling: String,
    /// Highest tier that its own form may confirm.
    pub confirm: String,
    /// `active`, `expired` or `revoked`.
    pub state: String,
    /// `client`, `approver`, `viewer` or `guest`.
    pub role: String,
    /// Targets that it may call on; empty means all.
    pub targets: Vec<String>,
    /// Most requests a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<u32>,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// When it was made.
    pub created_at: i64,
    /// When it was last used, to the minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<i64>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<i64>,
    /// The secret, in the answer to its creation and never again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// All tokens, revoked ones included.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenList {
    /// Newest first.
    pub tokens: Vec<TokenInfo>,
}
