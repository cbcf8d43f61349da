//! What a program may write to us, and how fast: messages of bounded length, and no more of them than anybody can take.
//!
//! The library answers every request of a server, and holds each answer until the server reads it. So a line is given up
//! when a server floods it, or when it has not read for a while.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Longest message, in bytes.
pub(super) const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Messages at once.
const BURST: f64 = 2_000.0;
/// Messages a second, for as long as one likes.
const STEADY: f64 = 100.0;
/// How long a server may leave what it is sent unread.
const UNREAD: Duration = Duration::from_secs(15);

/// Why a line was given up, and since when nothing could be written.
#[derive(Clone, Default)]
pub(super) struct Pace(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    fault: Option<String>,
    blocked: Option<Instant>,
}

impl Pace {
    /// What the server did that ended the line.
    pub(super) fn fault(&self) -> Option<String> {
        self.seen(|seen| seen.fault.clone())
    }

    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn give_up(&self, why: String) -> io::Error {
        let error = io::Error::other(why.clone());
        self.seen(|seen| seen.fault = Some(why));
        error
    }
}

/// What the server writes.
pub(super) struct Paced<R> {
    inner: R,
    pace: Pace,
    line: usize,
    left: f64,
    at: Instant,
}

impl<R> Paced<R> {
    pub(super) fn new(inner: R, pace: Pace) -> Self {
        Self { inner, pace, line: 0, left: BURST, at: Instant::now() }
    }

    /// Looks at what came. Errors are for good: the line is not read any more.
    fn judge(&mut self, bytes: &[u8]) -> Result<(), String> {
        let now = Instant::now();
        self.left = (self.left + now.duration_since(self.at).as_secs_f64() * STEADY).min(BURST);
        self.at = now;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line += piece.len();
            if self.line > MOST_BYTES {
                return Err(format!("it wrote a message of more than {} MiB", MOST_BYTES / 1024 / 1024));
            }
            if piece.ends_with(b"\n") {
                self.line = 0;
                self.left -= 1.0;
            }
        }
        if self.left < 0.0 {
            return Err(format!("it writes more than {STEADY} messages a second"));
        }
        let blocked = self.pace.seen(|seen| seen.blocked);
        match blocked.is_some_and(|since| now.duration_since(since) > UNREAD) {
            true => Err(format!("it writes, and has not read what it was sent for {} s", UNREAD.as_secs())),
            false => Ok(()),
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Paced<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        Poll::Ready(self.judge(&buffer.filled()[before..]).map_err(|why| self.pace.give_up(why)))
    }
}

/// What the server is sent.
pub(super) struct Watched<W> {
    inner: W,
    pace: Pace,
}

impl<W> Watched<W> {
    pub(super) const fn new(inner: W, pace: Pace) -> Self {
        Self { inner, pace }
    }

    fn note<T>(&self, polled: Poll<T>) -> Poll<T> {
        self.pace.seen(|seen| match polled {
            Poll::Pending => drop(seen.blocked.get_or_insert_with(Instant::now)),
            Poll::Ready(_) => seen.blocked = None,
        });
        polled
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Watched<W> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.note(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paced() -> (Pace, Paced<()>) {
        let pace = Pace::default();
        (pace.clone(), Paced::new((), pace))
    }

    #[test]
    fn a_flood_and_a_line_without_end_are_given_up() {
        let (_, mut many) = paced();
        assert!(many.judge(&b"{}\n".repeat(1_000)).is_ok());
        assert!(many.judge(&b"{}\n".repeat(2_000)).unwrap_err().contains("messages a second"));
        let (_, mut long) = paced();
        assert!(long.judge(&vec![b'x'; MOST_BYTES]).is_ok());
        assert!(long.judge(b"x").unwrap_err().contains("4 MiB"));
        let (_, mut fine) = paced();
        for _ in 0..100 {
            assert!(fine.judge(&[vec![b'x'; 100_000], b"\n".to_vec()].concat()).is_ok());
        }
    }

    #[test]
    fn who_writes_and_does_not_read_is_given_up() {
        let (pace, mut reader) = paced();
        pace.seen(|seen| seen.blocked = Instant::now().checked_sub(UNREAD * 2));
        assert!(reader.judge(b"{}\n").unwrap_err().contains("has not read"));
    }
}
