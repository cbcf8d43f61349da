//! Names of services: which are well-formed, which were probably meant.

use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::tool::{ToolError, ToolErrorKind};

/// Kinds of unit that are no services (systemd.unit(5)).
const OTHER: [&str; 10] =
    ["socket", "timer", "mount", "automount", "target", "path", "slice", "scope", "device", "swap"];
/// Longest name that systemd takes.
const MAX_NAME: usize = 255;

/// The full name of a service: `nginx` and `nginx.service` are `nginx.service`.
pub(crate) fn full_name(given: &str) -> Result<String, ToolError> {
    let shown = shorten(&visible(given), 80);
    let allowed = |character: char| character.is_ascii_alphanumeric() || ":_.\\@-".contains(character);
    if given.is_empty() || !given.chars().all(allowed) {
        return Err(invalid(format!(
            "`{shown}` is not the name of a service: a name has letters, digits and any of : _ . \\ @ -"
        )));
    }
    if let Some(kind) = OTHER.iter().find(|kind| given.ends_with(&format!(".{kind}"))) {
        return Err(invalid(format!("`{shown}` is a {kind}; only services can be looked at and moved here")));
    }
    let name = if given.ends_with(".service") { given.to_owned() } else { format!("{given}.service") };
    if name.len() > MAX_NAME || name == ".service" {
        return Err(invalid(format!("`{shown}` is not the name of a service: it has 1 to 247 characters")));
    }
    if name.ends_with("@.service") {
        return Err(invalid(format!(
            "`{shown}` is a template; name one of its instances, for example `{}`",
            shown.trim_end_matches(".service").to_owned() + "one"
        )));
    }
    Ok(name)
}

fn invalid(message: String) -> ToolError {
    ToolError::new(ToolErrorKind::Invalid, message)
}

/// Names that look like the one that was not found, best first.
pub(crate) fn near(wanted: &str, names: &[String]) -> Vec<String> {
    let stem = |name: &str| name.strip_suffix(".service").unwrap_or(name).to_lowercase();
    let wanted = stem(wanted);
    let score = |name: &str| {
        let name = stem(name);
        let inside = name.contains(&wanted) || (name.len() > 2 && wanted.contains(&name));
        strsim::jaro_winkler(&wanted, &name) + if inside { 1.0 } else { 0.0 }
    };
    let mut scored: Vec<_> = names.iter().map(|name| (score(name), name)).collect();
    scored.retain(|(score, _)| *score >= 0.8);
    scored.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| one.1.cmp(other.1)));
    scored.into_iter().map(|(_, name)| name.clone()).take(5).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_may_be_named_with_or_without_its_ending() {
        assert_eq!(full_name("nginx").unwrap(), "nginx.service");
        assert_eq!(full_name("nginx.service").unwrap(), "nginx.service");
        assert_eq!(full_name("getty@tty1").unwrap(), "getty@tty1.service");
        assert_eq!(full_name("php8.2-fpm").unwrap(), "php8.2-fpm.service");
    }

    #[test]
    fn what_is_no_service_is_refused_in_words() {
        for (name, why) in [
            ("", "letters, digits"),
            ("ng*", "letters, digits"),
            ("../etc", "letters, digits"),
            ("a b", "letters, digits"),
            ("nginx\n", "letters, digits"),
            ("docker.socket", "is a socket"),
            ("wg-quick@", "is a template"),
            (".service", "1 to 247"),
        ] {
            let error = full_name(name).unwrap_err();
            assert!(error.message.contains(why), "{name}: {}", error.message);
        }
        assert!(full_name(&"a".repeat(300)).is_err());
    }

    #[test]
    fn a_slip_of_the_finger_finds_its_service() {
        let names = ["nginx.service", "ssh.service", "cron.service", "lab-demo.service"].map(str::to_owned);
        assert_eq!(near("ngnix.service", &names), ["nginx.service"]);
        assert_eq!(near("demo", &names), ["lab-demo.service"]);
        assert!(near("zzz", &names).is_empty());
    }
}
