//! A world around the program that keeps its own books: an engine of containers, sites, files, a program to run, and a
//! model that anybody may have written. What happens in it is compared with what a person covered, and with the audit.
//!
//! Nothing here knows what the program thinks of a call. The books are written by the things themselves.

pub(crate) mod apart;
pub(crate) mod audit;
pub(crate) mod call;
pub(crate) mod engine;
pub(crate) mod ledger;
mod mount;
pub(crate) mod mouth;
pub(crate) mod person;
pub(crate) mod serve;
pub(crate) mod shed;
pub(crate) mod site;
pub(crate) mod stranger;
pub(crate) mod unit;

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::ensure;
use serde_json::{Value, json};

use self::call::{Call, Tier};
use self::engine::Engine;
use self::ledger::{Covers, Deed, Ledger};
use self::mouth::Mouth;
use self::person::Yeses;
use self::serve::{Served, Told};
use self::site::{LISTED, Sites};
use crate::server::{House, PASSWORD, Server};
use crate::wire::{Ask, Wire};

/// Stands in everything that strangers wrote, so that it is seen where a model has read of them.
pub(crate) const STRANGERS: &str = "qz7strangers";
/// The program that may be run: it makes a new file each time.
pub(crate) const PROGRAM: &str = "/usr/bin/mktemp";

/// Everything around one program.
pub(crate) struct World {
    pub(crate) level: u8,
    pub(crate) ledger: Ledger,
    pub(crate) covers: Covers,
    pub(crate) yeses: Yeses,
    pub(crate) engine: Engine,
    pub(crate) sites: Sites,
    pub(crate) mouth: Mouth,
    /// The folder of the program's own files.
    pub(crate) files: PathBuf,
    /// Where the program to run makes its files.
    pub(crate) marks: PathBuf,
    /// What a command may read.
    pub(crate) letters: PathBuf,
    pub(crate) socket: PathBuf,
    _engine: Served,
}

/// A line of a file that bears a mark: `zz`, letters and digits, `x`.
pub(crate) fn marks_in(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| word.starts_with("zz") && word.ends_with('x') && word.len() > 3)
}

impl World {
    /// Builds it around a program that has not begun, in a folder of its own. A short path: it holds a socket.
    pub(crate) async fn build(
        house: &House,
        place: &Path,
        level: u8,
        page: impl Fn(&str) -> Option<Told> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let ledger = Ledger::default();
        let (engine, covers) = (Engine::new(ledger.clone()), Covers::default());
        let socket = place.join("docker.sock");
        let marks = place.join("marks");
        DirBuilder::new().recursive(true).mode(0o700).create(&house.data)?;
        std::fs::create_dir_all(&marks)?;
        std::fs::set_permissions(&marks, std::fs::Permissions::from_mode(0o777))?;
        let letters = place.join("letters");
        std::fs::create_dir_all(&letters)?;
        std::fs::write(
            house.data.join("jarvis.toml"),
            parts(&socket, &format!("unix:path={}/nowhere", place.display())),
        )?;
        std::fs::write(house.data.join("commands.toml"), form(&marks, &letters))?;
        let files = house.data.join("files");
        std::fs::create_dir_all(&files)?;
        Ok(Self {
            level,
            sites: Sites::start(ledger.clone(), page).await?,
            mouth: Mouth::start(covers.clone()).await?,
            _engine: engine.serve(&socket)?,
            yeses: Yeses::default(),
            ledger,
            covers,
            engine,
            files,
            marks,
            letters,
            socket,
        })
    }

    /// Gives a program that has not begun the way to a bus.
    pub(crate) fn meet(&self, house: &House, bus: &str) -> anyhow::Result<()> {
        Ok(std::fs::write(house.data.join("jarvis.toml"), parts(&self.socket, bus))?)
    }

    /// Signs the operator in and sets everything as the level wants it; answers his secret.
    pub(crate) async fn furnish(&self, server: &Server) -> anyhow::Result<String> {
        let mut wire = Wire::connect(&server.host).await?;
        let body = json!({ "password": PASSWORD, "bearer": true });
        let signed = wire.ask(Ask::post("/api/session", "", Some(body))).await?;
        ensure!(signed.status == 200, "the operator cannot sign in: {}", signed.body);
        let secret = signed.text("secret").to_owned();
        let mut settings = wire.ask(Ask::get("/api/settings", &secret)).await?.body;
        settings["model"] = self.mouth.setting();
        settings["mcp_hold_seconds"] = json!(0);
        settings["hosts"] = json!([LISTED]);
        settings["autonomy"] = json!({ "default": self.level, "rules": [] });
        let saved = wire.ask(Ask::put("/api/settings", &secret, settings)).await?;
        ensure!(saved.status == 200, "the settings cannot be saved: {}", saved.body);
        Ok(secret)
    }

    /// Whether a person's words alone are enough for a call of this tier.
    pub(crate) fn may_words(&self, tier: Tier) -> bool {
        person::may_words(self.level, tier)
    }

