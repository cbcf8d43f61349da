//! The data directory itself, for what is done while no server runs.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use jarvis_memory::{AUDIT_KEY, Database, OpenError, Store};
use jarvis_safety::secret::Redactor;

use crate::config;
use crate::serve::{SystemClock, open_store};

use super::connect::Connection;
use super::exit::{Exit, Result, Stop};

/// Opens what a server left there; `None` if none ever ran on it. Nothing is made where nothing is.
pub(super) async fn open(connection: &Connection) -> Result<Option<Store>> {
    let data = &*connection.data();
    let unreadable = |error| Stop::new(Exit::Failed, format!("{} cannot be read: {error}", data.display()));
    data.join(AUDIT_KEY).try_exists().map_err(unreadable)?;
    let database = config::database(data, &connection.environment).map_err(|error| Stop::invalid(error.to_string()))?;
    let ours = if matches!(database, Database::Directory) { "jarvis.db" } else { AUDIT_KEY };
    if !data.join(ours).try_exists().map_err(unreadable)? {
        return Ok(None);
    }
    must_be_own(data)?;
    match open_store(data, database, Arc::new(SystemClock), Redactor::default()).await {
        Ok(store) => Ok(Some(store)),
        Err(OpenError::InUse { holder, .. }) => Err(Stop {
            code: "data_in_use".to_owned(),
            ..Stop::new(
                Exit::Refused,
                format!(
                    "a server (process {holder}) runs on {}, and this needs it ended: press Ctrl-C where it runs, stop its \
                     service, or send that process a TERM signal; then run this again and start it anew. Nothing was \
                     changed. (`jarvis stop` is the kill switch and ends no server.)",
                    data.display()
                ),
            )
        }),
        Err(error) => Err(Stop { code: error.code().to_owned(), ..Stop::new(Exit::Failed, error.to_string()) }),
    }
}

/// Refuses the directory of another user. One that is not there is nobody's.
pub(super) fn must_be_own(data: &Path) -> Result<()> {
    let Ok(found) = std::fs::metadata(data) else { return Ok(()) };
    // Without a /proc nobody can tell, and then it is tried.
    let own = std::fs::metadata("/proc/self").map_or(found.uid(), |own| own.uid());
    check_owner(data, found.uid(), own)
}

/// Files that root makes in another's directory would keep its server from starting.
fn check_owner(data: &Path, owner: u32, own: u32) -> Result<()> {
    if owner == own {
        return Ok(());
    }
    let told = format!(
        "{} belongs to user {owner}, and what user {own} writes there its server could not read; run this as that user, \
         for example with `sudo -u '#{owner}'`",
        data.display()
    );
    Err(Stop::new(Exit::Refused, told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_of_a_data_directory_writes_into_it() {
        assert!(check_owner(Path::new("/var/lib/jarvis"), 990, 990).is_ok());
        let stop = check_owner(Path::new("/var/lib/jarvis"), 990, 0).unwrap_err();
        assert_eq!(stop.exit, Exit::Refused);
        assert!(stop.message.contains("sudo -u '#990'"), "{}", stop.message);
    }
}
