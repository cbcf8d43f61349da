//! Settings, inwards: every field is checked, and what is wrong is said in a sentence that names it.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use jarvis_client::wire::{AutonomyInfo, ModelInfo, RootInfo, SettingsInfo};
use jarvis_safety::kernel::{Autonomy, AutonomyRule, Level};
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::secret::SecretName;
use jarvis_safety::setting::{AuditReads, ModelSetting, Root, Settings};
use url::Url;

use crate::problem::quote;

/// Most rules, roots or hosts.
const MAX_ITEMS: usize = 200;
/// Longest text of a single value.
const MAX_TEXT: usize = 400;

/// Families that are named where one does not exist.
const MAX_NEAR: usize = 3;

/// What is wrong, or the settings.
type Checked<T> = Result<T, String>;

/// Checks all of them; mounted servers are set elsewhere, and stand as by default. `data` is the data directory, `families` are those of all tools.
pub(super) async fn settings(given: &SettingsInfo, data: &Path, families: &BTreeSet<&str>) -> Checked<Settings> {
    let mut roots = Vec::with_capacity(given.roots.len().min(MAX_ITEMS));
    few("roots", given.roots.len())?;
    for given in &given.roots {
        let root = root(given, data).await?;
        if roots.iter().any(|known: &Root| known.path == root.path) {
            return Err(format!("roots: `{}` stands there twice", shorten(&visible(&root.path), 200)));
        }
        roots.push(root);
    }
    few("hosts", given.hosts.len())?;
    Ok(Settings {
        autonomy: autonomy(&given.autonomy, families)?,
        model: given.model.as_ref().map(model).transpose()?,
        roots,
        hosts: given.hosts.iter().map(|pattern| host(pattern)).collect::<Checked<_>>()?,
        approval_minutes: within("approval_minutes", given.approval_minutes, 1, 1_440)?,
        mcp_hold_seconds: within("mcp_hold_seconds", given.mcp_hold_seconds, 0, 50)?,
        audit_reads: match given.audit_reads.as_str() {
            "wal" => AuditReads::Wal,
            "fsync" => AuditReads::Fsync,
            _ => return Err("audit_reads must be `wal` or `fsync`".to_owned()),
        },
        ..Settings::default()
    })
}

fn few(field: &str, count: usize) -> Checked<()> {
    if count <= MAX_ITEMS { Ok(()) } else { Err(format!("{field} has {count} entries; at most {MAX_ITEMS} are taken")) }
}

fn within(field: &str, number: u32, low: u32, high: u32) -> Checked<u32> {
    if (low..=high).contains(&number) {
        return Ok(number);
    }
    Err(format!("{field} is {number}; use {low} to {high}"))
}

fn text(field: &str, value: &str) -> Checked<String> {
    let fits = !value.is_empty() && value.chars().count() <= MAX_TEXT && !value.chars().any(char::is_control);
    if fits { Ok(value.to_owned()) } else { Err(format!("{field} must have 1 to {MAX_TEXT} printable characters")) }
}

fn autonomy(given: &AutonomyInfo, families: &BTreeSet<&str>) -> Checked<Autonomy> {
    few("autonomy.rules", given.rules.len())?;
    let level = |field: &str, number: u8| Level::try_from(number).map_err(|error| format!("{field}: {error}"));
    let rules = given.rules.iter().enumerate().map(|(index, rule)| {
        let field = format!("autonomy.rules[{index}]");
        if rule.capability.is_none() && rule.target.is_none() {
            return Err(format!("{field} names neither capability nor target; change autonomy.default instead"));
        }
        let family = |given: &String| capability(&format!("{field}.capability"), given, families);
        let pattern = |given: &String| text(&format!("{field}.target"), given);
        Ok(AutonomyRule {
            capability: rule.capability.as_ref().map(family).transpose()?,
            target: rule.target.as_ref().map(pattern).transpose()?,
            level: level(&format!("{field}.level"), rule.level)?,
        })
    });
    Ok(Autonomy { default: level("autonomy.default", given.default)?, rules: rules.collect::<Checked<_>>()? })
}

/// A family of tools: `docker`, or `docker_*`, which means the same. A rule that fits no tool would look like a limit and
/// be none.
fn capability(field: &str, given: &str, families: &BTreeSet<&str>) -> Checked<String> {
    let name = given.trim();
    let name = name.strip_suffix("_*").unwrap_or(name);
    if families.contains(name) {
        return Ok(name.to_owned());
    }
    let shown = quote(given);
    if let Some(family) = name.split_once('_').map(|(family, _)| family).filter(|family| families.contains(family)) {
        return Err(format!(
            "{field} is {shown}, but a rule holds for a whole family of tools: write `{family}`, and name a target if it \
             is meant for one thing only"
        ));
    }
    let mut near: Vec<_> = families.iter().map(|family| (strsim::jaro_winkler(name, family), family)).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near: Vec<_> = near.iter().take(MAX_NEAR).map(|(_, family)| format!("`{family}`")).collect();
    Err(format!("{field} is {shown}, and no tool is of that family; the nearest are {}", near.join(", ")))
}

