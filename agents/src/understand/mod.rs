//! Understanding plain sentences without a language model.
//!
//! ```text
//! text → tokens → manners and mood → clauses → readings → fits (tool × example) → call, question or nothing
//! ```
//!
//! The example utterances on the tools are the grammar, one table of words (`lexicon.txt`) makes it forgiving, and the
//! names of things that exist decide what a word refers to. Two rules hold whatever the words are: a tool above green is
//! called only by its own words, for a thing that is named exactly, in a sentence that is understood to its last word;
//! and whatever falls short of that becomes one short question whose answers can be sent back as they stand.

mod beyond;
mod bind;
mod clause;
mod courtesy;
mod decide;
mod grammar;
mod group;
mod lexicon;
mod line;
mod literal;
mod manner;
mod mention;
mod names;
mod order;
mod ordered;
mod question;
mod reading;
mod suggest;
mod token;
mod value;
mod weigh;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jarvis_safety::Tier;
use jarvis_safety::kernel::Described;
use jarvis_safety::plain;
use jarvis_safety::port::Index;
use serde_json::Value;

use clause::Outcome;
pub use courtesy::Courtesy;
use decide::Call;
use grammar::Grammar;
use lexicon::Lexicon;
use manner::{Bare, Mood};
use names::Names;
use reading::{Context, Manner, Mention, Reading};

/// One call that a sentence means.
#[derive(Debug, Clone, PartialEq)]
pub struct Meant {
    /// Tool.
    pub tool: String,
    /// Arguments; what was not said is left out.
    pub args: Value,
}

impl From<Call> for Meant {
    fn from(call: Call) -> Self {
        Self { tool: call.tool, args: Value::Object(call.args) }
    }
}

/// What a sentence means.
#[derive(Debug, Clone, PartialEq)]
pub enum Understood {
    /// These calls, in order; several make a plan.
    Calls {
        /// The calls.
        calls: Vec<Meant>,
        /// Which words led there, for people who wonder.
        why: String,
    },
    /// One short question, with answers that can be sent back as they stand.
    Question {
        /// The question.
        text: String,
        /// Sentences that answer it; empty where only the person can know.
        choices: Vec<String>,
    },
    /// Small talk, or a question about Jarvis itself.
    Courtesy {
        /// Of what sort.
        kind: Courtesy,
        /// The words that say so.
        said: String,
        /// Sentences that show what can be said; each can be sent as it stands.
        examples: Vec<String>,
        /// How many things of each kind there are.
        many: BTreeMap<String, usize>,
    },
    /// Not a request for any tool.
    Nothing {
        /// Sentences that come closest and can be sent as they stand.
        nearest: Vec<String>,
        /// The text gives an order, but one that no tool can carry out.
        order: bool,
    },
}

/// What exists: names by kind (`container`, `service`, `image`, `path`, `host`).
#[async_trait]
pub trait World: Send + Sync {
    /// All names of a kind; empty for a kind that is not known or cannot be read now.
    async fn names(&self, kind: &str) -> Vec<Named>;

    /// Forgets the names that were answered from memory. Answers whether there were any, that is whether asking again
    /// may tell of things that have come to be since.
    async fn renew(&self) -> bool {
        false
    }

    /// The tier of a call as things are; nothing where it cannot be told.
    async fn tier(&self, _: &Meant) -> Option<Tier> {
        None
    }
}

/// A thing that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// Its state, such as `running` or `exited`; empty where there is none.
    pub state: String,
}

/// What understanding needs of a tool.
#[derive(Debug, Clone)]
pub struct ToolText {
    /// Name.
    pub name: String,
    /// Lowest tier of any call.
    pub tier: Tier,
    /// Sentences that mean it. `{slots}` are argument names; `=> key=value` at the end fixes an argument.
    pub examples: Vec<String>,
    /// JSON Schema of the arguments.
    pub input: Value,
    /// For a person and a model.
    pub description: String,
    /// It talks to hosts that the operator does not own.
    pub network: bool,
}

impl From<&Described> for ToolText {
    fn from(tool: &Described) -> Self {
        Self {
            name: tool.spec.name.to_owned(),
            tier: tool.spec.tier,
            examples: tool.spec.examples.iter().map(|&example| example.to_owned()).collect(),
            input: tool.input.clone(),
            description: tool.description.clone(),
            network: tool.spec.effects.network,
        }
    }
}

/// Tokens beyond which a text is no plain sentence. Quotations count as one.
const MOST_TOKENS: usize = 160;
/// Clauses in one sentence.
const MOST_CLAUSES: usize = 12;
/// Hints for a sentence that means no tool.
const MOST_HINTS: usize = 3;

/// The rules, made ready once for a list of tools.
pub struct Understanding {
    lexicon: Lexicon,
    grammar: Grammar,
    index: Arc<dyn Index>,
}

