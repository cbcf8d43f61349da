//! All tools, by name, behind one type.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use async_trait::async_trait;
use schemars::generate::SchemaSettings;
use serde_json::Value;
use tokio::sync::watch;

use crate::digest::Digest;
use crate::foreign::Annex;
use crate::plain::{shorten, visible};
use crate::refusal::{Code, Refusal};
use crate::target::Target;
use crate::tier::Tier;
use crate::tool::{Look, Preview, Probe, RunContext, Spec, Tool, ToolError, ToolErrorKind, Trust, Undo};

use crate::kernel::RawPermit;

/// A tool as data: what every face, index and catalogue derive from.
#[derive(Debug)]
pub struct Described {
    /// The fixed part.
    pub spec: Spec,
    /// From the doc comment of the arguments.
    pub description: String,
    /// JSON Schema of the arguments.
    pub input: Value,
    /// JSON Schema of the output.
    pub output: Value,
    /// Digest over everything above: changes when a word or a field does.
    pub catalogue: Digest,
}

impl Described {
    /// The name up to its first underscore.
    #[must_use]
    pub fn family(&self) -> &'static str {
        self.spec.name.split('_').next().unwrap_or(self.spec.name)
    }
}

/// What came out of a run, without its type.
#[derive(Debug)]
pub(crate) struct Product {
    pub(crate) output: Value,
    pub(crate) words: String,
    pub(crate) undo: Option<Undo>,
}

/// A tool without its types. Running one takes a [`RawPermit`], which only the gate makes.
#[async_trait]
pub(crate) trait Erased: Send + Sync {
    fn described(&self) -> &Arc<Described>;
    fn canonical(&self, args: Value) -> Result<Value, String>;
    async fn resolve(&self, args: &Value, look: &Look) -> Result<Target, ToolError>;
    fn judge(&self, args: &Value, target: &Target) -> Result<(Tier, String), ToolError>;
    async fn preview(&self, args: &Value, target: &Target, look: &Look) -> Result<Preview, ToolError>;
    async fn run(&self, args: Value, cx: &RunContext, permit: RawPermit) -> Result<Product, ToolError>;
    async fn probe(&self, args: &Value, target: &Target) -> Probe;
}

struct Entry<T> {
    tool: T,
    described: Arc<Described>,
}

fn typed<T: Tool>(args: &Value) -> Result<T::Args, ToolError> {
    serde::Deserialize::deserialize(args)
        .map_err(|error: serde_json::Error| ToolError::new(ToolErrorKind::Invalid, error.to_string()))
}

#[async_trait]
impl<T: Tool> Erased for Entry<T> {
    fn described(&self) -> &Arc<Described> {
        &self.described
    }

    fn canonical(&self, args: Value) -> Result<Value, String> {
        let args: T::Args = serde_json::from_value(args).map_err(|error| error.to_string())?;
        serde_json::to_value(args).map_err(|error| error.to_string())
    }

    async fn resolve(&self, args: &Value, look: &Look) -> Result<Target, ToolError> {
        self.tool.resolve(&typed::<T>(args)?, look).await
    }

    fn judge(&self, args: &Value, target: &Target) -> Result<(Tier, String), ToolError> {
        let args = typed::<T>(args)?;
        let judged = || (self.tool.tier_of(&args, target).max(T::SPEC.tier), self.tool.sentence(&args, target));
        let (tier, mut sentence) = catch_unwind(AssertUnwindSafe(judged)).map_err(|_| {
            ToolError::new(
                ToolErrorKind::Panicked,
                "the tool has a defect and could not judge the call; nothing was done",
            )
        })?;
        if !sentence.ends_with('.') {
            sentence.push('.');
        }
        Ok((tier, sentence))
    }

    async fn preview(&self, args: &Value, target: &Target, look: &Look) -> Result<Preview, ToolError> {
        self.tool.preview(&typed::<T>(args)?, target, look).await
    }

    async fn run(&self, args: Value, cx: &RunContext, permit: RawPermit) -> Result<Product, ToolError> {
        let permit = permit.typed::<T>(T::SPEC.name).ok_or_else(|| {
            ToolError::new(ToolErrorKind::Panicked, "the permit was made for another tool; nothing was run")
        })?;
        let done = self.tool.run(typed::<T>(&args)?, cx, permit).await?;
        let words = self.tool.words(&done.output);
        let output = serde_json::to_value(done.output)
            .map_err(|error| ToolError::new(ToolErrorKind::Panicked, error.to_string()))?;
        Ok(Product { output, words, undo: done.undo })
    }

    async fn probe(&self, args: &Value, target: &Target) -> Probe {
        match typed::<T>(args) {
            Ok(args) => self.tool.probe(&args, target).await,
            Err(_) => Probe::Unknown,
        }
    }
}

