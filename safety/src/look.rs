//! Looking at the world before a decision, and showing what was asked without its secrets.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::Value;

use crate::plain::shorten;
use crate::refusal::{Code, Refusal};
use crate::tool::{ToolError, ToolErrorKind};

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

/// The refusal of a call whose look failed.
pub(crate) fn refused_look(tool: &str, error: &ToolError) -> Refusal {
    let code = match error.kind {
        ToolErrorKind::NotFound => Code::UnknownTarget,
        ToolErrorKind::Invalid => Code::InvalidArguments,
        ToolErrorKind::NotPermitted => Code::Forbidden,
        _ => Code::Unavailable,
    };
    Refusal::new(code, "resolve", format!("`{tool}`: {}", shorten(&error.message, 600)))
}
