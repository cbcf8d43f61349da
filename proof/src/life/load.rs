//! The clients: many at once, each with its own connection, until the connection breaks.

use std::sync::Arc;

use serde_json::json;

use super::ledger::{Ledger, Open};
use crate::chance::Chance;
use crate::wire::{Ask, Wire};

/// Who the clients are.
#[derive(Debug, Clone, Default)]
pub(crate) struct People {
    /// Secret of the operator's session.
    pub(crate) operator: String,
    /// Actor id and secret of each token.
    pub(crate) tokens: Vec<(String, String)>,
}

impl People {
    pub(crate) fn secret(&self, actor: usize) -> &str {
        self.tokens.get(actor).map_or("", |(_, secret)| secret)
    }
}

/// One client.
pub(crate) struct Client {
    pub(crate) host: String,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) people: Arc<People>,
    pub(crate) actor: usize,
    /// Whether it only reads: those who write wait for the disk most of the time.
    pub(crate) reader: bool,
    pub(crate) chance: Chance,
}

/// The connection broke: the program is gone.
struct Cut;

impl Client {
    /// Calls until the connection breaks.
    pub(crate) async fn run(mut self) {
        let Ok(mut wire) = Wire::connect(&self.host).await else { return };
        while self.step(&mut wire).await.is_ok() {}
    }

    async fn step(&mut self, wire: &mut Wire) -> Result<(), Cut> {
        if self.reader {
            return self.green(wire).await;
        }
        match self.chance.between(0, 100) {
            0..50 => self.green(wire).await,
            50..70 => {
                let keyed = self.chance.percent(60);
                let path = self.ledger.state().make(self.actor, false, keyed);
                self.effect(wire, &path).await
            }
            70..80 => {
                let keyed = self.chance.percent(60);
                let path = self.ledger.state().make(self.actor, true, keyed);
                self.effect(wire, &path).await
            }
            80..90 => {
                let open = self.ledger.state().take_open(&mut self.chance);
                match open {
                    Some(open) => self.decide(wire, open).await,
                    None => self.green(wire).await,
                }
            }
            90..97 => {
                let path = self.ledger.state().take_again(&mut self.chance);
                match path {
                    Some(path) => self.effect(wire, &path).await,
                    None => self.green(wire).await,
                }
            }
            _ => self.refused(wire).await,
        }
    }

    async fn green(&mut self, wire: &mut Wire) -> Result<(), Cut> {
        let body = if self.chance.percent(90) {
            json!({ "tool": "echo", "args": { "text": format!("{:x}", self.chance.next()) } })
        } else {
            json!({ "tool": "file_list", "args": { "path": "quiet" } })
        };
        let ask = Ask::post("/api/call", self.people.secret(self.actor), Some(body));
        let sent = self.ledger.state().now();
        let Ok(reply) = wire.ask(ask).await else { return Err(self.cut()) };
        self.ledger.state().told_green(&reply, sent);
        Ok(())
    }

    async fn effect(&mut self, wire: &mut Wire, path: &str) -> Result<(), Cut> {
        let sent = self.ledger.state().sent(path);
        let Some(effect) = sent else { return Ok(()) };
        let args = json!({ "path": effect.path, "content": effect.content, "append": true });
        let body = match &effect.key {
            Some(key) => json!({ "tool": "file_write", "args": args, "key": key }),
            None => json!({ "tool": "file_write", "args": args }),
        };
        let ask = Ask::post("/api/call", self.people.secret(effect.actor), Some(body));
        let sent = self.ledger.state().now();
        let Ok(reply) = wire.ask(ask).await else {
            self.ledger.state().cut(path);
            return Err(Cut);
        };
        self.ledger.state().told_effect(path, &reply, sent, &mut self.chance);
        Ok(())
    }

    async fn decide(&mut self, wire: &mut Wire, open: Open) -> Result<(), Cut> {
        let verb = if open.yes { "approve" } else { "deny" };
        let path = format!("/api/approvals/{}/{verb}", open.card);
        let body = (!open.yes).then(|| json!({ "because": "proof" }));
        // Half of the hands that say yes look on until it has run.
        let wait = if open.yes && self.chance.percent(50) { 20 } else { 0 };
        let sent = self.ledger.state().now();
        let answered = wire.ask(Ask::post(&path, &self.people.operator, body).wait(wait)).await;
        let mut state = self.ledger.state();
        let Ok(reply) = answered else {
            state.count.cut += 1;
            state.open.push(open);
            return Err(Cut);
        };
        state.told_decision(&open, &reply, sent);
        Ok(())
    }

    async fn refused(&mut self, wire: &mut Wire) -> Result<(), Cut> {
        let body = json!({ "tool": "no_such_tool", "args": {} });
        let ask = Ask::post("/api/call", self.people.secret(self.actor), Some(body));
        let sent = self.ledger.state().now();
        let Ok(reply) = wire.ask(ask).await else { return Err(self.cut()) };
        self.ledger.state().told_refusal(&reply, sent);
        Ok(())
    }

    fn cut(&self) -> Cut {
        self.ledger.state().count.cut += 1;
        Cut
    }
}
