//! What a client hears when its request breaks Jarvis himself: a clear error. Where the protocol's library runs a request,
//! a panic ends it alone, and the client would wait for ever.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use rmcp::model::ErrorData;

/// The answer to a request, also where its work panics. What a panic says goes to the log alone.
pub(super) fn answered<T>(
    work: impl Future<Output = Result<T, ErrorData>>,
) -> impl Future<Output = Result<T, ErrorData>> {
    AssertUnwindSafe(work).catch_unwind().map(|done| done.unwrap_or_else(|_| Err(defect())))
}

fn defect() -> ErrorData {
    ErrorData::internal_error(
        "Jarvis has a defect here: this request broke it. The log says where; if it was a call, the audit log says what \
         became of it",
        None,
    )
}

#[cfg(test)]
mod tests {
    use rmcp::model::ErrorCode;

    use super::*;

    #[tokio::test]
    async fn what_breaks_is_answered_without_the_words_of_its_panic() {
        let broken = answered::<()>(async { panic!("a defect with a secret in it") }).await.unwrap_err();
        assert_eq!(broken.code, ErrorCode::INTERNAL_ERROR);
        assert!(broken.message.contains("a defect here") && !broken.message.contains("secret"), "{broken:?}");
        assert_eq!(answered(async { Ok(7) }).await.unwrap(), 7);
    }
}
