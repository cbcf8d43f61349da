//! Schemas that strangers wrote: checked before they check anything.
//!
//! A schema is a program of its author. So it is bounded: references are written out until there are none, patterns run
//! in linear time, and what is larger, refers to itself or points elsewhere is refused with the tool that it belongs to.

use jarvis_safety::plain::{shorten, visible};
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Map, Value};

/// Largest schema as the server sends it, in bytes of JSON.
pub(super) const MOST_BYTES: usize = 64 * 1024;
/// Most values in a schema once its references are written out.
const MOST_VALUES: usize = 10_000;
/// Deepest nesting then.
const DEEPEST: usize = 64;
/// Largest compiled pattern, in bytes.
const PATTERN: usize = 1024 * 1024;
/// Most work of one check: bytes of what is checked, for each value of the schema.
const MOST_WORK: usize = 64 * 1024 * 1024;
/// Keywords that refer in ways that cannot be written out.
const MOVING: [&str; 2] = ["$dynamicRef", "$recursiveRef"];

/// A schema that is safe to check with.
pub(super) struct Schema {
    validator: Validator,
    values: usize,
}

impl Schema {
    /// Takes a server's schema.
    pub(super) fn new(schema: &Map<String, Value>) -> Result<Self, String> {
        let root = Value::Object(schema.clone());
        let size = jarvis_safety::json::size(&root);
        if size > MOST_BYTES {
            return Err(format!("its schema is {size} bytes; at most {MOST_BYTES} are taken"));
        }
        let mut writer = Writer { root: &root, left: MOST_VALUES };
        let written_out = writer.value(&root, 0)?;
        let values = MOST_VALUES - writer.left;
        let linear = PatternOptions::regex().size_limit(PATTERN).dfa_size_limit(PATTERN);
        let built = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(linear)
            .should_validate_formats(false)
            .offline()
            .build(&written_out);
        built
            .map(|validator| Self { validator, values })
            .map_err(|error| format!("its schema is not one: {}", said(&error.to_string())))
    }

    /// What is wrong with a value, in a sentence that names where.
    pub(super) fn fault(&self, value: &Value) -> Option<String> {
        let work = jarvis_safety::json::size(value).saturating_mul(self.values);
        if work > MOST_WORK {
            return Some("it is too much to be checked against so large a schema".to_owned());
        }
        let error = self.validator.iter_errors(value).next()?;
        let at = error.instance_path().to_string();
        let what = said(&error.to_string());
        Some(if at.is_empty() { what } else { format!("{what} (at {})", said(&at)) })
    }
}

fn said(text: &str) -> String {
    shorten(&visible(text), 300)
}

