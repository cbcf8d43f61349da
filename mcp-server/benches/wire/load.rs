//! Clients that keep their connection and ask as fast as they are answered.
//!
//! One thread serves them all by epoll, and looks at no more of an answer than is needed to know that it is whole and
//! right: what it costs is told beside the table, so that nobody mistakes it for the servers' cost.

use std::io::{ErrorKind, Read as _, Write as _};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

/// Longest silence of a server that is asked.
pub(crate) const SILENCE: Duration = Duration::from_secs(30);

/// What is asked, over and over in this order, and how a right answer is known.
pub(crate) struct Asked<'a> {
    pub(crate) requests: &'a [Vec<u8>],
    /// Beginning of the answer.
    pub(crate) status: &'a [u8],
    /// Part of the answer.
    pub(crate) part: &'a [u8],
}

/// How long it goes on.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    Passed(Duration),
    /// So many were answered.
    Answered(usize),
}

/// What came of it.
pub(crate) struct Took {
    /// Of each answer, in microseconds.
    pub(crate) each: Vec<f64>,
    pub(crate) spent: Duration,
    /// CPU time of the clients.
    pub(crate) own: Duration,
}

struct Client {
    stream: TcpStream,
    begun: Instant,
    answer: Vec<u8>,
    waits: bool,
}

impl Client {
    fn ask(&mut self, request: &[u8]) {
        self.answer.clear();
        self.waits = true;
        self.begun = Instant::now();
        // A request is far smaller than what the system keeps for a connection, so it never waits.
        self.stream.write_all(request).unwrap();
    }

    /// Whether the answer is whole now. Who waits for nothing any more may be hung up on: servers close what is idle.
    fn read(&mut self) -> bool {
        if !self.waits {
            return false;
        }
        read(&mut self.stream, &mut self.answer);
        self.waits = !whole(&self.answer);
        !self.waits
    }
}

/// Reads all that is there: nothing tells of it again.
pub(crate) fn read(stream: &mut TcpStream, into: &mut Vec<u8>) {
    let mut piece = [0; 16 * 1024];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => panic!("the server hung up after {}", String::from_utf8_lossy(into)),
            Ok(length) => {
                into.extend_from_slice(&piece[..length]);
                // What comes after a piece that left room is told of.
                if length < piece.len() {
                    return;
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("the connection broke: {error}"),
        }
    }
}

/// Lets so many clients ask.
pub(crate) fn run(address: &str, asked: &Asked<'_>, clients: usize, until: Until) -> Took {
    let (mut poll, mut open) = connect(address, clients);
    let mut each = Vec::with_capacity(1 << 20);
    let mut events = Events::with_capacity(clients);
    let (before, begun) = (own_time(), Instant::now());
    let most = if let Until::Answered(count) = until { count } else { usize::MAX };
    let mut sent = 0;
    for client in open.iter_mut().take(most) {
        client.ask(&asked.requests[sent % asked.requests.len()]);
        sent += 1;
    }
    while each.len() < sent {
        poll.poll(&mut events, Some(SILENCE)).unwrap();
        assert!(!events.is_empty(), "no answer within {SILENCE:?}");
        for event in &events {
            let client = &mut open[event.token().0];
            if !client.read() {
                continue;
            }
            each.push(client.begun.elapsed().as_secs_f64() * 1e6);
            right(&client.answer, asked);
            let on = match until {
                Until::Passed(length) => begun.elapsed() < length,
                Until::Answered(count) => sent < count,
            };
            if on {
                client.ask(&asked.requests[sent % asked.requests.len()]);
                sent += 1;
            }
        }
    }
    Took { each, spent: begun.elapsed(), own: own_time().saturating_sub(before) }
}

fn connect(address: &str, clients: usize) -> (Poll, Vec<Client>) {
    let poll = Poll::new().unwrap();
    let open = (0..clients).map(|index| {
        let stream = connected(&poll, index, std::net::TcpStream::connect(address).unwrap());
        Client { stream, begun: Instant::now(), answer: Vec::with_capacity(4096), waits: false }
    });
    let open = open.collect();
    (poll, open)
}

/// A connection of which is told when something comes.
pub(crate) fn connected(poll: &Poll, index: usize, stream: std::net::TcpStream) -> TcpStream {
    stream.set_nodelay(true).unwrap();
    stream.set_nonblocking(true).unwrap();
    let mut stream = TcpStream::from_std(stream);
    poll.registry().register(&mut stream, Token(index), Interest::READABLE).unwrap();
    stream
}

fn right(answer: &[u8], asked: &Asked<'_>) {
    let holds = answer.windows(asked.part.len()).any(|part| part == asked.part);
    assert!(holds && answer.starts_with(asked.status), "a wrong answer: {}", String::from_utf8_lossy(answer));
}

/// Whether this is a whole answer of HTTP/1.1.
pub(crate) fn whole(answer: &[u8]) -> bool {
    let Some(head) = head(answer) else { return false };
    match field(&answer[..head], b"content-length") {
        Some(length) => answer.len() >= head + std::str::from_utf8(length).unwrap().parse::<usize>().unwrap(),
        None if answer.starts_with(b"HTTP/1.1 204") => true,
        None => answer.ends_with(b"0\r\n\r\n"),
    }
}

/// Length of the head with the empty line after it.
pub(crate) fn head(answer: &[u8]) -> Option<usize> {
    answer.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// A field of the head.
pub(crate) fn field<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let (found, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":").filter(|_| found.eq_ignore_ascii_case(name))?;
        Some(value.trim_ascii())
    })
}

/// CPU time of this thread.
fn own_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}
