//! `cargo xtask bench`: what the project promises of its speed, measured, in one table.
//!
//! The measuring is done by the benchmarks of the crates; each prints lines of the table. Here they are built, run one
//! after the other and put under each other, with what the machine is like.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Done, process, root};

/// What can be asked for by name.
const PARTS: [&str; 8] = ["calls", "effects", "tools", "jobs", "streams", "memory", "start", "stop"];
/// The parts that the benchmark from outside knows.
const OUTSIDE: [&str; 7] = ["calls", "effects", "jobs", "streams", "memory", "start", "stop"];
const HEAD: [&str; 10] =
    ["measured", "clients", "per second", "p50", "p99", "CPU a call", "memory", "goal", "came to", "reached"];
/// Rounds of the jobs in process.
const ROUNDS: usize = 5;
/// Ended jobs among which the last of them is measured.
const FINISHED: u64 = 1_000_000;
/// How figures are named that were measured among them.
const AMONG: &str = ", among a million";
/// What must not become slower among them.
const WHOLE: &str = "job handed in to ended, 1024 places of 256";
/// As many as can be made in a few seconds.
const QUICKLY_FINISHED: u64 = 20_000;

/// What was asked for.
struct Wanted {
    quick: bool,
    parts: Vec<String>,
}

/// The table as it grows.
#[derive(Default)]
struct Table {
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

/// Builds and runs what was asked for, and prints the table, also when something broke on the way.
pub(crate) fn run(arguments: &[String]) -> Done {
    let wanted = read(arguments)?;
    let mut table = Table::default();
    table.notes.push(machine()?);
    let done = measure(&wanted, &mut table);
    table.notes.push(format!("Load of the machine afterwards: {}.", load()));
    table.print();
    done
}

fn read(arguments: &[String]) -> Result<Wanted, String> {
    let (options, parts): (Vec<_>, Vec<_>) = arguments.iter().cloned().partition(|word| word.starts_with('-'));
    let unknown = options.iter().find(|word| *word != "--quick");
    if let Some(word) = unknown.or_else(|| parts.iter().find(|word| !PARTS.contains(&word.as_str()))) {
        return Err(format!("`{word}` is unknown; use --quick, and any of {}", PARTS.join(", ")));
    }
    Ok(Wanted { quick: !options.is_empty(), parts })
}

impl Wanted {
    fn has(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|named| named == part)
    }
}

fn measure(wanted: &Wanted, table: &mut Table) -> Done {
    let quick: &[&str] = if wanted.quick { &["--quick"] } else { &[] };
    let outside: Vec<_> = OUTSIDE.into_iter().filter(|part| wanted.has(part)).collect();
    if !outside.is_empty() {
        let program = build("jarvis-mcp-server", "wire")?;
        let full = if wanted.has("start") { Some(Full::new(wanted.quick)?) } else { None };
        let place = full.as_ref().map(|full| format!("--full={}", full.0.display()));
        let place: Vec<_> = place.iter().map(String::as_str).collect();
        lines(&program, &[quick, &place, &outside].concat(), |line| table.take(line))?;
    }
    if wanted.has("tools") {
        lines(&build("jarvis-mcp-server", "inside")?, &[&["tools"], quick].concat(), |line| table.take(line))?;
    }
    if wanted.has("jobs") {
        jobs(&build("jarvis-memory", "job")?, wanted.quick, table)?;
    }
    Ok(())
}

/// A data directory with very many jobs. Gone when it is let go.
struct Full(PathBuf);

