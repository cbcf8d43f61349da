//! A tool, described to a model in as few tokens as keep it usable.
//!
//! The schema that the registry holds is exact and made for validators. A model needs names, types, choices, bounds and
//! one line about each field; the gate checks the rest and says what is wrong.

use async_openai::types::chat::FunctionObject;
use jarvis_safety::kernel::Described;
use jarvis_safety::plain::shorten;
use serde_json::{Map, Value, json};

/// Longest description of a tool, in characters.
const TOOL_WORDS: usize = 200;
/// Longest description of a field, in characters.
const FIELD_WORDS: usize = 90;
/// How deep references are followed.
const DEPTH: usize = 6;

/// The compact form.
pub(super) fn function(described: &Described) -> FunctionObject {
    let definitions = described.input.get("$defs").cloned().unwrap_or(Value::Null);
    let mut schema = compact(&described.input, &definitions, DEPTH);
    if let Some(map) = schema.as_object_mut() {
        map.remove("description");
        map.entry("properties").or_insert_with(|| json!({}));
        map.insert("type".to_owned(), json!("object"));
    }
    FunctionObject {
        name: described.spec.name.to_owned(),
        description: Some(shorten(&described.description, TOOL_WORDS)),
        parameters: Some(schema),
        strict: None,
    }
}

fn compact(schema: &Value, definitions: &Value, depth: usize) -> Value {
    let Some(map) = schema.as_object() else { return schema.clone() };
    if depth == 0 {
        return json!({});
    }
    let mut merged = resolved(map, definitions);
    flatten_choice(&mut merged, definitions);
    let told = merged.get("description").and_then(Value::as_str).unwrap_or_default();
    let mut kept = Map::new();
    for (key, value) in merged.iter().filter(|(key, value)| !goes_without_saying(key, value, told)) {
        let value = match key.as_str() {
            "type" => one_type(value),
            "description" => {
                json!(shorten(first_sentence(value.as_str().unwrap_or_default()), FIELD_WORDS))
            }
            "properties" => Value::Object(
                value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, field)| (name.clone(), compact(field, definitions, depth - 1)))
                    .collect(),
            ),
            "items" => compact(value, definitions, depth - 1),
            "required" | "enum" | "const" | "default" | "minimum" | "maximum" | "maxItems" => value.clone(),
            // Titles, formats, `x-…`, `additionalProperties` and the like are for validators.
            _ => continue,
        };
        kept.insert(key.clone(), value);
    }
    Value::Object(kept)
}

/// Whether a model misses nothing if it is not told: what is empty, a bound that nobody reaches or that the description
/// names, that a switch is off.
fn goes_without_saying(key: &str, value: &Value, told: &str) -> bool {
    match key {
        "default" => value.is_null() || *value == false || value.as_array().is_some_and(Vec::is_empty),
        "maxItems" => value.as_u64().is_some_and(|most| most >= 100),
        "required" => value.as_array().is_some_and(Vec::is_empty),
        "minimum" => value.as_u64().is_some_and(|least| least <= 1),
        "maximum" => value.as_u64().is_some_and(|most| most >= 10_000 || told.contains(&most.to_string())),
        _ => false,
    }
}

/// The schema with what it refers to put in its place.
fn resolved(map: &Map<String, Value>, definitions: &Value) -> Map<String, Value> {
    let name = map.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/$defs/"));
    let Some(found) = name.and_then(|name| definitions.get(name)).and_then(Value::as_object) else {
        return map.clone();
    };
    let mut merged = found.clone();
    merged.extend(map.iter().filter(|(key, _)| *key != "$ref").map(|(key, value)| (key.clone(), value.clone())));
    merged
}

/// Turns `one of these constants` into an `enum` and `this or null` into this.
fn flatten_choice(map: &mut Map<String, Value>, definitions: &Value) {
    for key in ["oneOf", "anyOf"] {
        let Some(Value::Array(choices)) = map.remove(key) else { continue };
        let constants: Vec<_> = choices.iter().filter_map(|choice| choice.get("const").cloned()).collect();
        if constants.len() == choices.len() {
            map.insert("enum".to_owned(), Value::Array(constants));
            continue;
        }
        let real = choices.iter().filter(|choice| choice.get("type") != Some(&json!("null")));
        if let Some(first) = real.filter_map(Value::as_object).next() {
            let mut inner = resolved(first, definitions);
            flatten_choice(&mut inner, definitions);
            for (key, value) in inner {
                map.entry(key).or_insert(value);
            }
        }
    }
}

/// The type that is not null.
fn one_type(value: &Value) -> Value {
    let mut several = value.as_array().into_iter().flatten();
    several.find(|kind| **kind != json!("null")).unwrap_or(value).clone()
}

fn first_sentence(text: &str) -> &str {
    text.find(". ").map_or(text, |end| &text[..=end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_loses_its_noise_and_keeps_what_matters() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": false,
            "required": ["name"],
            "$defs": { "Level": { "oneOf": [
                { "const": "info", "description": "all" }, { "const": "error", "description": "bad" } ] } },
            "properties": {
                "name": { "type": "string", "description": "Name. More about it.", "x-entity": "container" },
                "since": { "type": ["string", "null"], "default": null },
                "lines": { "anyOf": [ { "type": "integer", "minimum": 1, "maximum": 9, "format": "int64" },
                    { "type": "null" } ] },
                "level": { "anyOf": [ { "$ref": "#/$defs/Level" }, { "type": "null" } ], "description": "Level" },
            },
        });
        let expected = json!({
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": { "type": "string", "description": "Name." },
                "since": { "type": "string" },
                "lines": { "type": "integer", "maximum": 9 },
                "level": { "enum": ["info", "error"], "description": "Level" },
            },
        });
        assert_eq!(compact(&schema, &schema["$defs"], DEPTH), expected);
    }
}
