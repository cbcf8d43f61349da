//! The words of the command line.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueHint};

use super::secret::SecretCommand;

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

const TIERS: [&str; 4] = ["green", "yellow", "orange", "red"];
const JOB_STATES: [&str; 9] = ["all", "open", "queued", "running", "waiting", "done", "failed", "cancelled", "unknown"];
/// Longest wait that the server grants, in seconds.
const LONGEST_WAIT: i64 = 50;

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
        JARVIS_BACKUP_PASSPHRASE or --recipient encrypts it with age. PostgreSQL is backed up with pg_dump.")]
    Backup(BackupWanted),
    /// Make a data directory out of a backup, in the place that --data names.
    #[command(after_help = "Example: jarvis restore /mnt/nas/jarvis-2026-11-20.backup --data ~/jarvis-restored")]
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

#[derive(Debug, Args)]
pub(super) struct JobsWanted {
    /// Only those in this state.
    #[arg(long, default_value = "all", value_parser = PossibleValuesParser::new(JOB_STATES))]
    pub(super) state: String,
    /// How many, at most 200.
    #[arg(long, short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(super) lines: u32,
    /// Only those before this job.
    #[arg(long, value_name = "ID")]
    pub(super) before: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum JobCommand {
    /// Hand in a call of a tool; the gate decides it when it runs.
    #[command(after_help = "Example: jarvis job start docker_pull '{\"image\":\"nginx:1.27\"}' --follow")]
    Start(JobWanted),
    /// Show one job.
    Show {
        /// Id of the job.
        #[arg(value_name = "ID")]
        job: String,
        /// Wait so many seconds for its end, at most 50.
        #[arg(long, default_value_t = 0, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=LONGEST_WAIT))]
        wait: u32,
    },
    /// Print what a job puts out until it has ended, also over restarts of the server.
    #[command(after_help = "Ends like `jarvis call`: 0 done, 1 failed, cancelled or unknown.")]
    Output {
        /// Id of the job.
        #[arg(value_name = "ID")]
        job: String,
        /// Go on after this piece.
        #[arg(long, default_value_t = 0, value_name = "NUMBER")]
        after: u64,
    },
    /// Stop a job: one that has not begun ends at once.
    Cancel {
        /// Id of the job.
        #[arg(value_name = "ID")]
        job: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct JobWanted {
    /// Name of the tool.
    pub(super) tool: String,
    /// Arguments as a JSON object.
    #[arg(default_value = "{}", value_name = "JSON")]
    pub(super) args: String,
    /// Idempotency key: the same key and call are the same job.
    #[arg(long)]
    pub(super) key: Option<String>,
    /// Print what it puts out until it has ended.
    #[arg(long, short)]
    pub(super) follow: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum ScheduleCommand {
    /// Make one; its runs are jobs of whoever made it.
    #[command(after_help = "Example: jarvis schedule add nightly --cron \"30 4 * * *\" --zone Europe/Berlin \
        docker_restart '{\"container\":\"web\"}'")]
    Add(ScheduleWanted),
    /// Let it rest.
    Pause {
        /// Id of the schedule.
        #[arg(value_name = "ID")]
        schedule: String,
    },
    /// Let it run again.
    Resume {
        /// Id of the schedule.
        #[arg(value_name = "ID")]
        schedule: String,
    },
    /// Remove it; jobs that it has submitted stay.
    Remove {
        /// Id of the schedule.
        #[arg(value_name = "ID")]
        schedule: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct ScheduleWanted {
    /// Name for people.
    pub(super) name: String,
    /// Minute, hour, day of the month, month, day of the week.
    #[arg(long, value_name = "FIELDS")]
    pub(super) cron: String,
    /// IANA time zone.
    #[arg(long, default_value = "UTC", value_name = "ZONE")]
    pub(super) zone: String,
    /// Make up for so many runs that were missed while Jarvis was not there; 0 leaves them out.
    #[arg(long, default_value_t = 0, value_name = "RUNS", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub(super) catch_up: u32,
    /// Name of the tool.
    pub(super) tool: String,
    /// Arguments as a JSON object.
    #[arg(default_value = "{}", value_name = "JSON")]
    pub(super) args: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Print the newest rows, oldest first.
    #[command(after_help = "Example: jarvis audit tail -n 50 --follow")]
    Tail {
        /// How many, at most 500.
        #[arg(long, short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=500))]
        lines: u32,
        /// Go on as rows are written, also over restarts of the server; Ctrl-C ends it.
        #[arg(long, short)]
        follow: bool,
    },
    /// Check every row, every kept body and the seal; without a server, on the files themselves.
    Verify,
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make one; its secret is printed once.
    #[command(after_help = "Examples: jarvis token create ide --ceiling yellow --target 'web*' --expires 30d\n\
                                       jarvis token create wall --role viewer")]
    Create(TokenWanted),
    /// List them, revoked ones too.
    List,
    /// Revoke one; what it holds open ends at once.
    #[command(after_help = "Example: jarvis token revoke tok_01m7y712k7etmvpk3cb77ryrd6")]
    Revoke {
        /// Id of the token, as `jarvis token list` shows it.
        #[arg(value_name = "ID")]
        token: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum SessionCommand {
    /// List those that are open: from where, since when, and when each was last used.
    List,
    /// End one; what it holds open ends at once.
    #[command(after_help = "Example: jarvis session revoke sess_01m7y712k7etmvpk3cb77ryrd6")]
    Revoke {
        /// Id of the session, as `jarvis session list` shows it.
        #[arg(value_name = "ID", required_unless_present = "all")]
        session: Option<String>,
        /// End all of them.
        #[arg(long, conflicts_with = "session")]
        all: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct TokenWanted {
    /// Name for people.
    pub(super) name: String,
    /// `client` unless said otherwise; `approver` also decides approvals, and cannot be used over MCP; `viewer` only
    /// reads; `guest` asks green things on its targets.
    #[arg(long, value_parser = ["client", "approver", "viewer", "guest"])]
    pub(super) role: Option<String>,
    /// Highest tier that it may ask for; that of a viewer and a guest is green.
    #[arg(long, value_name = "TIER", value_parser = PossibleValuesParser::new(TIERS))]
    #[arg(required_unless_present = "role", required_if_eq_any([("role", "client"), ("role", "approver")]))]
    pub(super) ceiling: Option<String>,
    /// Let the client's own form confirm up to this tier.
    #[arg(long, value_name = "TIER", value_parser = ["yellow", "orange"])]
    pub(super) confirm: Option<String>,
    /// Name of a target that it may call on, or a pattern with `*` and `?`, or a whole id; again for more. Left out: all.
    #[arg(long = "target", value_name = "NAME")]
    pub(super) targets: Vec<String>,
    /// It ends by itself after this time; left out: when it is revoked.
    #[arg(long = "expires", value_name = "30m|8h|30d", value_parser = life)]
    pub(super) minutes: Option<u32>,
    /// Most requests a minute; left out: no limit, but 30 for a guest.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub(super) per_minute: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(super) enum MountCommand {
    /// List the servers, how they are, and how many tools of theirs wait to be reviewed.
    List,
    /// Show the tools of a server in its own words.
    Show {
        /// Name of the server.
        #[arg(value_name = "NAME")]
        server: String,
    },
    /// Mount a server, or change how one is reached. Its tools are red until they are reviewed.
    #[command(
        after_help = "Examples: jarvis mount add notes --url http://192.168.1.20:8000/mcp --key secret://notes\n\
                                       jarvis mount add files --reads /srv/media -- mcp-server-filesystem /srv/media"
    )]
    Add(MountWanted),
    /// Give tools of a server their tiers, each as `show` told what it is.
    #[command(
        after_help = "Example: jarvis mount review files --tier green read_file@3f9a12c4 list_directory@b01d77e9"
    )]
    Review {
        /// Name of the server.
        #[arg(value_name = "NAME")]
        server: String,
        /// What calls of them are: green, yellow, orange or red. `none` makes them tools that nobody has reviewed.
        #[arg(long)]
        tier: String,
        /// What the server calls them, with the first eight digits behind `@` that `show` told: so that nothing is let that
        /// was changed since.
        #[arg(value_name = "TOOL@DIGEST", required = true)]
        tools: Vec<String>,
    },
    /// Reach a server again now that would be tried later.
    Retry {
        /// Name of the server.
        #[arg(value_name = "NAME")]
        server: String,
    },
    /// Take a server away, with all that was said of its tools.
    Remove {
        /// Name of the server.
        #[arg(value_name = "NAME")]
        server: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct MountWanted {
    /// Name of the server, and the beginning of its tools' names: 1 to 24 of a-z and 0-9.
    #[arg(value_name = "NAME")]
    pub(super) server: String,
    /// Address of a server that speaks Streamable HTTP.
    #[arg(long, conflicts_with = "program", required_unless_present = "program")]
    pub(super) url: Option<String>,
    /// Its bearer token, as `secret://NAME`.
    #[arg(long, value_name = "SECRET", requires = "url")]
    pub(super) key: Option<String>,
    /// A folder that the program may read, beside programs and libraries.
    #[arg(long, value_name = "FOLDER")]
    pub(super) reads: Vec<String>,
    /// A folder that it may change.
    #[arg(long, value_name = "FOLDER")]
    pub(super) writes: Vec<String>,
    /// It may reach the network.
    #[arg(long)]
    pub(super) network: bool,
    /// A variable of it, NAME=VALUE; the value may be `secret://NAME`.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) env: Vec<String>,
    /// Longest time of a call, 1 to 540.
    #[arg(long, default_value_t = 60)]
    pub(super) seconds: u64,
    /// The program and its arguments, after `--`.
    #[arg(last = true, value_name = "PROGRAM")]
    pub(super) program: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum GrantCommand {
    /// Give one: a number of calls, for a time. Red calls are asked all the same.
    #[command(after_help = "Examples: jarvis grant create docker_stop --target web --calls 5 --for 8h\n\
                                       jarvis grant create --of appr_01m7y712k7etmvpk3cb77ryrd6 --try")]
    Create(GrantWanted),
    /// List them, those that have ended too.
    List,
    /// Take one back. What it has let begin goes on.
    #[command(after_help = "Example: jarvis grant revoke grant_01m7y712k7etmvpk3cb77ryrd6")]
    Revoke {
        /// Id of the grant, as `jarvis grant list` shows it.
        #[arg(value_name = "ID")]
        grant: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct GrantWanted {
    /// Name of a tool, or a pattern with `*` and `?`.
    #[arg(required_unless_present = "of", conflicts_with = "of")]
    pub(super) tool: Option<String>,
    /// Exactly what this card asked: the same call of the same caller on the same target.
    #[arg(long, value_name = "APPROVAL", conflicts_with_all = ["target", "target_id", "actor", "when", "like"])]
    pub(super) of: Option<String>,
    /// Name of the target, or a pattern; left out: any. Another thing may come to bear the same name.
    #[arg(long, value_name = "NAME")]
    pub(super) target: Option<String>,
    /// Whole id of the target, as a card shows it.
    #[arg(long, value_name = "ID")]
    pub(super) target_id: Option<String>,
    /// Id of whoever calls, as the history shows it; left out: any.
    #[arg(long, value_name = "ID")]
    pub(super) actor: Option<String>,
    /// An argument and its value, as JSON or as text; may be given several times.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) when: Vec<String>,
    /// An argument that is a text, and a pattern; may be given several times.
    #[arg(long, value_name = "NAME=PATTERN")]
    pub(super) like: Vec<String>,
    /// Most calls that it lets through.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) calls: u32,
    /// How long it lives, at most 30d.
    #[arg(long = "for", value_name = "30m|8h|7d", default_value = "24h", value_parser = minutes)]
    pub(super) minutes: u32,
    /// Give nothing: tell which questions of the past it would have answered.
    #[arg(long = "try")]
    pub(super) only_try: bool,
}

/// How long a grant may be.
fn minutes(text: &str) -> Result<u32, String> {
    time(text, 30)
}

/// How long a token may be.
fn life(text: &str) -> Result<u32, String> {
    time(text, 5 * 365)
}

fn time(text: &str, days: u32) -> Result<u32, String> {
    let wrong = || format!("`{text}` is no time; use minutes, hours or days: 30m, 8h, 7d, at most {days}d");
    let unit = match text.chars().last() {
        Some('m') => 1,
        Some('h') => 60,
        Some('d') => 24 * 60,
        _ => return Err(wrong()),
    };
    let number: u32 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    number.checked_mul(unit).filter(|minutes| (1..=days * 24 * 60).contains(minutes)).ok_or_else(wrong)
}

#[derive(Debug, Args)]
pub(super) struct BackupWanted {
    /// The file to write; nothing may be there.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) file: PathBuf,
    /// Also what the file tools keep: `files/` and `trash/`.
    #[arg(long)]
    pub(super) files: bool,
    /// Encrypt it for the holder of this age key.
    #[arg(long, value_name = "AGE_KEY")]
    pub(super) recipient: Option<String>,
    /// Write it although the audit is not whole.
    #[arg(long)]
    pub(super) damaged: bool,
}

#[derive(Debug, Args)]
pub(super) struct RestoreWanted {
    /// The backup.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) file: PathBuf,
    /// File with the age key that it was encrypted for.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) identity: Option<PathBuf>,
    /// Restore it although the audit is not whole.
    #[arg(long)]
    pub(super) damaged: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum OperatorCommand {
    /// Forget the password and print a new one-time link; the server must have ended.
    #[command(after_help = "Example: systemctl stop jarvis && jarvis operator reset && systemctl start jarvis")]
    Reset,
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
