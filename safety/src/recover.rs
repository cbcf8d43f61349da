//! After a restart: settle what was in doubt, and execute what was approved.

use std::sync::Arc;

use futures_util::{TryStreamExt as _, stream};
use serde_json::Value;

use crate::actor::Actor;
use crate::call::{CallRecord, CallState};
use crate::event::Draft;
use crate::kernel::{Console, Inner, YES_HOLDS_MS};
use crate::outcome::Outcome;
use crate::port::StoreError;
use crate::row;
use crate::run::{judged, probe};
use crate::tool::{Probe, ToolError, ToolErrorKind, Trust};

/// Most effects in doubt that are probed at once.
const PROBES: usize = 16;

impl Console {
    /// Probes every effect that was abandoned before its outcome was recorded, and goes on with approved cards. An effect is never
    /// repeated: if the probe cannot tell, it is recorded as unknown and a person must look.
    ///
    /// # Errors
    /// If the store cannot be read; the server must not serve then.
    pub async fn recover(&self) -> Result<(), StoreError> {
        let mut doubts = self.inner().ledger.abandoned_calls().await?;
        doubts.retain(|record| record.state == CallState::Running && !self.inner().holds(&record.id));
        // A target that hangs holds up its own probe and not all others.
        stream::iter(doubts.iter().map(Ok))
            .try_for_each_concurrent(PROBES, |record| self.inner().settle_doubt(record))
            .await?;
        let oldest = self.inner().clock.now() - YES_HOLDS_MS;
        let mut cards = self.inner().ledger.abandoned_cards().await?;
        cards.retain(|card| !self.inner().holds_card(&card.id));
        for card in cards {
            let inner = Arc::clone(self.inner());
            // Whoever said yes meant then, not some start days later.
            let too_old = card.decided_at.is_some_and(|at| at < oldest);
            tokio::spawn(async move { inner.run_card(&card.id, too_old).await });
        }
        Ok(())
    }
}

impl Inner {
    async fn settle_doubt(&self, record: &CallRecord) -> Result<(), StoreError> {
        // It may have ended here since it was looked up: what is let go of was recorded before.
        let now = self.ledger.call(&record.id).await?;
        if now.is_none_or(|now| now.state != CallState::Running) {
            return Ok(());
        }
        let tool = self.registry.tool(&record.tool);
        let probe = match &tool {
            // A tool that was changed since might look at something else.
            Some(tool) if tool.described().spec.revision == record.revision => {
                probe(&**tool, &record.args, &record.target).await
            }
            _ => Probe::Unknown,
        };
        let (state, seen) = judged(probe, ToolErrorKind::Failed);
        let words = format!("Jarvis was stopped or cut off while this ran; {seen}");
        let outcome = Outcome {
            call: record.id.clone(),
            tool: record.tool.clone(),
            tier: record.tier,
            target: record.target.clone(),
            state,
            output: Value::Null,
            words: words.clone(),
            error: (state != CallState::Done).then(|| ToolError::new(ToolErrorKind::Failed, words.clone())),
            untrusted: tool.is_none_or(|tool| tool.described().spec.trust == Trust::Untrusted),
            undoable: false,
            millis: 0,
            rule: record.rule.clone(),
        };
        let (system, kind) = (Actor::system(), row::settled(state));
        let row = row::outcome(&system, &record.origin, record.args.clone(), &outcome, kind);
        let row = Draft { owner: record.actor.clone(), ..row };
        match self.ledger.settle(&outcome, None, record.origin.undoes.as_ref(), self.clock.now(), row).await {
            // Whoever carried it came back and said what came of it.
            Err(StoreError::Conflict(_)) => Ok(()),
            settled => settled,
        }
    }
}
