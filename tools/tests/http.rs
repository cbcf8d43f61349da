//! `http_fetch`, through the gate, against a server on the loopback that answers whatever a test wants.
//!
//! The guard here admits 127.0.0.1 and nothing else, so that 127.0.0.2 and every other address play the part of the home
//! network. The guard of the product is `is_public`, tested beside it.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod support;

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use async_trait::async_trait;
use jarvis_safety::kernel::Registry;
use jarvis_safety::outcome::{Answer, Outcome};
use jarvis_safety::refusal::Code;
use jarvis_safety::setting::Settings;
use jarvis_safety::{Actor, Tier};
use jarvis_tools::http::{Guard, HttpOptions, Names, PublicOnly, SystemNames, register, register_within};
use serde_json::json;
use support::{House, failed, ran, refused, waiting};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

struct OnlyTestServer;

impl Guard for OnlyTestServer {
    fn admits(&self, address: IpAddr) -> bool {
        address == IpAddr::from([127, 0, 0, 1])
    }
}

/// Answers each look-up of a name with the next of the given answers; the last one stays.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

#[async_trait]
impl Names for Script {
    async fn look_up(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if host == "localhost" {
            return Ok(vec![[127, 0, 0, 2].into(), "::1".parse().unwrap()]);
        }
        let mut answers = self.answers.lock().unwrap();
        let next = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        next.ok_or_else(|| io::Error::other("no such name"))
    }
}

type Reply = Arc<dyn Fn(&str) -> Vec<u8> + Send + Sync>;

/// A server and a gate that may reach it.
struct World {
    gate: House,
    port: u16,
    names: Arc<Script>,
    /// First lines and headers of all requests.
    requests: Arc<Mutex<Vec<String>>>,
}

async fn serve(mut stream: TcpStream, reply: Reply, requests: Arc<Mutex<Vec<String>>>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    requests.lock().unwrap().push(head.clone());
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    stream.write_all(&reply(&path)).await?;
    if path == "/endless" {
        // Held open until the client has had enough.
        stream.read_u8().await?;
    }
    stream.shutdown().await
}

fn provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

async fn world(reply: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static, hosts: &[&str]) -> World {
    provider();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (reply, seen): (Reply, _) = (Arc::new(reply), Arc::clone(&requests));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&reply), Arc::clone(&seen)));
        }
    });
    let names = Arc::new(Script::default());
    names.answers.lock().unwrap().push_back(vec![[127, 0, 0, 1].into()]);
    let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    let settings = watch::channel(Settings { hosts, ..Settings::default() }).1;
    let options = HttpOptions { patience: Duration::from_millis(1500), ..HttpOptions::new(settings) };
    let builder = register_within(Registry::builder(), options, Arc::new(OnlyTestServer), names.clone());
    World { gate: support::gate(builder).await, port, names, requests }
}

