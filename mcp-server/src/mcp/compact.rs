//! `/mcp/compact`: for clients that cannot carry a long list of tools. One tool finds the others, three call them.
//!
//! Which of the three calls a tool follows from that tool's own annotations: what only reads, what can be put back, and
//! what destroys or takes away. So a client may let all reads through and still ask about the rest. The inner call is a
//! call like any other: the same gate, with the real name and the real arguments.

use std::sync::Arc;

use jarvis_safety::Actor;
use jarvis_safety::kernel::Described;
use jarvis_safety::outcome::Answer;
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::refusal::{Code, Refusal};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, JsonObject, Tool, ToolAnnotations,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Map, Value, json};

use super::Face;
use super::listing::annotations;

/// The tool that finds the others.
const SEARCH: &str = "search_tools";
/// Tools that one search answers with all they say.
const MOST: usize = 5;
/// Longest query, in characters.
const LONGEST: usize = 200;

/// Said to clients beside what everybody is told.
pub(super) const INSTRUCTIONS: &str = " Find a tool with `search_tools`; call it through the one that its `call_with` \
names. Approvals come back through that one, too: repeat the identical call.";

/// One of the three ways to call a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Read,
    Write,
    Delete,
}

impl Way {
    const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Delete];

    const fn name(self) -> &'static str {
        match self {
            Self::Read => "call_read_tool",
            Self::Write => "call_write_tool",
            Self::Delete => "call_delete_tool",
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::Read => "Calls a tool that only reads. [green]",
            Self::Write => "Calls a tool that changes something which can be put back. [yellow]",
            Self::Delete => "Calls a tool that deletes, takes away or exposes something. [up to red]",
        }
    }

    /// The way to a tool: its own annotations say so.
    fn to(described: &Described) -> Self {
        let annotations = annotations(described);
        match (annotations.read_only_hint, annotations.destructive_hint) {
            (Some(true), _) => Self::Read,
            (_, Some(false)) => Self::Write,
            _ => Self::Delete,
        }
    }

    fn tool(self) -> Tool {
        let schema = json!({
            "type": "object",
            "properties": {
                "name": { "type": "string", "description": "Name of the tool." },
                "arguments": { "type": "object", "description": "Its arguments, as its own schema says." },
            },
            "required": ["name"],
            "additionalProperties": false,
        });
        let annotations = ToolAnnotations::new()
            .read_only(self == Self::Read)
            .destructive(self == Self::Delete)
            .idempotent(self == Self::Read)
            // Some tool behind each goes out.
            .open_world(true);
        Tool::new(self.name(), self.description(), object(schema)).with_annotations(annotations)
    }
}

fn object(schema: Value) -> JsonObject {
    match schema {
        Value::Object(object) => object,
        _ => JsonObject::new(),
    }
}

fn search_tool() -> Tool {
    let schema = json!({
        "type": "object",
        "properties": {
            "query": {
                "type": "string",
                "maxLength": LONGEST,
                "description": "What is to be done, in a few words. Empty: the names of all tools.",
            },
        },
        "required": ["query"],
        "additionalProperties": false,
    });
    let description = "Finds tools of this machine: containers, services, logs, files, disks, processes, commands, web \
                       pages, jobs. Answers the best with their arguments, tier, and the tool to call them with. [green]";
    let annotations = ToolAnnotations::new().read_only(true).destructive(false).idempotent(true).open_world(false);
    Tool::new(SEARCH, description, object(schema)).with_annotations(annotations)
}

/// The list of tools, in an order that never changes.
pub(super) fn tools() -> Vec<Tool> {
    let mut tools = vec![search_tool()];
    tools.extend(Way::ALL.map(Way::tool));
    tools
}

impl Face {
    /// Whether any tool that this caller's ceiling lets it call is behind one of these.
    pub(super) fn leads_somewhere(&self, name: &str, actor: &Actor) -> bool {
        let Some(way) = Way::ALL.into_iter().find(|way| way.name() == name) else { return true };
        let mut within = self.gate.registry().described().filter(|tool| tool.spec.tier <= actor.ceiling);
        within.any(|tool| Way::to(&tool) == way)
    }

