//! Nothing that Jarvis begins outlives him, or its own time: programs that do all they can to stay.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jarvis_client::Client;
use serde_json::{Value, json};

use crate::app::{TestApp, call};
use crate::mount::{hostile, review, servers, shared};
use crate::needs;

/// Deaf to every signal that can be ignored and to the end of its input, with a grandchild in a session of its own, if it
/// may have one, whose parent is gone. Both write their numbers where the test reads them.
const STAYS: &str = r#"use POSIX; $SIG{$_} = "IGNORE" for qw(TERM HUP INT QUIT PIPE USR1 USR2);
sub stay { open my $f, ">", "$ARGV[0]/$_[0]"; print $f $$; close $f; close STDIN; close STDOUT; close STDERR; sleep 1 while 1 }
if (!fork) { POSIX::setsid(); POSIX::setpgid(0, 0); stay("grandchild") if !fork; exit } wait; stay("child")"#;

/// A server with a form for it, and the folder where it writes; none on a machine that cannot confine anything.
fn start(seconds: u32) -> Option<(TestApp, tempfile::TempDir)> {
    let probed = Command::new(env!("CARGO_BIN_EXE_jarvis")).args(["confine", "probe"]).output().unwrap();
    let probed: Value = serde_json::from_slice(&probed.stdout).unwrap();
    if probed["landlock"] == 0 || probed["filter"] == false || probed["watch"] == false {
        needs::told("a kernel with Landlock, seccomp and pidfd_open");
        return None;
    }
    let (directory, place) = (tempfile::tempdir().unwrap(), shared(0o777));
    std::fs::write(place.path().join("stays.pl"), STAYS).unwrap();
    let words = json!(words(&place)).to_string();
    let at = place.path().display();
    let forms = format!(
        "[[command]]\nname = \"stay\"\nprogram = \"/usr/bin/perl\"\ntier = \"yellow\"\nseconds = {seconds}\n\
         words = {words}\naccepted = [{words}]\nrefused = [[\"-e\"]]\nwrites = [\"{at}\"]\n"
    );
    std::fs::write(directory.path().join("commands.toml"), forms).unwrap();
    Some((TestApp::start_on(directory, &[]), place))
}

fn words(place: &tempfile::TempDir) -> [String; 2] {
    [place.path().join("stays.pl"), place.path().to_owned()].map(|path| path.display().to_string())
}

fn stay(place: &tempfile::TempDir) -> Value {
    json!({ "program": "/usr/bin/perl", "args": words(place) })
}

/// Calls it as somebody on this machine would, and does not wait.
fn called(app: &TestApp, args: &Value) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jarvis"));
    command.args(["call", "command_run", &args.to_string()]).env("JARVIS_DATA", app.data());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Looks until it is so.
#[expect(clippy::disallowed_methods, reason = "nobody tells of the end of a process that is not one's own child")]
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The numbers of both, once they are there, and of who began them.
fn alive(place: &Path) -> [u32; 3] {
    let number = |name: &str| std::fs::read_to_string(place.join(name)).ok()?.parse::<u32>().ok();
    eventually("it did not begin", || number("child").is_some() && number("grandchild").is_some());
    let (child, grandchild) = (number("child").unwrap(), number("grandchild").unwrap());
    let all = [child, grandchild, parent(child)];
    assert!(all.iter().all(|pid| lives(*pid)), "{all:?}");
    all
}

fn parent(pid: u32) -> u32 {
    let told = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    told.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().parse().unwrap()
}

/// What has ended and waits to be taken off the kernel's list lives no more.
fn lives(pid: u32) -> bool {
    let told = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    told.lines().any(|line| line.starts_with("State:") && !line.contains('Z') && !line.contains('X'))
}

fn all_end(pids: [u32; 3]) {
    eventually("something runs on", || !pids.iter().any(|pid| lives(*pid)));
}

#[test]
fn a_command_ends_with_a_jarvis_who_is_killed() {
    let Some((mut app, place)) = start(500) else { return };
    let mut caller = called(&app, &stay(&place));
    let all = alive(place.path());
    app.kill();
    all_end(all);
    let _ = caller.wait();
    // Nobody knows how far it came.
    app.start_again();
    eventually("it is not told of", || !app.cli_json(&["doubts"]).1["doubts"].as_array().unwrap().is_empty());
}

