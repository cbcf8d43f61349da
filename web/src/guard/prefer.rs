//! `Prefer: wait=N` (RFC 7240): for how long the server may hold an answer back.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;

/// Longest wait, in seconds: shorter than what proxies give up after.
pub const MAX_WAIT: u64 = 50;

/// How long the caller wants to wait; zero without the header. What cannot be read is no preference, as the RFC says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait(pub Duration);

impl Wait {
    /// Whether the caller waits at all.
    #[must_use]
    pub const fn any(self) -> bool {
        !self.0.is_zero()
    }

    fn of(headers: &HeaderMap) -> Self {
        let seconds = headers
            .get_all("prefer")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|text| text.split([',', ';']))
            .filter_map(|part| part.trim().split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))
            .and_then(|(_, value)| value.trim().trim_matches('"').parse::<u64>().ok());
        Self(Duration::from_secs(seconds.unwrap_or(0).min(MAX_WAIT)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Wait {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(text: &str) -> u64 {
        let mut headers = HeaderMap::new();
        headers.insert("prefer", text.parse().unwrap());
        Wait::of(&headers).0.as_secs()
    }

    #[test]
    fn waiting_is_asked_for_in_seconds_and_bounded() {
        assert_eq!(wait("wait=20"), 20);
        assert_eq!(wait("respond-async, Wait = 7"), 7);
        assert_eq!(wait("wait=86400"), 50);
        assert_eq!(wait("wait=-1"), 0);
        assert_eq!(wait("wait"), 0);
    }
}
