//! What is held in memory follows what other replicas changed: tokens, sessions, and whether there is an operator.
//!
//! The row of the audit says that something changed; how it is now is read from its table. The writer does this, in the
//! order of the rows, and nobody else changes what is held in memory: so nothing that was read too early is put back.

use std::sync::Arc;

use jarvis_safety::event::{Event, EventKind};

use crate::dialect::Connection;
use crate::password::Operator;
use crate::session::Sessions;
use crate::stored::Halt;
use crate::token::Tokens;

/// Whatever is held in memory of what replicas share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Followers {
    pub(crate) operator: Arc<Operator>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) tokens: Arc<Tokens>,
}

impl Followers {
    /// Lets them follow a row that another replica wrote.
    pub(crate) async fn follow(&self, connection: &mut Connection, event: &Event) -> Result<(), Halt> {
        match event.kind {
            EventKind::TokenCreated | EventKind::TokenRevoked => self.tokens.follow(connection, &event.subject).await,
            EventKind::SessionOpened | EventKind::SessionClosed => self.sessions.follow(connection).await,
            EventKind::OperatorSet => {
                self.operator.follow(connection).await?;
                self.sessions.follow(connection).await
            }
            _ => Ok(()),
        }
    }
}
