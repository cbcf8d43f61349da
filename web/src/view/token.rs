//! Tokens.

use jarvis_client::wire::TokenInfo;
use jarvis_safety::identity::Token;

/// A token. The secret is there only in the answer to its creation.
#[must_use]
pub fn token(token: &Token, secret: Option<String>) -> TokenInfo {
    let scopes = if token.grant.approve { vec!["approve".to_owned()] } else { Vec::new() };
    TokenInfo {
        id: token.id.to_string(),
        name: token.grant.name.clone(),
        ceiling: token.grant.ceiling.as_str().to_owned(),
        confirm: token.grant.confirm.as_str().to_owned(),
        scopes,
        created_at: token.created_at,
        used_at: token.used_at,
        revoked_at: token.revoked_at,
        secret,
    }
}
