//! Starting, stopping and restarting: a job of systemd, watched to its end.

use std::num::NonZeroUsize;
use std::time::Duration;

use futures_util::StreamExt as _;
use jarvis_safety::plain::visible;
use jarvis_safety::tool::{Preview, Probe, RunContext, ToolError, ToolErrorKind};
use schemars::JsonSchema;
use serde::Serialize;
use zbus::{MatchRule, MessageStream, OwnedObjectPath, message::Type};

use super::bus::{Bus, MANAGER, ROOT, SYSTEMD, body, broke_off};
use super::guard::Verb;
use super::state::State;
use crate::doubt::in_doubt;

/// A program that cannot run usually falls over at once; systemd calls a simple service started before that shows.
const FALLING_OVER: Duration = Duration::from_millis(300);
/// Ends of jobs that may wait to be read; a restart of something that much depends on ends many.
const QUEUE: usize = 1024;

/// How a service was and is.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Moved {
    /// State before: `active`, `inactive`, `failed` …
    pub(super) before: String,
    /// Whether anything was done; a service that is up need not be started.
    pub(super) changed: bool,
    /// How it is now.
    pub(super) service: State,
}

impl Bus {
    /// Runs a job and answers how the service was and is.
    pub(super) async fn move_service(&self, verb: Verb, id: &str, cx: &RunContext) -> Result<Moved, ToolError> {
        let before = self.state(id).await?;
        let there = match verb {
            Verb::Start => before.is_active(),
            Verb::Stop => before.active == "inactive",
            Verb::Restart => false,
        };
        if there {
            return Ok(Moved { before: before.active.clone(), changed: false, service: before });
        }
        cx.progress(0.0, None, format!("{} {}", verb.as_str(), visible(id)));
        let result = self.job(verb, id).await?;
        if verb != Verb::Stop && result == "done" {
            tokio::time::sleep(FALLING_OVER).await;
        }
        let service = self.state(id).await.map_err(in_doubt)?;
        match fault(verb, &result, &service) {
            Some(message) => Err(ToolError::new(ToolErrorKind::Failed, message)),
            None => Ok(Moved { before: before.active, changed: true, service }),
        }
    }

    /// Gives systemd the job and waits until it tells how that ended.
    async fn job(&self, verb: Verb, id: &str) -> Result<String, ToolError> {
        let connection = self.connection().await?;
        let told = |error: zbus::Error| self.explained(&error);
        let rule = ends_of_jobs().map_err(told)?;
        // Listening begins before the job does: a quick one would otherwise end unheard.
        let mut ends =
            MessageStream::for_match_rule(rule, &connection, NonZeroUsize::new(QUEUE)).await.map_err(told)?;
        let method = match verb {
            Verb::Start => "StartUnit",
            Verb::Stop => "StopUnit",
            Verb::Restart => "RestartUnit",
        };
        let reply = self.call_on(&connection, ROOT, MANAGER, method, &(id, "replace")).await;
        let reply = reply.map_err(|error| self.refused(&error, verb.as_str(), id))?;
        // systemd has the job: whatever breaks from here on says nothing about the service.
        let job: OwnedObjectPath = body(&reply).map_err(in_doubt)?;
        while let Some(Ok(message)) = ends.next().await {
            let Ok((_, ended, _, result)) = body::<(u32, OwnedObjectPath, String, String)>(&message) else {
                continue;
            };
            if ended == job {
                return Ok(result);
            }
        }
        Err(broke_off(verb.as_str(), id, "the bus went away"))
    }

    /// After a crash or a cancel: how does the service stand?
    pub(super) async fn probe_service(&self, verb: Verb, id: &str) -> Probe {
        let look = async || self.state(id).await.map_or(Probe::Unknown, |state| probe(verb, &state));
        let seen = look().await;
        if verb == Verb::Start && seen == Probe::Done {
            tokio::time::sleep(FALLING_OVER).await;
            return look().await;
        }
        seen
    }

