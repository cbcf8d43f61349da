//! A tool of a mounted server, as the gate sees it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jarvis_safety::foreign::{self, Foreign, ForeignTool};
use jarvis_safety::kernel::{Described, Permit};
use jarvis_safety::mount::{Line, MountedTool, Review, ToolStanding};
use jarvis_safety::plain::{shorten, visible, visible_block};
use jarvis_safety::secret::SCHEME;
use jarvis_safety::tool::{Preview, RunContext, Spec, ToolError, ToolErrorKind, Trust};
use jarvis_safety::{Digest, Effects, Target, Tier};
use rmcp::model::{CallToolRequestParams, CallToolResponse, Tool};
use rmcp::service::{Peer, RoleClient, ServiceError};
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore, watch};

use super::schema::Schema;
use super::{answer, link};

/// Longest name that a server may give a tool.
const LONGEST_NAME: usize = 128;
/// Characters of a description that models are shown.
const DESCRIPTION: usize = 1_024;
/// Characters of a description that the operator is shown.
const READ: usize = 8_000;

/// The server's end of the line, while there is one.
pub(super) type Held = watch::Receiver<Option<Peer<RoleClient>>>;

/// What a call needs of its server.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) line: Line,
    pub(super) held: Held,
    /// Calls at once.
    pub(super) places: Arc<Semaphore>,
    /// Has it reached anew: at once when it waits, and also while it seems to answer.
    pub(super) nudge: Arc<Notify>,
}

/// A tool that was declared by a server, before it is judged.
pub(super) struct Declared {
    pub(super) seen: MountedTool,
    tool: Tool,
    checks: Option<(Arc<Schema>, Option<Arc<Schema>>)>,
}

impl Declared {
    /// Looks at a declaration. `call` is what it is called here.
    pub(super) fn new(server: &Server, call: &str, tool: Tool) -> Self {
        let words = serde_json::to_value(&tool).unwrap_or_default();
        let bound = json!([server.line.digest(), words]);
        let digest = Digest::of(jarvis_safety::json::canonical(&bound).unwrap_or_default().as_bytes());
        let checked = checked(&tool);
        let standing = match &checked {
            Ok(_) => ToolStanding::New,
            Err(why) => ToolStanding::Refused(why.clone()),
        };
        let description = tool.description.as_deref().unwrap_or_default();
        let seen = MountedTool {
            name: shorten(&visible(&tool.name), LONGEST_NAME),
            call: call.to_owned(),
            description: shorten(&visible_block(description), READ),
            input: Value::Object((*tool.input_schema).clone()),
            digest,
            standing,
        };
        Self { seen, tool, checks: checked.ok() }
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
                (*tier, format!("{words} (MCP server {shown})"), self.seen.input.clone())
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
        let catalogue = Digest::of(format!("{name} {tier} {quarantined} {}", self.seen.digest).as_bytes());
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
            tool: self.tool.name.clone().into_owned(),
            words: self.seen.description.clone(),
            digest: self.seen.digest.clone(),
            reviewed: matches!(standing, ToolStanding::Reviewed(_)),
            quarantined,
            input,
            output,
        }))
    }
}

fn checked(tool: &Tool) -> Result<(Arc<Schema>, Option<Arc<Schema>>), String> {
    if tool.name.is_empty() || tool.name.chars().count() > LONGEST_NAME {
        return Err(format!("its name does not have 1 to {LONGEST_NAME} characters"));
    }
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
        self.input.fault(args).map_or(Ok(()), |fault| Err(format!("{fault}. Nothing was done")))
    }

    fn target(&self) -> Target {
        let id = format!("{}/{}#{}", self.server.name, visible(&self.tool), &self.digest.as_str()[..16]);
        Target::new("mcp", id, &self.server.name)
    }

    fn sentence(&self, args: &Value) -> String {
        let given = args.as_object().map_or(0, serde_json::Map::len);
        let with = match given {
            0 => String::new(),
            _ => format!(" with {args}"),
        };
        format!("Call {} of the MCP server {}{with}", visible(&self.tool), self.server.name)
    }

    fn preview(&self) -> Preview {
        let mut effects =
            vec!["what it does is up to that server: it cannot be seen ahead, and not be taken back".to_owned()];
        if !self.reviewed {
            effects.push("nobody has reviewed this tool yet: give it a tier under Settings, MCP servers".to_owned());
        }
        let untrusted = (!self.words.is_empty()).then(|| shorten(&self.words, 2_000));
        Preview { effects, untrusted, ..Preview::default() }
    }

    async fn run(&self, args: Value, cx: &RunContext, permit: Permit<Foreign>) -> Result<Value, ToolError> {
        if permit.target() != &self.target() {
            let said = "the tool was changed meanwhile; nothing was done. Ask again";
            return Err(ToolError::new(ToolErrorKind::NeverBegan, said));
        }
        let mut args = args;
        open_secrets(&mut args, cx)?;
        let place = self.server.places.acquire().await;
        let _place = place.map_err(|_| unavailable("the server was taken away; nothing was done".to_owned()))?;
        let peer = self.server.held.borrow().clone();
        let peer = peer.filter(|peer| !peer.is_transport_closed()).ok_or_else(|| {
            let name = &self.server.name;
            unavailable(format!(
                "the MCP server {name} does not answer now; nothing was done. `jarvis mount list` tells why"
            ))
        })?;
        let mut params = CallToolRequestParams::new(self.tool.clone());
        if let Value::Object(args) = args {
            params = params.with_arguments(args);
        }
        let answered = peer.call_tool_once(params).await.map_err(|error| self.failed(&error))?;
        let CallToolResponse::Complete(mut result) = answered else {
            return Err(ToolError::new(
                ToolErrorKind::Failed,
                "the server asks something back before it goes on, which Jarvis hands to nobody; call it with everything it needs",
            ));
        };
        if result.is_error == Some(true) {
            let complaint = answer::complaint(&result);
            return Err(ToolError::new(ToolErrorKind::Failed, format!("the server says that it failed: {complaint}")));
        }
        if let Some(schema) = &self.output {
            let fault = match &result.structured_content {
                Some(value) => schema.fault(value),
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
    fn failed(&self, error: &ServiceError) -> ToolError {
        let name = &self.server.name;
        match error {
            ServiceError::McpError(error) => {
                let said = shorten(&visible(&error.message), 2_000);
                ToolError::new(ToolErrorKind::Failed, format!("the MCP server {name} refused it: {said}"))
            }
            other => {
                // Over HTTP nothing else tells that a server forgot us.
                if matches!(other, ServiceError::TransportSend(_) | ServiceError::TransportClosed) {
                    self.server.nudge.notify_one();
                }
                let said = format!("the line to the MCP server {name} broke: {}", link::told(other));
                ToolError::new(ToolErrorKind::Interrupted, said)
            }
        }
    }
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
