//! The data directory: private, owned by one process, and refused where it is not what it must be.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use jarvis_memory::{OpenError, Store};
use jarvis_safety::port::{Feed as _, Ledger as _, StoreError};
use jarvis_safety::setting::AuditReads;

use crate::world::{World, read};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

async fn refused(world: &World) -> OpenError {
    Store::open(world.options()).await.err().unwrap()
}

#[tokio::test]
async fn nobody_else_can_read_what_is_kept() {
    let world = World::new().await;
    world.append(read("a")).await;
    assert_eq!(mode(&world.data), 0o700);
    assert_eq!(mode(&world.data.join("keys")), 0o700);
    let files = ["jarvis.db", "jarvis.db-wal", "lock", "keys/audit.key", "keys/setup.code", "audit.seal"];
    for file in files {
        assert_eq!(mode(&world.data.join(file)), 0o600, "{file}");
    }
    assert_eq!(std::fs::read(world.data.join("keys/audit.key")).unwrap().len(), 32);
}

#[tokio::test]
async fn a_second_owner_is_refused_and_told_who_is_there() {
    let world = World::new().await;
    let error = refused(&world).await;
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    world.store.close().await;
    Store::open(world.options()).await.unwrap().close().await;
}

#[tokio::test]
async fn a_closed_store_answers_that_it_is_closed() {
    let world = World::new().await;
    world.append(read("a")).await;
    world.store.close().await;
    world.store.close().await;
    let answer = world.store.append(read("b"), AuditReads::Wal).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    assert!(world.store.event(1).await.is_err());
    assert!(!world.data.join("jarvis.db-wal").exists(), "the log is folded into the database");
    assert_eq!(world.restart().await.whole().await.rows, 1);
}

#[tokio::test]
async fn a_directory_that_others_read_is_tightened_if_it_is_ours_and_refused_if_not() {
    let world = World::new().await;
    world.store.close().await;
    std::fs::set_permissions(&world.data, Permissions::from_mode(0o755)).unwrap();
    let world = world.restart().await;
    assert_eq!(mode(&world.data), 0o700);

    let foreign = tempfile::tempdir().unwrap();
    std::fs::set_permissions(foreign.path(), Permissions::from_mode(0o755)).unwrap();
    std::fs::write(foreign.path().join("thesis.txt"), "mine").unwrap();
    let error = World::at(foreign.path().to_owned(), 1).await.err().unwrap();
    assert_eq!(error.code(), "data_directory");
    assert!(error.to_string().contains("chmod 700"), "{error}");
    assert_eq!(mode(foreign.path()), 0o755);
}

#[tokio::test]
async fn a_lost_or_broken_key_is_refused_and_never_replaced() {
    let world = World::new().await;
    world.append(read("a")).await;
    world.store.close().await;
    let key = world.data.join("keys/audit.key");
    let bytes = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    assert_eq!(refused(&world).await.code(), "audit_key");
    assert!(!key.exists());
    std::fs::write(&key, &bytes[..31]).unwrap();
    assert_eq!(refused(&world).await.code(), "audit_key");
    std::fs::write(&key, bytes).unwrap();
    world.restart().await.whole().await;
}

#[tokio::test]
async fn a_database_of_a_newer_jarvis_is_refused() {
    let world = World::new().await;
    world.store.close().await;
    world.tamper("insert into migration (version, digest, applied_at) values (999, 'x', 0)").await;
    let error = refused(&world).await;
    assert!(matches!(error, OpenError::Newer { found: 999, .. }), "{error}");
    world.tamper("delete from migration where version = 999").await;
    world.tamper("update migration set digest = 'x'").await;
    assert_eq!(refused(&world).await.code(), "migration_altered");
}

#[tokio::test]
async fn a_path_with_strange_characters_works() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::at(dir.path().join("a b?c#d%41 ü"), 1).await.unwrap();
    world.append(read("a")).await;
    assert!(world.data.join("jarvis.db").exists());
    world.whole().await;
    world.store.close().await;
}