    /// Answers a call at `/mcp/compact`: a search, or a call of the tool that is named inside.
    pub(super) async fn call_compact(
        &self,
        actor: Actor,
        mut params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let args = params.arguments.take().unwrap_or_default();
        if params.name == SEARCH {
            return Ok(self.search(&actor, &args).into());
        }
        let Some(way) = Way::ALL.into_iter().find(|way| way.name() == params.name) else {
            params.arguments = Some(args);
            return self.call(actor, params, context).await;
        };
        let (name, inner) = match inner(args) {
            Ok(inner) => inner,
            Err(said) => return self.refused_here(&actor, &params.name, Refusal::invalid(said)).await,
        };
        let Some(described) = self.gate.registry().describe(&name) else {
            let said = match name == SEARCH || Way::ALL.iter().any(|way| way.name() == name) {
                true => format!("`{name}` is called by itself, not within another"),
                false => format!("there is no tool `{}`; find one with `{SEARCH}`", shorten(&visible(&name), 60)),
            };
            return self.refused_here(&actor, &name, Refusal::new(Code::UnknownTool, "compact", said)).await;
        };
        let right = Way::to(&described);
        if right != way {
            let said =
                format!("`{name}` is called with `{}`, not with `{}`. Nothing was done", right.name(), way.name());
            return self.refused_here(&actor, &name, Refusal::new(Code::InvalidArguments, "compact", said)).await;
        }
        params.name = name.into();
        params.arguments = Some(inner);
        self.call(actor, params, context).await
    }

    /// Tells the audit, and the model in a way that it reads.
    async fn refused_here(&self, actor: &Actor, tool: &str, refusal: Refusal) -> Result<CallToolResponse, ErrorData> {
        let request = self.asking(actor.clone(), tool.to_owned(), Value::Null, None).await;
        let told = match request {
            Ok(request) => self.gate.refuse(&request, refusal).await,
            Err(refusal) => Answer::Refused(refusal),
        };
        match told {
            Answer::Refused(refusal) => Ok(super::answer::refused(&refusal).into()),
            other => super::answer::result(other),
        }
    }

    /// The tools that fit a query best, within the caller's ceiling.
    fn search(&self, actor: &Actor, args: &Map<String, Value>) -> CallToolResult {
        let query = args.get("query").and_then(Value::as_str).filter(|_| args.len() == 1);
        let Some(query) = query.filter(|query| query.chars().count() <= LONGEST) else {
            let said = format!("`query` must be a text of {LONGEST} characters at most, and nothing else is taken");
            return super::answer::refused(&Refusal::invalid(said));
        };
        let registry = self.gate.registry();
        let within = |tool: &Arc<Described>| tool.spec.tier <= actor.ceiling;
        let found = if query.trim().is_empty() {
            json!({ "names": registry.described().filter(within).map(|tool| tool.spec.name).collect::<Vec<_>>() })
        } else {
            let matches = self.index.search(query, MOST * 4);
            let tools = matches.iter().filter_map(|(name, _)| registry.describe(name)).filter(within).take(MOST);
            let tools: Vec<_> = tools.map(|tool| told(&tool)).collect();
            match tools.is_empty() {
                true => json!({ "tools": [], "note": "nothing fits; try other words, or none for the names of all" }),
                false => json!({ "tools": tools }),
            }
        };
        let mut result = CallToolResult::success(vec![ContentBlock::text(found.to_string())]);
        result.is_error = Some(false);
        result.structured_content = Some(found);
        result
    }
}

/// What is said of a tool that was found.
fn told(tool: &Described) -> Value {
    json!({
        "name": tool.spec.name,
        "tier": tool.spec.tier,
        "description": tool.description,
        "call_with": Way::to(tool).name(),
        "arguments": tool.input,
    })
}

/// Name and arguments of the inner call.
fn inner(mut args: Map<String, Value>) -> Result<(String, JsonObject), &'static str> {
    let name = match args.remove("name") {
        Some(Value::String(name)) => name,
        _ => return Err("`name` must be the name of a tool"),
    };
    let inner = match args.remove("arguments") {
        None => JsonObject::new(),
        Some(Value::Object(inner)) => inner,
        Some(_) => return Err("`arguments` must be an object that holds what the tool takes, and not a text"),
    };
    match args.is_empty() {
        true => Ok((name, inner)),
        false => Err("only `name` and `arguments` are taken: what the tool itself takes belongs into `arguments`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inner_call_is_a_name_and_arguments_and_nothing_else() {
        let read = |args: Value| inner(object(args)).ok();
        assert_eq!(read(json!({ "name": "a" })), Some(("a".to_owned(), JsonObject::new())));
        for wrong in [
            json!({}),
            json!({ "name": 1 }),
            json!({ "name": "a", "arguments": [] }),
            json!({ "name": "a", "arguments": {}, "tier": "green" }),
        ] {
            assert_eq!(read(wrong.clone()), None, "{wrong}");
        }
    }
}
