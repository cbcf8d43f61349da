//! Which targets an identity may call on.
//!
//! A restriction is worth only what it cannot be talked around: it is held in the gate, after the target was found and
//! before anything is decided, so that calls, plans, previews, jobs, schedules and what takes a call back meet the same
//! line. What is outside is refused and never asked: a person's yes to a card must not widen a token.
//!
//! A listing acts on the machine or the engine that it lists. It is not cut down to the targets: whoever shall list says
//! so with a pattern that fits that machine or engine.

use std::fmt;
use std::sync::Arc;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::pattern::glob;
use crate::plain::{shorten, visible};
use crate::refusal::{Code, Refusal};
use crate::target::Target;
use crate::tool::{ToolError, ToolErrorKind};

/// Most patterns of one identity.
const MOST: usize = 32;
/// Longest pattern, in characters.
const LONGEST: usize = 200;
/// Kinds of targets that are a caller's own: its jobs, and the tool that a job of it shall call. What such a job calls
/// comes to the gate by itself.
const OWN: [&str; 3] = ["job", "jobs", "tool"];

/// Patterns of targets; without any, all. Cheap to clone.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Reach(Option<Arc<Patterns>>);

struct Patterns {
    texts: Vec<String>,
    globs: Vec<Regex>,
}

impl Reach {
    /// Takes patterns in which `*` stands for anything and `?` for one character.
    ///
    /// # Errors
    /// Names the pattern that is none, and the bounds: at most 32 of 1 to 200 characters.
    pub fn new(patterns: Vec<String>) -> Result<Self, String> {
        if patterns.is_empty() {
            return Ok(Self(None));
        }
        if patterns.len() > MOST {
            return Err(format!(
                "there are {} targets; take at most {MOST}, with `*` and `?` where they help",
                patterns.len()
            ));
        }
        let globs = patterns.iter().map(|pattern| checked(pattern)).collect::<Result<_, _>>()?;
        Ok(Self(Some(Arc::new(Patterns { texts: patterns, globs }))))
    }

    /// The patterns as they were given.
    #[must_use]
    pub fn patterns(&self) -> &[String] {
        self.0.as_ref().map_or(&[], |patterns| &patterns.texts)
    }

    /// Whether this target is within. A pattern is held against the name. An id counts only where it is spelled out: it
    /// looks like chance, and a pattern would fit some ids that nobody meant.
    #[must_use]
    pub fn admits(&self, target: &Target) -> bool {
        OWN.contains(&target.kind.as_str()) || self.names(target)
    }

    /// The same, where the target may be another's: a card's.
    #[must_use]
    pub fn names(&self, target: &Target) -> bool {
        self.0.as_ref().is_none_or(|patterns| {
            patterns.globs.iter().any(|glob| glob.is_match(&target.name)) || patterns.texts.contains(&target.id)
        })
    }

    /// Lets through what was found, if it is within. What was not found is told in the same words as what is outside: the
    /// difference, and the names that a tool offers instead, would tell what there is.
    pub(crate) fn narrow(&self, found: Result<Target, ToolError>) -> Result<Result<Target, ToolError>, Refusal> {
        let Some(patterns) = &self.0 else { return Ok(found) };
        let within = match &found {
            Ok(target) => self.admits(target),
            Err(error) => !matches!(error.kind, ToolErrorKind::NotFound | ToolErrorKind::Invalid),
        };
        if within { Ok(found) } else { Err(outside(&patterns.texts)) }
    }
}

fn checked(pattern: &str) -> Result<Regex, String> {
    let length = pattern.chars().count();
    let shown = || shorten(&visible(pattern), 60);
    if !(1..=LONGEST).contains(&length) || pattern.chars().any(char::is_control) {
        return Err(format!(
            "the target `{}` has {length} characters; take 1 to {LONGEST}, none of them a control character",
            shown()
        ));
    }
    glob(pattern).ok_or_else(|| format!("`{}` is not a pattern; use letters, `*` and `?`", shown()))
}

fn outside(patterns: &[String]) -> Refusal {
    let said = format!(
        "nothing that this call names is among the targets of this identity ({}); name one of these, or use an identity \
         that reaches further. Nothing was done",
        shorten(&visible(&patterns.join(", ")), 300)
    );
    Refusal::new(Code::OutsideTargets, "targets", said)
}

impl TryFrom<Vec<String>> for Reach {
    type Error = String;

    fn try_from(patterns: Vec<String>) -> Result<Self, String> {
        Self::new(patterns)
    }
}

impl From<Reach> for Vec<String> {
    fn from(reach: Reach) -> Self {
        reach.patterns().to_vec()
    }
}

impl PartialEq for Reach {
    fn eq(&self, other: &Self) -> bool {
        self.patterns() == other.patterns()
    }
}

impl Eq for Reach {}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reach").field(&self.patterns()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(patterns: &[&str]) -> Reach {
        Reach::new(patterns.iter().map(|&pattern| pattern.to_owned()).collect()).unwrap()
    }

    #[test]
    fn without_patterns_everything_is_within() {
        let target = Target::new("container", "0123", "web");
        assert!(reach(&[]).admits(&target));
        assert!(reach(&[]).narrow(Ok(target)).unwrap().is_ok());
        assert!(reach(&["*"]).admits(&Target::new("host", "1", "any")));
    }

    #[test]
    fn a_name_fits_a_pattern_and_an_id_only_itself() {
        let web = Target::new("container", "db01", "web");
        assert!(reach(&["w*"]).admits(&web) && reach(&["x", "we?"]).admits(&web) && reach(&["db01"]).admits(&web));
        assert!(!reach(&["db*"]).admits(&web), "an id that begins like a name is chance");
        assert!(!reach(&["W*"]).admits(&web) && !reach(&["we"]).admits(&web));
        assert!(!reach(&["[w]eb", "{web}", "!db"]).admits(&web), "nothing but * and ? means more than itself");
    }

    #[test]
    fn what_is_outside_and_what_is_not_there_sound_the_same() {
        let narrow = reach(&["web*"]);
        let outside = narrow.narrow(Ok(Target::new("container", "1", "db"))).unwrap_err();
        let missing = ToolError::new(ToolErrorKind::NotFound, "there is db, and postgres");
        let missing = narrow.narrow(Err(missing)).unwrap_err();
        assert_eq!(outside, missing);
        assert_eq!(outside.code.as_str(), "outside_targets");
        let away = ToolError::new(ToolErrorKind::Unavailable, "no engine");
        assert!(narrow.narrow(Err(away)).unwrap().is_err(), "what is not there for anybody is told");
    }

    #[test]
    fn a_callers_own_jobs_are_within() {
        assert!(reach(&["web"]).admits(&Target::new("job", "job_1", "docker_stop")));
        assert!(!reach(&["web"]).admits(&Target::new("service", "nginx", "nginx")));
    }

    #[test]
    fn a_bad_pattern_is_named_with_what_to_take() {
        let error = |patterns: Vec<String>| Reach::new(patterns).unwrap_err();
        assert!(error(vec![String::new()]).contains("1 to 200"));
        assert!(error(vec!["a\u{1b}".to_owned()]).contains("control"));
        assert!(error(vec!["x".to_owned(); 33]).contains("at most 32"));
    }
}
