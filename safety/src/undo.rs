//! Taking calls back, by other governed calls: one, or those of a whole turn, the last one first.

use crate::actor::{Actor, ActorKind};
use crate::bar::Bar;
use crate::call::{CallState, Origin, Request, Vouching};
use crate::id::CallId;
use crate::kernel::{Gate, PlanAnswer};
use crate::outcome::Answer;
use crate::plan::MAX_STEPS;
use crate::refusal::{Code, Refusal, store_refusal};
use crate::tool::Undo;
use serde_json::Value;

impl Gate {
    /// Makes the call that the tool declared to take this one back. It passes the gate like any other.
    pub async fn undo(&self, actor: &Actor, id: &CallId, origin: Origin, vouching: Vouching) -> Answer {
        match self.undoing(actor, id, origin, vouching).await {
            Ok(request) => self.call(request).await,
            Err(refusal) => Answer::Refused(refusal),
        }
    }

    /// The call that would take this one back.
    ///
    /// # Errors
    /// If it is not this actor's to take back, was taken back before, or left nothing for that. The refusal is recorded.
    pub async fn undoing(
        &self,
        actor: &Actor,
        id: &CallId,
        origin: Origin,
        vouching: Vouching,
    ) -> Result<Request, Refusal> {
        let tool = "undo".to_owned();
        let request = Request { actor: actor.clone(), origin, tool, args: Value::Null, key: None, vouching };
        match self.undo_of(actor, id).await {
            Ok(undo) => Ok(taking_back(&request, id, undo)),
            Err(refusal) => Err(self.not_undone(&request, refusal).await),
        }
    }

    /// Takes calls back by one plan of what [`Gate::undoing_all`] answered. Where one of them can only be looked at once
    /// another one is done (a file that was written, then written again or removed), each is decided in its turn instead.
    pub async fn undo_all(&self, plan: Vec<Request>) -> PlanAnswer {
        let refusal = match self.plan(plan.clone()).await {
            PlanAnswer::Refused(refusal) => refusal,
            answer => return answer,
        };
        let as_things_are = matches!(refusal.code, Code::UnknownTarget | Code::InvalidArguments);
        if !as_things_are || !(2..=MAX_STEPS).contains(&plan.len()) {
            return PlanAnswer::Refused(refusal);
        }
        match self.in_order(plan).await {
            // Not even the first one: nothing was done.
            PlanAnswer::Ran(results) if results.len() == 1 && results[0].is_err() => PlanAnswer::Refused(refusal),
            answer => answer,
        }
    }

    /// The calls that would take these back, in the order given, without those that left nothing for that or were taken
    /// back before.
    ///
    /// # Errors
    /// If none is left, or one is not this actor's to take back. The refusal is recorded.
    pub async fn undoing_all(
        &self,
        actor: &Actor,
        ids: &[CallId],
        origin: Origin,
        vouching: Vouching,
    ) -> Result<Vec<Request>, Refusal> {
        let tool = "undo".to_owned();
        let request = Request { actor: actor.clone(), origin, tool, args: Value::Null, key: None, vouching };
        let mut plan = Vec::with_capacity(ids.len());
        for id in ids {
            match self.undo_of(actor, id).await {
                Ok(undo) => plan.push(taking_back(&request, id, undo)),
                Err(refusal) if refusal.code == Code::NotUndoable => {}
                Err(refusal) => return Err(self.not_undone(&request, refusal).await),
            }
        }
        if plan.is_empty() {
            let said = "nothing in it can be taken back: nothing was changed, or it was taken back already";
            return Err(self.not_undone(&request, Refusal::new(Code::NotUndoable, "undo", said)).await);
        }
        Ok(plan)
    }

    async fn not_undone(&self, request: &Request, refusal: Refusal) -> Refusal {
        self.0.refused(request, None, refusal.clone()).await;
        refusal
    }

    async fn undo_of(&self, actor: &Actor, id: &CallId) -> Result<Undo, Refusal> {
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

fn taking_back(request: &Request, id: &CallId, undo: Undo) -> Request {
    let origin = Origin { undoes: Some(id.clone()), ..request.origin.clone() };
    Request { origin, tool: undo.tool, args: undo.args, ..request.clone() }
}
