//! Completions: the names that an argument of a prompt or an address can take, from the very tools that list them.

use jarvis_safety::Actor;
use jarvis_safety::call::CallState;
use jarvis_safety::outcome::Answer;
use jarvis_safety::tool::Listing;
use rmcp::model::{CompleteRequestParams, CompleteResult, CompletionInfo, ErrorData, Reference};
use serde_json::{Value, json};

use super::Face;

/// Longest beginning that is completed.
const LONGEST: usize = 200;

/// Where the names of a kind of thing stand.
struct Source {
    tool: &'static str,
    items: &'static str,
    name: &'static str,
}

impl Face {
    /// The names that begin like, or hold, what was typed so far; those that begin so first.
    pub(super) async fn completed(
        &self,
        actor: &Actor,
        params: &CompleteRequestParams,
    ) -> Result<CompleteResult, ErrorData> {
        let entity = self.entity(&params.r#ref, &params.argument.name)?;
        let typed = params.argument.value.as_str();
        let names = match self.source(&entity).filter(|_| typed.len() <= LONGEST) {
            Some(source) => self.names(actor, &source, folder(&entity, typed)).await?,
            None => Vec::new(),
        };
        let (total, mut fitting) = (names.len(), fitting(names, typed));
        let more = fitting.len() > CompletionInfo::MAX_VALUES;
        let count = u32::try_from(fitting.len().min(total)).ok();
        fitting.truncate(CompletionInfo::MAX_VALUES);
        let completion = CompletionInfo::with_pagination(fitting, count, more);
        completion.map(CompleteResult::new).map_err(|error| ErrorData::internal_error(error, None))
    }

    /// The kind of thing that an argument names; empty for free text.
    fn entity(&self, reference: &Reference, argument: &str) -> Result<String, ErrorData> {
        let unknown = || ErrorData::invalid_params("there is no such argument to complete", None);
        match reference {
            Reference::Prompt(prompt) => {
                let spec = self.prompt(&prompt.name)?;
                let found = spec.arguments.iter().find(|own| own.name == argument);
                found.map(|own| own.entity.to_owned()).ok_or_else(unknown)
            }
            Reference::Resource(template) => {
                let place = self.places.iter().find(|place| place.uri == template.uri);
                let (tool, argument) = place.and_then(|place| place.argument_of(argument)).ok_or_else(unknown)?;
                if argument == "job" {
                    return Ok("job".to_owned());
                }
                let described = self.gate.registry().describe(tool).ok_or_else(unknown)?;
                let field = described.input.get("properties").and_then(|fields| fields.get(argument));
                Ok(field.and_then(|field| field.get("x-entity")?.as_str()).unwrap_or_default().to_owned())
            }
            _ => Err(unknown()),
        }
    }

    /// The tool that lists things of a kind.
    fn source(&self, entity: &str) -> Option<Source> {
        if entity == "job" {
            return Some(Source { tool: "job_list", items: "jobs", name: "job" });
        }
        let lists = |listing: &Listing| listing.entity == entity;
        let tool = self.gate.registry().described().find(|tool| tool.spec.lists.as_ref().is_some_and(lists))?;
        let listing = tool.spec.lists?;
        Some(Source { tool: tool.spec.name, items: listing.items, name: listing.name })
    }

    /// The names that a caller may see. What cannot be listed is completed to nothing.
    async fn names(&self, actor: &Actor, source: &Source, args: Value) -> Result<Vec<String>, ErrorData> {
        let answer = self.looked_up(actor, source.tool, args).await?;
        let output = match answer {
            Answer::Ran(outcome) if outcome.state == CallState::Done => outcome.output,
            _ => return Ok(Vec::new()),
        };
        let items = output.get(source.items).and_then(Value::as_array);
        let name = |item: &Value| Some(item.get(source.name)?.as_str()?.to_owned());
        Ok(items.into_iter().flatten().filter_map(name).collect())
    }
}

/// What the listing tool is asked for: of paths, the folder that was typed.
fn folder(entity: &str, typed: &str) -> Value {
    match typed.rsplit_once('/').filter(|_| entity == "path") {
        Some((folder, _)) => json!({ "path": if folder.is_empty() { "/" } else { folder } }),
        None => json!({}),
    }
}

/// Those that fit, the ones that begin so first, each in the order of its listing.
fn fitting(names: Vec<String>, typed: &str) -> Vec<String> {
    let typed = typed.to_lowercase();
    let (mut begin, rest): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|name| name.to_lowercase().starts_with(&typed));
    begin.extend(rest.into_iter().filter(|name| name.to_lowercase().contains(&typed)));
    begin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_begin_so_come_before_those_that_hold_it() {
        let names = ["my-web", "Web", "db"].map(str::to_owned).to_vec();
        assert_eq!(fitting(names.clone(), "we"), ["Web", "my-web"]);
        assert_eq!(fitting(names, ""), ["my-web", "Web", "db"]);
    }

    #[test]
    fn a_path_is_completed_in_the_folder_that_was_typed() {
        assert_eq!(folder("path", "notes/a"), json!({ "path": "notes" }));
        assert_eq!(folder("path", "/etc"), json!({ "path": "/" }));
        assert_eq!(folder("path", "a"), json!({}));
        assert_eq!(folder("container", "a/b"), json!({}));
    }
}
