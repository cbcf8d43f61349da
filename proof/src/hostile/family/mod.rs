//! Families of hostile requests. Each makes its request from chance alone, so that seed and number bring it back.

mod body;
mod door;
mod entry;
mod frame;
mod path;
mod rpc;
mod slow;

use serde_json::Value;

use super::request::{Deed, Request};
use super::surface::Operation;
use super::world::{World, mark};
use crate::chance::Chance;

/// A family: its name in the report, how often its turn comes, and what makes its requests.
type Family = (&'static str, u64, fn(&mut Maker<'_>) -> Deed);

/// All of them. The shares are of what they cost: a slow one holds a connection.
const FAMILIES: [Family; 35] = [
    ("sane", 40, body::sane),
    ("host", 60, door::host),
    ("host-twice", 15, door::host_twice),
    ("host-in-target", 15, door::host_in_target),
    ("origin", 60, door::origin),
    ("origin-twice", 15, door::origin_twice),
    ("cookie-without-page", 40, entry::forged_page),
    ("no-credential", 40, entry::nobody),
    ("bad-credential", 60, entry::bad_credential),
    ("dead-credential", 30, entry::dead_credential),
    ("under-scope", 50, entry::under_scope),
    ("wrong-door", 20, entry::wrong_door),
    ("above-ceiling", 20, entry::above_ceiling),
    ("method", 30, frame::method),
    ("content-type", 30, body::content_type),
    ("body-twisted", 110, body::twisted),
    ("body-spoiled", 50, body::spoiled),
    ("body-crowded", 3, body::crowded),
    ("body-large", 3, body::large),
    ("body-unasked", 20, body::unasked),
    ("length-lies", 20, frame::length),
    ("chunks", 20, frame::chunks),
    ("smuggling", 40, frame::smuggled),
    ("http-nonsense", 30, frame::nonsense),
    ("head-large", 10, frame::large),
    ("pipelining", 15, frame::pipelined),
    ("id", 60, path::id),
    ("way", 40, path::way),
    ("query", 40, path::query),
    ("header", 30, path::header),
    ("rpc-arguments", 110, rpc::arguments),
    ("rpc-message", 60, rpc::message),
    ("rpc-header", 40, rpc::header),
    ("rpc-session", 40, rpc::session),
    ("slow", 12, slow::slow),
];

/// Makes one request.
pub(super) struct Maker<'a> {
    pub(super) world: &'a World,
    pub(super) chance: Chance,
    pub(super) number: u64,
}

/// What is done under a number.
pub(super) fn deed(world: &World, seed: u64, number: u64) -> Deed {
    let mut chance = Chance::of(seed, number);
    let all = FAMILIES.iter().map(|(_, share, _)| share).sum();
    let mut place = chance.between(0, all);
    let (name, _, make) = FAMILIES
        .iter()
        .find(|(_, share, _)| match place.checked_sub(*share) {
            Some(rest) => {
                place = rest;
                false
            }
            None => true,
        })
        .unwrap_or(&FAMILIES[0]);
    let mut maker = Maker { world, chance, number };
    Deed { number, family: name, ..make(&mut maker) }
}

impl<'a> Maker<'a> {
    /// One of several.
    fn one<T: Copy + Default>(&mut self, all: &[T]) -> T {
        self.chance.pick(all).copied().unwrap_or_default()
    }

    /// Mark of something that nobody allowed.
    fn forbidden(&self) -> String {
        mark(self.number, true)
    }

    /// Mark of something that is done with authority.
    fn allowed(&self) -> String {
        mark(self.number, false)
    }

    /// Operations for which this holds, and one of them.
    fn operation(&mut self, which: impl Fn(&Operation) -> bool) -> &'a Operation {
        let fitting: Vec<_> = self.world.surface.operations.iter().filter(|it| which(it)).collect();
        self.chance.pick(&fitting).copied().unwrap_or(&self.world.surface.operations[0])
    }

    /// A request that would be carried out if whoever sends it may; nobody has signed it.
    fn fitting(&mut self, operation: &Operation, mark: &str) -> Request {
        let made = self.world.fitting(&operation.name, mark, &mut self.chance);
        made.unwrap_or_else(|| Request::new("GET", "/", &self.world.host))
    }

    /// A request that has an effect which can be seen, over one of the faces, signed with authority.
    fn effect(&mut self, mark: &str) -> Request {
        let (world, operator) = (self.world, &self.world.people.operator);
        let write = serde_json::json!({ "path": format!("{mark}.txt"), "content": mark });
        if self.chance.percent(20) {
            let body = World::call(self.number, "file_write", &write);
            return world.modern(&world.people.yellow, "tools/call", "file_write", body.to_string());
        }
        if self.chance.percent(50) {
            let body = serde_json::json!({ "tool": "file_write", "args": write });
            return Request::new("POST", "/api/call", &world.host).bearer(operator).json(body.to_string());
        }
        let operation = self.operation(|it| !it.is_safe() && !it.open);
        self.fitting(operation, mark).bearer(operator)
    }

    /// A call of a tool that fits, and its arguments.
    fn tool(&mut self, mark: &str) -> (&'a str, Value) {
        let harmless: Vec<_> = self.world.surface.tools.iter().filter(|tool| tool.name != "wait").collect();
        let Some(tool) = self.chance.pick(&harmless).copied() else { return ("echo", Value::Null) };
        (&tool.name, super::schema::fit(&tool.schema, "", mark, &mut self.chance))
    }
}

/// It must have no effect.
fn powerless(deed: Deed) -> Deed {
    Deed { powerless: true, ..deed }
}
