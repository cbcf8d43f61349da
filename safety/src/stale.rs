//! Why what was approved is not what would run now, in words.

use crate::approval::Step;
use crate::kernel::Prepared;
use crate::refusal::{Code, Refusal};

/// Voids an approval.
pub(crate) fn stale(why: &str) -> Refusal {
    let said = format!("what was approved is not what would run now: {}", why.trim_end_matches('.'));
    Refusal::new(Code::ApprovalStale, "decided again at spending", said)
}

/// What is different about a call whose digest is not the approved one.
pub(crate) fn difference(step: &Step, call: &Prepared) -> String {
    if step.target.id != call.target.id || step.target.kind != call.target.kind {
        return format!("{} is another {} now", step.target.name, step.target.kind);
    }
    if step.tier != call.tier {
        return format!("it is {} now and was {}", call.tier, step.tier);
    }
    format!("the tool {} was changed", step.tool)
}

/// The same question was answered no twice.
pub(crate) fn asked_twice() -> Refusal {
    Refusal::new(
        Code::Denied,
        "asked twice",
        "denied: within the last hour a person was asked this twice and said no or nothing, and is not asked again before \
         that is over. Nothing was done",
    )
}

/// What was refused now is not what was approved, but for a store that is away.
pub(crate) fn unless_away(refusal: Refusal) -> Refusal {
    if refusal.code == Code::StoreUnavailable { refusal } else { stale(&refusal.message) }
}
