//! What the file of the seal says: the head that it vouches for, under the key.

use serde::{Deserialize, Serialize};

use super::chain::{Chain, Head};

/// What the file holds before there is anything to vouch for.
pub(crate) const NOTHING_SEALED: &[u8] = b"nothing was sealed yet\n";

#[derive(Serialize, Deserialize)]
struct Seal {
    seq: u64,
    at: i64,
    hash: String,
    code: String,
}

/// What the seal file says.
pub(crate) enum Sealed {
    /// It vouches for this row.
    Head(Head),
    /// There is none.
    Missing,
    /// There is one that Jarvis did not write.
    Forged,
    /// There was nothing to vouch for yet.
    Nothing,
}

impl Sealed {
    /// Reads the file's text.
    pub(crate) fn read(text: &[u8], chain: &Chain) -> Self {
        // A first start may have been killed, or its disk full, while it was written.
        if NOTHING_SEALED.starts_with(text) {
            return Self::Nothing;
        }
        let Ok(seal) = serde_json::from_slice::<Seal>(text) else { return Self::Forged };
        let head = Head { seq: seal.seq, at: seal.at, hash: seal.hash };
        // Both codes were computed by this process or read from its own directory: nobody can time this.
        if chain.seal(&head) == seal.code { Self::Head(head) } else { Self::Forged }
    }
}

/// The text of a seal over this head.
pub(crate) fn text(head: &Head, chain: &Chain) -> serde_json::Result<Vec<u8>> {
    let seal = Seal { seq: head.seq, at: head.at, hash: head.hash.clone(), code: chain.seal(head) };
    let mut text = serde_json::to_vec(&seal)?;
    text.push(b'\n');
    Ok(text)
}
