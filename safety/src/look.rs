//! Looking at the world before a decision, and showing what was asked without its secrets.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::Value;

use crate::plain::shorten;
use crate::refusal::{Code, RESOLVE, Refusal};
use crate::secret::Redactor;
use crate::tool::{Preview, ToolError, ToolErrorKind};

/// Longest time that a look at the world may take before a decision.
const LOOK_DEADLINE: Duration = Duration::from_secs(5);

/// Arguments without the value of any secret.
pub(crate) fn redact(args: &Value, secrets: &[&str]) -> Value {
    let mut shown = args.clone();
    if let Some(map) = shown.as_object_mut() {
        for field in secrets {
            if let Some(value) = map.get_mut(*field).filter(|value| !value.is_null()) {
                *value = Value::String("[secret]".to_owned());
            }
        }
    }
    shown
}

/// Runs a look at the world with a deadline; a panic in it is an error of the tool.
pub(crate) async fn guarded<T>(look: impl Future<Output = Result<T, ToolError>>) -> Result<T, ToolError> {
    match tokio::time::timeout(LOOK_DEADLINE, AssertUnwindSafe(look).catch_unwind()).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(ToolError::new(ToolErrorKind::Panicked, "the tool failed while looking; nothing was done")),
        Err(_) => Err(ToolError::new(
            ToolErrorKind::Deadline,
            format!("looking took longer than {} s; nothing was done", LOOK_DEADLINE.as_secs()),
        )),
    }
}

/// A value that the vault keeps is named in a call, not spelled out: arguments are hashed, kept and shown.
pub(crate) fn refuse_secret(redactor: &Redactor, tool: &str, args: &Value) -> Result<(), Refusal> {
    let Some(name) = redactor.found(args) else { return Ok(()) };
    let told = format!(
        "the arguments of `{tool}` hold the value of the secret `{name}`, or the mark that stands in its place; where a \
         tool takes a secret, write secret://{name}. Nothing was done"
    );
    Err(Refusal::new(Code::InvalidArguments, "validate", told))
}

/// The refusal of a call whose look failed.
pub(crate) fn refused_look(redactor: &Redactor, tool: &str, error: &ToolError) -> Refusal {
    let code = match error.kind {
        ToolErrorKind::NotFound => Code::UnknownTarget,
        ToolErrorKind::Invalid => Code::InvalidArguments,
        ToolErrorKind::NotPermitted => Code::Forbidden,
        _ => Code::Unavailable,
    };
    Refusal::new(code, RESOLVE, format!("`{tool}`: {}", shorten(&redactor.text(&error.message), 600)))
}

/// What a tool shows before it runs, without secrets.
pub(crate) fn struck(redactor: &Redactor, tool: &str, preview: Result<Preview, ToolError>) -> Result<Preview, Refusal> {
    let mut preview = preview.map_err(|error| refused_look(redactor, tool, &error))?;
    let texts = [&mut preview.diff, &mut preview.undo, &mut preview.untrusted];
    texts.into_iter().flatten().chain(&mut preview.effects).for_each(|text| redactor.strike(text));
    Ok(preview)
}
