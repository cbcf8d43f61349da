//! What `JARVIS_URL` may hold. It is checked before anything is asked, so that a typing error is not taken for a server
//! that is away.

use url::Url;

use super::exit::{Result, Stop};

/// Reads an address; without a port, `http` means Jarvis's own.
pub(super) fn read(text: &str, port: u16) -> Result<Url> {
    let text = text.trim();
    let wrong = |why: &str| {
        // What stands before an @ may be a password.
        let hidden = text.contains('@') || text.chars().count() > 200;
        let shown = if hidden { "it".to_owned() } else { format!("`{text}`") };
        let example = format!("write for example http://192.168.1.5:{port} or https://jarvis.lan");
        Stop::invalid(format!("JARVIS_URL: {shown} {why}; {example}"))
    };
    let mut url = Url::parse(text).map_err(|error| match error {
        url::ParseError::InvalidPort => wrong("has a port that is none"),
        url::ParseError::RelativeUrlWithoutBase => wrong("does not begin with http:// or https://"),
        _ => wrong("is not an address"),
    })?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err(wrong("does not begin with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("holds a user or a password, and Jarvis knows neither: a token goes into JARVIS_TOKEN"));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("goes on after the host and the port, and Jarvis is asked at the root"));
    }
    let named = text.trim_end_matches('/').ends_with(":80");
    if url.scheme() == "http" && url.port().is_none() && !named {
        // The scheme's default port is never Jarvis's, unless it is written out.
        let _ = url.set_port(Some(port));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_scheme_a_host_and_perhaps_a_port() {
        let read = |text: &str| read(text, 7878).unwrap().to_string();
        assert_eq!(read("http://127.0.0.1:17901"), "http://127.0.0.1:17901/");
        assert_eq!(read(" http://jarvis.lan/\n"), "http://jarvis.lan:7878/");
        assert_eq!(read("http://jarvis.lan:80"), "http://jarvis.lan/");
        assert_eq!(read("https://jarvis.lan"), "https://jarvis.lan/");
        assert_eq!(read("http://[::1]"), "http://[::1]:7878/");
    }

    #[test]
    fn anything_else_is_named_and_a_password_is_not_shown() {
        let cases = [
            ("nonsense", "does not begin with http"),
            ("127.0.0.1:7878", "does not begin with http"),
            ("localhost:7878", "does not begin with http"),
            ("ftp://127.0.0.1", "does not begin with http"),
            ("unix:///run/jarvis.sock", "does not begin with http"),
            ("http://", "is not an address"),
            ("http://[::1", "is not an address"),
            ("http://127.0.0.1:99999", "has a port that is none"),
            ("http://127.0.0.1:7878/api", "goes on after"),
            ("http://127.0.0.1:7878?x=1", "goes on after"),
            ("http://127.0.0.1:7878#x", "goes on after"),
            ("http://me:hunter2@127.0.0.1:7878", "JARVIS_TOKEN"),
            ("http://hunter2@[::1", "is not an address"),
        ];
        for (text, part) in cases {
            let stop = read(text, 7878).unwrap_err();
            assert_eq!(stop.code, "invalid_arguments", "{text}");
            assert!(stop.message.contains(part) && stop.message.starts_with("JARVIS_URL: "), "{}", stop.message);
            assert!(!stop.message.contains("hunter2"), "{}", stop.message);
        }
    }
}
