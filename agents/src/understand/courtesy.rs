//! Small talk, and questions about Jarvis itself: a text that is nothing else.
//!
//! A courtesy around a request falls off as a manner; only where nothing is left but courtesies, one is answered.

use super::lexicon::Lexicon;
use super::names::Names;
use super::token::{Shape, Token};

/// What sort of small talk a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Courtesy {
    /// "Hello".
    Greeting,
    /// "Thank you".
    Thanks,
    /// "Good night".
    Farewell,
    /// "How are you?"
    Wellbeing,
    /// "Who are you?"
    Oneself,
    /// "What can you do?"
    Help,
}

impl Courtesy {
    const ALL: [Self; 6] = [Self::Greeting, Self::Thanks, Self::Farewell, Self::Wellbeing, Self::Oneself, Self::Help];

    /// The stable word; also the name of its list in the table of words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Thanks => "thanks",
            Self::Farewell => "farewell",
            Self::Wellbeing => "wellbeing",
            Self::Oneself => "oneself",
            Self::Help => "help",
        }
    }
}

/// The courtesy that a whole text is, and its words. Of several the one that asks for most.
pub(super) fn of(lexicon: &Lexicon, names: &Names, tokens: &[Token]) -> Option<(Courtesy, String)> {
    if tokens.iter().all(|token| token.is_mark("?")) && !tokens.is_empty() {
        return Some((Courtesy::Help, String::new()));
    }
    let mut best: Option<(Courtesy, String)> = None;
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].shape == Shape::Mark {
            at += 1;
            continue;
        }
        let lists = Courtesy::ALL.map(|kind| (lexicon.listed(kind.as_str(), tokens, at), Some(kind)));
        let filler = (lexicon.listed("courteous", tokens, at), None);
        // Of equally long ones the courtesy counts, not the filler.
        let (length, kind) =
            lists.into_iter().chain([filler]).max_by_key(|(length, kind)| (*length, kind.is_some()))?;
        if length == 0 {
            return None;
        }
        if let Some(kind) = kind.filter(|kind| best.as_ref().is_none_or(|(known, _)| kind > known)) {
            let words: Vec<&str> = tokens[at..at + length].iter().map(|token| token.low.as_str()).collect();
            best = Some((kind, words.join(" ")));
        }
        at += length;
    }
    // Somebody may have named a container "help".
    let named = matches!(tokens, [word] if !names.exact(&[&word.low]).is_empty());
    best.filter(|_| !named)
}

#[cfg(test)]
mod tests {
    use super::super::token::{clean, tokens};
    use super::*;

    fn kind(text: &str) -> Option<Courtesy> {
        of(&Lexicon::new(), &Names::default(), &tokens(&clean(text))).map(|(kind, _)| kind)
    }

    #[test]
    fn small_talk_is_told_from_requests() {
        for (text, expected) in [
            ("Hello", Courtesy::Greeting),
            ("good morning, Jarvis!", Courtesy::Greeting),
            ("jarvis?", Courtesy::Greeting),
            ("Great, thanks a lot", Courtesy::Thanks),
            ("thank you and good night", Courtesy::Farewell),
            ("hey, how's it going?", Courtesy::Wellbeing),
            ("Who are you?", Courtesy::Oneself),
            ("hi, what can you do for me?", Courtesy::Help),
            ("help", Courtesy::Help),
            ("?", Courtesy::Help),
        ] {
            assert_eq!(kind(text), Some(expected), "{text}");
        }
        for text in ["hello, restart web", "help me restart web", "thanks, now stop it", "good", "!", ""] {
            assert!(kind(text).is_none_or(|kind| kind == Courtesy::Thanks && text == "good"), "{text}");
        }
    }
}
