//! Which door a request came through, and under which names the server lets itself be called.
//!
//! A page of a stranger can make its own name point at this machine (DNS rebinding); the browser then sends that name in
//! `Host`. So on TCP only known names are answered: loopback ones, IP addresses (no name, nothing to rebind), the
//! operator's list and the public address. `Origin` must be the server itself whenever it is sent at all.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, StatusCode, Uri, header};
use jarvis_safety::event::EventKind;
use jarvis_safety::plain::{shorten, visible};
use url::Url;

use crate::problem::Fault;

/// The two doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// A network address.
    Tcp,
    /// The socket in the data directory, which only its owner can open.
    Local,
}

/// The names under which the server may be called.
#[derive(Debug, Clone, Default)]
pub struct Names {
    listed: Vec<String>,
    public: Option<Url>,
}

impl Names {
    /// The operator's list (`name` or `name:port`) and the public address.
    #[must_use]
    pub fn new(listed: &[String], public: Option<Url>) -> Self {
        Self { listed: listed.iter().map(|name| name.to_ascii_lowercase()).collect(), public }
    }

    /// Checks what a request says about where it was sent and from which page.
    ///
    /// # Errors
    /// 421 for a name that is not known, 403 for a page of somebody else.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Fault> {
        let host = host(uri, headers)?;
        if !self.knows(&host) {
            return Err(Fault::door(
                StatusCode::MISDIRECTED_REQUEST,
                "misdirected",
                format!(
                    "this server does not answer to the name `{}`; use its address, or set JARVIS_PUBLIC_URL to the address that browsers use",
                    shorten(&visible(&host), 100)
                ),
            ));
        }
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else { return Ok(()) };
        let own = origins.next().is_none()
            && origin.to_str().is_ok_and(|origin| self.is_own(&origin.to_ascii_lowercase(), &host));
        if own { Ok(()) } else { Err(foreign()) }
    }

    /// The address under which a request reached us, without a path: the public one where it is known.
    pub(crate) fn base(&self, uri: &Uri, headers: &HeaderMap) -> String {
        match (&self.public, host(uri, headers)) {
            (Some(public), _) => public.origin().ascii_serialization(),
            (None, Ok(host)) => format!("http://{host}"),
            (None, Err(_)) => "http://localhost".to_owned(),
        }
    }

    fn knows(&self, host: &str) -> bool {
        let name = without_port(host);
        is_loopback_name(name)
            || is_address(name)
            || self.listed.iter().any(|listed| listed == host || listed == name)
            || self.public.as_ref().is_some_and(|url| url.host_str() == Some(name))
    }

    /// Whether a page of this origin was served by us under this host. Where the public address is known, scheme and
    /// port count too; otherwise a proxy in front may have changed the scheme.
    fn is_own(&self, origin: &str, host: &str) -> bool {
        let Ok(origin) = Url::parse(origin) else { return false };
        if !matches!(origin.scheme(), "http" | "https") {
            return false;
        }
        if let Some(public) = &self.public {
            if public.origin() == origin.origin() {
                return true;
            }
            if public.host_str() == Some(without_port(host)) {
                return false;
            }
        }
        let Ok(called) = Url::parse(&format!("{}://{host}", origin.scheme())) else { return false };
        called.origin() == origin.origin()
    }
}

fn host(uri: &Uri, headers: &HeaderMap) -> Result<String, Fault> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok().map(str::to_ascii_lowercase),
        // HTTP/2 puts the name into the address.
        (None, _) => uri.authority().map(|authority| authority.as_str().to_ascii_lowercase()),
        (Some(_), Some(_)) => None,
    };
    // A name in the address counts more than the header (RFC 9112, 3.2.2). Where they differ, whoever stands in front of
    // us may have looked at the other one.
    let one = |host: &String| uri.authority().is_none_or(|named| named.as_str().eq_ignore_ascii_case(host));
    host.filter(|host| !host.is_empty() && host.len() <= 300 && one(host)).ok_or_else(|| {
        let said = "send exactly one readable Host header, and no other name in the address";
        Fault::door(StatusCode::MISDIRECTED_REQUEST, "misdirected", said)
    })
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

fn is_loopback_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

fn is_address(name: &str) -> bool {
    let bracketed = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    name.parse::<Ipv4Addr>().is_ok() || bracketed.is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok())
}

