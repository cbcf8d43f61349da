//! Writing, removing, putting back: bound to what was seen, kept, undone, and judged after a crash.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::sync::Arc;

use jarvis_safety::approval::ApprovalState;
use jarvis_safety::call::{CallRecord, CallState, Origin};
use jarvis_safety::id::CallId;
use jarvis_safety::outcome::Answer;
use jarvis_safety::refusal::Code;
use jarvis_safety::setting::Settings;
use jarvis_safety::{Actor, ActorId};
use serde_json::{Value, json};

use crate::support::{self, ran, refused, waiting};
use crate::world::{World, folder, text, world, world_of};

#[tokio::test]
async fn writing_shows_the_difference_before_and_can_be_undone_after() {
    let world = world().await;
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
    let world = world().await;
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
    let world = world().await;
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
    let world = world().await;
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
    let world = world().await;
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
            symlink(world.top.join("data/policy.toml"), world.own("a.txt")).unwrap();
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
            let _ = world.gate.approve(&Actor::operator(), &card.id, &Origin::default()).await;
            let card = world.gate.wait(&card.id, std::time::Duration::from_secs(30)).await.unwrap();
            assert_eq!(card.state, ApprovalState::Stale, "{tool}, swap {index}");
            assert_eq!(std::fs::read(world.own("a.txt")).ok(), before, "{tool}, swap {index}");
        }
    }
    assert_eq!(text(world.top.join("data/policy.toml")), "the policy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_changes_made_at_once_none_is_lost() {
    let world = Arc::new(world().await);
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
async fn old_versions_go_when_they_are_old_or_too_many_bytes() {
    let world = world().await;
    let versions = || std::fs::read_dir(world.data.join("trash")).unwrap().count();
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
    let shm = tempfile::tempdir_in("/dev/shm").unwrap();
    let world = world_of(folder(), shm.path().join("data")).await;
    let other = shm.path().metadata().unwrap().dev() != world.top.metadata().unwrap().dev();
    assert!(other, "this test needs /dev/shm to be a file system of its own");
    let path = world.top.join("open/a.bin");
    std::fs::write(&path, vec![7_u8; 5 << 20]).unwrap();
    let before = path.metadata().unwrap();
    let removed = ran(world.call("file_remove", json!({ "path": path.to_str().unwrap() })).await);
    assert!(!path.exists());
    ran(world.undo(&removed).await);
    assert_eq!(std::fs::read(&path).unwrap(), vec![7_u8; 5 << 20]);
    assert_eq!(path.metadata().unwrap().modified().unwrap(), before.modified().unwrap());
    let left: Vec<_> =
        std::fs::read_dir(world.top.join("open")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "no temporary file is left: {left:?}");
}

#[tokio::test]
async fn a_failed_write_leaves_no_version_and_no_draft() {
    let world = world().await;
    let full = format!("{}/x.txt", "d".repeat(300));
    let answer = world.call("file_write", json!({ "path": full, "content": "x" })).await;
    World::no(answer, "longer than this machine can keep");
    // The folder goes between the decision and the act: the run fails, and nothing stays behind.
    world.write("way/a.txt", "a").await;
    let strict = jarvis_safety::kernel::Autonomy { default: 1.try_into().unwrap(), rules: Vec::new() };
    world.gate.apply_settings(Settings { autonomy: strict, ..Settings::default() });
    let before = std::fs::read_dir(world.data.join("trash")).unwrap().count();
    let card = world.call("file_write", json!({ "path": "way/b.txt", "content": "b" })).await;
    std::fs::remove_file(world.own("way/a.txt")).unwrap();
    std::fs::remove_dir(world.own("way")).unwrap();
    std::fs::write(world.own("way"), "a file now").unwrap();
    let answer = support::approve(&world.gate, card).await;
    assert!(!matches!(answer, Answer::Ran(outcome) if outcome.state == CallState::Done));
    assert_eq!(text(world.own("way")), "a file now");
    assert_eq!(std::fs::read_dir(world.data.join("trash")).unwrap().count(), before);
}

/// A call whose outcome was never recorded, as after a crash: what the next start finds out about it.
async fn found_after_crash(world: &World, tool: &str, args: Value, happened: impl AsyncFnOnce()) -> CallState {
    let request = world.request(tool, args);
    let prepared = world.gate.classify(&request).await.unwrap();
    happened().await;
    let record = CallRecord {
        id: CallId::new(1000 + world.gate.calls().await.len() as u128),
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
        grant: None,
        rule: "test".to_owned(),
        state: CallState::Running,
        created_at: 0,
        outcome: None,
        undo: None,
        undone_by: None,
    };
    world.gate.found_after_crash(record).await
}

#[tokio::test]
async fn after_a_crash_the_file_itself_tells_whether_it_happened() {
    let world = world().await;
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
