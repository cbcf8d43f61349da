//! What this machine says of itself, held against what the kernel and the usual programs say.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Instant;

use jarvis_safety::Actor;
use jarvis_safety::kernel::RegistryBuilder;
use jarvis_safety::refusal::Code;
use jarvis_tools::system::sampler::Sampler;
use jarvis_tools::system::{System, register};
use serde_json::{Value, json};
use support::House;

async fn gate() -> House {
    support::gate(register(RegistryBuilder::default(), System::new())).await
}

fn meminfo(field: &str) -> u64 {
    let table = fs::read_to_string("/proc/meminfo").unwrap();
    let line = table.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn df(mount: &str) -> (u64, f64) {
    let out = Command::new("df").args(["-B1", "--output=size,pcent", mount]).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let row: Vec<_> = text.lines().nth(1).unwrap().split_whitespace().collect();
    (row[0].parse().unwrap(), row[1].trim_end_matches('%').parse().unwrap())
}

#[tokio::test]
async fn how_is_this_machine_is_answered_truly() {
    let outcome = support::ran(support::call(&gate().await, &Actor::local(), "system_info", json!({})).await);
    let output = &outcome.output;
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(output["host"], host.trim());
    assert_eq!(output["memory"]["total"], meminfo("MemTotal:"));
    let cores = fs::read_to_string("/proc/cpuinfo").unwrap().matches("processor\t:").count();
    assert_eq!(output["cores"], cores);
    let uptime: f64 = fs::read_to_string("/proc/uptime").unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((output["uptime_seconds"].as_f64().unwrap() - uptime).abs() < 5.0);
    assert!((0.0..=100.0).contains(&output["cpu_percent"].as_f64().unwrap()));
    assert!(output["processes"].as_u64().unwrap() > 1);
    assert!(outcome.words.starts_with(host.trim()), "{}", outcome.words);
    assert!(!outcome.words.contains('\n'), "one paragraph");
    assert!(!outcome.untrusted);
}

#[tokio::test]
async fn disks_agree_with_df_and_hold_no_noise() {
    let outcome = support::ran(support::call(&gate().await, &Actor::local(), "system_disks", json!({})).await);
    let disks = outcome.output["disks"].as_array().unwrap();
    assert!(!disks.is_empty());
    for disk in disks {
        let (size, percent) = df(disk["mount"].as_str().unwrap());
        assert_eq!(disk["total"], size);
        assert!((disk["percent"].as_f64().unwrap() - percent).abs() <= 2.0, "{disk} against {percent}");
        assert!(!["tmpfs", "squashfs", "devtmpfs", "proc"].contains(&disk["fs"].as_str().unwrap()));
    }
    let mut devices: Vec<_> = disks.iter().map(|disk| disk["device"].as_str().unwrap()).collect();
    let count = devices.len();
    devices.dedup();
    assert_eq!(devices.len(), count, "each device once");
    assert!(outcome.output.get("largest").is_none());
}

#[tokio::test]
async fn what_fills_the_disk_is_found_within_its_time() {
    let begun = Instant::now();
    let args = json!({ "largest": true });
    let outcome = support::ran(support::call(&gate().await, &Actor::local(), "system_disks", args).await);
    assert!(begun.elapsed().as_secs() < 10, "took {:?}", begun.elapsed());
    let largest = &outcome.output["largest"];
    let directories = largest["directories"].as_array().unwrap();
    assert!(!directories.is_empty());
    let sizes: Vec<_> = directories.iter().map(|directory| directory["bytes"].as_u64().unwrap()).collect();
    assert!(sizes.is_sorted_by(|one, other| one >= other), "{sizes:?}");
    assert!(outcome.words.contains("The largest directories on it:"), "{}", outcome.words);
    assert_eq!(outcome.words.contains("lower bounds"), largest["cut"] == true, "{}", outcome.words);
    assert!(outcome.untrusted, "directories are named by anybody");
}

#[tokio::test]
async fn processes_show_the_script_and_never_the_secrets_of_their_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("watched.sh");
    // It waits for a line that never comes: no timer to guess.
    fs::File::create(&script).unwrap().write_all(b"read line\n").unwrap();
    let mut child =
        Command::new("/bin/sh").arg(&script).arg("--password=hunter2").stdin(Stdio::piped()).spawn().unwrap();
    let args = json!({ "sort": "memory", "limit": 100, "name": "sh" });
    let answer = support::call(&gate().await, &Actor::local(), "system_processes", args).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let outcome = support::ran(answer);
    let processes = outcome.output["processes"].as_array().unwrap();
    let found = processes.iter().find(|process| process["pid"] == child.id());
    if processes.len() < 100 {
        let found = found.unwrap_or_else(|| panic!("{processes:?}"));
        assert_eq!(found["file"], script.to_str().unwrap());
    }
    assert!(!outcome.output.to_string().contains("hunter2"));
    assert!(!outcome.words.contains("hunter2"));
    let memory: Vec<_> = processes.iter().map(|process| process["memory_bytes"].as_u64().unwrap()).collect();
    assert!(memory.is_sorted_by(|one, other| one >= other));
}

#[tokio::test]
async fn a_busy_process_is_seen_to_be_busy() {
    // It says when it has used some time: a use is measured against what was used before.
    let busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo busy; while :; do :; done";
    let mut child = Command::new("/bin/sh").args(["-c", busy]).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let answer = support::call(&gate().await, &Actor::local(), "system_processes", json!({ "limit": 30 })).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let outcome = support::ran(answer);
    let processes = outcome.output["processes"].as_array().unwrap();
    let busy = processes.iter().find(|process| process["pid"] == child.id()).expect("among the busiest");
    assert!(busy["cpu_percent"].as_f64().unwrap() > 1.0, "{busy}");
}

#[tokio::test]
async fn temperatures_are_shown_or_said_to_be_missing() {
    let outcome = support::ran(support::call(&gate().await, &Actor::local(), "system_temperatures", json!({})).await);
    let sensors = outcome.output["sensors"].as_array().unwrap();
    match sensors.first() {
        Some(hottest) => assert!(outcome.words.contains(hottest["sensor"].as_str().unwrap())),
        None => assert!(outcome.words.contains("no temperature sensors"), "{}", outcome.words),
    }
}

#[tokio::test]
async fn bad_arguments_are_refused() {
    let gate = gate().await;
    for args in [json!({ "limit": 0 }), json!({ "limit": 101 }), json!({ "sort": "size" }), json!({ "argv": true })] {
        let answer = support::call(&gate, &Actor::local(), "system_processes", args.clone()).await;
        assert_eq!(support::refused(answer).code, Code::InvalidArguments, "{args}");
    }
}

#[tokio::test]
async fn gauges_have_the_fields_of_the_wire_and_true_numbers() {
    let gauges = tokio::task::spawn_blocking(|| {
        let mut sampler = Sampler::new();
        sampler.sample();
        sampler.sample()
    })
    .await
    .unwrap();
    let mut value = serde_json::to_value(&gauges).unwrap();
    value.as_object_mut().unwrap().remove("celsius");
    let keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected =
        ["cpu_percent", "cores", "load", "memory_used", "memory_cache", "memory_total", "disks", "network", "uptime"];
    expected.sort_unstable();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    assert_eq!(value["memory_total"], meminfo("MemTotal:"));
    let taken = gauges.memory_used + gauges.memory_cache;
    assert!(taken <= gauges.memory_total, "{value}");
    assert!(!gauges.disks.is_empty());
    let root = value["disks"].as_array().unwrap().iter().all(|disk: &Value| disk["total"].as_u64() > Some(0));
    assert!(root, "{value}");
}
