//! Log files under one directory, read from the end.
//!
//! The directory is opened once as a capability (cap-std): a path cannot climb out of it and a link cannot lead out of
//! it, whatever is swapped in between.

use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Component, Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, MetadataExt as _, OpenOptions, OpenOptionsExt as _};
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::tool::{ToolError, ToolErrorKind};

use super::line::{Line, Newest};
use crate::service::unit::near;
use crate::system::user;

/// How far back a file is read, in bytes.
const WINDOW: u64 = 4 * 1024 * 1024;
/// How far back it is searched.
const SEARCH_WINDOW: u64 = 32 * 1024 * 1024;
/// Names in a directory that are looked at for a near one.
const MAX_NAMES: usize = 2000;

/// A log file that is there, by its canonical path under the root.
pub(super) fn find(root: &Path, given: &str) -> Result<PathBuf, ToolError> {
    let relative = inside(root, given)?;
    let dir = open_root(root)?;
    let canonical = dir.canonicalize(&relative).map_err(|error| explain(&error, root, &dir, &relative))?;
    let meta = dir.metadata(&canonical).map_err(|error| explain(&error, root, &dir, &canonical))?;
    let shown = visible(&root.join(&canonical).to_string_lossy());
    if meta.is_dir() {
        let names = names(&dir, &canonical);
        let some: Vec<_> = names.iter().take(12).map(|name| visible(name)).collect();
        return Err(invalid(format!("{shown} is a directory; it holds: {}", some.join(", "))));
    }
    if !meta.is_file() {
        return Err(invalid(format!("{shown} is not a regular file")));
    }
    refuse_packed(&canonical)?;
    Ok(canonical)
}

/// The part of a path below the root.
fn inside(root: &Path, given: &str) -> Result<PathBuf, ToolError> {
    let shown = shorten(&visible(given), 120);
    let outside = || {
        invalid(format!(
            "only files under {} can be read here, and `{shown}` is not one; `file_read` reads the configured folders",
            root.display()
        ))
    };
    let path = Path::new(given);
    let relative = if path.is_absolute() { path.strip_prefix(root).map_err(|_| outside())? } else { path };
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !plain || relative.as_os_str().is_empty() || given.contains('\0') {
        return Err(outside());
    }
    Ok(relative.to_owned())
}

fn refuse_packed(path: &Path) -> Result<(), ToolError> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let shown = visible(&path.to_string_lossy());
    match extension.to_lowercase().as_str() {
        "gz" | "xz" | "zst" | "bz2" | "lz4" | "zip" => Err(invalid(format!(
            "`{shown}` is compressed; only the plain files are read. Name the newest one, without .{extension}"
        ))),
        "journal" => Err(invalid(format!("`{shown}` is a part of the journal: leave `path` out to read that"))),
        _ => Ok(()),
    }
}

fn open_root(root: &Path) -> Result<Dir, ToolError> {
    Dir::open_ambient_dir(root, ambient_authority()).map_err(|error| {
        ToolError::new(ToolErrorKind::Unavailable, format!("{} cannot be opened: {error}", root.display()))
    })
}

/// The newest lines of a file that was found before.
pub(super) fn read(
    root: &Path,
    path: &Path,
    limit: usize,
    search: Option<&str>,
) -> Result<(Vec<Line>, bool), ToolError> {
    let dir = open_root(root)?;
    let mut options = OpenOptions::new();
    // A pipe in the place of the file would otherwise hold up the reader for ever.
    options.read(true).custom_flags(nonblocking());
    let file = dir.open_with(path, &options).map_err(|error| explain(&error, root, &dir, path))?;
    let meta = file.metadata().map_err(|error| explain(&error, root, &dir, path))?;
    if !meta.is_file() {
        return Err(invalid(format!("{} is not a regular file", visible(&path.to_string_lossy()))));
    }
    let window = if search.is_some() { SEARCH_WINDOW } else { WINDOW };
    let (tail, whole) = tail(file, meta.len(), window).map_err(|error| explain(&error, root, &dir, path))?;
    if is_binary(&tail) {
        return Err(invalid(format!(
            "{} holds no text; a program of its own reads it",
            visible(&path.to_string_lossy())
        )));
    }
    Ok(newest(&tail, whole, limit, search))
}

fn nonblocking() -> i32 {
    i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default()
}

/// The end of a file, and whether that is all of it.
fn tail(mut file: File, length: u64, window: u64) -> std::io::Result<(Vec<u8>, bool)> {
    let begin = length.saturating_sub(window);
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(window).read_to_end(&mut bytes)?;
    Ok((bytes, begin == 0))
}

/// Some zeros stand in a text file after a crash of the machine; many stand in tables.
fn is_binary(bytes: &[u8]) -> bool {
    let zeros = bytes.iter().filter(|byte| **byte == 0).count();
    zeros * 10 > bytes.len()
}

