//! Where an attempt to sign in comes from, and how long a wrong one is held back.

use std::net::IpAddr;

use jarvis_safety::identity::Source;

/// The source behind a peer's address; none means the socket in the data directory. A proxy on this machine makes
/// strangers look like loopback, so that is not the same as the socket. Of an address the part that one customer can
/// change at will is cut off: IPv6 is counted by its /64.
#[must_use]
pub fn source(peer: Option<IpAddr>) -> Source {
    let (name, far) = match peer.map(|address| address.to_canonical()) {
        None => ("socket".to_owned(), false),
        Some(address) if address.is_loopback() => ("loopback".to_owned(), false),
        Some(IpAddr::V4(address)) => (address.to_string(), true),
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            (IpAddr::from([a, b, c, d, 0, 0, 0, 0]).to_string(), true)
        }
    };
    Source { name, far }
}

/// How long a wrong attempt is held back, by the number of attempts before it.
#[must_use]
pub const fn penalty_ms(before: usize) -> u64 {
    match before {
        0 => 250,
        1 => 500,
        2 => 1_000,
        _ => 2_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Source {
        source(Some(text.parse().unwrap()))
    }

    #[test]
    fn changing_the_lower_half_of_an_ipv6_address_gains_nothing() {
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert!(of("192.0.2.1").far && of("2001:db8::1").far);
    }

    #[test]
    fn this_machine_is_near() {
        assert_eq!(of("127.0.0.1"), of("::1"));
        assert_eq!(of("127.0.0.1"), of("::ffff:127.0.0.2"));
        assert_ne!(of("127.0.0.1"), source(None));
        assert!(!of("127.0.0.1").far && !source(None).far);
    }
}
