//! How much text goes into one answer.
//!
//! The gate leaves out an output whose JSON is too large, so what counts is the length after escaping: a file of control
//! characters grows sixfold.

/// JSON bytes that the texts of one answer may take.
pub(super) const TEXT_BUDGET: usize = 400 * 1024;

/// What a character costs in JSON.
pub(super) const fn cost(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        other => other.len_utf8(),
    }
}

/// A purse for one answer.
pub(super) struct Budget(usize);

impl Budget {
    pub(super) const fn new() -> Self {
        Self(TEXT_BUDGET)
    }

    /// Pays for a text and some bytes of frame around it. Answers whether it could.
    pub(super) fn pay(&mut self, text: &str) -> bool {
        let price = text.chars().map(cost).sum::<usize>() + 80;
        let paid = price <= self.0;
        if paid {
            self.0 -= price;
        }
        paid
    }
}

/// A size as people read it.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return if bytes == 1 { "1 byte".to_owned() } else { format!("{bytes} bytes") };
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_is_what_json_really_takes() {
        for character in ['a', 'é', '東', '"', '\\', '\n', '\0', '\u{1b}', '\u{7f}', '🦀', '\u{2028}'] {
            let json = serde_json::to_string(&character).unwrap();
            assert_eq!(cost(character), json.len() - 2, "{character:?}");
        }
    }

    #[test]
    fn sizes_are_round() {
        let seen = [0, 1, 999, 1000, 999_949, 999_950, 1_500_000_000].map(size);
        assert_eq!(seen, ["0 bytes", "1 byte", "999 bytes", "1.0 KB", "999.9 KB", "1.0 MB", "1.5 GB"]);
    }
}
