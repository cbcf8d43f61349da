//! Grants, both ways.

use jarvis_client::wire::{GrantBody, GrantInfo, GrantTrial, SparedInfo};
use jarvis_safety::grant::{Grant, Terms, Trial, Wanted};
use serde_json::{Value, json};

/// A grant as it stands at a time.
#[must_use]
pub fn grant(grant: &Grant, now: i64) -> GrantInfo {
    let state = match grant {
        grant if grant.revoked_at.is_some() => "revoked",
        grant if grant.used >= grant.most => "used_up",
        grant if grant.is_live(now) => "live",
        _ => "over",
    };
    let GrantBody { tool, target, target_id, actor, when, only, .. } = body(&grant.terms);
    GrantInfo {
        id: grant.id.to_string(),
        state: state.to_owned(),
        tool,
        target,
        target_id,
        actor,
        when,
        only,
        calls: grant.most,
        used: grant.used,
        created_at: grant.created_at,
        expires_at: grant.expires_at,
        revoked_at: grant.revoked_at,
    }
}

/// Terms as they are proposed: for ten calls within a day.
#[must_use]
pub fn body(terms: &Terms) -> GrantBody {
    let value = |wanted: &Wanted| match wanted {
        Wanted::Like { like } => json!({ "like": like }),
        Wanted::Is(value) => value.clone(),
    };
    GrantBody {
        tool: terms.tool.clone(),
        target: terms.target.clone(),
        target_id: terms.target_id.clone(),
        actor: terms.actor.as_ref().map(ToString::to_string),
        when: terms.when.iter().map(|(name, wanted)| (name.clone(), value(wanted))).collect(),
        only: terms.only,
        calls: 10,
        minutes: 24 * 60,
    }
}

/// What an argument must be: `{"like": "…"}`, or any value that is no object.
///
/// # Errors
/// Says what else was sent.
pub fn wanted(value: Value) -> Result<Wanted, String> {
    match value {
        Value::Object(object) => match object.get("like") {
            Some(Value::String(like)) if object.len() == 1 => Ok(Wanted::Like { like: like.clone() }),
            Some(_) => Err("`like` stands alone, and is a text; nothing was granted".to_owned()),
            None => Ok(Wanted::Is(Value::Object(object))),
        },
        value => Ok(Wanted::Is(value)),
    }
}

/// What a grant would have done.
#[must_use]
pub fn trial(trial: Trial) -> GrantTrial {
    let answer = |approved| match approved {
        Some(true) => "approved",
        Some(false) => "denied",
        None => "undecided",
    };
    let spared = trial.spared.into_iter().map(|spared| SparedInfo {
        approval: spared.approval.to_string(),
        at: spared.at,
        sentence: spared.sentence,
        tier: spared.tier.as_str().to_owned(),
        answer: answer(spared.approved).to_owned(),
    });
    GrantTrial { looked: trial.looked as u64, spared: spared.collect() }
}
