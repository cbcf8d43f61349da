//! What is odd around a program: no home, a directory that is a file, a reader that leaves, a disk that is full.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt as _;
use std::process::Stdio;

use super::{document, errors, jarvis, run};

#[test]
fn the_bare_name_prints_what_there_is() {
    let data = tempfile::tempdir().unwrap();
    let told = run(&mut jarvis(data.path()), &[]);
    let text = String::from_utf8(told.stdout).unwrap();
    assert_eq!((told.status.code(), told.stderr.is_empty()), (Some(0), true));
    for word in ["serve", "approve", "doctor", "Exit codes", "jarvis say"] {
        assert!(text.contains(word), "{text}");
    }
    assert_eq!(document(&run(&mut jarvis(data.path()), &["--json"])).0, 2, "that asks for nothing");
}

#[test]
fn a_reader_that_has_left_is_no_fault_and_a_full_disk_is_one() {
    let data = tempfile::tempdir().unwrap();
    let outputs = [
        &["openapi"][..],
        &["completions", "bash"],
        &["completions", "zsh", "--json"],
        &["help"],
        &["--version"],
        &["doctor"],
        &["tools", "--json"],
    ];
    for words in outputs {
        let mut child = jarvis(data.path()).args(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        let expected = if words[0] == "tools" { 4 } else { 0 };
        assert_eq!((ended.status.code(), errors(&ended).as_str()), (Some(expected), ""), "{words:?}");

        let full = File::options().write(true).open("/dev/full").unwrap();
        let ended = jarvis(data.path()).args(words).stdout(full).output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{words:?}");
        assert!(errors(&ended).contains("could not be written"), "{words:?}: {ended:?}");
    }
}

#[test]
fn an_environment_without_a_home_or_with_bytes_that_are_no_text_is_fine() {
    let here = tempfile::tempdir().unwrap();
    let bare = || {
        let mut command = jarvis(here.path());
        command.env_remove("JARVIS_DATA").current_dir(here.path());
        command
    };
    for (words, exit) in [(&["tools"][..], 4), (&["audit", "verify"], 4), (&["doctor"], 0)] {
        assert_eq!(run(&mut bare(), words).status.code(), Some(exit), "{words:?}");
    }
    let bytes = OsString::from_vec(vec![b'/', 0xff]);
    assert_eq!(run(bare().env("LESSOPEN", &bytes), &["tools"]).status.code(), Some(4));
    let told = run(bare().env("JARVIS_DATA", &bytes), &["tools", "--json"]);
    assert!(document(&told).0 == 2 && String::from_utf8_lossy(&told.stdout).contains("JARVIS_DATA"), "{told:?}");
    assert_eq!(run(bare().arg("--data").arg(&bytes), &["tools"]).status.code(), Some(4), "a path may be anything");
}

#[test]
fn a_data_directory_that_is_none_is_named() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    std::fs::write(&file, "mine").unwrap();
    for (words, exit) in [
        (&["tools"][..], 4),
        (&["audit", "verify"], 1),
        (&["operator", "reset"], 1),
        (&["doctor"], 1),
        (&["serve"], 2),
        (&["mcp"], 4),
    ] {
        let told = run(jarvis(&file).arg("--json"), words);
        let (found, document) = document(&told);
        assert_eq!(found, exit, "{words:?}: {document}");
        assert!(document.to_string().contains(&*file.to_string_lossy()), "{words:?}: {document}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn a_reset_where_no_jarvis_ever_ran_is_refused_and_makes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("elsewhere");
    let told = run(&mut jarvis(&data), &["operator", "reset"]);
    assert_eq!(told.status.code(), Some(2));
    assert!(errors(&told).contains("no password to forget") && !data.exists(), "{told:?}");
}

#[test]
fn the_doctor_names_a_fault_of_the_configuration() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("jarvis.toml"), "lisen = \"x\"\n").unwrap();
    let (exit, report) = document(&run(&mut jarvis(data.path()), &["doctor", "--json"]));
    assert_eq!((exit, report["findings"][0]["state"].as_str()), (1, Some("warning")), "{report}");
    assert!(report["findings"][0]["found"].as_str().unwrap().contains("lisen"), "{report}");
}
