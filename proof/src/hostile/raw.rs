//! Connections that carry anything, and answers read by the letter of HTTP/1.1.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use super::request::{Deed, Step};

/// Longest wait for an answer that is due.
pub(super) const HANG: Duration = Duration::from_secs(10);
/// Longest wait for an answer that need not come.
const LULL: Duration = Duration::from_millis(150);
/// Largest answer that is read.
const MOST: usize = 32 << 20;
/// Addresses of this machine from which it is asked in turn: each has ports of its own, and closed connections hold
/// theirs for a minute.
const SOURCES: u64 = 200;

/// An answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The first header of this name, as text.
    pub(super) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.and_then(|(_, value)| std::str::from_utf8(value).ok()).unwrap_or_default()
    }

    pub(super) fn is_stream(&self) -> bool {
        self.header("content-type").starts_with("text/event-stream")
    }
}

/// What came back for a deed.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) answers: Vec<Answer>,
    /// An answer was due and did not come in time.
    pub(super) hung: bool,
    /// What came is no HTTP.
    pub(super) garbled: Option<String>,
    /// The connection ended before the answer that was due.
    pub(super) cut: bool,
    /// From the first byte sent to the last one read.
    pub(super) took: Duration,
}

/// A connection that may be used again.
pub(super) struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
    ended: bool,
}

impl Line {
    /// Opens one, from one of many addresses.
    pub(super) async fn open(to: SocketAddr, number: u64) -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        let last = u8::try_from(number % SOURCES).unwrap_or(0);
        socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 3, last + 1)), 0))?;
        let stream = timeout(HANG, socket.connect(to)).await.context("no connection within 10 s")??;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new(), ended: false })
    }

    /// Does a deed and hears what comes back, and whether the connection can be used again.
    pub(super) async fn carry_out(&mut self, deed: &Deed) -> (Heard, bool) {
        let begun = Instant::now();
        let (mut heard, keep) = self.exchange(deed).await;
        heard.took = begun.elapsed();
        (heard, keep)
    }

    async fn exchange(&mut self, deed: &Deed) -> (Heard, bool) {
        let mut heard = Heard::default();
        if timeout(HANG, self.send(&deed.steps)).await.is_err() {
            // Whoever refuses what is still being sent need not take all of it.
            heard.hung = deed.whole;
        }
        let patience = if deed.whole { HANG } else { LULL };
        let mut keep = deed.whole;
        while keep || !deed.whole {
            if deed.whole && heard.answers.len() >= deed.answers {
                break;
            }
            let headless = deed.headless && heard.answers.is_empty();
            match timeout(patience, self.answer(headless)).await {
                Err(_) => {
                    heard.hung |= deed.whole;
                    return (heard, false);
                }
                Ok(Ok(Some(answer))) => {
                    keep &= !answer.is_stream() && !answer.header("connection").eq_ignore_ascii_case("close");
                    let done = answer.is_stream();
                    heard.answers.push(answer);
                    if done {
                        return (heard, false);
                    }
                }
                Ok(Ok(None)) => {
                    heard.cut = true;
                    return (heard, false);
                }
                Ok(Err(error)) => {
                    heard.garbled = Some(format!("{error:#}"));
                    return (heard, false);
                }
            }
        }
        if keep && !self.buffer.is_empty() {
            heard.garbled = Some(format!("more came than was asked: {}", self.buffer.escape_ascii()));
            return (heard, false);
        }
        (heard, keep)
    }

    async fn send(&mut self, steps: &[Step]) {
        for step in steps {
            let sent = match step {
                Step::Send(bytes) => self.stream.write_all(bytes).await,
                Step::Shut => self.stream.shutdown().await,
                Step::Pause(time) => {
                    sleep(*time).await;
                    Ok(())
                }
            };
            // The server may have answered and closed already; what it said is still there to be read.
            if sent.is_err() {
                return;
            }
        }
    }

    /// The next answer; none if the connection ends before one begins.
    async fn answer(&mut self, headless: bool) -> anyhow::Result<Option<Answer>> {
        loop {
            let Some(end) = self.until(b"\r\n\r\n").await? else { return Ok(None) };
            let head: Vec<u8> = self.buffer.drain(..end).collect();
            let mut answer = parse(&head)?;
            if answer.status < 200 {
                continue;
            }
            let bodiless = headless || matches!(answer.status, 204 | 304);
            if !bodiless && !answer.is_stream() {
                answer.body = self.body(&answer).await?;
            }
            return Ok(Some(answer));
        }
    }

    async fn body(&mut self, answer: &Answer) -> anyhow::Result<Vec<u8>> {
        if answer.header("transfer-encoding").eq_ignore_ascii_case("chunked") {
            return self.chunks().await;
        }
        let length = answer.header("content-length");
        if length.is_empty() {
            while self.more().await? {}
            return Ok(std::mem::take(&mut self.buffer));
        }
        let length: usize = length.parse().context("the length of the answer is no number")?;
        ensure!(length <= MOST, "an answer of {length} bytes");
        self.exactly(length).await
    }

    async fn chunks(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = self.until(b"\r\n").await?.context("a chunk has no size")?;
            let line: Vec<u8> = self.buffer.drain(..end).collect();
            let size = std::str::from_utf8(&line)?.trim();
            let size = usize::from_str_radix(size, 16).context("the size of a chunk is no number")?;
            ensure!(body.len() + size <= MOST, "an answer beyond {MOST} bytes");
            body.extend(self.exactly(size).await?);
            self.exactly(2).await?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    async fn exactly(&mut self, length: usize) -> anyhow::Result<Vec<u8>> {
        while self.buffer.len() < length {
            ensure!(self.more().await?, "the answer breaks off");
        }
        Ok(self.buffer.drain(..length).collect())
    }

    /// How far it is to the end of a mark; none if the connection ends and nothing had come.
    async fn until(&mut self, mark: &[u8]) -> anyhow::Result<Option<usize>> {
        loop {
            if let Some(at) = self.buffer.windows(mark.len()).position(|window| window == mark) {
                return Ok(Some(at + mark.len()));
            }
            ensure!(self.buffer.len() < 1 << 20, "a head without an end");
            if !self.more().await? {
                if self.buffer.is_empty() {
                    return Ok(None);
                }
                bail!("the head breaks off: {}", self.buffer.escape_ascii());
            }
        }
    }

    /// Reads on; false at the end.
    async fn more(&mut self) -> anyhow::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        // A reset is an end too: it comes when the server closes while we still send.
        let read = self.stream.read_buf(&mut self.buffer).await.unwrap_or(0);
        self.ended = read == 0;
        Ok(read > 0)
    }
}

fn parse(head: &[u8]) -> anyhow::Result<Answer> {
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let status = std::str::from_utf8(lines.next().unwrap_or_default())?;
    let code = status.strip_prefix("HTTP/1.1 ").or_else(|| status.strip_prefix("HTTP/1.0 "));
    let code = code.and_then(|rest| rest.get(..3)).with_context(|| format!("no status line: {status:?}"))?;
    let mut answer = Answer { status: code.parse()?, ..Answer::default() };
    for line in lines.filter(|line| !line.is_empty()) {
        let colon = line.iter().position(|byte| *byte == b':').context("a header without a colon")?;
        let name = std::str::from_utf8(&line[..colon])?.to_ascii_lowercase();
        answer.headers.push((name, line[colon + 1..].trim_ascii().to_vec()));
    }
    Ok(answer)
}
