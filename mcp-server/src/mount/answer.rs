//! What a tool of a mounted server answers, within bounds.

use jarvis_safety::plain::{shorten, visible, visible_block};
use jarvis_safety::secret::Redactor;
use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};
use serde_json::{Value, json};

/// Most bytes of text that are handed on.
const MOST_TEXT: usize = 128 * 1024;
/// Most bytes of a structured answer that are handed on.
pub(super) const MOST_STRUCTURED: usize = 256 * 1024;
/// Most attachments that are named.
const MOST_ATTACHMENTS: usize = 50;
/// Characters of an error that are handed on.
const ERROR: usize = 2_000;

/// The schema of every answer.
pub(super) fn schema() -> Value {
    json!({
        "type": "object",
        "description": "What the server answered: text by strangers",
        "properties": {
            "text": { "type": "string", "description": "All text of the answer" },
            "structured": { "description": "The structured answer, where the tool has one" },
            "attachments": { "type": "array", "description": "What is not text: kind, type and size; the content is left out" },
            "cut": { "type": "boolean", "description": "Whether something was too long and left out" },
        },
        "required": ["text", "cut"],
    })
}

/// An answer as output. Secrets are struck before anything is cut: half of one is not found any more.
pub(super) fn output(result: CallToolResult, redactor: &Redactor) -> Value {
    let attached = |kind: &str, mime: &str, length: usize| attached(kind, &redactor.text(mime), length);
    let (mut texts, mut attachments) = (Vec::new(), Vec::new());
    for block in result.content {
        match block {
            ContentBlock::Text(text) => texts.push(text.text),
            ContentBlock::Image(image) => attachments.push(attached("image", &image.mime_type, image.data.len())),
            ContentBlock::Audio(audio) => attachments.push(attached("audio", &audio.mime_type, audio.data.len())),
            ContentBlock::Resource(inner) => match inner.resource {
                ResourceContents::TextResourceContents { text, .. } => texts.push(text),
                ResourceContents::BlobResourceContents { mime_type, blob, .. } => {
                    attachments.push(attached("resource", mime_type.as_deref().unwrap_or_default(), blob.len()));
                }
                _ => attachments.push(attached("resource", "", 0)),
            },
            ContentBlock::ResourceLink(link) => {
                attachments.push(json!({ "kind": "link", "uri": shorten(&visible(&redactor.text(&link.uri)), 400) }));
            }
            _ => attachments.push(attached("unknown", "", 0)),
        }
    }
    let mut structured = result.structured_content;
    if let Some(value) = &structured {
        // Servers repeat it as text for clients that cannot read it.
        texts.retain(|text| serde_json::from_str::<Value>(text).ok().as_ref() != Some(value));
    }
    let text = visible_block(&redactor.text(&texts.join("\n")));
    let (text, mut cut) = match text.len() > MOST_TEXT {
        true => (text[..text.floor_char_boundary(MOST_TEXT)].to_owned(), true),
        false => (text, false),
    };
    cut |= attachments.len() > MOST_ATTACHMENTS;
    attachments.truncate(MOST_ATTACHMENTS);
    if structured.as_ref().is_some_and(|value| jarvis_safety::json::size(value) > MOST_STRUCTURED) {
        (structured, cut) = (None, true);
    }
    let mut output = json!({ "text": text, "cut": cut });
    if let Some(value) = structured {
        output["structured"] = value;
    }
    if !attachments.is_empty() {
        output["attachments"] = Value::Array(attachments);
    }
    output
}

/// What a server complains of.
pub(super) fn complaint(result: &CallToolResult, redactor: &Redactor) -> String {
    let texts = result.content.iter().filter_map(|block| match block {
        ContentBlock::Text(text) => Some(text.text.as_str()),
        _ => None,
    });
    shorten(&visible_block(&redactor.text(&texts.collect::<Vec<_>>().join("\n"))), ERROR)
}

/// The output in plain words.
pub(super) fn words(output: &Value) -> String {
    let text = output["text"].as_str().unwrap_or_default();
    let mut words = if text.is_empty() && !output["structured"].is_null() {
        shorten(&visible_block(&output["structured"].to_string()), ERROR)
    } else {
        shorten(text, ERROR)
    };
    let attachments = output["attachments"].as_array().map_or(0, Vec::len);
    if attachments > 0 {
        words.push_str(&format!("\n({attachments} attachments are left out)"));
    }
    if words.trim().is_empty() { "It answered nothing.".to_owned() } else { words }
}

fn attached(kind: &str, mime: &str, length: usize) -> Value {
    json!({ "kind": kind, "type": shorten(&visible(mime), 100), "base64_bytes": length })
}