impl Full {
    fn new(quick: bool) -> Result<Self, String> {
        let program = build("jarvis-mcp-server", "inside")?;
        let jobs = if quick { QUICKLY_FINISHED } else { FINISHED };
        process::say(&format!("making {jobs} jobs for the measurement of the start …"));
        let full = Self(root().join("target/bench/full"));
        // Left over from a measurement that was killed.
        let _ = fs::remove_dir_all(&full.0);
        fs::create_dir_all(root().join("target/bench")).map_err(|error| error.to_string())?;
        let folder = full.0.display().to_string();
        lines(&program, &["fill", &folder, &jobs.to_string()], process::say)?;
        Ok(full)
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Builds a benchmark as it is released, and answers where it is.
fn build(package: &str, bench: &str) -> Result<String, String> {
    let arguments = ["bench", "--no-run", "--locked", "--package", package, "--bench", bench];
    let mut command = process::cargo();
    command.args(arguments).args(["--message-format", "json-render-diagnostics"]).current_dir(root());
    let built = command.stderr(Stdio::inherit()).output().map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !built.status.success() {
        return Err(format!("`cargo {}` failed ({})", arguments.join(" "), built.status));
    }
    let said = String::from_utf8_lossy(&built.stdout);
    let ours = said.lines().rfind(|line| line.contains("\"kind\":[\"bench\"]") && line.contains("\"executable\":\""));
    let path = ours.and_then(|line| line.split("\"executable\":\"").nth(1)?.split('"').next());
    path.map(str::to_owned).ok_or_else(|| format!("cargo did not tell where the benchmark `{bench}` is"))
}

/// Runs a benchmark and hands on its lines as they come. It ends with us.
fn lines(program: &str, arguments: &[&str], mut take: impl FnMut(&str)) -> Done {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{program} could not be started: {error}"))?;
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).lines().map_while(Result::ok).for_each(|line| take(&line));
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("a benchmark broke ({status}); its words stand above")) }
}

/// Jobs in process. Each round is a run of its own on a new store; the last goes on among very many ended jobs.
fn jobs(program: &str, quick: bool, table: &mut Table) -> Done {
    let mut figures: BTreeMap<String, Vec<Job>> = BTreeMap::new();
    let rounds = if quick { 1 } else { ROUNDS };
    for round in 1..=rounds {
        process::say(&format!("measuring jobs in process, round {round} of {rounds} …"));
        let finished = if round == rounds && !quick { FINISHED } else { 1 };
        let mut stage = "";
        lines(program, &[&finished.to_string()], |line| {
            if !line.starts_with(' ') {
                stage = stage_of(line);
            } else if let Some((what, job)) = job(line) {
                figures.entry(format!("{what}{stage}")).or_default().push(job);
            }
        })?;
    }
    if std::env::var_os("JARVIS_TEST_POSTGRES").is_some() {
        for round in 1..=rounds {
            process::say(&format!("measuring jobs in process on PostgreSQL, round {round} of {rounds} …"));
            lines(program, &["postgres"], |line| {
                if let Some((what, job)) = job(line) {
                    figures.entry(format!("{what}, PostgreSQL")).or_default().push(job);
                }
            })?;
        }
    } else {
        table.notes.push("Jobs on PostgreSQL: not measured, needs JARVIS_TEST_POSTGRES.".to_owned());
    }
    table.rows.extend(figures.iter().map(|(what, jobs)| job_row(what, jobs)));
    table.rows.extend(flat(&figures));
    if quick {
        table.notes.push("Jobs in process: one round, because this run was to be quick.".to_owned());
    } else {
        table.notes.push("Jobs among a million ended ones: one round.".to_owned());
    }
    Ok(())
}

/// What a line of the benchmark of jobs tells, in microseconds.
#[derive(Default)]
struct Job {
    clients: String,
    rate: Option<f64>,
    p50: Option<f64>,
    p99: Option<f64>,
    cpu: Option<f64>,
}

/// Among how many ended jobs the following lines were measured. The number differs a little from run to run.
fn stage_of(line: &str) -> &'static str {
    let ended: u64 = line.split(' ').find_map(|word| word.parse().ok()).unwrap_or(0);
    match ended {
        0 => "",
        _ if ended > FINISHED / 2 => AMONG,
        _ => ", among 150,000",
    }
}

/// Reads a line such as `submissions, 256 clients:   98765/s,   8.3 µs CPU each, p50 1.20ms, p99 3.00ms, max 4.00ms`.
fn job(line: &str) -> Option<(String, Job)> {
    let (what, rest) = line.trim().split_once(':')?;
    let mut words = what.split(" (").next()?.split(", ").map(str::trim);
    let name = match words.next()? {
        "submissions" => "job handed in, in process".to_owned(),
        "lifecycles" => format!("job handed in to ended, {}", what.rsplit(", ").next()?),
        "fdatasync of 4 KiB" => "fdatasync of 4 KiB, beside the jobs".to_owned(),
        pickup if pickup.starts_with("pickup at 500/s") => "job handed in to begun, 500 a second".to_owned(),
        _ => return None,
    };
    let clients = words.find_map(|word| word.strip_suffix(" clients")).unwrap_or_default().trim().to_owned();
    let mut job = Job { clients, ..Job::default() };
    for part in rest.split([',', '(']).map(str::trim) {
        if let Some(rate) = part.strip_suffix("/s") {
            job.rate = rate.trim().parse().ok();
        } else if let Some(cpu) = part.strip_suffix("µs CPU each") {
            job.cpu = cpu.trim().parse().ok();
        } else if let Some(time) = part.strip_prefix("p50 ") {
            job.p50 = micros(time);
        } else if let Some(time) = part.strip_prefix("p99 ") {
            job.p99 = micros(time);
        }
    }
    Some((format!("{name}{}", at(&job.clients)), job))
}

