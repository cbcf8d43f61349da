//! Which calls a grant lets through. It loosens what would be asked, and never past the hard line (see `decide`).

use std::sync::PoisonError;

use regex::Regex;
use serde_json::Value;

use crate::actor::{Actor, ActorKind};
use crate::call::{Origin, Request};
use crate::event::EventKind;
use crate::grant::{Grant, MOST_CALLS, MOST_MINUTES, Terms, Wanted};
use crate::id::{ActorId, GrantId};
use crate::pattern::glob;
use crate::refusal::{Code, Refusal, store_refusal};
use crate::row;
use crate::target::Target;

use super::console::Console;
use super::gate::Inner;

/// Terms with their patterns compiled.
pub(crate) struct Compiled {
    terms: Terms,
    pub(crate) tool: Regex,
    target: Option<Regex>,
    when: Vec<(String, Result<Regex, Value>)>,
}

impl Compiled {
    /// Compiles them, or answers what is no pattern.
    pub(crate) fn new(terms: Terms) -> Result<Self, String> {
        let compiled = |pattern: &str| glob(pattern).ok_or_else(|| pattern.to_owned());
        let when = terms.when.iter().map(|(name, wanted)| {
            let wanted = match wanted {
                Wanted::Like { like } => Ok(compiled(like)?),
                Wanted::Is(value) => Err(value.clone()),
            };
            Ok((name.clone(), wanted))
        });
        let (tool, when) = (compiled(&terms.tool)?, when.collect::<Result<_, String>>()?);
        let target = terms.target.as_deref().map(compiled).transpose()?;
        Ok(Self { terms, tool, target, when })
    }

    pub(crate) fn fits(&self, tool: &str, args: &Value, target: &Target, actor: &ActorId) -> bool {
        self.tool.is_match(tool)
            && self.target.as_ref().is_none_or(|pattern| pattern.is_match(&target.name))
            && self.terms.target_id.as_ref().is_none_or(|id| *id == target.id)
            && self.terms.actor.as_ref().is_none_or(|id| id == actor)
            && (!self.terms.only
                || args.as_object().is_none_or(|args| args.keys().all(|name| self.terms.when.contains_key(name))))
            && self.when.iter().all(|(name, wanted)| match (wanted, args.get(name)) {
                (Ok(pattern), Some(Value::String(text))) => pattern.is_match(text),
                (Err(value), given) => given == Some(value),
                _ => false,
            })
    }
}

/// The grants in force.
pub(super) type Grants = Vec<(Grant, Compiled)>;

/// Compiles what was kept; one whose pattern cannot be compiled grants nothing.
pub(super) fn compiled(grants: Vec<Grant>) -> Grants {
    let compiled = |grant: Grant| Compiled::new(grant.terms.clone()).ok().map(|compiled| (grant, compiled));
    grants.into_iter().filter_map(compiled).collect()
}

impl Inner {
    /// A grant that may let this call through; the store tells whether it still may.
    pub(super) fn granted(&self, request: &Request, args: &Value, target: &Target) -> Option<GrantId> {
        let (tool, actor, unseen) = (&request.tool, &request.actor.id, request.chosen_by().by_clients_model());
        let now = self.clock.now();
        let grants = self.grants.read().unwrap_or_else(PoisonError::into_inner);
        let live = grants.iter().filter(|(grant, _)| grant.is_live(now));
        let mut fitting = live.filter(|(_, compiled)| compiled.fits(tool, args, target, actor));
        let tool = self.registry.describe(tool);
        fitting
            .find(|(grant, _)| !unseen || grant.terms.spells_out(args, tool.as_deref()))
            .map(|(grant, _)| grant.id.clone())
    }

    /// Changes what is in force.
    pub(super) fn change_grants(&self, change: impl FnOnce(&mut Grants)) {
        change(&mut self.grants.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// One more call was let through.
    pub(super) fn count_grant(&self, id: Option<&GrantId>) {
        let Some(id) = id else { return };
        self.change_grants(|grants| {
            grants.iter_mut().filter(|(grant, _)| grant.id == *id).for_each(|(grant, _)| grant.used += 1);
        });
    }

    /// How many calls a grant may still let through.
    pub(crate) fn grant_left(&self, id: &GrantId) -> u32 {
        let grants = self.grants.read().unwrap_or_else(PoisonError::into_inner);
        grants.iter().find(|(grant, _)| grant.id == *id).map_or(0, |(grant, _)| grant.most.saturating_sub(grant.used))
    }

    /// The store says that this one lets nothing through any more.
    pub(super) fn forget_grant(&self, id: &GrantId) {
        self.change_grants(|grants| grants.retain(|(grant, _)| grant.id != *id));
    }
}

impl Console {
    /// Gives a grant. Only the operator may; it is in force once it is kept.
    ///
    /// # Errors
    /// If the actor may not, the terms can let nothing through, or a bound is exceeded.
    pub async fn grant(
        &self,
        actor: &Actor,
        terms: Terms,
        most: u32,
        minutes: u32,
        origin: &Origin,
    ) -> Result<Grant, Refusal> {
        operator_only(actor)?;
        if !(1..=MOST_CALLS).contains(&most) || !(1..=MOST_MINUTES).contains(&minutes) {
            return Err(Refusal::invalid(format!(
                "a grant is for 1 to {MOST_CALLS} calls and 1 to {MOST_MINUTES} minutes (30 days); nothing was granted"
            )));
        }
        let inner = self.inner();
        let compiled = inner.grantable(&terms)?;
        let now = inner.clock.now();
        let id = GrantId::new(inner.ids.next());
        let (by, expires_at) = (actor.id.clone(), now + i64::from(minutes) * 60_000);
        let grant = Grant { id, terms, most, used: 0, created_at: now, expires_at, by, revoked_at: None };
        let row = row::granted(actor, &grant, origin);
        inner.ledger.grant(&grant, row).await.map_err(|error| store_refusal(&error))?;
        inner.change_grants(|grants| grants.push((grant.clone(), compiled)));
        Ok(grant)
    }

    /// Takes a grant back. What it has let begin goes on.
    ///
    /// # Errors
    /// If the actor may not, or there is no such living grant.
    pub async fn revoke_grant(&self, actor: &Actor, id: &GrantId, origin: &Origin) -> Result<(), Refusal> {
        operator_only(actor)?;
        let inner = self.inner();
        // Before the store: the brake must not depend on a disk.
        inner.forget_grant(id);
        let row = row::row(EventKind::GrantRevoked, actor, id.as_str(), origin, "grant revoked");
        let revoked = inner.ledger.revoke_grant(id, inner.clock.now(), row).await.map_err(|error| {
            let said = format!("{error}. It may be in force again after the next start: take it back once more");
            Refusal::new(Code::StoreUnavailable, "store", said)
        })?;
        if revoked {
            return Ok(());
        }
        let said = format!("there is no living grant {id}; `jarvis grant list` lists them");
        Err(Refusal::new(Code::NotFound, "grants", said))
    }

    /// Puts the grants in force that the store knows.
    pub fn apply_grants(&self, grants: Vec<Grant>) {
        self.inner().change_grants(|known| *known = compiled(grants));
    }
}

fn operator_only(actor: &Actor) -> Result<(), Refusal> {
    if actor.kind == ActorKind::Operator {
        return Ok(());
    }
    let said = "only the operator gives grants or takes them back; sign in on the dashboard, or give the password to \
                `jarvis grant`";
    Err(Refusal::new(Code::Forbidden, "operator only", said))
}
