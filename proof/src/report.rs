//! What a suite found, and how it says so.

use std::fmt;
use std::io::Write as _;

/// How a suite ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Every promise was kept.
    Kept,
    /// At least one was not.
    Broken,
    /// It could not be tried here; why was said.
    Skipped,
}

/// Which promise was broken. The words are stable: whoever starts a sabotage looks for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A row that an acknowledgement stood for is not there.
    LostRow,
    /// An effect that was told as done is not there.
    LostEffect,
    /// A decision that was acknowledged does not hold, or an approved call never ran.
    LostDecision,
    /// A job that was acknowledged is not there, has not ended, or has another end than was told.
    LostJob,
    /// A turn that was acknowledged is not there, has not ended, or its log does not hold each step once and in order.
    LostTurn,
    /// A setting, session or token that was acknowledged is gone.
    LostSetting,
    /// One effect happened, or was begun, twice.
    DoubleEffect,
    /// What is recorded of an effect is not what happened.
    Untrue,
    /// Something was acknowledged while it could not be kept.
    EarlyAck,
    /// A secret came out.
    Leak,
    /// A way out was not tried: nothing came there that could have leaked.
    Untried,
    /// The program's answer was not one that it may give.
    WrongAnswer,
    /// The hash chain has a fault.
    Chain,
    /// The seal does not fit the chain.
    Seal,
    /// `jarvis audit verify` complains.
    Verify,
    /// It did not start, or did not end in good order.
    NoStart,
    /// It does not serve again although what it needs is back.
    NoService,
    /// A defect stopped a part of it: its log tells of a panic.
    Panic,
    /// It told of a fault of its own (a status of the five hundreds, an internal error) where the request was to blame.
    ServerError,
    /// It did not answer in time.
    Hang,
    /// Somebody got in who may not.
    Opened,
    /// Something happened that nobody who may had asked for.
    StrayEffect,
    /// An answer could steer a terminal or a page, or lacks what holds a page to itself.
    Unsafe,
    /// It holds much more memory than before.
    Memory,
    /// Too little of what people asked for was done.
    Unserved,
    /// A person was asked about what needs no question.
    Asked,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::LostRow => "lost-row",
            Self::LostEffect => "lost-effect",
            Self::LostDecision => "lost-decision",
            Self::LostJob => "lost-job",
            Self::LostTurn => "lost-turn",
            Self::LostSetting => "lost-setting",
            Self::DoubleEffect => "double-effect",
            Self::Untrue => "untrue",
            Self::EarlyAck => "early-ack",
            Self::Leak => "leak",
            Self::Untried => "untried",
            Self::WrongAnswer => "wrong-answer",
            Self::Chain => "chain",
            Self::Seal => "seal",
            Self::Verify => "verify",
            Self::NoStart => "no-start",
            Self::NoService => "no-service",
            Self::Panic => "panic",
            Self::ServerError => "server-error",
            Self::Hang => "hang",
            Self::Opened => "opened",
            Self::StrayEffect => "stray-effect",
            Self::Unsafe => "unsafe",
            Self::Memory => "memory",
            Self::Unserved => "unserved",
            Self::Asked => "asked",
        }
    }
}

/// One broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) kind: Kind,
    pub(crate) what: String,
}

impl Violation {
    pub(crate) fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "VIOLATION {}: {}", self.kind.word(), self.what)
    }
}

/// How a suite ended, for whoever watches and for whoever makes a table of it.
pub(crate) struct Ended {
    pub(crate) suite: &'static str,
    pub(crate) cycles: u64,
    pub(crate) acks: u64,
    pub(crate) found: Vec<Violation>,
    pub(crate) seed: u64,
    pub(crate) seconds: f64,
}

impl Ended {
    /// Tells what was broken, and a last line with all figures.
    pub(crate) fn tell(&self) -> Verdict {
        let Self { suite, cycles, acks, found, seed, seconds } = self;
        tell(found);
        let violations = found.len();
        say(&format!(
            "RESULT suite={suite} cycles={cycles} acks={acks} violations={violations} seed={seed} seconds={seconds:.0}"
        ));
        if found.is_empty() { Verdict::Kept } else { Verdict::Broken }
    }
}

/// Most violations that are told of one kind; the rest are counted.
const TOLD: usize = 5;

/// Tells what was broken, each kind in its turn.
fn tell(violations: &[Violation]) {
    let mut sorted: Vec<_> = violations.iter().collect();
    sorted.sort_by_key(|violation| violation.kind);
    for same in sorted.chunk_by(|a, b| a.kind == b.kind) {
        for violation in same.iter().take(TOLD) {
            say(&violation.to_string());
        }
        if same.len() > TOLD {
            say(&format!("… and {} more of this kind", same.len() - TOLD));
        }
    }
}

/// A line for whoever watches.
pub(crate) fn say(line: &str) {
    // Whoever stopped watching is no reason to stop.
    let _ = writeln!(std::io::stdout(), "{line}");
}
