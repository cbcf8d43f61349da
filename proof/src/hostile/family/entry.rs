//! Whoever may not: no secret, a wrong or dead one, one that does not reach so far, and pages that ride on a cookie.

use serde_json::json;

use super::super::request::{Deed, Request};
use super::super::surface::meta;
use super::super::world::World;
use super::{Maker, powerless};

/// A cookie of the operator's browser with a request that changes something, as a stranger's page could cause it.
pub(super) fn forged_page(maker: &mut Maker<'_>) -> Deed {
    let mark = maker.forbidden();
    let operation = maker.operation(|it| !it.is_safe() && !it.open);
    let cookie = format!("a=b; jarvis_session={}", maker.world.people.cookie);
    let request = maker.fitting(operation, &mark).with("cookie", cookie);
    let request = match maker.chance.between(0, 6) {
        0 => request,
        1 => request.with("sec-fetch-site", "cross-site"),
        2 => request.with("sec-fetch-site", "same-site").with("origin", format!("http://{}", maker.world.host)),
        3 => request.with("sec-fetch-site", "Same-Origin "),
        4 => request.with("sec-fetch-site", "cross-site").with("sec-fetch-site", "same-origin"),
        // What a form can send without asking first.
        _ => request.only("content-type", "text/plain").with("sec-fetch-mode", "no-cors"),
    };
    powerless(Deed::one(&request).refused())
}

pub(super) fn nobody(maker: &mut Maker<'_>) -> Deed {
    let mark = maker.forbidden();
    let request = maker.shut(&mark);
    powerless(Deed::one(&request.without("authorization")).refused())
}

pub(super) fn bad_credential(maker: &mut Maker<'_>) -> Deed {
    let mark = maker.forbidden();
    let good = maker.world.people.operator.clone();
    let request = maker.shut(&mark).without("authorization");
    let flipped: String = good.chars().rev().collect();
    let name = |value: Vec<u8>| ("authorization", value);
    let (header, value) = match maker.chance.between(0, 22) {
        0 => name(b"Bearer".to_vec()),
        1 => name(b"Bearer ".to_vec()),
        2 => name(format!("Basic {good}").into_bytes()),
        3 => name(format!("Digest {good}").into_bytes()),
        4 => name(good.into_bytes()),
        5 => name(format!("Bearer {flipped}").into_bytes()),
        6 => name(format!("Bearer {}", &good[..good.len() - 1]).into_bytes()),
        7 => name(format!("Bearer {good}x").into_bytes()),
        8 => name(format!("Bearer {good} {good}").into_bytes()),
        9 => name(format!("Bearer {good},").into_bytes()),
        10 => name(format!("Bearer {}", "z".repeat(60_000)).into_bytes()),
        11 => name(b"Bearer \xff\xfe\xfd".to_vec()),
        12 => name(format!("Bearer\u{a0}{good}").into_bytes()),
        13 => name(format!("Bearer {}", good.to_uppercase()).into_bytes()),
        14 => name(b"Bearer ' or 1=1 --".to_vec()),
        15 => name(b"Bearer null".to_vec()),
        16 => ("cookie", format!("jarvis_session={flipped}").into_bytes()),
        17 => ("cookie", b"jarvis_session=\xff; ;;=;jarvis_session".to_vec()),
        18 => ("cookie", format!("Jarvis_Session={good}").into_bytes()),
        19 => ("proxy-authorization", format!("Bearer {good}").into_bytes()),
        20 => ("x-jarvis-actor", b"mcp:stdio".to_vec()),
        _ => ("x-api-key", good.into_bytes()),
    };
    powerless(Deed::one(&request.with(header, value)).refused())
}

pub(super) fn dead_credential(maker: &mut Maker<'_>) -> Deed {
    let mark = maker.forbidden();
    let people = &maker.world.people;
    let request = maker.shut(&mark).without("authorization");
    let request = match maker.chance.between(0, 4) {
        0 | 1 => request.bearer(&people.revoked),
        2 => request.bearer(&people.closed),
        _ => request
            .with("cookie", format!("jarvis_session={}", people.closed))
            .with("origin", format!("http://{}", maker.world.host)),
    };
    powerless(Deed::one(&request).refused())
}

/// A token where only the operator may, or at a question that is not its to answer.
pub(super) fn under_scope(maker: &mut Maker<'_>) -> Deed {
    let mark = maker.forbidden();
    let people = &maker.world.people;
    if maker.chance.percent(15) {
        let operation = maker.operation(|it| matches!(it.name.as_str(), "approve" | "deny" | "proposed_grant"));
        return powerless(Deed::one(&maker.fitting(operation, &mark).bearer(&people.green)).refused());
    }
    let operation = maker.operation(super::super::surface::Operation::is_ruling);
    let secret = maker.one(&[people.green.as_str(), &people.yellow, &people.approver]);
    powerless(Deed::one(&maker.fitting(operation, &mark).bearer(secret)).refused())
}

/// Whoever could decide, at the door of models.
pub(super) fn wrong_door(maker: &mut Maker<'_>) -> Deed {
    let mark = maker.forbidden();
    let (world, people) = (maker.world, &maker.world.people);
    let write = json!({ "path": format!("{mark}.txt"), "content": mark });
    let body = World::call(maker.number, "file_write", &write).to_string();
    let request = world.modern(&people.operator, "tools/call", "file_write", body);
    let request = match maker.chance.between(0, 3) {
        0 => request,
        1 => request.bearer(&people.approver),
        _ => request.without("authorization").with("cookie", format!("jarvis_session={}", people.cookie)),
    };
    powerless(Deed::one(&request).refused())
}

/// A green token that wants to write.
pub(super) fn above_ceiling(maker: &mut Maker<'_>) -> Deed {
    let mark = maker.forbidden();
    let (world, green) = (maker.world, &maker.world.people.green);
    let write = json!({ "path": format!("{mark}.txt"), "content": mark });
    if maker.chance.percent(50) {
        let mut body = World::call(maker.number, "file_write", &write);
        if maker.chance.percent(30) {
            body["params"]["_meta"] = meta();
            body["params"]["_meta"]["jarvis/ceiling"] = json!("red");
        }
        // A refusal is a result of the tool here.
        return powerless(Deed::one(&world.modern(green, "tools/call", "file_write", body.to_string())));
    }
    let place = maker.one(&["/api/call", "/api/plan"]);
    let call = json!({ "tool": "file_write", "args": write });
    let body = if place == "/api/plan" { json!({ "steps": [call] }) } else { call };
    powerless(Deed::one(&Request::new("POST", place, &world.host).bearer(green).json(body.to_string())))
}

impl Maker<'_> {
    /// A request that needs a secret, and would be carried out with one.
    fn shut(&mut self, mark: &str) -> Request {
        if self.chance.percent(35) {
            let operation = self.operation(|it| it.is_safe() && !it.open);
            return self.fitting(operation, mark);
        }
        self.effect(mark)
    }
}
