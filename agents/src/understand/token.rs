//! A text cut into tokens.
//!
//! Names of containers, paths, image references and addresses hold dots, dashes, slashes and colons; those stay inside
//! their token. Everything invisible becomes a gap, so that a name which only looks like another is not that other.

use jarvis_safety::plain;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A word, name, number, path, address or slot.
    Word,
    /// Something in quotes; the quotes are not part of it.
    Quoted,
    /// One of `. , ; : ! ?`.
    Mark,
}

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) raw: String,
    pub(super) low: String,
    pub(super) shape: Shape,
    /// Where it stands in the cleaned text, quotes included.
    pub(super) from: usize,
    pub(super) to: usize,
}

impl AsRef<str> for Token {
    /// Phrases are compared with words only: a mark or a quotation is never part of one.
    fn as_ref(&self) -> &str {
        if self.shape == Shape::Word { &self.low } else { "\0" }
    }
}

impl Token {
    pub(super) fn is_mark(&self, marks: &str) -> bool {
        self.shape == Shape::Mark && marks.contains(&self.raw)
    }
}

/// The text without anything invisible, and with plain apostrophes.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\n' => '\n',
            '’' | '‘' | 'ʼ' => '\'',
            '“' | '”' | '„' => '"',
            plain if plain.is_ascii() => {
                if plain.is_ascii_control() {
                    ' '
                } else {
                    plain
                }
            }
            other if plain::visible(other.encode_utf8(&mut [0; 4])).chars().eq([other]) => other,
            _ => ' ',
        })
        .collect()
}

/// Cuts a cleaned text. Linear in its length.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut cutter = Cutter { text, found: Vec::new(), unclosed: [false; 3] };
    let mut at = 0;
    while let Some(character) = text[at..].chars().next() {
        at = match character {
            '\n' => cutter.mark(';', at, 1),
            '"' | '\'' | '`' => cutter.quoted(character, at),
            ',' | ';' | ':' | '!' | '?' | '.' if !cutter.word_begins(at) => {
                cutter.mark(character, at, character.len_utf8())
            }
            _ if is_part(character) => cutter.word(at),
            _ => at + character.len_utf8(),
        };
    }
    cutter.found
}

fn is_part(character: char) -> bool {
    character.is_alphanumeric() || "-_./:@*~%+=&#{}\\".contains(character)
}

struct Cutter<'a> {
    text: &'a str,
    found: Vec<Token>,
    /// Quotes that are known to have no other half further on: they are not looked for again.
    unclosed: [bool; 3],
}

impl Cutter<'_> {
    fn push(&mut self, raw: &str, shape: Shape, from: usize, to: usize) {
        self.found.push(Token { raw: raw.to_owned(), low: raw.to_lowercase(), shape, from, to });
    }

    fn mark(&mut self, mark: char, at: usize, length: usize) -> usize {
        self.push(mark.encode_utf8(&mut [0; 4]), Shape::Mark, at, at + length);
        at + length
    }

    /// A dot may open a path such as `./notes.txt` or `.env`.
    fn word_begins(&self, at: usize) -> bool {
        let mut next = self.text[at..].chars();
        next.next() == Some('.') && next.next().is_some_and(|next| next.is_alphanumeric() || next == '/')
    }

    fn quoted(&mut self, quote: char, at: usize) -> usize {
        let index = "\"'`".find(quote).unwrap_or(0);
        let body = at + 1;
        if self.unclosed[index] {
            return body;
        }
        let mut search = body;
        while let Some(offset) = self.text[search..].find(quote) {
            let end = search + offset;
            // An apostrophe inside a word does not close.
            let inside = quote == '\'' && self.text[end + 1..].starts_with(char::is_alphanumeric);
            if !inside {
                let inner = self.text[body..end].to_owned();
                if !inner.trim().is_empty() {
                    self.push(&inner, Shape::Quoted, at, end + 1);
                }
                return end + 1;
            }
            search = end + 1;
        }
        self.unclosed[index] = true;
        body
    }

    fn word(&mut self, at: usize) -> usize {
        let rest = &self.text[at..];
        let address = rest.get(..8).is_some_and(|start| {
            let start = start.to_ascii_lowercase();
            start.starts_with("http://") || start == "https://"
        });
        let length = if address {
            rest.find(|c: char| c.is_whitespace() || "<>\"`".contains(c))
        } else {
            rest.char_indices()
                .find(|&(index, c)| {
                    let apostrophe = c == '\'' && rest[index + 1..].starts_with(char::is_alphanumeric) && index > 0;
                    !is_part(c) && !apostrophe
                })
                .map(|(index, _)| index)
        };
        let whole = &rest[..length.unwrap_or(rest.len())];
        let word = whole.trim_end_matches(['.', ':', ',', ';', '!', '?', ')', ']']);
        let word = if word.is_empty() { whole } else { word };
        if word.contains(|c: char| c.is_alphanumeric() || "*&/%~".contains(c)) {
            self.contraction(word, at);
        }
        at + word.len()
    }

    /// "what's" is two words, "web's" is one name, "don't" is "do not".
    fn contraction(&mut self, word: &str, at: usize) {
        const ASKING: [&str; 12] =
            ["what", "how", "where", "who", "when", "why", "it", "that", "there", "here", "which", "everything"];
        let end = at + word.len();
        let low = word.to_lowercase();
        if let Some(base) = low.strip_suffix("'s").filter(|base| *base != "let") {
            let length = base.len().min(word.len());
            self.push(word.get(..length).unwrap_or(word), Shape::Word, at, end);
            if ASKING.contains(&base) {
                self.push("is", Shape::Word, at, end);
            }
        } else if let Some(base) = low.strip_suffix("n't") {
            let base = match base {
                "wo" => "will",
                "ca" => "can",
                other => other,
            };
            self.push(base, Shape::Word, at, end);
            self.push("not", Shape::Word, at, end);
        } else {
            self.push(word, Shape::Word, at, end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        tokens(&clean(text)).into_iter().map(|token| token.low).collect()
    }

    #[test]
    fn names_paths_images_and_addresses_stay_whole() {
        assert_eq!(
            words("Pull ghcr.io/a/b:1.2, read /etc/hosts. See https://example.org/a?b=1,2!"),
            ["pull", "ghcr.io/a/b:1.2", ",", "read", "/etc/hosts", ".", "see", "https://example.org/a?b=1,2", "!"]
        );
        assert_eq!(words("wg-quick@wg0.service test-*"), ["wg-quick@wg0.service", "test-*"]);
    }

    #[test]
    fn contractions_are_opened_and_quotes_are_kept() {
        assert_eq!(words("what's web's state, don't"), ["what", "is", "web", "state", ",", "do", "not"]);
        assert_eq!(words("write 'it's fine' to x"), ["write", "it's fine", "to", "x"]);
        assert_eq!(words("say \"unfinished"), ["say", "unfinished"]);
    }

    #[test]
    fn an_invisible_character_parts_a_word() {
        assert_eq!(words("we\u{202e}b \u{1b}x 🎉web🎉"), ["we", "b", "x", "web"]);
    }
}