fn newest(tail: &[u8], whole: bool, limit: usize, search: Option<&str>) -> (Vec<Line>, bool) {
    let wanted = search.map(str::to_lowercase);
    let mut newest = Newest::default();
    let mut rows = tail.strip_suffix(b"\n").unwrap_or(tail).rsplit(|byte| *byte == b'\n').peekable();
    while let Some(row) = rows.next() {
        // Of the first row only the end may be there.
        let torn = rows.peek().is_none() && !whole;
        if torn || tail.is_empty() {
            break;
        }
        let text = String::from_utf8_lossy(row.strip_suffix(b"\r").unwrap_or(row)).into_owned();
        if wanted.as_ref().is_some_and(|wanted| !text.to_lowercase().contains(wanted)) {
            continue;
        }
        if !newest.push(Line { at: None, unit: None, priority: None, text }, limit) {
            return newest.finish();
        }
    }
    if !whole {
        newest.leave_out();
    }
    newest.finish()
}

/// Names in a directory, sorted.
fn names(dir: &Dir, path: &Path) -> Vec<String> {
    let Ok(entries) = dir.read_dir(path) else { return Vec::new() };
    let entries = entries.take(MAX_NAMES).flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn explain(error: &std::io::Error, root: &Path, dir: &Dir, path: &Path) -> ToolError {
    let shown = visible(&root.join(path).to_string_lossy());
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            let wanted = path.file_name().unwrap_or_default().to_string_lossy();
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let near = near(&wanted, &names(dir, parent.unwrap_or_else(|| Path::new("."))));
            let hint =
                if near.is_empty() { String::new() } else { format!("; near to it: {}", visible(&near.join(", "))) };
            ToolError::new(ToolErrorKind::NotFound, format!("there is no log file {shown}{hint}"))
        }
        // The kernel's refusals have a number, those of cap-std have none.
        ErrorKind::PermissionDenied if error.raw_os_error().is_none() => {
            invalid(format!("{shown} leads out of {}; only what lies in it is read", root.display()))
        }
        ErrorKind::PermissionDenied => ToolError::new(ToolErrorKind::NotPermitted, denied(&shown, dir, path)),
        _ => ToolError::new(ToolErrorKind::Failed, format!("{shown} cannot be read: {error}")),
    }
}

/// Which right is missing: most log files may be read by a group.
fn denied(shown: &str, dir: &Dir, path: &Path) -> String {
    let user = user::own();
    let meta = dir.metadata(path).ok().filter(|meta| meta.mode() & 0o040 != 0);
    match meta.and_then(|meta| user::groups().remove(&meta.gid())) {
        Some(group) => format!(
            "the user `{user}` may not read {shown}. Add it to the group {group} (`usermod -aG {group} {user}`) and \
             start Jarvis again"
        ),
        None => format!("the user `{user}` may not read {shown}; only its owner may, so its owner must allow it"),
    }
}

fn invalid(message: String) -> ToolError {
    ToolError::new(ToolErrorKind::Invalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(found: &[Line]) -> Vec<&str> {
        found.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn the_newest_lines_come_oldest_first() {
        let (lines, cut) = newest(b"one\ntwo\r\nthree\n", true, 2, None);
        assert_eq!(texts(&lines), ["two", "three"]);
        assert!(cut);
        let (lines, cut) = newest(b"one\ntwo", true, 5, None);
        assert_eq!(texts(&lines), ["one", "two"]);
        assert!(!cut);
        assert!(newest(b"", true, 5, None).0.is_empty());
    }

    #[test]
    fn a_torn_first_row_is_left_out_and_said() {
        let (lines, cut) = newest(b"orn\nwhole\n", false, 5, None);
        assert_eq!(texts(&lines), ["whole"]);
        assert!(cut);
    }

    #[test]
    fn a_search_ignores_case_and_bytes_that_are_no_text() {
        let (lines, _) = newest(b"\xff Fehler\nok\nFEHLER 2\n", true, 5, Some("fehler"));
        assert_eq!(texts(&lines), ["\u{fffd} Fehler", "FEHLER 2"]);
    }

    #[test]
    fn paths_outside_are_refused_before_anything_is_opened() {
        let root = Path::new("/var/log");
        for path in
            ["/etc/passwd", "../../etc/passwd", "/var/log/../../etc/passwd", "/var/logs/x", "", "/var/log", "a\0b"]
        {
            assert!(inside(root, path).is_err(), "{path}");
        }
        assert_eq!(inside(root, "/var/log/nginx/error.log").unwrap(), Path::new("nginx/error.log"));
        assert_eq!(inside(root, "syslog").unwrap(), Path::new("syslog"));
    }
}