/// Keeps the figures of different numbers of clients apart, and in their order.
fn at(clients: &str) -> String {
    if clients.is_empty() { String::new() } else { format!(" of {clients:>3}") }
}

/// A time as Rust writes it.
fn micros(time: &str) -> Option<f64> {
    let units = [("µs", 1.0), ("ms", 1e3), ("ns", 1e-3), ("s", 1e6)];
    let (number, unit) = units.into_iter().find_map(|(unit, size)| Some((time.strip_suffix(unit)?, size)))?;
    Some(number.parse::<f64>().ok()? * unit)
}

fn job_row(what: &str, jobs: &[Job]) -> Vec<String> {
    let of = |part: fn(&Job) -> Option<f64>| median(jobs.iter().filter_map(part));
    let (rate, p99) = (of(|job| job.rate), of(|job| job.p99));
    let (goal, reached) = match (rate, p99) {
        (Some(rate), _) if what.contains("1024 places") && what.ends_with("PostgreSQL") => {
            ("≥ 10,000 a second", rate >= 10_000.0)
        }
        (Some(rate), _) if what == "job handed in, in process of 256" => ("≥ 100,000 a second", rate >= 1e5),
        (Some(rate), _) if what.contains("1024 places") => ("≥ 25,000 a second", rate >= 25_000.0),
        (_, Some(p99)) if what.contains("begun") => ("p99 ≤ 10 ms", p99 <= 10_000.0),
        _ => ("", true),
    };
    let clients = jobs.first().map(|job| job.clients.clone()).unwrap_or_default();
    let figure = |value: Option<f64>, unit: &str| value.map(|value| format!("{value:.0}{unit}")).unwrap_or_default();
    let came_to = match goal {
        "" => String::new(),
        "p99 ≤ 10 ms" => p99.map(|p99| format!("{:.1} ms", p99 / 1000.0)).unwrap_or_default(),
        _ => figure(rate, ""),
    };
    let reached = if goal.is_empty() { "" } else { verdict(reached) };
    let cpu = of(|job| job.cpu).map(|cpu| format!("{cpu:.1} µs")).unwrap_or_default();
    let shown = what.replace(&at(&clients), "");
    let times = [figure(of(|job| job.p50), " µs"), figure(p99, " µs")];
    let [p50, p99] = times;
    vec![shown, clients, figure(rate, ""), p50, p99, cpu, String::new(), goal.to_owned(), came_to, reached.to_owned()]
}

/// Whether a million ended jobs slow down the next ones. Both rates are of one run: what disturbs the machine differs
/// from run to run.
fn flat(figures: &BTreeMap<String, Vec<Job>>) -> Option<Vec<String>> {
    let of = |what: &str| figures.get(what)?.last();
    let (among, before) = (of(&format!("{WHOLE}{AMONG}"))?, of(WHOLE)?);
    let ratio = among.rate? / before.rate?;
    let mut row = vec!["a million ended jobs, beside without".to_owned(), among.clients.clone()];
    row.resize(HEAD.len() - 3, String::new());
    row.extend(["≥ 0.9 × the rate", &format!("{ratio:.2} ×"), verdict(ratio >= 0.9)].map(str::to_owned));
    Some(row)
}

const fn verdict(reached: bool) -> &'static str {
    if reached { "yes" } else { "NO" }
}

fn median(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let mut all: Vec<f64> = figures.collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied()
}

impl Table {
    /// A line of a benchmark.
    fn take(&mut self, line: &str) {
        match line.split_once('\t') {
            Some(("row", columns)) => self.rows.push(columns.split('\t').map(str::to_owned).collect()),
            Some(("note", note)) => self.notes.push(note.to_owned()),
            _ => process::say(line),
        }
    }

