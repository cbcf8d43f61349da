//! What the program offers, as it tells itself: the operations of its OpenAPI document, and its tools over MCP.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use serde_json::{Map, Value, json};

use super::schema;
use crate::chance::Chance;
use crate::wire::{Ask, Wire};

/// One operation of the document.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) name: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) queries: Vec<String>,
    /// Schema of its body, with everything that it refers to filled in.
    pub(super) body: Option<Value>,
    /// Whether nobody has to sign in for it.
    pub(super) open: bool,
}

/// A tool that can be called over MCP.
#[derive(Debug, Clone)]
pub(super) struct Tool {
    pub(super) name: String,
    pub(super) schema: Value,
}

/// Everything.
#[derive(Debug, Clone, Default)]
pub(super) struct Surface {
    pub(super) operations: Vec<Operation>,
    pub(super) tools: Vec<Tool>,
}

/// Operations that only the operator may use.
const RULING: [&str; 16] = [
    "list_tokens",
    "create_token",
    "revoke_token",
    "list_secrets",
    "keep_secret",
    "remove_secret",
    "import_secrets",
    "list_grants",
    "give_grant",
    "try_grant",
    "revoke_grant",
    "get_settings",
    "put_settings",
    "stop",
    "resume",
    "acknowledge",
];
/// Operations that would change how everything after them is answered, or pile up what is kept for long: with authority
/// they are only asked what cannot be taken.
const GRAVE: [&str; 9] = [
    "stop",
    "put_settings",
    "sign_in",
    "sign_out",
    "set_up",
    "revoke_token",
    "verify",
    "keep_secret",
    "import_secrets",
];

impl Operation {
    /// Whether it only looks.
    pub(super) fn is_safe(&self) -> bool {
        self.method == "GET"
    }

    pub(super) fn is_ruling(&self) -> bool {
        RULING.contains(&self.name.as_str())
    }

    pub(super) fn is_grave(&self) -> bool {
        GRAVE.contains(&self.name.as_str())
    }

    /// Its path with an id in it.
    pub(super) fn at(&self, id: &str) -> String {
        let Some((before, rest)) = self.path.split_once('{') else { return self.path.clone() };
        let after = rest.split_once('}').map_or("", |(_, after)| after);
        format!("{before}{id}{after}")
    }

    /// What stands before the id in its path, if it has one.
    pub(super) fn folder(&self) -> Option<&str> {
        self.path.split_once("/{").and_then(|(before, _)| before.rsplit('/').next())
    }

    /// A body that fits.
    pub(super) fn fit(&self, mark: &str, chance: &mut Chance) -> Option<Value> {
        let schema = self.body.as_ref()?;
        let mut value = schema::fit(schema, "", mark, chance);
        // The same word means another thing in a file of variables.
        if self.name == "import_secrets" {
            value["text"] = json!(format!("{}=a value 8Kd93 of {mark}", mark.to_uppercase()));
        }
        Some(value)
    }
}

impl Surface {
    /// Asks the program.
    pub(super) async fn read(wire: &mut Wire, token: &str) -> anyhow::Result<Self> {
        let document = wire.ask(Ask::get("/api/openapi.json", "")).await?.body;
        let operations = operations(&document)?;
        ensure!(operations.len() > 30, "the document names {} operations", operations.len());
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "_meta": meta() } });
        let listed = wire.ask(Ask::mcp(token, "tools/list", "", body)).await?.body;
        let tools = listed.pointer("/result/tools").and_then(Value::as_array).context("no tools are listed")?;
        let tools: Vec<_> = tools.iter().map(tool).collect();
        ensure!(tools.iter().any(|tool| tool.name == "file_write"), "files cannot be written");
        Ok(Self { operations, tools })
    }

    pub(super) fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.name == name)
    }
}

/// What every modern request carries.
pub(super) fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "proof", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

fn tool(listed: &Value) -> Tool {
    let schema = listed.get("inputSchema").cloned().unwrap_or_default();
    let known = schema.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default();
    let named = known.into_iter().map(|(name, schema)| (format!("#/$defs/{name}"), schema)).collect();
    Tool { name: text(listed, "name"), schema: filled(&schema, &named, 0) }
}

fn operations(document: &Value) -> anyhow::Result<Vec<Operation>> {
    let known = document.pointer("/components/schemas").and_then(Value::as_object).context("it names no schemas")?;
    let named = known.iter().map(|(name, it)| (format!("#/components/schemas/{name}"), it.clone())).collect();
    let paths = document.get("paths").and_then(Value::as_object).context("it names no paths")?;
    let mut operations = Vec::new();
    for (path, item) in paths {
        for (method, told) in item.as_object().into_iter().flatten() {
            let parameters = told.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
            let queries = parameters.iter().filter(|parameter| parameter["in"] == "query");
            let body = told.pointer("/requestBody/content/application~1json/schema");
            operations.push(Operation {
                name: text(told, "operationId"),
                method: method.to_uppercase(),
                path: path.clone(),
                queries: queries.map(|parameter| text(parameter, "name")).collect(),
                body: body.map(|schema| filled(schema, &named, 0)),
                open: told.get("security").is_none(),
            });
        }
    }
    Ok(operations)
}

/// A schema with what it refers to in the place of the reference.
fn filled(schema: &Value, named: &BTreeMap<String, Value>, depth: u8) -> Value {
    if let Some(found) = schema.get("$ref").and_then(Value::as_str).and_then(|name| named.get(name)) {
        return if depth > 8 { json!({}) } else { filled(found, named, depth + 1) };
    }
    match schema {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, _)| *name != "$defs");
            Value::Object(kept.map(|(name, it)| (name.clone(), filled(it, named, depth + 1))).collect::<Map<_, _>>())
        }
        Value::Array(all) => all.iter().map(|it| filled(it, named, depth + 1)).collect(),
        other => other.clone(),
    }
}

fn text(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}
