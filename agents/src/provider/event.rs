//! What a model server says, whatever its wire format.

/// One thing that a model server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelEvent {
    /// More of the answer.
    Text(String),
    /// More of what the model thinks to itself; never shown, never kept.
    Thinking(String),
    /// The model begins to ask for a call.
    CallBegun {
        /// Which of the calls of this answer, from 0.
        call: usize,
        /// The model's id for it; empty where the server gives none.
        id: String,
        /// Tool.
        tool: String,
    },
    /// More of the arguments of a call.
    CallArgs {
        /// Which call.
        call: usize,
        /// A piece of JSON text.
        text: String,
    },
    /// Tokens, where the server counts; a later one replaces an earlier one.
    Usage {
        /// Tokens read.
        tokens_in: u64,
        /// Tokens written.
        tokens_out: u64,
    },
    /// The answer is whole, as far as the server says.
    Stop(Stop),
    /// The server reports a fault inside the stream.
    Fault(String),
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It is complete, with or without calls.
    Complete,
    /// The length limit was reached; calls may be cut and are never run.
    Length,
    /// The server withheld the rest.
    Withheld,
}
