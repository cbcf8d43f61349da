//! Resources: what can be looked at, under an address.
//!
//! Reading one is calling a tool that only reads, through the gate and in the caller's name: its ceiling, its targets, the
//! audit, and the label of who wrote the text are those of that call, because it is one.

use jarvis_safety::call::{CallState, Request};
use jarvis_safety::outcome::{Answer, Outcome};
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::refusal::Code;
use jarvis_safety::tool::ToolErrorKind;
use jarvis_safety::{Actor, JobId};
use percent_encoding::percent_decode_str;
use rmcp::model::{
    ErrorData, ListResourceTemplatesResult, ListResourcesResult, MetaObject, ReadResourceResult, Resource,
    ResourceContents, ResourceTemplate,
};
use serde_json::{Map, Value, json};

use super::Face;

/// Longest address.
const LONGEST: usize = 2_000;

/// What can be read under an address.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The address, with at most one `{slot}` for a segment, or `{+slot}` for all that is left.
    pub(super) uri: &'static str,
    name: &'static str,
    description: &'static str,
    mime: &'static str,
    /// The tool that reads it.
    tool: &'static str,
    /// The argument that the slot fills; of an address without one, a value that it always has.
    argument: Option<(&'static str, &'static str)>,
    /// Fields of the output that are the content; none where the whole output is.
    content: Content,
}

#[derive(Clone, Copy)]
enum Content {
    /// The output as JSON.
    Whole,
    /// Its `text`, or its `blob`.
    Text,
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain";

const fn place(uri: &'static str, name: &'static str, description: &'static str, tool: &'static str) -> Place {
    Place { uri, name, description, mime: JSON, tool, argument: None, content: Content::Whole }
}

const fn slot(place: Place, slot: &'static str, argument: &'static str) -> Place {
    Place { argument: Some((slot, argument)), ..place }
}

/// The places that every Jarvis has, where its tools are there.
const PLACES: [Place; 12] = [
    place("jarvis://system", "system", "How this machine is.", "system_info"),
    place("jarvis://disks", "disks", "How full the disks are.", "system_disks"),
    place("jarvis://containers", "containers", "The containers, and how they are.", "docker_list"),
    slot(
        place(
            "jarvis://containers/{container}",
            "container",
            "How one container is set up and is doing.",
            "docker_inspect",
        ),
        "container",
        "container",
    ),
    slot(
        place(
            "jarvis://containers/{container}/log",
            "container log",
            "The last lines that a container wrote.",
            "docker_logs",
        ),
        "container",
        "container",
    ),
    place("jarvis://services", "services", "The services of this machine.", "service_list"),
    slot(
        place("jarvis://services/{service}", "service", "How one service is.", "service_status"),
        "service",
        "service",
    ),
    slot(
        place("jarvis://services/{service}/log", "service log", "The newest lines of a service's log.", "log_read"),
        "service",
        "service",
    ),
    place("jarvis://jobs", "jobs", "The newest jobs, and those that are open.", "job_list"),
    slot(place("jarvis://jobs/{job}", "job", "How one job is, and what came of it.", "job_status"), "job", "job"),
    place("jarvis://files", "files", "Jarvis's own files.", "file_list"),
    Place {
        mime: TEXT,
        content: Content::Text,
        ..slot(
            place("jarvis://files/{+path}", "file", "A text file of Jarvis's own, the first 2,000 lines.", "file_read"),
            "path",
            "path",
        )
    },
];

/// The places of the conformance suite.
const FIXTURES: [Place; 4] = [
    fixture("test://static-text", "static-text", TEXT, Some(("", "static-text"))),
    fixture("test://static-binary", "static-binary", "image/png", Some(("", "static-binary"))),
    fixture("test://watched-resource", "watched-resource", TEXT, Some(("", "watched-resource"))),
    fixture("test://template/{id}/data", "template", JSON, Some(("id", "name"))),
];

const fn fixture(
    uri: &'static str,
    name: &'static str,
    mime: &'static str,
    argument: Option<(&'static str, &'static str)>,
) -> Place {
    Place {
        uri,
        name,
        description: "For the conformance suite.",
        mime,
        tool: "test_resource",
        argument,
        content: Content::Text,
    }
}

/// All places of a server.
pub(super) fn all(fixtures: bool) -> Vec<Place> {
    PLACES.into_iter().chain(FIXTURES.into_iter().filter(|_| fixtures)).collect()
}

impl Place {
    fn is_template(&self) -> bool {
        self.uri.contains('{')
    }

