//! What a command writes, within bounds.
//!
//! It is read to the end, struck of secrets whole, and only then cut: half a secret would not be found any more. What
//! is left keeps its beginning and its end, because that is where programs say what they do and how it ended.

use jarvis_safety::plain::visible_block;
use jarvis_safety::secret::Redactor;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Most bytes that a command may write to one stream. It is ended when it writes more.
pub(super) const MOST: usize = 4 * 1024 * 1024;
/// Most bytes of a stream that are handed on.
const KEPT: usize = 96 * 1024;
/// Of these, how many are the beginning.
const HEAD: usize = 24 * 1024;

/// Reads a stream to its end, or until it is too long.
pub(super) async fn gather(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        // What cannot be read any more has ended.
        let _ = stream.take(MOST as u64 + 1).read_to_end(&mut bytes).await;
    }
    bytes
}

/// The text of a stream, and whether something was left out.
pub(super) fn text(bytes: &[u8], redactor: &Redactor) -> (String, bool) {
    let text = String::from_utf8_lossy(bytes);
    let shown = visible_block(&redactor.text(&text));
    if shown.len() <= KEPT {
        return (shown, false);
    }
    let head = shown.floor_char_boundary(HEAD);
    let tail = shown.ceil_char_boundary(shown.len() - (KEPT - HEAD));
    (format!("{}\n[… {} bytes are left out …]\n{}", &shown[..head], tail - head, &shown[tail..]), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_output_keeps_its_beginning_and_its_end() {
        let long = format!("first\n{}\nlast", "ä".repeat(KEPT));
        let (text, cut) = text(long.as_bytes(), &Redactor::default());
        assert!(cut && text.starts_with("first") && text.ends_with("last") && text.len() < KEPT + 100);
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        let (text, cut) = text(b"a\x1b[2Jb\xff\n", &Redactor::default());
        assert_eq!((text.as_str(), cut), ("a\\u{1b}[2Jb\u{fffd}\n", false));
    }
}
