//! Errors as sentences that say what to do next.

use std::io;

use jarvis_safety::plain::visible;
use jarvis_safety::tool::{ToolError, ToolErrorKind};
use rustix::io::Errno;

use crate::doubt::in_doubt;

/// It makes no sense for this file.
pub(super) fn invalid(message: impl Into<String>) -> ToolError {
    ToolError::new(ToolErrorKind::Invalid, message)
}

/// It is not there.
pub(super) fn missing(shown: &str) -> ToolError {
    let shown = visible(shown);
    ToolError::new(ToolErrorKind::NotFound, format!("there is no `{shown}`; file_list shows what is there"))
}

/// Jarvis's own rules forbid it.
pub(super) fn closed(message: impl Into<String>) -> ToolError {
    ToolError::new(ToolErrorKind::NotPermitted, message)
}

/// It was tried and did not work.
pub(super) fn failed(message: impl Into<String>) -> ToolError {
    ToolError::new(ToolErrorKind::Failed, message)
}

/// The file is not the one that was looked at.
pub(super) fn changed(shown: &str) -> ToolError {
    let shown = visible(shown);
    failed(format!("`{shown}` was changed by somebody else in the meantime; nothing was done. Ask again"))
}

/// What the operating system said about a path.
pub(super) fn system(error: &io::Error, shown: &str) -> ToolError {
    let name = visible(shown);
    let code = error.raw_os_error().map(Errno::from_raw_os_error);
    match (error.kind(), code) {
        (io::ErrorKind::NotFound, _) => missing(shown),
        // cap-std answers a path that leads out of its root with this kind and without a number.
        (io::ErrorKind::PermissionDenied, None) | (_, Some(Errno::XDEV)) => closed(format!(
            "`{name}` leads through a link out of the folders that Jarvis may enter; name the real path instead"
        )),
        (_, Some(Errno::LOOP)) => {
            closed(format!("`{name}` is a link, or became one while it was looked at; name the real path instead"))
        }
        (_, Some(Errno::NOTDIR)) => invalid(format!("a part of `{name}` is a file and not a folder")),
        (_, Some(Errno::NAMETOOLONG)) => invalid("that name is longer than this machine can keep"),
        (_, Some(Errno::NOTEMPTY | Errno::EXIST)) => {
            invalid(format!("the folder `{name}` is not empty; remove what is in it first, file by file"))
        }
        (_, Some(Errno::ROFS)) => closed(format!("`{name}` lies on a disk that is mounted read-only")),
        (_, Some(Errno::NOSPC | Errno::DQUOT)) => {
            failed(format!("the disk is full; `{name}` was left as it was. Free some space and ask again"))
        }
        (io::ErrorKind::PermissionDenied, _) => closed(format!(
            "this machine does not let Jarvis's user do that to `{name}`; give that user the right to it, or run \
             Jarvis as a user that has it"
        )),
        _ => failed(format!("`{name}`: {error}")),
    }
}

/// What the operating system said about a change. What it refuses it has not done; a disk, or a server of files, that
/// breaks off in the middle may have done it.
pub(super) fn broke(error: &io::Error, shown: &str) -> ToolError {
    let told = system(error, shown);
    let full = matches!(error.raw_os_error().map(Errno::from_raw_os_error), Some(Errno::NOSPC | Errno::DQUOT));
    if told.kind == ToolErrorKind::Failed && !full { in_doubt(told) } else { told }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_in_doubt_when_the_disk_breaks_off_and_not_when_it_is_refused() {
        let kind = |code: Errno| broke(&code.into(), "a.txt").kind;
        for code in [Errno::IO, Errno::STALE, Errno::TIMEDOUT, Errno::REMOTEIO, Errno::INTR] {
            assert_eq!(kind(code), ToolErrorKind::Interrupted, "{code}");
        }
        for (code, sure) in [
            (Errno::NOSPC, ToolErrorKind::Failed),
            (Errno::DQUOT, ToolErrorKind::Failed),
            (Errno::ACCESS, ToolErrorKind::NotPermitted),
            (Errno::PERM, ToolErrorKind::NotPermitted),
            (Errno::ROFS, ToolErrorKind::NotPermitted),
            (Errno::NOENT, ToolErrorKind::NotFound),
            (Errno::NOTEMPTY, ToolErrorKind::Invalid),
        ] {
            assert_eq!(kind(code), sure, "{code}");
        }
    }
}
