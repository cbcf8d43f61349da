//! Whether a clause gives an order, and whether it does so in the way that orders are given.

use super::lexicon::Class;
use super::reading::{Reader, Word};

/// Finds the order, and whether it stands where orders stand: first.
pub(super) fn find(reader: &mut Reader<'_>) {
    let actions = &reader.cx.grammar.actions;
    if reader.manner.past {
        for word in reader.out.words.iter_mut().filter(|word| actions.contains(&word.concept)) {
            (word.historic, word.commands) = (true, false);
        }
        return;
    }
    let is_order = |word: &Word| word.commands && actions.contains(&word.concept);
    reader.out.action = reader.out.words.iter().position(is_order);
    let Some(order) = reader.out.order().cloned() else { return };
    let give = reader.tokens()[reader.lo..order.at].iter().any(|token| token.low == "give");
    let before_ok = |word: &Word| word.at >= order.at || word.class == Class::Context || word.said == "give";
    let named_before = reader.out.mentions.iter().any(|mention| mention.from < order.at);
    reader.out.odd |= (named_before && !give) || !reader.out.words.iter().all(before_ok);
    reader.out.odd |= reader.out.words.iter().filter(|word| is_order(word)).count() > 1;
    if give {
        reader.out.words.retain(|word| word.said != "give");
        reader.out.action = reader.out.words.iter().position(is_order);
    }
}

/// Between two things that one order is for stands nothing but a connection.
pub(super) fn connections(reader: &mut Reader<'_>) {
    let joined = |from: usize, to: usize| {
        from < to
            && (from..to).all(|at| {
                let token = &reader.tokens()[at];
                token.is_mark(",")
                    || reader.listed("and", at) > 0
                    || (from..at).any(|start| start + reader.listed("and", start) > at)
                    || reader.cx.lexicon.is("both", &token.low)
                    || token.low == "then"
                    || matches!(&*token.low, "the" | "my" | "our")
                    || reader.kind_at(at).is_some()
            })
    };
    let fine = reader.out.mentions.windows(2).all(|pair| joined(pair[0].to, pair[1].from));
    reader.out.odd |= !fine;
}
