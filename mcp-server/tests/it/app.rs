//! The real binary as a world: a server on a temporary data directory, and the clients of it.
//!
//! When it is dropped, the server is stopped and the audit is verified from outside: a test cannot leave a broken chain
//! or an effect without its outcome behind and pass.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use jarvis_client::wire::{CallAnswer, CallBody, SessionInfo, SignInBody, TokenBody, TokenInfo};
use jarvis_client::{Client, ClientError, Options};
use serde_json::Value;
use serde_json::value::RawValue;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// A running Jarvis.
pub(crate) struct TestApp {
    child: Child,
    directory: tempfile::TempDir,
    environment: Vec<(String, String)>,
    pub(crate) url: String,
    /// Standard output of the server that runs, after its first line.
    pub(crate) printed: Heard,
    /// Its standard error.
    pub(crate) logged: Heard,
}

/// What a program writes, kept as it comes.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<(Mutex<Written>, Condvar)>);

#[derive(Default)]
struct Written {
    text: String,
    ended: bool,
}

impl Heard {
    /// Reads on in a thread of its own, so that the program never waits for a full pipe.
    pub(crate) fn listen(out: impl Read + Send + 'static) -> Self {
        let heard = Self::default();
        let Self(shared) = heard.clone();
        std::thread::spawn(move || {
            let (mut out, mut line) = (BufReader::new(out), Vec::new());
            while out.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                let _ = std::io::stderr().write_all(&line);
                shared.0.lock().unwrap().text.push_str(&String::from_utf8_lossy(&line));
                shared.1.notify_all();
                line.clear();
            }
            shared.0.lock().unwrap().ended = true;
            shared.1.notify_all();
        });
        heard
    }

    /// The first line that holds this, once it is written.
    pub(crate) fn line(&self, part: &str) -> String {
        let text = self.until(|written| written.ended || written.text.contains(part));
        let line = text.lines().find(|line| line.contains(part));
        line.unwrap_or_else(|| panic!("`{part}` was not written, but {text}")).to_owned()
    }

    /// Waits until this was written so many times.
    pub(crate) fn times(&self, part: &str, count: usize) {
        let text = self.until(|written| written.ended || written.text.matches(part).count() >= count);
        assert_eq!(text.matches(part).count(), count, "`{part}` in {text}");
    }

    /// Everything, once the program has ended.
    pub(crate) fn whole(&self) -> String {
        self.until(|written| written.ended)
    }

    fn until(&self, come: impl Fn(&Written) -> bool) -> String {
        let (written, grown) = &*self.0;
        let longest = Duration::from_secs(30);
        let waited = grown.wait_timeout_while(written.lock().unwrap(), longest, |written| !come(written));
        waited.unwrap().0.text.clone()
    }
}

impl TestApp {
    /// With the operator's password set and everything else on its defaults.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// With further variables.
    pub(crate) fn start_with(environment: &[(&str, &str)]) -> Self {
        Self::start_on(tempfile::tempdir().unwrap(), environment)
    }

    /// On a data directory that holds something already.
    pub(crate) fn start_on(directory: tempfile::TempDir, environment: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut environment: Vec<_> = environment.iter().map(own).collect();
        environment.push(("JARVIS_OPERATOR_PASSWORD".to_owned(), PASSWORD.to_owned()));
        Self::start_in(directory, environment)
    }

