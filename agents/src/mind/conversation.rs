//! Conversations as their owners see them.

use jarvis_safety::conversation::{Conversation, Entry, Turn, TurnState};
use jarvis_safety::event::EventKind;
use jarvis_safety::plain::visible;
use jarvis_safety::{Actor, ActorId, ActorKind, ConversationId, Refusal, TurnId};
use serde_json::json;

use crate::turn::replay::{Replay, replay};
use crate::turn::row;

use super::{Mind, not_found, store};

/// Longest title, in characters.
const MAX_TITLE: usize = 200;
/// Most conversations in one list.
const MAX_LIST: u32 = 200;

impl Mind {
    /// Conversations whose title or words hold `search`, the newest first; at most 200. The operator sees everybody's.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn conversations(&self, actor: &Actor, search: &str, limit: u32) -> Result<Vec<Conversation>, Refusal> {
        let owner = Some(&actor.id).filter(|_| actor.kind != ActorKind::Operator);
        let found = self.inner().conversations.conversations(owner, search.trim(), limit.clamp(1, MAX_LIST));
        found.await.map_err(|error| store(&error))
    }

    /// One conversation with all turns of its tree, oldest first.
    ///
    /// # Errors
    /// If it does not exist for this actor or the store cannot be read.
    pub async fn conversation(
        &self,
        actor: &Actor,
        id: &ConversationId,
    ) -> Result<(Conversation, Vec<(Turn, Vec<Entry>)>), Refusal> {
        let conversation = self.own(actor, id).await?;
        let turns = self.inner().conversations.turns(id).await.map_err(|error| store(&error))?;
        Ok((conversation, turns))
    }

    /// Replays the log of every turn of a conversation, oldest first. Runs nothing and keeps nothing.
    ///
    /// # Errors
    /// If it does not exist for this actor or the store cannot be read.
    pub async fn replay(&self, actor: &Actor, id: &ConversationId) -> Result<Vec<(Turn, Replay)>, Refusal> {
        let (_, turns) = self.conversation(actor, id).await?;
        let inner = self.inner();
        let mut replayed = Vec::with_capacity(turns.len());
        for (turn, log) in turns {
            let found = replay(&turn, &log, inner.gate.registry(), &inner.prompts);
            replayed.push((turn, found));
            // A conversation may be long; others are served between two of its turns.
            tokio::task::yield_now().await;
        }
        Ok(replayed)
    }

    /// One turn and its log.
    ///
    /// # Errors
    /// If it does not exist for this actor or the store cannot be read.
    pub async fn turn(&self, actor: &Actor, id: &TurnId) -> Result<(Turn, Vec<Entry>), Refusal> {
        let found = self.inner().conversations.turn(id).await.map_err(|error| store(&error))?;
        let (turn, log) = found.ok_or_else(|| not_found("turn"))?;
        if !sees(actor, &turn.actor) {
            // Somebody may own the conversation in which another one spoke.
            self.own(actor, &turn.conversation).await.map_err(|_| not_found("turn"))?;
        }
        Ok((turn, log))
    }

    /// Gives a conversation another title, 1 to 200 characters.
    ///
    /// # Errors
    /// If the title is none or too long, the conversation does not exist for this actor, or the store fails.
    pub async fn rename(&self, actor: &Actor, id: &ConversationId, title: &str) -> Result<Conversation, Refusal> {
        let title = visible(title.trim());
        if title.is_empty() || title.chars().count() > MAX_TITLE {
            return Err(Refusal::invalid(format!("a title has 1 to {MAX_TITLE} characters")));
        }
        let conversation = self.own(actor, id).await?;
        let draft = row::conversation(
            EventKind::ConversationRenamed,
            &actor.id,
            &conversation.owner,
            id,
            "renamed",
            Some(json!({ "title": title })),
        );
        self.inner().conversations.rename(id, &title, draft).await.map_err(|error| store(&error))?;
        Ok(Conversation { title, ..conversation })
    }

    /// Erases a conversation: its turns are stopped, and their texts are gone afterwards.
    ///
    /// # Errors
    /// If it does not exist for this actor or the store fails.
    pub async fn delete(&self, actor: &Actor, id: &ConversationId) -> Result<(), Refusal> {
        let (conversation, turns) = self.conversation(actor, id).await?;
        for (turn, _) in turns {
            if matches!(turn.state, TurnState::Running | TurnState::Waiting) {
                self.stop(actor, &turn.id).await?;
            }
        }
        let draft = row::conversation(
            EventKind::ConversationDeleted,
            &actor.id,
            &conversation.owner,
            id,
            "a conversation was erased",
            None,
        );
        self.inner().conversations.delete(id, draft).await.map_err(|error| store(&error))
    }

    /// The conversation, if it is this actor's to see. One of somebody else is as good as none.
    async fn own(&self, actor: &Actor, id: &ConversationId) -> Result<Conversation, Refusal> {
        let found = self.inner().conversations.conversation(id).await.map_err(|error| store(&error))?;
        found.filter(|conversation| sees(actor, &conversation.owner)).ok_or_else(|| not_found("conversation"))
    }
}

fn sees(actor: &Actor, owner: &ActorId) -> bool {
    actor.kind == ActorKind::Operator || actor.id == *owner
}
