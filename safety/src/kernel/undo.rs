//! Taking a call back, by another governed call.

use crate::actor::{Actor, ActorKind};
use crate::call::{CallState, Origin, Request, Vouching};
use crate::id::CallId;
use crate::outcome::Answer;
use crate::refusal::{Code, Refusal};

use super::gate::{Gate, store_refusal};

impl Gate {
    /// Makes the call that the tool declared to take this one back. It passes the gate like any other.
    pub async fn undo(&self, actor: &Actor, id: &CallId, origin: Origin) -> Answer {
        match self.undoing(actor, id, origin).await {
            Ok(request) => self.call(request).await,
            Err(refusal) => Answer::Refused(refusal),
        }
    }

    async fn undoing(&self, actor: &Actor, id: &CallId, origin: Origin) -> Result<Request, Refusal> {
        let found = self.0.ledger.call(id).await.map_err(|error| store_refusal(&error))?;
        let record = found
            // A call of somebody else is as good as none, so that ids tell nothing.
            .filter(|record| record.actor == actor.id || matches!(actor.kind, ActorKind::Operator | ActorKind::Local))
            .ok_or_else(|| {
                Refusal::new(Code::NotFound, "undo", format!("there is no call {id} above green of yours"))
            })?;
        if let Some(by) = &record.undone_by {
            return Err(Refusal::new(Code::NotUndoable, "undo", format!("it was taken back already, by {by}")));
        }
        let undo = record.undo.filter(|_| record.state == CallState::Done).ok_or_else(|| {
            Refusal::new(
                Code::NotUndoable,
                "undo",
                format!("{} is {} and left nothing to take back", record.tool, record.state.as_str()),
            )
        })?;
        Ok(Request {
            actor: actor.clone(),
            origin: Origin { undoes: Some(record.id), ..origin },
            tool: undo.tool,
            args: undo.args,
            key: None,
            vouching: Vouching::Person,
        })
    }
}
