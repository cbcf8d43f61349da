//! The journal of systemd, by `journalctl --output=json`, newest first.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use futures_util::StreamExt as _;
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::tool::{ToolError, ToolErrorKind};
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::time::Instant;
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};

use super::line::{Line, Newest, Priority};
use crate::system::user;

/// Where the program may be. Nothing that a path variable says is looked at.
const PLACES: [&str; 2] = ["/usr/bin/journalctl", "/bin/journalctl"];
const FIELDS: &str = "MESSAGE,PRIORITY,UNIT,_SYSTEMD_UNIT,SYSLOG_IDENTIFIER";
/// Longest reading. A search may have to go through gigabytes.
const TIME: Duration = Duration::from_secs(15);
/// Longest entry as JSON, in bytes; longer ones are left out.
const MAX_ENTRY: usize = 1024 * 1024;
/// Complaints that are read, in bytes.
const MAX_COMPLAINT: u64 = 4096;

/// What to read.
#[derive(Debug, Clone, Default)]
pub(super) struct Query {
    pub(super) directory: Option<PathBuf>,
    pub(super) unit: Option<String>,
    pub(super) lines: usize,
    pub(super) minutes: Option<u32>,
    pub(super) search: Option<String>,
    pub(super) priority: Option<Priority>,
}

/// What was read.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) lines: Vec<Line>,
    pub(super) cut: bool,
    /// Why others may see more.
    pub(super) note: Option<String>,
}

/// Reads it.
pub(super) async fn read(query: &Query) -> Result<Found, ToolError> {
    let program = PLACES.into_iter().find(|place| Path::new(place).is_file()).ok_or_else(|| {
        unavailable("this machine has no journalctl; give `path` to read a log file instead".to_owned())
    })?;
    let mut child = Command::new(program)
        .args(arguments(query))
        .env_clear()
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| unavailable(format!("journalctl cannot be run: {error}")))?;
    let end = Instant::now() + TIME;
    let newest = collect(&mut child, query.lines, end).await;
    let (succeeded, complaint) = ended(child).await;
    if newest.is_empty() && complaint.is_empty() && query.directory.as_deref().is_some_and(holds_no_journal) {
        return Err(no_journal());
    }
    judge(newest, succeeded, &complaint)
}

/// Of a directory that it was given, journalctl does not say that it is empty. The files lie in it or one level below.
fn holds_no_journal(directory: &Path) -> bool {
    let listed = |path: &Path| {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.take(1000).map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let is_journal = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "journal");
    let here = listed(directory);
    !here.iter().any(is_journal) && !here.iter().any(|below| listed(below).iter().any(is_journal))
}

fn no_journal() -> ToolError {
    unavailable(
        "this machine keeps no journal that Jarvis can see; in a container, mount /var/log/journal and \
         /run/log/journal of the machine, or give `path` to read a log file"
            .to_owned(),
    )
}

fn arguments(query: &Query) -> Vec<String> {
    let mut arguments = vec![
        "--no-pager".to_owned(),
        "--output=json".to_owned(),
        "--all".to_owned(),
        "--reverse".to_owned(),
        format!("--output-fields={FIELDS}"),
        // One more than asked for tells whether there are older ones.
        format!("--lines={}", query.lines + 1),
    ];
    arguments.extend(query.directory.as_ref().map(|path| format!("--directory={}", path.display())));
    arguments.extend(query.unit.as_ref().map(|unit| format!("--unit={unit}")));
    arguments.extend(query.minutes.map(|minutes| format!("--since=-{minutes}min")));
    arguments.extend(query.priority.map(|priority| format!("--priority={}", priority.number())));
    if let Some(search) = &query.search {
        arguments.push("--case-sensitive=no".to_owned());
        arguments.push(format!("--grep={}", literal(search)));
    }
    arguments
}

/// The text itself as a regular expression (pcre2pattern(3), "Backslash").
fn literal(text: &str) -> String {
    format!("\\Q{}\\E", text.replace("\\E", "\\E\\\\E\\Q"))
}

/// Reads entries until there are enough, none are left, or the time is over.
async fn collect(child: &mut Child, limit: usize, end: Instant) -> Newest {
    let mut newest = Newest::default();
    let Some(output) = child.stdout.take() else { return newest };
    let mut entries = FramedRead::new(output, LinesCodec::new_with_max_length(MAX_ENTRY));
    loop {
        match tokio::time::timeout_at(end, entries.next()).await {
            Ok(None) => return newest,
            Ok(Some(Ok(entry))) => {
                let room = line(&entry).is_none_or(|line| newest.push(line, limit));
                if !room {
                    return newest;
                }
            }
            // A line that is too long is skipped; after anything else there is nothing more to come.
            Ok(Some(Err(LinesCodecError::MaxLineLengthExceeded))) => newest.leave_out(),
            Ok(Some(Err(LinesCodecError::Io(_)))) | Err(_) => {
                newest.leave_out();
                return newest;
            }
        }
    }
}

/// Ends the program and answers whether it succeeded, and what it complained about.
async fn ended(mut child: Child) -> (bool, String) {
    let mut complaint = Vec::new();
    let finish = async {
        if let Some(errors) = child.stderr.take() {
            // What cannot be read is no complaint.
            let _ = errors.take(MAX_COMPLAINT).read_to_end(&mut complaint).await;
        }
        child.wait().await.is_ok_and(|status| status.success())
    };
    // It may have been left in the middle of writing; dropping it then kills it.
    let succeeded = tokio::time::timeout(Duration::from_secs(1), finish).await.unwrap_or(true);
    (succeeded, String::from_utf8_lossy(&complaint).into_owned())
}

