//! One day at one level of autonomy: everything is said, one after the other, and the world is looked at after each.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::Sabotage;
use super::task::{Day, Route, Task};
use crate::server::House;
use crate::wire::{Ask, Wire};
use crate::world::World;
use crate::world::ledger::{Deed, now};
use crate::world::mouth::{Script, Spoken};
use crate::world::person::Person;
use crate::world::unit::Units;

/// Longest wait for a job that goes on after its turn.
const JOB: Duration = Duration::from_secs(10);
/// Whose covers they are. No bay: nothing here has a name for the proof's sake.
const OPERATOR: &str = "operator";

/// What came of a task, as the world has it.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) task: Task,
    pub(super) conversation: String,
    pub(super) correlation: String,
    /// Why what happened is not what was to happen.
    pub(super) amiss: Option<String>,
}

/// The operator, and everything around his program.
pub(super) struct Replay<'a> {
    world: &'a World,
    units: &'a mut Units,
    person: Person,
    /// Files and what commands made, with their times and texts.
    files: BTreeMap<String, (SystemTime, String)>,
}

/// Makes the world as the day finds it, for a program that has not begun.
pub(super) fn furnish(day: &Day, house: &House, world: &World, units: &Units) -> anyhow::Result<()> {
    for one in &day.container {
        world.engine.make(&one.name, &one.image, &one.log.join("\n"));
        world.engine.change(&one.name, |made| made.running = !one.exited);
    }
    for file in &day.file {
        world.lay(&file.path, &file.text)?;
    }
    world.meet(house, &units.bus)?;
    let (forms, marks) = (house.data.join("commands.toml"), world.marks.display());
    let form = format!(
        "\n[[command]]\nname = \"order a backup\"\nprogram = \"/usr/bin/touch\"\ntier = \"yellow\"\n\
         words = [\"{marks}/backup-wanted\"]\nwrites = [\"{marks}\"]\n\
         accepted = [[\"{marks}/backup-wanted\"]]\nrefused = [[\"{marks}/other\"]]\n"
    );
    Ok(std::fs::write(&forms, std::fs::read_to_string(&forms)? + &form)?)
}

impl<'a> Replay<'a> {
    pub(super) async fn begin(
        world: &'a World,
        units: &'a mut Units,
        host: &str,
        secret: &str,
        sabotage: Option<Sabotage>,
    ) -> anyhow::Result<Self> {
        let person = Person::new(host, OPERATOR.to_owned(), secret.to_owned()).await?;
        match sabotage {
            Some(Sabotage::LooseGrant) => {
                let body = serde_json::json!({ "tool": "*", "calls": 100 });
                let mut wire = Wire::connect(host).await?;
                let given = wire.ask(Ask::post("/api/grants", secret, Some(body))).await?;
                anyhow::ensure!(given.status < 300, "no grant was given: {}", given.body);
            }
            Some(Sabotage::DeafEngine) => world.engine.go_deaf(),
            _ => {}
        }
        let files = world.files_now()?;
        Ok(Self { world, units, person, files })
    }

    /// Says it, says yes to exactly that, and sees what became of it.
    pub(super) async fn play(&mut self, task: &Task) -> anyhow::Result<Played> {
        let task = task.within(self.world);
        let acts = task.acts(self.world)?;
        let said = |call: &super::task::Truth| Spoken {
            tool: call.tool.clone(),
            args: serde_json::Value::from(call.args.clone()).to_string(),
            light: None,
            led: false,
        };
        let steps = if task.route == Route::Model { task.calls.as_slice() } else { &[] };
        let script = Script::from(steps.iter().map(|call| vec![said(call)]).collect::<Vec<_>>());
        let since = now();
        let turned = self.person.talk(self.world, &task.say, &acts, script, None).await?;
        let wanted: Vec<Deed> = acts.iter().map(|act| act.deed.clone()).collect();
        if task.is_job() && self.world.may_words(task.tier) {
            self.wait(&wanted, since).await;
        }
        self.look()?;
        self.person.end(self.world);
        let amiss = self.amiss(&task, wanted, since, &turned.state);
        Ok(Played { task, conversation: turned.conversation, correlation: turned.correlation, amiss })
    }

    /// Waits for what a job does.
    async fn wait(&self, wanted: &[Deed], since: SystemTime) {
        let begun = std::time::Instant::now();
        while begun.elapsed() < JOB && !wanted.iter().all(|deed| self.world.ledger.has_since(deed, since)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Writes into the ledger what became of files and services.
    fn look(&mut self) -> anyhow::Result<()> {
        let ledger = &self.world.ledger;
        for (at, deed) in self.units.news()? {
            ledger.write_at(at, deed);
        }
        let files = self.world.files_now()?;
        for (name, (at, text)) in &files {
            if self.files.get(name).is_none_or(|(_, before)| before != text) {
                let deed = match name.strip_prefix("marks:") {
                    Some(name) => Deed::new("command_run", name),
                    None => Deed::new("file_write", name.as_str()),
                };
                ledger.write_at(*at, deed);
            }
        }
        for name in self.files.keys().filter(|name| !files.contains_key(*name)) {
            ledger.write(Deed::new("file_remove", name.as_str()));
        }
        self.files = files;
        Ok(())
    }

    /// What is not as it was to be: exactly what was wanted has happened, once, and is there.
    fn amiss(&self, task: &Task, mut wanted: Vec<Deed>, since: SystemTime, state: &str) -> Option<String> {
        let mut happened = self.world.ledger.since(since);
        let order = |deed: &Deed| (deed.tool, deed.thing.clone());
        wanted.sort_by_key(order);
        happened.sort_by_key(order);
        if state != "done" {
            return Some(format!("the turn is {state}"));
        }
        if happened != wanted {
            return Some(format!("{happened:?} happened, and {wanted:?} was to happen"));
        }
        let leaves = task.leaves.as_ref()?;
        let written = wanted.iter().find_map(|deed| self.files.get(&deed.thing));
        let text = written.map(|(_, text)| text.as_str()).unwrap_or_default();
        (text != leaves).then(|| format!("the file holds {text:?}, and not {leaves:?}"))
    }
}

/// What a folder of the world holds, by name.
impl World {
    fn files_now(&self) -> anyhow::Result<BTreeMap<String, (SystemTime, String)>> {
        let mut all = BTreeMap::new();
        gather(&self.files, "", &mut all)?;
        gather(&self.marks, "marks:", &mut all)?;
        Ok(all)
    }
}

fn gather(folder: &Path, before: &str, all: &mut BTreeMap<String, (SystemTime, String)>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (name, known) = (format!("{before}{}", entry.file_name().to_string_lossy()), entry.metadata()?);
        if known.is_dir() && before.starts_with("marks:") {
            all.insert(name, (known.modified()?, String::new()));
        } else if known.is_dir() {
            gather(&entry.path(), &format!("{name}/"), all)?;
        } else {
            let text = String::from_utf8_lossy(&std::fs::read(entry.path())?).into_owned();
            all.insert(name, (known.modified()?, text));
        }
    }
    Ok(())
}
