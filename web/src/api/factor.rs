//! The second factor: proposed, turned on and off by the operator, with the password once more.
//!
//! A proposed key is kept nowhere: it comes back with a code of it, which shows that the app has it. A session alone turns
//! nothing on or off, so that a browser that was left open does not lock its owner out.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use jarvis_client::wire::{FactorBody, FactorCodes, FactorInfo, FactorOffBody, FactorProposal};
use jarvis_safety::event::EventKind;
use jarvis_safety::factor::Spent;
use jarvis_safety::secret::Secret;
use qrcodegen::{QrCode, QrCodeEcc};
use std::fmt::Write as _;

use super::session::{From, admit, wrong_again};
use crate::auth::{Face, Operator};
use crate::guard::body::Brief;
use crate::problem::{Answered, Fault};
use crate::web::Web;

/// Modules of quiet around a QR code.
const QUIET: i32 = 4;

/// Whether it is on, and how many recovery codes are left.
#[utoipa::path(get, path = "/api/second-factor", tag = "session", responses((status = 200, body = FactorInfo)))]
pub(super) async fn factor_info(State(web): State<Web>, _: Operator) -> Answered<Json<FactorInfo>> {
    let state = web.factor.factor().await?;
    Ok(Json(FactorInfo {
        on: state.is_some(),
        since: state.map(|state| state.since),
        recovery_left: state.map_or(0, |state| state.recovery_left),
    }))
}

/// A new key for an authenticator app. Nothing is kept.
#[utoipa::path(post, path = "/api/second-factor/proposal", tag = "session",
    responses((status = 200, body = FactorProposal)))]
pub(super) async fn propose_factor(State(web): State<Web>, _: Operator) -> Answered<Json<FactorProposal>> {
    let secret = web.factor.propose()?.expose().to_owned();
    let host: String = web.host.chars().filter(|one| one.is_ascii_alphanumeric() || "-._".contains(*one)).collect();
    let uri = format!("otpauth://totp/Jarvis:operator@{host}?secret={secret}&issuer=Jarvis");
    let (qr, qr_size) = drawn(&uri).map_err(|why| Fault::invalid(format!("the QR code cannot be drawn: {why}")))?;
    Ok(Json(FactorProposal { secret, uri, qr, qr_size }))
}

/// Turns it on with a proposed key, a code of it and the password. The answer holds the recovery codes.
#[utoipa::path(put, path = "/api/second-factor", tag = "session", request_body = FactorBody,
    responses((status = 200, body = FactorCodes)))]
pub(super) async fn turn_on_factor(
    State(web): State<Web>,
    Operator(caller): Operator,
    from: From,
    face: Face,
    Brief(body): Brief<FactorBody>,
) -> Answered<Json<FactorCodes>> {
    let before = admit(&web, &from).await?;
    check_password(&web, before, &body.password).await?;
    let row = face.row(EventKind::OperatorSet, &caller.actor, "second-factor", "the second factor was turned on");
    let Some(recovery) = web.factor.turn_on(&Secret::new(body.secret), body.code.trim(), row).await? else {
        let said = "the code is not of this key at this time; check the clock of the device, and take the code that the \
                    app shows now. Nothing was turned on";
        return Err(wrong_again(&web, before, "second factor", said).await);
    };
    web.identities.forgive(&from.source).await?;
    Ok(Json(FactorCodes { recovery }))
}

/// Turns it off with the password and a code; key and recovery codes are forgotten.
#[utoipa::path(post, path = "/api/second-factor/off", tag = "session", request_body = FactorOffBody,
    responses((status = 204, description = "It is off")))]
pub(super) async fn turn_off_factor(
    State(web): State<Web>,
    Operator(caller): Operator,
    from: From,
    face: Face,
    Brief(body): Brief<FactorOffBody>,
) -> Answered<StatusCode> {
    let before = admit(&web, &from).await?;
    check_password(&web, before, &body.password).await?;
    if web.factor.factor().await?.is_none() {
        return Err(Fault::not_found("the second factor is off already"));
    }
    if web.factor.spend(&body.code).await? == Spent::Wrong {
        let said = "the code is wrong, too old, or was used before; take the one that the app shows now, or a recovery \
                    code. The second factor stays on";
        return Err(wrong_again(&web, before, "second factor", said).await);
    }
    let row = face.row(EventKind::OperatorSet, &caller.actor, "second-factor", "the second factor was turned off");
    web.factor.turn_off(row).await?;
    web.identities.forgive(&from.source).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn check_password(web: &Web, before: usize, password: &str) -> Answered<()> {
    if password.len() <= 1_000 && web.identities.check_password(password).await? {
        return Ok(());
    }
    Err(wrong_again(web, before, "second factor", "the password is wrong; nothing was changed").await)
}

/// A QR code as the path of an SVG, with its quiet border, and its side.
fn drawn(text: &str) -> Result<(String, u32), String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).map_err(|error| error.to_string())?;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            // Writing to a string cannot fail.
            let _ = write!(path, "M{} {}h1v1h-1z", x + QUIET, y + QUIET);
        }
    }
    Ok((path, (code.size() + 2 * QUIET).unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_becomes_a_code_with_its_three_corners_and_a_quiet_border() {
        let (path, size) = drawn("otpauth://totp/Jarvis:operator@lab?secret=GEZDGNBVGY3TQOJQ&issuer=Jarvis").unwrap();
        assert!((30..80).contains(&size), "{size}");
        let far = size - 5;
        for corner in ["M4 4h".to_owned(), format!("M{far} 4h"), format!("M4 {far}h")] {
            assert!(path.contains(&corner), "{corner}");
        }
        assert!(!path.contains("M3 ") && !path.contains(&format!("M{} ", size - 4)));
    }
}
