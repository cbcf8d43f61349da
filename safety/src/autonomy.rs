//! How far Jarvis goes by himself: five levels, by capability and target.

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::pattern::glob;
use crate::target::Target;

/// The five levels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Level {
    /// Green only.
    Observe,
    /// Asks for everything above green.
    Suggest,
    /// Does what is yellow if a person's own words asked for it.
    OnRequest,
    /// Does what is yellow and reports.
    #[default]
    ActAndReport,
    /// Also does what is orange inside an approved plan.
    ActWithinPlan,
}

impl Level {
    /// All levels, rising.
    pub const ALL: [Self; 5] = [Self::Observe, Self::Suggest, Self::OnRequest, Self::ActAndReport, Self::ActWithinPlan];
}

impl TryFrom<u8> for Level {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        Self::ALL
            .get(usize::from(number))
            .copied()
            .ok_or_else(|| format!("{number} is no autonomy level; use 0 (observe) to 4 (act within a plan)"))
    }
}

impl From<Level> for u8 {
    fn from(level: Level) -> Self {
        level as Self
    }
}

/// The level everywhere, and where it differs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Autonomy {
    /// Level where no rule fits.
    pub default: Level,
    /// The most specific fitting rule wins; among equals the lowest level.
    pub rules: Vec<AutonomyRule>,
}

/// A level for a part of the world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutonomyRule {
    /// Tool family (the name up to its first underscore).
    #[serde(default)]
    pub capability: Option<String>,
    /// Name or id of a target, with `*` for anything.
    #[serde(default)]
    pub target: Option<String>,
    /// The level.
    pub level: Level,
}

/// [`Autonomy`] with its patterns compiled once, for the gate.
pub(crate) struct Levels {
    default: Level,
    rules: Vec<(AutonomyRule, Option<Regex>)>,
}

impl Levels {
    pub(crate) fn of(autonomy: &Autonomy) -> Self {
        let compiled = |rule: &AutonomyRule| (rule.clone(), rule.target.as_deref().and_then(glob));
        Self { default: autonomy.default, rules: autonomy.rules.iter().map(compiled).collect() }
    }

    /// The level for a tool and a target.
    pub(crate) fn level(&self, tool: &str, target: &Target) -> Level {
        let family = tool.split('_').next().unwrap_or(tool);
        let fits = |(rule, pattern): &&(AutonomyRule, Option<Regex>)| {
            rule.capability.as_deref().is_none_or(|capability| capability == family)
                && (rule.target.is_none()
                    || pattern.as_ref().is_some_and(|glob| glob.is_match(&target.name) || glob.is_match(&target.id)))
        };
        // A target of anything says no more than no target.
        let specific = |rule: &AutonomyRule| {
            (rule.target.as_deref().is_some_and(|pattern| pattern != "*"), rule.capability.is_some())
        };
        self.rules
            .iter()
            .filter(fits)
            .max_by(|(a, _), (b, _)| specific(a).cmp(&specific(b)).then(b.level.cmp(&a.level)))
            .map_or(self.default, |(rule, _)| rule.level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(capability: Option<&str>, target: Option<&str>, level: Level) -> AutonomyRule {
        AutonomyRule { capability: capability.map(str::to_owned), target: target.map(str::to_owned), level }
    }

    #[test]
    fn the_most_specific_rule_wins_and_the_lowest_among_equals() {
        let levels = Levels::of(&Autonomy {
            default: Level::ActAndReport,
            rules: vec![
                rule(Some("docker"), None, Level::Suggest),
                rule(None, Some("web*"), Level::OnRequest),
                rule(Some("docker"), Some("web"), Level::Observe),
                rule(Some("docker"), Some("w*"), Level::ActWithinPlan),
            ],
        });
        let container = |name: &str| Target::new("container", "0123", name);
        assert_eq!(levels.level("service_stop", &container("db")), Level::ActAndReport);
        assert_eq!(levels.level("docker_stop", &container("db")), Level::Suggest);
        assert_eq!(levels.level("service_stop", &container("web2")), Level::OnRequest);
        assert_eq!(levels.level("docker_stop", &container("web")), Level::Observe);
    }
}
