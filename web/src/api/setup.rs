//! The first sign-in: the operator's password is set once, with the code that the first start printed.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use jarvis_client::wire::{SessionInfo, SetupBody};
use jarvis_safety::Actor;
use jarvis_safety::event::EventKind;

use super::session::{From, admit, open, wrong};
use crate::auth::Face;
use crate::guard::body::Brief;
use crate::problem::{Answered, Fault};
use crate::web::Web;

/// Sets the operator's password for the first time and signs in.
#[utoipa::path(post, path = "/api/setup", tag = "session", request_body = SetupBody,
    responses((status = 200, body = SessionInfo)))]
pub(super) async fn set_up(
    State(web): State<Web>,
    from: From,
    face: Face,
    Brief(body): Brief<SetupBody>,
) -> Answered<Response> {
    let before = admit(&web, &from).await?;
    // Two at once must not both find that no password is set.
    let changing = web.changing.lock().await;
    if web.identities.operator_exists().await? {
        return Err(Fault::door(
            StatusCode::CONFLICT,
            "already_decided",
            "the operator's password is set already; sign in, or run `jarvis operator reset` on the host",
        ));
    }
    if !web.setup.check(&body.code).await {
        drop(changing);
        return Err(wrong(
            &web,
            before,
            "setup",
            "the code is wrong; use the link that the start of Jarvis printed, whole",
        )
        .await);
    }
    web.identities.forgive(&from.source).await?;
    check_password(&body.password)?;
    let operator = Actor::operator();
    let row = face.row(EventKind::OperatorSet, &operator, "operator", "the operator's password was set");
    web.identities.set_password(&body.password, row).await?;
    drop(changing);
    open(&web, &from, &face, false, "the operator signed in").await
}

fn check_password(password: &str) -> Answered<()> {
    let length = password.chars().count();
    if (10..=200).contains(&length) {
        return Ok(());
    }
    Err(Fault::invalid(format!("the password has {length} characters; take 10 to 200. Nothing was set")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_has_ten_to_two_hundred_characters() {
        assert!(check_password("ninechars").is_err());
        assert!(check_password("tenletters").is_ok());
        assert!(check_password(&"ü".repeat(200)).is_ok());
        assert!(check_password(&"ü".repeat(201)).is_err());
    }
}