    fn print(&self) {
        let head = HEAD.map(str::to_owned).to_vec();
        let lines = || std::iter::once(&head).chain(&self.rows);
        let width = |column: usize| {
            lines().filter_map(|row| row.get(column)).map(|text| text.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..HEAD.len()).map(width).collect();
        let mut out = std::io::stdout().lock();
        for row in lines() {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (text, width))| match column {
                1..=6 => format!("{text:>width$}"),
                _ => format!("{text:<width$}"),
            });
            let _ = writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        for note in &self.notes {
            let _ = writeln!(out, "{note}");
        }
    }
}

/// What the figures depend on most: the processor's cores, and what the disk needs to keep 4 KiB.
fn machine() -> Result<String, String> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let folder = root().join("target");
    let path = folder.join("fdatasync");
    let disk = fs::create_dir_all(&folder).and_then(|()| fdatasync(&path));
    let _ = fs::remove_file(&path);
    let disk = disk.map_err(|error| format!("{} cannot be written: {error}", folder.display()))?;
    Ok(format!(
        "{cores} cores, which the clients share with the servers. fdatasync of 4 KiB at the beginning: {} µs. Load of the \
         machine before: {}.",
        disk.as_micros(),
        load()
    ))
}

/// Median of appending 4 KiB to a file and syncing it.
fn fdatasync(path: &Path) -> std::io::Result<Duration> {
    let mut file = File::create(path)?;
    let mut took = Vec::new();
    for _ in 0..200 {
        let begun = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        took.push(begun.elapsed());
    }
    took.sort();
    Ok(took[took.len() / 2])
}

/// Of the last minute.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_benchmark_of_jobs_is_read_as_it_is_printed() {
        let line = "  submissions, 256 clients:    98765/s,   8.3 µs CPU each, p50 1.20ms, p99 3.00ms, max 4.00ms";
        let (what, job) = job(line).unwrap();
        assert_eq!((what.as_str(), job.clients.as_str()), ("job handed in, in process of 256", "256"));
        assert_eq!((job.rate, job.cpu, job.p50, job.p99), (Some(98765.0), Some(8.3), Some(1200.0), Some(3000.0)));
        let line =
            "  lifecycles, 256 clients, 64 places:    30000/s (51200 jobs, submitted after 1.1s),  20.1 µs CPU each";
        let (what, job) = super::job(line).unwrap();
        assert_eq!(what, "job handed in to ended, 64 places of 256");
        assert_eq!((job.rate, job.cpu, job.p99), (Some(30000.0), Some(20.1), None));
        let line = "  pickup at 500/s (submit called to run begun): p50 900.00µs, p99 11.00ms, max 20.00ms";
        let row = job_row("job handed in to begun, 500 a second", &[super::job(line).unwrap().1]);
        assert_eq!(row[9], "NO");
        assert!(super::job("  50 jobs, newest     : p50 1.00ms, p99 2.00ms, max 3.00ms").is_none());
    }

    #[test]
    fn a_million_ended_jobs_are_held_against_the_rate_before_them_in_the_same_run() {
        let job = |rate| Job { clients: "256".to_owned(), rate: Some(rate), ..Job::default() };
        let mut figures = BTreeMap::from([(WHOLE.to_owned(), vec![job(90_000.0), job(40_000.0)])]);
        assert!(flat(&figures).is_none());
        for (rate, came_to, reached) in [(36_000.0, "0.90 ×", "yes"), (34_000.0, "0.85 ×", "NO")] {
            figures.insert(format!("{WHOLE}{AMONG}"), vec![job(rate)]);
            let row = flat(&figures).unwrap();
            assert_eq!(row.len(), HEAD.len());
            assert_eq!(row[7..], ["≥ 0.9 × the rate", came_to, reached]);
        }
        let line =
            "  lifecycles, 256 clients, 1024 places:    30000/s (51200 jobs, submitted after 1.1s),  20.1 µs CPU each";
        assert_eq!(super::job(line).unwrap().0, WHOLE);
    }

    #[test]
    fn what_is_unknown_is_named_with_what_there_is() {
        let fault = read(&["calls".to_owned(), "cals".to_owned()]).err().unwrap();
        assert!(fault.contains("`cals`") && fault.contains("streams"), "{fault}");
        assert!(read(&["--quick".to_owned(), "start".to_owned()]).unwrap().has("start"));
    }
}