impl World {
    fn link(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    async fn fetch(&self, url: &str) -> Answer {
        support::call(&self.gate, &Actor::operator(), "http_fetch", json!({ "url": url })).await
    }

    async fn fetch_said(&self, url: &str, words: &str) -> Answer {
        let mut request = support::request(&Actor::operator(), "http_fetch", json!({ "url": url }));
        request.origin.words = Some(words.to_owned());
        self.gate.call(request).await
    }

    async fn page(&self, path: &str) -> Outcome {
        ran(self.fetch(&self.link(path)).await)
    }

    fn asked(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").as_bytes(), body].concat()
}

fn html(body: &str) -> Vec<u8> {
    answer("200 OK\r\nContent-Type: text/html; charset=utf-8", body.as_bytes())
}

fn redirect(to: &str) -> Vec<u8> {
    answer(&format!("302 Found\r\nLocation: {to}"), b"")
}

const LISTED: &[&str] = &["127.0.0.1"];

#[tokio::test]
async fn a_page_of_a_listed_host_is_read_at_once_and_is_untrusted() {
    let world = world(|_| html("<title>News</title><p>Rain &amp; sun<script>x</script>"), LISTED).await;
    let page = world.page("/today#part").await;
    assert_eq!((page.tier, page.untrusted, page.target.kind.as_str()), (Tier::Green, true, "listed-host"));
    assert_eq!(page.target.name, "127.0.0.1");
    assert_eq!(page.output["title"], "News");
    assert_eq!(page.output["text"], "Rain & sun");
    assert_eq!(page.words, format!("News ({})\nRain & sun", world.link("/today")));
    let request = world.requests.lock().unwrap()[0].to_lowercase();
    assert!(request.starts_with("get /today http/1.1\r\n"));
    for private in ["cookie", "referer", "authorization", "x-forwarded"] {
        assert!(!request.contains(private), "{request}");
    }
}

#[tokio::test]
async fn a_link_is_green_only_if_the_person_wrote_it_or_the_operator_listed_its_host() {
    let world = world(|_| html("hello"), &["example.org", "*.wiki.test"]).await;
    let link = world.link("/a?q=1");
    let card = waiting(world.fetch(&link).await);
    assert_eq!((card.tier, world.asked()), (Tier::Orange, 0), "nothing is sent before the approval");
    let near = [format!("read {link}/b"), format!("read {link}2"), "read the page".to_owned(), String::new()];
    for words in near {
        assert!(matches!(world.fetch_said(&link, &words).await, Answer::Waiting(_)), "{words}");
    }
    let said = ran(world.fetch_said(&link, &format!("please read {link}, now")).await);
    assert_eq!((said.tier, said.target.kind.as_str()), (Tier::Green, "asked-url"));
    let approved = support::approve(&world.gate, Answer::Waiting(Box::new(card))).await;
    assert_eq!(ran(approved).output["text"], "hello");

    let port = world.port;
    let listed = ran(world.fetch(&format!("http://en.wiki.test:{port}/")).await);
    assert_eq!(listed.target.kind, "listed-host");
    for other in ["wiki.test", "example.org.evil.test", "notexample.org"] {
        assert!(matches!(world.fetch(&format!("http://{other}:{port}/")).await, Answer::Waiting(_)), "{other}");
    }
}

#[tokio::test]
async fn redirects_stay_on_the_site_or_on_listed_hosts_and_end() {
    let reply = |path: &str| match path {
        "/one" => redirect("/two"),
        "/two" => redirect("three?x=1#y"),
        "/three?x=1" => html("arrived"),
        "/away" => redirect("http://elsewhere.test/leak?secret=1"),
        "/listed" => redirect("http://friend.test/x"),
        "/loop" => redirect("/loop"),
        "/nowhere" => redirect("http://["),
        "/file" => redirect("file:///etc/passwd"),
        "/user" => redirect("http://user:word@127.0.0.1/"),
        "/port" => redirect("http://127.0.0.1:22/"),
        _ => answer("404 Not Found\r\nContent-Type: text/plain", b"no such page"),
    };
    let world = world(reply, &["127.0.0.1", "friend.test"]).await;
    let page = world.page("/one").await;
    assert_eq!((&page.output["text"], &page.output["url"]), (&json!("arrived"), &json!(world.link("/three?x=1"))));
    let away = world.page("/away").await;
    assert_eq!(away.output["points_to"], "http://elsewhere.test/leak?secret=1");
    assert_eq!((away.output["status"].as_u64(), &away.output["text"]), (Some(302), &json!("")));
    assert!(away.words.contains("I did not follow it"), "{}", away.words);
    let before = world.asked();
    let looped = failed(world.fetch(&world.link("/loop")).await);
    assert!(looped.words.contains("more than 5 times"), "{}", looped.words);
    assert_eq!(world.asked() - before, 6);
    for (path, words) in [
        ("/nowhere", "no link"),
        ("/file", "neither http nor https"),
        ("/user", "user name or password"),
        ("/port", "port of another service"),
    ] {
        let outcome = failed(world.fetch(&world.link(path)).await);
        assert!(outcome.words.contains(words), "{path}: {}", outcome.words);
    }
    let missing = world.page("/none").await;
    assert!(missing.words.contains("status 404") && missing.words.contains("no such page"));
    // A listed friend is followed: it has a name, and port 80 of the test server's address has nobody.
    let friend = failed(world.fetch(&world.link("/listed")).await);
    assert!(friend.words.contains("`friend.test` cannot be reached"), "{}", friend.words);
    assert_eq!(world.names.asked.load(Ordering::SeqCst), 1);
}

/// Even where the operator listed the host, nothing at home is reached: neither by a literal, nor by a name.
#[tokio::test]
async fn a_redirect_into_the_home_network_is_refused_where_the_connection_is_made() {
    let trap = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let port = trap.local_addr().unwrap().port();
    let reply = move |path: &str| match path {
        "/name" => redirect(&format!("http://localhost:{port}/")),
        "/literal" => redirect(&format!("http://127.0.0.2:{port}/")),
        "/decimal" => redirect(&format!("http://2130706434:{port}/")),
        "/hex" => redirect(&format!("http://0x7f000002:{port}/")),
        "/octal" => redirect(&format!("http://0177.0.0.2:{port}/")),
        "/six" => redirect(&format!("http://[::1]:{port}/")),
        "/mapped" => redirect(&format!("http://[::ffff:127.0.0.2]:{port}/")),
        "/slashes" => redirect(&format!("//127.0.0.2:{port}/")),
        "/metadata" => redirect("http://169.254.169.254/latest/meta-data/"),
        _ => redirect("http://10.0.0.1/"),
    };
    let hosts = ["127.0.0.1", "localhost", "127.0.0.2", "169.254.169.254", "10.0.0.1", "[::1]"];
    let world = world(reply, &hosts).await;
    let paths = ["/name", "/literal", "/decimal", "/hex", "/octal", "/six", "/mapped", "/slashes", "/metadata", "/ten"];
    for path in paths {
        let outcome = failed(world.fetch(&world.link(path)).await);
        assert!(outcome.words.contains("not on the public internet"), "{path}: {}", outcome.words);
    }
    for link in [format!("http://127.0.0.2:{port}/"), format!("http://[::1]:{port}/"), "http://10.0.0.1/".to_owned()] {
        assert_eq!(refused(world.fetch(&link).await).code, Code::Forbidden, "{link}");
    }
    let named = failed(world.fetch(&format!("http://localhost:{port}/")).await);
    assert!(named.words.contains("`localhost` is not on the public internet"), "{}", named.words);
    let nobody = std::future::poll_fn(|cx| std::task::Poll::Ready(trap.poll_accept(cx).is_pending())).await;
    assert!(nobody, "somebody knocked at home");
}

#[tokio::test]
async fn a_name_that_changes_its_address_is_judged_by_the_one_it_connects_to() {
    let reply = |path: &str| if path == "/first" { redirect("/second") } else { html("inside") };
    let world = world(reply, &["rebind.test"]).await;
    let link = format!("http://rebind.test:{}/first", world.port);
    let home: IpAddr = [127, 0, 0, 2].into();
    let public: IpAddr = [127, 0, 0, 1].into();
    let script = |answers: &[&[IpAddr]]| {
        *world.names.answers.lock().unwrap() = answers.iter().map(|answer| answer.to_vec()).collect();
        world.names.asked.store(0, Ordering::SeqCst);
    };
    // Public for the first request, home for the second.
    script(&[&[public], &[home]]);
    let outcome = failed(world.fetch(&link).await);
    assert!(outcome.words.contains("`rebind.test` is not on the public internet"), "{}", outcome.words);
    assert_eq!((world.asked(), world.names.asked.load(Ordering::SeqCst)), (1, 2), "one look-up for each connection");
    // Both at once: only the public one is tried.
    script(&[&[home, "::1".parse().unwrap(), public]]);
    let outcome = ran(world.fetch(&link).await);
    assert_eq!(outcome.output["text"], "inside");
    script(&[&[home]]);
    failed(world.fetch(&link).await);
    script(&[]);
    let unknown = failed(world.fetch(&link).await);
    assert!(unknown.words.contains("`rebind.test` cannot be reached"), "{}", unknown.words);
}

#[tokio::test]
async fn a_body_is_bounded_in_bytes_and_in_time() {
    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }
    let bomb = gzip(&vec![b'a'; 64 << 20]);
    let small = gzip(b"small and packed");
    let torn = small[..small.len() - 5].to_vec();
    let reply = move |path: &str| {
        let packed = "200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip";
        match path {
            "/big" => answer("200 OK\r\nContent-Type: text/plain", &vec![b'b'; 3 << 20]),
            "/bomb" => answer(packed, &bomb),
            "/small" => answer(packed, &small),
            "/torn" => answer(packed, &torn),
            "/brotli" => answer("200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: br", b"x"),
            "/endless" => answer("200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100", b"only this"),
            _ => answer("200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100", b"short"),
        }
    };
    let world = world(reply, LISTED).await;
    for path in ["/big", "/bomb"] {
        let page = world.page(path).await;
        assert_eq!(page.output["cut"], true, "{path}");
        assert_eq!(page.output["text"].as_str().unwrap().len(), 100_000, "{path}");
        assert!(page.words.ends_with("(the page is longer)"), "{}", page.words);
    }
    assert_eq!(world.page("/small").await.output["text"], "small and packed");
    for (path, words) in
        [("/torn", "damaged"), ("/brotli", "`br`"), ("/endless", "took longer than 1.5s"), ("/short", "broke off")]
    {
        let outcome = failed(world.fetch(&world.link(path)).await);
        assert!(outcome.words.contains(words), "{path}: {}", outcome.words);
    }
}

#[tokio::test]
async fn what_is_no_text_is_named_and_not_read() {
    let reply = |path: &str| match path {
        "/png" => answer("200 OK\r\nContent-Type: image/png\r\nContent-Length: 4", b"\x89PNG"),
        "/unnamed" => answer("200 OK", b"\x00\x01\x02"),
        "/plain" => answer("200 OK", b"just text"),
        "/json" => answer("200 OK\r\nContent-Type: application/json", br#"{"a":1}"#),
        "/kana" => answer("200 OK\r\nContent-Type: text/plain; charset=shift_jis", b"\x83\x65"),
        _ => answer("200 OK\r\nContent-Type: text/html", "<p>a\u{202e}b\u{1b}[31m".as_bytes()),
    };
    let world = world(reply, LISTED).await;
    for (path, words) in [("/png", "`image/png`, 4 bytes"), ("/unnamed", "no text"), ("/kana", "`shift_jis`")] {
        let outcome = failed(world.fetch(&world.link(path)).await);
        assert!(outcome.words.contains(words), "{path}: {}", outcome.words);
    }
    assert_eq!(world.page("/plain").await.output["text"], "just text");
    assert_eq!(world.page("/json").await.output["text"], r#"{"a":1}"#);
    assert!(world.page("/evil").await.words.ends_with("a\\u{202e}b[31m"));
}

/// The product's own guard and resolver, on the loopback and on what this machine's names lead to.
#[tokio::test]
async fn the_product_reaches_nothing_at_home() {
    provider();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let settings = watch::channel(Settings { hosts, ..Settings::default() }).1;
    let gate = support::gate(register(Registry::builder(), HttpOptions::new(settings))).await;
    let fetch = async |url: String| support::call(&gate, &Actor::operator(), "http_fetch", json!({ "url": url })).await;
    assert_eq!(refused(fetch(format!("http://127.0.0.1:{port}/")).await).code, Code::Forbidden);
    let named = failed(fetch(format!("http://localhost:{port}/")).await);
    assert!(named.words.contains("`localhost` is not on the public internet"), "{}", named.words);
    let nobody = std::future::poll_fn(|cx| std::task::Poll::Ready(listener.poll_accept(cx).is_pending())).await;
    assert!(nobody);
    let found = SystemNames.look_up("localhost").await.unwrap();
    assert!(!found.is_empty() && found.into_iter().all(|address| !PublicOnly.admits(address)));
    let tool = gate.registry().describe("http_fetch").unwrap();
    assert!(tool.spec.examples.len() >= 4 && tool.spec.effects.network);
}

#[tokio::test]
async fn a_secret_goes_to_the_site_that_it_is_allowed_for_and_nowhere_else() {
    let reply = |path: &str| match path {
        "/moved" => redirect("/here"),
        path if path.starts_with("/away-") => redirect(&format!("http://en.wiki.test:{}/", &path[6..])),
        _ => html("you sent gho_Token-0123456789"),
    };
    let world = world(reply, &["127.0.0.1", "*.wiki.test"]).await;
    world.gate.keep_secret("token", "gho_Token-0123456789", "http_fetch", "127.0.0.1").await;
    world.gate.keep_secret("other", "gho_Other-0123456789", "http_fetch", "api.github.com").await;
    let fetch = async |path: &str, bearer: &str| {
        let args = json!({ "url": world.link(path), "bearer": bearer });
        support::call(&world.gate, &Actor::operator(), "http_fetch", args).await
    };
    let page = ran(fetch("/moved", "secret://token").await);
    assert_eq!(page.output["text"], "you sent [secret token]");
    let sent = world.requests.lock().unwrap().clone();
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|head| head.contains("authorization: Bearer gho_Token-0123456789")), "{sent:?}");
    ran(fetch(&format!("/away-{}", world.port), "secret://token").await);
    let sent = world.requests.lock().unwrap().clone();
    assert!(sent[2].contains("gho_Token") && sent[3..].iter().all(|head| !head.contains("authorization")), "{sent:?}");
    let asked = world.asked();
    for (bearer, why) in [
        ("secret://other", "may not have"),
        ("secret://none", "there is no secret"),
        ("gho_pasted", "a reference"),
        ("env:HOME", "a reference"),
    ] {
        let said = match fetch("/here", bearer).await {
            Answer::Ran(outcome) => outcome.error.unwrap().message,
            Answer::Refused(refusal) => refusal.message,
            Answer::Waiting(card) => panic!("{card:?}"),
        };
        assert!(said.contains(why), "{bearer}: {said}");
    }
    let plain = json!({ "url": "http://en.wiki.test/", "bearer": "secret://token" });
    let refusal = refused(support::call(&world.gate, &Actor::operator(), "http_fetch", plain).await);
    assert!(refusal.message.contains("https only"), "{refusal:?}");
    assert_eq!(world.asked(), asked, "nothing of it was sent");
}
