//! Who stands behind a proxy: what one that the operator trusts says of it.
//!
//! Each proxy appends to `X-Forwarded-For` whom it saw. So the last word there is that of the proxy before us, the one
//! before it that of the proxy before that one, if it is trusted too; everything further left was written by strangers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::HeaderMap;
use ipnet::IpNet;

/// What a proxy appends to.
const FORWARDED: &str = "x-forwarded-for";

/// Proxies that are believed. Without any, whoever holds the connection is the client. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies(Arc<Vec<IpNet>>);

impl Proxies {
    /// Takes addresses and networks.
    ///
    /// # Errors
    /// Names what is neither, and what would believe everybody.
    pub(crate) fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        texts.into_iter().map(network).collect::<Result<Vec<_>, _>>().map(|nets| Self(Arc::new(nets)))
    }

    /// Whom a request comes from. Its port means nothing where a proxy tells of it.
    pub(crate) fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> SocketAddr {
        if !self.trusts(peer.ip()) {
            return peer;
        }
        let mut client = peer;
        // Whatever a stranger put before it: what the proxy appended is read.
        let lines: Vec<_> =
            headers.get_all(FORWARDED).iter().map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
        for word in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            // A proxy that writes what is no address of another machine is believed no further.
            let Some(seen) = address(word.trim()) else { break };
            client = SocketAddr::new(seen, 0);
            if !self.trusts(seen) {
                break;
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|net| net.contains(&address))
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let net = text.parse::<IpAddr>().map(IpNet::from).or_else(|_| text.parse::<IpNet>());
    let net = net.map_err(|_| {
        format!("trusted_proxies: `{text}` is no address or network; write 127.0.0.1, 172.18.0.0/16 or fd00::7")
    })?;
    match net.prefix_len() {
        0 => Err(format!("trusted_proxies: `{text}` is everybody, and whoever is believed may name any address")),
        _ => Ok(net),
    }
}

/// An address as proxies write it, with or without a port. Never one of this machine: whoever is here needs no proxy, and
/// counts for more.
fn address(text: &str) -> Option<IpAddr> {
    let seen = text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))?;
    let bare = seen.to_canonical();
    (!bare.is_loopback() && !bare.is_unspecified()).then_some(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], peer: &str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED, http::HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let proxies = Proxies::new(trusted.iter().copied()).unwrap();
        proxies.client(SocketAddr::new(peer.parse().unwrap(), 9), &headers).ip().to_string()
    }

    #[test]
    fn only_who_is_trusted_is_believed_and_only_about_the_one_before_it() {
        let near = ["127.0.0.1", "10.0.0.0/8"];
        assert_eq!(client(&[], "127.0.0.1", &["203.0.113.1"]), "127.0.0.1");
        assert_eq!(client(&near, "192.0.2.7", &["203.0.113.1"]), "192.0.2.7");
        assert_eq!(client(&near, "127.0.0.1", &[]), "127.0.0.1");
        assert_eq!(client(&near, "127.0.0.1", &["203.0.113.1"]), "203.0.113.1");
        assert_eq!(client(&near, "::ffff:127.0.0.1", &["203.0.113.1:4711"]), "203.0.113.1");
        // What the client wrote itself stands further left.
        assert_eq!(client(&near, "127.0.0.1", &["10.1.2.3, 203.0.113.1"]), "203.0.113.1");
        assert_eq!(client(&near, "127.0.0.1", &["127.0.0.1, 203.0.113.1 , 10.9.9.9"]), "203.0.113.1");
        // Nobody becomes this machine by saying so.
        for own in ["127.0.0.1", "::1", "[::1]:9", "::ffff:127.0.0.1", "0.0.0.0", "localhost"] {
            assert_eq!(client(&near, "127.0.0.1", &[&format!("{own}, 10.9.9.9")]), "10.9.9.9", "{own}");
        }
        assert_eq!(client(&near, "127.0.0.1", &["198.51.100.1", "203.0.113.1, 10.9.9.9"]), "203.0.113.1");
        assert_eq!(client(&near, "127.0.0.1", &["é, 203.0.113.1"]), "203.0.113.1");
        assert_eq!(client(&near, "127.0.0.1", &["203.0.113.1, unknown"]), "127.0.0.1");
        assert_eq!(client(&near, "127.0.0.1", &["203.0.113.1, unknown, 10.9.9.9"]), "10.9.9.9");
        assert_eq!(client(&["fd00::/8"], "fd00::1", &["[2001:db8::1]:80"]), "2001:db8::1");
    }

    #[test]
    fn what_is_no_network_and_what_is_everybody_is_refused() {
        for wrong in ["", "proxy.lan", "10.0.0.0/33", "0.0.0.0/0", "::/0"] {
            let said = Proxies::new([wrong]).unwrap_err();
            assert!(said.starts_with("trusted_proxies: `"), "{said}");
        }
    }
}
