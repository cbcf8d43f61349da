//! The words of the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Jarvis: a self-hosted command center. Every capability is a tool with a safety tier, and every call goes through one
/// gate.
#[derive(Debug, Parser)]
#[command(name = "jarvis", version, after_help = EXITS)]
pub(super) struct Arguments {
    /// Print JSON instead of words.
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Data directory. [env: JARVIS_DATA] [default: ~/.local/share/jarvis]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) command: Command,
}

const EXITS: &str = "Exit codes: 0 done · 1 failed · 2 refused or invalid · 3 waiting for approval · 4 no server\n\
JARVIS_URL and JARVIS_TOKEN reach another machine; JARVIS_OPERATOR_PASSWORD answers the password prompt.";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Start the server.
    Serve {
        /// Address to listen on, for example 127.0.0.1:7878.
        #[arg(long, value_name = "ADDR")]
        listen: Option<String>,
    },
    /// Speak MCP over standard input and output; starts the server if none runs.
    Mcp,
    /// Say something in plain words.
    Say {
        /// What to say.
        #[arg(required = true)]
        text: Vec<String>,
        /// Print the calls that it would make, and run nothing.
        #[arg(long)]
        plan: bool,
        /// Go on with this conversation.
        #[arg(long, value_name = "ID")]
        conversation: Option<String>,
    },
    /// Call a tool.
    Call {
        /// Name of the tool.
        tool: String,
        /// Arguments as a JSON object.
        #[arg(default_value = "{}", value_name = "JSON")]
        args: String,
        /// Idempotency key: the same key and call never run twice.
        #[arg(long)]
        key: Option<String>,
        /// Wait so many seconds for an approval.
        #[arg(long, default_value_t = 0, value_name = "SECONDS")]
        wait: u32,
    },
    /// Take a call back.
    Undo {
        /// Id of the call.
        #[arg(value_name = "CALL_ID")]
        call: String,
        /// Wait so many seconds for an approval.
        #[arg(long, default_value_t = 0, value_name = "SECONDS")]
        wait: u32,
    },
    /// List the tools, or show one.
    Tools {
        /// Name of one tool.
        name: Option<String>,
    },
    /// List what waits for a decision.
    Approvals {
        /// Also what was decided.
        #[arg(long)]
        all: bool,
    },
    /// Say yes; the server runs it at once.
    Approve {
        /// Id of the approval.
        #[arg(value_name = "ID")]
        approval: String,
        /// Wait so many seconds for the outcome.
        #[arg(long, default_value_t = 30, value_name = "SECONDS")]
        wait: u32,
    },
    /// Say no.
    Deny {
        /// Id of the approval.
        #[arg(value_name = "ID")]
        approval: String,
        /// A word back to whoever asked.
        #[arg(long, value_name = "TEXT", default_value = "")]
        because: String,
    },
    /// Throw the kill switch: refuse everything above green and cancel what runs.
    Stop {
        /// Refuse green calls too.
        #[arg(long)]
        all: bool,
    },
    /// Release the kill switch.
    Resume,
    /// Read or verify the audit.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Make, list and revoke the tokens of clients.
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// The operator's password.
    Operator {
        #[command(subcommand)]
        command: OperatorCommand,
    },
    /// Tell what was found on this machine, what is missing, and how to mend it.
    Doctor,
    /// Print the OpenAPI document of the HTTP API.
    Openapi,
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// The newest rows.
    Tail {
        /// How many.
        #[arg(long, short = 'n', default_value_t = 20)]
        lines: u32,
        /// Go on as rows are written.
        #[arg(long, short)]
        follow: bool,
    },
    /// Check every row, every kept body and the seal.
    Verify,
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make one; its secret is printed once.
    Create(TokenWanted),
    /// List them.
    List,
    /// Revoke one.
    Revoke {
        /// Id of the token.
        #[arg(value_name = "ID")]
        token: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct TokenWanted {
    /// Name for people.
    pub(super) name: String,
    /// Highest tier that it may ask for: green, yellow, orange or red.
    #[arg(long, value_name = "TIER")]
    pub(super) ceiling: String,
    /// Let the client's own form confirm up to this tier.
    #[arg(long, value_name = "TIER")]
    pub(super) confirm: Option<String>,
    /// `approve` lets a bot decide approvals; such a token cannot be used over MCP.
    #[arg(long, value_name = "SCOPE")]
    pub(super) scope: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum OperatorCommand {
    /// Forget the password and print a new one-time link. The server must be stopped.
    Reset,
}
