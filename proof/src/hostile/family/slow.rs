//! Whoever takes his time, or stops in the middle. What did not come whole was not said, so it has no effect.

use std::time::Duration;

use serde_json::json;

use super::super::request::{Deed, Request, Step};
use super::{Maker, powerless};

pub(super) fn slow(maker: &mut Maker<'_>) -> Deed {
    let whole = maker.chance.percent(50);
    let mark = if whole { maker.allowed() } else { maker.forbidden() };
    let body = json!({ "tool": "file_write", "args": { "path": format!("{mark}.txt"), "content": mark } });
    let request = Request::new("POST", "/api/call", &maker.world.host).json(body.to_string());
    let mut bytes = request.bearer(&maker.world.people.operator).bytes();
    if !whole {
        let kept = maker.chance.between(1, bytes.len() as u64 - 1);
        bytes.truncate(usize::try_from(kept).unwrap_or(1));
    }
    let mut steps = Vec::new();
    let pieces = maker.chance.between(2, 7);
    let size = bytes.len().div_ceil(usize::try_from(pieces).unwrap_or(2)).max(1);
    for piece in bytes.chunks(size) {
        let pause = maker.chance.time(Duration::from_millis(1), Duration::from_millis(25));
        steps.extend([Step::Send(piece.to_vec()), Step::Pause(pause)]);
    }
    if whole {
        return Deed { steps, whole: true, api: true, ..Deed::raw([]) };
    }
    if maker.chance.percent(50) {
        steps.push(Step::Shut);
    }
    powerless(Deed { steps, ..Deed::raw([]) })
}
