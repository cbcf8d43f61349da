//! Tokens.

use jarvis_client::wire::TokenInfo;
use jarvis_safety::identity::Token;

/// A token. The secret is there only in the answer to its creation.
#[must_use]
pub fn token(token: &Token, secret: Option<String>, now: i64) -> TokenInfo {
    let state = match token.revoked_at {
        Some(_) => "revoked",
        None if token.grant.is_over(now) => "expired",
        None => "active",
    };
    TokenInfo {
        id: token.id.to_string(),
        name: token.grant.name.clone(),
        ceiling: token.grant.ceiling.as_str().to_owned(),
        confirm: token.grant.confirm.as_str().to_owned(),
        state: state.to_owned(),
        role: token.grant.role.as_str().to_owned(),
        targets: token.grant.reach.patterns().to_vec(),
        per_minute: token.grant.per_minute,
        expires_at: token.grant.expires_at,
        created_at: token.created_at,
        used_at: token.used_at,
        revoked_at: token.revoked_at,
        secret,
    }
}
