//! The body of an answer: bounded while it comes, unpacked with the same bound.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::tool::ToolError;
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use url::Url;

use super::hop::{failed, told};

/// Largest body after unpacking; of a larger one the beginning is read.
pub(super) const BODY: usize = 1024 * 1024;

/// What came.
#[derive(Debug)]
pub(super) struct Body {
    /// Media type in lower case, without parameters; empty if the server named none.
    pub(super) kind: String,
    /// The charset that the server named.
    pub(super) charset: Option<String>,
    /// At most [`BODY`] bytes.
    pub(super) bytes: Vec<u8>,
    /// Whether there was more.
    pub(super) cut: bool,
}

/// Takes what fits, and says when something did not.
#[derive(Debug, Default)]
struct Bounded {
    bytes: Vec<u8>,
    over: bool,
}

impl Write for Bounded {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        let room = BODY - self.bytes.len();
        self.bytes.extend_from_slice(&more[..more.len().min(room)]);
        if more.len() > room {
            self.over = true;
            return Err(io::Error::other("the body is larger than is read"));
        }
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Sink {
    Plain(Bounded),
    Packed(Box<MultiGzDecoder<Bounded>>),
}

impl Sink {
    fn new(encoding: &str) -> Result<Self, ToolError> {
        match encoding {
            "" | "identity" => Ok(Self::Plain(Bounded::default())),
            "gzip" | "x-gzip" => Ok(Self::Packed(Box::new(MultiGzDecoder::new(Bounded::default())))),
            other => Err(failed(format!(
                "the server packs its answer with `{}` although it was not asked to; that cannot be read",
                visible(&shorten(other, 40))
            ))),
        }
    }

    fn over(&self) -> bool {
        match self {
            Self::Plain(sink) => sink.over,
            Self::Packed(sink) => sink.get_ref().over,
        }
    }

    fn take(&mut self, chunk: &[u8]) -> io::Result<()> {
        let taken = match self {
            Self::Plain(sink) => sink.write_all(chunk),
            Self::Packed(sink) => sink.write_all(chunk),
        };
        // Being full is no fault of the server.
        if self.over() { Ok(()) } else { taken }
    }

    fn end(self) -> io::Result<Bounded> {
        match self {
            Self::Plain(sink) => Ok(sink),
            Self::Packed(mut sink) => {
                if !sink.get_ref().over {
                    sink.try_finish()?;
                }
                Ok(std::mem::take(sink.get_mut()))
            }
        }
    }
}

/// Reads the body of a text; anything else is refused by its name before a byte is read.
pub(super) async fn body(mut response: Response, link: &Url) -> Result<Body, ToolError> {
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (kind, charset) = media(header(CONTENT_TYPE));
    if !textual(&kind) {
        let length = response.content_length().map(|bytes| format!(", {bytes} bytes")).unwrap_or_default();
        return Err(failed(format!(
            "the answer is no text but `{}`{length}; Jarvis fetches text only",
            visible(&shorten(&kind, 80))
        )));
    }
    let encoding = header(CONTENT_ENCODING).trim().to_ascii_lowercase();
    let mut sink = Sink::new(&encoding)?;
    let damaged = |error: io::Error| failed(format!("the answer is damaged ({error}); try again later"));
    while let Some(chunk) = response.chunk().await.map_err(|error| told(&error, link))? {
        sink.take(&chunk).map_err(damaged)?;
        if sink.over() {
            break;
        }
    }
    let done = sink.end().map_err(damaged)?;
    if kind.is_empty()
        && (done.bytes.contains(&0) || str::from_utf8(&done.bytes).is_err_and(|e| e.error_len().is_some()))
    {
        return Err(failed("the server does not say what its answer is, and it is no text; Jarvis fetches text only"));
    }
    Ok(Body { kind, charset, bytes: done.bytes, cut: done.over })
}

/// Media type and charset of a `Content-Type`.
fn media(header: &str) -> (String, Option<String>) {
    let mut parts = header.split(';');
    let kind = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    });
    (kind, charset)
}

fn textual(kind: &str) -> bool {
    const ALSO: &[&str] = &[
        "",
        "application/json",
        "application/xml",
        "application/xhtml+xml",
        "application/javascript",
        "application/yaml",
        "application/x-yaml",
        "application/toml",
        "application/x-ndjson",
        "application/sql",
        "application/markdown",
    ];
    kind.starts_with("text/") || kind.ends_with("+json") || kind.ends_with("+xml") || ALSO.contains(&kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_known_by_its_type_and_nothing_else_is_text() {
        for kind in ["text/html", "text/x-anything", "application/ld+json", "image/svg+xml", ""] {
            assert!(textual(kind), "{kind}");
        }
        for kind in ["image/png", "application/octet-stream", "application/pdf", "video/mp4", "textual/html"] {
            assert!(!textual(kind), "{kind}");
        }
        assert_eq!(media("Text/HTML; Charset=\"UTF-8\""), ("text/html".into(), Some("utf-8".into())));
        assert_eq!(media("text/plain;a=b"), ("text/plain".into(), None));
    }

    #[test]
    fn a_packed_body_is_bounded_after_unpacking() {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(&vec![b'a'; 50 * BODY]).unwrap();
        let bomb = packer.finish().unwrap();
        assert!(bomb.len() < BODY / 4);
        let mut sink = Sink::new("gzip").unwrap();
        for chunk in bomb.chunks(1000) {
            sink.take(chunk).unwrap();
            if sink.over() {
                break;
            }
        }
        let done = sink.end().unwrap();
        assert_eq!((done.bytes.len(), done.over), (BODY, true));
    }

    #[test]
    fn a_packed_body_that_is_torn_is_damaged_and_not_short() {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(b"hello hello hello").unwrap();
        let whole = packer.finish().unwrap();
        let mut sink = Sink::new("gzip").unwrap();
        sink.take(&whole[..whole.len() - 6]).unwrap();
        assert!(sink.end().is_err());
        let mut sink = Sink::new("gzip").unwrap();
        sink.take(&whole).unwrap();
        assert_eq!(sink.end().unwrap().bytes, b"hello hello hello");
        assert!(Sink::new("br").is_err());
    }
}