fn foreign() -> Fault {
    Fault::door(
        StatusCode::FORBIDDEN,
        "forbidden",
        "this request comes from a page of another origin; open Jarvis itself. Nothing was done",
    )
}

/// The layer that holds requests on TCP to [`Names`].
///
/// # Errors
/// As [`Names::check`].
pub async fn layer(
    State((names, door)): State<(std::sync::Arc<Names>, Door)>,
    mut request: Request,
    next: Next,
) -> Result<Response, Fault> {
    if door == Door::Tcp {
        names
            .check(request.uri(), request.headers())
            .map_err(|fault| fault.recorded(EventKind::SessionRefused, None, request.uri().path()))?;
    }
    request.extensions_mut().insert(door);
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &Names, host: &str, origin: Option<&str>) -> Result<(), &'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        names.check(&Uri::from_static("/api/status"), &headers).map_err(|fault| fault.code())
    }

    #[test]
    fn only_known_names_are_answered() {
        let names = Names::new(&["Jarvis.lan".to_owned()], Some("https://home.example/".parse().unwrap()));
        for host in [
            "localhost:7878",
            "LOCALHOST",
            "127.0.0.1:7878",
            "[::1]:7878",
            "192.0.2.7:7878",
            "jarvis.lan:7878",
            "home.example",
        ] {
            assert_eq!(check(&names, host, None), Ok(()), "{host}");
        }
        for host in ["evil.example:7878", "localhost.evil.example", "xjarvis.lan", "127.0.0.1.evil.example"] {
            assert_eq!(check(&names, host, None), Err("misdirected"), "{host}");
        }
    }

    #[test]
    fn a_name_listed_with_a_port_is_known_with_that_port_only() {
        let names = Names::new(&["jarvis.lan:7878".to_owned()], None);
        assert_eq!(check(&names, "jarvis.lan:7878", None), Ok(()));
        assert_eq!(check(&names, "jarvis.lan:80", None), Err("misdirected"));
    }

    #[test]
    fn a_request_without_or_with_two_hosts_is_not_answered() {
        let names = Names::default();
        let mut headers = HeaderMap::new();
        assert!(names.check(&Uri::from_static("/"), &headers).is_err());
        headers.append(header::HOST, "localhost".parse().unwrap());
        headers.append(header::HOST, "evil.example".parse().unwrap());
        assert!(names.check(&Uri::from_static("/"), &headers).is_err());
    }

    #[test]
    fn a_name_in_the_address_counts_like_the_header() {
        let names = Names::default();
        let check = |uri: &'static str| {
            let headers = HeaderMap::from_iter([(header::HOST, "localhost:7878".parse().unwrap())]);
            names.check(&Uri::from_static(uri), &headers).map_err(|fault| fault.code())
        };
        assert_eq!(check("http://LOCALHOST:7878/api/status"), Ok(()));
        for uri in [
            "http://evil.example/api/status",
            "http://127.0.0.1:7878/",
            "http://x@localhost:7878/",
            "http://localhost/",
        ] {
            assert_eq!(check(uri), Err("misdirected"), "{uri}");
        }
    }

    #[test]
    fn an_origin_must_be_the_server_itself() {
        let names = Names::default();
        assert_eq!(check(&names, "localhost:7878", Some("http://localhost:7878")), Ok(()));
        assert_eq!(check(&names, "[::1]:7878", Some("http://[::1]:7878")), Ok(()));
        for origin in [
            "http://evil.example",
            "http://localhost:8080",
            "http://localhost",
            "null",
            "http://localhost:7878.evil.example",
            "file://localhost:7878",
            "http://127.0.0.1:7878",
        ] {
            assert_eq!(check(&names, "localhost:7878", Some(origin)), Err("forbidden"), "{origin}");
        }
    }

    #[test]
    fn behind_a_proxy_the_public_address_is_the_own_origin_and_its_plain_twin_is_not() {
        let names = Names::new(&[], Some("https://home.example".parse().unwrap()));
        assert_eq!(check(&names, "home.example", Some("https://home.example")), Ok(()));
        assert_eq!(check(&names, "127.0.0.1:7878", Some("https://home.example")), Ok(()));
        assert_eq!(check(&names, "home.example", Some("http://home.example")), Err("forbidden"));
    }
}
