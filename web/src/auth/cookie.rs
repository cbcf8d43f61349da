//! The session cookie.

use http::{HeaderMap, HeaderValue, header};

/// Name of the cookie.
pub const NAME: &str = "jarvis_session";

/// The secret in the session cookie. The first one counts, as browsers send the most specific first.
#[must_use]
pub fn session(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == NAME)
        .map(|(_, value)| value)
        .filter(|value| !value.is_empty())
}

/// A cookie that holds the secret for so many seconds. No script can read it and no other site can send it.
#[must_use]
pub fn opened(secret: &str, seconds: i64, secure: bool) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{NAME}={secret}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}", seconds.max(0));
    HeaderValue::from_str(&text).ok()
}

/// A cookie that makes the browser forget.
#[must_use]
pub const fn closed() -> HeaderValue {
    HeaderValue::from_static("jarvis_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie.parse().unwrap());
        headers
    }

    #[test]
    fn the_session_is_found_among_other_cookies_and_by_its_whole_name() {
        assert_eq!(session(&headers("a=b; jarvis_session=s3cret; c=d")), Some("s3cret"));
        assert_eq!(session(&headers("xjarvis_session=1;jarvis_session=2")), Some("2"));
        assert_eq!(session(&headers("jarvis_session=")), None);
        assert_eq!(session(&headers("jarvis_session")), None);
        assert_eq!(session(&HeaderMap::new()), None);
    }

    #[test]
    fn the_cookie_is_out_of_reach_of_scripts_and_other_sites() {
        let text = opened("s", 86_400, true).unwrap();
        assert_eq!(text, "jarvis_session=s; Path=/; Max-Age=86400; HttpOnly; SameSite=Strict; Secure");
        assert!(!opened("s", 1, false).unwrap().to_str().unwrap().contains("Secure"));
        assert!(opened("a\nb", 1, true).is_none());
    }
}
