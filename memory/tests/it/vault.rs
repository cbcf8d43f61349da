//! The vault: sealed where it is kept, open in memory alone, and closed whenever something does not fit.

use jarvis_memory::{SecretVault, VaultKey, VaultOptions};
use jarvis_safety::event::{Draft, EventKind};
use jarvis_safety::port::{Clock as _, Feed as _, StoreError};
use jarvis_safety::secret::{Secret, SecretChange, SecretName, SecretRecord, SecretStore as _, Use, Vault as _};
use serde_json::json;

use crate::world::{World, row};

const VALUE: &str = "ghp-Secret-0123456789";
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const DAY: i64 = 24 * 3_600_000;

fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

fn value(text: &str) -> SecretChange {
    SecretChange { value: Some(Secret::new(text.to_owned())), ..SecretChange::default() }
}

fn key(text: &str) -> VaultKey {
    VaultKey::Key(Secret::new(text.to_owned()))
}

async fn own(world: &World) -> SecretVault {
    SecretVault::unlock(&world.store, VaultOptions::default()).await
}

async fn with(world: &World, key: VaultKey, previous: Option<VaultKey>) -> SecretVault {
    SecretVault::unlock(&world.store, VaultOptions { key, words: "here".to_owned(), previous }).await
}

async fn keep(vault: &SecretVault, of: &str, change: SecretChange) -> Result<SecretRecord, StoreError> {
    vault.keep_secret(&name(of), change, row(EventKind::SecretKept, of)).await
}

fn opened(vault: &SecretVault, of: &str) -> Option<String> {
    vault.open(&format!("secret://{of}")).ok().map(|secret| secret.expose().to_owned())
}

/// What the audit makes of a text.
async fn told(world: &World, text: &str) -> String {
    let draft =
        Draft { summary: text.to_owned(), body: Some(json!({ "text": text })), ..row(EventKind::CallRead, text) };
    let seq = world.append(draft).await;
    let event = world.store.event(seq).await.unwrap().unwrap();
    format!("{} {} {:?}", event.0.subject, event.0.summary, event.1)
}

#[tokio::test]
async fn a_secret_is_kept_changed_and_removed_and_stands_nowhere_in_the_clear() {
    let world = World::new().await;
    let vault = own(&world).await;
    assert_eq!(vault.secrets(), []);
    let missing = keep(&vault, "github", SecretChange { note: Some("x".to_owned()), ..SecretChange::default() }).await;
    assert!(matches!(missing, Err(StoreError::Conflict(_))), "{missing:?}");
    let first = keep(&vault, "github", value(VALUE)).await.unwrap();
    assert_eq!((first.version, first.uses.len(), first.changed_at), (1, 0, world.clock.now()));
    world.clock.turn(1000);
    let uses = vec![Use { tool: "http_fetch".to_owned(), target: "api.github.com".to_owned() }];
    let change = SecretChange { value: None, note: Some("for GitHub".to_owned()), uses: Some(uses) };
    let second = keep(&vault, "github", change).await.unwrap();
    assert_eq!((second.version, second.changed_at, second.note.as_str()), (2, first.changed_at, "for GitHub"));
    assert_eq!(opened(&vault, "github").as_deref(), Some(VALUE));
    let third = keep(&vault, "github", value("another-Value-1")).await.unwrap();
    assert_eq!((third.version, third.created_at, &third.uses), (3, first.created_at, &second.uses));
    assert_eq!(vault.secrets(), [third]);
    assert!(vault.remove_secret(&name("github"), row(EventKind::SecretRemoved, "github")).await.unwrap());
    assert!(!vault.remove_secret(&name("github"), row(EventKind::SecretRemoved, "github")).await.unwrap());
    assert_eq!((opened(&vault, "github"), vault.secrets()), (None, vec![]));
    assert_eq!(world.whole().await.rows, 4);
    for file in ["jarvis.db", "jarvis.db-wal"] {
        let Ok(bytes) = std::fs::read(world.data.join(file)) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(VALUE) && !text.contains("another-Value-1"), "{file}");
    }
}

