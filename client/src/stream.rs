//! Reading the event stream (`text/event-stream`).

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _};

use crate::wire::{EventInfo, FrameInfo, JobInfo, OutputInfo};

/// One message of the stream.
#[derive(Debug, Clone)]
pub enum Message {
    /// A durable event.
    Event(Box<EventInfo>),
    /// A live frame.
    Frame(Box<FrameInfo>),
    /// A job as it stands.
    Job(Box<JobInfo>),
    /// A piece of what a job has put out.
    Output(Box<OutputInfo>),
}

/// The stream as it comes. Remember the last sequence and open it again from there when it ends.
pub struct EventStream {
    bytes: BoxStream<'static, Result<Bytes, reqwest::Error>>,
    pending: Vec<u8>,
    kind: String,
    data: String,
    silence: Duration,
}

/// Longest line that is kept; an honest server sends none as long.
const MAX_LINE: usize = 4 * 1024 * 1024;
/// A server says at least every 15 s that it is there; a machine that lost its power says nothing more.
const SILENCE: Duration = Duration::from_secs(60);

impl EventStream {
    pub(crate) fn new(answer: reqwest::Response) -> Self {
        let bytes = answer.bytes_stream().boxed();
        Self { bytes, pending: Vec::new(), kind: String::new(), data: String::new(), silence: SILENCE }
    }

    /// The next message; `None` when the stream has ended or broken off, or the server has been silent for a minute.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            while let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                if let Some(message) = self.line(line.trim_end_matches(['\n', '\r'])) {
                    return Some(message);
                }
            }
            if self.pending.len() > MAX_LINE {
                return None;
            }
            let chunk = tokio::time::timeout(self.silence, self.bytes.next()).await.ok()??.ok()?;
            self.pending.extend_from_slice(&chunk);
        }
    }

    fn line(&mut self, line: &str) -> Option<Message> {
        if let Some(kind) = line.strip_prefix("event:") {
            kind.trim().clone_into(&mut self.kind);
        } else if let Some(data) = line.strip_prefix("data:") {
            self.data.push_str(data.trim_start());
        } else if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            return match std::mem::take(&mut self.kind).as_str() {
                "event" => serde_json::from_str(&data).ok().map(|event| Message::Event(Box::new(event))),
                "frame" => serde_json::from_str(&data).ok().map(|frame| Message::Frame(Box::new(frame))),
                "job" => serde_json::from_str(&data).ok().map(|job| Message::Job(Box::new(job))),
                "output" => serde_json::from_str(&data).ok().map(|piece| Message::Output(Box::new(piece))),
                _ => None,
            };
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn a_stream_that_falls_silent_has_ended() {
        let bytes = stream::iter([Ok(Bytes::from_static(b": alive\n\n"))]).chain(stream::pending()).boxed();
        let silence = Duration::from_millis(10);
        let mut stream = EventStream { bytes, pending: Vec::new(), kind: String::new(), data: String::new(), silence };
        assert!(stream.next().await.is_none());
    }
}
