//! The second factor at the door: an authenticator of our own computes the codes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

mod world;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jarvis_safety::port::Clock as _;
use serde_json::{Value, json};
use sha1::Sha1;
use world::house::{Answer, House, PASSWORD, get, post, send};

const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The code that an app shows for a key, so many steps from now.
fn code(house: &House, secret: &str, steps: i64) -> String {
    let bits: String = secret.chars().map(|one| format!("{:05b}", LETTERS.find(one).unwrap())).collect();
    let key: Vec<u8> =
        bits.as_bytes().chunks(8).map(|eight| u8::from_str_radix(str::from_utf8(eight).unwrap(), 2).unwrap()).collect();
    let mut mac = Hmac::<Sha1>::new_from_slice(&key).unwrap();
    mac.update(&(house.clock.now() / 30_000 + steps).to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let from = usize::from(hash[19] & 15);
    let number = u32::from_be_bytes(hash[from..from + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

async fn sign_in(house: &House, code: Option<&str>) -> Answer {
    let body = json!({ "password": PASSWORD, "code": code, "bearer": true });
    house.ask_locally(post("/api/session", None, &body.to_string())).await
}

async fn turn_on(house: &House, operator: &str, body: &Value) -> Answer {
    house.ask_locally(send("PUT", "/api/second-factor", Some(operator), &body.to_string())).await
}

async fn turn_off(house: &House, operator: &str, password: &str, code: &str) -> Answer {
    let body = json!({ "password": password, "code": code });
    house.ask_locally(post("/api/second-factor/off", Some(operator), &body.to_string())).await
}

/// Turned on: the key and the recovery codes.
async fn on(house: &House, operator: &str) -> (String, Vec<String>) {
    let proposed = house.ask_locally(post("/api/second-factor/proposal", Some(operator), "")).await.body;
    let secret = proposed["secret"].as_str().unwrap().to_owned();
    assert_eq!(secret.len(), 32);
    assert_eq!(proposed["uri"], format!("otpauth://totp/Jarvis:operator@lab?secret={secret}&issuer=Jarvis"));
    let body = json!({ "password": PASSWORD, "secret": secret, "code": code(house, &secret, 0) });
    let answer = turn_on(house, operator, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let codes = answer.body["recovery"].as_array().unwrap().iter();
    (secret, codes.map(|code| code.as_str().unwrap().to_owned()).collect())
}

#[tokio::test]
async fn a_sign_in_takes_the_code_of_the_moment_and_each_code_once() {
    let house = House::new().await;
    let operator = house.session().await;
    assert_eq!(sign_in(&house, None).await.status, 200, "while it is off, the password does");
    let (secret, codes) = on(&house, &operator).await;
    assert_eq!(codes.len(), 8);
    assert_eq!(sign_in(&house, None).await.problem(), (401, "code_required"));
    let now = code(&house, &secret, 0);
    assert_eq!(sign_in(&house, Some(&now)).await.problem(), (401, "unauthenticated"), "it was spent by turning it on");
    house.clock.turn(60_000);
    let next = code(&house, &secret, 0);
    assert_eq!(sign_in(&house, Some(&next)).await.status, 200);
    assert_eq!(sign_in(&house, Some(&next)).await.problem(), (401, "unauthenticated"), "spent once");
    assert_eq!(sign_in(&house, Some(&code(&house, &secret, -1))).await.status, 401, "and none before it");
    house.clock.turn(60_000);
    assert_eq!(sign_in(&house, Some(&code(&house, &secret, 2))).await.status, 401, "two steps ahead is too far");
    assert_eq!(sign_in(&house, Some(&code(&house, &secret, 1))).await.status, 200, "one step ahead is not");
}

#[tokio::test]
async fn a_recovery_code_opens_once_and_the_row_says_so() {
    let house = House::new().await;
    let operator = house.session().await;
    let (_, codes) = on(&house, &operator).await;
    let typed = codes[3].to_uppercase().replace('-', " ");
    assert_eq!(sign_in(&house, Some(&typed)).await.status, 200, "however it is written");
    assert_eq!(sign_in(&house, Some(&codes[3])).await.status, 401);
    let state = house.ask_locally(get("/api/second-factor", Some(&operator))).await.body;
    assert_eq!((&state["on"], &state["recovery_left"]), (&json!(true), &json!(7)));
    let rows = house.ask_locally(get("/api/history?kind=session.opened", Some(&operator))).await;
    assert!(rows.body["events"][0]["summary"].as_str().unwrap().contains("recovery code"), "{}", rows.text);
}

#[tokio::test]
async fn turning_it_on_needs_password_and_code_and_turning_it_off_too() {
    let house = House::new().await;
    let operator = house.session().await;
    let secret =
        house.ask_locally(post("/api/second-factor/proposal", Some(&operator), "")).await.body["secret"].clone();
    let right = code(&house, secret.as_str().unwrap(), 0);
    let wrong = json!({ "password": "wrong wrong wrong", "secret": secret, "code": right });
    assert_eq!(turn_on(&house, &operator, &wrong).await.problem(), (403, "forbidden"));
    let wrong = json!({ "password": PASSWORD, "secret": secret, "code": "000000" });
    assert_eq!(turn_on(&house, &operator, &wrong).await.problem(), (403, "forbidden"));
    let wrong = json!({ "password": PASSWORD, "secret": "JBSWY3DP", "code": right });
    assert_eq!(turn_on(&house, &operator, &wrong).await.problem(), (403, "forbidden"));
    assert_eq!(sign_in(&house, None).await.status, 200, "it is still off");
    house.clock.turn(60_000);
    let (secret, codes) = on(&house, &operator).await;
    let again = json!({ "password": PASSWORD, "secret": secret, "code": code(&house, &secret, 1) });
    assert_eq!(turn_on(&house, &operator, &again).await.problem(), (409, "already_decided"), "it is on");
    house.clock.turn(60_000);
    let now = code(&house, &secret, 0);
    assert_eq!(turn_off(&house, &operator, "wrong wrong wrong", &now).await.status, 403);
    assert_eq!(turn_off(&house, &operator, PASSWORD, "123456").await.status, 403);
    assert_eq!(turn_off(&house, &operator, PASSWORD, &now).await.status, 204);
    assert_eq!(sign_in(&house, None).await.status, 200);
    assert_eq!(turn_off(&house, &operator, PASSWORD, &codes[0]).await.problem(), (404, "not_found"));
}

#[tokio::test]
async fn wrong_codes_count_like_wrong_passwords() {
    let house = House::new().await;
    let operator = house.session().await;
    let (secret, _) = on(&house, &operator).await;
    house.clock.turn(60_000);
    for _ in 0..5 {
        assert_eq!(sign_in(&house, Some("000000")).await.problem(), (401, "unauthenticated"));
    }
    assert_eq!(sign_in(&house, Some(&code(&house, &secret, 0))).await.problem(), (429, "rate_limited"));
}

#[tokio::test]
async fn the_key_is_no_secret_that_anybody_sees_uses_or_takes_away() {
    let house = House::new().await;
    let operator = house.session().await;
    let (secret, codes) = on(&house, &operator).await;
    let listed = house.ask_locally(get("/api/secrets", Some(&operator))).await;
    assert_eq!(listed.body["secrets"], json!([]));
    let place = "/api/secrets/jarvis-second-factor";
    let keep = json!({ "value": "another value", "uses": [] }).to_string();
    assert_eq!(house.ask_locally(send("PUT", place, Some(&operator), &keep)).await.status.as_u16() / 100, 4);
    assert_eq!(house.ask_locally(send("DELETE", place, Some(&operator), "")).await.status.as_u16() / 100, 4);
    house.clock.turn(60_000);
    assert_eq!(sign_in(&house, Some(&code(&house, &secret, 0))).await.status, 200, "it stands as it was");
    let rows = house.ask_locally(get("/api/history?limit=200", Some(&operator))).await.text;
    assert!(!rows.contains(&secret) && codes.iter().all(|code| !rows.contains(code)));
}

#[tokio::test]
async fn a_reset_on_the_host_takes_it_away() {
    let house = House::new().await;
    let operator = house.session().await;
    on(&house, &operator).await;
    let setup = house.kept.store.reset_operator().await.unwrap();
    let body = json!({ "code": setup, "password": PASSWORD });
    assert_eq!(house.ask_locally(post("/api/setup", None, &body.to_string())).await.status, 200);
    assert_eq!(sign_in(&house, None).await.status, 200);
    let operator = house.session().await;
    on(&house, &operator).await;
}
