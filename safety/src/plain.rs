//! Text that a person can trust to show what is there.

/// Shows control, bidirectional and other invisible characters as `\u{…}`, so that a name cannot dress up as another
/// or reorder the sentence it stands in. Line breaks and tabs are shown too: a sentence on a card has one line.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_deceptive(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Like [`visible`], but keeps line breaks and tabs: for blocks of text such as diffs and logs.
#[must_use]
pub fn visible_block(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let layout = matches!(character, '\n' | '\t');
        if !layout && (character.is_control() || is_deceptive(character)) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Cuts after at most `limit` characters and says so with an ellipsis.
#[must_use]
pub fn shorten(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

const fn is_deceptive(character: char) -> bool {
    matches!(character,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fe00}'..='\u{fe0f}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_bidirectional_characters_are_shown_escaped() {
        assert_eq!(visible("we\u{202e}b\n\u{200b}"), r"we\u{202e}b\u{a}\u{200b}");
        assert_eq!(visible_block("a\n\u{1b}[31m"), "a\n\\u{1b}[31m");
        assert_eq!(visible("größe 東京"), "größe 東京");
    }
}
