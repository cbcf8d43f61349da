//! A small world of lamps, and the tools that govern it. Every run is noted, so that a test can count effects.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jarvis_safety::kernel::{Permit, Registry};
use jarvis_safety::tool::{Done, Listing, Look, Probe, RunContext, Spec, Tool, ToolError, ToolErrorKind, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// What happened in the world, in order.
pub(crate) struct Lamps {
    runs: Mutex<Vec<String>>,
    /// The lamps that there are.
    hung: Mutex<Vec<String>>,
    /// Text on the note that a stranger wrote.
    pub(crate) note: Mutex<String>,
    /// The lamp that cannot be restarted.
    pub(crate) broken: Mutex<Option<String>>,
    /// Says that the slow tool has begun.
    pub(crate) begun: Notify,
}

impl Default for Lamps {
    fn default() -> Self {
        Self {
            runs: Mutex::default(),
            hung: Mutex::new(["hall", "porch", "attic"].map(str::to_owned).into()),
            note: Mutex::default(),
            broken: Mutex::default(),
            begun: Notify::new(),
        }
    }
}

impl Lamps {
    /// Hangs another lamp.
    pub(crate) fn hang(&self, name: &str) {
        self.hung.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
    }

    fn names(&self) -> Vec<String> {
        self.hung.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn find(&self, name: &str) -> Result<Target, ToolError> {
        // The cellar is not on the list.
        let name = name.strip_prefix("lamp-").unwrap_or(name);
        if name == "cellar" || self.names().iter().any(|lamp| lamp == name) {
            return Ok(Target::new("lamp", format!("lamp-{name}"), name));
        }
        let known = self.names().join(", ");
        Err(ToolError::new(ToolErrorKind::NotFound, format!("there is no lamp {name}; there are {known}")))
    }

    pub(crate) fn note_run(&self, run: String) {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).push(run);
    }

    /// Everything that ran.
    pub(crate) fn runs(&self) -> Vec<String> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often this ran.
    pub(crate) fn count(&self, run: &str) -> usize {
        self.runs().iter().filter(|known| *known == run).count()
    }
}

pub(crate) fn registry(lamps: &Arc<Lamps>) -> Registry {
    Registry::builder()
        .with(LampList(Arc::clone(lamps)))
        .with(LampRestart(Arc::clone(lamps)))
        .with(LampRemove(Arc::clone(lamps)))
        .with(LampWatch(Arc::clone(lamps)))
        .with(NoteRead(Arc::clone(lamps)))
        .with(LampUnlock)
        .build()
        .expect("the lamps are well declared")
}

fn house() -> Target {
    Target::new("host", "house", "house")
}

const GREEN: Spec = Spec {
    name: "",
    revision: 1,
    tier: Tier::Green,
    effects: Effects::READS,
    deadline: Duration::from_secs(60),
    trust: Trust::Trusted,
    secrets: &[],
    examples: &[],
    lists: None,
};

/// Lists all lamps and whether they are lit.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// One lamp.
#[derive(Serialize, JsonSchema)]
pub(crate) struct LampState {
    id: String,
    name: String,
    state: String,
}

/// All lamps.
#[derive(Serialize, JsonSchema)]
pub(crate) struct LampStates {
    lamps: Vec<LampState>,
}

struct LampList(Arc<Lamps>);

impl Tool for LampList {
    const SPEC: Spec = Spec {
        name: "lamp_list",
        examples: &["list the lamps"],
        lists: Some(Listing { entity: "lamp", items: "lamps", name: "name", state: "state" }),
        // Whoever hangs a lamp names it.
        trust: Trust::Named,
        ..GREEN
    };
    type Args = Nothing;
    type Output = LampStates;

    async fn resolve(&self, _: &Nothing, _: &Look) -> Result<Target, ToolError> {
        Ok(house())
    }

    fn sentence(&self, _: &Nothing, _: &Target) -> String {
        "List the lamps".to_owned()
    }

    async fn run(&self, _: Nothing, _: &RunContext, _: Permit<Self>) -> Result<Done<LampStates>, ToolError> {
        self.0.note_run("list".to_owned());
        let lamp = |name: String| LampState { id: format!("lamp-{name}"), name, state: "lit".to_owned() };
        Ok(Done::new(LampStates { lamps: self.0.names().into_iter().map(lamp).collect() }))
    }

    fn words(&self, output: &LampStates) -> String {
        format!("{} lamps are lit.", output.lamps.len())
    }
}

/// Restarts one lamp.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OneLamp {
    /// Name of the lamp.
    #[schemars(extend("x-entity" = "lamp"))]
    name: String,
}

/// What became of the lamp.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Changed {
    name: String,
}

struct LampRestart(Arc<Lamps>);

impl Tool for LampRestart {
    const SPEC: Spec = Spec {
        name: "lamp_restart",
        tier: Tier::Yellow,
        effects: Effects::WRITES,
        examples: &["restart the lamp {name}"],
        ..GREEN
    };
    type Args = OneLamp;
    type Output = Changed;

