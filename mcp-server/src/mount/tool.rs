//! A tool of a mounted server, as the gate sees it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use jarvis_safety::foreign::{self, Foreign, ForeignTool};
use jarvis_safety::kernel::{Described, Permit};
use jarvis_safety::mount::{Line, MountedTool, Review, ToolStanding};
use jarvis_safety::plain::{shorten, visible, visible_block};
use jarvis_safety::secret::{Redactor, SCHEME};
use jarvis_safety::tool::{Preview, RunContext, Spec, ToolError, ToolErrorKind, Trust};
use jarvis_safety::{Digest, Effects, Target, Tier};
use rmcp::model::{CallToolRequestParams, CallToolResponse, RequestMetaObject, Tool};
use rmcp::service::{Peer, RoleClient, ServiceError};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};

use super::schema::Schema;
use super::{answer, link};

/// Longest name that a server may give a tool.
const LONGEST_NAME: usize = 128;
/// Largest arguments, in bytes of JSON.
const MOST_ARGS: usize = 256 * 1024;
/// Characters of a description that models are shown.
const DESCRIPTION: usize = 1_024;
/// Characters of a description that the operator is shown.
const READ: usize = 8_000;
/// Key in `_meta` by which a server that is a Jarvis, or knows the key from one, recognises a call that is sent again.
const KEY: &str = "jarvis/idempotency-key";

/// The server's end of the line and its number, while there is one.
pub(super) type Held = watch::Receiver<Option<(u64, Peer<RoleClient>)>>;

/// What a call needs of its server.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) line: Line,
    pub(super) held: Held,
    /// Calls at once.
    pub(super) places: Arc<Semaphore>,
    /// The number of the line that a call found broken: over HTTP nothing else tells that a server forgot us.
    pub(super) broken: Arc<watch::Sender<u64>>,
    /// What each tool is now, by its name here: what was decided about another is not run.
    pub(super) now: Arc<RwLock<BTreeMap<&'static str, Digest>>>,
}

/// A tool that was declared by a server, before it is judged.
pub(super) struct Declared {
    pub(super) seen: MountedTool,
    /// What the server calls it.
    tool: String,
    checks: Option<(Arc<Schema>, Option<Arc<Schema>>)>,
}

impl Declared {
    /// Looks at a declaration. `call` is what it is called here.
    pub(super) fn new(server: &Server, call: &str, tool: Tool, redactor: &Redactor) -> Self {
        let mut words = serde_json::to_value(&tool).unwrap_or_default();
        let bound = json!([server.line.digest(), call, words]);
        let digest = Digest::of(jarvis_safety::json::canonical(&bound).unwrap_or_default().as_bytes());
        // Struck as a whole, because its words are cut in more than one place: half a secret is not found any more.
        redactor.value(&mut words);
        let asked = tool.name.to_string();
        let tool = serde_json::from_value(words).unwrap_or(tool);
        let checks = checked(&tool, call);
        let (standing, input) = match &checks {
            Ok(_) => (ToolStanding::New, Value::Object((*tool.input_schema).clone())),
            Err(why) => (ToolStanding::Refused(why.clone()), Value::Null),
        };
        let description = tool.description.as_deref().unwrap_or_default();
        let seen = MountedTool {
            name: shorten(&visible(&tool.name), LONGEST_NAME),
            call: call.to_owned(),
            description: shorten(&visible_block(description), READ),
            input: Arc::new(input),
            digest,
            standing,
        };
        Self { seen, tool: asked, checks: checks.ok() }
    }

    /// How it stands, given what the operator said of it.
    pub(super) fn standing(&self, review: Option<&Review>) -> ToolStanding {
        match (&self.seen.standing, review) {
            (ToolStanding::Refused(why), _) => ToolStanding::Refused(why.clone()),
            (_, Some(review)) if review.digest == self.seen.digest => ToolStanding::Reviewed(review.tier),
            (_, Some(review)) => ToolStanding::Changed(review.clone()),
            (_, None) => ToolStanding::New,
        }
    }

