//! Password, sessions and tokens.

use jarvis_safety::event::EventKind;
use jarvis_safety::id::TokenId;
use jarvis_safety::identity::{TokenGrant, Whence};
use jarvis_safety::port::{Feed as _, Identities as _, StoreError};
use jarvis_safety::{Actor, ActorId, Reach, Role, Tier};
use sqlx::Row as _;

use crate::world::{World, row};

fn grant(name: &str) -> TokenGrant {
    TokenGrant::client(name, Tier::Orange)
}

async fn set_password(world: &World, password: &str) {
    world.store.set_password(password, row(EventKind::OperatorSet, "operator")).await.unwrap();
}

async fn create(world: &World, name: &str) -> (TokenId, String) {
    let id = TokenId::new(world.id());
    let draft = row(EventKind::TokenCreated, id.as_str());
    let (token, secret) = world.store.create_token(id.clone(), grant(name), draft).await.unwrap();
    assert_eq!((&token.id, token.grant), (&id, grant(name)));
    (id, secret)
}

#[tokio::test]
async fn the_setup_code_stays_until_the_password_is_set() {
    let world = World::new().await;
    assert!(!world.store.operator_exists().await.unwrap());
    let code = world.store.setup_code().await.unwrap().unwrap();
    assert_eq!(code.len(), 26);
    let world = world.restart().await;
    assert_eq!(world.store.setup_code().await.unwrap(), Some(code.clone()));
    assert!(world.store.check_setup_code(&code) && world.store.check_setup_code(&format!(" {code}\n")));
    assert!(!world.store.check_setup_code("") && !world.store.check_setup_code(&code[1..]));
    set_password(&world, "correct horse").await;
    assert!(world.store.operator_exists().await.unwrap());
    assert_eq!(world.store.setup_code().await.unwrap(), None);
    assert!(!world.store.check_setup_code(&code));
    assert!(!world.data.join("keys/setup.code").exists());
    let world = world.restart().await;
    assert!(world.store.operator_exists().await.unwrap());
    assert_eq!(world.store.setup_code().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_hold_the_one_time_code_one_sets_the_password() {
    let world = World::new().await;
    let code = world.store.setup_code().await.unwrap().unwrap();
    let set = |password: &'static str| {
        let (store, code) = (world.store.clone(), code.clone());
        tokio::spawn(async move {
            store.set_first_password(&code, password, row(EventKind::OperatorSet, "operator")).await.unwrap()
        })
    };
    let (a, b) = (set("first one"), set("second one"));
    let (a, b) = (a.await.unwrap(), b.await.unwrap());
    assert!(a ^ b);
    assert_eq!(world.store.check_password("first one").await.unwrap(), a);
    assert_eq!(world.store.check_password("second one").await.unwrap(), b);
    assert_eq!(world.store.head(), 1);
    let draft = row(EventKind::OperatorSet, "operator");
    assert!(!world.store.set_first_password(&code, "third", draft).await.unwrap());
}

#[tokio::test]
async fn only_the_password_is_the_password_and_it_is_not_kept() {
    let world = World::new().await;
    assert!(!world.store.check_password("").await.unwrap());
    set_password(&world, "correct horse").await;
    assert!(world.store.check_password("correct horse").await.unwrap());
    for wrong in ["", "Correct horse", "correct horse ", &"x".repeat(5000)] {
        assert!(!world.store.check_password(wrong).await.unwrap());
    }
    let mut connection = world.burglar().await;
    let kept: String = sqlx::query("select password from operator").fetch_one(&mut connection).await.unwrap().get(0);
    assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
    let draft = || row(EventKind::OperatorSet, "operator");
    for bad in ["", &"x".repeat(5000)] {
        assert!(matches!(world.store.set_password(bad, draft()).await, Err(StoreError::Conflict(_))));
    }
    assert!(world.store.check_password("correct horse").await.unwrap());
}

#[tokio::test]
async fn setting_the_password_ends_all_sessions() {
    let world = World::new().await;
    set_password(&world, "one").await;
    let (session, secret) =
        world.store.open_session(Whence::default(), row(EventKind::SessionOpened, "")).await.unwrap();
    let mut ended = world.store.ended();
    set_password(&world, "two").await;
    assert_eq!(ended.recv().await.unwrap(), session.id.as_str());
    assert_eq!(world.store.session(&secret).await.unwrap(), None);
    let world = world.restart().await;
    assert_eq!(world.store.session(&secret).await.unwrap(), None);
}

#[tokio::test]
async fn a_session_lasts_a_day_over_restarts_and_its_secret_is_not_kept() {
    let world = World::new().await;
    let (session, secret) =
        world.store.open_session(Whence::default(), row(EventKind::SessionOpened, "")).await.unwrap();
    let (event, _) = world.store.event(1).await.unwrap().unwrap();
    assert_eq!(event.subject, session.id.as_str());
    let world = world.restart().await;
    assert_eq!(world.store.session(&secret).await.unwrap(), Some(session.clone()));
    assert_eq!(world.store.session("guess").await.unwrap(), None);
    let mut connection = world.burglar().await;
    let kept: String = sqlx::query("select secret from session").fetch_one(&mut connection).await.unwrap().get(0);
    assert!(!kept.contains(&secret) && kept.len() == 64);
    world.clock.turn(24 * 60 * 60 * 1000 - 1);
    assert!(world.store.session(&secret).await.unwrap().is_some());
    world.clock.turn(1);
    assert_eq!(world.store.session(&secret).await.unwrap(), None);
    assert_eq!(session.expires_at - session.created_at, 24 * 60 * 60 * 1000);
}

#[tokio::test]
async fn a_closed_session_is_over_at_once_and_is_told_once() {
    let world = World::new().await;
    let (session, secret) =
        world.store.open_session(Whence::default(), row(EventKind::SessionOpened, "")).await.unwrap();
    let (other, kept) = world.store.open_session(Whence::default(), row(EventKind::SessionOpened, "")).await.unwrap();
    let mut ended = world.store.ended();
    for _ in 0..2 {
        let draft = row(EventKind::SessionClosed, session.id.as_str());
        world.store.close_session(&session.id, draft).await.unwrap();
    }
    assert_eq!(ended.recv().await.unwrap(), session.id.as_str());
    assert!(ended.try_recv().is_err());
    assert_eq!(world.store.session(&secret).await.unwrap(), None);
    assert_eq!(world.store.session(&kept).await.unwrap(), Some(other));
    assert_eq!(world.store.head(), 3);
}

#[tokio::test]
async fn an_expired_session_is_told_to_its_streams() {
    let world = World::new().await;
    let (session, secret) =
        world.store.open_session(Whence::default(), row(EventKind::SessionOpened, "")).await.unwrap();
    let mut ended = world.store.ended();
    world.clock.turn(25 * 60 * 60 * 1000);
    assert_eq!(world.store.session(&secret).await.unwrap(), None);
    assert_eq!(ended.recv().await.unwrap(), session.id.as_str());
}

#[tokio::test]
async fn a_token_is_found_by_its_secret_over_restarts_and_the_secret_is_not_kept() {
    let world = World::new().await;
    let (id, secret) = create(&world, "ide").await;
    assert!(secret.starts_with("jrv_") && secret.len() == 4 + 43);
    let world = world.restart().await;
    assert_eq!(world.store.token(&secret).await.unwrap().map(|token| token.id), Some(id));
    for wrong in ["", "jrv_", &secret[4..], &secret[..46], &format!("{secret}x")] {
        assert_eq!(world.store.token(wrong).await.unwrap(), None);
    }
    let mut connection = world.burglar().await;
    let kept: String = sqlx::query("select secret from token").fetch_one(&mut connection).await.unwrap().get(0);
    assert!(!kept.contains(&secret[4..]) && kept.len() == 64);
}

#[tokio::test]
async fn a_revoked_token_is_nobody_at_once_and_is_told_once() {
    let world = World::new().await;
    let (id, secret) = create(&world, "ide").await;
    let actor = ActorId::new(format!("token:{id}"));
    assert_eq!(world.store.standing(&actor).await.unwrap().unwrap().ceiling, Tier::Orange);
    let mut ended = world.store.ended();
    let revoke = || world.store.revoke_token(&id, row(EventKind::TokenRevoked, id.as_str()));
    assert!(revoke().await.unwrap());
    assert_eq!(ended.recv().await.unwrap(), id.as_str());
    assert!(!revoke().await.unwrap());
    assert_eq!(world.store.token(&secret).await.unwrap(), None);
    assert_eq!(world.store.standing(&actor).await.unwrap(), None);
    assert_eq!(world.store.head(), 2);
    let world = world.restart().await;
    assert_eq!(world.store.token(&secret).await.unwrap(), None);
    assert_eq!(world.store.standing(&actor).await.unwrap(), None);
    assert!(world.store.tokens().await.unwrap()[0].revoked_at.is_some());
    let nobody = TokenId::new(99);
    assert!(!world.store.revoke_token(&nobody, row(EventKind::TokenRevoked, "x")).await.unwrap());
}

#[tokio::test]
async fn tokens_are_listed_newest_first_and_an_id_is_given_once() {
    let world = World::new().await;
    let (first, _) = create(&world, "first").await;
    world.clock.turn(5);
    create(&world, "second").await;
    let names: Vec<_> = world.store.tokens().await.unwrap().into_iter().map(|token| token.grant.name).collect();
    assert_eq!(names, ["second", "first"]);
    let again = world.store.create_token(first, grant("x"), row(EventKind::TokenCreated, "x")).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))));
}

