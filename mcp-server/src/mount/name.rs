//! What tools of a mounted server are called here: `SERVER_TOOL`, at most 64 of `[a-z0-9_]`, no two the same.

use std::collections::BTreeMap;

use jarvis_safety::Digest;

/// Longest name that MCP clients take.
const LONGEST: usize = 64;
/// Characters of a digest that tell two names apart.
const MARK: usize = 8;

/// The names here, by those of the server.
pub(super) fn names<'a>(server: &str, tools: impl IntoIterator<Item = &'a str>) -> BTreeMap<&'a str, String> {
    let mut tools: Vec<_> = tools.into_iter().collect();
    // Who is called so exactly comes first, whatever else there is.
    tools.sort_unstable_by_key(|tool| (plain(tool) != *tool, *tool));
    let mut taken = BTreeMap::new();
    for tool in tools {
        let plain = format!("{server}_{}", plain(tool));
        let free = |name: &String| name.len() <= LONGEST && !taken.values().any(|known| known == name);
        let marked = (0..).map(|round| marked(&plain, tool, round));
        let name = std::iter::once(plain.clone()).chain(marked).find(free);
        taken.insert(tool, name.unwrap_or(plain));
    }
    taken
}

fn plain(tool: &str) -> String {
    let good = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    tool.chars().map(good).collect()
}

fn marked(plain: &str, tool: &str, round: u32) -> String {
    let mark = &Digest::of(format!("{round} {tool}").as_bytes()).as_str()[..MARK].to_owned();
    let kept = plain.len().min(LONGEST - MARK - 1);
    format!("{}_{mark}", &plain[..kept])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_a_name_of_its_own_that_every_client_takes() {
        let long = "x".repeat(200);
        let given = ["getUser", "get.user", "get user", "get_user", &long, "löschen", "a/b"];
        let named = names("lab", given);
        assert_eq!(named["get_user"], "lab_get_user");
        assert_eq!(named["getUser"], "lab_getuser");
        assert_eq!(named["löschen"], "lab_l_schen");
        assert!(named["get.user"].starts_with("lab_get_user_"), "{}", named["get.user"]);
        let mut all: Vec<_> = named.values().collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), given.len());
        assert!(all.iter().all(|name| jarvis_safety::foreign::name(name).is_ok()), "{all:?}");
    }
}
