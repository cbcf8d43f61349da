//! What must be on the disk before it is answered: a green call in strict mode, and yellow ones. The bare reference is
//! an fdatasync of 4 KiB on the same disk, in the same round.
//!
//! A yellow call is told to the disk twice, before and after its effect. `job_cancel` of a job that has ended has no
//! effect, so it shows what the gate costs; `file_write` shows a whole one, beside the same file operations by hand.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::api;
use super::jarvis::Jarvis;
use super::load::{self, Asked, Until};
use super::row::{Row, doing, median, percentile};
use super::{Plan, job};

/// Times of one round, in microseconds, sorted.
type Round = Vec<f64>;

struct Bench {
    jarvis: Jarvis,
    /// Only for effects: whose model was handed a stranger's text, such as an echo, is asked.
    token: String,
    reading: String,
    raw: File,
    calls: usize,
    /// Jobs that have ended, one for each call.
    jobs: Vec<String>,
    written: usize,
}

pub(crate) fn measure(plan: Plan<'_>) {
    doing("what must be on the disk");
    let jarvis = Jarvis::start();
    let calls = plan.pick(300, 60);
    let token = jarvis.token("effects", "yellow");
    let reading = jarvis.token("reads", "green");
    // Yellow runs unasked at this level.
    jarvis.set("autonomy", json!({ "default": 3, "rules": [] }));
    let jobs = job::ended(&jarvis, &token, calls * Plan::ROUNDS);
    let raw = File::create(jarvis.directory.path().join("raw")).unwrap();
    let mut bench = Bench { jarvis, token, reading, raw, calls, jobs, written: 0 };
    let mut rounds: [Vec<Round>; 5] = Default::default();
    for _ in 0..Plan::ROUNDS {
        let of = [bench.disk(), bench.strict(), bench.cancel(), bench.by_hand(), bench.write()];
        for (rounds, round) in rounds.iter_mut().zip(of) {
            rounds.push(round);
        }
    }
    print(&rounds);
}

fn print(rounds: &[Vec<Round>; 5]) {
    let [disk, strict, cancel, by_hand, write] = rounds;
    let at = |rounds: &[Round], percent| median(rounds.iter().map(|round| percentile(&mut round.clone(), percent)));
    let row = |what: &str, rounds: &[Round]| Row::new(what).clients(1).latency(at(rounds, 50), at(rounds, 99));
    // The medians of one round, compared with each other; then the median of that.
    let ratio = |of: &[Round], without: Option<&[Round]>| {
        median((0..of.len()).map(|index| {
            let p50 = |rounds: &[Round]| percentile(&mut rounds[index].clone(), 50);
            (p50(of) - without.map_or(0.0, p50)) / p50(disk)
        }))
    };
    row("fdatasync of 4 KiB, alone", disk).print();
    let strictly = ratio(strict, None);
    let goal = "p50 ≤ 1.3 × fdatasync";
    row("green call, strict", strict).goal(goal, format!("{strictly:.2} ×"), strictly <= 1.3).print();
    let gate = ratio(cancel, None);
    let goal = "p50 ≤ 2.3 × fdatasync";
    row("yellow call without an effect", cancel).goal(goal, format!("{gate:.2} ×"), gate <= 2.3).print();
    row("the effect of `file_write`, by hand", by_hand).print();
    let whole = ratio(write, Some(by_hand));
    let goal = "p50 ≤ 2.3 × fdatasync + effect";
    row("yellow call, `file_write`", write).goal(goal, format!("{whole:.2} × + effect"), whole <= 2.3).print();
}

impl Bench {
    fn disk(&mut self) -> Round {
        (0..self.calls)
            .map(|_| {
                timed(|| {
                    self.raw.write_all(&[7; 4096]).unwrap();
                    self.raw.sync_data().unwrap();
                })
            })
            .collect()
    }

    fn strict(&self) -> Round {
        self.jarvis.set("audit_reads", "fsync".into());
        let took = self.called(&[self.jarvis.echo(&self.reading)], b"hello");
        self.jarvis.set("audit_reads", "wal".into());
        took
    }

    fn cancel(&mut self) -> Round {
        let jobs = self.jobs.split_off(self.jobs.len() - self.calls);
        let requests: Vec<_> = jobs.iter().map(|job| self.request("job_cancel", &json!({ "job": job }))).collect();
        self.called(&requests, b"\"isError\":false")
    }

    /// Overwrites one file, each time with something else.
    fn write(&mut self) -> Round {
        let first = self.written;
        self.written += self.calls;
        let requests: Vec<_> = (first..self.written)
            .map(|index| self.request("file_write", &json!({ "path": "bench.txt", "content": content(index) })))
            .collect();
        self.called(&requests, b"\"isError\":false")
    }

    fn request(&self, tool: &str, arguments: &Value) -> Vec<u8> {
        api::tools_call(&self.jarvis.server.address, Some(&self.token), tool, arguments)
    }

    fn called(&self, requests: &[Vec<u8>], part: &[u8]) -> Round {
        let asked = Asked { requests, status: b"HTTP/1.1 200", part };
        load::run(&self.jarvis.server.address, &asked, 1, Until::Answered(self.calls)).each
    }

    /// What `file_write` does to the disk: the old version and a note about it to a new folder of the trash, the new one
    /// beside the file and then in its place, and each of them and of their folders synced.
    fn by_hand(&self) -> Round {
        let (trash, folder) = (self.jarvis.directory.path().join("by-hand"), self.jarvis.directory.path().join("by"));
        fs::create_dir_all(&trash).unwrap();
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("bench.txt");
        fs::write(&file, content(0)).unwrap();
        let took = (0..self.calls).map(|index| timed(|| overwrite(&trash.join(index.to_string()), &file, index)));
        let took = took.collect();
        fs::remove_dir_all(&trash).unwrap();
        took
    }
}

fn overwrite(version: &Path, file: &Path, index: usize) {
    fs::create_dir(version).unwrap();
    kept(&version.join("content"), &fs::read(file).unwrap());
    kept(&version.join("manifest"), &[b'-'; 300]);
    synced(version);
    synced(version.parent().unwrap());
    let draft = file.with_extension("new");
    kept(&draft, content(index).as_bytes());
    fs::rename(draft, file).unwrap();
    synced(file.parent().unwrap());
}

fn kept(path: &Path, bytes: &[u8]) {
    let mut file = File::create(path).unwrap();
    file.write_all(bytes).unwrap();
    file.sync_all().unwrap();
}

fn synced(folder: &Path) {
    File::open(folder).unwrap().sync_all().unwrap();
}

fn content(index: usize) -> String {
    format!("line {index}\n").repeat(20)
}

fn timed(what: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    what();
    micros(begun.elapsed())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
