//! The file tools, through the gate, on real files.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod support;

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jarvis_safety::approval::ApprovalState;
use jarvis_safety::call::{CallRecord, CallState, Origin, Request};
use jarvis_safety::event::{Draft, EventKind};
use jarvis_safety::id::CallId;
use jarvis_safety::kernel::{Approver, Gate, Registry};
use jarvis_safety::outcome::{Answer, Outcome};
use jarvis_safety::port::{Ids, Ledger as _};
use jarvis_safety::refusal::Code;
use jarvis_safety::setting::{Root, Settings};
use jarvis_safety::{Actor, ActorId, Tier};
use jarvis_tools::file::{Files, FilesOptions, register};
use serde_json::{Value, json};
use support::{ManualClock, MemoryLedger, ran, refused, waiting};
use tempfile::TempDir;
use tokio::sync::watch;

#[derive(Default)]
struct Counter(AtomicU64);

impl Ids for Counter {
    fn next(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

/// A data directory, a writable root, a read-only root and a configuration file.
struct World {
    gate: Gate,
    ledger: Arc<MemoryLedger>,
    clock: Arc<ManualClock>,
    settings: watch::Sender<Settings>,
    top: PathBuf,
    _dir: TempDir,
}

fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let top = dir.path().canonicalize().unwrap();
    for folder in ["data/keys", "open/deep", "shut", "outside", "open/jarvis"] {
        std::fs::create_dir_all(top.join(folder)).unwrap();
    }
    std::fs::write(top.join("data/jarvis.db"), "the database").unwrap();
    std::fs::write(top.join("data/keys/seal"), "the key").unwrap();
    std::fs::write(top.join("outside/secret.txt"), "outside").unwrap();
    std::fs::write(top.join("open/jarvis/policy.toml"), "policy").unwrap();
    let root = |name: &str, write| Root { path: top.join(name).to_string_lossy().into_owned(), write };
    let roots = vec![root("open", true), root("shut", false)];
    let (settings, receiver) = watch::channel(Settings { roots, ..Settings::default() });
    let clock = Arc::new(ManualClock::default());
    let files = Files::new(FilesOptions {
        data: top.join("data"),
        settings: receiver,
        config: vec![top.join("open/jarvis")],
        clock: clock.clone(),
        ids: Arc::new(Counter::default()),
    });
    let ledger = Arc::new(MemoryLedger::default());
    let registry = register(Registry::builder(), &files.unwrap()).build().unwrap();
    let gate = support::gate_over(registry, Arc::clone(&ledger));
    World { gate, ledger, clock, settings, top, _dir: dir }
}

impl World {
    async fn call(&self, tool: &str, args: Value) -> Answer {
        support::call(&self.gate, &Actor::operator(), tool, args).await
    }

    async fn write(&self, path: &str, content: &str) -> Outcome {
        ran(self.call("file_write", json!({ "path": path, "content": content })).await)
    }

    async fn read(&self, path: &str) -> Outcome {
        ran(self.call("file_read", json!({ "path": path })).await)
    }

    async fn undo(&self, outcome: &Outcome) -> Answer {
        self.gate.undo(&Actor::operator(), &outcome.call, Origin::default()).await
    }

    /// Refused, and the sentence holds this.
    #[track_caller]
    fn no(answer: Answer, words: &str) {
        let refusal = refused(answer);
        assert!(refusal.message.contains(words), "expected `{words}` in: {}", refusal.message);
    }

    fn own(&self, path: &str) -> PathBuf {
        self.top.join("data/files").join(path)
    }

    fn at(&self, path: &str) -> String {
        self.top.join(path).to_string_lossy().into_owned()
    }

