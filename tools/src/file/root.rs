//! The folders that may be entered, and what a path that somebody wrote means.

use std::path::{Component, Path, PathBuf};

use jarvis_safety::plain::visible;
use jarvis_safety::setting::Settings;
use jarvis_safety::tool::ToolError;

use super::fault::{closed, invalid};

/// Longest path that is looked at, in bytes: what Linux takes.
const LONGEST: usize = 4095;

/// One folder that may be entered.
#[derive(Debug, Clone)]
pub(super) struct Root {
    /// Canonical.
    pub(super) path: PathBuf,
    /// As the operator wrote it: people name files by that.
    given: PathBuf,
    /// Whether files below may be changed.
    pub(super) write: bool,
    /// `DATA/files`: relative paths begin here.
    pub(super) own: bool,
}

/// All of them.
pub(super) struct Roots {
    list: Vec<Root>,
    gone: Vec<String>,
}

impl Roots {
    /// The roots of these settings. One that is not there, or lies in the data directory, is left out.
    pub(super) fn now(data: &Path, settings: &Settings) -> Self {
        let own = data.join("files");
        let mut roots =
            Self { list: vec![Root { path: own.clone(), given: own, write: true, own: true }], gone: Vec::new() };
        for root in &settings.roots {
            let given = PathBuf::from(&root.path);
            match given.canonicalize() {
                Ok(path) if path.is_dir() && given.is_absolute() && !path.starts_with(data) => {
                    roots.list.push(Root { path, given, write: root.write, own: false });
                }
                _ => roots.gone.push(visible(&root.path)),
            }
        }
        roots
    }

    /// The root that a wish lies in, and the rest of the path below it.
    pub(super) fn asked(&self, path: &str) -> Result<(&Root, PathBuf), ToolError> {
        let wish = plain(path)?;
        let Some(root) = self.list.first().filter(|_| !wish.is_absolute()) else {
            return self.entered(path, &wish);
        };
        Ok((root, wish))
    }

    fn entered(&self, path: &str, wish: &Path) -> Result<(&Root, PathBuf), ToolError> {
        let found = self.list.iter().flat_map(|root| [(root, &root.path), (root, &root.given)]);
        let found = found.filter_map(|(root, path)| {
            let rest = wish.strip_prefix(path).ok()?;
            Some((path.components().count(), root, rest.to_owned()))
        });
        let best = found.max_by_key(|(depth, ..)| *depth);
        best.map(|(_, root, rest)| (root, rest)).ok_or_else(|| self.outside(path))
    }

    /// The root that a canonical path lies in: the deepest one, so that a folder inside another keeps its own rights.
    pub(super) fn holding(&self, absolute: &Path) -> Result<(&Root, PathBuf), ToolError> {
        let found = self.list.iter().filter(|root| absolute.starts_with(&root.path));
        let best = found.max_by_key(|root| root.path.components().count());
        let best = best.and_then(|root| Some((root, absolute.strip_prefix(&root.path).ok()?.to_owned())));
        best.ok_or_else(|| self.outside(&absolute.to_string_lossy()))
    }

    /// How a file is named in answers: below `DATA/files` without it, elsewhere in full.
    pub(super) fn shown(root: &Root, rest: &Path) -> Result<String, ToolError> {
        let path = if root.own { rest.to_owned() } else { root.path.join(rest) };
        let text = path.to_str().ok_or_else(|| {
            invalid("that path leads to a name that is not UTF-8; rename it before Jarvis can work with it")
        })?;
        // Joining an empty rest leaves a `/` at the end; the root `/` is nothing else.
        let shown = match text.trim_end_matches('/') {
            "" if root.own => ".",
            "" => "/",
            shown => shown,
        };
        Ok(shown.to_owned())
    }

    fn outside(&self, path: &str) -> ToolError {
        let folders = self.list.iter().filter(|root| !root.own).take(8);
        let folders: Vec<_> = folders.map(|root| visible(&root.given.to_string_lossy())).collect();
        let also = if folders.is_empty() { String::new() } else { format!(" and {}", folders.join(", ")) };
        let gone = match self.gone.as_slice() {
            [] => String::new(),
            gone => format!(" (not there now: {})", gone.join(", ")),
        };
        closed(format!(
            "`{}` is outside the folders that Jarvis may enter: his own files{also}{gone}. The operator can add a \
             folder in the settings",
            visible(path)
        ))
    }
}

/// A path without `.`; one with `..` is refused, because across links it means something else than it shows.
fn plain(path: &str) -> Result<PathBuf, ToolError> {
    if path.contains('\0') || path.len() > LONGEST {
        return Err(invalid(format!("a path has at most {LONGEST} bytes and no zero byte")));
    }
    if path == "~" || path.starts_with("~/") {
        return Err(invalid("`~` is not understood; name the folder in full"));
    }
    let mut plain = PathBuf::new();
    for component in Path::new(path).components() {
        match component {
            Component::ParentDir => {
                return Err(invalid("`..` is not followed; name the path from a folder that Jarvis may enter"));
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use jarvis_safety::setting::Root as Set;

    use super::*;

    #[test]
    fn a_path_with_two_dots_is_refused_wherever_they_stand() {
        for path in ["..", "../x", "a/../../x", "/a/..", "./.."] {
            assert!(plain(path).is_err(), "{path}");
        }
        assert_eq!(plain("./a//b/.").unwrap(), Path::new("a/b"));
        assert_eq!(plain("...").unwrap(), Path::new("..."));
    }

    #[test]
    fn the_deepest_root_decides_and_neighbours_do_not_match() {
        let place = tempfile::tempdir().unwrap();
        let top = place.path().canonicalize().unwrap();
        for folder in ["data/files", "srv/inner", "srvx"] {
            std::fs::create_dir_all(top.join(folder)).unwrap();
        }
        let set = |path: &str, write| Set { path: top.join(path).to_string_lossy().into_owned(), write };
        let roots = vec![set("srv", true), set("srv/inner", false), set("data", true), set("data/files", true)];
        let settings = Settings { roots, ..Settings::default() };
        let roots = Roots::now(&top.join("data"), &settings);
        let (root, rest) = roots.holding(&top.join("srv/inner/a")).unwrap();
        assert_eq!((root.write, rest.as_path()), (false, Path::new("a")));
        assert!(roots.holding(&top.join("srv/b")).unwrap().0.write);
        assert!(roots.holding(&top.join("srvx/b")).is_err());
        assert!(roots.holding(&top.join("data/key")).is_err(), "a root cannot open the data directory");
        assert!(roots.holding(&top.join("data/files/a")).unwrap().0.own);
    }
}