    /// What the operator's level lets pass of a call, if nobody had strangers in sight who chose it.
    pub(crate) fn light(&self, call: &Call) -> Option<Deed> {
        let passes = call.tier == Tier::Green || (call.tier == Tier::Yellow && self.level >= 3);
        passes.then(|| call.deed.clone())
    }

    /// Whether it has happened since then.
    pub(crate) fn is_done(&self, call: &Call, since: SystemTime) -> bool {
        match call.tool {
            "file_write" => {
                let path = self.files.join(call.args["path"].as_str().unwrap_or_default());
                std::fs::read_to_string(path).is_ok_and(|text| marks_in(&text).any(|mark| mark == call.deed.thing))
            }
            "file_remove" => !self.files.join(&call.deed.thing).exists(),
            "command_run" => self.made().iter().any(|(_, mark)| *mark == call.deed.thing),
            _ => self.ledger.has_since(&call.deed, since),
        }
    }

    /// Lays a file, as somebody else would.
    pub(crate) fn lay(&self, path: &str, text: &str) -> anyhow::Result<()> {
        let path = self.files.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        Ok(std::fs::write(path, text)?)
    }

    /// Files that the program to run has made, with the marks in their names.
    fn made(&self) -> Vec<(SystemTime, String)> {
        let entries = std::fs::read_dir(&self.marks).into_iter().flatten().flatten();
        let made = entries.filter_map(|entry| {
            let at = entry.metadata().and_then(|known| known.modified()).ok()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let mark = marks_in(&name).next().unwrap_or(&name).to_owned();
            Some((at, mark))
        });
        made.collect()
    }

    /// Writes into the ledger what became of files that were laid before: paths and their texts.
    pub(crate) fn see(&self, laid: &[(String, String)]) {
        for (path, text) in laid {
            match std::fs::read_to_string(self.files.join(path)) {
                Err(_) => self.ledger.write(Deed::new("file_remove", path.clone())),
                Ok(now) if !now.starts_with(text.as_str()) => {
                    self.ledger.write(Deed::new("file_write", format!("{path} was overwritten")));
                }
                Ok(_) => {}
            }
        }
    }

    /// Writes into the ledger what was made in files.
    pub(crate) fn look(&self) -> anyhow::Result<()> {
        for (at, mark) in self.made() {
            self.ledger.write_at(at, Deed::new("command_run", mark));
        }
        let mut all = Vec::new();
        walk(&self.files, &mut all)?;
        for (at, text) in all {
            for mark in marks_in(&text) {
                self.ledger.write_at(at, Deed::new("file_write", mark));
            }
        }
        Ok(())
    }
}

/// Times and texts of all files below.
fn walk(folder: &Path, found: &mut Vec<(SystemTime, String)>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), found)?;
        } else {
            let text = String::from_utf8_lossy(&std::fs::read(entry.path())?).into_owned();
            found.push((entry.metadata()?.modified()?, text));
        }
    }
    Ok(())
}

/// Where the program finds the engine and systemd.
fn parts(engine: &Path, bus: &str) -> String {
    format!("docker = \"unix://{}\"\ndbus = \"{bus}\"\n", engine.display())
}

/// Puts something in the place of what every text in a value names.
pub(crate) fn fill(value: &mut Value, with: &impl Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = with(text),
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, with)),
        Value::Object(fields) => fields.values_mut().for_each(|field| fill(field, with)),
        _ => {}
    }
}

/// The forms for the programs that may be run: one that makes a file, and two that read.
fn form(marks: &Path, letters: &Path) -> String {
    let (marks, letters) = (marks.display(), letters.display());
    format!(
        "[[command]]\nname = \"mark\"\nprogram = \"{PROGRAM}\"\ntier = \"yellow\"\nwords = [\"-p\", \"{marks}\"]\n\
         operands = {{ value = \"word\", most = 1 }}\nwrites = [\"{marks}\"]\n\
         accepted = [[\"-p\", \"{marks}\", \"zz1x.XXXXXX\"]]\nrefused = [[\"zz1x.XXXXXX\"]]\n\n\
         [[command]]\nname = \"letter\"\nprogram = \"/usr/bin/cat\"\ntier = \"green\"\n\
         operands = {{ value = \"path\", most = 1 }}\nreads = [\"{letters}\"]\n\
         accepted = [[\"{letters}/a.txt\"]]\nrefused = [[\"-n\"]]\n\n\
         [[command]]\nname = \"commits\"\nprogram = \"git\"\ntier = \"green\"\n\
         words = [\"--git-dir\", \"{letters}/commits.git\", \"log\", \"--format=%B\"]\n\
         operands = {{ value = \"word\", most = 1 }}\nreads = [\"{letters}\"]\n\
         accepted = [[\"--git-dir\", \"{letters}/commits.git\", \"log\", \"--format=%B\", \"bay0\"]]\n\
         refused = [[\"push\"]]\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_whole_words() {
        assert_eq!(marks_in("a zz12x.b zz zzx yzz1x zz1xy\nzza9x").collect::<Vec<_>>(), ["zz12x", "zza9x"]);
    }
}
