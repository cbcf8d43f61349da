//! What no call reaches, whatever it is called and whatever the roots say.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jarvis_safety::call::CallState;
use jarvis_safety::outcome::Answer;
use jarvis_safety::refusal::Code;
use jarvis_safety::setting::{ModelSetting, Root};
use serde_json::{Value, json};

use crate::support::{ran, refused};
use crate::world::{World, names, text, world};

#[tokio::test]
async fn a_path_outside_the_roots_is_refused_however_it_is_spelled() {
    let world = world().await;
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
        &world.at("data/keys/audit.key"),
        &world.at("data"),
        "/proc/self/environ",
    ];
    for path in paths {
        for tool in ["file_read", "file_remove"] {
            let refusal = refused(world.call(tool, json!({ "path": path })).await);
            assert!(matches!(refusal.code, Code::Forbidden | Code::InvalidArguments), "{tool} {path}: {refusal:?}");
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
    let world = world().await;
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
    let world = world().await;
    let whole = Root { path: world.top.to_string_lossy().into_owned(), write: true };
    world.settings.send_modify(|settings| settings.roots = vec![whole]);
    for path in ["data/jarvis.db", "data/audit.seal", "data/keys/seal", "data/policy.toml", "data/trash"] {
        World::no(world.call("file_read", json!({ "path": world.at(path) })).await, "own data");
        refused(world.call("file_remove", json!({ "path": world.at(path) })).await);
        refused(world.call("file_write", json!({ "path": world.at(path), "content": "x" })).await);
    }
    World::no(world.call("file_write", json!({ "path": world.at("data/new"), "content": "x" })).await, "own data");
    symlink("data/keys", world.top.join("innocent")).unwrap();
    World::no(world.call("file_read", json!({ "path": world.at("innocent/seal") })).await, "own data");
    let found = ran(world.call("file_search", json!({ "text": "the", "path": world.at("") })).await);
    assert_eq!(found.output["hits"], json!([]), "search enters no closed folder");
    let listed = ran(world.call("file_list", json!({ "path": world.at(""), "depth": 4 })).await);
    assert!(names(&listed, "entries", "path").iter().all(|path| !path.contains("data/")));
    world.write(&world.at("data/files/a.txt"), "own").await;
    assert_eq!(text(world.own("a.txt")), "own");
}

#[tokio::test]
async fn a_hard_link_to_a_key_or_to_the_database_is_no_way_in() {
    let world = world().await;
    let kept = ["jarvis.db", "jarvis.db-wal", "lock", "policy.toml", "keys/audit.key", "keys/seal"];
    for (index, kept) in kept.iter().enumerate() {
        let name = world.at(&format!("open/innocent{index}"));
        std::fs::hard_link(world.data.join(kept), &name).unwrap();
        for tool in ["file_read", "file_remove"] {
            World::no(world.call(tool, json!({ "path": name })).await, "own data");
        }
        World::no(world.call("file_write", json!({ "path": name, "content": "x" })).await, "own data");
    }
    let found = ran(world.call("file_search", json!({ "text": "the ", "path": world.at("open") })).await);
    assert_eq!(found.output["hits"], json!([]), "{}", found.words);
    assert_eq!(found.output["skipped"], kept.len());
}

#[tokio::test]
async fn the_key_of_the_model_is_never_read_or_changed_by_whatever_name() {
    let world = world().await;
    std::fs::write(world.top.join("open/token"), "sk-secret").unwrap();
    std::fs::hard_link(world.top.join("open/token"), world.own("second")).unwrap();
    assert_eq!(world.read("second").await.output["text"], "sk-secret", "until it is the key");
    world.settings.send_modify(|settings| {
        settings.model = Some(ModelSetting {
            url: "http://127.0.0.1:1/v1".to_owned(),
            name: String::new(),
            key: Some(format!("file:{}", world.at("open/token"))),
            context: 4096,
            cloud_accepted: false,
        });
    });
    for path in [&world.at("open/token"), "second"] {
        World::no(world.call("file_read", json!({ "path": path })).await, "his model's key");
        World::no(world.call("file_write", json!({ "path": path, "content": "x" })).await, "his model's key");
        World::no(world.call("file_remove", json!({ "path": path })).await, "his model's key");
    }
    let found = ran(world.call("file_search", json!({ "text": "sk-secret" })).await);
    assert_eq!(found.output["hits"], json!([]));
}

#[tokio::test]
async fn folders_of_the_system_are_never_changed_even_below_a_writable_root_of_everything() {
    let world = world().await;
    let everything = Root { path: "/".to_owned(), write: true };
    world.settings.send_modify(|settings| settings.roots = vec![everything]);
    // Only classified: whatever becomes of the rule, this test changes nothing of the machine that it runs on.
    let refused = async |tool: &str, args: Value| {
        let refusal = world.gate.classify(&world.request(tool, args)).await.map(drop).unwrap_err();
        assert!(refusal.message.contains("a folder of the system"), "{}", refusal.message);
    };
    let folders = ["etc", "usr/local/bin", "usr/share", "bin", "sbin", "lib", "boot", "dev", "proc", "run", "sys"];
    for folder in folders.into_iter().chain(["var/lib", "var/log", "var/spool/cron"]) {
        refused("file_write", json!({ "path": format!("/{folder}/jarvis-test"), "content": "x" })).await;
    }
    for path in ["/etc/passwd", "/etc", "/usr/lib/os-release"] {
        refused("file_remove", json!({ "path": path })).await;
    }
    assert_eq!(world.read("/etc/passwd").await.output["text"], text("/etc/passwd"), "they can be read");
    world.write(&world.at("open/a.txt"), "a").await;

    // The disk of another machine, as a container or a rescue system sees it.
    std::fs::create_dir_all(world.top.join("open/host/etc")).unwrap();
    std::fs::write(world.top.join("open/host/etc/os-release"), "ID=lab\n").unwrap();
    let other = json!({ "path": world.at("open/host/var/spool/cron/root"), "content": "x" });
    World::no(world.call("file_write", other).await, "a folder of the system");
    world.write(&world.at("open/host/srv/a.txt"), "a").await;

    // Who may sign in, even where that very folder was added.
    std::fs::create_dir(world.top.join("open/.ssh")).unwrap();
    let login = Root { path: world.at("open/.ssh"), write: true };
    world.settings.send_modify(|settings| settings.roots = vec![login]);
    refused("file_write", json!({ "path": world.at("open/.ssh/authorized_keys"), "content": "x" })).await;
}

#[tokio::test]
async fn a_root_is_read_only_until_it_is_marked_writable() {
    let world = world().await;
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
    let world = world().await;
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
    let world = world().await;
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
    let world = world().await;
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

/// A folder on the way that is replaced by a link while calls run leads nowhere new.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_turns_into_a_link_during_calls_leads_nowhere() {
    let world = world().await;
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
