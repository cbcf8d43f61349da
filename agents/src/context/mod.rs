//! What a model is sent, within what it can read.
//!
//! A model at home often reads 4096 tokens at once, so everything has a share: the fixed prompt, a few tools found by
//! search, the turn itself, and as many whole earlier turns as still fit. What is left out is said to be left out.
//! Tokens are counted as bytes of the request divided by 3.5, which overestimates for every tokenizer in use: a server
//! that cuts silently is worse than a little unused room.

mod history;
mod schema;
mod selection;
mod speech;

pub(crate) use history::{History, Past, branch};
pub(crate) use selection::select;

use async_openai::types::chat::{
    ChatCompletionRequestMessage, ChatCompletionRequestSystemMessage, ChatCompletionRequestUserMessage,
    ChatCompletionStreamOptions, ChatCompletionTool, ChatCompletionTools, CreateChatCompletionRequest,
};
use jarvis_safety::conversation::Entry;
use jarvis_safety::kernel::Registry;
use jarvis_safety::setting::ModelSetting;

use crate::prompt::Prompts;

/// Sizes to which tool outputs are cut, in bytes, tried in this order until everything fits.
const OUTPUT_SIZES: [usize; 6] = [24_000, 8_000, 4_000, 1_600, 700, 250];

/// Everything that a request is made of.
pub(crate) struct Material<'a> {
    pub(crate) prompts: &'a Prompts,
    pub(crate) registry: &'a Registry,
    /// The person's words.
    pub(crate) asked: &'a str,
    /// The log of this turn.
    pub(crate) log: &'a [Entry],
    /// Earlier turns of the branch, oldest first.
    pub(crate) past: &'a [Past],
    /// Tools, the most fitting first.
    pub(crate) tools: &'a [String],
    /// Whether only a plan is wanted.
    pub(crate) plan: bool,
}

/// The person's words alone are more than the model can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is more than the model can read: about {needed} tokens of {context}; shorten the message, or set up a model \
     with a larger context"
)]
pub(crate) struct TooLong {
    needed: usize,
    context: usize,
}

/// Makes the request.
///
/// # Errors
/// If the person's words and the fixed prompt do not fit, however much else is left out.
pub(crate) fn build(
    material: &Material<'_>,
    setting: &ModelSetting,
    model: &str,
) -> Result<CreateChatCompletionRequest, TooLong> {
    let context = setting.context as usize;
    let answer = (context / 4).clamp(256, 4096);
    let room = bytes(context.saturating_sub(answer));
    let sheet = Sheet { material, model, answer, openai: setting.url.contains("openai.com") };
    let tools = described(material, bytes((context * 22 / 100).clamp(500, 8_000)));
    let few = &tools[..tools.len().min(3)];
    // Outputs are shortened first; only when they are as short as they get, tools are left out.
    let shortest = OUTPUT_SIZES[OUTPUT_SIZES.len() - 1];
    let tries = OUTPUT_SIZES.iter().map(|most| (*most, &tools[..])).chain([(shortest, few)]);
    let mut needed = 0;
    for (most, tools) in tries {
        let now = speech::turn(material, most.min(room / 2));
        let size = size(&sheet.assemble(&[], &now, tools, true));
        needed = tokens(size) + answer;
        if size <= room {
            let past = history::fitting(material.past, room - size);
            let trimmed = past.len() < material.past.len();
            let past: Vec<_> = past.iter().flat_map(Past::messages).collect();
            return Ok(sheet.assemble(&past, &now, tools, trimmed));
        }
    }
    Err(TooLong { needed, context })
}

/// Bytes that so many tokens take at least.
const fn bytes(tokens: usize) -> usize {
    tokens * 7 / 2
}

/// Tokens that so many bytes are at most.
pub(crate) const fn tokens(bytes: usize) -> usize {
    (bytes * 2).div_ceil(7)
}

/// Size of something as it goes over the wire.
fn size(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |bytes| bytes.len())
}

/// The tools that fit, the most fitting first.
fn described(material: &Material<'_>, room: usize) -> Vec<ChatCompletionTools> {
    let mut left = room;
    let mut tools = Vec::new();
    for name in material.tools {
        let Some(described) = material.registry.describe(name) else { continue };
        let tool = ChatCompletionTools::Function(ChatCompletionTool { function: schema::function(&described) });
        let size = size(&tool) + 1;
        if size <= left {
            left -= size;
            tools.push(tool);
        }
    }
    tools
}

/// What stays the same while parts are left out until the rest fits.
struct Sheet<'a> {
    material: &'a Material<'a>,
    model: &'a str,
    /// Tokens kept free for the answer.
    answer: usize,
    /// OpenAI's newer models know only the new name of the answer's limit, most other servers only the old one.
    openai: bool,
}

impl Sheet<'_> {
    fn assemble(
        &self,
        past: &[ChatCompletionRequestMessage],
        now: &[ChatCompletionRequestMessage],
        tools: &[ChatCompletionTools],
        trimmed: bool,
    ) -> CreateChatCompletionRequest {
        let Material { prompts, asked, plan, .. } = self.material;
        let system = if *plan { prompts.plan() } else { prompts.system(trimmed) };
        let mut messages = vec![ChatCompletionRequestSystemMessage::from(system).into()];
        messages.extend_from_slice(past);
        messages.push(ChatCompletionRequestUserMessage::from(*asked).into());
        messages.extend_from_slice(now);
        let answer = u32::try_from(self.answer).unwrap_or(u32::MAX);
        #[allow(deprecated, reason = "llama-server and Ollama read max_tokens")]
        CreateChatCompletionRequest {
            model: self.model.to_owned(),
            messages,
            tools: (!tools.is_empty()).then(|| tools.to_vec()),
            stream: Some(true),
            stream_options: Some(ChatCompletionStreamOptions { include_usage: Some(true), include_obfuscation: None }),
            max_tokens: (!self.openai).then_some(answer),
            max_completion_tokens: self.openai.then_some(answer),
            ..CreateChatCompletionRequest::default()
        }
    }
}
