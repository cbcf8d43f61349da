//! How far the requests came, each operation on its own: a run in which everything is turned away at the door finds nothing,
//! and proves nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::report::{Kind, Violation, say};

/// Answers by which somebody is turned away before anything of his request is looked at.
const SHUT: [u16; 3] = [401, 403, 429];
/// How many of a hundred answers may be such ones.
const SHUT_AT_MOST: u64 = 5;
/// Answers by which a request is refused for its form.
const FORM: [u16; 8] = [400, 405, 411, 413, 414, 415, 422, 431];

/// Answers by operation, and by status.
#[derive(Debug, Clone, Default)]
pub(super) struct Reach {
    /// By method and path.
    operations: BTreeMap<(String, String), Operation>,
}

#[derive(Debug, Clone, Default)]
struct Operation {
    name: String,
    answers: BTreeMap<u16, u64>,
}

impl Operation {
    /// How many answers have such a status.
    fn sum(&self, such: impl Fn(u16) -> bool) -> u64 {
        self.answers.iter().filter(|(status, _)| such(**status)).map(|(_, count)| count).sum()
    }

    fn is_carried_out(&self) -> bool {
        self.sum(|status| (200..300).contains(&status)) > 0
    }

    /// Whether every request was refused for its form, or at the door.
    fn is_before_validation(&self) -> bool {
        self.sum(|status| !FORM.contains(&status) && !SHUT.contains(&status)) == 0
    }
}

impl Reach {
    /// The operations of a document, none of them asked.
    pub(super) fn of(document: &Value) -> Self {
        let mut reach = Self::default();
        for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let name = operation.get("operationId").and_then(Value::as_str).unwrap_or_default().to_owned();
                let one = Operation { name, ..Operation::default() };
                reach.operations.insert((method.to_uppercase(), path.clone()), one);
            }
        }
        reach
    }

    /// Counts the answers of one event of schemathesis. Methods that an operation does not have are not its own.
    pub(super) fn count(&mut self, event: &Value) {
        let Some(recorder) = event.pointer("/ScenarioFinished/recorder") else { return };
        for (id, interaction) in recorder.get("interactions").and_then(Value::as_object).into_iter().flatten() {
            let case = |field: &str| {
                let text = recorder.get("cases")?.get(id)?.get("value")?.get(field)?.as_str()?;
                Some(text.to_owned())
            };
            let status = interaction.pointer("/response/status_code").and_then(Value::as_u64);
            let status = status.and_then(|status| u16::try_from(status).ok());
            let (Some(method), Some(path), Some(status)) = (case("method"), case("path"), status) else { continue };
            if let Some(operation) = self.operations.get_mut(&(method, path)) {
                *operation.answers.entry(status).or_default() += 1;
            }
        }
    }

    /// Tells how far it came, and what is wrong with that: operations that nobody asked, a door that was shut most of the
    /// time (but for `counted` ones, which let in so many only), and fewer that were carried out than there have to be.
    pub(super) fn judge(&self, left_out: &[&str], counted: &[&str], at_least: usize) -> Vec<Violation> {
        let asked: Vec<_> = self.operations.values().filter(|it| !left_out.contains(&it.name.as_str())).collect();
        let names = |such: &dyn Fn(&Operation) -> bool| {
            asked.iter().filter(|it| such(it)).map(|it| it.name.as_str()).collect::<Vec<_>>()
        };
        let carried_out = names(&Operation::is_carried_out).len();
        let form = names(&Operation::is_before_validation);
        let between = names(&|it| !it.is_carried_out() && !it.is_before_validation());
        say(&format!(
            "openapi: of {} operations {carried_out} were carried out (2xx); {} never got past validation ({}); {} did, and \
             found nothing to do ({})",
            asked.len(),
            form.len(),
            form.join(", "),
            between.len(),
            between.join(", ")
        ));
        let mut found = Vec::new();
        let never = names(&|it| it.answers.is_empty());
        if !never.is_empty() {
            found.push(Violation::new(Kind::Untried, format!("never asked: {}", never.join(", "))));
        }
        let open: Vec<_> = asked.iter().filter(|it| !counted.contains(&it.name.as_str())).collect();
        let all: u64 = open.iter().map(|it| it.sum(|_| true)).sum();
        let shut: u64 = open.iter().map(|it| it.sum(|status| SHUT.contains(&status))).sum();
        say(&format!("openapi: {shut} of {all} answers were 401, 403 or 429"));
        if shut * 100 > all * SHUT_AT_MOST {
            found.push(Violation::new(Kind::Untried, format!("{shut} of {all} answers came from a shut door")));
        }
        for one in open {
            if !one.answers.is_empty() && one.sum(|status| !SHUT.contains(&status)) == 0 {
                found.push(Violation::new(Kind::Untried, format!("`{}` let nobody in", one.name)));
            }
        }
        if carried_out < at_least {
            let what = format!("{carried_out} operations were carried out, and it takes {at_least} to prove something");
            found.push(Violation::new(Kind::Untried, what));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(statuses: &[u16]) -> Reach {
        let operation = |name: &str| json!({ "operationId": name });
        let paths = json!({ "/a/{id}": { "get": operation("look") }, "/b": { "post": operation("make") } });
        let mut reach = Reach::of(&json!({ "paths": paths }));
        let case = |method: &str| json!({ "value": { "method": method, "path": "/a/{id}" } });
        let answer = |status: u16| json!({ "response": { "status_code": status } });
        for &status in statuses {
            reach.count(&json!({ "ScenarioFinished": { "recorder": {
                "cases": { "1": case("GET"), "2": case("TRACE"), "3": case("GET") },
                "interactions": { "1": answer(status), "2": answer(405), "3": {} },
            } } }));
        }
        reach
    }

    #[test]
    fn a_run_that_came_nowhere_is_told() {
        let words = |reach: &Reach, left_out: &[&str]| {
            reach.judge(left_out, &[], 1).into_iter().map(|it| it.what).collect::<Vec<_>>()
        };
        let fine = [vec![401], vec![200; 30]].concat();
        assert_eq!(words(&asked(&fine), &["make"]), Vec::<String>::new());
        assert_eq!(words(&asked(&fine), &[]), ["never asked: make"]);
        assert_eq!(words(&asked(&[200, 404, 401]), &["make"]), ["1 of 3 answers came from a shut door"]);
        assert_eq!(
            words(&asked(&[400, 404]), &["make"]),
            ["0 operations were carried out, and it takes 1 to prove something"]
        );
        assert!(words(&asked(&[401, 429]), &["make"]).contains(&"`look` let nobody in".to_owned()));
        assert!(asked(&[400, 415]).operations.values().all(Operation::is_before_validation));
        assert!(!asked(&[400, 404]).operations.values().all(Operation::is_before_validation));
    }
}
