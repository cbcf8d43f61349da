//! Which live frames a client wants. Durable events come in any case: they are few, and a gap in them would be a lie.

use jarvis_safety::frame::Frame;

/// Wanted frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Topics {
    /// Streamed text, phases and progress of turns and calls.
    pub turns: bool,
    /// Gauges of this machine.
    pub gauges: bool,
    /// State, progress and output of jobs.
    pub jobs: bool,
}

impl Topics {
    /// Reads a list such as `turns,jobs`.
    ///
    /// # Errors
    /// Names the topic that does not exist.
    pub fn parse(list: &str) -> Result<Self, String> {
        let mut topics = Self::default();
        for word in list.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word {
                "turns" => topics.turns = true,
                "gauges" => topics.gauges = true,
                "jobs" => topics.jobs = true,
                _ => return Err(word.to_owned()),
            }
        }
        Ok(topics)
    }

    /// Whether any frame is wanted.
    #[must_use]
    pub const fn any(self) -> bool {
        self.turns || self.gauges || self.jobs
    }

    /// Whether this frame is wanted.
    #[must_use]
    pub fn want(self, frame: &Frame) -> bool {
        match frame.subject.split(':').next().unwrap_or_default() {
            "turn" | "call" => self.turns,
            "host" => self.gauges,
            "job" => self.jobs,
            _ => false,
        }
    }
}