fn judge(newest: Newest, succeeded: bool, complaint: &str) -> Result<Found, ToolError> {
    let partial = complaint.contains("not seeing messages from other users");
    let closed = complaint.contains("insufficient permissions") || complaint.contains("Permission denied");
    if newest.is_empty() {
        if closed || partial {
            return Err(ToolError::new(ToolErrorKind::NotPermitted, missing_right()));
        }
        if complaint.contains("No journal files were found") || complaint.contains("No journal files were opened") {
            return Err(no_journal());
        }
        if complaint.contains("pattern matching support") {
            return Err(unavailable("this machine's journalctl cannot search; leave `search` out".to_owned()));
        }
        if !succeeded && !complaint.trim().is_empty() {
            let text = shorten(&visible(complaint.trim()), 300);
            return Err(ToolError::new(ToolErrorKind::Failed, format!("journalctl says: {text}")));
        }
    }
    let (lines, cut) = newest.finish();
    let note = (partial || closed).then(|| format!("Not everything is seen: {}", missing_right()));
    Ok(Found { lines, cut, note })
}

fn missing_right() -> String {
    let user = user::own();
    format!(
        "the user `{user}` may not read the whole journal. Add it to the group systemd-journal (`usermod -aG \
         systemd-journal {user}`) and start Jarvis again"
    )
}

fn unavailable(message: String) -> ToolError {
    ToolError::new(ToolErrorKind::Unavailable, message)
}

/// One entry (systemd.journal-fields(7)); `None` where it cannot be read.
fn line(entry: &str) -> Option<Line> {
    let entry: Value = serde_json::from_str(entry).ok()?;
    let text = |field: &str| entry.get(field).and_then(text);
    let micros = entry.get("__REALTIME_TIMESTAMP").and_then(Value::as_str);
    Some(Line {
        at: micros.and_then(|micros| micros.parse::<i64>().ok()).map(|micros| micros / 1000),
        // What systemd says about a service stands under `UNIT`, what a service says under `_SYSTEMD_UNIT`; the kernel
        // has neither.
        unit: text("UNIT").or_else(|| text("_SYSTEMD_UNIT")).or_else(|| text("SYSLOG_IDENTIFIER")),
        priority: text("PRIORITY").as_deref().and_then(Priority::of),
        text: text("MESSAGE").unwrap_or_default(),
    })
}

/// A field is a text; an array of bytes where it is not printable; an array of either where it stands there twice.
fn text(field: &Value) -> Option<String> {
    match field {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) if items.iter().all(Value::is_u64) => {
            let bytes: Vec<u8> = items.iter().filter_map(|item| u8::try_from(item.as_u64()?).ok()).collect();
            Some(String::from_utf8_lossy(&bytes).into_owned())
        }
        Value::Array(items) => Some(items.iter().filter_map(text).collect::<Vec<_>>().join(" ")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_message_is_read() {
        let entry = r#"{"__REALTIME_TIMESTAMP":"1795226661104015","UNIT":"a.service","_SYSTEMD_UNIT":"init.scope",
            "PRIORITY":"6","MESSAGE":"Started."}"#;
        let read = line(entry).unwrap();
        assert_eq!(read.at, Some(1_795_226_661_104));
        assert_eq!(read.unit.as_deref(), Some("a.service"));
        assert_eq!(read.priority, Some(Priority::Info));
        assert_eq!(line(r#"{"MESSAGE":[27,91,255,97]}"#).unwrap().text, "\u{1b}[\u{fffd}a");
        assert_eq!(line(r#"{"MESSAGE":["one",[116,119,111]]}"#).unwrap().text, "one two");
        assert_eq!(line(r#"{"MESSAGE":null}"#).unwrap().text, "");
        assert_eq!(line("-- No entries --"), None);
    }

    #[test]
    fn a_search_is_for_the_text_itself() {
        assert_eq!(literal("a.*b"), r"\Qa.*b\E");
        assert_eq!(literal(r"x\Ey"), r"\Qx\E\\E\Qy\E");
    }

    #[test]
    fn everything_reaches_journalctl_as_one_argument_each() {
        let query = Query {
            unit: Some("nginx.service".to_owned()),
            lines: 20,
            minutes: Some(5),
            search: Some("--rotate".to_owned()),
            priority: Some(Priority::Error),
            directory: Some("/j".into()),
        };
        let arguments = arguments(&query);
        for expected in [
            "--lines=21",
            "--unit=nginx.service",
            "--since=-5min",
            "--priority=3",
            r"--grep=\Q--rotate\E",
            "--directory=/j",
        ] {
            assert!(arguments.iter().any(|argument| argument == expected), "{expected} in {arguments:?}");
        }
        assert!(!arguments.iter().any(|argument| argument == "--rotate"));
    }

    #[test]
    fn a_missing_right_is_told_apart_from_an_empty_journal() {
        let closed = judge(Newest::default(), false, "No journal files were opened due to insufficient permissions.\n");
        let closed = closed.unwrap_err();
        assert_eq!(closed.kind, ToolErrorKind::NotPermitted);
        assert!(closed.message.contains("systemd-journal"), "{}", closed.message);
        let none = judge(Newest::default(), true, "No journal files were found.\n").unwrap_err();
        assert_eq!(none.kind, ToolErrorKind::Unavailable);
        assert!(judge(Newest::default(), true, "").unwrap().lines.is_empty());
    }
}
