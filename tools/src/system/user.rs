//! Names of users and groups, and whose rights Jarvis has: messages about a missing right name both.

use std::collections::HashMap;
use std::fs;

use jarvis_safety::plain::{shorten, visible};

/// Users of this machine by number.
pub(crate) fn users() -> HashMap<u32, String> {
    names(&fs::read_to_string("/etc/passwd").unwrap_or_default())
}

/// Groups of this machine by number.
pub(crate) fn groups() -> HashMap<u32, String> {
    names(&fs::read_to_string("/etc/group").unwrap_or_default())
}

/// The user that this process acts as.
pub(crate) fn own() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let Some(uid) = effective(&status) else { return "unknown".to_owned() };
    users().remove(&uid).unwrap_or_else(|| uid.to_string())
}

/// `Uid:  real  effective  saved  file-system`
fn effective(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Both files begin `name:password:number`.
fn names(table: &str) -> HashMap<u32, String> {
    let row = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        Some((fields.nth(1)?.parse().ok()?, shorten(&visible(name), 40)))
    };
    table.lines().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_by_number() {
        let users = names("root:x:0:0:root:/root:/bin/bash\nbroken\nmedia:x:1001:1001::/:/bin/false\n");
        assert_eq!(users.get(&1001).map(String::as_str), Some("media"));
        assert_eq!(users.len(), 2);
    }

    #[test]
    fn rights_are_those_of_the_effective_user() {
        assert_eq!(effective("Name:\tjarvis\nUid:\t1000\t33\t33\t33\nGid:\t1\t1\t1\t1\n"), Some(33));
        assert_eq!(effective(""), None);
    }
}
