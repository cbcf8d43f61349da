//! The OpenAPI document says what the router does.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use std::collections::BTreeSet;

use serde_json::Value;

fn document() -> Value {
    serde_json::to_value(jarvis_web::openapi()).unwrap()
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                match inner {
                    Value::String(text) if key == "$ref" => {
                        found.insert(text.clone());
                    }
                    inner => references(inner, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_to_something() {
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.contains("#/components/schemas/CallAnswer"));
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("references stay within the document");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

#[test]
fn every_route_is_described() {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let described: BTreeSet<String> = paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let promised = "GET /healthz\nGET /metrics\nGET /api/openapi.json\nGET /api/session\nPOST /api/session\n\
        DELETE /api/session\nPOST /api/setup\nGET /api/status\nGET /api/tools\nPOST /api/call\nPOST /api/preview\n\
        POST /api/plan\nGET /api/calls/{id}\nGET /api/calls/{id}/undo\nPOST /api/calls/{id}/undo\nPOST /api/calls/{id}/cancel\n\
        GET /api/doubts\nPOST /api/doubts/{id}/acknowledge\n\
        GET /api/approvals\nGET /api/approvals/{id}\nPOST /api/approvals/{id}/approve\nPOST /api/approvals/{id}/deny\n\
        GET /api/jobs\nPOST /api/jobs\nGET /api/jobs/{id}\nPOST /api/jobs/{id}/cancel\nGET /api/jobs/{id}/output\n\
        GET /api/jobs/{id}/stream\nGET /api/schedules\nPOST /api/schedules\nPUT /api/schedules/{id}\n\
        DELETE /api/schedules/{id}\nPOST /api/say\nGET /api/turns/{id}\nPOST /api/turns/{id}/stop\nPOST /api/turns/{id}/retry\n\
        GET /api/turns/{id}/undo\nPOST /api/turns/{id}/undo\n\
        GET /api/conversations\nGET /api/conversations/{id}\nPATCH /api/conversations/{id}\n\
        DELETE /api/conversations/{id}\nGET /api/conversations/{id}/replay\nGET /api/stream\nGET /api/history\nGET /api/events/{seq}\nGET /api/audit\n\
        POST /api/audit/verify\nGET /api/settings\nPUT /api/settings\nPOST /api/kill\nDELETE /api/kill\n\
        GET /api/sessions\nDELETE /api/sessions\nDELETE /api/sessions/{id}\nGET /api/second-factor\nPUT /api/second-factor\nPOST /api/second-factor/proposal\nPOST /api/second-factor/off\nGET /api/tokens\nPOST /api/tokens\nDELETE /api/tokens/{id}\n\
        GET /api/grants\nPOST /api/grants\nPOST /api/grants/trial\nDELETE /api/grants/{id}\n\
        GET /api/approvals/{id}/grant\nGET /api/secrets\nPUT /api/secrets/{name}\nDELETE /api/secrets/{name}\n\
        POST /api/secrets/import\nGET /api/mounts\nPUT /api/mounts/{name}\nDELETE /api/mounts/{name}\n\
        POST /api/mounts/{name}/retry\nPOST /api/mounts/{name}/reviews\nGET /api/doctor\n\
        GET /.well-known/oauth-protected-resource\nGET /.well-known/oauth-protected-resource/mcp\nGET /.well-known/oauth-protected-resource/mcp/compact";
    let promised: BTreeSet<String> = promised.lines().map(|line| line.trim().to_owned()).collect();
    assert_eq!(described, promised);
}

#[test]
fn operations_have_one_name_each_and_say_how_they_fail_and_who_may_ask() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let at = format!("{method} {path}");
            assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()), "{at}");
            assert!(operation["summary"].is_string(), "{at} has no summary");
            let refused = &operation["responses"]["default"]["content"]["application/problem+json"]["schema"];
            assert_eq!(refused["$ref"], "#/components/schemas/Problem", "{at}");
            let open = ["/healthz", "/api/openapi.json", "/api/setup"].contains(&path.as_str())
                || path.starts_with("/.well-known/")
                || (path == "/api/session" && method != "delete");
            assert_eq!(operation.get("security").is_none(), open, "{at}");
        }
    }
    for scheme in ["session", "bearer"] {
        assert!(document["components"]["securitySchemes"][scheme].is_object());
    }
}

#[test]
fn a_body_is_required_exactly_where_one_of_its_fields_is() {
    let document = document();
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            let Some(body) = operation.get("requestBody") else { continue };
            let schema = body["content"]["application/json"]["schema"]["$ref"].as_str().unwrap();
            let schema = document.pointer(schema.trim_start_matches('#')).unwrap();
            assert_eq!(body["required"] == true, schema.get("required").is_some(), "{}", operation["operationId"]);
        }
    }
}
