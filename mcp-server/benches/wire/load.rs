//! Clients that keep their connection and call as fast as they are answered.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What one round came to. Times in microseconds.
pub(crate) struct Figures {
    pub(crate) rate: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// CPU time of the server for one call.
    pub(crate) cpu: f64,
}

/// Latencies of all calls that so many clients made in a while.
pub(crate) fn run(address: &str, request: &[u8], clients: usize, length: Duration) -> Vec<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let until = Instant::now() + length;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..clients {
            let (address, request) = (address.to_owned(), request.to_vec());
            tasks.spawn(async move { client(&address, &request, until).await });
        }
        tasks.join_all().await.into_iter().flatten().collect()
    })
}

async fn client(address: &str, request: &[u8], until: Instant) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut took, mut buffer) = (Vec::new(), Vec::with_capacity(16 * 1024));
    while Instant::now() < until {
        let begun = Instant::now();
        stream.write_all(request).await.unwrap();
        buffer.clear();
        loop {
            assert!(stream.read_buf(&mut buffer).await.unwrap() > 0, "the server hung up");
            if let Some(end) = end_of(&buffer) {
                assert!(buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer));
                assert!(buffer.len() <= end, "more than one answer");
                if buffer.len() == end {
                    break;
                }
            }
        }
        assert!(buffer.windows(5).any(|window| window == b"hello"), "{}", String::from_utf8_lossy(&buffer));
        took.push(begun.elapsed());
    }
    took
}

/// Length of the whole answer, once its head is there.
fn end_of(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&buffer[..head]).unwrap().to_ascii_lowercase();
    if let Some(at) = text.find("content-length:") {
        let length: usize = text[at + 15..].lines().next().unwrap().trim().parse().unwrap();
        return Some(head + length);
    }
    assert!(text.contains("transfer-encoding: chunked"), "{text}");
    buffer.ends_with(b"0\r\n\r\n").then_some(buffer.len())
}

pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = figures.collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}
