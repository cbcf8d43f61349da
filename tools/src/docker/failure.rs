//! What a failed request to the engine means, in a sentence that says what to do.

use std::error::Error as StdError;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use bollard::errors::Error;
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::tool::{ToolError, ToolErrorKind};

use crate::doubt::in_doubt;

/// Longest text of the engine that is passed on.
const MAX_TEXT: usize = 400;

/// The error for people and models. `address` is where the engine should be.
pub(super) fn told(error: &Error, address: &str) -> ToolError {
    if let Some(io) = io_cause(error) {
        return of_io(io, address);
    }
    match error {
        Error::DockerResponseServerError { status_code, message } => {
            let kind = match status_code {
                400 => ToolErrorKind::Invalid,
                401 | 403 => ToolErrorKind::NotPermitted,
                404 => ToolErrorKind::NotFound,
                _ => ToolErrorKind::Failed,
            };
            ToolError::new(kind, format!("the Docker engine says: {}", text(message)))
        }
        Error::DockerStreamError { error } => {
            ToolError::new(ToolErrorKind::Failed, format!("the Docker engine says: {}", text(error)))
        }
        Error::SocketNotFoundError(_) => missing(address),
        Error::HyperLegacyError { .. } | Error::HyperResponseError { .. } | Error::RequestTimeoutError => {
            ToolError::new(
                ToolErrorKind::Unavailable,
                format!(
                    "the connection to Docker at {address} broke off ({error}); look whether the engine runs with \
                     `systemctl status docker`, then ask again"
                ),
            )
        }
        other => ToolError::new(
            ToolErrorKind::Failed,
            format!("the answer of Docker at {address} cannot be understood: {}", text(&other.to_string())),
        ),
    }
}

/// What a change that failed means: `Interrupted` if the engine may have made it all the same.
pub(super) fn of_change(error: &Error, address: &str) -> ToolError {
    match error {
        Error::DockerResponseServerError { status_code: 500.., .. } => in_doubt(told(error, address)),
        // Refused; or told by the engine in the midst of its answer that it gave up; or no connection came about.
        Error::DockerResponseServerError { .. } | Error::DockerStreamError { .. } | Error::SocketNotFoundError(_) => {
            told(error, address)
        }
        Error::HyperLegacyError { err } if err.is_connect() => told(error, address),
        _ => ToolError::new(
            ToolErrorKind::Interrupted,
            format!(
                "the connection to Docker at {address} broke off before it told what became of the request ({})",
                text(&error.to_string())
            ),
        ),
    }
}

/// Whether the engine itself answered that it failed (5xx). It does nothing more about that request.
pub(super) const fn is_fault(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 500.., .. })
}

/// The engine accepted the connection, or not even that, and then said nothing.
pub(super) fn silent(address: &str, waited: Duration) -> ToolError {
    ToolError::new(
        ToolErrorKind::Unavailable,
        format!(
            "Docker at {address} did not answer within {} s; look at it with `systemctl status docker`",
            waited.as_secs()
        ),
    )
}

/// A socket that is missing, closed to us, or that nobody listens on.
pub(super) fn of_io(error: &io::Error, address: &str) -> ToolError {
    match error.kind() {
        io::ErrorKind::NotFound => missing(address),
        io::ErrorKind::PermissionDenied => {
            let group = group_of(address).unwrap_or_else(|| "docker".to_owned());
            ToolError::new(
                ToolErrorKind::NotPermitted,
                format!(
                    "Jarvis may not open Docker's socket {address}: add the user that he runs as to the group \
                     `{group}` (`sudo usermod -aG {group} USER`, which gives it the rights of root) and start him anew"
                ),
            )
        }
        io::ErrorKind::ConnectionRefused => ToolError::new(
            ToolErrorKind::Unavailable,
            format!(
                "nothing listens at {address}: the Docker engine is not running; start it with `sudo systemctl start \
                 docker`"
            ),
        ),
        _ => ToolError::new(
            ToolErrorKind::Unavailable,
            format!(
                "Docker at {address} cannot be reached ({}); check the address and that the engine runs",
                text(&error.to_string())
            ),
        ),
    }
}

fn missing(address: &str) -> ToolError {
    ToolError::new(
        ToolErrorKind::Unavailable,
        format!(
            "Docker's socket {address} is not there: install Docker or start it with `sudo systemctl start docker`; if \
             its engine listens elsewhere, start Jarvis with DOCKER_HOST=unix:///path/to/docker.sock"
        ),
    )
}

/// One line of the engine's, which may hold names that strangers chose.
pub(super) fn text(message: &str) -> String {
    shorten(&visible(message.trim()), MAX_TEXT)
}

fn io_cause(error: &Error) -> Option<&io::Error> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(at) = cause {
        if let Some(io) = at.downcast_ref::<io::Error>() {
            return Some(io);
        }
        cause = at.source();
    }
    None
}

/// Name of the group that owns a socket.
fn group_of(path: &str) -> Option<String> {
    let gid = std::fs::metadata(path).ok()?.gid().to_string();
    let groups = std::fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == gid).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_socket_names_the_group_to_join() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let told = of_io(&denied, "/etc/passwd");
        assert_eq!(told.kind, ToolErrorKind::NotPermitted);
        assert!(told.message.contains("group `root`"), "{told}");
        assert!(of_io(&denied, "/nowhere").message.contains("group `docker`"));
    }

    #[tokio::test]
    async fn a_change_is_in_doubt_unless_it_was_refused_or_never_sent() {
        let answer = |status_code| Error::DockerResponseServerError { status_code, message: "said".to_owned() };
        let kind = |error: &Error| of_change(error, "/run/x").kind;
        assert_eq!(kind(&answer(404)), ToolErrorKind::NotFound);
        assert_eq!(kind(&answer(409)), ToolErrorKind::Failed);
        assert_eq!(kind(&answer(500)), ToolErrorKind::Interrupted);
        assert_eq!(kind(&answer(503)), ToolErrorKind::Interrupted);
        assert_eq!(kind(&Error::RequestTimeoutError), ToolErrorKind::Interrupted);
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(kind(&Error::IOError { err: reset }), ToolErrorKind::Interrupted);

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker.sock").display().to_string();
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let client = bollard::Docker::connect_with_unix(&path, 5, bollard::API_DEFAULT_VERSION).unwrap();
        let nobody = client.start_container("x", None).await.unwrap_err();
        assert_eq!(kind(&nobody), ToolErrorKind::Unavailable, "{nobody}");
    }

    #[test]
    fn what_the_engine_says_cannot_dress_up() {
        let error = Error::DockerResponseServerError { status_code: 409, message: "a\u{202e}b\n".to_owned() };
        let told = told(&error, "/run/x");
        assert_eq!(told.kind, ToolErrorKind::Failed);
        assert_eq!(told.message, r"the Docker engine says: a\u{202e}b");
    }
}
