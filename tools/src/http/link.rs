//! A link that somebody wrote, made into one that may be fetched, or a sentence why not.

use jarvis_safety::plain::visible;
use jarvis_safety::tool::{ToolError, ToolErrorKind};
use url::{Host, Url};

use super::reach::Guard;

/// Longest link, in bytes.
const LONGEST: usize = 2048;

fn invalid(message: impl Into<String>) -> ToolError {
    ToolError::new(ToolErrorKind::Invalid, message)
}

/// Reads a link. One without a scheme is taken as https if it begins with a name with a dot.
pub(super) fn read(text: &str, guard: &dyn Guard) -> Result<Url, ToolError> {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST {
        return Err(invalid(format!("a link has 1 to {LONGEST} bytes")));
    }
    let bare = !text.contains("://")
        && text.split(['/', '?', '#', ':']).next().is_some_and(|host| host.contains('.') && !host.contains('@'));
    let parsed = if bare { Url::parse(&format!("https://{text}")) } else { Url::parse(text) };
    let link = parsed.map_err(|error| {
        invalid(format!("`{}` is no link ({error}); write it like https://example.org/page", visible(text)))
    })?;
    checked(link, guard)
}

/// What must be true of every link that is requested, the first one and each that a redirect names.
pub(super) fn checked(mut link: Url, guard: &dyn Guard) -> Result<Url, ToolError> {
    let shown = visible(&shorter(&link));
    if !matches!(link.scheme(), "http" | "https") {
        return Err(invalid(format!("`{shown}` is neither http nor https; Jarvis fetches nothing else")));
    }
    if !link.username().is_empty() || link.password().is_some() || link.as_str().len() > LONGEST {
        return Err(invalid("a link with a user name or password in it, or an overlong one, is not fetched"));
    }
    if link.port().is_some_and(|port| port < 1024 && port != 80 && port != 443) {
        return Err(invalid(format!(
            "`{shown}` names a port of another service; web pages are on 80, 443 or above 1023"
        )));
    }
    let literal = match link.host() {
        Some(Host::Ipv4(address)) => Some(address.into()),
        Some(Host::Ipv6(address)) => Some(address.into()),
        Some(Host::Domain(name)) if !name.trim_matches('.').is_empty() => None,
        _ => return Err(invalid(format!("`{shown}` names no host"))),
    };
    if literal.is_some_and(|address| !guard.admits(address)) {
        return Err(ToolError::new(
            ToolErrorKind::NotPermitted,
            format!("`{shown}` is not on the public internet, and Jarvis fetches nothing else"),
        ));
    }
    link.set_fragment(None);
    Ok(link)
}

fn shorter(link: &Url) -> String {
    jarvis_safety::plain::shorten(link.as_str(), 120)
}

/// The host, in lower case, without the dot that a full name may end with.
pub(super) fn host(link: &Url) -> String {
    link.host_str().unwrap_or_default().trim_end_matches('.').to_owned()
}

/// Whether two links are of one site: the same host, with or without `www.`.
pub(super) fn same_site(one: &Url, other: &Url) -> bool {
    let bare = |link: &Url| {
        let host = host(link);
        host.strip_prefix("www.").map(str::to_owned).unwrap_or(host)
    };
    bare(one) == bare(other)
}

/// Whether the operator has listed the host: by its name, or by `*.name` for everything below.
pub(super) fn listed(link: &Url, hosts: &[String]) -> bool {
    let host = host(link);
    let plain = |text: &str| {
        let text = text.trim().trim_end_matches('.');
        Host::parse(text).map(|host| host.to_string()).unwrap_or_default()
    };
    hosts.iter().any(|entry| match entry.trim().strip_prefix("*.") {
        Some(above) => {
            let above = plain(above);
            !above.is_empty() && link.domain().is_some() && host.ends_with(&format!(".{above}"))
        }
        None => plain(entry) == host,
    })
}

#[cfg(test)]
mod tests {
    use super::super::reach::PublicOnly;
    use super::*;

    fn accepted(text: &str) -> String {
        read(text, &PublicOnly).unwrap().to_string()
    }

    #[test]
    fn a_link_becomes_the_one_that_is_requested() {
        assert_eq!(accepted("https://Example.ORG:443/a/../b?q=1#part"), "https://example.org/b?q=1");
        assert_eq!(accepted("example.org/news"), "https://example.org/news");
        assert_eq!(accepted("example.org:8443"), "https://example.org:8443/");
        assert_eq!(accepted("http://bücher.example/"), "http://xn--bcher-kva.example/");
        assert_eq!(accepted("http://1.1.1.1/"), "http://1.1.1.1/");
    }

    #[test]
    fn private_addresses_are_refused_in_every_spelling() {
        let spellings = [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://0/",
            "http://0x7f.1/",
            "http://127.0.0.1./",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[64:ff9b::10.0.0.1]/",
            "http://[2002:7f00:1::]/",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
            "http://169.254.169.254/latest",
            "http://10.0.0.1",
            "http://192.168.1.1:8080/",
            "http://１２７.０.０.１/",
            "http://127。0。0。1/",
            "http://%31%32%37.0.0.1/",
            "127.0.0.1",
            "http:127.0.0.1",
            "http:\\\\127.0.0.1\\",
            "http:///127.0.0.1",
        ];
        for text in spellings {
            let error = read(text, &PublicOnly).expect_err(text);
            assert!(error.message.contains("public internet"), "{text}: {}", error.message);
        }
    }

    #[test]
    fn what_is_no_plain_web_link_is_refused_with_a_sentence() {
        let wrong = [
            "",
            "ftp://example.org/",
            "file:///etc/passwd",
            "gopher://example.org",
            "javascript:alert(1)",
            "data:,x",
            "http://user@example.org/",
            "http://user:word@example.org/",
            "http://:word@example.org/",
            "https://example.org@10.0.0.1/",
            "user@example.org",
            "http://example.org:22/",
            "http://example.org:25/",
            "http://",
            "https://./",
            "no link",
            "http://[::1",
            "http://a b/",
            "unix:/run/docker.sock",
        ];
        for text in wrong {
            assert!(read(text, &PublicOnly).is_err(), "{text}");
        }
        assert!(read(&format!("https://example.org/{}", "a".repeat(3000)), &PublicOnly).is_err());
    }

    #[test]
    fn only_what_the_operator_listed_counts_as_listed() {
        let hosts: Vec<_> = ["Example.org", "*.wiki.example", " bücher.example. ", "", "*."].map(str::to_owned).into();
        let is = |text: &str| listed(&Url::parse(text).unwrap(), &hosts);
        assert!(is("https://example.org/x") && is("http://EXAMPLE.org.:8080/"));
        assert!(is("https://en.wiki.example/") && is("https://a.b.wiki.example/"));
        assert!(is("https://xn--bcher-kva.example/"));
        assert!(!is("https://wiki.example/") && !is("https://notexample.org/") && !is("https://example.org.evil.com/"));
        assert!(!is("https://xwiki.example/") && !is("https://www.example.org/") && !is("https://other.org/"));
    }

    #[test]
    fn a_site_is_one_host_with_or_without_www() {
        let same = |one: &str, other: &str| same_site(&Url::parse(one).unwrap(), &Url::parse(other).unwrap());
        assert!(same("http://example.org/", "https://www.example.org/x"));
        assert!(!same("http://example.org/", "http://a.example.org/"));
        assert!(!same("http://www.example.org/", "http://www.www.example.org.evil/"));
    }
}
