//! Backup and restore: one moment in one file, found whole or refused, and back without anything that must not return.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jarvis_memory::{Backup, BackupError, BackupKey, BackupOptions, Protection, RestoreOptions, Restored};
use jarvis_safety::event::EventKind;
use jarvis_safety::port::{Feed as _, Ledger as _};
use jarvis_safety::secret::Secret;

use crate::world::{World, read};

mod killed;
mod lapse;

fn options(world: &World, file: &Path) -> BackupOptions {
    BackupOptions {
        data: world.data.clone(),
        file: file.to_owned(),
        files: false,
        protection: Protection::Open,
        damaged: false,
        clock: Arc::clone(&world.clock) as _,
        ids: Arc::clone(&world.ids) as _,
    }
}

fn from(world: &World, file: &Path, data: &Path) -> RestoreOptions {
    RestoreOptions {
        file: file.to_owned(),
        data: data.to_owned(),
        key: BackupKey::None,
        damaged: false,
        clock: Arc::clone(&world.clock) as _,
        ids: Arc::clone(&world.ids) as _,
    }
}

async fn backup(world: &World, file: &Path) -> Backup {
    jarvis_memory::backup(options(world, file)).await.unwrap()
}

async fn restore(world: &World, file: &Path, data: &Path) -> Restored {
    jarvis_memory::restore(from(world, file, data)).await.unwrap()
}

async fn refused(options: RestoreOptions) -> BackupError {
    let (data, parent) = (options.data.clone(), options.data.parent().unwrap().to_owned());
    let before = names(&parent);
    let error = jarvis_memory::restore(options).await.unwrap_err();
    assert_eq!(names(&parent), before, "a refused restore leaves nothing beside {}: {error}", data.display());
    error
}

/// Names in a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A store with some rows, and a directory for what is made of it.
async fn world() -> (World, tempfile::TempDir) {
    let world = World::new().await;
    for subject in ["a", "b", "c"] {
        world.append(read(subject)).await;
    }
    (world, tempfile::tempdir().unwrap())
}

/// The entries of a plain backup, in order.
fn unpack(file: &Path) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(zstd::Decoder::new(std::fs::File::open(file).unwrap()).unwrap());
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let (name, mut bytes) = (entry.path().unwrap().display().to_string(), Vec::new());
        entry.read_to_end(&mut bytes).unwrap();
        (name, bytes)
    });
    entries.collect()
}

