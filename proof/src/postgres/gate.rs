//! What stands between a replica and the database: it passes on everything, until it is cut.
//!
//! A connection that is cut ends at both sides at once, as when a router is switched off and says so; while the gate is
//! shut nobody listens. What is cut in the middle of an answer was done by the database, and nobody heard of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::cluster::PORTS;
use crate::chance::Chance;

/// Another process may hold the port that was thrown.
const TRIES: u32 = 50;
/// Pause before a port that was left is tried again.
const AGAIN: Duration = Duration::from_millis(100);

/// One gate.
pub(super) struct Gate {
    pub(super) port: u16,
    /// Where the database listens.
    to: SocketAddr,
    wires: Arc<Wires>,
    listening: JoinHandle<()>,
}

/// What its connections share.
struct Wires {
    /// How often all of them were cut.
    cuts: watch::Sender<u64>,
    /// How many are still to be cut in the middle of an answer.
    snips: AtomicU64,
    /// How many were.
    snipped: AtomicU64,
}

impl Gate {
    /// Opens one before a port of this machine.
    pub(super) async fn open(port: u16, chance: &mut Chance) -> anyhow::Result<Self> {
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let wires =
            Arc::new(Wires { cuts: watch::Sender::new(0), snips: AtomicU64::new(0), snipped: AtomicU64::new(0) });
        for _ in 0..TRIES {
            let port = u16::try_from(chance.between(PORTS.0, PORTS.1))?;
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
                let listening = tokio::spawn(listen(listener, to, Arc::clone(&wires)));
                return Ok(Self { port, to, wires, listening });
            }
        }
        bail!("no port is free between {} and {}", PORTS.0, PORTS.1)
    }

    /// Cuts every connection. New ones are taken.
    pub(super) fn cut(&self) {
        self.wires.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Cuts every connection, and takes no new ones.
    pub(super) async fn shut(&mut self) {
        self.listening.abort();
        // Gone only once it has ended.
        let _ = (&mut self.listening).await;
        self.cut();
    }

    /// Takes connections again.
    pub(super) async fn reopen(&mut self) -> anyhow::Result<()> {
        let mut tries = 0;
        let listener = loop {
            match TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await {
                Ok(listener) => break listener,
                Err(error) if tries == TRIES => return Err(error).context("somebody else has taken its port"),
                Err(_) => sleep(AGAIN).await,
            }
            tries += 1;
        };
        self.listening = tokio::spawn(listen(listener, self.to, Arc::clone(&self.wires)));
        Ok(())
    }

    /// Cuts so many connections, each in the middle of the next answer that comes over it.
    pub(super) fn snip(&self, count: u64) {
        self.wires.snips.store(count, Ordering::Release);
    }

    /// Whether some of these are still to be cut.
    pub(super) fn is_snipping(&self) -> bool {
        self.wires.snips.load(Ordering::Acquire) > 0
    }

    /// How many connections were cut in the middle of an answer.
    pub(super) fn snipped(&self) -> u64 {
        self.wires.snipped.load(Ordering::Acquire)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut();
    }
}

async fn listen(listener: TcpListener, to: SocketAddr, wires: Arc<Wires>) {
    while let Ok((client, _)) = listener.accept().await {
        let cut = wires.cuts.subscribe();
        tokio::spawn(pass(client, to, Arc::clone(&wires), cut));
    }
}

/// Passes on what one connection says, until an end of it is gone or it is cut.
async fn pass(mut client: TcpStream, to: SocketAddr, wires: Arc<Wires>, mut cut: watch::Receiver<u64>) {
    let Ok(mut server) = TcpStream::connect(to).await else { return };
    if client.set_nodelay(true).is_err() || server.set_nodelay(true).is_err() {
        return;
    }
    let ((mut asked, answers), (answered, mut asks)) = (client.split(), server.split());
    tokio::select! {
        _ = cut.changed() => {}
        _ = tokio::io::copy(&mut asked, &mut asks) => {}
        _ = answer(answered, answers, &wires) => {}
    }
}

/// Passes on answers, and breaks off in the middle of one if that is its turn.
async fn answer(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, wires: &Wires) -> std::io::Result<()> {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return Ok(());
        }
        let turn = wires.snips.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1)).is_ok();
        let passed = if turn { length / 2 } else { length };
        to.write_all(piece.get(..passed).unwrap_or_default()).await?;
        if turn {
            wires.snipped.fetch_add(1, Ordering::AcqRel);
            return Ok(());
        }
    }
}
