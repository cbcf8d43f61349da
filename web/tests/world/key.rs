//! Passwords, sessions and tokens.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use jarvis_safety::event::Draft;
use jarvis_safety::id::{SessionId, TokenId};
use jarvis_safety::identity::{Session, Token, TokenGrant};
use jarvis_safety::port::{Identities, Stored};
use jarvis_safety::{Actor, ActorId};
use jarvis_web::SetupCode;
use tokio::sync::broadcast;

use super::journal::Journal;

pub const CODE: &str = "one-time-code";

pub struct Keys {
    pub journal: Arc<Journal>,
    password: Mutex<Option<String>>,
    sessions: Mutex<Vec<(String, Session)>>,
    tokens: Mutex<Vec<(String, Token)>>,
    ended: broadcast::Sender<String>,
    next: AtomicU64,
}

impl Keys {
    pub fn new(journal: Arc<Journal>, password: Option<&str>) -> Arc<Self> {
        Arc::new(Self {
            journal,
            password: Mutex::new(password.map(str::to_owned)),
            sessions: Mutex::default(),
            tokens: Mutex::default(),
            ended: broadcast::channel(16).0,
            next: AtomicU64::new(1),
        })
    }

    fn secret(&self) -> (u128, String) {
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        (u128::from(number), format!("secret{number}"))
    }
}

#[async_trait]
impl SetupCode for Keys {
    async fn check(&self, code: &str) -> bool {
        code == CODE && self.password.lock().unwrap().is_none()
    }
}

#[async_trait]
impl Identities for Keys {
    async fn operator_exists(&self) -> Stored<bool> {
        Ok(self.password.lock().unwrap().is_some())
    }

    async fn setup_code(&self) -> Stored<Option<String>> {
        Ok(self.password.lock().unwrap().is_none().then(|| CODE.to_owned()))
    }

    async fn set_password(&self, password: &str, draft: Draft) -> Stored<()> {
        *self.password.lock().unwrap() = Some(password.to_owned());
        self.journal.write(draft);
        Ok(())
    }

    async fn check_password(&self, password: &str) -> Stored<bool> {
        Ok(self.password.lock().unwrap().as_deref() == Some(password))
    }

    async fn open_session(&self, draft: Draft) -> Stored<(Session, String)> {
        let (number, secret) = self.secret();
        let session = Session { id: SessionId::new(number), created_at: 0, expires_at: 86_400_000 };
        self.sessions.lock().unwrap().push((secret.clone(), session.clone()));
        self.journal.write(draft);
        Ok((session, secret))
    }

    async fn session(&self, secret: &str) -> Stored<Option<Session>> {
        let sessions = self.sessions.lock().unwrap();
        Ok(sessions.iter().find(|(known, _)| known == secret).map(|(_, session)| session.clone()))
    }

    async fn close_session(&self, id: &SessionId, draft: Draft) -> Stored<()> {
        self.sessions.lock().unwrap().retain(|(_, session)| session.id != *id);
        self.journal.write(draft);
        let _ = self.ended.send(id.to_string());
        Ok(())
    }

    async fn create_token(&self, id: TokenId, grant: TokenGrant, draft: Draft) -> Stored<(Token, String)> {
        let (_, secret) = self.secret();
        let token = Token { id, grant, created_at: 0, used_at: None, revoked_at: None };
        self.tokens.lock().unwrap().push((secret.clone(), token.clone()));
        self.journal.write(draft);
        Ok((token, secret))
    }

    async fn token(&self, secret: &str) -> Stored<Option<Token>> {
        let tokens = self.tokens.lock().unwrap();
        let living = tokens.iter().find(|(known, token)| known == secret && token.revoked_at.is_none());
        Ok(living.map(|(_, token)| token.clone()))
    }

    async fn tokens(&self) -> Stored<Vec<Token>> {
        Ok(self.tokens.lock().unwrap().iter().rev().map(|(_, token)| token.clone()).collect())
    }

    async fn revoke_token(&self, id: &TokenId, draft: Draft) -> Stored<bool> {
        let mut tokens = self.tokens.lock().unwrap();
        let Some((_, token)) = tokens.iter_mut().find(|(_, token)| token.id == *id && token.revoked_at.is_none())
        else {
            return Ok(false);
        };
        token.revoked_at = Some(0);
        self.journal.write(draft);
        let _ = self.ended.send(id.to_string());
        Ok(true)
    }

    async fn standing(&self, id: &ActorId) -> Stored<Option<Actor>> {
        let fixed = [Actor::operator(), Actor::local(), Actor::mcp_stdio()];
        if let Some(actor) = fixed.into_iter().find(|actor| actor.id == *id) {
            return Ok(Some(actor));
        }
        let tokens = self.tokens.lock().unwrap();
        let living = tokens.iter().filter(|(_, token)| token.revoked_at.is_none());
        Ok(living.map(|(_, token)| token.actor()).find(|actor| actor.id == *id))
    }

    fn ended(&self) -> broadcast::Receiver<String> {
        self.ended.subscribe()
    }
}
