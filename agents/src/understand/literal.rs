//! Words that are meant as they stand, although no quotes say so: what is searched for, and what is written.

use super::reading::Reader;
use super::token::Shape;
use super::value::{Said, Value, value_at};

/// Words before the text that only announce it.
const ANNOUNCING: [&str; 22] = [
    "for",
    "the",
    "word",
    "words",
    "text",
    "string",
    "phrase",
    "lines",
    "line",
    "any",
    "all",
    "with",
    "containing",
    "that",
    "contain",
    "contains",
    "mention",
    "mentions",
    "mentioning",
    "occurrences",
    "of",
    "files",
];

/// Takes the literal words of a clause out of it.
pub(super) fn capture(reader: &mut Reader<'_>) {
    let (lo, hi) = (reader.lo, reader.hi);
    let tokens = reader.tokens();
    if tokens[lo..hi].iter().any(|token| token.shape == Shape::Quoted) {
        return;
    }
    let Some((at, length, concept)) = head(reader) else { return };
    match &*concept {
        "search" => searched(reader, at + length),
        "write" | "append" => written(reader, at + length),
        _ if !reader.cx.grammar.actions.contains(&*concept) => mentioned(reader),
        _ => {}
    }
}

/// The first word with a meaning.
fn head(reader: &Reader<'_>) -> Option<(usize, usize, String)> {
    (reader.lo..reader.hi).find_map(|at| {
        let found = reader.cx.lexicon.at(reader.tokens(), at)?;
        Some((at, found.length, found.meaning.concept.to_string()))
    })
}

/// "search for out of memory in the logs of web", "search the logs of web for timeout".
fn searched(reader: &mut Reader<'_>, after: usize) {
    let tokens = reader.tokens();
    let hi = reader.hi;
    let place = |from: usize| {
        (from..hi).find(|&at| matches!(&*tokens[at].low, "in" | "inside" | "within" | "from" | "under" | "across"))
    };
    let announced = (after..hi).rev().find(|&at| tokens[at].low == "for" && at > after);
    if let Some(at) = announced.filter(|&at| is_text(reader, at + 1)) {
        let end = place(at + 1).unwrap_or(hi);
        return keep(reader, at, at + 1, end);
    }
    match place(after) {
        Some(end) => keep(reader, after, after, end),
        None if tokens.get(after.wrapping_sub(1)).is_some_and(|token| token.low == "for") => {
            keep(reader, after, after, hi);
        }
        None => {}
    }
}

/// "lines containing timeout in the logs of web", "logs of web mentioning oom".
fn mentioned(reader: &mut Reader<'_>) {
    let tokens = reader.tokens();
    let marker = (reader.lo + 1..reader.hi).find(|&at| match &*tokens[at].low {
        "containing" | "mentioning" | "matching" | "contain" | "mention" | "contains" | "mentions" => true,
        "with" => matches!(&*tokens[at - 1].low, "lines" | "entries" | "messages" | "logs"),
        "about" => matches!(&*tokens[at - 1].low, "say" | "said" | "lines" | "entries" | "messages" | "logs"),
        _ => false,
    });
    let Some(at) = marker.filter(|&at| is_text(reader, at + 1)) else { return };
    let names_things = (reader.lo..at).any(|at| reader.kind_at(at).is_some() || reader.listed("everything", at) > 0);
    if names_things {
        return;
    }
    let end = (at + 1..reader.hi)
        .find(|&end| matches!(&*tokens[end].low, "in" | "from" | "of" | "on" | "for" | "over" | "within"))
        .unwrap_or(reader.hi);
    keep(reader, at, at + 1, end);
}

/// "write buy milk to notes.txt", "create notes.txt with buy milk".
fn written(reader: &mut Reader<'_>, after: usize) {
    let tokens = reader.tokens();
    let is_path =
        |at: usize| at < reader.hi && matches!(value_at(tokens, at), Some(Said { value: Value::Path(_), .. }));
    let file = |at: usize| {
        // "to the file notes.txt"
        (at..reader.hi.min(at + 3)).find(|&at| is_path(at))
    };
    let onto = (after..reader.hi).rev().find(|&at| reader.listed("onto", at) == 1 && file(at + 1).is_some());
    if let Some(at) = onto.filter(|&at| at > after) {
        return keep(reader, after, after, at);
    }
    let Some(path) = (after..reader.hi).find(|&at| is_path(at)) else { return };
    let holding = (path + 1..reader.hi).find(|&at| reader.listed("holding", at) > 0);
    if let Some(at) = holding {
        let start = at + reader.listed("holding", at);
        keep(reader, at, start, reader.hi);
    }
}

/// Whether a text may begin here, rather than a span of time.
fn is_text(reader: &Reader<'_>, at: usize) -> bool {
    let at = if reader.tokens().get(at).is_some_and(|token| token.low == "the") { at + 1 } else { at };
    at < reader.hi
        && reader.tokens()[at].shape == Shape::Word
        && !matches!(value_at(reader.tokens(), at), Some(Said { value: Value::Span(_) | Value::Path(_), .. }))
}

/// Keeps the tokens from `start` to `end` as one text, and the words from `from` on that announce it.
fn keep(reader: &mut Reader<'_>, from: usize, start: usize, end: usize) {
    let tokens = reader.tokens();
    let writes = tokens[reader.lo..start].iter().any(|token| reader.cx.lexicon.is("holding", &token.low));
    let announced =
        (start..end).take_while(|&at| !writes && ANNOUNCING.contains(&&*tokens[at].low) && at + 1 < end).count();
    let start = start + announced;
    let end = (start..end).rev().find(|&at| tokens[at].shape == Shape::Word).map_or(start, |last| last + 1);
    // What names logs or a path is where to look, not what to look for.
    let topic = (start..end).any(|at| reader.cx.lexicon.meaning(&tokens[at].low).is_some_and(|m| &*m.concept == "log"));
    if start >= end || (topic && end - start < 4) {
        return;
    }
    let text = reader.cx.text[tokens[start].from..tokens[end - 1].to].to_owned();
    reader.take(from, end);
    reader.out.values.push(Said { value: Value::Text(text), from, to: end });
}
