//! One thing that somebody without the key does to a log.

use super::log::{Log, Row, digest};

/// What is done, by six bytes: which, to which row, to which column, where, with what, and with what else. `None` if that
/// changes nothing.
pub(super) fn alter(log: &Log, choice: [u8; 6]) -> Option<Log> {
    let mut altered = log.clone();
    let rows = &mut altered.rows;
    let [what, row, column, ..] = choice.map(usize::from);
    let at = row % rows.len().max(1);
    match what % 8 {
        // A column of a row.
        0 | 1 => change(rows.get_mut(at)?, column, choice),
        // A row is taken out.
        2 if !rows.is_empty() => drop(rows.remove(at)),
        // Two change their places.
        3 => {
            let other = column % rows.len().max(1);
            let (one, two) = (rows.get(at)?.clone(), rows.get(other)?.clone());
            rows[at] = Row { seq: one.seq, ..two.clone() };
            rows[other] = Row { seq: two.seq, ..one };
        }
        // One is put in again, at the end.
        4 => {
            let seq = rows.len() as u64 + 1;
            let again = Row { seq, ..rows.get(at)?.clone() };
            // Whoever adds rows has no key: the seal is older, and the hash cannot fit.
            rows.push(again);
        }
        // The body.
        5 => {
            // Bodies are erased on purpose, too, and the rows tell only how many.
            let erased = rows.iter().any(|row| row.kind == "body.erased");
            body(rows.get_mut(at)?, if erased { column % 4 } else { column }, choice);
        }
        6 => altered.orphans = u64::from(choice[3]),
        // The end.
        _ => rows.truncate(at),
    }
    (altered != *log).then_some(altered)
}

fn change(row: &mut Row, column: usize, choice: [u8; 6]) {
    let number = i64::from(choice[4]) << (choice[5] % 56);
    match column % 12 {
        0 => row.seq = row.seq.saturating_add_signed(number).clamp(1, i64::MAX.cast_unsigned()),
        1 => row.at = row.at.wrapping_add(number),
        2 => twist(&mut row.kind, choice),
        3 => twist(&mut row.actor, choice),
        4 => twist(&mut row.owner, choice),
        5 => twist(&mut row.subject, choice),
        6 => twist(&mut row.correlation, choice),
        7 => optional(&mut row.tool, choice),
        8 => optional(&mut row.tier, choice),
        9 => twist(&mut row.summary, choice),
        10 => optional(&mut row.digest, choice),
        _ => twist(&mut row.hash, choice),
    }
}

fn body(row: &mut Row, how: usize, choice: [u8; 6]) {
    let Some((salt, json)) = &mut row.body else {
        let (salt, json) = ("5".repeat(32), "{}".to_owned());
        row.digest = (how.is_multiple_of(2)).then(|| digest(&salt, &json));
        row.body = Some((salt, json));
        return;
    };
    match how % 5 {
        0 => twist(json, choice),
        1 => twist(salt, choice),
        // The first letters of the JSON become the salt's last.
        2 => {
            let at = json.char_indices().nth(usize::from(choice[3])).map_or(0, |(at, _)| at);
            let rest = json.split_off(at);
            salt.push_str(json);
            *json = rest;
        }
        3 => {
            let last = salt.split_off(salt.len() - usize::from(choice[3]).min(salt.len()));
            json.insert_str(0, &last);
        }
        _ => row.body = None,
    }
}

fn optional(text: &mut Option<String>, choice: [u8; 6]) {
    match text {
        Some(_) if choice[5].is_multiple_of(3) => *text = None,
        Some(text) => twist(text, choice),
        None => *text = Some(char::from(choice[4]).to_string()),
    }
}

/// A letter is changed, put in, or taken out.
fn twist(text: &mut String, choice: [u8; 6]) {
    let [.., place, with, how] = choice;
    let at = text.char_indices().nth(usize::from(place)).map_or(text.len(), |(at, _)| at);
    match how % 3 {
        0 => text.insert(at, char::from(with)),
        1 if at < text.len() => drop(text.remove(at)),
        _ => {
            if at < text.len() {
                text.remove(at);
            }
            text.insert(at.min(text.len()), char::from(with));
        }
    }
}
