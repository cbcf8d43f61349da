//! Taking a call back, by another governed call.

use crate::actor::{Actor, ActorKind};
use crate::bar::Bar;
use crate::call::{CallState, Origin, Request, Vouching};
use crate::id::CallId;
use crate::outcome::Answer;
use crate::refusal::{Code, Refusal, store_refusal};
use crate::tool::Undo;
use serde_json::Value;

use crate::kernel::Gate;

impl Gate {
    /// Makes the call that the tool declared to take this one back. It passes the gate like any other.
    pub async fn undo(&self, actor: &Actor, id: &CallId, origin: Origin) -> Answer {
        let mut request = Request {
            actor: actor.clone(),
            origin,
            tool: "undo".to_owned(),
            args: Value::Null,
            key: None,
            vouching: if actor.kind == ActorKind::Operator { Vouching::Person } else { Vouching::Client },
        };
        match self.undoing(actor, id).await {
            Ok(undo) => {
                request.origin.undoes = Some(id.clone());
                self.call(Request { tool: undo.tool, args: undo.args, ..request }).await
            }
            Err(refusal) => self.0.refused(&request, None, refusal).await,
        }
    }

    async fn undoing(&self, actor: &Actor, id: &CallId) -> Result<Undo, Refusal> {
        let found = self.0.ledger.call(id).await.map_err(|error| store_refusal(&error))?;
        let record = found
            // A call of somebody else is as good as none, so that ids tell nothing.
            .filter(|record| record.actor == actor.id || matches!(actor.kind, ActorKind::Operator | ActorKind::Local))
            .ok_or_else(|| {
                Refusal::new(Code::NotFound, "undo", format!("there is no call {id} above green of yours"))
            })?;
        if let Some(by) = &record.undone_by {
            return Err(Bar::TakenBack(by.clone()).refusal());
        }
        record.undo.filter(|_| record.state == CallState::Done).ok_or_else(|| {
            Refusal::new(
                Code::NotUndoable,
                "undo",
                format!("{} is {} and left nothing to take back", record.tool, record.state.as_str()),
            )
        })
    }
}
