//! What there is in the world, as the rules need to know it: names of containers, services and the like.
//!
//! Found by the tools that declare that they list such things, called through the gate on behalf of whoever speaks: the
//! rules know no more than the person may see. A name is remembered for five seconds, so that sentences that follow each
//! other do not ask the same thing again; what came to be since is found by asking anew ([`World::renew`]).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::future::join_all;
use jarvis_safety::call::{CallState, Origin, Request, Vouching};
use jarvis_safety::kernel::Gate;
use jarvis_safety::outcome::Answer;
use jarvis_safety::port::Clock;
use jarvis_safety::tool::Listing;
use jarvis_safety::{Actor, ActorId, Tier};
use serde_json::{Value, json};

use crate::mind::Inner;
use crate::understand::{Meant, Named, World};

/// How long names are remembered, in milliseconds.
const REMEMBERED: i64 = 5_000;
/// Most names of one listing.
const MAX_NAMES: usize = 2_000;
/// Most listings that are remembered.
const MAX_LISTS: usize = 256;

/// Names by who asked and for what kind, with the time they were found.
pub(crate) type Remembered = Mutex<HashMap<(ActorId, String), (i64, Vec<Named>)>>;

/// The world as one actor may see it.
pub(crate) struct GateWorld {
    gate: Gate,
    clock: Arc<dyn Clock>,
    remembered: Arc<Remembered>,
    actor: Actor,
    origin: Origin,
    /// Kinds that were answered from memory.
    recalled: Mutex<HashSet<String>>,
}

impl GateWorld {
    pub(crate) fn new(mind: &Inner, actor: &Actor, origin: &Origin) -> Self {
        Self {
            gate: mind.gate.clone(),
            clock: Arc::clone(&mind.clock),
            remembered: Arc::clone(&mind.remembered),
            actor: actor.clone(),
            origin: Origin {
                face: "understand".to_owned(),
                correlation: origin.correlation.clone(),
                ..Origin::default()
            },
            recalled: Mutex::default(),
        }
    }

    fn request(&self, tool: &str, args: Value) -> Request {
        Request {
            actor: self.actor.clone(),
            origin: self.origin.clone(),
            tool: tool.to_owned(),
            args,
            key: None,
            vouching: Vouching::Person,
        }
    }

    async fn look(&self, tool: &str, listing: Listing) -> Vec<Named> {
        match self.gate.call(self.request(tool, json!({}))).await {
            Answer::Ran(outcome) if outcome.state == CallState::Done => read(&outcome.output, listing),
            // What cannot be seen has no names: a rule then asks, or fails with the tool's own words.
            _ => Vec::new(),
        }
    }
}

fn read(output: &Value, listing: Listing) -> Vec<Named> {
    let items = output.get(listing.items).and_then(Value::as_array).into_iter().flatten();
    let text = |item: &Value, key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
    items
        .filter_map(|item| {
            let name = item.as_str().map(str::to_owned).or_else(|| text(item, listing.name))?;
            Some(Named { name, state: text(item, listing.state).unwrap_or_default() })
        })
        .take(MAX_NAMES)
        .collect()
}

#[async_trait]
impl World for GateWorld {
    async fn names(&self, kind: &str) -> Vec<Named> {
        let key = (self.actor.id.clone(), kind.to_owned());
        let now = self.clock.now();
        {
            let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
            remembered.retain(|_, (at, _)| (0..REMEMBERED).contains(&(now - *at)));
            if let Some((_, names)) = remembered.get(&key) {
                self.recalled.lock().unwrap_or_else(PoisonError::into_inner).insert(kind.to_owned());
                return names.clone();
            }
        }
        let listings: Vec<_> = self
            .gate
            .registry()
            .described()
            .filter(|tool| tool.spec.tier == Tier::Green)
            .filter_map(|tool| Some((tool.spec.name, tool.spec.lists.filter(|lists| lists.entity == kind)?)))
            .collect();
        let looks = listings.into_iter().map(|(tool, listing)| self.look(tool, listing));
        let names: Vec<_> = join_all(looks).await.into_iter().flatten().collect();
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() < MAX_LISTS {
            remembered.insert(key, (now, names.clone()));
        }
        names
    }

    async fn renew(&self) -> bool {
        let recalled = std::mem::take(&mut *self.recalled.lock().unwrap_or_else(PoisonError::into_inner));
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.retain(|(actor, kind), _| *actor != self.actor.id || !recalled.contains(kind));
        !recalled.is_empty()
    }

    async fn tier(&self, meant: &Meant) -> Option<Tier> {
        let prepared = self.gate.classify(&self.request(&meant.tool, meant.args.clone())).await;
        prepared.ok().map(|prepared| prepared.tier)
    }
}
