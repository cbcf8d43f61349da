//! The mind of Jarvis: what a sentence means, what is done about it, and how it is answered.
//!
//! A sentence is understood by rule where that is possible and by a model where one is connected. Either way it ends in
//! calls that go through the gate; nothing here can run a tool, open a store or read a secret by itself.

mod context;
pub mod mind;
pub mod prompt;
pub mod provider;
mod turn;
#[allow(missing_docs)]
pub mod understand {
    use jarvis_safety::{kernel::Described, port::Index};
    use std::sync::Arc;
    #[derive(Debug, Clone)]
    pub struct Named {
        pub name: String,
        pub state: String,
    }
    #[async_trait::async_trait]
    pub trait World: Send + Sync {
        async fn names(&self, kind: &str) -> Vec<Named>;
    }
    #[derive(Debug, Clone)]
    pub struct Meant {
        pub tool: String,
        pub args: serde_json::Value,
    }
    pub enum Understood {
        Calls { calls: Vec<Meant>, why: String },
        Question { text: String, choices: Vec<String> },
        Nothing { nearest: Vec<String> },
    }
    pub struct ToolText {
        name: String,
        examples: Vec<String>,
    }
    impl From<&Described> for ToolText {
        fn from(d: &Described) -> Self {
            Self { name: d.spec.name.into(), examples: d.spec.examples.iter().map(|e| (*e).to_owned()).collect() }
        }
    }
    pub struct Understanding(Vec<(String, Vec<String>)>);
    impl Understanding {
        pub fn new(t: &[ToolText], _: Arc<dyn Index>) -> Self {
            Self(t.iter().map(|t| (t.name.clone(), t.examples.clone())).collect())
        }
        pub async fn understand(&self, text: &str, world: &dyn World) -> Understood {
            let _ = world.names("nothing").await;
            let mut calls = Vec::new();
            for part in text.split(" and ") {
                for (tool, examples) in &self.0 {
                    for e in examples {
                        if e == part {
                            calls.push(Meant { tool: tool.clone(), args: serde_json::json!({}) });
                        }
                        if let Some((a, b)) = e.split_once("{name}")
                            && b.is_empty()
                            && let Some(n) = part.strip_prefix(a)
                            && !n.contains(' ')
                        {
                            calls.push(Meant { tool: tool.clone(), args: serde_json::json!({"name": n}) });
                        }
                    }
                }
            }
            if calls.is_empty() {
                Understood::Nothing { nearest: self.0.iter().map(|t| t.0.clone()).take(3).collect() }
            } else {
                Understood::Calls { calls, why: "understood by rule".into() }
            }
        }
    }
}
mod world;

pub use mind::{After, Mind, MindParts, PlannedCall, Said, SayPlan};
pub use prompt::{PromptError, Prompts};
pub use provider::Patience;
