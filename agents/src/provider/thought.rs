//! Thoughts that a model writes into its answer.
//!
//! Most servers send them apart; one that was not told of the model's habit passes `<think>…</think>` on as words. A
//! thought stands before the answer, so only there a tag is one: further on it is a word like any other.

const TAGS: [(&str, &str); 2] = [("<think>", "</think>"), ("<thinking>", "</thinking>")];

/// Tells thoughts from words, however they were split.
#[derive(Debug, Default)]
pub(super) struct Thoughts {
    place: Place,
    /// What may be a part of a tag.
    held: String,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Before,
    /// Behind a thought; the gap there belongs to it.
    Behind,
    /// In a thought; it ends with this tag.
    Within(&'static str),
    Answer,
}

/// A piece of what was written, told apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) thought: String,
    pub(super) words: String,
}

impl Thoughts {
    /// Takes the next words.
    pub(super) fn take(&mut self, text: &str) -> Told {
        let mut told = Told::default();
        if self.place == Place::Answer {
            text.clone_into(&mut told.words);
            return told;
        }
        self.held.push_str(text);
        while self.step(&mut told) {}
        told
    }

    /// What was held back, now that nothing more will come.
    pub(super) fn finish(&mut self) -> Told {
        let held = std::mem::take(&mut self.held);
        match std::mem::replace(&mut self.place, Place::Answer) {
            Place::Within(_) => Told { thought: held, words: String::new() },
            Place::Behind => Told { thought: String::new(), words: held.trim_start().to_owned() },
            Place::Before | Place::Answer => Told { thought: String::new(), words: held },
        }
    }

    /// Passes on what can be told apart; answers whether there may be more.
    fn step(&mut self, told: &mut Told) -> bool {
        match self.place {
            Place::Before | Place::Behind => {
                let begun = self.held.trim_start();
                if let Some((open, close)) = TAGS.into_iter().find(|(open, _)| begun.starts_with(open)) {
                    self.held = begun[open.len()..].to_owned();
                    self.place = Place::Within(close);
                    return true;
                }
                if TAGS.iter().any(|(open, _)| open.starts_with(begun)) {
                    return false;
                }
                told.words.push_str(if self.place == Place::Behind { begun } else { &self.held });
                (self.held, self.place) = (String::new(), Place::Answer);
                false
            }
            Place::Within(close) => {
                if let Some(end) = self.held.find(close) {
                    told.thought.push_str(&self.held[..end]);
                    self.held = self.held[end + close.len()..].to_owned();
                    self.place = Place::Behind;
                    return true;
                }
                let kept = (1..close.len()).rev().find(|length| self.held.ends_with(&close[..*length])).unwrap_or(0);
                let rest = self.held.split_off(self.held.len() - kept);
                told.thought.push_str(&std::mem::replace(&mut self.held, rest));
                false
            }
            Place::Answer => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pieces: &[&str]) -> (String, String) {
        let mut thoughts = Thoughts::default();
        let mut all = Told::default();
        let mut add = |told: Told| {
            all.thought.push_str(&told.thought);
            all.words.push_str(&told.words);
        };
        pieces.iter().for_each(|piece| add(thoughts.take(piece)));
        add(thoughts.finish());
        (all.thought, all.words)
    }

    #[test]
    fn a_thought_before_the_answer_is_told_apart_however_it_is_split() {
        let text = "\n<think>\nWhat is 2 < 3? größe </thin\n</think>\n\nIt is so. <think> is a tag.";
        let expected = ("\nWhat is 2 < 3? größe </thin\n".to_owned(), "It is so. <think> is a tag.".to_owned());
        assert_eq!(told(&[text]), expected);
        for (at, _) in text.char_indices() {
            assert_eq!(told(&[&text[..at], &text[at..]]), expected, "split at {at}");
        }
        let single: Vec<String> = text.chars().map(String::from).collect();
        assert_eq!(told(&single.iter().map(String::as_str).collect::<Vec<_>>()), expected);
    }

    #[test]
    fn an_answer_without_thoughts_is_left_as_it_is() {
        for text in ["Good evening.", " <thin", "<b>bold</b>", "", "a <think>b</think>"] {
            assert_eq!(told(&[text]), (String::new(), text.to_owned()));
        }
        assert_eq!(told(&["<thinking>hm"]), ("hm".to_owned(), String::new()));
    }
}
