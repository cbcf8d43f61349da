//! The clients: many at once, each with its own connection, until the connection breaks.

use std::sync::Arc;

use serde_json::json;

use super::job::{Job, Work};
use super::ledger::{Ledger, Open, Sent};
use crate::chance::Chance;
use crate::wire::{Ask, Reply, Wire};

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

/// The answer never came.
#[derive(Debug)]
pub(crate) struct Cut;

impl Client {
    /// Calls until the connection breaks, or it is to end.
    pub(crate) async fn run(mut self) {
        let Ok(mut wire) = Wire::connect(&self.host).await else { return };
        while !self.ledger.state().resting && (self.step(&mut wire).await.is_ok() || !wire.is_closed()) {}
    }

    /// Asks, and reads the answer, if anybody hears it.
    async fn ask(&self, wire: &mut Wire, ask: Ask<'_>) -> Result<(Reply, Sent), Cut> {
        let sent = self.ledger.state().now();
        let reply = wire.ask(ask).await.map_err(|_| Cut)?;
        if self.ledger.state().is_unheard(sent) { Err(Cut) } else { Ok((reply, sent)) }
    }

    async fn step(&mut self, wire: &mut Wire) -> Result<(), Cut> {
        if self.reader {
            return self.green(wire).await;
        }
        match self.chance.between(0, 100) {
            0..40 => self.green(wire).await,
            40..55 => {
                let keyed = self.chance.percent(60);
                let path = self.ledger.state().make(self.actor, false, keyed);
                self.effect(wire, &path).await
            }
            55..62 => {
                let keyed = self.chance.percent(60);
                let path = self.ledger.state().make(self.actor, true, keyed);
                self.effect(wire, &path).await
            }
            62..72 => self.submit_new(wire).await,
            72..97 => self.go_on(wire).await,
            _ => self.refused(wire).await,
        }
    }

    /// Goes on with what was begun, if there is any.
    async fn go_on(&mut self, wire: &mut Wire) -> Result<(), Cut> {
        match self.chance.between(0, 4) {
            0 => {
                let open = self.ledger.state().take_open(&mut self.chance);
                if let Some(open) = open {
                    return self.decide(wire, open).await;
                }
            }
            1 => {
                let path = self.ledger.state().take_again(&mut self.chance);
                if let Some(path) = path {
                    return self.effect(wire, &path).await;
                }
            }
            2 => {
                let name = self.ledger.state().take_job_again(&mut self.chance);
                if let Some(name) = name {
                    return self.submit(wire, &name).await;
                }
            }
            _ => {
                let job = self.ledger.state().take_watched(&mut self.chance);
                if let Some(job) = job {
                    return self.look(wire, &job).await;
                }
            }
        }
        self.green(wire).await
    }

    async fn submit_new(&mut self, wire: &mut Wire) -> Result<(), Cut> {
        let work = match self.chance.between(0, 10) {
            0..5 => Work::Echo,
            5..9 => Work::Write,
            _ => Work::Ask,
        };
        let keyed = self.chance.percent(60);
        let name = self.ledger.state().make_job(self.actor, work, keyed);
        self.submit(wire, &name).await
    }

    pub(crate) async fn submit(&mut self, wire: &mut Wire, name: &str) -> Result<(), Cut> {
        let job = self.ledger.state().sent_job(name);
        let Some(job) = job else { return Ok(()) };
        let ask = Ask::post("/api/jobs", self.people.secret(job.actor), Some(job.body()));
        let Ok((reply, sent)) = self.ask(wire, ask).await else {
            self.ledger.state().cut_job(name);
            return Err(Cut);
        };
        self.ledger.state().told_job(&job, &reply, sent, &mut self.chance);
        Ok(())
    }

    pub(crate) async fn look(&mut self, wire: &mut Wire, job: &Job) -> Result<(), Cut> {
        let path = format!("/api/jobs/{}", job.id.as_deref().unwrap_or_default());
        let Ok((reply, _)) = self.ask(wire, Ask::get(&path, self.people.secret(job.actor))).await else {
            let mut state = self.ledger.state();
            state.count.cut += 1;
            state.watched.push(job.name.clone());
            return Err(Cut);
        };
        self.ledger.state().told_look(job, &reply, &mut self.chance);
        Ok(())
    }

    pub(crate) async fn green(&mut self, wire: &mut Wire) -> Result<(), Cut> {
        let body = if self.chance.percent(90) {
            json!({ "tool": "echo", "args": { "text": format!("{:x}", self.chance.next()) } })
        } else {
            json!({ "tool": "file_list", "args": { "path": "quiet" } })
        };
        let ask = Ask::post("/api/call", self.people.secret(self.actor), Some(body));
        let Ok((reply, sent)) = self.ask(wire, ask).await else { return Err(self.cut()) };
        self.ledger.state().told_green(&reply, sent);
        Ok(())
    }

    pub(crate) async fn effect(&mut self, wire: &mut Wire, path: &str) -> Result<(), Cut> {
        let sent = self.ledger.state().sent(path);
        let Some(effect) = sent else { return Ok(()) };
        let ask = Ask::post("/api/call", self.people.secret(effect.actor), Some(effect.body()));
        let Ok((reply, sent)) = self.ask(wire, ask).await else {
            self.ledger.state().cut(path);
            return Err(Cut);
        };
        self.ledger.state().told_effect(path, &reply, sent, &mut self.chance);
        Ok(())
    }

    pub(crate) async fn decide(&mut self, wire: &mut Wire, open: Open) -> Result<(), Cut> {
        let verb = if open.yes { "approve" } else { "deny" };
        let path = format!("/api/approvals/{}/{verb}", open.card);
        let body = (!open.yes).then(|| json!({ "because": "proof" }));
        // Half of the hands that say yes look on until it has run.
        let wait = if open.yes && self.chance.percent(50) { 20 } else { 0 };
        let answered = self.ask(wire, Ask::post(&path, &self.people.operator, body).wait(wait)).await;
        let mut state = self.ledger.state();
        let Ok((reply, sent)) = answered else {
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
        let Ok((reply, sent)) = self.ask(wire, ask).await else { return Err(self.cut()) };
        self.ledger.state().told_refusal(&reply, sent);
        Ok(())
    }

    fn cut(&self) -> Cut {
        self.ledger.state().count.cut += 1;
        Cut
    }
}
