//! A socket before a real part, whose line breaks in the midst of one request.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Where the line breaks: the request is carried to the part, and what comes back is kept from the client.
#[derive(Clone)]
pub(crate) struct Break {
    request: &'static str,
    answer: &'static str,
    instead: &'static str,
    for_good: bool,
}

impl Break {
    /// Breaks once the part answers this (any part of it) to a request that holds this.
    pub(crate) const fn at(request: &'static str, answer: &'static str) -> Self {
        Self { request, answer, instead: "", for_good: false }
    }

    /// The client is told this instead of the answer.
    pub(crate) const fn telling(self, instead: &'static str) -> Self {
        Self { instead, ..self }
    }

    /// Nobody can connect any more afterwards.
    pub(crate) const fn for_good(self) -> Self {
        Self { for_good: true, ..self }
    }
}

/// The socket. It is there until this is dropped.
pub(crate) struct Line {
    /// Where it listens.
    pub(crate) path: PathBuf,
    serving: JoinHandle<()>,
    _folder: TempDir,
}

impl Line {
    /// A line to a part that listens on this socket.
    pub(crate) fn to(part: &Path, broken: Break) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let serving = tokio::spawn(serve(listener, part.to_owned(), path.clone(), broken));
        Self { path, serving, _folder: folder }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: UnixListener, part: PathBuf, path: PathBuf, broken: Break) {
    let gone = Arc::new(Notify::new());
    loop {
        let (near, _) = tokio::select! {
            accepted = listener.accept() => accepted.unwrap(),
            () = gone.notified() => break,
        };
        let far = UnixStream::connect(&part).await.unwrap();
        let (broken, gone, path) = (broken.clone(), Arc::clone(&gone), path.clone());
        tokio::spawn(async move {
            // An end of either side ends the connection.
            if carry(near, far, &broken, &path).await.unwrap_or(false) {
                gone.notify_one();
            }
        });
    }
}

/// Carries both ways until the line breaks. Answers whether it broke for good.
async fn carry(mut near: UnixStream, mut far: UnixStream, broken: &Break, path: &Path) -> std::io::Result<bool> {
    let (mut out, mut back) = (vec![0; 65536], vec![0; 65536]);
    let mut kept: Option<Vec<u8>> = None;
    loop {
        tokio::select! {
            read = near.read(&mut out) => match read? {
                0 => return Ok(false),
                length => {
                    if holds(&out[..length], broken.request) {
                        kept = Some(Vec::new());
                    }
                    far.write_all(&out[..length]).await?;
                }
            },
            read = far.read(&mut back) => match (read?, &mut kept) {
                (0, _) => return Ok(false),
                (length, None) => near.write_all(&back[..length]).await?,
                (length, Some(kept)) => {
                    kept.extend_from_slice(&back[..length]);
                    if holds(kept, broken.answer) {
                        if broken.for_good {
                            std::fs::remove_file(path)?;
                        }
                        near.write_all(broken.instead.as_bytes()).await?;
                        near.shutdown().await?;
                        return Ok(broken.for_good);
                    }
                }
            },
        }
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