/// Why a tool cannot be registered.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RegistryError {
    /// Two tools of one name.
    #[error("two tools are named `{0}`")]
    Twice(&'static str),
    /// The name has other characters, or too many.
    #[error("`{0}` is not a tool name: 1 to 48 of [a-z0-9_]")]
    Name(&'static str),
    /// Unknown fields would be ignored.
    #[error("the arguments of `{0}` need #[serde(deny_unknown_fields)]")]
    Lax(&'static str),
    /// Nothing tells what it does.
    #[error("the arguments of `{0}` need a doc comment: it is the description that people and models read")]
    Undescribed(&'static str),
    /// Effects contradict the tier.
    #[error("`{0}` is declared green and says that it changes something")]
    GreenWrites(&'static str),
    /// No sentence leads to it.
    #[error("`{0}` needs at least one example sentence")]
    NoExample(&'static str),
}

/// Collects tools.
#[derive(Default)]
pub struct RegistryBuilder {
    tools: BTreeMap<&'static str, Arc<dyn Erased>>,
    annex: Annex,
    fault: Option<RegistryError>,
}

impl RegistryBuilder {
    /// Adds one tool.
    #[must_use]
    pub fn with<T: Tool>(mut self, tool: T) -> Self {
        let checked = describe::<T>();
        let name = T::SPEC.name;
        match checked {
            Ok(_) if self.tools.contains_key(name) => {
                self.fault = self.fault.or(Some(RegistryError::Twice(name)));
            }
            Ok(described) => {
                self.tools.insert(name, Arc::new(Entry { tool, described: Arc::new(described) }));
            }
            Err(error) => self.fault = self.fault.or(Some(error)),
        }
        self
    }

    /// Adds what stands in an annex, now and later. A name of ours is never another's.
    #[must_use]
    pub fn with_annex(mut self, annex: Annex) -> Self {
        self.annex = annex;
        self
    }

    /// The registry.
    ///
    /// # Errors
    /// Names the first tool whose declaration is not complete.
    pub fn build(self) -> Result<Registry, RegistryError> {
        match self.fault {
            Some(error) => Err(error),
            None => Ok(Registry { tools: self.tools, annex: self.annex }),
        }
    }
}

fn describe<T: Tool>() -> Result<Described, RegistryError> {
    let spec = T::SPEC;
    let name_ok = (1..=48).contains(&spec.name.len())
        && spec.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !name_ok {
        return Err(RegistryError::Name(spec.name));
    }
    let mut input = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T::Args>().to_value();
    let output =
        SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T::Output>().to_value();
    if input.get("additionalProperties") != Some(&Value::Bool(false)) {
        return Err(RegistryError::Lax(spec.name));
    }
    let described = input.as_object_mut().and_then(|schema| {
        schema.remove("title");
        schema.remove("description")
    });
    let Some(Value::String(description)) = described else {
        return Err(RegistryError::Undescribed(spec.name));
    };
    let description = description.split_whitespace().collect::<Vec<_>>().join(" ");
    let effects = spec.effects;
    if spec.tier == Tier::Green && (effects.writes || effects.deletes || effects.spends || effects.exposes) {
        return Err(RegistryError::GreenWrites(spec.name));
    }
    if spec.examples.is_empty() {
        return Err(RegistryError::NoExample(spec.name));
    }
    let fingerprint = serde_json::json!([
        spec.name,
        spec.revision,
        spec.tier,
        effects.words(),
        spec.trust == Trust::Untrusted,
        description,
        input,
        output
    ]);
    let catalogue = Digest::of(fingerprint.to_string().as_bytes());
    Ok(Described { spec, description, input, output, catalogue })
}

/// All tools, in the order of their names.
pub struct Registry {
    tools: BTreeMap<&'static str, Arc<dyn Erased>>,
    annex: Annex,
}

impl Registry {
    /// An empty collection to add tools to.
    #[must_use]
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder::default()
    }

    /// All tools, described: ours, then those of mounted servers.
    pub fn described(&self) -> impl Iterator<Item = Arc<Described>> + use<> {
        let foreign = self.annex.tools();
        let all = self.tools.values().chain(foreign.values()).map(|tool| Arc::clone(tool.described()));
        all.collect::<Vec<_>>().into_iter()
    }

    /// Tells of every change of what there is.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.annex.changes()
    }

    /// One tool, described.
    #[must_use]
    pub fn describe(&self, name: &str) -> Option<Arc<Described>> {
        match self.tools.get(name) {
            Some(tool) => Some(Arc::clone(tool.described())),
            None => self.annex.tools().get(name).map(|tool| Arc::clone(tool.described())),
        }
    }

    pub(crate) fn tool(&self, name: &str) -> Option<Arc<dyn Erased>> {
        self.tools.get(name).cloned().or_else(|| self.annex.tools().get(name).cloned())
    }

    /// The tool of this name, or a refusal that names its neighbours.
    pub(crate) fn find(&self, name: &str) -> Result<Arc<dyn Erased>, Refusal> {
        self.tool(name).ok_or_else(|| {
            let family = name.split('_').next().unwrap_or_default();
            let near =
                self.described().map(|tool| tool.spec.name).filter(|tool| tool.split('_').next() == Some(family));
            let near = near.take(12).collect::<Vec<_>>().join(", ");
            let hint =
                if near.is_empty() { "`jarvis tools` lists them all".to_owned() } else { format!("there is: {near}") };
            let shown = shorten(&visible(name), 60);
            Refusal::new(Code::UnknownTool, "validate", format!("there is no tool `{shown}`; {hint}"))
        })
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.tools.keys()).finish()
    }
}
