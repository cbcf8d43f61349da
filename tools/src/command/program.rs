//! The program that a command names: found in fixed places, judged, and bound to the very file that was seen.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::tool::{ToolError, ToolErrorKind};

use super::reach::is_plain;

/// Where a bare name is looked for. Nothing that a path variable says is looked at.
const FOLDERS: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// The same as a variable, for programs that begin others.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// May be written by its group or by everybody.
const SHARED: u32 = 0o022;
const EXECUTABLE: u32 = 0o111;
/// Folders like /tmp, where only the owner of a file may replace it.
const STICKY: u32 = 0o1000;

/// A program that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    /// Changes whenever the file does.
    pub(super) stamp: String,
}

/// Finds a program by its name in the system's folders, or by its whole path.
pub(super) fn find(name: &str) -> Result<Program, ToolError> {
    let shown = visible(&shorten(name, 200));
    let path = if name.contains('/') {
        let path = PathBuf::from(name);
        if !is_plain(&path) {
            return Err(invalid(format!("`{shown}` is not an absolute path without `.` and `..`")));
        }
        path
    } else {
        let places = FOLDERS.iter().map(|folder| Path::new(folder).join(name));
        let found = places.into_iter().find(|path| !name.is_empty() && path.is_file());
        found.ok_or_else(|| {
            let said = format!("there is no program `{shown}` in {PATH}; install it, or give its whole path");
            ToolError::new(ToolErrorKind::NotFound, said)
        })?
    };
    judged(path)
}

/// What others can change is nobody's program: it would be whatever they make of it between the question and the answer.
fn judged(path: PathBuf) -> Result<Program, ToolError> {
    let shown = visible(&path.to_string_lossy());
    let unreadable = |error: std::io::Error| {
        ToolError::new(ToolErrorKind::NotFound, format!("`{shown}` cannot be run here: {error}"))
    };
    let real = path.canonicalize().map_err(unreadable)?;
    let seen = real.metadata().map_err(unreadable)?;
    if !seen.is_file() || seen.mode() & EXECUTABLE == 0 {
        return Err(invalid(format!("`{shown}` is no program: a file that may be executed")));
    }
    let own = rustix::process::geteuid().as_raw();
    for place in real.ancestors() {
        let seen = place.metadata().map_err(unreadable)?;
        let open = seen.mode() & SHARED != 0 && !(seen.is_dir() && seen.mode() & STICKY != 0);
        if open || ![0, own].contains(&seen.uid()) {
            let place = visible(&place.to_string_lossy());
            let said = format!(
                "`{shown}` is not run: others can change {place}. Let only root or Jarvis's user write there (chmod go-w)"
            );
            return Err(ToolError::new(ToolErrorKind::NotPermitted, said));
        }
    }
    let stamp = format!("{:x}-{:x}-{:x}.{:x}", seen.dev(), seen.ino(), seen.ctime(), seen.ctime_nsec());
    Ok(Program { path, stamp })
}

fn invalid(said: String) -> ToolError {
    ToolError::new(ToolErrorKind::Invalid, said)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_name_is_looked_for_in_the_systems_folders_alone() {
        let found = find("df").unwrap();
        assert!(FOLDERS.iter().any(|folder| found.path.starts_with(folder)), "{found:?}");
        for name in ["", "no-such-program-here", "df -h", ".."] {
            assert_eq!(find(name).unwrap_err().kind, ToolErrorKind::NotFound, "{name}");
        }
        for name in ["./df", "../bin/df", "bin/df", "/usr/bin/../bin/df"] {
            assert_eq!(find(name).unwrap_err().kind, ToolErrorKind::Invalid, "{name}");
        }
    }

    #[test]
    fn what_others_can_change_is_not_run_and_a_change_is_seen() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("act");
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        mode(0o644);
        assert_eq!(find(path.to_str().unwrap()).unwrap_err().kind, ToolErrorKind::Invalid);
        mode(0o777);
        let refused = find(path.to_str().unwrap()).unwrap_err();
        assert_eq!(refused.kind, ToolErrorKind::NotPermitted);
        assert!(refused.message.contains("chmod go-w"), "{}", refused.message);
        mode(0o755);
        let before = find(path.to_str().unwrap()).unwrap();
        std::fs::write(&path, "#!/bin/sh\nexit 1\n").unwrap();
        assert_ne!(find(path.to_str().unwrap()).unwrap().stamp, before.stamp);
    }
}
