//! Values that fit a JSON schema: what is hostile is made from these by one change.
//!
//! A schema says of what type a field is and not what it is for, so the few words that mean something here (a path, a
//! cron line) are known by name. Nothing that is made reaches beyond this machine: addresses are its own, and of a port
//! where nobody listens.

use serde_json::{Map, Value, json};

use crate::chance::Chance;

/// Fields that are better left out: with a value of their own type they still would not fit.
const LEFT_OUT: [&str; 14] = [
    "key",
    "run_at",
    "conversation",
    "parent",
    "model",
    "target_id",
    "without",
    "actor",
    "when",
    "only",
    "rules",
    "bearer",
    "cloud_accepted",
    "plan",
];

/// Fields without which nothing would come of it, though their schema lets them be absent.
const NEEDED: [&str; 3] = ["args", "ceiling", "value"];

/// A value that fits. `field` is the name under which it stands.
pub(super) fn fit(schema: &Value, field: &str, mark: &str, chance: &mut Chance) -> Value {
    if let Some(known) = known(schema, field, mark) {
        return known;
    }
    if let Some(only) = schema.get("const") {
        return only.clone();
    }
    if let Some(one) = schema.get("enum").and_then(Value::as_array).and_then(|all| chance.pick(all)) {
        return one.clone();
    }
    for choice in ["oneOf", "anyOf"] {
        let all = schema.get(choice).and_then(Value::as_array);
        if let Some(one) = all.and_then(|all| all.iter().find(|one| one.get("type") != Some(&json!("null")))) {
            return fit(one, field, mark, chance);
        }
    }
    match kind(schema) {
        "object" => object(schema, mark, chance),
        "array" => match schema.get("items") {
            Some(items) => json!([fit(items, field, mark, chance)]),
            None => json!([]),
        },
        "integer" | "number" => {
            let low = schema.get("minimum").and_then(Value::as_i64).unwrap_or(0);
            json!(low.max(1))
        }
        "boolean" => json!(false),
        "null" => Value::Null,
        _ => json!(mark),
    }
}

fn object(schema: &Value, mark: &str, chance: &mut Chance) -> Value {
    let required = schema.get("required").and_then(Value::as_array);
    let must = |name: &str| required.is_some_and(|all| all.iter().any(|one| one == name));
    let mut fields = Map::new();
    for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if must(name) || NEEDED.contains(&name.as_str()) || (!LEFT_OUT.contains(&name.as_str()) && chance.percent(70)) {
            fields.insert(name.clone(), fit(inner, name, mark, chance));
        }
    }
    Value::Object(fields)
}

/// The type, or the first of several that is not null.
fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(one)) => one,
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).find(|one| *one != "null").unwrap_or("null"),
        _ if schema.get("properties").is_some() => "object",
        _ => "string",
    }
}

/// What a field means, where its schema does not say.
fn known(schema: &Value, field: &str, mark: &str) -> Option<Value> {
    let is = |wanted: &str| kind(schema) == wanted;
    let value = match field {
        "tool" => json!("file_write"),
        "args" | "arguments" => json!({ "path": format!("{mark}.txt"), "content": mark }),
        "path" | "target" if is("string") => json!(format!("{mark}.txt")),
        "cron" => json!("0 4 1 1 *"),
        "zone" => json!("UTC"),
        "ceiling" => json!("green"),
        "confirm" | "because_tier" => json!("yellow"),
        "role" => json!("client"),
        "targets" | "uses" | "roots" | "hosts" => json!([]),
        "level" if is("string") => json!("effects"),
        "autonomy" => json!({ "default": 2 }),
        "audit_reads" => json!("fsync"),
        "value" => json!(format!("a value 8Kd93 of {mark}")),
        "url" => json!(format!("http://127.0.0.1:9/{mark}")),
        "job" => json!(format!("job_{}", "0".repeat(26))),
        "version" => json!("0".repeat(32)),
        "approval_minutes" | "minutes" => json!(5),
        "mcp_hold_seconds" | "wait_seconds" | "millis" => json!(0),
        "replace" | "active" | "largest" => json!(false),
        _ => return None,
    };
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_there_is_there_and_of_its_type() {
        let schema = json!({ "type": "object", "required": ["name", "tool", "n"], "properties": {
            "name": { "type": "string" }, "tool": { "type": "string" }, "n": { "type": "integer", "minimum": 3 },
            "state": { "oneOf": [{ "type": "null" }, { "enum": ["a"] }] }, "when": { "type": "object" } } });
        let (mut chance, _) = Chance::new(Some(1)).unwrap();
        for _ in 0..20 {
            let value = fit(&schema, "", "zz1x", &mut chance);
            assert_eq!((&value["name"], &value["n"]), (&json!("zz1x"), &json!(3)), "{value}");
            assert!(value.get("when").is_none() && value["tool"] == "file_write", "{value}");
            assert!(value.get("state").is_none_or(|state| state == "a"), "{value}");
        }
    }
}