    /// The tool for the gate, unless it is refused.
    pub(super) fn admit(&self, server: &Server, standing: &ToolStanding) -> Option<Arc<dyn ForeignTool>> {
        let (input, output) = self.checks.clone()?;
        let name = foreign::name(&self.seen.call).ok()?;
        let shown = &server.name;
        // What the operator has not read is not told to anybody: it is the server's word to a model.
        let (tier, description, schema) = match standing {
            ToolStanding::Reviewed(tier) => {
                let words = shorten(&visible(&self.seen.description), DESCRIPTION);
                (*tier, format!("{words} (MCP server {shown})"), (*self.seen.input).clone())
            }
            ToolStanding::New => {
                let words = format!("A tool of the MCP server {shown} that the operator has not reviewed yet");
                (Tier::Red, words, json!({ "type": "object" }))
            }
            ToolStanding::Changed(_) => {
                let words = format!("Quarantined: the MCP server {shown} changed this tool after it was reviewed");
                (Tier::Red, words, json!({ "type": "object" }))
            }
            ToolStanding::Refused(_) => return None,
        };
        let quarantined = matches!(standing, ToolStanding::Changed(_));
        let reviewed = matches!(standing, ToolStanding::Reviewed(_));
        let catalogue = format!("{name} {tier} {quarantined} {reviewed} {}", self.seen.digest.as_str());
        let catalogue = Digest::of(catalogue.as_bytes());
        let spec = Spec {
            name,
            revision: 1,
            tier,
            effects: Effects {
                reads: true,
                writes: tier > Tier::Green,
                deletes: tier > Tier::Yellow,
                // Nobody here knows where it goes.
                network: true,
                spends: tier > Tier::Orange,
                exposes: tier > Tier::Orange,
            },
            deadline: Duration::from_secs(server.line.seconds()),
            trust: Trust::Untrusted,
            secrets: &[],
            examples: &[],
            lists: None,
        };
        let described = Described { spec, description, input: schema, output: answer::schema(), catalogue };
        Some(Arc::new(Mounted {
            described: Arc::new(described),
            server: server.clone(),
            tool: self.tool.clone(),
            words: self.seen.description.clone(),
            digest: self.seen.digest.clone(),
            reviewed,
            quarantined,
            input,
            output,
        }))
    }
}

fn checked(tool: &Tool, call: &str) -> Result<(Arc<Schema>, Option<Arc<Schema>>), String> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte);
    if !(1..=LONGEST_NAME).contains(&tool.name.len()) || !tool.name.bytes().all(good) {
        return Err(format!("its name is not 1 to {LONGEST_NAME} of A-Z a-z 0-9 _ - . /"));
    }
    foreign::name(call)?;
    let input = Schema::new(&tool.input_schema)?;
    let output = tool.output_schema.as_deref().map(Schema::new).transpose();
    let output = output.map_err(|why| format!("for its answers, {why}"))?;
    Ok((Arc::new(input), output.map(Arc::new)))
}

struct Mounted {
    described: Arc<Described>,
    server: Server,
    /// What the server calls it.
    tool: String,
    words: String,
    digest: Digest,
    reviewed: bool,
    quarantined: bool,
    input: Arc<Schema>,
    output: Option<Arc<Schema>>,
}

#[async_trait]
impl ForeignTool for Mounted {
    fn described(&self) -> &Arc<Described> {
        &self.described
    }

    fn check(&self, args: &Value) -> Result<(), String> {
        if self.quarantined {
            return Err(format!(
                "the MCP server {} changed this tool after the operator had reviewed it, so it is not called until he has \
                 looked at it again (Settings, MCP servers). Nothing was done",
                self.server.name
            ));
        }
        let size = jarvis_safety::json::size(args);
        if size > MOST_ARGS {
            return Err(format!(
                "the arguments are {size} bytes, and a mounted server is sent {MOST_ARGS} at most. Nothing was done"
            ));
        }
        let Some(fault) = self.input.fault(args) else { return Ok(()) };
        // The fault speaks with the words of the schema, which nobody has read yet.
        let said = if self.reviewed {
            fault
        } else {
            "the arguments do not fit; nobody has reviewed this tool yet".to_owned()
        };
        Err(format!("{said}. Nothing was done"))
    }

    fn target(&self) -> Target {
        let id = format!("{}#{}", self.described.spec.name, &self.digest.as_str()[..16]);
        Target::new("mcp", id, &self.server.name)
    }

    fn sentence(&self, args: &Value) -> String {
        let given = args.as_object().map_or(0, serde_json::Map::len);
        let with = match given {
            0 => String::new(),
            _ => format!(" with {args}"),
        };
        format!("Call {} of the MCP server {}{with}", self.described.spec.name, self.server.name)
    }

    fn preview(&self) -> Preview {
        let mut effects =
            vec!["what it does is up to that server: it cannot be seen ahead, and not be taken back".to_owned()];
        if !self.reviewed {
            effects.push("nobody has reviewed this tool yet: give it a tier under Settings, MCP servers".to_owned());
        }
        let untrusted = (self.reviewed && !self.words.is_empty()).then(|| shorten(&self.words, 2_000));
        Preview { effects, untrusted, ..Preview::default() }
    }

