//! The verifier of the audit (`memory/src/walk.rs`): a log that is whole has no fault, and whatever is altered in it, or
//! in its seal, is found. Rows that nobody with the key has written never pass.

// What only the store uses is not used here.
#[allow(dead_code)]
#[path = "../../../memory/src/chain.rs"]
mod chain;
#[allow(dead_code)]
#[path = "../../../memory/src/sealed.rs"]
mod sealed;
#[allow(dead_code)]
#[path = "../../../memory/src/walk.rs"]
mod walk;

mod alteration;
mod log;

use crate::sabotage::Sabotage;
use alteration::alter;
use chain::{Chain, Fields, Head};
use log::{Log, Row};
use sealed::Sealed;
use walk::{Kept, Walk};

const KEY: [u8; 32] = [7; 32];

/// The first six bytes choose what is altered; the rest is a log, a line a row, its columns parted by tabs.
pub(crate) fn holds(data: &[u8], sabotage: Sabotage) {
    let Some((choice, text)) = data.split_first_chunk::<6>() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let Ok(chain) = Chain::new(&KEY) else { return };
    let whole = Log::of(text, &KEY);
    let faults = verify(&chain, &whole, &whole, sabotage);
    assert!(faults.is_empty(), "nothing is wrong with {whole:?}: {faults:?}");
    if let Some(altered) = alter(&whole, *choice) {
        let faults = verify(&chain, &altered, &whole, sabotage);
        assert!(!faults.is_empty(), "an alteration is not seen: {altered:?} was {whole:?}");
    }
    sealing(&chain, &whole, *choice);
    forged(&chain, &whole);
}

/// What is wrong with a log of which this is known to have been written.
fn verify(chain: &Chain, log: &Log, written: &Log, sabotage: Sabotage) -> Vec<String> {
    let sealed = Sealed::read(written.seal.as_bytes(), chain);
    let mut walk = Walk::new(chain, &sealed);
    for (at, row) in log.rows.iter().enumerate() {
        let blind = written.rows.get(at).filter(|_| sabotage == Sabotage::BlindColumn);
        let tier = blind.map_or(row.tier.as_deref(), |row| row.tier.as_deref());
        let kept = Kept {
            salt: row.body.as_ref().map(|(salt, _)| salt.as_str()),
            json: row.body.as_ref().map(|(_, json)| json.as_str()),
        };
        walk.row(&Fields { tier, ..fields(row) }, &row.hash, kept);
    }
    let found = walk.end(written.rows.len() as u64, 0, log.orphans);
    assert_eq!(found.rows, log.rows.len() as u64, "it has not read all rows");
    found.faults
}

fn fields(row: &Row) -> Fields<'_> {
    Fields {
        seq: row.seq,
        at: row.at,
        kind: &row.kind,
        actor: &row.actor,
        owner: &row.owner,
        subject: &row.subject,
        correlation: &row.correlation,
        tool: row.tool.as_deref(),
        tier: row.tier.as_deref(),
        summary: &row.summary,
        body: row.digest.as_deref(),
    }
}

/// A seal whose text was changed vouches for nothing else.
fn sealing(chain: &Chain, log: &Log, choice: [u8; 6]) {
    let head = |text: &[u8]| match Sealed::read(text, chain) {
        Sealed::Head(head) => Some(head),
        _ => None,
    };
    let Some(honest) = head(log.seal.as_bytes()) else { panic!("its own seal is refused: {}", log.seal) };
    let written = sealed::text(&honest, chain).ok().and_then(|text| head(&text));
    assert_eq!(written.as_ref(), Some(&honest), "what it seals it does not read");
    let mut text = log.seal.clone().into_bytes();
    let at = usize::from(choice[3]) % text.len();
    match choice[0] % 3 {
        0 => text[at] ^= choice[4].max(1),
        1 => text.truncate(at),
        _ => text.insert(at, choice[4]),
    }
    let vouched = head(&text);
    assert!(vouched.is_none_or(|head| head == honest), "a changed seal vouches for another row");
}

/// The same rows under another key.
fn forged(chain: &Chain, log: &Log) {
    if log.rows.is_empty() {
        return;
    }
    let Ok(other) = Chain::new(&[8; 32]) else { return };
    let faults = verify(&other, log, log, Sabotage::None);
    assert!(!faults.is_empty() && faults.len() <= walk::FAULTS, "rows of another key pass");
    let missing = Sealed::Missing;
    let (mut walk, genesis) = (Walk::new(chain, &missing), Head::genesis());
    for row in &log.rows {
        walk.row(&fields(row), &genesis.hash, Kept { salt: None, json: None });
    }
    assert!(!walk.end(0, 0, 0).faults.is_empty(), "rows without a hash pass");
}
