//! What a stranger to the program cannot guess: ids of things that are there, and words that its rules know.
//!
//! Schemathesis makes words up; with nothing else it would see the refusals of most operations and never an answer. So some
//! of everything is made first, and its words are handed over as dictionaries, which it uses beside its own.

use std::fmt::Write as _;

use anyhow::ensure;
use serde_json::{Value, json};

use crate::wire::{Ask, Wire};

/// Things of each kind: what takes one away leaves some for those that look.
const EACH: usize = 12;
/// How often a word comes from here.
const OFTEN: f64 = 0.75;

/// Words of rules, by the field of a body that takes them. Tools that look, and reach nothing but this program.
const WORDS: [(&str, &[&str]); 13] = [
    ("tool", TOOLS),
    ("steps[*].tool", TOOLS),
    ("role", &["client", "guest", "viewer", "approver"]),
    ("ceiling", &["green", "yellow"]),
    ("confirm", &["green", "yellow"]),
    ("targets[*]", &["web*"]),
    ("cron", &["0 4 1 1 *"]),
    ("zone", &["UTC", "Europe/Berlin"]),
    ("level", &["effects", "all"]),
    ("target", &["granted.txt"]),
    ("name", &["someone"]),
    ("title", &["a talk"]),
    ("url", &["http://127.0.0.1:9/mcp"]),
];
const TOOLS: &[&str] = &["file_list", "system_info", "system_disks"];
/// The same of numbers.
const NUMBERS: [(&str, u64); 4] = [("minutes", 60), ("per_minute", 30), ("calls", 1), ("seconds", 30)];

/// Names of things, by the folder of their path.
#[derive(Debug, Clone, Default)]
pub(super) struct Known(Vec<(&'static str, Vec<String>)>);

impl Known {
    /// Makes some of everything.
    pub(super) async fn make(wire: &mut Wire, operator: &str) -> anyhow::Result<Self> {
        let mut asker = Asker { wire, secret: operator };
        let mut known = Self::default();
        let token = json!({ "name": "asker", "ceiling": "yellow" });
        let asking = text(&asker.post("/api/tokens", token).await?, "secret");
        for number in 0..EACH {
            let write = |path: String| json!({ "tool": "file_write", "args": { "path": path, "content": "a prop" } });
            let call = asker.post("/api/call", write(format!("prop-{number}.txt"))).await?;
            known.add("calls", text(&call, "call"));
            let job = asker.post("/api/jobs", write(format!("job-{number}.txt"))).await?;
            known.add("jobs", text(&job, "id"));
            let mut stranger = Asker { wire: &mut *asker.wire, secret: &asking };
            let card = stranger.post("/api/call", write(format!("asked-{number}.txt"))).await?;
            known.add("approvals", text(&card, "approval"));
            let said = asker.post("/api/say", json!({ "text": "how is this machine?" })).await?;
            known.add("turns", text(&said, "id"));
            known.add("conversations", text(&said, "conversation"));
            let grant = json!({ "tool": "file_write", "target": format!("granted-{number}.txt"), "calls": 1 });
            known.add("grants", text(&asker.post("/api/grants", grant).await?, "id"));
            let name = format!("yearly {number}");
            let yearly = json!({ "name": name, "tool": "file_list", "cron": "0 4 1 1 *", "active": false });
            known.add("schedules", text(&asker.post("/api/schedules", yearly).await?, "id"));
            let token = json!({ "name": format!("bystander {number}"), "ceiling": "green" });
            known.add("tokens", text(&asker.post("/api/tokens", token).await?, "id"));
            let name = format!("kept_{number}");
            asker.put(&format!("/api/secrets/{name}"), json!({ "value": format!("Kd93 a value {number}") })).await?;
            known.add("secrets", name);
            known.add("events", (number + 1).to_string());
        }
        // Nobody listens there: mounted, and never reached.
        for name in ["one", "two", "three", "four"] {
            asker.put(&format!("/api/mounts/{name}"), json!({ "url": "http://127.0.0.1:9/mcp" })).await?;
            known.add("mounts", name.to_owned());
        }
        let empty = known.0.iter().find(|(_, names)| names.iter().any(String::is_empty));
        ensure!(empty.is_none(), "something has no name: {empty:?}");
        Ok(known)
    }

    fn add(&mut self, folder: &'static str, name: String) {
        match self.0.iter_mut().find(|(known, _)| *known == folder) {
            Some((_, names)) => names.push(name),
            None => self.0.push((folder, vec![name])),
        }
    }

    /// The part of schemathesis' configuration that tells of it.
    pub(super) fn told(&self) -> String {
        let (mut lists, mut fields, mut folders) = (String::new(), "[parameters]\n".to_owned(), String::new());
        // A list of strings or numbers, and a string, are the same in TOML and in JSON.
        let mut list = |name: &str, words: Value| {
            let _ = writeln!(lists, "[dictionaries.{}]\nvalues = {words}", json!(name));
        };
        let words = WORDS.iter().map(|(field, words)| (field, json!(words)));
        for (field, words) in words.chain(NUMBERS.iter().map(|(field, number)| (field, json!([number])))) {
            let field = format!("body.{field}");
            list(&field, words);
            let _ = writeln!(fields, "{} = {}", json!(field), often(&field));
        }
        for (folder, names) in &self.0 {
            list(folder, json!(names));
            let _ =
                writeln!(folders, "[[operations]]\ninclude-path-regex = \"^/api/{folder}/\"\n[operations.parameters]");
            for place in ["id", "name", "seq"] {
                let _ = writeln!(folders, "\"path.{place}\" = {}", often(folder));
            }
        }
        lists + &fields + &folders
    }
}

/// A parameter that is often a word of a list.
fn often(list: &str) -> String {
    format!("{{ dictionary = {}, probability = {OFTEN} }}", json!(list))
}

/// Who makes things, and by what right.
struct Asker<'a> {
    wire: &'a mut Wire,
    secret: &'a str,
}

impl Asker<'_> {
    async fn post(&mut self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.done(Ask::post(path, self.secret, Some(body))).await
    }

    async fn put(&mut self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.done(Ask::put(path, self.secret, body)).await
    }

    async fn done(&mut self, ask: Ask<'_>) -> anyhow::Result<Value> {
        let told = ask.shown();
        let reply = self.wire.ask(ask).await?;
        ensure!((200..300).contains(&reply.status), "{told} was answered with {}: {}", reply.status, reply.body);
        Ok(reply.body)
    }
}

fn text(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}
