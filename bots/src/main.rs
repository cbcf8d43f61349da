//! A bot is a thin client in a process of its own: it says, it calls, it follows the events. It knows nothing but the
//! wire. What belongs to Discord and to streams comes here later, over these three verbs.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use jarvis_client::wire::{CallAnswer, CallBody, SayBody, TurnInfo};
use jarvis_client::{Client, Message, Options};

/// Speak to Jarvis as a bot does: with a token, over HTTP.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Address of Jarvis.
    #[arg(long, env = "JARVIS_URL", default_value = "http://127.0.0.1:7878")]
    url: url::Url,
    /// Token; `jarvis token create NAME --ceiling TIER` makes one.
    #[arg(long, env = "JARVIS_TOKEN", hide_env_values = true)]
    token: String,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Say something and print the turn as JSON.
    Say {
        /// What to say.
        text: String,
    },
    /// Call a tool and print the answer as JSON.
    Call {
        /// Name of the tool.
        tool: String,
        /// Arguments as a JSON object.
        #[arg(default_value = "{}")]
        args: String,
    },
    /// Print events as JSON lines, as they are committed.
    Events {
        /// Begin after this sequence.
        #[arg(long, default_value_t = 0)]
        after: u64,
    },
}

/// Seconds that the server may hold an answer.
const WAIT: u32 = 50;

fn main() -> ExitCode {
    // The provider is process-wide; installing it twice is the only way this fails.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.context("no runtime").and_then(|runtime| runtime.block_on(run(arguments)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let client = Client::new(Options::Url { url: arguments.url, token: Some(arguments.token) })?;
    match arguments.verb {
        Verb::Say { text } => {
            let body = SayBody { text, ..SayBody::default() };
            let turn: TurnInfo = client.post("/api/say", &body, Some(WAIT)).await?;
            print(&turn)
        }
        Verb::Call { tool, args } => {
            let args = Some(serde_json::value::RawValue::from_string(args).context("the arguments are not JSON")?);
            let answer: CallAnswer = client.post("/api/call", &CallBody { tool, args, key: None }, Some(WAIT)).await?;
            print(&answer)
        }
        Verb::Events { after } => follow(&client, after).await,
    }
}

/// Prints events for ever; a stream that breaks off goes on after the last one that was seen.
async fn follow(client: &Client, mut after: u64) -> anyhow::Result<()> {
    loop {
        let mut stream = client.stream(after, "").await?;
        while let Some(message) = stream.next().await {
            if let Message::Event(event) = message {
                after = event.seq;
                print(&*event)?;
            }
        }
    }
}

fn print<T: serde::Serialize>(answer: &T) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{}", serde_json::to_string(answer)?)?)
}