    fn request(&self, tool: &str, args: Value) -> Request {
        support::request(&Actor::operator(), tool, args)
    }
}

fn text(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn names(outcome: &Outcome, list: &str, key: &str) -> Vec<String> {
    let items = outcome.output[list].as_array().unwrap().iter();
    items.map(|item| item[key].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_file_is_written_listed_read_and_found() {
    let world = world();
    let done = world.write("notes/today.txt", "buy milk\ncall Ada\n").await;
    assert_eq!((done.tier, done.undoable), (Tier::Yellow, true));
    assert_eq!(text(world.own("notes/today.txt")), "buy milk\ncall Ada\n");

    let listed = ran(world.call("file_list", json!({ "depth": 2 })).await);
    assert_eq!(names(&listed, "entries", "path"), ["notes", "notes/today.txt"]);
    assert_eq!(listed.words, "2 things in your files:\nnotes/\nnotes/today.txt (18 bytes)");

    let read = world.read("notes/today.txt").await;
    assert_eq!(read.output["text"], "buy milk\ncall Ada\n");
    assert!(read.untrusted);
    assert_eq!(read.words, "`notes/today.txt`, lines 1 to 2:\nbuy milk\ncall Ada");

    let found = ran(world.call("file_search", json!({ "text": "ada" })).await);
    assert_eq!(found.words, "1 line in your files (1 file read):\nnotes/today.txt:2: call Ada");
    let none = ran(world.call("file_search", json!({ "text": "a.a", "path": "notes" })).await);
    assert_eq!(none.output["hits"], json!([]));
    let one = json!({ "text": "^call", "regex": true, "path": "notes/today.txt" });
    assert_eq!(names(&ran(world.call("file_search", one).await), "hits", "path"), ["notes/today.txt"]);
}

#[tokio::test]
async fn a_path_outside_the_roots_is_refused_however_it_is_spelled() {
    let world = world();
    symlink(world.top.join("outside"), world.own("out")).unwrap();
    symlink("../../outside/secret.txt", world.own("link.txt")).unwrap();
    symlink(world.top.join("outside/secret.txt"), world.top.join("open/abs.txt")).unwrap();
    let paths = [
        "../jarvis.db",
        "a/../../jarvis.db",
        "..",
        "/etc/passwd",
        "/",
        "out/secret.txt",
        "link.txt",
        "~/x",
        "a\0b",
        &world.at("open/abs.txt"),
        &world.at("outside/secret.txt"),
        &world.at("open/../outside/secret.txt"),
        &world.at("openx"),
        &world.at("data/jarvis.db"),
        &world.at("data/keys/seal"),
        &world.at("data"),
        "/proc/self/environ",
    ];
    for path in paths {
        for tool in ["file_read", "file_remove"] {
            let refusal = refused(world.call(tool, json!({ "path": path })).await);
            assert!(matches!(refusal.code, Code::Forbidden | Code::InvalidArguments), "{tool} {path}: {refusal:?}");
            assert!(!refusal.message.contains("the key"));
        }
        refused(world.call("file_list", json!({ "path": path })).await);
        refused(world.call("file_search", json!({ "path": path, "text": "x" })).await);
        let write = json!({ "path": format!("{path}/x"), "content": "x" });
        refused(world.call("file_write", write).await);
    }
    assert_eq!(text(world.top.join("outside/secret.txt")), "outside");
    assert_eq!(std::fs::read_dir(world.top.join("outside")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_link_inside_its_root_is_followed_for_reading_and_never_written_or_removed() {
    let world = world();
    world.write("real/a.txt", "a").await;
    symlink("real", world.own("folder")).unwrap();
    symlink("real/a.txt", world.own("a-link")).unwrap();
    let read = world.read("folder/a.txt").await;
    assert_eq!(read.target.id, world.own("real/a.txt").to_string_lossy(), "the target is the real file");
    assert_eq!(world.read("a-link").await.output["text"], "a");
    World::no(world.call("file_write", json!({ "path": "a-link", "content": "b" })).await, "link");
    World::no(world.call("file_remove", json!({ "path": "a-link" })).await, "link");
    let through = world.write("folder/b.txt", "b").await;
    assert_eq!(through.target.name, "real/b.txt");
    symlink("nowhere", world.own("dangling")).unwrap();
    refused(world.call("file_write", json!({ "path": "dangling", "content": "b" })).await);
    let below = world.call("file_write", json!({ "path": "dangling/x", "content": "b" })).await;
    assert!(!matches!(below, Answer::Ran(outcome) if outcome.state == CallState::Done));
    assert!(!world.own("nowhere").exists());
}

#[tokio::test]
async fn the_data_directory_stays_closed_even_inside_a_root() {
    let world = world();
    let whole = Root { path: world.top.to_string_lossy().into_owned(), write: true };
    world.settings.send_modify(|settings| settings.roots = vec![whole]);
    for path in ["data/jarvis.db", "data/keys/seal", "data/trash"] {
        World::no(world.call("file_read", json!({ "path": world.at(path) })).await, "own data");
        refused(world.call("file_remove", json!({ "path": world.at(path) })).await);
        refused(world.call("file_write", json!({ "path": world.at(path), "content": "x" })).await);
    }
    World::no(world.call("file_write", json!({ "path": world.at("data/new"), "content": "x" })).await, "own data");
    // A second name for the key is no way in either.
    std::fs::hard_link(world.top.join("data/jarvis.db"), world.top.join("outside/db")).unwrap();
    World::no(world.call("file_read", json!({ "path": world.at("outside/db") })).await, "own data");
    symlink("data/keys", world.top.join("innocent")).unwrap();
    World::no(world.call("file_read", json!({ "path": world.at("innocent/seal") })).await, "own data");
    let found = ran(world.call("file_search", json!({ "text": "the", "path": world.at("") })).await);
    assert_eq!(found.output["hits"], json!([]), "search enters no closed folder");
    let listed = ran(world.call("file_list", json!({ "path": world.at(""), "depth": 4 })).await);
    assert!(names(&listed, "entries", "path").iter().all(|path| !path.contains("seal")));
    world.write(&world.at("data/files/a.txt"), "own").await;
    assert_eq!(text(world.own("a.txt")), "own");
}

#[tokio::test]
async fn a_root_is_read_only_until_it_is_marked_writable() {
    let world = world();
    std::fs::write(world.top.join("shut/a.txt"), "a").unwrap();
    assert_eq!(world.read(&world.at("shut/a.txt")).await.output["text"], "a");
    let write = json!({ "path": world.at("shut/a.txt"), "content": "b" });
    World::no(world.call("file_write", write.clone()).await, "read-only");
    World::no(world.call("file_remove", json!({ "path": world.at("shut/a.txt") })).await, "read-only");
    world.settings.send_modify(|settings| settings.roots[1].write = true);
    ran(world.call("file_write", write).await);
    // A read-only folder inside a writable one keeps its own right, also through a link beside it.
    let inner = Root { path: world.at("open/deep"), write: false };
    world.settings.send_modify(|settings| settings.roots.push(inner));
    symlink("deep", world.top.join("open/alias")).unwrap();
    let alias = json!({ "path": world.at("open/alias/x.txt"), "content": "b" });
    World::no(world.call("file_write", alias).await, "read-only");
}

#[tokio::test]
async fn dot_files_programs_and_own_configuration_are_never_changed() {
    let world = world();
    std::fs::write(world.own("tool.txt"), "echo").unwrap();
    std::fs::set_permissions(world.own("tool.txt"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::create_dir(world.own(".hidden")).unwrap();
    std::fs::write(world.own(".hidden/a.txt"), "x").unwrap();
    std::fs::write(world.own("script"), "#!/bin/sh\n").unwrap();
    std::fs::write(world.own("one.txt"), "1").unwrap();
    std::fs::hard_link(world.own("one.txt"), world.own("two.txt")).unwrap();
    let closed = [
        (".bashrc", "dot-file"),
        (".hidden/a.txt", "dot-file"),
        ("x/.y/z", "dot-file"),
        ("run.sh", "program"),
        ("a.PHP", "program"),
        ("unit.service", "program"),
        ("tool.txt", "executable"),
        ("script", "program"),
        ("one.txt", "hard link"),
    ];
    for (path, words) in closed {
        World::no(world.call("file_write", json!({ "path": path, "content": "text" })).await, words);
        if world.own(path).exists() {
            World::no(world.call("file_remove", json!({ "path": path })).await, words);
        }
    }
    for content in ["#!/bin/sh\nrm -rf /", "\u{7f}ELF", "\u{feff}#!/bin/sh"] {
        World::no(world.call("file_write", json!({ "path": "a.txt", "content": content })).await, "program");
    }
    world.write("a.txt", "").await;
    let part = json!({ "path": "a.txt", "content": "#!/bin/sh", "append": true });
    World::no(world.call("file_write", part).await, "program");
    let half = json!({ "path": "a.txt", "content": "#", "append": true });
    ran(world.call("file_write", half).await);
    let rest = json!({ "path": "a.txt", "content": "!/bin/sh", "append": true });
    World::no(world.call("file_write", rest).await, "program");
    for path in ["open/jarvis/policy.toml", "open/jarvis/new.txt"] {
        World::no(
            world.call("file_write", json!({ "path": world.at(path), "content": "x" })).await,
            "own configuration",
        );
    }
    symlink("jarvis", world.top.join("open/j")).unwrap();
    World::no(world.call("file_remove", json!({ "path": world.at("open/j/policy.toml") })).await, "own configuration");
    assert_eq!(text(world.top.join("open/jarvis/policy.toml")), "policy");
    assert!(!world.own("run.sh").exists() && !world.own("x").exists());
}

#[tokio::test]
async fn keys_and_dot_files_are_read_only_among_jarvis_own_files() {
    let world = world();
    for name in [".env", "id_rsa", "tls.pem", "notes.txt"] {
        std::fs::write(world.top.join("open").join(name), "needle").unwrap();
        std::fs::write(world.own(name), "needle").unwrap();
    }
    std::fs::create_dir(world.top.join("open/.ssh")).unwrap();
    std::fs::write(world.top.join("open/.ssh/config"), "needle").unwrap();
    for name in [".env", "id_rsa", "tls.pem", ".ssh/config"] {
        let path = world.at(&format!("open/{name}"));
        World::no(world.call("file_read", json!({ "path": path })).await, "looks like a key");
    }
    World::no(world.call("file_list", json!({ "path": world.at("open/.ssh") })).await, "looks like a key");
    let found = ran(world.call("file_search", json!({ "text": "needle", "path": world.at("open") })).await);
    assert_eq!(names(&found, "hits", "path"), [world.at("open/notes.txt")]);
    assert_eq!(found.output["skipped"], 3);
    assert_eq!(world.read(".env").await.output["text"], "needle");
}

#[tokio::test]
async fn pipes_sockets_and_devices_are_left_alone() {
    let world = world();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        world.own("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(world.own("socket")).unwrap();
    let mut special = vec!["pipe", "socket"];
    let device = rustix::fs::mknodat(
        rustix::fs::CWD,
        world.own("zero"),
        rustix::fs::FileType::CharacterDevice,
        rustix::fs::Mode::from_raw_mode(0o600),
        rustix::fs::makedev(1, 5),
    );
    // Only root makes device nodes; the pipe proves the rule for everybody else.
    if device.is_ok() {
        special.push("zero");
    }
    for name in special {
        World::no(world.call("file_read", json!({ "path": name })).await, "pipe, socket or device");
        World::no(world.call("file_write", json!({ "path": name, "content": "x" })).await, "pipe, socket or device");
        World::no(world.call("file_remove", json!({ "path": name })).await, "pipe, socket or device");
    }
    let found = ran(world.call("file_search", json!({ "text": "x" })).await);
    assert_eq!(found.output["files"], 0);
    let kernel = Root { path: "/proc".to_owned(), write: true };
    world.settings.send_modify(|settings| settings.roots.push(kernel));
    World::no(world.call("file_read", json!({ "path": "/proc/version" })).await, "kernel");
    World::no(world.call("file_write", json!({ "path": "/proc/sys/vm/swappiness", "content": "60" })).await, "kernel");
}

#[tokio::test]
async fn writing_shows_the_difference_before_and_can_be_undone_after() {
    let world = world();
    world.write("a.txt", "one\ntwo\nthree\n").await;
    std::fs::set_permissions(world.own("a.txt"), std::fs::Permissions::from_mode(0o640)).unwrap();
    let args = json!({ "path": "a.txt", "content": "one\n2\nthree\n" });
    let (prepared, preview) = world.gate.preview(&world.request("file_write", args.clone())).await.unwrap();
    assert_eq!(prepared.sentence, "Replace what is in a.txt with 12 bytes.");
    let diff = preview.diff.unwrap();
    assert!(diff.contains("--- a.txt\n+++ a.txt\n") && diff.contains("\n-two\n+2\n"), "{diff}");
    assert_eq!(text(world.own("a.txt")), "one\ntwo\nthree\n", "a preview changes nothing");

    let done = ran(world.call("file_write", args).await);
    assert_eq!(text(world.own("a.txt")), "one\n2\nthree\n");
    let back = ran(world.undo(&done).await);
    assert_eq!(text(world.own("a.txt")), "one\ntwo\nthree\n");
    assert_eq!(world.own("a.txt").metadata().unwrap().mode() & 0o777, 0o640, "the mode stays");
    ran(world.undo(&back).await);
    assert_eq!(text(world.own("a.txt")), "one\n2\nthree\n", "undoing the undo");
    assert_eq!(refused(world.undo(&done).await).code, Code::NotUndoable);

    let more = json!({ "path": "a.txt", "content": "four\n", "append": true });
    ran(world.call("file_write", more).await);
    assert_eq!(text(world.own("a.txt")), "one\n2\nthree\nfour\n");
    let names: Vec<_> = std::fs::read_dir(world.own("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["a.txt"], "no temporary file is left");
}

#[tokio::test]
async fn a_new_file_and_a_removed_one_can_be_undone_both_ways() {
    let world = world();
    let made = world.write("new.txt", "new").await;
    assert_eq!(made.words, "I made `new.txt` (3 bytes). Undo removes it.");
    let gone = ran(world.undo(&made).await);
    assert!(!world.own("new.txt").exists());
    ran(world.undo(&gone).await);
    assert_eq!(text(world.own("new.txt")), "new");

    std::fs::write(world.own("data.bin"), b"\xff\x00\xfe").unwrap();
    let inode = world.own("data.bin").metadata().unwrap().ino();
    let removed = ran(world.call("file_remove", json!({ "path": "data.bin" })).await);
    assert!(!world.own("data.bin").exists());
    ran(world.undo(&removed).await);
    assert_eq!(std::fs::read(world.own("data.bin")).unwrap(), b"\xff\x00\xfe");
    assert_eq!(world.own("data.bin").metadata().unwrap().ino(), inode, "it is the very file");

    std::fs::create_dir(world.own("empty")).unwrap();
    let removed = ran(world.call("file_remove", json!({ "path": "empty" })).await);
    assert!(!world.own("empty").exists());
    let made = ran(world.undo(&removed).await);
    assert!(world.own("empty").is_dir());
    ran(world.undo(&made).await);
    assert!(!world.own("empty").exists());
}

#[tokio::test]
async fn a_full_folder_a_root_and_a_missing_file_are_not_removed() {
    let world = world();
    world.write("full/a.txt", "a").await;
    World::no(world.call("file_remove", json!({ "path": "full" })).await, "not empty");
    for path in [".", "", &world.at("open")] {
        World::no(world.call("file_remove", json!({ "path": path })).await, "root folder");
    }
    assert_eq!(refused(world.call("file_remove", json!({ "path": "no" })).await).code, Code::UnknownTarget);
    assert_eq!(refused(world.call("file_read", json!({ "path": "no/no" })).await).code, Code::UnknownTarget);
    World::no(world.call("file_read", json!({ "path": "full" })).await, "is a folder");
    World::no(world.call("file_write", json!({ "path": "full", "content": "x" })).await, "is a folder");
    World::no(
        world.call("file_write", json!({ "path": "full/a.txt/b", "content": "x" })).await,
        "file and not a folder",
    );
}

#[tokio::test]
async fn a_file_that_changed_since_is_not_restored_over() {
    let world = world();
    world.write("a.txt", "one").await;
    let done = world.write("a.txt", "two").await;
    std::fs::write(world.own("a.txt"), "somebody's work").unwrap();
    World::no(world.undo(&done).await, "was changed since");
    assert_eq!(text(world.own("a.txt")), "somebody's work");
    for version in ["", "../../keys", "00000000000000000000000000000099", &"z".repeat(32), &"../".repeat(11)[..32]] {
        let refusal = refused(world.call("file_restore", json!({ "version": version })).await);
        assert_eq!(refusal.code, Code::UnknownTarget, "{version}");
    }
}

/// The card is bound to the file that was shown: whatever is swapped in before the approval makes it stale.
#[tokio::test]
async fn a_file_swapped_between_the_card_and_the_act_voids_the_approval() {
    let world = world();
    let strict = jarvis_safety::kernel::Autonomy { default: 1.try_into().unwrap(), rules: Vec::new() };
    world.gate.apply_settings(Settings { autonomy: strict, ..Settings::default() });
    let swaps: [fn(&World); 5] = [
        |world| std::fs::write(world.own("a.txt"), "other").unwrap(),
        |world| {
            std::fs::write(world.own("b.txt"), "one").unwrap();
            std::fs::rename(world.own("b.txt"), world.own("a.txt")).unwrap();
        },
        |world| {
            std::fs::remove_file(world.own("a.txt")).unwrap();
            symlink(world.top.join("data/jarvis.db"), world.own("a.txt")).unwrap();
        },
        |world| std::fs::remove_file(world.own("a.txt")).unwrap(),
        |world| std::fs::hard_link(world.own("a.txt"), world.top.join("outside/second")).unwrap(),
    ];
    for (index, swap) in swaps.iter().enumerate() {
        for tool in ["file_write", "file_remove"] {
            let _ = std::fs::remove_file(world.own("a.txt"));
            let _ = std::fs::remove_file(world.top.join("outside/second"));
            std::fs::write(world.own("a.txt"), "one").unwrap();
            let args = if tool == "file_write" {
                json!({ "path": "a.txt", "content": format!("two {index}") })
            } else {
                json!({ "path": "a.txt" })
            };
            let card = waiting(world.call(tool, args).await);
            swap(&world);
            let before = std::fs::read(world.own("a.txt")).ok();
            let approver = Approver::of(&Actor::operator()).unwrap();
            let _ = world.gate.approve(&approver, &card.id, &Origin::default()).await;
            let card = world.gate.wait(&card.id, std::time::Duration::from_secs(30)).await.unwrap();
            assert_eq!(card.state, ApprovalState::Stale, "{tool}, swap {index}");
            assert_eq!(std::fs::read(world.own("a.txt")).ok(), before, "{tool}, swap {index}");
        }
    }
    assert_eq!(text(world.top.join("data/jarvis.db")), "the database");
}

/// A folder on the way that is replaced by a link while calls run leads nowhere new.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_turns_into_a_link_during_calls_leads_nowhere() {
    let world = world();
    std::fs::create_dir(world.own("way")).unwrap();
    std::fs::write(world.own("way/secret.txt"), "inside").unwrap();
    symlink(world.top.join("outside"), world.own("trap")).unwrap();
    let (way, trap) = (world.own("way"), world.own("trap"));
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let swapper = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            let (here, exchange) = (rustix::fs::CWD, rustix::fs::RenameFlags::EXCHANGE);
            let mut swaps = 0_u64;
            while !stop.load(Ordering::Relaxed) || swaps % 2 == 1 {
                rustix::fs::renameat_with(here, &way, here, &trap, exchange).unwrap();
                swaps += 1;
            }
            swaps
        }
    });
    let mut read = 0;
    for round in 0..150 {
        if let Answer::Ran(outcome) = world.call("file_read", json!({ "path": "way/secret.txt" })).await
            && outcome.state == CallState::Done
        {
            assert_eq!(outcome.output["text"], "inside");
            read += 1;
        }
        let write = json!({ "path": format!("way/w{round}.txt"), "content": "x" });
        let _ = world.call("file_write", write).await;
    }
    stop.store(true, Ordering::Relaxed);
    assert!(swapper.join().unwrap() > 300);
    assert!(read > 0, "the race was never won by the reader, so nothing was proven");
    assert_eq!(text(world.top.join("outside/secret.txt")), "outside");
    assert_eq!(std::fs::read_dir(world.top.join("outside")).unwrap().count(), 1, "nothing was written outside");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_changes_made_at_once_none_is_lost() {
    let world = Arc::new(world());
    let calls = (0..12).map(|index| {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            let line = format!("line {index}\n");
            for attempt in 0.. {
                // An actor each time: a third identical call of one actor would ask.
                let actor = Actor { id: ActorId::new(format!("token:{index}:{attempt}")), ..Actor::local() };
                let args = json!({ "path": "log.txt", "content": line, "append": true });
                match support::call(&world.gate, &actor, "file_write", args).await {
                    Answer::Ran(outcome) if outcome.state == CallState::Done => return,
                    // Somebody was quicker: the file is another one now, and the call is made again.
                    Answer::Ran(outcome) => assert!(outcome.words.contains("Ask again"), "{}", outcome.words),
                    other => panic!("{other:?}"),
                }
            }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    let written = text(world.own("log.txt"));
    let mut lines: Vec<_> = written.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!((lines.len(), written.lines().count()), (12, 12));
}

#[tokio::test]
async fn what_is_too_much_is_refused_or_cut_and_says_so() {
    let world = world();
    let limit = 1024 * 1024;
    world.write("full.txt", &"x".repeat(limit)).await;
    let over = json!({ "path": "over.txt", "content": "x".repeat(limit + 1) });
    World::no(world.call("file_write", over).await, "at most 1048576 bytes");
    assert!(!world.own("over.txt").exists());

    let read = world.read("full.txt").await;
    assert_eq!(read.output["cut"], true);
    assert_eq!(read.output["text"].as_str().unwrap().len(), 256 * 1024);
    assert!(read.words.contains("was cut"));

    std::fs::write(world.own("large.txt"), "y".repeat(5 * limit)).unwrap();
    let change = json!({ "path": "large.txt", "content": "z", "append": true });
    World::no(world.call("file_write", change).await, "larger than 4 MiB");

    for index in 0..510 {
        std::fs::write(world.top.join(format!("shut/f{index:03}")), "").unwrap();
    }
    let listed = ran(world.call("file_list", json!({ "path": world.at("shut") })).await);
    assert_eq!((names(&listed, "entries", "path").len(), &listed.output["cut"]), (500, &json!(true)));
    std::fs::write(world.own("hits.txt"), "hit\n".repeat(300)).unwrap();
    let found = ran(world.call("file_search", json!({ "text": "hit", "path": "hits.txt" })).await);
    assert_eq!((names(&found, "hits", "path").len(), &found.output["cut"]), (200, &json!(true)));
    let lines = ran(world.call("file_read", json!({ "path": "hits.txt", "first_line": 299, "lines": 2000 })).await);
    assert_eq!((&lines.output["lines"], &lines.output["next_line"]), (&json!(2), &Value::Null));
    for args in [json!({ "path": "hits.txt", "lines": 0 }), json!({ "path": "hits.txt", "lines": 2001 })] {
        assert_eq!(refused(world.call("file_read", args).await).code, Code::InvalidArguments);
    }
}

#[tokio::test]
async fn names_that_are_not_utf8_or_deceive_are_shown_for_what_they_are() {
    let world = world();
    std::fs::write(world.own("").join(std::ffi::OsStr::from_bytes(b"caf\xe9.txt")), "x").unwrap();
    std::fs::write(world.own("safe\u{202e}gpj.txt"), "hello\u{1b}[31m").unwrap();
    let listed = ran(world.call("file_list", json!({})).await);
    assert_eq!(listed.output["unnameable"], 1);
    assert!(listed.words.contains("safe\\u{202e}gpj.txt") && listed.words.contains("1 names are not UTF-8"));
    let read = world.read("safe\u{202e}gpj.txt").await;
    assert_eq!(read.words, "`safe\\u{202e}gpj.txt`, lines 1 to 1:\nhello\\u{1b}[31m");
    for path in ["new\u{202e}txt.exe.md", "zero\u{200b}width", "line\nbreak"] {
        World::no(world.call("file_write", json!({ "path": path, "content": "x" })).await, "reads as it is");
    }
    // A full-width dot is a letter, and two of them are a name.
    world.write("．．/a.txt", "x").await;
    assert!(world.own("．．/a.txt").exists());
}

#[tokio::test]
async fn old_versions_go_when_they_are_old_or_too_many_bytes() {
    let world = world();
    let versions = || std::fs::read_dir(world.top.join("data/trash")).unwrap().count();
    let first = world.write("a.txt", "one").await;
    world.clock.set(1_795_000_000_000 + 30 * 24 * 3_600_000);
    world.write("b.txt", "b").await;
    assert_eq!(versions(), 2, "after exactly 30 days it is still there");
    world.clock.set(1_795_000_000_000 + 30 * 24 * 3_600_000 + 1);
    world.write("c.txt", "c").await;
    assert_eq!(versions(), 2);
    assert_eq!(refused(world.undo(&first).await).code, Code::UnknownTarget);

    // Sparse files: their size counts, their blocks are none.
    let mut last = None;
    for name in ["big1", "big2"] {
        let file = std::fs::File::create(world.own(name)).unwrap();
        file.set_len(700 << 20).unwrap();
        last = Some(ran(world.call("file_remove", json!({ "path": name })).await));
    }
    assert_eq!(versions(), 1, "all that came before the last one had to go");
    ran(world.undo(&last.unwrap()).await);
    assert_eq!(world.own("big2").metadata().unwrap().len(), 700 << 20);
    std::fs::File::create(world.own("huge")).unwrap().set_len((1 << 30) + 1).unwrap();
    World::no(world.call("file_remove", json!({ "path": "huge" })).await, "larger than the 1 GiB");
}

/// The trash on another file system than the root: copy, make sure, unlink, and back again.
#[tokio::test]
async fn removing_across_file_systems_keeps_content_time_and_undo() {
    let world = world();
    let shm = tempfile::tempdir_in("/dev/shm").unwrap();
    let other = shm.path().metadata().unwrap().dev() != world.top.metadata().unwrap().dev();
    assert!(other, "this test needs /dev/shm to be a file system of its own");
    let root = Root { path: shm.path().to_string_lossy().into_owned(), write: true };
    world.settings.send_modify(|settings| settings.roots.push(root));
    let path = shm.path().join("a.bin");
    std::fs::write(&path, vec![7_u8; 5 << 20]).unwrap();
    let before = path.metadata().unwrap();
    let removed = ran(world.call("file_remove", json!({ "path": path.to_str().unwrap() })).await);
    assert!(!path.exists());
    ran(world.undo(&removed).await);
    assert_eq!(std::fs::read(&path).unwrap(), vec![7_u8; 5 << 20]);
    assert_eq!(path.metadata().unwrap().modified().unwrap(), before.modified().unwrap());
    assert_eq!(std::fs::read_dir(shm.path()).unwrap().count(), 1, "no temporary file is left");
}

#[tokio::test]
async fn a_failed_write_leaves_no_version_and_no_draft() {
    let world = world();
    let full = format!("{}/x.txt", "d".repeat(300));
    let answer = world.call("file_write", json!({ "path": full, "content": "x" })).await;
    World::no(answer, "longer than this machine can keep");
    // The folder goes between the decision and the act: the run fails, and nothing stays behind.
    world.write("way/a.txt", "a").await;
    let strict = jarvis_safety::kernel::Autonomy { default: 1.try_into().unwrap(), rules: Vec::new() };
    world.gate.apply_settings(Settings { autonomy: strict, ..Settings::default() });
    let before = std::fs::read_dir(world.top.join("data/trash")).unwrap().count();
    let card = world.call("file_write", json!({ "path": "way/b.txt", "content": "b" })).await;
    std::fs::remove_file(world.own("way/a.txt")).unwrap();
    std::fs::remove_dir(world.own("way")).unwrap();
    std::fs::write(world.own("way"), "a file now").unwrap();
    let answer = support::approve(&world.gate, card).await;
    assert!(!matches!(answer, Answer::Ran(outcome) if outcome.state == CallState::Done));
    assert_eq!(text(world.own("way")), "a file now");
    assert_eq!(std::fs::read_dir(world.top.join("data/trash")).unwrap().count(), before);
}

/// A call whose outcome was never recorded, as after a crash: what the next start finds out about it.
async fn found_after_crash(world: &World, tool: &str, args: Value, happened: impl AsyncFnOnce()) -> CallState {
    let request = world.request(tool, args);
    let prepared = world.gate.classify(&request).await.unwrap();
    happened().await;
    let id = CallId::new(1000 + world.ledger.calls().len() as u128);
    let record = CallRecord {
        id: id.clone(),
        actor: request.actor.id.clone(),
        origin: request.origin.clone(),
        tool: tool.to_owned(),
        revision: 1,
        args: prepared.args.clone(),
        target: prepared.target.clone(),
        tier: prepared.tier,
        digest: prepared.digest.clone(),
        key: None,
        approval: None,
        rule: "test".to_owned(),
        state: CallState::Running,
        created_at: 0,
        outcome: None,
        undo: None,
        undone_by: None,
    };
    let draft = Draft {
        kind: EventKind::CallIntent,
        actor: record.actor.clone(),
        owner: record.actor.clone(),
        subject: id.to_string(),
        correlation: String::new(),
        tool: None,
        tier: None,
        summary: String::new(),
        body: None,
    };
    world.ledger.intend(&record, draft).await.unwrap();
    world.gate.recover().await.unwrap();
    world.ledger.calls().into_iter().find(|call| call.id == id).unwrap().state
}

#[tokio::test]
async fn after_a_crash_the_file_itself_tells_whether_it_happened() {
    let world = world();
    let put = |path: &str, content: &str| std::fs::write(world.own(path), content).unwrap();
    put("a.txt", "old\n");
    let write = json!({ "path": "a.txt", "content": "new\n" });
    assert_eq!(found_after_crash(&world, "file_write", write.clone(), async || ()).await, CallState::Failed);
    let other = async || put("a.txt", "somebody else\n");
    assert_eq!(found_after_crash(&world, "file_write", write.clone(), other).await, CallState::Unknown);
    let done = async || put("a.txt", "new\n");
    assert_eq!(found_after_crash(&world, "file_write", write, done).await, CallState::Done);

    let append = json!({ "path": "a.txt", "content": "more\n", "append": true });
    let done = async || put("a.txt", "new\nmore\n");
    assert_eq!(found_after_crash(&world, "file_write", append.clone(), done).await, CallState::Done);
    let other = async || put("a.txt", "else\nmore\n");
    assert_eq!(found_after_crash(&world, "file_write", append, other).await, CallState::Unknown);

    let remove = json!({ "path": "a.txt" });
    assert_eq!(found_after_crash(&world, "file_remove", remove.clone(), async || ()).await, CallState::Failed);
    let done = async || std::fs::remove_file(world.own("a.txt")).unwrap();
    assert_eq!(found_after_crash(&world, "file_remove", remove, done).await, CallState::Done);

    put("b.txt", "one");
    let changed = world.write("b.txt", "two").await;
    let restore = json!({ "version": changed.output["version"] });
    assert_eq!(found_after_crash(&world, "file_restore", restore.clone(), async || ()).await, CallState::Failed);
    let done = async || put("b.txt", "one");
    assert_eq!(found_after_crash(&world, "file_restore", restore, done).await, CallState::Done);
}

#[tokio::test]
async fn the_family_declares_what_it_is() {
    let world = world();
    let tiers: Vec<_> = world
        .gate
        .registry()
        .described()
        .map(|tool| (tool.spec.name, tool.spec.tier, tool.spec.examples.len()))
        .collect();
    let names: Vec<_> = tiers.iter().map(|(name, tier, _)| (*name, *tier)).collect();
    assert_eq!(
        names,
        [
            ("file_list", Tier::Green),
            ("file_read", Tier::Green),
            ("file_remove", Tier::Yellow),
            ("file_restore", Tier::Yellow),
            ("file_search", Tier::Green),
            ("file_write", Tier::Yellow),
        ]
    );
    assert!(tiers.iter().all(|(_, _, examples)| *examples >= 4));
    let write = world.gate.registry().describe("file_write").unwrap();
    assert_eq!(write.input["properties"]["path"]["x-entity"], "path");
}
