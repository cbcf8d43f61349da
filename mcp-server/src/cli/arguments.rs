//! The words of the command line. Those below a word stand with what carries them out.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueHint};

use super::audit::AuditCommand;
use super::backup::{BackupWanted, RestoreWanted};
use super::grant::GrantCommand;
use super::job::{JobCommand, JobsWanted};
use super::mount::MountCommand;
use super::operator::OperatorCommand;
use super::schedule::ScheduleCommand;
use super::secret::SecretCommand;
use super::session::SessionCommand;
use super::token::TokenCommand;

/// Jarvis: a self-hosted command center. Every capability is a tool with a safety tier, and every call goes through one
/// gate.
#[derive(Debug, Parser)]
#[command(name = "jarvis", bin_name = "jarvis", version, after_help = EXITS)]
pub(super) struct Arguments {
    /// Print JSON instead of words: one document, or one a line while following.
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Data directory. [env: JARVIS_DATA] [default: ~/.local/share/jarvis]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) data: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) command: Command,
}

const EXITS: &str = "Exit codes: 0 done · 1 failed · 2 refused or invalid · 3 waiting for approval · 4 no server\n\
JARVIS_URL and JARVIS_TOKEN reach another machine; JARVIS_OPERATOR_PASSWORD answers the password prompt, JARVIS_OPERATOR_CODE that for the code.\n\
Example: jarvis say \"how is this machine?\"";

