//! The committed inputs: each holds, and so does what once broke a property. Without coverage and without a search.

use std::fs;
use std::path::Path;

use jarvis_fuzz::{Sabotage, TARGETS};

#[test]
fn every_property_holds_for_its_seeds() {
    for target in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seed").join(target.name);
        let mut seeds: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        seeds.sort();
        assert!(seeds.len() >= 8, "{} has {} seeds", target.name, seeds.len());
        for seed in seeds {
            let data = fs::read(&seed).unwrap();
            let held = std::panic::catch_unwind(|| (target.holds)(&data, Sabotage::None));
            assert!(held.is_ok(), "{} does not hold", seed.display());
        }
    }
}