#[tokio::test]
async fn what_is_kept_or_was_replaced_is_struck_out_of_the_audit_for_thirty_days() {
    let world = World::new().await;
    let vault = own(&world).await;
    keep(&vault, "token", value(VALUE)).await.unwrap();
    keep(&vault, "token", value("another-Value-1")).await.unwrap();
    let both = format!("{VALUE} and another-Value-1");
    let struck = "[secret token] and [secret token]";
    assert!(told(&world, &both).await.contains(&format!("{struck} {struck}")));
    // What is longer than what is kept is cut after that: of half a secret nobody would know that it is one.
    let long = |most: usize| format!("{} {VALUE}", "x".repeat(most - 10));
    let draft = Draft { tool: Some(long(64)), summary: long(300), ..row(EventKind::CallRefused, &long(300)) };
    let seq = world.append(draft).await;
    let cut = world.store.event(seq).await.unwrap().unwrap().0;
    for text in [&cut.subject, &cut.summary, cut.tool.as_ref().unwrap()] {
        assert!(text.ends_with(" [secret …"), "{text}");
    }
    let world = world.restart().await;
    let vault = own(&world).await;
    assert_eq!(opened(&vault, "token").as_deref(), Some("another-Value-1"));
    assert!(told(&world, &both).await.contains(&format!("{struck} {struck}")));
    world.clock.turn(31 * DAY);
    keep(&vault, "other", value("some-Other-2")).await.unwrap();
    let world = world.restart().await;
    own(&world).await;
    assert!(told(&world, &both).await.contains(&format!("{VALUE} and [secret token]")));
}

