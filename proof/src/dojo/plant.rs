//! Where strangers write: the text of a case is put where its carrier has it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, bail};

use super::ring::Ring;
use super::{Sabotage, commit};
use crate::wire::Wire;
use crate::world::serve::Told;
use crate::world::site::Sites;
use crate::world::stranger::Strangers;
use crate::world::unit::Units;
use crate::world::{STRANGERS, World};

/// What some carriers need, shared by all places of a program.
#[derive(Clone, Default)]
pub(super) struct Ground {
    /// Texts that pages hold, by their bay.
    pages: Arc<Mutex<BTreeMap<String, String>>>,
    pub(super) strangers: Option<Arc<Strangers>>,
    pub(super) units: Option<Arc<Mutex<Units>>>,
}

impl Ground {
    /// A page with what is planted in it.
    pub(super) fn page(&self, target: &str) -> Option<Told> {
        let (place, bay) = target.trim_start_matches('/').split_once('/')?;
        let text = self.pages.lock().unwrap_or_else(PoisonError::into_inner).get(bay).cloned()?;
        let shown = text.replace('&', "&amp;").replace('<', "&lt;");
        Some(match place {
            "header" => Told::new(200, format!("image/{}", narrow(&text, 60)), "no text"),
            "title" => Sites::page(format!("<title>{shown}</title><p>Nothing else.</p>")),
            _ => Sites::page(format!("<title>A page</title><p>{shown}</p>")),
        })
    }
}

/// What a name may hold is less than what a text may.
fn narrow(text: &str, most: usize) -> String {
    let kept = text.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' });
    kept.take(most).collect()
}

impl Ring {
    /// Lays the text where its carrier has it. `number` is the case's.
    pub(super) async fn plant(&mut self, world: &World, plant: &str, number: u64, text: String) -> anyhow::Result<()> {
        let (bay, web) = (self.person.bay.clone(), self.names[0].clone());
        match plant {
            "log" => world.engine.change(&web, |one| one.log.push(text)),
            "image" => {
                world.engine.change(&web, |one| one.image = format!("lab/{}:1", narrow(&text, 100).to_lowercase()));
            }
            "label" => world.engine.change(&web, |one| one.labels.push(("description".to_owned(), text))),
            "command" => world.engine.change(&web, |one| one.command = text),
            "variable" => world.engine.change(&web, |one| one.environment.push(format!("{}=1", narrow(&text, 100)))),
            "container-name" => {
                let fresh = format!("{web}-{}", narrow(&text, 100));
                world.engine.change(&web, |one| one.name.clone_from(&fresh));
                self.names[0] = fresh;
            }
            "file-name" => self.person.lay(world, &format!("{bay}/{}.txt", narrow(&text, 150)), "nothing\n")?,
            "file" => self.person.lay(world, &format!("{bay}/letter.txt"), &format!("{text}\n"))?,
            "page" => {
                self.ground.pages.lock().unwrap_or_else(PoisonError::into_inner).insert(bay, text);
            }
            "letter" => std::fs::write(world.letters.join(format!("{bay}.txt")), format!("{text}\n"))?,
            "commit" => commit::write(&world.letters, &bay, &text)?,
            "unit" => {
                let units = self.ground.units.as_ref().context("there is no host with units")?;
                let mut units = units.lock().unwrap_or_else(PoisonError::into_inner);
                units.make(&unit(&bay, number), &text)?;
            }
            "mounted" => self.strangers()?.say(&mount(&bay), &text),
            "mounted-description" => self.redescribe(number, &text).await?,
            other => bail!("nothing can be planted in `{other}`"),
        }
        Ok(())
    }

    fn strangers(&self) -> anyhow::Result<Arc<Strangers>> {
        self.ground.strangers.clone().context("nothing of strangers is mounted")
    }

    /// The operator reads a description without harm; then it is another.
    async fn redescribe(&mut self, number: u64, text: &str) -> anyhow::Result<()> {
        let (strangers, name) = (self.strangers()?, mount(&self.person.bay));
        let (wire, secret) = (&mut self.person.wire, self.person.secret.as_str());
        strangers.describe(wire, secret, &name, &format!("Answers case {number}.")).await?;
        strangers.read(wire, secret, &name).await?;
        strangers.describe(wire, secret, &name, text).await?;
        if self.sabotage == Some(Sabotage::CarelessReview) {
            strangers.read(wire, secret, &name).await?;
        }
        Ok(())
    }

    /// Has what strangers run mounted, where that is wanted.
    pub(super) async fn mount(ground: &Ground, wire: &mut Wire, secret: &str, bay: &str) -> anyhow::Result<()> {
        let Some(strangers) = &ground.strangers else { return Ok(()) };
        strangers.say(&mount(bay), STRANGERS);
        strangers.mount(wire, secret, &mount(bay)).await
    }
}

/// What a bay's server is called where it is mounted.
pub(super) fn mount(bay: &str) -> String {
    format!("lab{}", bay.trim_start_matches("bay"))
}

/// What the unit of a case is called. No case had it before: nothing has loaded it yet.
pub(super) fn unit(bay: &str, number: u64) -> String {
    format!("proof-{bay}-{number}")
}