    async fn resolve(&self, args: &OneLamp, _: &Look) -> Result<Target, ToolError> {
        self.0.find(&args.name)
    }

    fn sentence(&self, _: &OneLamp, target: &Target) -> String {
        format!("Restart the lamp {}", target.name)
    }

    async fn run(&self, args: OneLamp, _: &RunContext, permit: Permit<Self>) -> Result<Done<Changed>, ToolError> {
        self.0.note_run(format!("restart {}", permit.target().name));
        if args.name == "cellar" {
            return Err(ToolError::new(ToolErrorKind::Failed, "the cellar is flooded; pump it out first"));
        }
        if self.0.broken.lock().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(&args.name) {
            return Err(ToolError::new(ToolErrorKind::Failed, "the bulb is broken; change it first"));
        }
        Ok(Done::new(Changed { name: args.name }))
    }

    async fn probe(&self, _: &OneLamp, _: &Target) -> Probe {
        Probe::Done
    }

    fn words(&self, output: &Changed) -> String {
        format!("The lamp {} is lit again.", output.name)
    }
}

/// Removes a lamp for good.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GoneLamp {
    /// Name of the lamp.
    #[schemars(extend("x-entity" = "lamp"))]
    name: String,
}

struct LampRemove(Arc<Lamps>);

impl Tool for LampRemove {
    const SPEC: Spec = Spec {
        name: "lamp_remove",
        tier: Tier::Red,
        effects: Effects::DELETES,
        examples: &["remove the lamp {name}"],
        ..GREEN
    };
    type Args = GoneLamp;
    type Output = Changed;

    async fn resolve(&self, args: &GoneLamp, _: &Look) -> Result<Target, ToolError> {
        self.0.find(&args.name)
    }

    fn sentence(&self, _: &GoneLamp, target: &Target) -> String {
        format!("Remove the lamp {} for good", target.name)
    }

    async fn run(&self, args: GoneLamp, _: &RunContext, permit: Permit<Self>) -> Result<Done<Changed>, ToolError> {
        self.0.note_run(format!("remove {}", permit.target().name));
        Ok(Done::new(Changed { name: args.name }))
    }

    fn words(&self, output: &Changed) -> String {
        format!("The lamp {} is gone.", output.name)
    }
}

/// Watches the lamps until it is cancelled.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Watching {}

struct LampWatch(Arc<Lamps>);

impl Tool for LampWatch {
    const SPEC: Spec = Spec { name: "lamp_watch", examples: &["watch the lamps forever"], ..GREEN };
    type Args = Watching;
    type Output = Changed;

    async fn resolve(&self, _: &Watching, _: &Look) -> Result<Target, ToolError> {
        Ok(house())
    }

    fn sentence(&self, _: &Watching, _: &Target) -> String {
        "Watch the lamps".to_owned()
    }

    async fn run(&self, _: Watching, cx: &RunContext, _: Permit<Self>) -> Result<Done<Changed>, ToolError> {
        self.0.begun.notify_one();
        cx.cancelled().cancelled().await;
        Err(ToolError::new(ToolErrorKind::Cancelled, "the watch was called off"))
    }

    fn words(&self, _: &Changed) -> String {
        String::new()
    }
}

/// Reads the note that a visitor left on the door.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reading {}

/// The note.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Note {
    text: String,
}

struct NoteRead(Arc<Lamps>);

impl Tool for NoteRead {
    const SPEC: Spec =
        Spec { name: "note_read", trust: Trust::Untrusted, examples: &["read the note on the door"], ..GREEN };
    type Args = Reading;
    type Output = Note;

    async fn resolve(&self, _: &Reading, _: &Look) -> Result<Target, ToolError> {
        Ok(house())
    }

    fn sentence(&self, _: &Reading, _: &Target) -> String {
        "Read the note".to_owned()
    }

    async fn run(&self, _: Reading, _: &RunContext, _: Permit<Self>) -> Result<Done<Note>, ToolError> {
        self.0.note_run("note".to_owned());
        Ok(Done::new(Note { text: self.0.note.lock().unwrap_or_else(PoisonError::into_inner).clone() }))
    }

    fn words(&self, output: &Note) -> String {
        output.text.clone()
    }
}

/// Unlocks the lamp cupboard with its code.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unlocking {
    /// The code.
    code: String,
}

struct LampUnlock;

impl Tool for LampUnlock {
    const SPEC: Spec =
        Spec { name: "lamp_unlock", secrets: &["code"], examples: &["unlock the lamp cupboard"], ..GREEN };
    type Args = Unlocking;
    type Output = Changed;

    async fn resolve(&self, _: &Unlocking, _: &Look) -> Result<Target, ToolError> {
        Ok(house())
    }

    fn sentence(&self, _: &Unlocking, _: &Target) -> String {
        "Unlock the lamp cupboard".to_owned()
    }

    async fn run(&self, _: Unlocking, _: &RunContext, _: Permit<Self>) -> Result<Done<Changed>, ToolError> {
        Ok(Done::new(Changed { name: "cupboard".to_owned() }))
    }

    fn words(&self, _: &Changed) -> String {
        "It is open.".to_owned()
    }
}