#[tokio::test]
async fn a_vault_of_its_own_key_opens_after_a_restart_and_not_without_it() {
    let world = World::new().await;
    keep(&own(&world).await, "token", value(VALUE)).await.unwrap();
    let file = world.data.join("keys/vault.key");
    let world = world.restart().await;
    assert_eq!(opened(&own(&world).await, "token").as_deref(), Some(VALUE));
    std::fs::remove_file(&file).unwrap();
    let closed = own(&world).await;
    assert!(closed.vault_fault().unwrap().contains("vault.key"), "{:?}", closed.vault_fault());
    assert_eq!(opened(&closed, "token"), None);
    let refused = keep(&closed, "new", value("brand-New-1")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(!file.exists(), "no other key is made over one that is lost");
    std::fs::write(&file, "not a key").unwrap();
    assert!(own(&world).await.vault_fault().unwrap().contains("32 bytes"));
}

#[tokio::test]
async fn another_key_opens_nothing_and_keeps_nothing() {
    let world = World::new().await;
    let ours = with(&world, key(KEY), None).await;
    keep(&ours, "token", value(VALUE)).await.unwrap();
    let theirs = with(&world, key(&KEY.replace("00", "ff")), None).await;
    assert!(theirs.vault_fault().unwrap().contains("another key"), "{:?}", theirs.vault_fault());
    assert!(keep(&theirs, "new", value("brand-New-1")).await.is_err());
    // Opened before anything was kept, as another replica is: the database still knows better.
    let fresh = World::new().await;
    let (first, second) = (with(&fresh, key(KEY), None).await, own(&fresh).await);
    keep(&first, "token", value(VALUE)).await.unwrap();
    let refused = keep(&second, "other", value("brand-New-1")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
}

#[tokio::test]
async fn a_new_key_takes_over_what_the_previous_one_sealed() {
    let world = World::new().await;
    let vault = own(&world).await;
    keep(&vault, "token", value(VALUE)).await.unwrap();
    keep(&vault, "token", value("another-Value-1")).await.unwrap();
    let phrase = || VaultKey::Passphrase(Secret::new("correct horse battery".to_owned()));
    let moved = with(&world, phrase(), Some(VaultKey::Own)).await;
    assert_eq!((moved.vault_fault(), opened(&moved, "token").as_deref()), (None, Some("another-Value-1")));
    let world = world.restart().await;
    assert_eq!(opened(&with(&world, phrase(), None).await, "token").as_deref(), Some("another-Value-1"));
    assert!(own(&world).await.vault_fault().is_some());
    let again = with(&world, key(KEY), Some(phrase())).await;
    assert_eq!(opened(&again, "token").as_deref(), Some("another-Value-1"));
    assert!(told(&world, VALUE).await.contains("[secret token]"), "what was replaced moved too");
    world.whole().await;
}

#[tokio::test]
async fn whoever_can_write_to_the_database_widens_no_use_and_swaps_no_value() {
    for attack in [
        "update secret set uses = '[{\"tool\":\"*\",\"target\":\"*\"}]' where name = 'one'",
        "update secret set version = 7 where name = 'one'",
        "update secret set name = 'three' where name = 'one'",
        "update secret set sealed = (select s.sealed from secret s where s.name = 'two') where name = 'one'",
        "update secret set wrapped = (select s.wrapped from secret s where s.name = 'two'), \
         sealed = (select s.sealed from secret s where s.name = 'two') where name = 'one'",
    ] {
        let world = World::new().await;
        let vault = own(&world).await;
        keep(&vault, "one", value(VALUE)).await.unwrap();
        keep(&vault, "two", value("another-Value-1")).await.unwrap();
        world.tamper(attack).await;
        let vault = own(&world).await;
        assert!(
            vault.vault_fault().unwrap().contains("was changed in the database"),
            "{attack}: {:?}",
            vault.vault_fault()
        );
        assert!(vault.open("secret://two").is_err(), "{attack}: nothing is handed out");
        let world = world.restart().await;
        own(&world).await;
        let other = told(&world, "another-Value-1").await;
        assert!(!other.contains("another-Value-1") || attack.contains("'two'"), "{attack}: what opens is struck out");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_kept_at_once_are_all_kept_under_one_key() {
    let world = World::new().await;
    let vault = own(&world).await;
    let kept = (0..20).map(|at| {
        let vault = vault.clone();
        tokio::spawn(async move { keep(&vault, &format!("token-{at}"), value(&format!("Value-{at}-of-many"))).await })
    });
    for task in kept.collect::<Vec<_>>() {
        task.await.unwrap().unwrap();
    }
    let world = world.restart().await;
    let vault = own(&world).await;
    assert_eq!((vault.secrets().len(), vault.vault_fault()), (20, None));
    assert_eq!(opened(&vault, "token-7").as_deref(), Some("Value-7-of-many"));
}

#[tokio::test]
async fn a_tool_gets_a_secret_only_where_the_operator_allows_it() {
    let world = World::new().await;
    let vault = own(&world).await;
    let uses = vec![Use { tool: "http_*".to_owned(), target: "*.example.org".to_owned() }];
    keep(&vault, "token", SecretChange { uses: Some(uses), ..value(VALUE) }).await.unwrap();
    keep(&vault, "unused", value("another-Value-1")).await.unwrap();
    let get = |name: &str, tool: &str, target: &str| vault.open_for(&format!("secret://{name}"), tool, target);
    assert_eq!(get("token", "http_fetch", "api.example.org").unwrap().expose(), VALUE);
    for (name, tool, target) in [
        ("token", "http_fetch", "example.org.evil.net"),
        ("token", "http_fetch", "example.org"),
        ("token", "file_write", "api.example.org"),
        ("unused", "http_fetch", "api.example.org"),
        ("none", "http_fetch", "api.example.org"),
        ("to ken", "http_fetch", "api.example.org"),
    ] {
        assert!(get(name, tool, target).is_err(), "{name} for {tool} on {target}");
    }
    assert!(vault.open("env:HOME").is_err());
}

#[tokio::test]
async fn a_vault_that_closes_goes_on_striking_out_and_can_be_emptied() {
    let world = World::new().await;
    let vault = own(&world).await;
    keep(&vault, "token", value(VALUE)).await.unwrap();
    world.tamper("update secret set uses = '[]', note = 'x', version = 9").await;
    vault.load().await;
    assert!(vault.vault_fault().is_some() && opened(&vault, "token").is_none());
    assert!(told(&world, VALUE).await.contains("[secret token]"), "it is struck out as before");
    assert_eq!(vault.secrets().len(), 1, "what is there can be seen");
    assert!(vault.remove_secret(&name("token"), row(EventKind::SecretRemoved, "token")).await.unwrap());
    assert_eq!((vault.vault_fault(), vault.secrets().len()), (None, 0));
    keep(&vault, "token", value("brand-New-1")).await.unwrap();
    assert_eq!(opened(&vault, "token").as_deref(), Some("brand-New-1"));
}

#[tokio::test]
async fn a_lost_key_costs_its_secrets_and_not_the_vault() {
    let world = World::new().await;
    keep(&own(&world).await, "token", value(VALUE)).await.unwrap();
    let world = world.restart().await;
    std::fs::remove_file(world.data.join("keys/vault.key")).unwrap();
    let vault = own(&world).await;
    assert!(vault.vault_fault().is_some());
    assert!(vault.remove_secret(&name("token"), row(EventKind::SecretRemoved, "token")).await.unwrap());
    keep(&vault, "other", value("brand-New-1")).await.unwrap();
    let world = world.restart().await;
    assert_eq!(opened(&own(&world).await, "other").as_deref(), Some("brand-New-1"));
}

#[tokio::test]
async fn a_previous_key_that_is_the_same_or_not_needed_is_no_matter_and_back_to_its_own_works() {
    let world = World::new().await;
    let vault = with(&world, key(KEY), Some(key(KEY))).await;
    keep(&vault, "token", value(VALUE)).await.unwrap();
    let world = world.restart().await;
    let gone = VaultKey::Unreadable("it is not there".to_owned());
    for previous in [key(KEY), gone] {
        let vault = with(&world, key(KEY), Some(previous)).await;
        assert_eq!((vault.vault_fault(), opened(&vault, "token").as_deref()), (None, Some(VALUE)));
    }
    let back = with(&world, VaultKey::Own, Some(key(KEY))).await;
    assert_eq!((back.vault_fault(), opened(&back, "token").as_deref()), (None, Some(VALUE)));
    let world = world.restart().await;
    assert_eq!(opened(&own(&world).await, "token").as_deref(), Some(VALUE));
}
