//! Where a model server stands: on this machine, in the house, or outside.
//!
//! What is said in the house stays there unless the operator accepted in so many words that it leaves. Names are not
//! resolved to find out: a name that somebody else can point elsewhere tomorrow must not decide that today.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jarvis_safety::setting::ModelSetting;
use url::{Host, Url};

use super::ProviderError;

/// Names under these belong to the house: multicast DNS, the usual router zone, RFC 8375 and the zone that ICANN set
/// aside for private use.
const HOUSE_ZONES: [&str; 4] = [".local", ".lan", ".internal", ".home.arpa"];

/// Whether the host belongs to the house.
#[must_use]
pub fn in_house(url: &Url) -> bool {
    match url.host() {
        None => false,
        Some(Host::Ipv4(address)) => v4_in_house(address),
        Some(Host::Ipv6(address)) => v6_in_house(address),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            !name.is_empty() && (!name.contains('.') || HOUSE_ZONES.iter().any(|zone| name.ends_with(zone)))
        }
    }
}

/// The address of the server, checked.
///
/// # Errors
/// Says what is wrong with it, or that the operator has not accepted a server outside the house.
pub fn checked(setting: &ModelSetting) -> Result<Url, ProviderError> {
    let bad = |why: &str| {
        ProviderError::NotSent(format!(
            "the model's address `{}` {why}; correct it in the settings, for example http://localhost:8080/v1",
            jarvis_safety::plain::shorten(&jarvis_safety::plain::visible(&setting.url), 120)
        ))
    };
    // Credentials in the address would be shown by whatever shows the address.
    if setting.url.contains('@') {
        return Err(ProviderError::NotSent(
            "the model's address holds an `@`: put the key into the key field, as env:NAME or file:/path, not into the \
             address"
                .to_owned(),
        ));
    }
    let url = Url::parse(setting.url.trim()).map_err(|error| bad(&format!("is no URL ({error})")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(bad("is neither http nor https"));
    }
    if in_house(&url) {
        return Ok(url);
    }
    let host = url.host_str().unwrap_or_default();
    if !setting.cloud_accepted {
        return Err(ProviderError::NotSent(format!(
            "the model server {host} is outside this house, and sending it what you say, tool descriptions and tool \
             outputs has not been accepted; accept it in the settings, or connect a model at home. Nothing was sent"
        )));
    }
    if url.scheme() == "http" {
        return Err(ProviderError::NotSent(format!(
            "the model server {host} is outside this house and its address is not encrypted; use https. Nothing was \
             sent"
        )));
    }
    Ok(url)
}

fn v4_in_house(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    // 100.64.0.0/10 is shared address space; in a house it is the private mesh (Tailscale).
    let mesh = first == 100 && (64..128).contains(&second);
    address.is_loopback() || address.is_private() || address.is_link_local() || address.is_unspecified() || mesh
}

fn v6_in_house(address: Ipv6Addr) -> bool {
    if let IpAddr::V4(inner) = IpAddr::V6(address).to_canonical() {
        return v4_in_house(inner);
    }
    address.is_loopback() || address.is_unspecified() || address.is_unique_local() || address.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_house_are_in_the_house() {
        let home = [
            "http://localhost:8080/v1",
            "http://127.0.0.1/v1",
            "http://2130706433/v1",
            "http://[::1]:1/v1",
            "http://[::ffff:10.0.0.1]/v1",
            "http://192.168.1.5:11434/v1",
            "http://10.1.2.3/v1",
            "http://172.31.0.1/v1",
            "http://169.254.3.4/v1",
            "http://100.64.0.1/v1",
            "http://[fd7a:115c:a1e0::1]/v1",
            "http://[fe80::1]/v1",
            "http://ollama:11434/v1",
            "http://box.local/v1",
            "http://BOX.LAN./v1",
            "http://gpu.internal/v1",
        ];
        for text in home {
            assert!(in_house(&Url::parse(text).unwrap()), "{text}");
        }
        let outside = [
            "https://api.openai.com/v1",
            "https://api.openai.com./v1",
            "http://8.8.8.8/v1",
            "http://172.32.0.1/v1",
            "http://100.128.0.1/v1",
            "http://[2606:4700::1]/v1",
            "http://[::ffff:8.8.8.8]/v1",
            "https://notlocal.example/v1",
            "https://evil.local.example.org/v1",
        ];
        for text in outside {
            assert!(!in_house(&Url::parse(text).unwrap()), "{text}");
        }
    }

    #[test]
    fn a_server_outside_needs_acceptance_and_encryption() {
        let setting = |url: &str, accepted| ModelSetting {
            url: url.to_owned(),
            name: "m".to_owned(),
            key: None,
            context: 4096,
            cloud_accepted: accepted,
        };
        let refused = checked(&setting("https://api.example.com/v1", false)).unwrap_err().to_string();
        assert!(refused.contains("outside this house") && refused.contains("Nothing was sent"), "{refused}");
        assert!(checked(&setting("https://api.example.com/v1", true)).is_ok());
        assert!(checked(&setting("http://api.example.com/v1", true)).is_err());
        assert!(checked(&setting("ftp://localhost/v1", true)).is_err());
        let leaky = checked(&setting("https://user:hunter2@localhost/v1", true)).unwrap_err().to_string();
        assert!(!leaky.contains("hunter2"), "{leaky}");
    }
}