    /// Without a password, as a stranger starts it.
    pub(crate) fn start_fresh() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), Vec::new())
    }

    fn start_in(directory: tempfile::TempDir, environment: Vec<(String, String)>) -> Self {
        // The provider is process-wide; a test before this one may have installed it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let Server { child, url, printed, logged } = spawn(directory.path(), &environment);
        Self { child, directory, environment, url, printed, logged }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    /// A client on the socket: this machine.
    pub(crate) fn local(&self) -> Client {
        Client::new(Options::Socket { path: self.data().join("jarvis.sock") }).unwrap()
    }

    /// A client over TCP without any identity, or with one.
    pub(crate) fn over_tcp(&self, token: Option<&str>) -> Client {
        let url = self.url.parse().unwrap();
        Client::new(Options::Url { url, token: token.map(str::to_owned) }).unwrap()
    }

    /// The operator, signed in.
    pub(crate) async fn operator(&self) -> Client {
        let body = SignInBody { password: PASSWORD.to_owned(), code: None, bearer: true };
        let client = self.over_tcp(None);
        let session: SessionInfo = client.post("/api/session", &body, None).await.unwrap();
        client.with_bearer(session.secret.unwrap())
    }

    /// A fresh token.
    pub(crate) async fn token(&self, name: &str, ceiling: &str, role: &str) -> TokenInfo {
        let body = TokenBody {
            name: name.to_owned(),
            role: Some(role.to_owned()),
            ceiling: Some(ceiling.to_owned()),
            confirm: None,
            targets: Vec::new(),
            minutes: None,
            per_minute: None,
        };
        self.operator().await.post("/api/tokens", &body, None).await.unwrap()
    }

    /// Runs `jarvis` with these words as somebody on this machine would.
    pub(crate) fn cli(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jarvis"));
        command.args(words).env("JARVIS_DATA", self.directory.path()).stdin(Stdio::null());
        command.env_remove("JARVIS_URL").env_remove("JARVIS_TOKEN");
        command.envs(self.environment.iter().cloned()).output().unwrap()
    }

    /// The JSON that `jarvis … --json` prints.
    pub(crate) fn cli_json(&self, words: &[&str]) -> (i32, Value) {
        let output = self.cli(&[words, &["--json"]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let value = serde_json::from_str(text.trim()).unwrap_or_else(|_| panic!("{words:?} printed {text}"));
        (output.status.code().unwrap(), value)
    }

    /// Files of the data directory that hold this text.
    pub(crate) fn files_with(&self, text: &str) -> Vec<PathBuf> {
        let (mut folders, mut found) = (vec![self.data()], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let (path, kind) = (entry.path(), entry.file_type().unwrap());
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() && holds(&std::fs::read(&path).unwrap(), text.as_bytes()) {
                    found.push(path);
                }
            }
        }
        found
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Pulls the plug and starts again on the same data.
    pub(crate) fn kill_and_restart(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Pulls the plug for good.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sets a variable for the next start, and for what is typed.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Starts again on the same data, after [`TestApp::stop`].
    pub(crate) fn start_again(&mut self) {
        let Server { child, url, printed, logged } = spawn(self.directory.path(), &self.environment);
        (self.child, self.url, self.printed, self.logged) = (child, url, printed, logged);
    }

    /// Ends the server in good order.
    pub(crate) fn stop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.child.wait();
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop();
        let verified = self.cli(&["audit", "verify"]);
        let told = String::from_utf8_lossy(&verified.stdout).into_owned() + &String::from_utf8_lossy(&verified.stderr);
        if !std::thread::panicking() {
            assert!(verified.status.success(), "the audit is not whole: {told}");
        }
    }
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

struct Server {
    child: Child,
    url: String,
    printed: Heard,
    logged: Heard,
}

/// Starts the server with its fixtures: no variable of its own, but a word of its command line.
pub(crate) const FIXTURES: (&str, &str) = ("FIXTURES", "yes");

/// Starts the server on a kernel that has no Landlock any more, by way of this Python: no variable of its own either.
pub(crate) const WITHOUT_LANDLOCK: &str = "WITHOUT_LANDLOCK";

fn spawn(data: &Path, environment: &[(String, String)]) -> Server {
    let fixtures = environment.iter().any(|(name, _)| name == FIXTURES.0).then_some("--fixtures");
    let python = environment.iter().find(|(name, _)| name == WITHOUT_LANDLOCK).map(|(_, python)| python.as_str());
    let jarvis = env!("CARGO_BIN_EXE_jarvis");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/python/without_landlock.py");
    let mut child = Command::new(python.unwrap_or(jarvis))
        .args(python.map(|_| [script, jarvis]).into_iter().flatten())
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .args(fixtures)
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    printed.read_line(&mut first).unwrap();
    let Some(url) = first.trim_end().strip_prefix("Jarvis listens on ").map(str::to_owned) else {
        let mut told = String::new();
        child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        panic!("jarvis did not start: {first:?} {told}");
    };
    let logged = Heard::listen(child.stderr.take().unwrap());
    Server { child, url, printed: Heard::listen(printed), logged }
}

/// Calls a tool.
pub(crate) async fn call(client: &Client, tool: &str, args: Value) -> Result<CallAnswer, ClientError> {
    call_waiting(client, tool, args, None).await
}

/// Calls a tool and waits for its approval.
pub(crate) async fn call_waiting(
    client: &Client,
    tool: &str,
    args: Value,
    wait: Option<u32>,
) -> Result<CallAnswer, ClientError> {
    let args = Some(RawValue::from_string(args.to_string()).unwrap());
    client.post("/api/call", &CallBody { tool: tool.to_owned(), args, key: None }, wait).await
}

/// The code of a refusal.
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, ClientError>) -> String {
    match result {
        Err(ClientError::Refused(problem)) => problem.code,
        other => panic!("{other:?}"),
    }
}
