//! `policy.toml`: rules that only tighten, and that prove themselves by their own examples when they are loaded.
//!
//! ```toml
//! [[rule]]
//! name = "databases keep running"
//! tool = "docker_*"              # glob; absent fits every tool
//! target = "postgres*"           # glob on the target's name or id
//! actor = "token:*"              # glob on the actor's id
//! when = { volumes = "true" }    # glob on arguments
//! then = "refuse"                # or "ask"
//! because = "the database is stopped by hand only"
//! refused = [{ tool = "docker_stop", target = "postgres-15", actor = "token:x", args = { volumes = true } }]
//! accepted = [{ tool = "docker_stop", target = "web", actor = "token:x" }]
//! ```

use std::collections::BTreeMap;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use crate::digest::Digest;
use crate::pattern::glob;
use crate::target::Target;

/// What a policy adds to the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tightening {
    /// No.
    Refuse {
        /// Name of the rule.
        rule: String,
        /// For people.
        because: String,
    },
    /// A person must say yes.
    Ask {
        /// Name of the rule.
        rule: String,
    },
}

/// A policy file, checked.
#[derive(Debug, Clone)]
pub struct Policy {
    rules: Vec<Rule>,
    tools: Vec<String>,
    version: Digest,
}

/// What is wrong with a policy file.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PolicyError {
    /// It is not TOML of the right shape.
    #[error("policy.toml: {0}")]
    Shape(String),
    /// A pattern is no glob.
    #[error("policy.toml, rule `{rule}`: `{pattern}` is not a pattern; use letters, `*` and `?`")]
    Pattern {
        /// Name of the rule.
        rule: String,
        /// The pattern.
        pattern: String,
    },
    /// A rule contradicts its own example.
    #[error("policy.toml, rule `{rule}`: its {list} example {number} is {found}")]
    Example {
        /// Name of the rule.
        rule: String,
        /// `refused` or `accepted`.
        list: &'static str,
        /// From 1.
        number: usize,
        /// What the rule does with it.
        found: &'static str,
    },
    /// A rule proves nothing.
    #[error("policy.toml, rule `{0}`: give at least one `refused` example, so that a rule that never fits is found")]
    NoExample(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<RuleText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    name: String,
    tool: Option<String>,
    target: Option<String>,
    actor: Option<String>,
    #[serde(default)]
    when: BTreeMap<String, String>,
    then: Then,
    #[serde(default)]
    because: String,
    #[serde(default)]
    refused: Vec<Example>,
    #[serde(default)]
    accepted: Vec<Example>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Then {
    Refuse,
    Ask,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    tool: String,
    #[serde(default)]
    target: String,
    #[serde(default)]
    actor: String,
    #[serde(default)]
    args: BTreeMap<String, Value>,
}

#[derive(Debug, Clone)]
struct Rule {
    name: String,
    tool: Option<Regex>,
    target: Option<Regex>,
    actor: Option<Regex>,
    when: Vec<(String, Regex)>,
    then: Then,
    because: String,
}

impl Default for Policy {
    fn default() -> Self {
        Self { rules: Vec::new(), tools: Vec::new(), version: Digest::of(b"") }
    }
}

impl Policy {
    /// Reads and checks the text of a policy file.
    ///
    /// # Errors
    /// Names the line or the rule that is wrong.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let file: File = toml::from_str(text).map_err(|error| PolicyError::Shape(error.to_string()))?;
        let rules = file.rule.iter().map(Rule::checked).collect::<Result<_, _>>()?;
        let tools = file.rule.into_iter().flat_map(|rule| rule.refused).map(|example| example.tool).collect();
        Ok(Self { rules, tools, version: Digest::of(text.as_bytes()) })
    }

    /// Tools that its examples name: one that does not exist proves nothing.
    pub fn example_tools(&self) -> impl Iterator<Item = &str> {
        self.tools.iter().map(String::as_str)
    }

    /// Digest of the file's text.
    #[must_use]
    pub const fn version(&self) -> &Digest {
        &self.version
    }

    /// Whether a rule may want calls of the tool asked: of some targets, actors or arguments at least.
    #[must_use]
    pub fn asks(&self, tool: &str) -> bool {
        let asks = |rule: &Rule| rule.then == Then::Ask && rule.tool.as_ref().is_none_or(|glob| glob.is_match(tool));
        self.rules.iter().any(asks)
    }

    /// The strictest rule that fits; among equally strict ones the first.
    #[must_use]
    pub fn tightening(&self, tool: &str, args: &Value, target: &Target, actor: &str) -> Option<Tightening> {
        let fits = |rule: &&Rule| rule.fits(tool, args, &[&target.name, &target.id], actor);
        let strictest = self
            .rules
            .iter()
            .filter(fits)
            .reduce(|best, rule| if best.then == Then::Ask && rule.then == Then::Refuse { rule } else { best })?;
        Some(strictest.tightening())
    }
}

impl Rule {
    fn checked(text: &RuleText) -> Result<Self, PolicyError> {
        let compile = |pattern: &String| {
            glob(pattern).ok_or_else(|| PolicyError::Pattern { rule: text.name.clone(), pattern: pattern.clone() })
        };
        let rule = Self {
            name: text.name.clone(),
            tool: text.tool.as_ref().map(compile).transpose()?,
            target: text.target.as_ref().map(compile).transpose()?,
            actor: text.actor.as_ref().map(compile).transpose()?,
            when: text
                .when
                .iter()
                .map(|(field, pattern)| Ok((field.clone(), compile(pattern)?)))
                .collect::<Result<_, _>>()?,
            then: text.then,
            because: if text.because.is_empty() {
                format!("the policy rule `{}` refuses this", text.name)
            } else {
                text.because.clone()
            },
        };
        rule.prove("refused", &text.refused, true)?;
        rule.prove("accepted", &text.accepted, false)?;
        if text.refused.is_empty() {
            return Err(PolicyError::NoExample(text.name.clone()));
        }
        Ok(rule)
    }

    fn prove(&self, list: &'static str, examples: &[Example], expected: bool) -> Result<(), PolicyError> {
        for (index, example) in examples.iter().enumerate() {
            let args = Value::Object(example.args.clone().into_iter().collect());
            if self.fits(&example.tool, &args, &[&example.target], &example.actor) != expected {
                let found = if expected { "not caught by it" } else { "caught by it" };
                return Err(PolicyError::Example { rule: self.name.clone(), list, number: index + 1, found });
            }
        }
        Ok(())
    }

    fn fits(&self, tool: &str, args: &Value, target: &[&str], actor: &str) -> bool {
        let is = |glob: &Option<Regex>, texts: &[&str]| {
            glob.as_ref().is_none_or(|glob| texts.iter().any(|text| glob.is_match(text)))
        };
        is(&self.tool, &[tool])
            && is(&self.target, target)
            && is(&self.actor, &[actor])
            && self.when.iter().all(|(field, glob)| match args.get(field) {
                Some(Value::String(text)) => glob.is_match(text),
                Some(other) => glob.is_match(&other.to_string()),
                None => false,
            })
    }

    fn tightening(&self) -> Tightening {
        match self.then {
            Then::Refuse => Tightening::Refuse { rule: self.name.clone(), because: self.because.clone() },
            Then::Ask => Tightening::Ask { rule: self.name.clone() },
        }
    }
}
