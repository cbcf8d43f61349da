//! What must come true again by itself: both serve, have the same settings, and have taken over what others left.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::pair::Pair;
use crate::chance::Chance;
use crate::report::{Kind, Violation};
use crate::wire::{Ask, Wire};

/// Longest that a replica may take to serve again once the database can be reached. It gives up on an answer after 30 s.
const BACK: Duration = Duration::from_secs(20);
const BACK_LOOK: Duration = Duration::from_millis(20);
/// Longest until what a replica carried that is gone is taken over: its lease lasts 30 s, and others look every 15 s.
const TAKE_OVER: Duration = Duration::from_secs(75);
const TAKE_OVER_LOOK: Duration = Duration::from_millis(100);
/// Longest until what was set at one holds at the other.
const FOLLOW: Duration = Duration::from_secs(20);
const FOLLOW_LOOK: Duration = Duration::from_millis(20);

impl Pair {
    /// Waits until each that lives does effects again, without a start.
    pub(super) async fn serve_again(&self, after: &str, chance: &mut Chance, found: &mut Vec<Violation>) {
        for host in self.hosts() {
            let mut said = "nothing".to_owned();
            let served = timeout(BACK, async {
                while !self.try_effect(&host, chance, &mut said).await {
                    sleep(BACK_LOOK).await;
                }
            });
            if served.await.is_err() {
                let what = format!(
                    "{} s after `{after}` a replica does no effect; the last that it said: {said}",
                    BACK.as_secs()
                );
                found.push(Violation::new(Kind::NoService, what));
            }
        }
    }

    /// An effect at a host; answers whether it was done.
    async fn try_effect(&self, host: &str, chance: &mut Chance, said: &mut String) -> bool {
        let ledger = &self.life.ledger;
        let path = ledger.state().make(0, false, true);
        let Some(effect) = ledger.state().sent(&path) else { return false };
        let sent = ledger.state().now();
        let asked = async {
            Wire::connect(host)
                .await?
                .ask(Ask::post("/api/call", self.life.people.secret(0), Some(effect.body())))
                .await
        };
        match asked.await {
            Ok(reply) => {
                ledger.state().told_effect(&path, &reply, sent, chance);
                *said = reply.body.to_string();
                reply.status == 200 && reply.text("state") == "done"
            }
            Err(error) => {
                ledger.state().cut(&path);
                *said = format!("{error:#}");
                false
            }
        }
    }

    /// Waits until all that live have the same settings.
    pub(super) async fn settings_follow(&self, found: &mut Vec<Violation>) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let mut all: Vec<Value> = Vec::new();
            for host in self.hosts() {
                let mut wire = Wire::connect(&host).await?;
                all.push(wire.ask(Ask::get("/api/settings", &self.life.people.operator)).await?.body);
            }
            if all.windows(2).all(|two| two.first() == two.last()) {
                return Ok(());
            }
            if begun.elapsed() > FOLLOW {
                let what = format!("{} s after they were set at one, another has other settings", FOLLOW.as_secs());
                found.push(Violation::new(Kind::LostSetting, what));
                return Ok(());
            }
            sleep(FOLLOW_LOOK).await;
        }
    }

    /// Looks whether the settings hold at all that live.
    pub(super) async fn compare_settings(&self, found: &mut Vec<Violation>) -> anyhow::Result<()> {
        for host in self.hosts() {
            self.life.compare_settings(&mut Wire::connect(&host).await?, found).await?;
        }
        Ok(())
    }

    /// Waits until those that live have taken over what others carried; answers how long that took.
    pub(super) async fn take_over(&self, found: &mut Vec<Violation>) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        loop {
            let left = self.left().await?;
            if left.is_empty() {
                return Ok(begun.elapsed());
            }
            if begun.elapsed() > TAKE_OVER {
                found.extend(left.iter().map(|id| {
                    let what = format!(
                        "{id} was carried by a replica that is gone for {} s, and no other has taken it over",
                        TAKE_OVER.as_secs()
                    );
                    Violation::new(Kind::NoService, what)
                }));
                return Ok(begun.elapsed());
            }
            sleep(TAKE_OVER_LOOK).await;
        }
    }

    /// Calls and cards that a replica carries which is gone.
    async fn left(&self) -> anyhow::Result<Vec<String>> {
        let gone = |carrier: &Option<String>| carrier.as_ref().is_none_or(|id| !self.life.alive.contains(id));
        let calls = self.life.book.open_calls().await?.into_iter().filter(|call| gone(&call.carrier));
        let cards = self.life.book.under_way().await?.into_iter().filter(|card| gone(&card.carrier));
        Ok(calls.map(|call| call.id).chain(cards.map(|card| card.id)).collect())
    }
}