    async fn run(&self, args: Value, cx: &RunContext, permit: Permit<Foreign>) -> Result<Value, ToolError> {
        let mut args = args;
        open_secrets(&mut args, cx)?;
        let place = self.server.places.acquire().await;
        let _place = place.map_err(|_| unavailable("the server was taken away; nothing was done".to_owned()))?;
        // It may have waited long for its place.
        if permit.target() != &self.target() || !self.is_current() {
            let said = "the tool was changed or reviewed anew meanwhile; nothing was done. Ask again";
            return Err(ToolError::new(ToolErrorKind::NeverBegan, said));
        }
        let held = self.server.held.borrow().clone();
        let (line, peer) = held.filter(|(_, peer)| !peer.is_transport_closed()).ok_or_else(|| {
            let name = &self.server.name;
            unavailable(format!(
                "the MCP server {name} does not answer now; nothing was done. `jarvis mount list` tells why"
            ))
        })?;
        let mut params = CallToolRequestParams::new(self.tool.clone());
        // The client sends a call a second time if its session is found to be over.
        let key = (KEY.to_owned(), Value::from(cx.call().as_str()));
        params.meta = Some(RequestMetaObject::from(serde_json::Map::from_iter([key])));
        if let Value::Object(args) = args {
            params = params.with_arguments(args);
        }
        let answered = peer.call_tool_once(params).await.map_err(|error| self.failed(&error, line, cx))?;
        let CallToolResponse::Complete(mut result) = answered else {
            return Err(ToolError::new(
                ToolErrorKind::Failed,
                "the server asks something back before it goes on, which Jarvis hands to nobody; call it with everything it needs",
            ));
        };
        if result.is_error == Some(true) {
            let complaint = answer::complaint(&result, cx.redactor());
            return Err(ToolError::new(ToolErrorKind::Failed, format!("the server says that it failed: {complaint}")));
        }
        if let Some(schema) = &self.output {
            let fault = match &result.structured_content {
                Some(value) if jarvis_safety::json::size(value) > answer::MOST_STRUCTURED => {
                    Some(format!("it is larger than {} KiB", answer::MOST_STRUCTURED / 1024))
                }
                Some(value) => told_fault(schema, value, cx.redactor()),
                None => Some("there is none".to_owned()),
            };
            if let Some(fault) = fault {
                // It was done, or it was not: what such a server says of it counts for nothing.
                return Err(ToolError::new(
                    ToolErrorKind::Interrupted,
                    format!("its answer is not what the server declared ({fault}) and was not handed on"),
                ));
            }
        }
        if let Some(value) = &mut result.structured_content {
            cx.redactor().value(value);
        }
        Ok(answer::output(result, cx.redactor()))
    }

    fn words(&self, output: &Value) -> String {
        answer::words(output)
    }
}

impl Mounted {
    /// Whether it still is what the operator's review says.
    fn is_current(&self) -> bool {
        let now = self.server.now.read().unwrap_or_else(PoisonError::into_inner);
        now.get(self.described.spec.name) == Some(&self.described.catalogue)
    }

    fn failed(&self, error: &ServiceError, line: u64, cx: &RunContext) -> ToolError {
        let name = &self.server.name;
        match error {
            ServiceError::McpError(error) => {
                let said = shorten(&visible(&cx.redactor().text(&error.message)), 2_000);
                ToolError::new(ToolErrorKind::Failed, format!("the MCP server {name} refused it: {said}"))
            }
            other => {
                if matches!(other, ServiceError::TransportSend(_) | ServiceError::TransportClosed) {
                    self.server.broken.send_replace(line);
                }
                let said = format!("the line to the MCP server {name} broke: {}", link::told(other, cx.redactor()));
                ToolError::new(ToolErrorKind::Interrupted, said)
            }
        }
    }
}

/// What is wrong with an answer, in a sentence about the answer as it may be shown: the sentence is cut.
fn told_fault(schema: &Schema, value: &Value, redactor: &Redactor) -> Option<String> {
    let fault = schema.fault(value)?;
    let mut struck = value.clone();
    redactor.value(&mut struck);
    if struck == *value {
        return Some(fault);
    }
    Some(schema.fault(&struck).unwrap_or_else(|| "it does not fit".to_owned()))
}

/// Puts secrets in the place of their references, only as whole values.
fn open_secrets(value: &mut Value, cx: &RunContext) -> Result<(), ToolError> {
    match value {
        Value::String(text) if text.starts_with(SCHEME) => {
            *text = cx.secret(text)?.expose().to_owned();
            Ok(())
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| open_secrets(item, cx)),
        Value::Object(map) => map.values_mut().try_for_each(|item| open_secrets(item, cx)),
        _ => Ok(()),
    }
}

fn unavailable(said: String) -> ToolError {
    ToolError::new(ToolErrorKind::Unavailable, said)
}
