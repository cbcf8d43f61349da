//! Configuration: environment first, then `jarvis.toml`, then defaults that need nothing.
//!
//! Every fault is named at start, with its line or its variable and what is allowed; nothing is silently ignored.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use jarvis_client::wire::MountBody;
use jarvis_memory::{Database, OpenError, Retention};
use jarvis_safety::mount::{LONGEST_NAME, Line, is_name};
use jarvis_tools::command::CommandOptions;
use serde::Deserialize;

use crate::proxy::Proxies;

/// Port on which Jarvis listens and clients look for him.
pub(crate) const PORT: u16 = 7878;

/// Name of the local door's socket in the data directory.
pub(crate) const SOCKET: &str = "jarvis.sock";

/// What the server is told before it starts. What can change while it runs is in the settings instead.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Address to listen on.
    pub(crate) listen: SocketAddr,
    /// The data directory; one process owns it.
    pub(crate) data: PathBuf,
    /// Where everything is kept: SQLite in the data directory, or PostgreSQL.
    pub(crate) database: Database,
    /// `policy.toml`; absent is no policy.
    pub(crate) policy: PathBuf,
    /// `commands.toml`; absent is only what is built in.
    pub(crate) commands: PathBuf,
    /// Address under which people reach Jarvis, for example `https://jarvis.lan`.
    pub(crate) public_url: Option<url::Url>,
    /// Further names that may stand in the `Host` header.
    pub(crate) hosts: Vec<String>,
    /// Proxies that are believed about whom they speak for.
    pub(crate) proxies: Proxies,
    /// Docker engine; the default socket when absent.
    pub(crate) docker: Option<String>,
    /// System bus; the default one when absent.
    pub(crate) dbus: Option<String>,
    /// Folder with prompts that replace the built-in ones.
    pub(crate) prompts: PathBuf,
    /// How long things are kept.
    pub(crate) retention: Retention,
    /// Where the key of the vault comes from.
    pub(crate) vault: VaultFile,
    /// Mounted MCP servers: `[mount.NAME]`.
    pub(crate) mounts: BTreeMap<String, Line>,
    /// The file that was read, if there was one.
    pub(crate) file: Option<PathBuf>,
    /// Whether tools for tests and measurements are there; only the command line can say so.
    pub(crate) fixtures: bool,
}

impl Config {
    /// What the family of commands is told.
    pub(crate) fn command_options(&self) -> CommandOptions {
        let vault =
            [&self.vault.key, &self.vault.passphrase, &self.vault.previous_key, &self.vault.previous_passphrase];
        let keys = vault.into_iter().flatten().filter_map(|reference| reference.strip_prefix("file:"));
        let own = keys.map(PathBuf::from).chain([self.policy.clone(), self.prompts.clone()]).chain(self.file.clone());
        CommandOptions { file: self.commands.clone(), data: self.data.clone(), own: own.collect() }
    }
}

/// Everything that is wrong, a line each.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has faults; nothing was started:\n{}", .0.join("\n"))]
pub(crate) struct ConfigError(Vec<String>);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<String>,
    policy: Option<PathBuf>,
    public_url: Option<String>,
    hosts: Option<Vec<String>>,
    trusted_proxies: Option<Vec<String>>,
    commands: Option<PathBuf>,
    docker: Option<String>,
    dbus: Option<String>,
    prompts: Option<PathBuf>,
    retention: Option<Retention>,
    database: Option<String>,
    vault: Option<VaultFile>,
    #[serde(default)]
    mount: BTreeMap<String, MountBody>,
}

/// `[vault]`: references to its key, `env:NAME`, `file:/path` or `credential:NAME`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VaultFile {
    /// 32 bytes, hexadecimal or base64.
    pub(crate) key: Option<String>,
    /// A passphrase instead.
    pub(crate) passphrase: Option<String>,
    /// The key before this one: what is sealed under it is sealed anew.
    pub(crate) previous_key: Option<String>,
    /// The passphrase before this one.
    pub(crate) previous_passphrase: Option<String>,
}

/// The environment as it was when the process began.
pub(crate) type Environment = BTreeMap<String, String>;