    /// What stands in the slot, if the address is of this place.
    fn filled(&self, uri: &str) -> Option<String> {
        let Some((before, rest)) = self.uri.split_once('{') else {
            return (self.uri == uri).then(String::new);
        };
        let (slot, after) = rest.split_once('}')?;
        let filled = uri.strip_prefix(before)?.strip_suffix(after)?;
        let fits = !filled.is_empty() && (slot.starts_with('+') || !filled.contains('/'));
        percent_decode_str(filled).decode_utf8().ok().filter(|_| fits).map(String::from)
    }

    fn args(&self, filled: String) -> Value {
        let mut args = Map::new();
        match self.argument {
            // A value that never changes is the only argument of its tool.
            Some(("", value)) => drop(args.insert("name".to_owned(), value.into())),
            Some((_, argument)) => drop(args.insert(argument.to_owned(), filled.into())),
            None => {}
        }
        if self.tool == "file_read" {
            args.insert("lines".to_owned(), 2_000.into());
        }
        Value::Object(args)
    }

    /// The argument of the tool that a slot of the address fills.
    pub(super) fn argument_of(&self, slot: &str) -> Option<(&'static str, &'static str)> {
        self.argument.filter(|(own, _)| !own.is_empty() && *own == slot).map(|(_, argument)| (self.tool, argument))
    }
}

/// The job that an address is of.
pub(super) fn job_of(uri: &str) -> Option<JobId> {
    uri.strip_prefix("jarvis://jobs/")?.parse().ok()
}

impl Face {
    /// The places that this caller's ceiling lets it read.
    fn places_of(&self, actor: &Actor) -> impl Iterator<Item = &Place> {
        let ceiling = actor.ceiling;
        let registry = self.gate.registry();
        self.places
            .iter()
            .filter(move |place| registry.describe(place.tool).is_some_and(|described| described.spec.tier <= ceiling))
    }

    pub(super) fn resources_listed(&self, actor: &Actor) -> ListResourcesResult {
        let listed = |place: &Place| {
            Resource::new(place.uri, place.name).with_description(place.description).with_mime_type(place.mime)
        };
        let plain = self.places_of(actor).filter(|place| !place.is_template());
        ListResourcesResult::with_all_items(plain.map(listed).collect())
    }

    pub(super) fn templates_listed(&self, actor: &Actor) -> ListResourceTemplatesResult {
        let listed = |place: &Place| {
            ResourceTemplate::new(place.uri, place.name).with_description(place.description).with_mime_type(place.mime)
        };
        let templates = self.places_of(actor).filter(|place| place.is_template());
        ListResourceTemplatesResult::with_all_items(templates.map(listed).collect())
    }

    /// Reads what stands under an address.
    pub(super) async fn read(&self, actor: &Actor, uri: &str) -> Result<ReadResourceResult, ErrorData> {
        let found = Some(uri).filter(|uri| uri.len() <= LONGEST);
        let found = found.and_then(|uri| self.places.iter().find_map(|place| Some((place, place.filled(uri)?))));
        let (place, filled) = found.ok_or_else(|| not_found(uri, "there is no such resource"))?;
        let answer = self.looked_up(actor, place.tool, place.args(filled)).await?;
        let outcome = match answer {
            Answer::Ran(outcome) => outcome,
            Answer::Refused(refusal) => {
                return Err(match refusal.code {
                    Code::UnknownTarget | Code::NotFound | Code::OutsideTargets | Code::UnknownTool => {
                        not_found(uri, &refusal.message)
                    }
                    Code::InvalidArguments => ErrorData::invalid_params(refusal.message, Some(json!({ "uri": uri }))),
                    code => unread(uri, code.as_str(), &refusal.message),
                });
            }
            Answer::Waiting(card) => {
                let said = format!("a rule wants a person to approve this ({}); then read it again", card.id);
                return Err(unread(uri, "approval_required", &said));
            }
        };
        match place.contents(uri, &outcome) {
            Some(contents) => Ok(ReadResourceResult::new(vec![contents])),
            None => Err(match outcome.error.as_ref().map(|error| error.kind) {
                Some(ToolErrorKind::NotFound) => not_found(uri, &outcome.words),
                Some(kind) => unread(uri, kind.as_str(), &outcome.words),
                None => unread(uri, "not_text", "it is not text, so it cannot be read like this"),
            }),
        }
    }

