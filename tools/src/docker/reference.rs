//! Image references, read strictly: `[registry/]path[:tag][@digest]`, as
//! <https://pkg.go.dev/github.com/distribution/reference> describes them.
//!
//! A reference goes into a request and onto a card, so nothing that is not one may pass. A missing tag means `latest`;
//! left out in the request it would mean every tag there is.

use std::fmt;

/// The registry that is meant when none is named.
const HUB: &str = "docker.io";

/// A reference with all that matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    name: String,
    version: Version,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Version {
    Tag(String),
    Digest(String),
}

impl Reference {
    /// Reads a reference.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fault = |why: &str| {
            let shown = jarvis_safety::plain::shorten(&jarvis_safety::plain::visible(text), 100);
            format!("`{shown}` is no image reference: {why}; write it like nginx:1.29 or ghcr.io/owner/app:2")
        };
        if text.is_empty() || text.len() > 255 {
            return Err(fault("it must have 1 to 255 characters"));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let last = rest.rfind('/').map_or(0, |at| at + 1);
        let (name, tag) = match rest[last..].split_once(':') {
            Some((path, tag)) => (&rest[..last + path.len()], Some(tag)),
            None => (rest, None),
        };
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return Err(fault(&format!("`{}` is no tag", jarvis_safety::plain::visible(tag))));
        }
        if !is_name(name) {
            return Err(fault("a name has lower-case letters, digits, `.`, `_`, `-` and `/`"));
        }
        let version = match digest {
            Some(digest) if is_digest(digest) => Version::Digest(digest.to_owned()),
            Some(_) => return Err(fault("behind @ must stand sha256: and 64 hexadecimal characters")),
            None => Version::Tag(tag.unwrap_or("latest").to_owned()),
        };
        Ok(Self { name: name.to_owned(), version })
    }

    /// Name without tag or digest.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Tag or digest, in the place that the engine wants it.
    pub(super) fn version(&self) -> &str {
        match &self.version {
            Version::Tag(text) | Version::Digest(text) => text,
        }
    }

    /// Whether it can only ever mean one and the same image.
    pub(super) const fn is_fixed(&self) -> bool {
        matches!(self.version, Version::Digest(_))
    }

    /// Host of the registry that it comes from.
    pub(super) fn registry(&self) -> &str {
        registry_of(&self.name).unwrap_or(HUB)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Version::Tag(tag) => write!(f, "{}:{tag}", self.name),
            Version::Digest(digest) => write!(f, "{}@{digest}", self.name),
        }
    }
}

/// The first part is a host if it looks like one; otherwise it is part of a path on the hub.
fn registry_of(name: &str) -> Option<&str> {
    let (first, _) = name.split_once('/')?;
    (first.contains(['.', ':']) || first == "localhost").then_some(first)
}

fn is_name(name: &str) -> bool {
    let (host, path) = match registry_of(name) {
        Some(host) => (host, &name[host.len() + 1..]),
        None => ("", name),
    };
    is_host(host) && path.split('/').all(is_part)
}

/// A host with or without a port; none at all stands for the hub.
fn is_host(host: &str) -> bool {
    let (name, port) = host.split_once(':').unwrap_or((host, "0"));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let label =
        |label: &str| !label.is_empty() && label.bytes().all(plain) && !label.starts_with('-') && !label.ends_with('-');
    let numbered = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    host.is_empty() || (name.split('.').all(label) && numbered)
}

fn is_part(part: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let inner = |byte: u8| letter(byte) || matches!(byte, b'.' | b'_' | b'-');
    let bytes = part.as_bytes();
    bytes.first().copied().is_some_and(letter)
        && bytes.last().copied().is_some_and(letter)
        && part.bytes().all(inner)
        && !part.contains("..")
}

fn is_tag(tag: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=128).contains(&tag.len()) && !tag.starts_with(['.', '-']) && tag.bytes().all(plain)
}

fn is_digest(digest: &str) -> bool {
    let hash = digest.strip_prefix("sha256:").unwrap_or_default();
    hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tag_is_latest_and_a_missing_registry_the_hub() {
        let of = |text: &str| {
            let reference = Reference::parse(text).unwrap();
            (reference.to_string(), reference.registry().to_owned())
        };
        assert_eq!(of("nginx"), ("nginx:latest".to_owned(), "docker.io".to_owned()));
        assert_eq!(of("lab/web:1"), ("lab/web:1".to_owned(), "docker.io".to_owned()));
        assert_eq!(of("nas:5000/a/b"), ("nas:5000/a/b:latest".to_owned(), "nas:5000".to_owned()));
        let digest = format!("ghcr.io/x/y:2@sha256:{}", "0".repeat(64));
        assert_eq!(of(&digest).0, digest.replace(":2@", "@"));
        assert!(Reference::parse(&digest).unwrap().is_fixed());
    }

    #[test]
    fn what_could_become_another_request_is_no_reference() {
        for text in
            ["", "Nginx", "a b", "../x", "a/../b", "a?b=c", "a:b:c", "a@sha256:12", "a//b", "a:", "/a", "a%2fb", "-a"]
        {
            assert!(Reference::parse(text).is_err(), "{text}");
        }
    }
}
