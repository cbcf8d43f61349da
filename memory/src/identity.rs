//! Who may come in: joins password, sessions and tokens to the port.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jarvis_safety::event::{Draft, EventKind};
use jarvis_safety::id::{SessionId, TokenId};
use jarvis_safety::identity::{Admission, Session, Source, Token, TokenGrant, Whence};
use jarvis_safety::port::{Identities, StoreError, Stored};
use jarvis_safety::{Actor, ActorId};
use tokio::sync::broadcast;

use crate::attempt::{Admit, Forgive};
use crate::chain::{self, secret_digest};
use crate::heard::{self, Hear};
use crate::pace::TakeShared;
use crate::password::{Reset, SetPassword};
use crate::row::Row;
use crate::session::{self, CloseOthers, CloseSession, OpenSession};
use crate::store::Store;
use crate::stored::clean;
use crate::token::{self, CreateToken, NoteUse, RevokeToken};

/// Thirty-two random bytes as text that fits into a header and a link.
fn secret() -> Stored<String> {
    let bytes = chain::random::<32>().map_err(StoreError::Unavailable)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

impl Store {
    /// Whether this is the one-time code. Takes the same time for every wrong one; false once the password is set.
    #[must_use]
    pub fn check_setup_code(&self, text: &str) -> bool {
        !self.0.operator.exists() && self.0.operator.is_code(text)
    }

    /// Sets the password for the first time. Answers false, and keeps nothing, if the code is not (or no longer) the
    /// one-time code: of two people who hold it, one wins.
    ///
    /// # Errors
    /// If the password is empty or longer than 1,024 bytes, or the store fails.
    pub async fn set_first_password(&self, code: &str, password: &str, draft: Draft) -> Stored<bool> {
        if !self.check_setup_code(code) {
            return Ok(false);
        }
        let change = self.set_password_change(password, true, draft).await?;
        match self.0.writer.submit(change).await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Forgets the operator's password and second factor, ends all sessions, and answers the new one-time code. For `jarvis operator
    /// reset`, which proves by its access to this machine that it may.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn reset_operator(&self) -> Stored<String> {
        let local = Actor::local().id;
        let row = Row::own(Draft {
            kind: EventKind::OperatorSet,
            actor: local,
            owner: Actor::operator().id,
            subject: "operator".to_owned(),
            correlation: String::new(),
            tool: None,
            tier: None,
            summary:
                "the operator's password and second factor were reset on this machine; all sessions ended, all grants were taken \
                 back"
                    .to_owned(),
            body: None,
        })?;
        let (operator, sessions) = (Arc::clone(&self.0.operator), Arc::clone(&self.0.sessions));
        self.0.writer.submit(Reset { operator, sessions, at: self.0.clock.now(), row }).await?;
        self.0
            .operator
            .code()
            .ok_or_else(|| StoreError::Unavailable("no new code could be made; restart Jarvis".to_owned()))
    }

    async fn set_password_change(&self, password: &str, first_only: bool, draft: Draft) -> Stored<SetPassword> {
        Ok(SetPassword {
            operator: Arc::clone(&self.0.operator),
            sessions: Arc::clone(&self.0.sessions),
            hash: self.0.operator.hash(password).await?,
            first_only,
            at: self.0.clock.now(),
            row: Row::new(&self.0.redactor, draft)?,
        })
    }
}

#[async_trait]
impl Identities for Store {
    async fn operator_exists(&self) -> Stored<bool> {
        Ok(self.0.operator.exists())
    }

    async fn setup_code(&self) -> Stored<Option<String>> {
        Ok(self.0.operator.code())
    }

    async fn set_password(&self, password: &str, draft: Draft) -> Stored<()> {
        let change = self.set_password_change(password, false, draft).await?;
        self.0.writer.submit(change).await
    }

    async fn check_password(&self, password: &str) -> Stored<bool> {
        self.0.operator.check(&self.0.readers, password).await
    }

    async fn admit(&self, source: &Source) -> Stored<Admission> {
        self.0.writer.submit(Admit { source: source.clone(), now: self.0.clock.now() }).await
    }

    async fn forgive(&self, source: &Source) -> Stored<()> {
        self.0.writer.submit(Forgive(source.clone())).await
    }

    async fn heard(&self, actor: &ActorId) -> Stored<Option<i64>> {
        heard::last(&self.0.lookup, actor).await
    }

    async fn hear(&self, actor: &ActorId, at: i64) -> Stored<()> {
        self.0.writer.submit(Hear { actor: actor.clone(), at }).await
    }

    async fn open_session(&self, whence: Whence, draft: Draft) -> Stored<(Session, String)> {
        let now = self.0.clock.now();
        let id = SessionId::new(self.0.ids.next());
        let session = Session { id, whence, created_at: now, expires_at: now + session::LIFE, used_at: now };
        let secret = secret()?;
        let row = Row::new(&self.0.redactor, draft)?;
        let row = if row.subject().is_empty() { row.about(session.id.as_str()) } else { row };
        let change = OpenSession {
            sessions: Arc::clone(&self.0.sessions),
            session: session.clone(),
            secret: secret_digest(&secret),
            row,
        };
        self.0.writer.submit(change).await?;
        Ok((session, secret))
    }

    async fn session(&self, secret: &str) -> Stored<Option<Session>> {
        let now = self.0.clock.now();
        let find = || self.0.sessions.find(secret, now);
        let found = match find() {
            None if self.is_shared() => {
                self.hear_all().await;
                find()
            }
            found => found,
        };
        let Some((session, note)) = found else { return Ok(None) };
        if note {
            self.0.writer.submit_lazily(session::NoteUse { id: session.id.clone(), at: now });
        }
        Ok(Some(session))
    }

    async fn sessions(&self) -> Stored<Vec<Session>> {
        if self.is_shared() {
            self.hear_all().await;
        }
        Ok(self.0.sessions.list(self.0.clock.now()))
    }

    async fn close_others(&self, kept: &SessionId, draft: Draft) -> Stored<u64> {
        let sessions = Arc::clone(&self.0.sessions);
        let row = Row::new(&self.0.redactor, draft)?;
        self.0.writer.submit(CloseOthers { sessions, kept: kept.clone(), row }).await
    }

    async fn close_session(&self, id: &SessionId, draft: Draft) -> Stored<bool> {
        let sessions = Arc::clone(&self.0.sessions);
        self.0.writer.submit(CloseSession { sessions, id: id.clone(), row: Row::new(&self.0.redactor, draft)? }).await
    }

    async fn create_token(&self, id: TokenId, grant: TokenGrant, draft: Draft) -> Stored<(Token, String)> {
        let grant = TokenGrant { name: clean(&grant.name).into_owned(), ..grant };
        let created_at = self.0.clock.now();
        let token = Token { id, grant, created_at, used_at: None, revoked_at: None };
        let secret = format!("{}{}", token::PREFIX, secret()?);
        let change = CreateToken {
            tokens: Arc::clone(&self.0.tokens),
            token: token.clone(),
            secret: secret_digest(&secret),
            row: Row::new(&self.0.redactor, draft)?,
        };
        self.0.writer.submit(change).await?;
        Ok((token, secret))
    }

    async fn token(&self, secret: &str) -> Stored<Option<Token>> {
        let now = self.0.clock.now();
        let find = || self.0.tokens.find(secret, now);
        let found = match find() {
            None if self.is_shared() => {
                self.hear_all().await;
                find()
            }
            found => found,
        };
        let Some((token, note)) = found else { return Ok(None) };
        if note {
            self.0.writer.submit_lazily(NoteUse { id: token.id.clone(), at: now });
        }
        Ok(Some(token))
    }

    async fn pace(&self, id: &TokenId) -> Stored<Option<i64>> {
        match self.0.tokens.pace(id, self.0.clock.now()) {
            Some(Err(wait)) => Ok(Some(wait)),
            Some(Ok(per_minute)) if self.is_shared() => {
                self.0.writer.submit(TakeShared { token: id.clone(), per_minute }).await
            }
            _ => Ok(None),
        }
    }

    async fn tokens(&self) -> Stored<Vec<Token>> {
        self.0.tokens.list(&self.0.readers).await
    }

    async fn revoke_token(&self, id: &TokenId, draft: Draft) -> Stored<bool> {
        let change = RevokeToken {
            tokens: Arc::clone(&self.0.tokens),
            id: id.clone(),
            at: self.0.clock.now(),
            row: Row::new(&self.0.redactor, draft)?,
        };
        self.0.writer.submit(change).await
    }

    async fn standing(&self, id: &ActorId) -> Stored<Option<Actor>> {
        let fixed = [Actor::operator(), Actor::local(), Actor::mcp_stdio(), Actor::system()];
        let known = fixed.into_iter().find(|actor| actor.id == *id);
        Ok(known.or_else(|| {
            id.as_str().strip_prefix("token:").and_then(|token| self.0.tokens.actor(token, self.0.clock.now()))
        }))
    }

    fn ended(&self) -> broadcast::Receiver<String> {
        self.0.ended.subscribe()
    }
}
