//! Several servers on one database: what others changed is followed here, and what a server that is gone was carrying
//! is gone on with.

use std::sync::Arc;
use std::time::Duration;

use jarvis_agents::Mind;
use jarvis_memory::{SecretVault, Store};
use jarvis_safety::event::{Event, EventKind};
use jarvis_safety::kernel::Console;
use jarvis_safety::port::{Clock, Ledger as _, SettingStore as _, StoreError};
use jarvis_safety::setting::Settings;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// How often is looked for what was abandoned. A process that is gone tells nobody.
const LOOK: Duration = Duration::from_secs(15);

/// What follows.
pub(super) struct Replica {
    pub(super) store: Store,
    pub(super) console: Console,
    pub(super) mind: Mind,
    pub(super) settings: watch::Sender<Settings>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) vault: SecretVault,
}

impl Replica {
    /// Follows for as long as it is polled. What is taken over is probed beside that, which may last: a brake does not
    /// wait for it.
    pub(super) async fn run(self) {
        let follow = async {
            let mut rows = self.store.elsewhere();
            loop {
                let followed = match rows.recv().await {
                    Ok(row) => self.follow(&row).await,
                    // Some were missed: everything is read anew.
                    Err(RecvError::Lagged(_)) => self.follow_all().await,
                    Err(RecvError::Closed) => return,
                };
                tell(followed);
            }
        };
        let take_over = async {
            let mut look = tokio::time::interval(LOOK);
            look.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                look.tick().await;
                tell(self.take_over().await);
            }
        };
        tokio::select! {
            () = follow => {}
            () = take_over => {}
        }
    }

    async fn follow(&self, row: &Event) -> Result<(), StoreError> {
        match row.kind {
            EventKind::KillOn | EventKind::KillOff => self.follow_kill_switch().await,
            EventKind::SettingChanged => self.follow_settings().await,
            EventKind::SecretKept | EventKind::SecretRemoved | EventKind::VaultRekeyed => {
                self.vault.load().await;
                Ok(())
            }
            EventKind::GrantGiven | EventKind::GrantRevoked => self.follow_grants().await,
            EventKind::ApprovalApproved
            | EventKind::ApprovalDenied
            | EventKind::ApprovalExpired
            | EventKind::ApprovalStale => {
                if let Ok(card) = row.subject.parse() {
                    self.console.card_moved(&card);
                }
                Ok(())
            }
            EventKind::CallDone | EventKind::CallFailed | EventKind::CallCancelled | EventKind::CallUnknown => {
                match row.subject.parse() {
                    Ok(call) => self.console.call_settled(&call).await,
                    Err(_) => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    async fn follow_all(&self) -> Result<(), StoreError> {
        self.follow_kill_switch().await?;
        self.vault.load().await;
        self.follow_grants().await?;
        self.follow_settings().await
    }

    async fn follow_grants(&self) -> Result<(), StoreError> {
        self.console.apply_grants(self.store.grants(Some(self.clock.now())).await?);
        Ok(())
    }

    async fn follow_kill_switch(&self) -> Result<(), StoreError> {
        self.console.follow_kill_switch(self.store.kill_switch().await?);
        Ok(())
    }

    async fn follow_settings(&self) -> Result<(), StoreError> {
        let settings = self.store.settings().await?;
        self.console.apply_settings(settings.clone());
        self.settings.send_replace(settings);
        Ok(())
    }

    async fn take_over(&self) -> Result<(), StoreError> {
        // A row that was not heard of must not keep a brake from being felt.
        self.follow_all().await?;
        self.console.recover().await?;
        self.mind.resume().await.map(|_| ())
    }
}

fn tell(followed: Result<(), StoreError>) {
    if let Err(error) = followed {
        tracing::warn!(%error, "what other replicas did cannot be read; it is looked at again soon");
    }
}