/// Variables beginning with `JARVIS_` that mean something.
const KNOWN: &[&str] = &[
    "JARVIS_LISTEN",
    "JARVIS_DATA",
    "JARVIS_DATABASE",
    "JARVIS_CONFIG",
    "JARVIS_POLICY",
    "JARVIS_COMMANDS",
    "JARVIS_PUBLIC_URL",
    "JARVIS_HOSTS",
    "JARVIS_TRUSTED_PROXIES",
    "JARVIS_DOCKER",
    "JARVIS_DBUS",
    "JARVIS_PROMPTS",
    "JARVIS_URL",
    "JARVIS_TOKEN",
    "JARVIS_OPERATOR_CODE",
    "JARVIS_OPERATOR_PASSWORD",
    "JARVIS_BACKUP_PASSPHRASE",
    "JARVIS_VAULT_KEY",
    "JARVIS_VAULT_PASSPHRASE",
    "JARVIS_LOG",
];

/// The data directory: `--data`, `JARVIS_DATA`, or the place where the system keeps such things for a person.
pub(crate) fn data_directory(flag: Option<&Path>, environment: &Environment) -> PathBuf {
    if let Some(path) = flag {
        return path.to_owned();
    }
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("JARVIS_DATA")
        .or_else(|| set("XDG_DATA_HOME").map(|home| home.join("jarvis")))
        .or_else(|| set("HOME").map(|home| home.join(".local/share/jarvis")))
        .unwrap_or_else(|| PathBuf::from("jarvis-data"))
}

/// Where a server on this data directory keeps everything.
pub(crate) fn database(data: &Path, environment: &Environment) -> Result<Database, ConfigError> {
    read(None, Some(data), environment).map(|config| config.database)
}

/// Reads the configuration of the server.
pub(crate) fn read(
    listen: Option<&str>,
    data: Option<&Path>,
    environment: &Environment,
) -> Result<Config, ConfigError> {
    let mut faults = unknown_variables(environment);
    let data = data_directory(data, environment);
    let (path, file) = read_file(&data, environment, &mut faults);
    let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty()).cloned();
    let listen = listen.map(str::to_owned).or_else(|| variable("JARVIS_LISTEN")).or(file.listen);
    let listen = listen.map_or(Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT)), |text| address(&text));
    let public_url = variable("JARVIS_PUBLIC_URL").or(file.public_url).map(|text| public_url(&text)).transpose();
    let hosts = variable("JARVIS_HOSTS").map(|list| list.split(',').map(|host| host.trim().to_owned()).collect());
    let proxies = variable("JARVIS_TRUSTED_PROXIES").map(|list| list.split(',').map(str::to_owned).collect());
    let proxies: Vec<String> = proxies.or(file.trusted_proxies).unwrap_or_default();
    let proxies = Proxies::new(proxies.iter().map(String::as_str)).map_err(|fault| faults.push(fault));
    let database = variable("JARVIS_DATABASE").or(file.database).unwrap_or_default().parse();
    let database = database.map_err(|fault: OpenError| faults.push(fault.to_string())).unwrap_or_default();
    let listen = listen.map_err(|fault| faults.push(fault)).ok();
    let mounts = mounts(file.mount, &mut faults);
    let public_url = public_url.map_err(|fault| faults.push(fault)).unwrap_or_default();
    let proxies = proxies.unwrap_or_default();
    match listen {
        Some(listen) if faults.is_empty() => Ok(Config {
            listen,
            database,
            policy: variable("JARVIS_POLICY")
                .map(PathBuf::from)
                .or(file.policy)
                .unwrap_or_else(|| data.join("policy.toml")),
            commands: variable("JARVIS_COMMANDS")
                .map(PathBuf::from)
                .or(file.commands)
                .unwrap_or_else(|| data.join("commands.toml")),
            public_url,
            hosts: hosts.or(file.hosts).unwrap_or_default(),
            proxies,
            docker: variable("JARVIS_DOCKER").or_else(|| variable("DOCKER_HOST")).or(file.docker),
            dbus: variable("JARVIS_DBUS").or(file.dbus),
            prompts: variable("JARVIS_PROMPTS")
                .map(PathBuf::from)
                .or(file.prompts)
                .unwrap_or_else(|| data.join("prompts")),
            retention: file.retention.unwrap_or_default(),
            vault: file.vault.unwrap_or_default(),
            mounts,
            file: path,
            fixtures: false,
            data,
        }),
        _ => Err(ConfigError(faults)),
    }
}

