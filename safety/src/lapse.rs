//! Cards whose time is over.

use std::time::Duration;

use crate::actor::Actor;
use crate::approval::{Approval, ApprovalState};
use crate::event::EventKind;
use crate::kernel::{Console, Inner};
use crate::port::Decision;
use crate::refusal::Refusal;
use crate::row;

impl Console {
    /// Lapses cards whose time is over, for as long as the server runs.
    pub async fn keep_expiring(&self) {
        loop {
            let next = self.inner().expire_due().await;
            let pause = next.map_or(Duration::from_secs(3600), |at| {
                Duration::from_millis(u64::try_from(at - self.inner().clock.now()).unwrap_or(0).max(5))
            });
            let _ = tokio::time::timeout(pause, self.inner().asked.notified()).await;
        }
    }
}

impl Inner {
    /// `answered`: whether somebody did decide, but too late. Then nobody was silent.
    pub(crate) async fn expire(&self, card: &Approval, answered: bool) -> Result<(), Refusal> {
        let system = Actor::system().id;
        let said = format!("expired, nobody decided in time: {}", card.steps[0].sentence);
        let row = row::card(EventKind::ApprovalExpired, &system, card, &said);
        let because = "nobody decided in time".to_owned();
        let void = Decision::void(card, ApprovalState::Expired, because, self.clock.now());
        let decision = Decision { withdrawn: answered, ..void };
        self.decided(&decision, row).await.map(|_| ())
    }

    /// Lapses what is due and answers when the next card is.
    async fn expire_due(&self) -> Option<i64> {
        let due = match self.ledger.due(self.clock.now()).await {
            Ok(due) => due,
            Err(error) => {
                tracing::error!(%error, "open approvals cannot be read; trying again in 5 s");
                return Some(self.clock.now() + 5_000);
            }
        };
        for card in due.cards {
            if let Err(error) = self.expire(&card, false).await {
                tracing::error!(approval = %card.id, %error, "an approval could not be lapsed; trying again in 5 s");
                return Some(self.clock.now() + 5_000);
            }
        }
        due.next
    }
}
