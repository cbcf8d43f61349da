//! Sabotages: what a broken server would do, done between the server and us, or behind its back.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::ensure;
use clap::ValueEnum;
use sqlx::Executor as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::raw::Line;
use super::request::{Deed, Request, Step};
use super::world::{World, mark};
use crate::book::Book;
use crate::server::House;

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sabotage {
    /// Refusals become faults of the server's own.
    ServerError,
    /// Names, pages and secrets of strangers become good ones.
    OpenDoor,
    /// Refusals become pages.
    PageRefusal,
    /// An answer is swallowed.
    Swallowed,
    /// The server is made to hold what never ends.
    Growth,
    /// A file appears that nobody asked for.
    StrayFile,
    /// The log tells of a panic.
    ToldPanic,
    /// The log has a line that somebody else wrote.
    ForgedLine,
    /// A row of the audit is written over.
    ForgedRow,
}

/// One answer in so many is changed, and one request.
const ANSWERS: u64 = 40;
const REQUESTS: u64 = 3;
/// Requests whose bodies never end, and bytes of each that come.
const UNFINISHED: u64 = 300;
const PART: usize = 1_900_000;

/// Somebody between the server and us.
pub(crate) struct Relay {
    pub(crate) at: SocketAddr,
    _running: JoinSet<()>,
}

/// What he makes of the bytes that come by; of none, nothing comes by any more.
pub(crate) trait Between: Send + Sync + 'static {
    fn request(&self, bytes: &[u8]) -> Option<Vec<u8>>;
    fn answer(&self, bytes: &[u8]) -> Option<Vec<u8>>;
}

/// A saboteur, and what he knows.
pub(super) struct Saboteur {
    sabotage: Sabotage,
    host: String,
    operator: String,
    seen: AtomicU64,
}

impl Relay {
    /// Begins to stand before the program at an address.
    pub(crate) async fn start(to: SocketAddr, between: impl Between) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let at = listener.local_addr()?;
        let between = Arc::new(between);
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(to).await else { continue };
                // What is passed on at once must not wait for more.
                let _ = (near.set_nodelay(true), far.set_nodelay(true));
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                let (up, down) = (Arc::clone(&between), Arc::clone(&between));
                connections.spawn(async move { pass(near_in, far_out, |bytes| up.request(bytes)).await });
                connections.spawn(async move { pass(far_in, near_out, |bytes| down.answer(bytes)).await });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { at, _running: running })
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, change: impl Fn(&[u8]) -> Option<Vec<u8>> + Send) {
    let mut buffer = vec![0; 128 << 10];
    while let Ok(read) = from.read(&mut buffer).await {
        if read == 0 {
            break;
        }
        let Some(bytes) = change(&buffer[..read]) else {
            std::future::pending::<()>().await;
            return;
        };
        if to.write_all(&bytes).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

impl Saboteur {
    /// Of a program that is called so and obeys who has this secret.
    pub(super) fn new(sabotage: Sabotage, host: &str, operator: &str) -> Self {
        Self { sabotage, host: host.to_owned(), operator: operator.to_owned(), seen: AtomicU64::new(0) }
    }
}

impl Between for Saboteur {
    /// A request as it goes on.
    fn request(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let head = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let (Some(end), Sabotage::OpenDoor) = (head, self.sabotage) else { return Some(bytes.to_vec()) };
        if !self.seen.fetch_add(1, Ordering::Relaxed).is_multiple_of(REQUESTS) {
            return Some(bytes.to_vec());
        }
        let shut = ["host:", "origin:", "authorization:", "cookie:", "sec-fetch-", "x-forwarded", "forwarded"];
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let kept =
            head.split("\r\n").filter(|line| !shut.iter().any(|name| line.to_ascii_lowercase().starts_with(name)));
        let mut changed = kept.collect::<Vec<_>>().join("\r\n").into_bytes();
        let own = format!("\r\nhost: {}\r\nauthorization: Bearer {}", self.host, self.operator);
        changed.extend(own.bytes());
        changed.extend(&bytes[end..]);
        Some(changed)
    }

    /// An answer as it goes on; none is swallowed.
    fn answer(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let turn = |every: u64| self.seen.fetch_add(1, Ordering::Relaxed) % every == every - 1;
        let text = || String::from_utf8_lossy(bytes);
        match self.sabotage {
            Sabotage::ServerError if bytes.starts_with(b"HTTP/1.1 4") && turn(ANSWERS) => {
                Some([b"HTTP/1.1 500", &bytes[12..]].concat())
            }
            Sabotage::PageRefusal if bytes.starts_with(b"HTTP/1.1 4") && turn(ANSWERS) => {
                Some(text().replacen("application/problem+json", "text/html", 1).into_bytes())
            }
            Sabotage::Swallowed if turn(ANSWERS) => None,
            _ => Some(bytes.to_vec()),
        }
    }
}

impl Sabotage {
    /// Whether it needs somebody in between.
    pub(super) const fn is_between(self) -> bool {
        matches!(self, Self::ServerError | Self::OpenDoor | Self::PageRefusal | Self::Swallowed)
    }

    /// What is done at the end, before anything is compared. Held connections come back.
    pub(super) async fn at_the_end(self, world: &World, house: &House) -> anyhow::Result<Vec<Line>> {
        match self {
            Self::Growth => return hold(world).await,
            Self::StrayFile => {
                std::fs::write(house.data.join("files").join(format!("{}.txt", mark(1, true))), "a stray")?;
            }
            Self::ToldPanic => append(&house.log, "thread 'x' panicked at x.rs:1:1:\n")?,
            Self::ForgedLine => append(&house.log, "X-Injected: yes\n")?,
            Self::ForgedRow => {
                let mut breaking = Book::of(&house.data).open_to_break().await?;
                breaking.execute("update event set summary = summary || '.' where seq = 3").await?;
            }
            _ => {}
        }
        Ok(Vec::new())
    }
}

/// Sends bodies that never end, over connections that stay open: the process itself grows.
async fn hold(world: &World) -> anyhow::Result<Vec<Line>> {
    let mut held = Vec::new();
    for number in 0..UNFINISHED {
        let mut line = Line::open(world.to, number).await?;
        let request = Request::new("POST", "/api/call", &world.host).bearer(&world.people.operator);
        let request = request.with("content-type", "application/json").with("content-length", (PART + 1).to_string());
        let steps = vec![Step::Send(request.untold().carrying(vec![b' '; PART]).bytes())];
        let deed = Deed { steps, answers: 0, whole: true, ..Deed::raw([]) };
        let (heard, _) = line.carry_out(&deed).await;
        ensure!(!heard.hung, "the server takes no more");
        held.push(line);
    }
    // What the system holds for it is on its way.
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(held)
}

fn append(file: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    std::fs::OpenOptions::new().append(true).open(file)?.write_all(text.as_bytes())?;
    Ok(())
}