fn read_file(data: &Path, environment: &Environment, faults: &mut Vec<String>) -> (Option<PathBuf>, File) {
    let named = environment.get("JARVIS_CONFIG").map(PathBuf::from);
    let path = named.clone().unwrap_or_else(|| data.join("jarvis.toml"));
    match std::fs::read_to_string(&path) {
        Ok(text) => match toml::from_str(&text) {
            Ok(file) => return (Some(path), file),
            Err(error) => faults.push(format!("{}: {error}", path.display())),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {}
        Err(error) => faults.push(format!("{}: {error}", path.display())),
    }
    (None, File::default())
}

fn mounts(given: BTreeMap<String, MountBody>, faults: &mut Vec<String>) -> BTreeMap<String, Line> {
    let mut mounts = BTreeMap::new();
    for (name, body) in given {
        let line = match is_name(&name) {
            true => jarvis_web::mounted_line(body),
            false => Err(format!("a name has 1 to {LONGEST_NAME} of a-z and 0-9, a letter first")),
        };
        match line {
            Ok(line) => drop(mounts.insert(name, line)),
            Err(why) => faults.push(format!("[mount.{name}]: {why}")),
        }
    }
    mounts
}

fn unknown_variables(environment: &Environment) -> Vec<String> {
    let ours = environment.keys().filter(|name| name.starts_with("JARVIS_") && !name.starts_with("JARVIS_TEST_"));
    ours.filter(|name| !KNOWN.contains(&name.as_str()) && name.as_str() != "JARVIS_CI")
        .map(|name| format!("{name}: there is no such setting; there is {}", KNOWN.join(", ")))
        .collect()
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let whole = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
    whole
        .parse()
        .or_else(|_| whole.parse().map(|ip: IpAddr| SocketAddr::new(ip, PORT)))
        .or_else(|_| whole.replacen("localhost", "127.0.0.1", 1).parse())
        .map_err(|_| {
            format!("listen: `{text}` is not an address; write 127.0.0.1:{PORT}, 0.0.0.0:{PORT} or [::1]:{PORT}")
        })
}

fn public_url(text: &str) -> Result<url::Url, String> {
    let wrong = || format!("public_url: `{text}` is not an address such as https://jarvis.lan");
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    let plain = matches!(url.scheme(), "http" | "https") && url.host_str().is_some() && url.path() == "/";
    if plain { Ok(url) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn nothing_configured_listens_on_loopback() {
        let directory = tempfile::tempdir().unwrap();
        let config = read(None, Some(directory.path()), &environment(&[])).unwrap();
        assert!(config.listen.ip().is_loopback());
        assert_eq!(config.listen.port(), PORT);
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("jarvis.toml"), "lisen = \"x\"\n").unwrap();
        let wrong = environment(&[("JARVIS_LISTEN", "nowhere"), ("JARVIS_PUBLIC_URL", "jarvis"), ("JARVIS_DTA", "x")]);
        let error = read(None, Some(directory.path()), &wrong).unwrap_err().to_string();
        for part in ["lisen", "nowhere", "`jarvis` is not", "JARVIS_DTA"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn the_flag_beats_the_environment_and_that_the_file() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("jarvis.toml"), "listen = \"127.0.0.1:1\"\n").unwrap();
        let set = environment(&[("JARVIS_LISTEN", "127.0.0.1:2")]);
        let port =
            |flag: Option<&str>, set: &Environment| read(flag, Some(directory.path()), set).unwrap().listen.port();
        assert_eq!(port(Some("127.0.0.1:3"), &set), 3);
        assert_eq!(port(None, &set), 2);
        assert_eq!(port(None, &environment(&[])), 1);
    }
}