/// Longest wait that the server grants, in seconds.
pub(super) const LONGEST_WAIT: i64 = 50;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Start the server in the foreground; Ctrl-C ends it in good order.
    #[command(after_help = "Example: jarvis serve --listen 127.0.0.1:7878 --data ~/jarvis")]
    Serve {
        /// Address to listen on. [env: JARVIS_LISTEN] [default: 127.0.0.1:7878]
        #[arg(long, value_name = "ADDR")]
        listen: Option<String>,
        /// Add tools, prompts and resources for tests and measurements; never on a server that is used.
        #[arg(long)]
        fixtures: bool,
    },
    /// Speak MCP over standard input and output; starts the server if none runs.
    #[command(after_help = "Example: claude mcp add jarvis -- jarvis mcp")]
    Mcp,
    /// Say something in plain words, and print the answer.
    #[command(after_help = "Examples:\n  jarvis say \"what is filling the disk?\"\n  \
        jarvis say --plan \"stop everything that is named test-*\"")]
    Say {
        /// What to say.
        #[arg(required = true)]
        text: Vec<String>,
        /// Print the calls that it would make, and run nothing.
        #[arg(long)]
        plan: bool,
        /// Go on with this conversation.
        #[arg(long, value_name = "ID", conflicts_with = "plan")]
        conversation: Option<String>,
        /// Idempotency key: the same key and words are asked once.
        #[arg(long, conflicts_with = "plan")]
        key: Option<String>,
    },
    /// Replay the logs of a conversation step by step, and tell where one diverges. Runs nothing.
    #[command(after_help = "Example: jarvis replay conv_01m7y6xxp5e1e8zhdc4y25vbg6\n\
        Ends with 0 if every log is whole, with 1 if one diverges. A log of an older Jarvis may, where its steps differ.")]
    Replay {
        /// Id of the conversation.
        #[arg(value_name = "ID")]
        conversation: String,
    },
    /// Call a tool by its name.
    #[command(after_help = "Example: jarvis call docker_logs '{\"container\":\"web\"}'\n\
        `jarvis tools NAME` shows the arguments of a tool.")]
    Call {
        /// Name of the tool.
        tool: String,
        /// Arguments as a JSON object.
        #[arg(default_value = "{}", value_name = "JSON")]
        args: String,
        /// Idempotency key: the same key and call never run twice.
        #[arg(long)]
        key: Option<String>,
        /// Wait so many seconds for an approval, at most 50.
        #[arg(long, default_value_t = 0, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=LONGEST_WAIT))]
        wait: u32,
    },
    /// Take a call back, or all that a turn of a conversation changed, where the tools can; whoever made it was told the id.
    #[command(after_help = "Example: jarvis undo call_01m7y6xyqgexgr2hgw96rave6j")]
    Undo {
        /// Id of the call or the turn.
        #[arg(value_name = "ID")]
        id: String,
        /// Show what would be done, and do nothing.
        #[arg(long)]
        show: bool,
        /// Wait so many seconds for an approval, at most 50.
        #[arg(long, default_value_t = 0, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=LONGEST_WAIT))]
        wait: u32,
    },
    /// List the tools with their tiers, or show one with its arguments.
    #[command(after_help = "Example: jarvis tools docker_restart")]
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
    /// Say yes to a call that waits; the server runs it at once. Needs the operator.
    #[command(after_help = "Examples: jarvis approve appr_01m7y6xyr1e6zvh3rtvc83t39m\n\
                                      jarvis approve appr_01m7y6xyr1e6zvh3rtvc83t39m --without 2,3")]
    Approve {
        /// Id of the approval.
        #[arg(value_name = "ID")]
        approval: String,
        /// Steps of a plan that are not to run, by their numbers.
        #[arg(long, value_name = "N,N", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=50))]
        without: Vec<u32>,
        /// Wait so many seconds for the outcome, at most 50.
        #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=LONGEST_WAIT))]
        wait: u32,
    },
    /// Say no to a call that waits. Needs the operator.
    #[command(after_help = "Example: jarvis deny appr_01m7y6xyr1e6zvh3rtvc83t39m --because \"not during backups\"")]
    Deny {
        /// Id of the approval.
        #[arg(value_name = "ID")]
        approval: String,
        /// A word back to whoever asked.
        #[arg(long, value_name = "TEXT", default_value = "")]
        because: String,
    },
    /// List calls and jobs of which nobody can tell what came of them.
    Doubts,
    /// Say that you have looked at what became of a call or a job in doubt. Needs the operator.
    #[command(after_help = "Example: jarvis acknowledge call_01m7y6xyr1e6zvh3rtvc83t39m")]
    Acknowledge {
        /// Id of the call or the job, as `jarvis doubts` shows it.
        id: String,
    },
    /// List jobs, newest first.
    #[command(after_help = "Example: jarvis jobs --state open")]
    Jobs(JobsWanted),
    /// Calls that run as jobs: they outlive this terminal and restarts of the server.
    Job {
        #[command(subcommand)]
        command: JobCommand,
    },
    /// List schedules: calls that run as jobs again and again.
    Schedules,
    /// Make, pause, resume and remove schedules.
    Schedule {
        #[command(subcommand)]
        command: ScheduleCommand,
    },
    /// Throw the kill switch: refuse everything above green and cancel what runs. The server goes on. Needs the operator.
    Stop {
        /// Refuse green calls too.
        #[arg(long)]
        all: bool,
    },
    /// Release the kill switch. Needs the operator.
    Resume,
    /// Read or verify the audit: everything that happened, in one chain.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Write everything into one verified file, also while the server runs.
    #[command(after_help = "Example: jarvis backup /mnt/nas/jarvis-2026-11-20.backup --files\n\
        JARVIS_BACKUP_PASSPHRASE or --recipient encrypts it with age. PostgreSQL is backed up with pg_dump\n\
        and the files under keys/; a database that comes from a dump is made safe with `jarvis restore --dumped`.")]
    Backup(BackupWanted),
    /// Make a data directory out of a backup, in the place that --data names.
    #[command(after_help = "Example: jarvis restore /mnt/nas/jarvis-2026-11-20.backup --data ~/jarvis-restored\n\
        After a pg_restore, before any server starts on it: jarvis restore --dumped")]
    Restore(RestoreWanted),
    /// Move everything from SQLite in the data directory to an empty PostgreSQL; the server must have ended.
    #[command(after_help = "Example: jarvis migrate-database postgres://jarvis:secret@db:5432/jarvis\n\
        JARVIS_DATABASE names it too, so that the password need not stand on the command line.")]
    MigrateDatabase {
        /// Address of the database. [env: JARVIS_DATABASE]
        #[arg(value_name = "URL")]
        url: Option<String>,
    },
    /// List and end the operator's sessions. Needs the operator.
    Session {
        #[command(subcommand)]
        command: SessionCommand,
    },
    /// Make, list and revoke the tokens of clients. Needs the operator.
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Keep secrets, sealed: `secret://NAME` refers to one. Needs the operator.
    Secret {
        #[command(subcommand)]
        command: SecretCommand,
    },
    /// Let calls run that would be asked, list what is let, and take it back. Needs the operator.
    Grant {
        #[command(subcommand)]
        command: GrantCommand,
    },
    /// Mount MCP servers of others: their tools become governed tools. Needs the operator.
    Mount {
        #[command(subcommand)]
        command: MountCommand,
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
    #[command(after_help = "Example: jarvis completions bash > ~/.local/share/bash-completion/completions/jarvis")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// Every command with those below it.
    fn every(command: clap::Command) -> Vec<clap::Command> {
        let below = command.get_subcommands().cloned().flat_map(every).collect();
        [vec![command], below].concat()
    }

    /// The words of a line as a shell would pass them.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut quote) = (vec!["jarvis".to_owned(), String::new()], None);
        for character in line.chars() {
            match (character, quote) {
                ('"' | '\'', None) => quote = Some(character),
                (_, Some(open)) if open == character => quote = None,
                (' ', None) => words.push(String::new()),
                _ => words.last_mut().unwrap().push(character),
            }
        }
        words
    }

    #[test]
    fn the_words_hold_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_and_every_word_of_it_says_what_it_does_in_one_line() {
        for command in every(Arguments::command()).iter().skip(1) {
            let name = command.get_name();
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(about.len() > 10 && about.len() <= 120 && !about.contains('\n'), "{name}: {about}");
            for word in command.get_arguments() {
                assert!(word.get_help().is_some(), "{name} {}", word.get_id());
            }
        }
    }

    #[test]
    fn every_example_in_the_help_can_be_typed() {
        let mut typed = 0;
        for command in every(Arguments::command()) {
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in after.lines().map(|line| line.trim().trim_start_matches("Example: ")) {
                let Some(line) = line.strip_prefix("jarvis ") else { continue };
                let words = words(line.split(" > ").next().unwrap_or_default());
                Arguments::try_parse_from(&words).unwrap_or_else(|error| panic!("{words:?}: {error}"));
                typed += 1;
            }
        }
        assert!(typed >= 12, "{typed}");
    }
}
