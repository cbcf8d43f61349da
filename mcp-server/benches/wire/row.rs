//! Lines of the table: columns with tabs between them, which `xtask` puts under each other.

/// A line. What does not apply stays empty.
#[derive(Default)]
pub(crate) struct Row {
    what: String,
    clients: String,
    rate: String,
    p50: String,
    p99: String,
    cpu: String,
    memory: String,
    goal: String,
    came_to: String,
    reached: &'static str,
}

impl Row {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), ..Self::default() }
    }

    pub(crate) fn clients(mut self, clients: usize) -> Self {
        self.clients = clients.to_string();
        self
    }

    /// A second.
    pub(crate) fn rate(mut self, rate: f64) -> Self {
        self.rate = format!("{rate:.0}");
        self
    }

    /// In microseconds.
    pub(crate) fn latency(mut self, p50: f64, p99: f64) -> Self {
        (self.p50, self.p99) = (time(p50), time(p99));
        self
    }

    /// Of the server, in microseconds.
    pub(crate) fn cpu(mut self, cpu: f64) -> Self {
        self.cpu = format!("{cpu:.1} µs");
        self
    }

    /// In MiB.
    pub(crate) fn memory(mut self, memory: f64) -> Self {
        self.memory = format!("{memory:.1} MiB");
        self
    }

    /// What was wanted, what came of it, and whether that is enough.
    pub(crate) fn goal(mut self, goal: impl Into<String>, came_to: impl Into<String>, reached: bool) -> Self {
        (self.goal, self.came_to) = (goal.into(), came_to.into());
        self.reached = if reached { "yes" } else { "NO" };
        self
    }

    /// What came of something that nothing was wanted of.
    pub(crate) fn told(mut self, came_to: impl Into<String>) -> Self {
        self.came_to = came_to.into();
        self
    }

    pub(crate) fn print(self) {
        let Self { what, clients, rate, p50, p99, cpu, memory, goal, came_to, reached } = self;
        let columns = [&what, &clients, &rate, &p50, &p99, &cpu, &memory, &goal, &came_to].map(String::as_str);
        println!("row\t{}\t{reached}", columns.join("\t"));
    }
}

/// A time that was given in microseconds.
pub(crate) fn time(micros: f64) -> String {
    if micros < 10_000.0 { format!("{micros:.0} µs") } else { format!("{:.1} ms", micros / 1000.0) }
}

/// What is being measured, for whoever waits.
pub(crate) fn doing(what: &str) {
    eprintln!("measuring {what} …");
}

pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = figures.into_iter().collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// The figure below which so many percent lie, in the unit of the figures.
pub(crate) fn percentile(figures: &mut [f64], percent: usize) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[(figures.len() * percent / 100).min(figures.len() - 1)]
}