struct Writer<'a> {
    root: &'a Value,
    left: usize,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<Value, String> {
        self.left = self.left.checked_sub(1).ok_or("its schema is too large once its references are written out")?;
        if depth > DEEPEST {
            return Err("its schema refers to itself, or is nested too deeply".to_owned());
        }
        match value {
            Value::Object(map) => self.object(map, depth),
            Value::Array(items) => {
                items.iter().map(|item| self.value(item, depth + 1)).collect::<Result<_, _>>().map(Value::Array)
            }
            plain => Ok(plain.clone()),
        }
    }

    fn object(&mut self, map: &Map<String, Value>, depth: usize) -> Result<Value, String> {
        if MOVING.iter().any(|word| map.contains_key(*word)) {
            return Err("its schema has references that move, which are not taken".to_owned());
        }
        let mut written = Map::new();
        for (key, value) in map {
            let value = match (key.as_str(), value) {
                // Definitions are written out where they are used; anchors and bases name nothing any more.
                ("$ref" | "$defs" | "definitions" | "$id" | "$schema" | "$anchor", _) => continue,
                // Data, whatever it looks like.
                ("enum" | "const" | "default" | "examples", data) => data.clone(),
                // The keys are names of fields.
                ("properties" | "patternProperties" | "dependentSchemas", Value::Object(fields)) => {
                    let fields = fields.iter().map(|(name, field)| Ok((name.clone(), self.value(field, depth + 2)?)));
                    Value::Object(fields.collect::<Result<_, String>>()?)
                }
                (_, value) => self.value(value, depth + 1)?,
            };
            written.insert(key.clone(), value);
        }
        let Some(reference) = map.get("$ref").and_then(Value::as_str) else { return Ok(Value::Object(written)) };
        let found = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
        let found = found.ok_or_else(|| format!("its schema refers to `{}`, which is not in it", said(reference)))?;
        let found = self.value(&found.clone(), depth + 1)?;
        if written.is_empty() {
            return Ok(found);
        }
        let all = written.entry("allOf").or_insert_with(|| Value::Array(Vec::new()));
        if let Some(all) = all.as_array_mut() {
            all.push(found);
        }
        Ok(Value::Object(written))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(value: Value) -> Result<Schema, String> {
        let Value::Object(map) = value else { panic!("a schema is an object") };
        Schema::new(&map)
    }

    #[test]
    fn references_within_are_written_out() {
        let one = schema(json!({
            "type": "object",
            "properties": { "mode": { "$ref": "#/$defs/Mode", "description": "how" }, "all": { "$ref": "#/$defs/Mode" } },
            "required": ["mode"],
            "additionalProperties": false,
            "$defs": { "Mode": { "type": "string", "enum": ["fast", "slow"] } },
        }))
        .unwrap();
        assert_eq!(one.fault(&json!({ "mode": "fast" })), None);
        for (bad, part) in [
            (json!({ "mode": "other" }), "/mode"),
            (json!({ "mode": "fast", "all": 1 }), "/all"),
            (json!({}), "mode"),
            (json!({ "mode": "fast", "more": 1 }), "more"),
        ] {
            assert!(one.fault(&bad).unwrap().contains(part), "{bad}");
        }
    }

    #[test]
    fn a_field_may_be_called_like_a_keyword() {
        let one =
            schema(json!({ "properties": { "$ref": { "type": "integer" }, "enum": { "type": "string" } } })).unwrap();
        assert!(
            one.fault(&json!({ "$ref": "x" })).is_some() && one.fault(&json!({ "$ref": 1, "enum": "x" })).is_none()
        );
        let one = schema(json!({ "properties": { "a": { "enum": [{ "$ref": "#/none" }] } } })).unwrap();
        assert!(one.fault(&json!({ "a": { "$ref": "#/none" } })).is_none());
    }

    #[test]
    fn a_schema_that_does_harm_is_refused() {
        let mut doubling = json!({ "type": "string" });
        let mut definitions = Map::new();
        for level in 0..16 {
            let next = format!("#/$defs/d{}", level + 1);
            definitions.insert(format!("d{level}"), json!({ "anyOf": [{ "$ref": next }, { "$ref": next }] }));
        }
        definitions.insert("d16".to_owned(), doubling.take());
        for (bad, part) in [
            (json!({ "$ref": "#" }), "refers to itself"),
            (json!({ "allOf": [{ "$ref": "#" }] }), "refers to itself"),
            (
                json!({ "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "$ref": "#/$defs/a" } }, "$ref": "#/$defs/a" }),
                "itself",
            ),
            (json!({ "$defs": definitions, "$ref": "#/$defs/d0" }), "too large"),
            (json!({ "$ref": "https://x.test/schema" }), "not in it"),
            (json!({ "$ref": "file:///etc/passwd" }), "not in it"),
            (json!({ "$dynamicRef": "#a" }), "move"),
            (json!({ "type": "nothing" }), "is not one"),
            (json!({ "properties": { "a": { "pattern": "(((((a{1000}){1000}){1000}" } } }), "is not one"),
            (json!({ "properties": { "a": { "pattern": "((a{1000}){1000}){1000}" } } }), "is not one"),
            (json!({ "description": "x".repeat(MOST_BYTES) }), "at most"),
        ] {
            let shown = shorten(&bad.to_string(), 80);
            let said = schema(bad).err().unwrap_or_default();
            assert!(said.contains(part), "{shown}: {said}");
        }
    }

    #[test]
    fn a_check_has_an_end() {
        let many: Vec<_> = (0..1_500).map(|number| json!({ "not": { "const": number } })).collect();
        let one = schema(json!({ "type": "object", "properties": { "a": { "items": { "allOf": many } } } })).unwrap();
        assert!(one.fault(&json!({ "a": vec![2_000_000; 1_000_000] })).unwrap().contains("too much"));
        assert_eq!(one.fault(&json!({ "a": [2_000_000] })), None);
    }

    #[test]
    fn a_pattern_takes_no_longer_than_its_text() {
        let one = schema(json!({ "properties": { "a": { "type": "string", "pattern": "^(a+)+$" } } })).unwrap();
        let long = format!("{}b", "a".repeat(100_000));
        assert!(one.fault(&json!({ "a": long })).is_some());
    }
}
