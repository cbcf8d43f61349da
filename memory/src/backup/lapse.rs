//! What must not outlive a restore: open approvals, because a yes must not be replayed, and sessions.
//!
//! Tokens stay: they belong to programs that cannot sign in again. Calls that ran stay as they are; the next start
//! probes them like after every crash.

use async_trait::async_trait;
use jarvis_safety::approval::{Approval, ApprovalState};
use jarvis_safety::event::{Draft, EventKind};
use jarvis_safety::port::{Ledger as _, Stored};
use jarvis_safety::{Actor, ActorId};

use crate::change::{Change, Tx};
use crate::row::Row;
use crate::store::Store;
use crate::stored::Halt;

/// Cards that lapse in one transaction.
const PAGE: u32 = 200;

/// Why, on each card.
const BECAUSE: &str = "the store was restored from a backup; ask again";

/// How many there were.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lapsed {
    pub(super) cards: u64,
    pub(super) sessions: u64,
}

impl Store {
    /// Voids what was open when a backup was taken, and tells that the store was restored from it.
    pub(super) async fn lapse(&self, head: u64) -> Stored<Lapsed> {
        let open = [ApprovalState::Pending, ApprovalState::Approved, ApprovalState::Running];
        let mut lapsed = Lapsed::default();
        loop {
            let cards = self.approvals(&open, PAGE).await?;
            if cards.is_empty() {
                break;
            }
            lapsed.cards += cards.len() as u64;
            self.0.writer.submit(LapseCards { cards, at: self.0.clock.now() }).await?;
        }
        lapsed.sessions = self.0.writer.submit(EndSessions { head, cards: lapsed.cards }).await?;
        self.0.sessions.end_all();
        Ok(lapsed)
    }
}

fn row(kind: EventKind, owner: ActorId, subject: &str, summary: String) -> Draft {
    Draft {
        kind,
        actor: Actor::system().id,
        owner,
        subject: subject.to_owned(),
        correlation: "restore".to_owned(),
        tool: None,
        tier: None,
        summary,
        body: None,
    }
}

struct LapseCards {
    cards: Vec<Approval>,
    at: i64,
}

#[async_trait]
impl Change for LapseCards {
    type Answer = ();

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        for card in &self.cards {
            let id = card.id.as_str();
            let pending = card.state == ApprovalState::Pending;
            // A step that ran when the backup was taken is settled by the next start; none comes after it.
            let (state, kind, skip) = match pending {
                true => (ApprovalState::Expired, EventKind::ApprovalExpired, false),
                false => (ApprovalState::Stale, EventKind::ApprovalStale, true),
            };
            sqlx::query(
                "update approval set state = $2, because = $3, decided_at = coalesce(decided_at, $4), \
                 decided_by = coalesce(decided_by, $5), finished_at = coalesce(finished_at, $4) where id = $1",
            )
            .bind(id)
            .bind(state.as_str())
            .bind(BECAUSE)
            .bind(self.at)
            .bind(Actor::system().id.as_str())
            .execute(&mut *tx.connection)
            .await?;
            if skip {
                sqlx::query("update approval_step set state = 'skipped' where approval = $1 and state = 'waiting'")
                    .bind(id)
                    .execute(&mut *tx.connection)
                    .await?;
            }
            let told = row(kind, card.actor.id.clone(), id, format!("void: {BECAUSE}"));
            let told = Draft { tier: Some(card.tier), tool: card.steps.first().map(|step| step.tool.clone()), ..told };
            tx.tell(Row::new(told).map_err(|error| Halt::from(error).after_writing())?);
        }
        Ok(())
    }
}

struct EndSessions {
    head: u64,
    cards: u64,
}

#[async_trait]
impl Change for EndSessions {
    type Answer = u64;

    async fn apply(&self, tx: &mut Tx<'_>) -> Result<u64, Halt> {
        let ended = sqlx::query("delete from session").execute(&mut *tx.connection).await?.rows_affected();
        let summary = format!(
            "restored from a backup that ends with row {}; open approvals made void: {}, sessions ended: {ended}",
            self.head, self.cards
        );
        let told = row(EventKind::ServerStarted, Actor::system().id, "restore", summary);
        tx.tell(Row::new(told).map_err(|error| Halt::from(error).after_writing())?);
        Ok(ended)
    }
}
