//! What other replicas of the same database have done, where it stands in memory here.

use crate::id::{ApprovalId, CallId};
use crate::kernel::Console;
use crate::kill::KillSwitch;
use crate::port::StoreError;

impl Console {
    /// Puts in force what an operator has set on another replica: what it forbids is cancelled here too.
    pub fn follow_kill_switch(&self, kill: KillSwitch) {
        self.put_in_force(|_| kill);
    }

    /// A card was decided or has ended on another replica: whoever waits for it here looks.
    pub fn card_moved(&self, card: &ApprovalId) {
        self.inner().say_moved(card);
    }

    /// A call was settled on another replica: its card may have ended.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn call_settled(&self, call: &CallId) -> Result<(), StoreError> {
        let record = self.inner().ledger.call(call).await?;
        if let Some((card, _)) = record.and_then(|record| record.approval) {
            self.card_moved(&card);
        }
        Ok(())
    }
}
