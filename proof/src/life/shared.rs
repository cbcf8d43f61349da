//! Several data directories on one database.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use anyhow::Context as _;

use super::{Life, furnished};
use crate::book::Book;
use crate::server::House;

impl Life {
    /// Several empty data directories on one database, which each reaches at an address of its own. What their tools
    /// write lies in a folder that all of them reach, as on machines that share a disk: a call can be begun at one,
    /// approved at another, and looked after by a third.
    pub(crate) fn begin_shared(
        binary: &Path,
        work: &Path,
        name: &str,
        book: Book,
        addresses: &[String],
    ) -> anyhow::Result<Self> {
        let folder = work.join(format!("{name}-files"));
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let folder = folder.to_str().context("the work folder is not UTF-8")?;
        let mut houses = Vec::new();
        for (number, address) in addresses.iter().enumerate() {
            let data = work.join(format!("{name}-{number}"));
            furnished(&data, "*/")?;
            std::fs::write(data.join("jarvis.toml"), format!("database = \"{address}\"\n"))?;
            let log = work.join(format!("{name}-{number}.log"));
            houses.push(House { binary: binary.to_owned(), log, data, clock: None });
        }
        let mut houses = houses.into_iter();
        let life = Self::of(houses.next().context("there is no address")?);
        {
            let mut state = life.ledger.state();
            (state.folder, state.shared) = (format!("{folder}/"), true);
        }
        Ok(Self { beside: houses.collect(), book, disk_fails: true, ..life })
    }
}