impl std::fmt::Debug for Understanding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Understanding").field("tools", &self.grammar.tools.len()).finish_non_exhaustive()
    }
}

impl Understanding {
    /// Reads the tools' sentences and schemas. `index` holds the same tools by their names.
    #[must_use]
    pub fn new(tools: &[ToolText], index: Arc<dyn Index>) -> Self {
        let lexicon = Lexicon::new();
        let grammar = Grammar::new(tools, &lexicon);
        Self { lexicon, grammar, index }
    }

    /// Says what a text means. Never runs anything; the world is only asked for names.
    pub async fn understand(&self, text: &str, world: &dyn World) -> Understood {
        if let Some(run) = self.line(text, world).await {
            return run;
        }
        let mut names = Names::of(world, &self.grammar.kinds).await;
        if let Some((kind, said)) = courtesy::of(&self.lexicon, &names, &token::tokens(&token::clean(text))) {
            let examples = suggest::shown(&self.grammar, &names, |sentence, tool| self.means(sentence, tool, &names));
            let many = self.grammar.kinds.iter().map(|kind| (kind.to_string(), names.count(kind))).collect();
            return Understood::Courtesy { kind, said: plain::shorten(&said, 60), examples, many };
        }
        let (mut understood, certain) = self.interpret(text, &names);
        // What is meant may have come to be a moment ago: look again, once, before it is said not to be there.
        if !certain && world.renew().await {
            names = Names::of(world, &self.grammar.kinds).await;
            (understood, _) = self.interpret(text, &names);
        }
        match understood {
            Understood::Nothing { order, .. } => Understood::Nothing { nearest: self.nearest(text, &names), order },
            Understood::Question { text, choices } => {
                // What is offered must work: a choice that would only lead to another question is no choice.
                let acts = |choice: &String| matches!(self.interpret(choice, &names), (Understood::Calls { .. }, _));
                let mut choices: Vec<String> = choices.into_iter().filter(acts).collect();
                choices.truncate(question::MOST_CHOICES);
                Understood::Question { text: plain::visible(&plain::shorten(&text, 300)), choices }
            }
            other => other,
        }
    }

    /// The command that a text orders to run, where that is known to be harmless enough for plain words.
    async fn line(&self, text: &str, world: &dyn World) -> Option<Understood> {
        let args = line::of(&self.lexicon, &self.grammar, text)?;
        for tool in &self.grammar.lines {
            let meant = Meant { tool: tool.clone(), args: args.clone() };
            if world.tier(&meant).await.is_some_and(|tier| tier <= Tier::Yellow) {
                let why = format!("the words behind the order are a command, which is {tool}");
                return Some(Understood::Calls { calls: vec![meant], why });
            }
        }
        None
    }

    /// What a text means, and whether that rests on nothing but whole names of things that are known.
    fn interpret(&self, text: &str, names: &Names) -> (Understood, bool) {
        let text = token::clean(text);
        let tokens = token::tokens(&text);
        if tokens.len() > MOST_TOKENS {
            return (Understood::Nothing { nearest: Vec::new(), order: false }, true);
        }
        let cx = Context { lexicon: &self.lexicon, grammar: &self.grammar, names, tokens: &tokens, text: &text };
        let bare = manner::strip(&self.lexicon, &tokens, 0, tokens.len());
        let mood = manner::mood(&self.lexicon, &self.grammar, &tokens, bare);
        let clauses = manner::clauses(cx.lexicon, cx.names, cx.tokens, bare);
        if clauses.len() > MOST_CLAUSES {
            let text = "That is a lot at once. Which of it should I do first?".to_owned();
            let outcome = Outcome { question: Some((text, Vec::new())), ordered: true, ..Outcome::default() };
            return (Self::conclude(vec![outcome], mood), true);
        }
        let readings: Vec<Vec<Reading>> = clauses
            .into_iter()
            .map(|(from, to)| {
                let own = manner::strip(cx.lexicon, cx.tokens, from, to);
                let manner = Manner { gerund: bare.gerund || own.gerund, past: mood.past, as_names: true };
                readings(cx, own, manner)
            })
            .filter(|readings| !readings.is_empty())
            .collect();
        let understood = Self::conclude(self.outcomes(cx, &readings), mood);
        let certain = readings.iter().flatten().all(|reading| reading.is_certain(names));
        let named = readings.iter().flatten().any(|reading| !reading.mentions.is_empty());
        let certain = certain && (named || matches!(understood, Understood::Calls { .. }));
        (understood, certain)
    }

