//! The tables of the standard, as they stand in `docs/kernel.md`.

const STANDARD: &str = include_str!("../../../../docs/kernel.md");

/// What is seen when something happens in a state.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    pub(super) becomes: String,
    pub(super) answer: String,
    pub(super) told: String,
    pub(super) effects: usize,
}

struct Line {
    event: String,
    states: Vec<String>,
    seen: Seen,
    used: usize,
}

/// One table, and where it is not what was seen.
pub(super) struct Table {
    lines: Vec<Line>,
    wrong: Vec<String>,
}

impl Table {
    /// The table in the fenced block of this name.
    pub(super) fn read(name: &str) -> Self {
        let block = STANDARD.split_once(&format!("```{name}\n")).unwrap().1.split_once("```").unwrap().0;
        Self { lines: block.lines().skip(1).map(line).collect(), wrong: Vec::new() }
    }

    /// Holds what was seen against the one line for this event in this state.
    pub(super) fn compare(&mut self, event: &str, state: &str, seen: Seen) {
        let fits = |line: &&mut Line| line.event == event && line.states.iter().any(|known| known == state);
        let mut lines: Vec<_> = self.lines.iter_mut().filter(fits).collect();
        let [line] = &mut lines[..] else {
            self.wrong.push(format!("{} lines for `{event}` in `{state}`: {seen:?}", lines.len()));
            return;
        };
        line.used += 1;
        let becomes = if line.seen.becomes == "=" { state } else { &line.seen.becomes };
        if seen != (Seen { becomes: becomes.to_owned(), ..line.seen.clone() }) {
            self.wrong.push(format!("`{event}` in `{state}`: {seen:?}"));
        }
    }

    /// The table says what was seen, and every line was asked for each of its states: none speaks of an event or a state
    /// that there is not.
    pub(super) fn holds(mut self) {
        let unused = self.lines.iter().filter(|line| line.used != line.states.len());
        self.wrong.extend(unused.map(|line| format!("not asked for: `{}` in {:?}", line.event, line.states)));
        assert!(self.wrong.is_empty(), "docs/kernel.md says otherwise:\n{}", self.wrong.join("\n"));
    }
}

fn line(text: &str) -> Line {
    let cells: Vec<_> = text.split('|').map(str::trim).collect();
    let [event, states, becomes, answer, told, effects] = cells[..] else { panic!("`{text}` has not 6 cells") };
    let seen = Seen {
        becomes: becomes.to_owned(),
        answer: answer.to_owned(),
        told: told.to_owned(),
        effects: effects.parse().unwrap(),
    };
    let states = states.split_whitespace().map(str::to_owned).collect();
    Line { event: event.to_owned(), states, seen, used: 0 }
}
