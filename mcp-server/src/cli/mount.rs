//! `mount list`, `show`, `add`, `review`, `retry` and `remove`.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use jarvis_client::wire::{MountBody, MountInfo, MountList, MountedToolInfo, ReviewBody, ToolReview};
use jarvis_safety::plain::{shorten, visible};
use serde_json::json;

use super::call::path_segment;
use super::connect::Connection;
use super::exit::{Exit, Result, Stop};
use super::print::Printer;

/// Digits of a digest that name what was read.
const DIGEST: usize = 8;

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

/// `mount …`.
pub(super) async fn run(connection: &Connection, printer: &Printer, command: MountCommand) -> Result {
    match command {
        MountCommand::List => list(connection, printer).await,
        MountCommand::Show { server } => show(connection, printer, &server).await,
        MountCommand::Add(wanted) => add(connection, printer, wanted).await,
        MountCommand::Review { server, tier, tools } => review(connection, printer, &server, &tier, &tools).await,
        MountCommand::Retry { server } => {
            let path = format!("/api/mounts/{}/retry", path_segment(&server));
            let found: MountInfo = connection.operator().await?.post(&path, &json!({}), None).await?;
            printer.answer(&found, || format!("{server} is being reached."));
            Ok(Exit::Done)
        }
        MountCommand::Remove { server } => {
            connection.operator().await?.delete(&format!("/api/mounts/{}", path_segment(&server))).await?;
            printer.answer(&json!({ "removed": server }), || format!("{server} is taken away."));
            Ok(Exit::Done)
        }
    }
}

async fn list(connection: &Connection, printer: &Printer) -> Result {
    let list: MountList = connection.operator().await?.get("/api/mounts").await?;
    printer.answer(&list, || match list.mounts.is_empty() {
        true => "No MCP servers are mounted; `jarvis mount add` mounts one.".to_owned(),
        false => list.mounts.iter().map(line).collect::<Vec<_>>().join("\n"),
    });
    Ok(Exit::Done)
}

async fn show(connection: &Connection, printer: &Printer, server: &str) -> Result {
    let found = find(connection, server).await?;
    printer.answer(&found, || {
        let tools = found.tools.iter().map(tool);
        std::iter::once(line(&found)).chain(tools).collect::<Vec<_>>().join("\n\n")
    });
    Ok(Exit::Done)
}

async fn add(connection: &Connection, printer: &Printer, wanted: MountWanted) -> Result {
    let MountWanted { server, url, key, reads, writes, network, env, seconds, program } = wanted;
    let mut words = program.into_iter();
    let mut body =
        MountBody { url, key, reads, writes, network, seconds, program: words.next(), ..MountBody::default() };
    body.args = words.collect();
    for given in env {
        let Some((name, value)) = given.split_once('=') else {
            return Err(Stop::invalid("--env takes NAME=VALUE; nothing was mounted".to_owned()));
        };
        body.environment.insert(name.to_owned(), value.to_owned());
    }
    let path = format!("/api/mounts/{}", path_segment(&server));
    let kept: MountBody = connection.operator().await?.put(&path, &body).await?;
    printer.answer(&kept, || format!("{server} is mounted and being reached."));
    if !printer.is_json() {
        printer.remark(&format!(
            "Its tools are red until you have read them: `jarvis mount show {server}`, then `jarvis mount review {server} …`."
        ));
    }
    Ok(Exit::Done)
}

async fn review(connection: &Connection, printer: &Printer, server: &str, tier: &str, tools: &[String]) -> Result {
    let found = find(connection, server).await?;
    let tier = (tier != "none").then(|| tier.to_owned());
    let mut reviews = Vec::with_capacity(tools.len());
    for given in tools {
        let read = given.rsplit_once('@').filter(|(_, digest)| digest.len() >= DIGEST);
        let Some((name, digest)) = read else {
            return Err(Stop::invalid(format!(
                "`{given}` does not say what was read; `jarvis mount show {server}` tells it as TOOL@DIGEST"
            )));
        };
        let Some(tool) = found.tools.iter().find(|tool| tool.name == name) else {
            return Err(Stop::invalid(format!(
                "{server} has no tool `{name}`; `jarvis mount show {server}` lists them"
            )));
        };
        if !tool.digest.starts_with(digest) {
            return Err(Stop::invalid(format!(
                "`{name}` is not what was read any more; look at it again. Nothing was changed"
            )));
        }
        reviews.push(ToolReview { tool: tool.name.clone(), digest: tool.digest.clone(), tier: tier.clone() });
    }
    let body = ReviewBody { reviews };
    let path = format!("/api/mounts/{}/reviews", path_segment(server));
    let after: MountInfo = connection.operator().await?.post(&path, &body, None).await?;
    printer.answer(&after, || {
        let told = after.tools.iter().filter(|tool| body.reviews.iter().any(|given| given.tool == tool.name));
        told.map(|tool| format!("{} is {}", tool.call, standing(tool))).collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Done)
}

async fn find(connection: &Connection, server: &str) -> std::result::Result<MountInfo, Stop> {
    let list: MountList = connection.operator().await?.get("/api/mounts").await?;
    let found = list.mounts.into_iter().find(|mount| mount.name == server);
    found.ok_or_else(|| Stop::invalid(format!("there is no mounted server `{server}`; `jarvis mount list` lists them")))
}

fn line(mount: &MountInfo) -> String {
    let way = match (&mount.line.program, &mount.line.url) {
        (Some(program), _) => std::iter::once(program).chain(&mount.line.args).cloned().collect::<Vec<_>>().join(" "),
        (None, url) => url.clone().unwrap_or_default(),
    };
    let mut line = format!("{:<12} {:<10} {} tools", mount.name, mount.state, mount.tools.len());
    for (standing, words) in [("new", "to review"), ("changed", "changed and quarantined"), ("refused", "refused")] {
        let count = mount.tools.iter().filter(|tool| tool.standing == standing).count();
        if count > 0 {
            let _ = write!(line, ", {count} {words}");
        }
    }
    if let Some(server) = &mount.server {
        let _ = write!(line, "; calls itself {server}");
    }
    let _ = write!(line, "\n  {}", shorten(&way, 200));
    if let Some(why) = &mount.why {
        let _ = write!(line, "\n  {why}");
    }
    line
}

fn tool(tool: &MountedToolInfo) -> String {
    let digest = tool.digest.get(..DIGEST).unwrap_or_default();
    let mut told = format!("{}@{digest} ({}) {}\n  {}", tool.name, tool.call, standing(tool), tool.description);
    if let Some(before) = &tool.before {
        let _ = write!(told, "\n  Before: {before}");
    }
    if !tool.input.is_null() {
        let _ = write!(told, "\n  Arguments: {}", visible(&tool.input.to_string()));
    }
    told
}

fn standing(tool: &MountedToolInfo) -> String {
    match (tool.standing.as_str(), &tool.tier, &tool.why) {
        ("reviewed", Some(tier), _) => tier.clone(),
        ("changed", _, _) => "changed since it was reviewed: not called until you review it again".to_owned(),
        ("refused", _, Some(why)) => format!("refused: {why}"),
        _ => "red: nobody has reviewed it".to_owned(),
    }
}