    /// What the clauses come to, each in all its readings.
    fn outcomes(&self, cx: Context<'_>, readings: &[Vec<Reading>]) -> Vec<Outcome> {
        let mut before: Vec<Mention> = Vec::new();
        let mut outcomes = Vec::new();
        for (at, variants) in readings.iter().enumerate() {
            // "stop and remove old-db": the first verb borrows its object from the second.
            let bare_verb =
                variants.iter().all(|r| r.action.is_some() && r.words.len() == 1 && r.values.is_empty() && !r.pronoun);
            let next = readings.get(at + 1).and_then(|next| next.first()).filter(|_| bare_verb && before.is_empty());
            let lent = next.filter(|next| next.group.is_none()).map(|next| next.mentions.clone());
            let outcome = match lent {
                Some(lent) if !lent.is_empty() && variants.iter().all(|r| r.mentions.is_empty()) => {
                    let filled: Vec<Reading> =
                        variants.iter().cloned().map(|r| Reading { mentions: lent.clone(), ..r }).collect();
                    clause::outcome(cx, &*self.index, &filled, &[])
                }
                _ => clause::outcome(cx, &*self.index, variants, &before),
            };
            let mentioned = variants.iter().map(|r| &r.mentions).find(|mentions| !mentions.is_empty());
            if let Some(mentions) = mentioned {
                before.clone_from(mentions);
            } else if variants.iter().any(|r| r.group.is_some()) {
                before = outcome.calls.iter().filter_map(|call| acted_on(cx, call)).collect();
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    /// Joins what the clauses came to.
    fn conclude(outcomes: Vec<Outcome>, mood: Mood) -> Understood {
        let ordered = outcomes.iter().any(|outcome| outcome.ordered);
        let changes = |call: &Call| call.tier > Tier::Green;
        if mood.musing || (ordered && mood.idle) || outcomes.iter().all(Outcome::is_nothing) {
            let order = ordered && !mood.musing && !mood.idle;
            return Understood::Nothing { nearest: Vec::new(), order };
        }
        let unclear = outcomes.iter().any(Outcome::is_nothing);
        let beyond = outcomes.iter().any(|outcome| outcome.beyond);
        let question = outcomes.iter().find_map(|outcome| outcome.question.clone());
        let calls: Vec<Call> = outcomes.into_iter().flat_map(|outcome| outcome.calls).collect();
        let changing = calls.iter().any(changes);
        if let Some((question, choices)) = question {
            // The understood rest is offered too, clause by clause.
            let rest = calls.into_iter().map(|call| call.sentence);
            return Understood::Question { text: question, choices: choices.into_iter().chain(rest).collect() };
        }
        if ((changing || ordered) && (unclear || mood.doubtful)) || (beyond && unclear) {
            let text = if unclear {
                "I understood only a part of that. Which of these should I do?"
            } else {
                "Should I do that now?"
            };
            let mut choices: Vec<String> = calls.into_iter().map(|call| call.sentence).collect();
            if !unclear && choices.len() > 1 {
                choices = vec![choices.join(" and ")];
            }
            return Understood::Question { text: text.to_owned(), choices };
        }
        let mut why: Vec<String> = calls.iter().map(|call| call.why.clone()).collect();
        why.dedup();
        let calls = calls.into_iter().map(Meant::from).collect();
        Understood::Calls { calls, why: plain::shorten(&why.join("; "), 400) }
    }

    /// Sentences that come closest to a text and can be sent as they stand.
    fn nearest(&self, text: &str, names: &Names) -> Vec<String> {
        let found = self.index.search(&plain::shorten(text, 200), 4 * MOST_HINTS);
        let known = |name: &String| self.grammar.tools.iter().find(|tool| tool.name == *name);
        // Whoever was not understood is not led to change something.
        let harmless = found.iter().filter_map(|(name, _)| known(name)).filter(|tool| tool.tier == Tier::Green);
        let means = |sentence: &str, tool: &str| self.means(sentence, tool, names);
        harmless.filter_map(|tool| suggest::of_tool(tool, names, means)).take(MOST_HINTS).collect()
    }

    /// Whether a sentence is understood as one call of this tool.
    fn means(&self, sentence: &str, tool: &str, names: &Names) -> bool {
        match self.interpret(sentence, names).0 {
            Understood::Calls { calls, .. } => matches!(calls.as_slice(), [call] if call.tool == tool),
            _ => false,
        }
    }
}

/// All ways to read a clause. A word that is both a name and a topic gives two.
fn readings(cx: Context<'_>, clause: Bare, manner: Manner) -> Vec<Reading> {
    if clause.from >= clause.to {
        return Vec::new();
    }
    let as_topic = reading::read(cx, clause.from, clause.to, Manner { as_names: false, ..manner });
    if !as_topic.twofold || !as_topic.mentions.is_empty() {
        return vec![as_topic];
    }
    vec![reading::read(cx, clause.from, clause.to, manner), as_topic]
}

fn acted_on(cx: Context<'_>, call: &Call) -> Option<Mention> {
    call.args.values().filter_map(Value::as_str).find_map(|name| {
        let thing = cx.names.things.iter().position(|thing| thing.name == name)?;
        Some(group::alone(cx.names, thing))
    })
}