/// Packs entries as a backup, also those that no honest one has.
fn pack(file: &Path, entries: &[(String, Vec<u8>)]) {
    let mut archive = tar::Builder::new(zstd::Encoder::new(std::fs::File::create(file).unwrap(), 1).unwrap());
    for (name, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_cksum();
        archive.append(&header, bytes.as_slice()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap();
}

/// Packs entries with a manifest that fits them.
fn pack_with_manifest(file: &Path, mut entries: Vec<(String, Vec<u8>)>) {
    let (_, manifest) = entries.pop().unwrap();
    let mut manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    for (name, bytes) in &entries {
        let digest = jarvis_safety::Digest::of(bytes);
        manifest["parts"][name] = serde_json::json!({ "size": bytes.len(), "sha256": digest.as_str() });
    }
    entries.push(("manifest.json".to_owned(), serde_json::to_vec(&manifest).unwrap()));
    pack(file, &entries);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_while_calls_run_is_one_moment_and_restores_whole() {
    let (world, dir) = world().await;
    let running = Arc::new(AtomicBool::new(true));
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let (store, running) = (world.store.clone(), Arc::clone(&running));
            tokio::spawn(async move {
                while running.load(Ordering::SeqCst) {
                    store.append(read("busy"), jarvis_safety::setting::AuditReads::Wal).await.unwrap();
                }
            })
        })
        .collect();
    let (file, data) = (dir.path().join("one.backup"), dir.path().join("data"));
    let before = world.store.head();
    let taken = backup(&world, &file).await;
    assert!(world.store.head() > taken.head, "calls went on meanwhile");
    running.store(false, Ordering::SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(taken.head >= before && taken.rows == taken.head, "{taken:?}");
    assert_eq!(world.store.event(taken.head).await.unwrap().unwrap().0.hash, taken.hash);

    let restored = restore(&world, &file, &data).await;
    assert_eq!((restored.rows, restored.head, &restored.hash), (taken.rows, taken.head, &taken.hash));
    let again = World::at(data, 1_000_000).await.unwrap();
    let found = again.whole().await;
    assert_eq!(found.rows, taken.rows + 1, "the restore is told in the audit itself");
    let (told, _) = again.store.event(found.head).await.unwrap().unwrap();
    assert!(told.kind == EventKind::ServerStarted && told.summary.contains("restored"), "{told:?}");
    again.append(read("it goes on")).await;
    again.whole().await;
    again.store.close().await;
    world.whole().await;
}

#[tokio::test]
async fn a_directory_that_no_server_runs_on_is_backed_up_as_the_last_one_left_it() {
    let (world, dir) = world().await;
    world.store.close().await;
    let file = dir.path().join("one.backup");
    assert_eq!(backup(&world, &file).await.rows, 3);
    let nowhere = BackupOptions { data: dir.path().join("none"), ..options(&world, &dir.path().join("x")) };
    assert_eq!(jarvis_memory::backup(nowhere).await.unwrap_err().code(), "no_database");
    assert_eq!(names(dir.path()), ["one.backup"], "nothing else is left");
}

#[tokio::test]
async fn a_backup_is_private_and_overwrites_nothing() {
    let (world, dir) = world().await;
    let file = dir.path().join("one.backup");
    let taken = backup(&world, &file).await;
    let found = std::fs::metadata(&file).unwrap();
    assert_eq!((found.permissions().mode() & 0o777, found.len()), (0o600, taken.bytes));
    let again = jarvis_memory::backup(options(&world, &file)).await.unwrap_err();
    assert_eq!(again.code(), "backup_exists");
    assert_eq!(std::fs::metadata(&file).unwrap().len(), taken.bytes);
    let nowhere = jarvis_memory::backup(options(&world, &dir.path().join("no/such/place"))).await.unwrap_err();
    assert!(nowhere.to_string().contains("no/such"), "{nowhere}");
}

#[tokio::test]
async fn what_its_owner_wrote_comes_along_and_what_tools_wrote_only_when_asked() {
    let (world, dir) = world().await;
    for folder in ["prompts", "files/deep/empty", "trash"] {
        std::fs::create_dir_all(world.data.join(folder)).unwrap();
    }
    let long = format!("files/deep/{}.txt", "long-name-".repeat(15));
    for name in ["policy.toml", "jarvis.toml", "prompts/persona.md", "trash/1", "serve.log", &long] {
        std::fs::write(world.data.join(name), format!("this is {name}")).unwrap();
    }
    std::fs::set_permissions(world.data.join("policy.toml"), PermissionsExt::from_mode(0o440)).unwrap();
    std::os::unix::fs::symlink("deep", world.data.join("files/link")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(world.data.join("files/socket")).unwrap();
    let (few, all) = (dir.path().join("few"), dir.path().join("all"));
    assert!(backup(&world, &few).await.left_out.is_empty());
    let taken = jarvis_memory::backup(BackupOptions { files: true, ..options(&world, &all) }).await.unwrap();
    assert_eq!(taken.left_out, ["files/socket"]);
    drop(socket);

    let data = dir.path().join("few-data");
    restore(&world, &few, &data).await;
    let own = ["audit.seal", "jarvis.db", "jarvis.toml", "keys", "lock", "policy.toml", "prompts"];
    assert_eq!(names(&data), own);
    assert_eq!(std::fs::read_to_string(data.join("prompts/persona.md")).unwrap(), "this is prompts/persona.md");
    assert_eq!(std::fs::metadata(data.join("policy.toml")).unwrap().permissions().mode() & 0o777, 0o640);
    let data = dir.path().join("all-data");
    restore(&world, &all, &data).await;
    assert_eq!(std::fs::read_to_string(data.join(&long)).unwrap(), format!("this is {long}"));
    assert!(data.join("files/deep/empty").is_dir() && data.join("trash/1").is_file());
    assert_eq!(std::fs::read_link(data.join("files/link")).unwrap(), Path::new("deep"));
    for name in ["jarvis.db", "keys/audit.key", "audit.seal"] {
        assert_eq!(std::fs::metadata(data.join(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    let changed = |data: &Path| std::fs::metadata(data.join(&long)).unwrap().modified().unwrap();
    let seconds = |data| changed(data).duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(seconds(&data), seconds(&world.data));
}

#[tokio::test]
async fn a_backup_that_is_made_among_the_files_does_not_hold_itself() {
    let (world, _dir) = world().await;
    std::fs::create_dir(world.data.join("files")).unwrap();
    std::fs::write(world.data.join("files/a.txt"), "a").unwrap();
    let file = world.data.join("files/one.backup");
    jarvis_memory::backup(BackupOptions { files: true, ..options(&world, &file) }).await.unwrap();
    let entries: Vec<_> = unpack(&file).into_iter().map(|(name, _)| name).collect();
    assert_eq!(entries, ["jarvis.db", "keys/audit.key", "audit.seal", "files/", "files/a.txt", "manifest.json"]);
}

#[tokio::test]
async fn a_backup_in_which_one_byte_is_wrong_or_missing_is_refused() {
    let (world, dir) = world().await;
    let (file, bad, data) = (dir.path().join("good"), dir.path().join("bad"), dir.path().join("data"));
    let taken = backup(&world, &file).await;
    let good = std::fs::read(&file).unwrap();
    // Every byte of the first and the last hundred, and some hundreds between.
    let step = (good.len() / 300).max(1);
    let places = (0..100).chain((100..good.len() - 100).step_by(step)).chain(good.len() - 100..good.len());
    let (mut tried, mut idle) = (0, 0);
    for place in places {
        let mut bytes = good.clone();
        bytes[place] ^= 0x41;
        std::fs::write(&bad, &bytes).unwrap();
        match jarvis_memory::restore(from(&world, &bad, &data)).await {
            // A few bits of the compression say nothing about the content: how much memory to use, what fills a byte up.
            Ok(restored) => {
                assert_eq!(restored.hash, taken.hash, "byte {place} was changed and nobody saw it");
                std::fs::remove_dir_all(&data).unwrap();
                idle += 1;
            }
            Err(error) => assert!(matches!(error, BackupError::Damaged { .. }), "byte {place}: {error}"),
        }
        assert_eq!(names(dir.path()), ["bad", "good"]);
        tried += 1;
    }
    for length in (0..good.len()).step_by(step * 3).chain([good.len() - 1]) {
        std::fs::write(&bad, &good[..length]).unwrap();
        let error = refused(from(&world, &bad, &data)).await;
        assert!(matches!(error, BackupError::Damaged { .. }), "cut off at {length}: {error}");
        tried += 1;
    }
    assert!(tried > 500 && idle < 10, "{tried} were tried, {idle} changed nothing");
    restore(&world, &file, &data).await;
}

#[tokio::test]
async fn an_archive_that_does_not_fit_its_manifest_or_leads_elsewhere_is_refused() {
    let (world, dir) = world().await;
    let (file, bad, data) = (dir.path().join("good"), dir.path().join("bad"), dir.path().join("data"));
    backup(&world, &file).await;
    let good = unpack(&file);
    assert_eq!(good.last().unwrap().0, "manifest.json");
    let named = |name: &str| good.iter().position(|(found, _)| found == name).unwrap();
    let foreign = |name: &str| (name.to_owned(), b"x".to_vec());
    type Change = Box<dyn Fn(&mut Vec<(String, Vec<u8>)>)>;
    let key = named("keys/audit.key");
    let outside = dir.path().join("outside").display().to_string();
    let cases: [(&str, Change); 8] = [
        ("keys/audit.key is not what was written", Box::new(move |all| all[key].1[0] ^= 1)),
        ("keys/audit.key is missing", Box::new(move |all| drop(all.remove(key)))),
        ("does not know policy.toml", Box::new(move |all| all.insert(0, foreign("policy.toml")))),
        ("behind its manifest", Box::new(move |all| all.push(foreign("policy.toml")))),
        ("ends before its manifest", Box::new(|all| drop(all.pop()))),
        ("twice", Box::new(move |all| all.insert(0, all[key].clone()))),
        ("leads out", Box::new(move |all| all.insert(0, foreign("../outside")))),
        ("leads out", Box::new(move |all| all.insert(0, foreign(&outside)))),
    ];
    for (said, change) in cases {
        let mut entries = good.clone();
        change(&mut entries);
        pack(&bad, &entries);
        let error = refused(from(&world, &bad, &data)).await.to_string();
        let exists = said == "twice" && error.contains("exists");
        assert!(error.contains(said) || exists, "{said}: {error}");
    }
    std::fs::write(&bad, "a shopping list").unwrap();
    assert!(refused(from(&world, &bad, &data)).await.to_string().contains("no backup"));
    assert!(!dir.path().join("outside").exists());
    pack_with_manifest(&bad, good);
    restore(&world, &bad, &data).await;
}

#[tokio::test]
async fn an_encrypted_backup_opens_with_its_key_and_with_nothing_else() {
    use age::secrecy::ExposeSecret as _;
    let (world, dir) = world().await;
    let (mine, other) = (age::x25519::Identity::generate(), age::x25519::Identity::generate());
    let identity = |name: &str, key: &age::x25519::Identity| {
        let path = dir.path().join(name);
        std::fs::write(&path, format!("# a key\n{}\n", key.to_string().expose_secret())).unwrap();
        BackupKey::Identity(path)
    };
    let passphrase = |text: &str| BackupKey::Passphrase(Secret::new(text.to_owned()));
    let (right, wrong) = (identity("mine", &mine), identity("other", &other));
    let cases = [
        ("aged", Protection::Recipient(mine.to_public().to_string()), right),
        ("said", Protection::Passphrase(Secret::new("two words".to_owned())), passphrase("two words")),
    ];
    for (name, protection, opens) in cases {
        let (file, data) = (dir.path().join(name), dir.path().join(format!("{name}-data")));
        let taken = jarvis_memory::backup(BackupOptions { protection, ..options(&world, &file) }).await.unwrap();
        assert!(taken.encrypted);
        assert!(std::fs::read(&file).unwrap().starts_with(b"age-encryption.org/v1\n"));
        for key in [BackupKey::None, wrong.clone(), passphrase("three words")] {
            let error = refused(RestoreOptions { key, ..from(&world, &file, &data) }).await;
            assert!(error.code() == "backup_key" && error.to_string().contains("needs"), "{error}");
        }
        let mut bytes = std::fs::read(&file).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(dir.path().join("bad"), &bytes).unwrap();
        let bad = RestoreOptions { key: opens.clone(), ..from(&world, &dir.path().join("bad"), &data) };
        assert_eq!(refused(bad).await.code(), "backup_damaged");
        let restored = jarvis_memory::restore(RestoreOptions { key: opens, ..from(&world, &file, &data) }).await;
        assert_eq!(restored.unwrap().rows, 3);
    }
    let nobody = Protection::Recipient("age1nobody".to_owned());
    let error = jarvis_memory::backup(BackupOptions { protection: nobody, ..options(&world, &dir.path().join("x")) });
    assert_eq!(error.await.unwrap_err().code(), "backup_key");
}

#[tokio::test]
async fn a_directory_that_is_not_empty_or_in_use_is_refused_and_left_as_it_is() {
    let (world, dir) = world().await;
    let file = dir.path().join("one.backup");
    backup(&world, &file).await;
    assert_eq!(refused(from(&world, &file, &world.data)).await.code(), "data_in_use");
    world.whole().await;
    let full = dir.path().join("full");
    std::fs::create_dir(&full).unwrap();
    std::fs::write(full.join("thesis.txt"), "mine").unwrap();
    assert_eq!(refused(from(&world, &file, &full)).await.code(), "data_not_empty");
    assert_eq!(names(&full), ["thesis.txt"]);
    let empty = dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    std::fs::set_permissions(&empty, PermissionsExt::from_mode(0o755)).unwrap();
    restore(&world, &file, &empty).await;
    assert_eq!(std::fs::metadata(&empty).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_backup_of_a_newer_jarvis_is_refused() {
    let (world, dir) = world().await;
    let (file, bad, data) = (dir.path().join("good"), dir.path().join("bad"), dir.path().join("data"));
    backup(&world, &file).await;
    let mut entries = unpack(&file);
    let work = tempfile::tempdir().unwrap();
    std::fs::write(work.path().join("jarvis.db"), &entries[0].1).unwrap();
    let mut connection = crate::world::burglar(work.path()).await;
    sqlx::query("insert into migration (version, digest, applied_at) values (999, 'x', 0)")
        .execute(&mut connection)
        .await
        .unwrap();
    sqlx::Connection::close(connection).await.unwrap();
    entries[0].1 = std::fs::read(work.path().join("jarvis.db")).unwrap();
    pack_with_manifest(&bad, entries);
    let error = refused(from(&world, &bad, &data)).await;
    assert!(error.code() == "database_newer" && error.to_string().contains("999"), "{error}");
}

/// Ways to harm a source: what is done to it, and a word of the fault.
const HARM: [(&str, &str); 3] = [
    ("update event set summary = 'nothing happened' where seq = 2", "row 2 was altered"),
    ("delete from body where seq = 1", "bodies are gone"),
    // The end is cut off and the head with it: only the seal still knows.
    ("delete from body where seq = 3; delete from event where seq = 3; update head set seq = 2", "seal"),
];

#[tokio::test]
async fn a_backup_heals_no_audit_that_is_not_whole() {
    for (harm, word) in HARM {
        let (world, dir) = world().await;
        let (file, data) = (dir.path().join("file"), dir.path().join("data"));
        world.store.close().await;
        world.tamper(harm).await;
        let error = jarvis_memory::backup(options(&world, &file)).await.unwrap_err();
        assert!(error.code() == "audit_not_whole" && error.to_string().contains(word), "{harm}: {error}");
        assert!(names(dir.path()).is_empty(), "{harm}");
        let anyway = jarvis_memory::backup(BackupOptions { damaged: true, ..options(&world, &file) }).await.unwrap();
        assert!(anyway.faults.iter().any(|fault| fault.contains(word)), "{harm}: {anyway:?}");
        assert_eq!(refused(from(&world, &file, &data)).await.code(), "audit_not_whole");
        jarvis_memory::restore(RestoreOptions { damaged: true, ..from(&world, &file, &data) }).await.unwrap();
        let again = World::at(data, 1_000_000).await.unwrap();
        let faults = again.verify().await.faults;
        assert!(faults.iter().any(|fault| fault.contains(word)), "{harm}: it stays visible: {faults:?}");
        again.store.close().await;
    }
}

#[tokio::test]
async fn what_was_erased_is_in_no_backup() {
    let (world, dir) = world().await;
    world.tamper("create table note (text text not null)").await;
    world.tamper("insert into note values ('the secret of the lamp')").await;
    // Whoever erases without care leaves it on a free page.
    world.tamper("pragma secure_delete = off; delete from note").await;
    let file = dir.path().join("one.backup");
    backup(&world, &file).await;
    let entries: BTreeMap<_, _> = unpack(&file).into_iter().collect();
    let held = |bytes: &[u8]| bytes.windows(22).any(|window| window == b"the secret of the lamp");
    assert!(!entries.values().any(|bytes| held(bytes)));
}

/// A file of so many bytes in a directory, to have something to copy.
fn ballast(directory: &Path, name: &str, mebibytes: usize) -> PathBuf {
    let path = directory.join(name);
    let mut file = std::fs::File::create(&path).unwrap();
    let mut state = 1_u64;
    for _ in 0..mebibytes {
        let block: Vec<u8> = (0..131_072)
            .flat_map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                state.to_le_bytes()
            })
            .collect();
        file.write_all(&block).unwrap();
    }
    path
}