    /// What a person should see before saying yes.
    pub(super) async fn preview_of(&self, verb: Verb, id: &str) -> Result<Preview, ToolError> {
        let state = self.state(id).await?;
        let mut effects = vec![format!("{} is {} now", state.name, state.both())];
        effects.extend(self.guard().warning(id).filter(|_| verb != Verb::Start).map(str::to_owned));
        if verb != Verb::Start {
            let dependents = self.dependents(id).await?;
            if !dependents.is_empty() {
                let what = if verb == Verb::Stop { "stops" } else { "is interrupted" };
                effects.push(format!("with it {what}: {}", dependents.join(", ")));
            }
        }
        if verb == Verb::Stop && !state.triggered_by.is_empty() {
            effects.push(format!("it can be started again by {}", state.triggered_by.join(", ")));
        }
        let undo = match verb {
            Verb::Start => Some(format!("`service_stop` stops {} again", state.name)),
            Verb::Stop => Some(format!("`service_start` starts {} again", state.name)),
            Verb::Restart => None,
        };
        Ok(Preview { effects, undo, ..Preview::default() })
    }
}

fn ends_of_jobs() -> zbus::Result<MatchRule<'static>> {
    MatchRule::builder()
        .msg_type(Type::Signal)
        .sender(SYSTEMD)
        .path(ROOT)
        .interface(MANAGER)
        .member("JobRemoved")
        .build()
}

/// What is wrong after a job; `None` when it did what it should.
fn fault(verb: Verb, result: &str, now: &State) -> Option<String> {
    let name = &now.name;
    let is = format!("{name} is now {}{}", now.both(), now.reason());
    let verb_word = verb.as_str();
    let why = match result {
        "done" if verb == Verb::Stop && now.is_down() => return None,
        "done" if verb == Verb::Stop => {
            let by = if now.triggered_by.is_empty() {
                "something has started it again".to_owned()
            } else {
                format!("it may have been started again by {}", now.triggered_by.join(", "))
            };
            return Some(format!("{name} was stopped, but {is}: {by}"));
        }
        "done" if !now.has_failed() => return None,
        "done" => "it fell over at once".to_owned(),
        "failed" => "it did not come up".to_owned(),
        "timeout" => "it took too long".to_owned(),
        "dependency" => "something that it needs did not come up".to_owned(),
        "canceled" => "another job took its place".to_owned(),
        "skipped" => "a condition in its unit file does not hold".to_owned(),
        "assert" => "an assertion in its unit file does not hold".to_owned(),
        other => format!("systemd ended the job with `{}`", visible(other)),
    };
    Some(format!("the {verb_word} of {name} failed: {why}. {is}. `log_read` with this service shows more"))
}

/// Only what a job was to bring about proves anything. One that is down may have been started and have ended, one that
/// is up may have been stopped and woken by its socket or restarted, and a job may be waiting for its turn.
fn probe(verb: Verb, state: &State) -> Probe {
    match verb {
        Verb::Start if state.is_active() => Probe::Done,
        Verb::Stop if state.is_down() => Probe::Done,
        _ => Probe::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::tests::running;
    use super::*;

    fn state(active: &str, sub: &str) -> State {
        State { active: active.to_owned(), sub: sub.to_owned(), ..running() }
    }

    #[test]
    fn a_job_that_is_done_may_still_have_failed() {
        assert_eq!(fault(Verb::Start, "done", &state("active", "running")), None);
        assert_eq!(fault(Verb::Start, "done", &state("inactive", "dead")), None, "it ran and has ended");
        let fell = fault(Verb::Start, "done", &state("activating", "auto-restart")).unwrap();
        assert!(fell.contains("fell over at once"), "{fell}");
        let back = fault(Verb::Stop, "done", &state("active", "running")).unwrap();
        assert!(back.contains("started it again"), "{back}");
        assert!(fault(Verb::Restart, "timeout", &state("failed", "failed")).unwrap().contains("too long"));
    }

    #[test]
    fn after_a_crash_only_what_shows_is_believed() {
        assert_eq!(probe(Verb::Start, &state("active", "running")), Probe::Done);
        assert_eq!(probe(Verb::Stop, &state("inactive", "dead")), Probe::Done);
        assert_eq!(probe(Verb::Start, &state("inactive", "dead")), Probe::Unknown, "it may have run and ended");
        assert_eq!(probe(Verb::Start, &state("failed", "failed")), Probe::Unknown);
        assert_eq!(probe(Verb::Stop, &state("active", "running")), Probe::Unknown, "its job may be waiting");
        assert_eq!(probe(Verb::Restart, &state("active", "running")), Probe::Unknown);
        assert_eq!(probe(Verb::Stop, &state("deactivating", "stop-sigterm")), Probe::Unknown);
    }
}
