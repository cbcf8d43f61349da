//! Settings.

use jarvis_safety::event::EventKind;
use jarvis_safety::port::SettingStore as _;
use jarvis_safety::setting::{AuditReads, Root, Settings};

use crate::world::{World, row};

#[tokio::test]
async fn settings_are_useful_at_first_and_then_what_was_saved() {
    let world = World::new().await;
    assert_eq!(world.store.settings().await.unwrap(), Settings::default());
    let settings = Settings {
        hosts: vec!["example.org".to_owned()],
        roots: vec![Root { path: "/srv".to_owned(), write: true }],
        audit_reads: AuditReads::Fsync,
        ..Settings::default()
    };
    for _ in 0..2 {
        world.store.save(&settings, row(EventKind::SettingChanged, "settings")).await.unwrap();
    }
    let world = world.restart().await;
    assert_eq!(world.store.settings().await.unwrap(), settings);
    assert_eq!(world.whole().await.rows, 2);
}

#[tokio::test]
async fn settings_that_no_longer_parse_are_refused_by_name() {
    let world = World::new().await;
    world.store.save(&Settings::default(), row(EventKind::SettingChanged, "settings")).await.unwrap();
    world.store.close().await;
    world.tamper("update setting set json = '{\"approval_minutes\":\"soon\"}' where name = 'settings'").await;
    let error = world.open().await.err().unwrap();
    assert_eq!(error.code(), "stored_unreadable");
    assert!(error.to_string().contains("settings"), "{error}");
}
