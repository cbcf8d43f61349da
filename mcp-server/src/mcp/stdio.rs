//! `jarvis mcp`: the old transport of one client that starts a program.
//!
//! That program is only a pipe to a socket in the data directory; the server at its other end is the one process that
//! owns the data. Lines are read strictly before the protocol sees them.

use std::time::Duration;

use jarvis_safety::Actor;
use rmcp::ServiceExt as _;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Face, strict};

/// Name of the socket in the data directory.
pub(crate) const SOCKET: &str = "mcp.sock";
/// Longest line.
const MAX_LINE: u64 = 2 * 1024 * 1024;

/// Serves every client of the socket until the server stops.
pub(crate) async fn serve(face: Face, listener: UnixListener, stop: CancellationToken) -> std::io::Result<()> {
    let face = face.acting_as(Actor::mcp_stdio());
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            accepted = listener.accept() => {
                match accepted {
                    Ok((stream, _)) => drop(tokio::spawn(client(face.for_session(), stream, stop.clone()))),
                    Err(error) => {
                        tracing::warn!(%error, "a client over stdio could not be taken");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                }
            }
        }
    }
}

async fn client(face: Face, stream: UnixStream, stop: CancellationToken) {
    let (read, write) = stream.into_split();
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (protocol_out, protocol_in) = tokio::io::split(theirs);
    let (refusals, refused) = mpsc::channel(16);
    let (from_face, to_face) = tokio::io::split(ours);
    let reader = tokio::spawn(pass_strict_lines(face.clone(), read, to_face, refusals));
    let writer = tokio::spawn(pass_answers(from_face, write, refused));
    let served = async {
        let running = face.serve((protocol_out, protocol_in)).await?;
        running.waiting().await?;
        anyhow::Ok(())
    };
    tokio::select! {
        result = served => if let Err(error) = result {
            tracing::info!(%error, "an MCP client over stdio ended");
        },
        () = stop.cancelled() => {}
    }
    reader.abort();
    writer.abort();
}

/// Passes lines that can be read in one way only; answers the others with an error.
async fn pass_strict_lines(
    face: Face,
    read: OwnedReadHalf,
    mut to_face: tokio::io::WriteHalf<DuplexStream>,
    refusals: mpsc::Sender<Value>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        let length = (&mut lines).take(MAX_LINE).read_until(b'\n', &mut line).await?;
        if length == 0 {
            return to_face.shutdown().await;
        }
        let whole = line.last() == Some(&b'\n') || (length as u64) < MAX_LINE;
        if !whole {
            skip_line(&mut lines).await?;
        }
        let judged = if whole { strict::judge(&line) } else { Err(strict::too_large(MAX_LINE)) };
        match judged {
            _ if whole && line.trim_ascii().is_empty() => {}
            Ok(_) => to_face.write_all(&line).await?,
            Err(unread) => {
                face.tell_unread(&Actor::mcp_stdio(), &unread).await;
                if refusals.send(unread.body()).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
}

/// Throws the rest of a line away.
async fn skip_line(lines: &mut BufReader<OwnedReadHalf>) -> std::io::Result<()> {
    loop {
        let mut rest = Vec::new();
        let length = lines.take(MAX_LINE).read_until(b'\n', &mut rest).await?;
        if length == 0 || rest.last() == Some(&b'\n') {
            return Ok(());
        }
    }
}

/// Writes what the protocol answers and what was refused before it, whole lines at a time.
async fn pass_answers(
    from_face: tokio::io::ReadHalf<DuplexStream>,
    mut write: OwnedWriteHalf,
    mut refused: mpsc::Receiver<Value>,
) -> std::io::Result<()> {
    let mut answers = BufReader::new(from_face).lines();
    loop {
        let mut line = tokio::select! {
            answer = answers.next_line() => match answer? {
                Some(line) => line,
                None => return Ok(()),
            },
            Some(refusal) = refused.recv() => refusal.to_string(),
        };
        line.push('\n');
        write.write_all(line.as_bytes()).await?;
    }
}
