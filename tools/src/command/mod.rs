//! Commands: a program with arguments, and never a shell's line. `command_look` runs what only looks, `command_run` the rest.
//!
//! What a command means is known only where somebody wrote it down: `commands.toml` holds forms (`form`), each with its
//! grammar (`grammar`), its tier, and what the program may touch (`reach`). What no form understands is red, so a person
//! sees it word for word before it runs, and is confined all the same. Every command is begun by the launcher (`confine`):
//! this binary again, which gives up files, sockets and rights before it begins the program, and then watches over it
//! (`supervise`), so that nothing outlives Jarvis. The command is bound to the very file that was looked at and to the forms it
//! was judged by; if either changes in between, it is asked anew.

mod child;
mod confine;
mod form;
mod grammar;
mod line;
mod list;
mod look;
mod mount;
mod output;
mod posture;
mod program;
mod reach;
mod resident;
mod run;
mod scratch;
mod supervise;
mod syscall;
mod value;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use jarvis_safety::kernel::RegistryBuilder;
use jarvis_safety::setting::Settings;
use jarvis_safety::tool::{ToolError, ToolErrorKind};
use tokio::process::Command;
use tokio::sync::{OnceCell, watch};

use self::confine::{PROBE, WORD};
use self::form::Forms;
use self::posture::{Probed, Strength};

pub use self::confine::{confine, ordered};
pub use self::resident::{Resident, Running};

/// What the family needs.
#[derive(Debug, Clone)]
pub struct CommandOptions {
    /// `commands.toml`; absent is fine.
    pub file: PathBuf,
    /// Jarvis's data directory: nothing in it is in a command's reach but `files`.
    pub data: PathBuf,
    /// Jarvis's own configuration, out of reach too.
    pub own: Vec<PathBuf>,
}

/// The forms that are in force, and what this machine has to confine a command with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Commands(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    forms: Result<Forms, String>,
    data: PathBuf,
    own: Vec<PathBuf>,
    settings: Option<watch::Receiver<Settings>>,
    probed: OnceCell<Probed>,
}

impl Commands {
    /// Reads `commands.toml`. What is wrong with it is told by every call, [`Commands::found`] and [`Commands::fault`].
    /// With the settings in force, the model's key is out of reach too.
    #[must_use]
    pub fn load(options: CommandOptions, settings: Option<watch::Receiver<Settings>>) -> Self {
        let real = |path: PathBuf| path.canonicalize().unwrap_or(path);
        let data = real(options.data);
        let own = options.own.into_iter().chain([options.file.clone()]).map(real).chain([data.clone()]).collect();
        Self(Arc::new(Inner { forms: read(&options.file), data, own, settings, probed: OnceCell::new() }))
    }

    /// What can be run here and how it is confined, in a sentence.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub async fn found(&self) -> Result<String, ToolError> {
        let forms = self.forms()?;
        let probed = self.probed().await?;
        if let Some(missing) = forms.strength.lacks(probed) {
            return Err(weaker(&missing));
        }
        let (all, own) = (forms.iter().count(), forms.own);
        Ok(format!("{all} forms ({own} of yours); {}", posture::words(probed)))
    }

    /// What is wrong with `commands.toml`, if something is.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        self.0.forms.as_ref().err().map(|fault| format!("no command is run: {fault}"))
    }

    fn forms(&self) -> Result<&Forms, ToolError> {
        self.0.forms.as_ref().map_err(|fault| unavailable(format!("no command is run: {fault}")))
    }

    /// What no command opens.
    fn own(&self) -> Vec<PathBuf> {
        let model = self.0.settings.as_ref().and_then(|settings| settings.borrow().model.clone());
        let key = model.and_then(|model| model.key).and_then(|key| key.strip_prefix("file:").map(PathBuf::from));
        let key = key.map(|path| path.canonicalize().unwrap_or(path));
        let mut own: Vec<_> = self.0.own.iter().cloned().chain(key).collect();
        own.extend(mount::aliases(&own, &std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default()));
        own
    }

    /// Found out once, by a launcher that confines itself and says what came of it.
    async fn probed(&self) -> Result<&Probed, ToolError> {
        self.0.probed.get_or_try_init(probe).await
    }
}

fn read(file: &Path) -> Result<Forms, String> {
    let told = |fault: String| format!("{}: {fault}", file.display());
    match std::fs::read_to_string(file) {
        Ok(text) => Forms::parse(&text).map_err(told),
        Err(error) if error.kind() == ErrorKind::NotFound => Forms::parse("").map_err(told),
        Err(error) => Err(told(error.to_string())),
    }
}

async fn probe() -> Result<Probed, ToolError> {
    let answer = Command::new(launcher())
        .args([WORD, PROBE])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| unavailable(format!("no command can be begun: {error}")))?;
    serde_json::from_slice(&answer.stdout)
        .map_err(|_| unavailable("what this machine has to confine a command with cannot be found out".to_owned()))
}

/// This very binary, also after the file was replaced by a newer one.
fn launcher() -> &'static Path {
    Path::new("/proc/self/exe")
}

fn weaker(missing: &str) -> ToolError {
    unavailable(format!(
        "no command is run: this machine lacks {missing}, which `sandbox` in commands.toml asks for. A newer kernel has it; \
         or say `sandbox = \"off\"` there to run commands with less"
    ))
}

fn unavailable(said: String) -> ToolError {
    ToolError::new(ToolErrorKind::Unavailable, said)
}

/// Adds the tools of this family.
#[must_use]
pub fn register(builder: RegistryBuilder, commands: &Commands) -> RegistryBuilder {
    builder
        .with(look::CommandLook(commands.clone()))
        .with(run::CommandRun(commands.clone()))
        .with(list::CommandList(commands.clone()))
}
