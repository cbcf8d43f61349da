//! A browser sends its cookie along with requests that a stranger's page caused. So a request that changes something
//! and is known only by a cookie must prove that our own page made it.
//!
//! `SameSite=Strict` already keeps the cookie back; this holds where a browser does not. `Origin`, when it is there, was
//! compared with the server's own before ([`super::door`]).

use http::{HeaderMap, Method, StatusCode, header};

use crate::problem::Fault;

/// Checks a request that is known by a cookie.
///
/// # Errors
/// 403 when nothing shows that our own page sent it.
pub fn check(method: &Method, headers: &HeaderMap) -> Result<(), Fault> {
    if method.is_safe() {
        return Ok(());
    }
    let own = match headers.get("sec-fetch-site") {
        Some(site) => site == "same-origin" || site == "none",
        None => headers.contains_key(header::ORIGIN),
    };
    if own {
        return Ok(());
    }
    Err(Fault::door(
        StatusCode::FORBIDDEN,
        "forbidden",
        "nothing shows that this request comes from Jarvis's own page; programs send `Authorization: Bearer …` instead of \
         a cookie. Nothing was done",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(method: &Method, site: Option<&str>, origin: bool) -> bool {
        let mut headers = HeaderMap::new();
        if let Some(site) = site {
            headers.insert("sec-fetch-site", site.parse().unwrap());
        }
        if origin {
            headers.insert(header::ORIGIN, "http://localhost:7878".parse().unwrap());
        }
        check(method, &headers).is_ok()
    }

    #[test]
    fn a_cookie_alone_changes_nothing() {
        assert!(!allowed(&Method::POST, None, false));
        assert!(!allowed(&Method::DELETE, Some("cross-site"), false));
        assert!(!allowed(&Method::PUT, Some("same-site"), true));
        assert!(allowed(&Method::POST, Some("same-origin"), false));
        assert!(allowed(&Method::POST, None, true));
        assert!(allowed(&Method::GET, Some("cross-site"), false));
    }
}
