//! Listing, reading and searching, and the bounds of their answers.

use std::os::unix::ffi::OsStrExt as _;

use jarvis_safety::Tier;
use jarvis_safety::refusal::Code;
use jarvis_safety::setting::Root;
use serde_json::{Value, json};

use crate::support::{ran, refused};
use crate::world::{World, names, text, world};

#[tokio::test]
async fn a_file_is_written_listed_read_and_found() {
    let world = world().await;
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
async fn a_root_of_everything_is_listed_and_searched_within_bounds() {
    let world = world().await;
    let everything = Root { path: "/".to_owned(), write: false };
    world.settings.send_modify(|settings| settings.roots = vec![everything]);
    let listed = ran(world.call("file_list", json!({ "path": "/" })).await);
    assert!(names(&listed, "entries", "path").contains(&"/etc".to_owned()), "{}", listed.words);
    assert_eq!((listed.target.name.as_str(), listed.output["path"].as_str()), ("/", Some("/")));

    std::fs::write(world.top.join("open/deep/a.txt"), "one needle\n").unwrap();
    let below = json!({ "text": "needle", "path": world.at("open") });
    let found = ran(world.call("file_search", below).await);
    assert_eq!(names(&found, "hits", "path"), [world.at("open/deep/a.txt")]);
    assert_eq!((&found.output["files"], &found.output["cut"]), (&json!(2), &json!(false)));

    // Any line will do, so that the answer is full before the machine has been walked.
    let found = ran(world.call("file_search", json!({ "text": ".", "regex": true, "path": "/" })).await);
    let hits = names(&found, "hits", "path");
    assert_eq!((hits.len(), &found.output["cut"]), (200, &json!(true)));
    let closed = |path: &&String| path.starts_with("//") || path.starts_with("/proc/") || path.starts_with("/sys/");
    assert_eq!(hits.iter().find(closed), None);
}

#[tokio::test]
async fn what_is_too_much_is_refused_or_cut_and_says_so() {
    let world = world().await;
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
    let world = world().await;
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
