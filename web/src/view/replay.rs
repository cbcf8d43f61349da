//! Replayed conversations.

use jarvis_agents::Replay;
use jarvis_client::wire::{ConversationReplay, ReplayDivergence, ReplayStep, TurnReplay};
use jarvis_safety::ConversationId;
use jarvis_safety::conversation::Turn;

/// A conversation whose turns were replayed.
#[must_use]
pub fn conversation(id: &ConversationId, turns: Vec<(Turn, Replay)>) -> ConversationReplay {
    ConversationReplay {
        conversation: id.to_string(),
        whole: turns.iter().all(|(_, replay)| replay.divergence.is_none()),
        turns: turns.into_iter().map(|(turn, replay)| replayed(turn, replay)).collect(),
    }
}

fn replayed(turn: Turn, replay: Replay) -> TurnReplay {
    let Replay { steps, next, divergence } = replay;
    let step = |step: jarvis_agents::ReplayedStep| ReplayStep { at: step.at, does: step.does, came: step.came };
    TurnReplay {
        id: turn.id.to_string(),
        asked: turn.asked,
        state: turn.state.as_str().to_owned(),
        steps: steps.into_iter().map(step).collect(),
        next,
        divergence: divergence.map(|found| ReplayDivergence { at: found.at, step: found.step, log: found.log }),
    }
}
