//! Tools that are not this program's: of mounted MCP servers, known only while they are there.
//!
//! They stand in an annex of the registry, so that whoever calls one goes through the same gate. Only whoever holds the
//! annex can change what stands in it; the gate and the agents' room read the registry and cannot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::watch;

use crate::kernel::{Permit, RawPermit};
use crate::registry::{Described, Erased, Product};
use crate::secret::SCHEME;
use crate::target::Target;
use crate::tier::Tier;
use crate::tool::{Look, Preview, Probe, RunContext, ToolError, ToolErrorKind};

/// Longest name: what MCP clients take.
const LONGEST_NAME: usize = 64;
/// Most names of one family that are ever made in the life of a process.
const MOST_NAMES: usize = 1_024;

/// The kind of permit that a foreign tool takes.
#[derive(Debug)]
pub enum Foreign {}

/// A tool of somebody else. What its author says of it decides nothing: tier and trust are in what is [`described`].
///
/// [`described`]: ForeignTool::described
#[async_trait]
pub trait ForeignTool: Send + Sync + 'static {
    /// What every face, index and catalogue derive from.
    fn described(&self) -> &Arc<Described>;

    /// What is wrong with the arguments.
    ///
    /// # Errors
    /// A sentence for whoever called.
    fn check(&self, args: &Value) -> Result<(), String>;

    /// What a call acts on: other whenever the tool is.
    fn target(&self) -> Target;

    /// What will happen, in one sentence made of nothing but what is hashed.
    fn sentence(&self, args: &Value) -> String;

    /// What a person should see before saying yes.
    fn preview(&self) -> Preview;

    /// Does it.
    ///
    /// # Errors
    /// What went wrong, and whether it was begun.
    async fn run(&self, args: Value, cx: &RunContext, permit: Permit<Foreign>) -> Result<Value, ToolError>;

    /// The output in plain words.
    fn words(&self, output: &Value) -> String;
}

/// The part of the registry that changes while the program runs. Cheap to clone.
#[derive(Clone)]
pub struct Annex(Arc<Inner>);

struct Inner {
    tools: RwLock<Tools>,
    changed: watch::Sender<()>,
}

pub(crate) type Tools = Arc<BTreeMap<&'static str, Arc<dyn Erased>>>;

impl Default for Annex {
    fn default() -> Self {
        Self(Arc::new(Inner { tools: RwLock::default(), changed: watch::channel(()).0 }))
    }
}

impl Annex {
    /// Puts tools in the place of all those of a family. Calls that were prepared with the old ones no longer fit.
    pub fn replace(&self, family: &str, tools: Vec<Arc<dyn ForeignTool>>) {
        let mut held = self.0.tools.write().unwrap_or_else(PoisonError::into_inner);
        let mut next: BTreeMap<_, _> =
            held.iter().filter(|(_, tool)| tool.described().family() != family).map(|(k, v)| (*k, v.clone())).collect();
        for tool in tools {
            let name = tool.described().spec.name;
            if tool.described().family() == family {
                next.insert(name, Arc::new(Outside(tool)));
            }
        }
        let mut both = held.values().zip(next.values()).map(|(one, other)| (one.described(), other.described()));
        let unchanged = held.keys().eq(next.keys()) && both.all(|(one, other)| one.catalogue == other.catalogue);
        *held = Arc::new(next);
        drop(held);
        if unchanged {
            return;
        }
        self.0.changed.send_replace(());
    }

    /// Tells of every change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    pub(crate) fn tools(&self) -> Tools {
        Arc::clone(&self.0.tools.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The name of a foreign tool, for as long as the process lives. Names are few: only an operator mounts servers, and each
/// has a bounded number of tools.
///
/// # Errors
/// If it is no name, or servers have changed theirs too often.
pub fn name(text: &str) -> Result<&'static str, String> {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !(1..=LONGEST_NAME).contains(&text.len()) || !text.bytes().all(good) {
        return Err(format!("a tool's name has 1 to {LONGEST_NAME} of [a-z0-9_]"));
    }
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(text) {
        return Ok(known);
    }
    let family = text.split('_').next().unwrap_or(text);
    let of_it = names.range(family..).take_while(|name| name.starts_with(family));
    if of_it.filter(|name| name.split('_').next() == Some(family)).count() >= MOST_NAMES {
        return Err(format!("`{family}` had more than {MOST_NAMES} different tools since the start; restart Jarvis"));
    }
    let name: &'static str = Box::leak(text.to_owned().into_boxed_str());
    names.insert(name);
    Ok(name)
}

struct Outside(Arc<dyn ForeignTool>);

#[async_trait]
impl Erased for Outside {
    fn described(&self) -> &Arc<Described> {
        self.0.described()
    }

    fn canonical(&self, args: Value) -> Result<Value, String> {
        self.0.check(&args)?;
        Ok(args)
    }

    async fn resolve(&self, _: &Value, _: &Look) -> Result<Target, ToolError> {
        Ok(self.0.target())
    }

    fn judge(&self, args: &Value, _: &Target) -> Result<(Tier, String), ToolError> {
        let tier = self.described().spec.tier;
        // A secret leaves the house with it.
        let tier = if names_secret(args) { tier.max(Tier::Yellow) } else { tier };
        Ok((tier, self.0.sentence(args)))
    }

    async fn preview(&self, _: &Value, _: &Target, _: &Look) -> Result<Preview, ToolError> {
        Ok(self.0.preview())
    }

    async fn run(&self, args: Value, cx: &RunContext, permit: RawPermit) -> Result<Product, ToolError> {
        let permit = permit.typed::<Foreign>(self.described().spec.name).ok_or_else(|| {
            ToolError::new(ToolErrorKind::Panicked, "the permit was made for another tool; nothing was run")
        })?;
        let output = self.0.run(args, cx, permit).await?;
        let words = self.0.words(&output);
        Ok(Product { output, words, undo: None })
    }

    async fn probe(&self, _: &Value, _: &Target) -> Probe {
        Probe::Unknown
    }
}

/// Whether a value of the arguments stands for a secret.
fn names_secret(args: &Value) -> bool {
    match args {
        Value::String(text) => text.starts_with(SCHEME),
        Value::Array(items) => items.iter().any(names_secret),
        Value::Object(map) => map.values().any(names_secret),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_once() {
        let (one, two) = (name("lab_look").unwrap(), name(&["lab", "look"].join("_")).unwrap());
        assert!(std::ptr::eq(one, two));
        for bad in ["", "Lab_look", "lab-look", "lab look", "läb", &"a".repeat(65)] {
            assert!(name(bad).is_err(), "{bad}");
        }
        assert!(name(&"a".repeat(64)).is_ok());
    }
}