#[test]
fn a_command_whose_time_is_over_leaves_nothing() {
    let Some((app, place)) = start(2) else { return };
    let mut caller = called(&app, &stay(&place));
    all_end(alive(place.path()));
    assert_eq!(caller.wait().unwrap().code(), Some(1));
}

#[test]
fn a_command_that_is_called_off_leaves_nothing() {
    let Some((app, place)) = start(500) else { return };
    let mut caller = called(&app, &stay(&place));
    let all = alive(place.path());
    assert!(app.cli(&["stop"]).status.success());
    all_end(all);
    caller.wait().unwrap();
}

#[test]
fn a_command_whose_launcher_is_killed_leaves_nothing_and_nobody_knows_how_far_it_came() {
    let Some((app, place)) = start(500) else { return };
    let mut caller = called(&app, &stay(&place));
    let all = alive(place.path());
    kill(all[2]);
    all_end(all);
    caller.wait().unwrap();
    let (_, doubts) = app.cli_json(&["doubts"]);
    assert_eq!(doubts["doubts"].as_array().unwrap().len(), 1, "{doubts}");
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

/// The hostile server with a child that stays.
async fn resident(app: &TestApp, place: &tempfile::TempDir, home: &tempfile::TempDir) -> (Client, [u32; 3]) {
    let client = app.operator().await;
    let lab = hostile(&client, home, |body| body.writes = vec![place.path().display().to_string()]).await;
    review(&client, &lab, &["leave"], "green").await;
    let left = call(&client, "lab_leave", json!({ "script": STAYS, "at": place.path() })).await.unwrap();
    assert_eq!(left.state, "done", "{left:?}");
    (client, alive(place.path()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mounted_server_and_all_that_it_began_end_with_a_jarvis_who_is_killed() {
    let Some(_) = servers() else { return };
    let (mut app, place, home) = (TestApp::start(), shared(0o777), shared(0o777));
    let (client, all) = resident(&app, &place, &home).await;
    drop(client);
    let launcher = parent(all[2]);
    app.kill();
    all_end(all);
    eventually("its launcher runs on", || !lives(launcher));
}

/// Calls it until it answers.
async fn answers(client: &Client, place: &tempfile::TempDir) {
    let begun = Instant::now();
    loop {
        let said = call(client, "lab_leave", json!({ "script": "1", "at": place.path() })).await;
        if said.as_ref().is_ok_and(|said| said.state == "done") {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{said:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mounted_server_and_all_that_it_began_end_with_the_kill_switch_however_deaf() {
    let Some(_) = servers() else { return };
    let (app, place, home) = (TestApp::start(), shared(0o777), shared(0o777));
    let (client, all) = resident(&app, &place, &home).await;
    let _: Value = client.post("/api/kill", &json!({}), None).await.unwrap();
    all_end(all);
    // Its green tools may be called, so it is begun again; where everything is stopped it stays away.
    answers(&client, &place).await;
    let again = place.path().join("again");
    std::fs::create_dir(&again).unwrap();
    std::fs::set_permissions(&again, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let left = call(&client, "lab_leave", json!({ "script": STAYS, "at": again })).await.unwrap();
    assert_eq!(left.state, "done", "{left:?}");
    let all = alive(&again);
    let _: Value = client.post("/api/kill", &json!({ "level": "all" }), None).await.unwrap();
    let down = async || {
        let seen: Value = client.get("/api/mounts").await.unwrap();
        seen["mounts"][0]["why"].to_string().contains("kill switch")
    };
    all_end(all);
    let begun = Instant::now();
    while !down().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "it goes on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    client.delete("/api/kill").await.unwrap();
    answers(&client, &place).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mounted_server_ends_with_its_launcher_and_is_begun_again() {
    let Some(_) = servers() else { return };
    let (app, place, home) = (TestApp::start(), shared(0o777), shared(0o777));
    let (client, all) = resident(&app, &place, &home).await;
    kill(parent(all[2]));
    all_end(all);
    answers(&client, &place).await;
}
