//! The terminal: a thin client with words that scripts can rely on.

mod address;
mod approve;
mod arguments;
mod audit;
mod backup;
mod call;
mod connect;
mod directory;
mod doctor;
mod doubt;
mod exit;
mod grant;
mod job;
mod mcp;
mod migrate;
mod mount;
mod operator;
mod print;
mod replay;
mod say;
mod schedule;
mod secret;
mod serve;
mod session;
mod span;
mod token;
mod tools;
mod undo;
mod words;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use connect::Connection;
use exit::{Exit, Stop};
use operator::OperatorCommand;
use print::Printer;

use crate::config::Environment;

/// Reads the command line, does it, and answers the exit code.
pub(crate) fn run() -> ExitCode {
    let words = std::env::args_os().collect();
    let arguments = match words::read(words) {
        Ok(arguments) => arguments,
        Err(end) => return end,
    };
    let printer = Printer::new(arguments.json);
    let done = words::environment(std::env::vars_os()).and_then(|environment| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Stop::new(Exit::Failed, format!("no runtime: {error}")))?;
        runtime.block_on(dispatch(arguments, environment, &printer))
    });
    printer.end(done)
}

async fn dispatch(arguments: Arguments, environment: Environment, printer: &Printer) -> exit::Result {
    let connection = &Connection::new(arguments.data, environment);
    match arguments.command {
        Command::Serve { listen, fixtures } => serve::run(listen.as_deref(), fixtures, connection, printer).await,
        Command::Mcp => mcp::run(connection).await,
        Command::Backup(wanted) => backup::backup(connection, printer, wanted).await,
        Command::Restore(wanted) => backup::restore(connection, printer, wanted).await,
        Command::MigrateDatabase { url } => migrate::run(connection, printer, url).await,
        Command::Operator { command: OperatorCommand::Reset } => operator::reset(connection, printer).await,
        Command::Doctor => doctor::run(connection, printer).await,
        Command::Openapi => tools::openapi(printer),
        Command::Completions { shell } => tools::completions(printer, shell),
        command => {
            let done = ask(command, connection, printer).await;
            connection.leave().await;
            done
        }
    }
}

/// What the server does.
async fn ask(command: Command, connection: &Connection, printer: &Printer) -> exit::Result {
    match command {
        Command::Say { text, plan: true, .. } => say::plan(connection, printer, text.join(" ")).await,
        Command::Say { text, conversation, key, .. } => {
            say::run(connection, printer, text.join(" "), conversation, key).await
        }
        Command::Call { tool, args, key, wait } => call::run(connection, printer, tool, args, key, wait).await,
        Command::Undo { id, show: true, .. } => undo::show(connection, printer, &id).await,
        Command::Undo { id, wait, .. } => undo::run(connection, printer, &id, wait).await,
        Command::Tools { name } => tools::run(connection, printer, name.as_deref()).await,
        Command::Replay { conversation } => replay::run(connection, printer, &conversation).await,
        Command::Jobs(wanted) => job::list(connection, printer, wanted).await,
        Command::Job { command } => job::run(connection, printer, command).await,
        Command::Schedules => schedule::list(connection, printer).await,
        Command::Schedule { command } => schedule::run(connection, printer, command).await,
        Command::Stop { all } => operator::stop(connection, printer, all).await,
        Command::Resume => operator::resume(connection, printer).await,
        Command::Audit { command } => audit::run(connection, printer, command).await,
        command => decide(command, connection, printer).await,
    }
}

/// What a person decides, and who may do what.
async fn decide(command: Command, connection: &Connection, printer: &Printer) -> exit::Result {
    match command {
        Command::Approvals { all } => approve::list(connection, printer, all).await,
        Command::Approve { approval, without, wait } => {
            approve::approve(connection, printer, &approval, without, wait).await
        }
        Command::Deny { approval, because } => approve::deny(connection, printer, &approval, because).await,
        Command::Doubts => doubt::list(connection, printer).await,
        Command::Acknowledge { id } => doubt::acknowledge(connection, printer, &id).await,
        Command::Session { command } => session::run(connection, printer, command).await,
        Command::Token { command } => token::run(connection, printer, command).await,
        Command::Secret { command } => secret::run(connection, printer, command).await,
        Command::Grant { command } => grant::run(connection, printer, command).await,
        Command::Mount { command } => mount::run(connection, printer, command).await,
        // What needs no server was done before.
        _ => Err(Stop::new(Exit::Failed, "this command is not one that a server carries out")),
    }
}