    /// Calls a tool that only reads, and remembers what its answer makes of the client's model.
    pub(super) async fn looked_up(&self, actor: &Actor, tool: &str, args: Value) -> Result<Answer, ErrorData> {
        let request: Result<Request, _> = self.asking(actor.clone(), tool.to_owned(), args, None).await;
        let answer = match request {
            Ok(request) => self.gate.call(request).await,
            Err(refusal) => Answer::Refused(refusal),
        };
        self.remember(actor, &answer).await?;
        Ok(answer)
    }
}

impl Place {
    fn contents(&self, uri: &str, outcome: &Outcome) -> Option<ResourceContents> {
        if outcome.state != CallState::Done {
            return None;
        }
        let part = |name: &str| outcome.output.get(name).and_then(Value::as_str);
        let contents = match self.content {
            Content::Whole => ResourceContents::text(outcome.output.to_string(), uri),
            Content::Text => match part("blob") {
                Some(blob) => ResourceContents::blob(blob, uri),
                None if part("binary").is_some() => return None,
                None => ResourceContents::text(part("text")?, uri),
            },
        };
        let meta = json!({
            "jarvis/call": outcome.call,
            "jarvis/untrusted": outcome.untrusted,
            "jarvis/next_line": outcome.output.get("next_line"),
        });
        let meta = meta.as_object().cloned().unwrap_or_default();
        let meta = meta.into_iter().filter(|(_, value)| !value.is_null()).collect();
        Some(contents.with_mime_type(self.mime).with_meta(MetaObject(meta)))
    }
}

fn not_found(uri: &str, said: &str) -> ErrorData {
    ErrorData::resource_not_found(said.to_owned(), Some(json!({ "uri": shorten(&visible(uri), 300) })))
}

fn unread(uri: &str, code: &str, said: &str) -> ErrorData {
    ErrorData::internal_error(said.to_owned(), Some(json!({ "uri": uri, "code": code })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(uri: &str) -> Option<(&'static str, Value)> {
        all(false).into_iter().find_map(|place| Some((place.tool, place.args(place.filled(uri)?))))
    }

    #[test]
    fn an_address_is_one_call_and_nothing_else_is_one() {
        assert_eq!(found("jarvis://system"), Some(("system_info", json!({}))));
        assert_eq!(found("jarvis://containers/web"), Some(("docker_inspect", json!({ "container": "web" }))));
        assert_eq!(found("jarvis://containers/web/log"), Some(("docker_logs", json!({ "container": "web" }))));
        let file = json!({ "path": "notes/a b.txt", "lines": 2000 });
        assert_eq!(found("jarvis://files/notes/a%20b.txt"), Some(("file_read", file)));
        for uri in
            ["", "jarvis://", "jarvis://systems", "jarvis://containers/", "jarvis://services/a/b", "test://static-text"]
        {
            assert_eq!(found(uri), None, "{uri}");
        }
    }

    #[test]
    fn what_is_not_a_text_in_an_address_is_no_name() {
        assert_eq!(found("jarvis://services/%ff"), None);
    }

    #[test]
    fn each_place_is_read_by_a_tool_with_one_argument_for_its_slot() {
        for place in all(true) {
            let slots = place.uri.matches('{').count();
            assert!(slots <= 1, "{}", place.uri);
            let named = place.argument.filter(|(slot, _)| !slot.is_empty()).map(|(slot, _)| slot);
            let written = place.uri.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(slot, _)| slot);
            assert_eq!(written.map(|slot| slot.trim_start_matches('+')), named, "{}", place.uri);
        }
    }
}