#[tokio::test]
async fn the_use_of_a_token_is_noted_to_the_minute_without_a_row() {
    let world = World::new().await;
    let (_, secret) = create(&world, "ide").await;
    assert_eq!(world.store.tokens().await.unwrap()[0].used_at, None);
    let used = || async {
        world.store.token(&secret).await.unwrap();
        world.store.tokens().await.unwrap()[0].used_at
    };
    let start = crate::world::START;
    assert_eq!(used().await, Some(start));
    world.clock.turn(59_999);
    assert_eq!(used().await, Some(start));
    world.clock.turn(1);
    assert_eq!(used().await, Some(start + 60_000));
    assert_eq!(world.store.head(), 1);
    let world = world.restart().await;
    assert_eq!(world.store.tokens().await.unwrap()[0].used_at, Some(start + 60_000));
}

#[tokio::test]
async fn fixed_actors_stand_as_they_are_and_strangers_do_not() {
    let world = World::new().await;
    for actor in [Actor::operator(), Actor::local(), Actor::mcp_stdio(), Actor::system()] {
        assert_eq!(world.store.standing(&actor.id).await.unwrap(), Some(actor));
    }
    for stranger in ["", "root", "token:", "token:tok_0", "tok_0"] {
        assert_eq!(world.store.standing(&ActorId::new(stranger)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_reset_ends_everything_and_gives_a_new_code() {
    let world = World::new().await;
    let first = world.store.setup_code().await.unwrap().unwrap();
    set_password(&world, "one").await;
    let (_, secret) = world.store.open_session(Whence::default(), row(EventKind::SessionOpened, "")).await.unwrap();
    let code = world.store.reset_operator().await.unwrap();
    assert_ne!(code, first);
    assert!(world.store.check_setup_code(&code) && !world.store.check_setup_code(&first));
    assert!(!world.store.operator_exists().await.unwrap());
    assert!(!world.store.check_password("one").await.unwrap());
    assert_eq!(world.store.session(&secret).await.unwrap(), None);
    let (event, _) = world.store.event(3).await.unwrap().unwrap();
    assert_eq!(event.kind, EventKind::OperatorSet);
    let world = world.restart().await;
    assert_eq!(world.store.setup_code().await.unwrap(), Some(code));
}

#[tokio::test]
async fn a_token_keeps_its_terms_over_a_restart_and_ends_with_its_time() {
    let world = World::new().await;
    let terms = TokenGrant {
        role: Role::Guest,
        reach: Reach::new(vec!["web*".to_owned(), "id-1".to_owned()]).unwrap(),
        expires_at: Some(crate::world::START + 5_000),
        per_minute: Some(2),
        ..grant("friend")
    };
    let made = world.store.create_token(TokenId::new(5), terms.clone(), row(EventKind::TokenCreated, "t")).await;
    let (token, secret) = made.unwrap();
    let world = world.restart().await;
    let found = world.store.token(&secret).await.unwrap().unwrap();
    assert_eq!(found.grant, terms);
    let actor = world.store.standing(&token.actor().id).await.unwrap().unwrap();
    assert_eq!((actor.ceiling, actor.reach), (Tier::Green, terms.reach), "a guest is green whatever its token says");
    for wait in [None, None, Some(30_000)] {
        assert_eq!(world.store.pace(&token.id).await.unwrap(), wait);
    }
    world.clock.turn(5_000);
    assert_eq!(world.store.token(&secret).await.unwrap(), None);
    assert_eq!(world.store.standing(&token.actor().id).await.unwrap(), None);
    assert_eq!(world.store.tokens().await.unwrap().len(), 1, "it stays in the list");
}

#[tokio::test]
async fn a_session_keeps_where_it_was_opened_and_when_it_was_used_over_a_restart() {
    let world = World::new().await;
    let whence = Whence { face: "dashboard".to_owned(), place: "192.0.2.7".to_owned() };
    let opened =
        async |whence: Whence| world.store.open_session(whence, row(EventKind::SessionOpened, "")).await.unwrap();
    let (first, secret) = opened(whence.clone()).await;
    world.clock.turn(60_000);
    let (second, other) = opened(Whence::default()).await;
    assert_eq!(world.store.session(&secret).await.unwrap().unwrap().used_at, first.created_at + 60_000);
    let closed = row(EventKind::SessionClosed, "sessions");
    let world = world.restart().await;
    let listed = world.store.sessions().await.unwrap();
    assert_eq!(listed.iter().map(|session| &session.id).collect::<Vec<_>>(), [&second.id, &first.id], "newest first");
    assert_eq!((&listed[1].whence, listed[1].used_at), (&whence, first.created_at + 60_000));
    let mut ended = world.store.ended();
    assert_eq!(world.store.close_others(&first.id, closed).await.unwrap(), 1);
    assert_eq!(ended.recv().await.unwrap(), second.id.to_string());
    assert_eq!(world.store.session(&other).await.unwrap(), None);
    assert_eq!(world.store.sessions().await.unwrap().len(), 1);
}