fn model(given: &ModelInfo) -> Checked<ModelSetting> {
    let url = Url::parse(given.url.trim())
        .map_err(|error| format!("model.url is no address ({error}); one looks like http://127.0.0.1:11434/v1"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("model.url must begin with http:// or https:// and name a host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("model.url must not hold a name or password; use model.key with a reference".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("model.url must end with its path, without ? or #".to_owned());
    }
    let name = given.name.trim();
    Ok(ModelSetting {
        url: url.as_str().trim_end_matches('/').to_owned(),
        name: if name.is_empty() { String::new() } else { text("model.name", name)? },
        key: given.key.as_deref().filter(|key| !key.is_empty()).map(key).transpose()?,
        context: within("model.context", given.context, 2_048, 2_000_000)?,
        cloud_accepted: given.cloud_accepted,
    })
}

/// The sentence never repeats what was sent: it may be the key itself.
fn key(reference: &str) -> Checked<String> {
    let good = if let Some(name) = reference.strip_prefix("env:") {
        let mut bytes = name.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && name.len() <= MAX_TEXT
            // Jarvis's own variables hold his password and tokens: no model is to get them.
            && !name.starts_with("JARVIS_")
    } else if let Some(path) = reference.strip_prefix("file:") {
        path.starts_with('/') && path.len() <= 4_096 && !path.chars().any(char::is_control)
    } else {
        SecretName::referred(reference).is_some()
    };
    if good {
        return Ok(reference.to_owned());
    }
    Err("model.key must be a reference and never the key itself: `secret://NAME`, `env:NAME` or `file:/path`"
        .to_owned())
}

async fn root(given: &RootInfo, data: &Path) -> Checked<Root> {
    let shown = shorten(&visible(&given.path), 200);
    let path = Path::new(&given.path);
    let plain = path.components().all(|part| !matches!(part, Component::ParentDir | Component::CurDir));
    if !path.is_absolute() || !plain || given.path.chars().any(char::is_control) || given.path.len() > 4_096 {
        return Err(format!("roots: `{shown}` must be an absolute path without `..`"));
    }
    let real = tokio::fs::canonicalize(path)
        .await
        .map_err(|error| format!("roots: `{shown}` cannot be entered ({error}); it must be a folder that exists"))?;
    if !tokio::fs::metadata(&real).await.is_ok_and(|found| found.is_dir()) {
        return Err(format!("roots: `{shown}` is not a folder"));
    }
    let data = tokio::fs::canonicalize(data).await.unwrap_or_else(|_| data.to_owned());
    if real.starts_with(&data) {
        return Err(format!("roots: `{shown}` lies inside Jarvis's own data directory, which stays closed"));
    }
    Ok(Root { path: given.path.trim_end_matches('/').to_owned(), write: given.write })
        .map(|root| if root.path.is_empty() { Root { path: "/".to_owned(), ..root } } else { root })
}

/// `example.org` or `*.example.org`, in lower case.
fn host(pattern: &str) -> Checked<String> {
    let pattern = pattern.trim().to_ascii_lowercase();
    let name = pattern.strip_prefix("*.").unwrap_or(&pattern);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let wide = pattern.starts_with("*.") && !name.contains('.');
    if name.len() <= 253 && name.split('.').all(label) && !wide {
        return Ok(pattern);
    }
    Err(format!(
        "hosts: `{}` is no host; use a name such as example.org, or *.example.org for all below it, without scheme, port or path",
        shorten(&visible(&pattern), 100)
    ))
}

#[cfg(test)]
mod tests {
    use jarvis_client::wire::AutonomyRuleInfo;

    use super::*;

    fn info() -> SettingsInfo {
        crate::view::setting::settings(&Settings::default())
    }

    async fn fault(change: impl FnOnce(&mut SettingsInfo)) -> String {
        let mut given = info();
        change(&mut given);
        settings(&given, Path::new("/nonexistent/data"), &families()).await.unwrap_err()
    }

    fn families() -> BTreeSet<&'static str> {
        BTreeSet::from(["docker", "file", "http", "log", "service", "system"])
    }

    #[test]
    fn a_rule_for_a_family_that_no_tool_is_of_is_refused_and_the_nearest_are_named() {
        let check = |given: &str| capability("autonomy.rules[2].capability", given, &families());
        for good in ["docker", " docker ", "docker_*"] {
            assert_eq!(check(good).as_deref(), Ok("docker"), "{good}");
        }
        let said = check("dokcer").unwrap_err();
        assert!(said.starts_with("autonomy.rules[2].capability is `dokcer`"), "{said}");
        assert!(said.contains("the nearest are `docker`, "), "{said}");
        for of_a_tool in ["docker_stop", "docker_st*", "docker_"] {
            let said = check(of_a_tool).unwrap_err();
            assert!(said.contains("a whole family of tools: write `docker`"), "{said}");
        }
        for bad in ["", "*", "_*", "Docker", "docker*", "dock", "kubernetes_*"] {
            assert!(check(bad).is_err(), "{bad}");
        }
        let hidden = check(&"\u{1b}[2J".repeat(200)).unwrap_err();
        assert!(hidden.contains(r"\u{1b}[2J") && hidden.chars().count() < 300, "{hidden}");
    }

    fn model_info(url: &str, key: Option<&str>) -> ModelInfo {
        ModelInfo {
            url: url.to_owned(),
            name: String::new(),
            key: key.map(str::to_owned),
            context: 4_096,
            cloud_accepted: false,
        }
    }

    #[tokio::test]
    async fn what_is_read_can_be_saved_again() {
        let again = settings(&info(), Path::new("/nonexistent/data"), &families()).await.unwrap();
        assert_eq!(again, Settings::default());
    }

    #[tokio::test]
    async fn a_wrong_field_is_named() {
        assert!(fault(|given| given.approval_minutes = 0).await.starts_with("approval_minutes is 0"));
        assert!(fault(|given| given.mcp_hold_seconds = 51).await.starts_with("mcp_hold_seconds"));
        assert!(fault(|given| given.audit_reads = "never".into()).await.starts_with("audit_reads"));
        assert!(fault(|given| given.autonomy.default = 5).await.starts_with("autonomy.default"));
        let lax = |given: &mut SettingsInfo| given.autonomy.rules.push(AutonomyRuleInfo::default());
        assert!(fault(lax).await.starts_with("autonomy.rules[0]"));
        assert!(fault(|given| given.hosts.push("https://example.org".into())).await.starts_with("hosts"));
        assert!(fault(|given| given.hosts.push("*.org".into())).await.starts_with("hosts"));
        assert!(fault(|given| given.hosts.push("*".into())).await.starts_with("hosts"));
        for url in ["ftp://a/v1", "127.0.0.1:80", "http://u:p@a/v1", "http://a/v1?k=1"] {
            assert!(fault(|given| given.model = Some(model_info(url, None))).await.starts_with("model.url"), "{url}");
        }
    }

    #[tokio::test]
    async fn a_key_that_is_no_reference_is_refused_and_not_repeated() {
        let said = fault(|given| given.model = Some(model_info("http://a/v1", Some("sk-123456")))).await;
        assert!(said.starts_with("model.key") && !said.contains("sk-123456"), "{said}");
        for good in ["env:OPENAI_KEY", "file:/run/key", "secret://openai"] {
            assert_eq!(key(good).as_deref(), Ok(good));
        }
        for bad in ["env:", "env:1A", "env:A B", "file:key", "secret", "secret://", "secret://a b"] {
            assert!(key(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_root_is_an_existing_folder_outside_the_data_directory_even_through_a_link() {
        let place = tempfile::tempdir().unwrap();
        let (data, shared) = (place.path().join("data"), place.path().join("shared"));
        std::fs::create_dir_all(data.join("files")).unwrap();
        std::fs::create_dir(&shared).unwrap();
        std::fs::write(place.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink(data.join("files"), place.path().join("link")).unwrap();
        let take = async |path: &Path| {
            let given = RootInfo { path: path.display().to_string(), write: true };
            root(&given, &data).await.map(|root| root.path)
        };
        assert_eq!(take(&shared).await, Ok(shared.display().to_string()));
        assert!(take(&data.join("files")).await.unwrap_err().contains("data directory"));
        assert!(take(&place.path().join("link")).await.unwrap_err().contains("data directory"));
        assert!(take(&place.path().join("none")).await.unwrap_err().contains("exists"));
        assert!(take(&place.path().join("file")).await.unwrap_err().contains("not a folder"));
        assert!(take(&shared.join("..")).await.unwrap_err().contains("absolute"));
        assert!(take(Path::new("relative")).await.unwrap_err().contains("absolute"));
    }
}
