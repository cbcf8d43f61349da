//! What breaks a reader on purpose, so that it is known that the search would find it.

/// A reader that does not keep its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// None: the readers as they are.
    None,
    /// `rpc`: a message is read as most readers would, the last of two equal names winning.
    LastWins,
    /// `canonical`: the quick form is taken for every value.
    AlwaysQuick,
    /// `policy`: the first rule that fits decides, not the strictest.
    FirstRule,
    /// `command`: what is judged is an argument without the letters that cannot be seen.
    CleanedText,
    /// `model`: what comes over the line is made text piece by piece.
    TornText,
    /// `audit`: the tier of a row is not looked at.
    BlindColumn,
    /// `canonical`: a text that opens four lists at once is never read to its end.
    Endless,
    /// `canonical`: what was read as an object is kept for ever.
    Hoard,
}

impl Sabotage {
    /// Each by its name.
    pub const ALL: [(&'static str, Self); 8] = [
        ("last-wins", Self::LastWins),
        ("always-quick", Self::AlwaysQuick),
        ("first-rule", Self::FirstRule),
        ("cleaned-text", Self::CleanedText),
        ("torn-text", Self::TornText),
        ("blind-column", Self::BlindColumn),
        ("endless", Self::Endless),
        ("hoard", Self::Hoard),
    ];

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, sabotage)| *sabotage)
    }
}
