//! A door before the server that adds the client's token: the suite has no way to send one, and without one nobody is
//! let in. Everything else passes as it is, byte by byte; of what the suite sends, only the heads are read.

use std::io::{BufRead as _, BufReader, Error, ErrorKind, Read as _, Result, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

/// Longest head of a request.
const MAX_HEAD: u64 = 64 * 1024;

/// An open door. It closes with the process.
pub(super) struct Door {
    port: u16,
}

impl Door {
    /// Opens one on a free port of loopback, before the server at `address`.
    pub(super) fn open(address: &str, token: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let (address, token) = (address.to_owned(), token.to_owned());
        thread::spawn(move || {
            for client in listener.incoming().map_while(std::result::Result::ok) {
                let (address, token) = (address.clone(), token.clone());
                // A connection that breaks is the suite's to notice.
                thread::spawn(move || pass(client, &address, &token));
            }
        });
        Ok(Self { port })
    }

    /// Its address, as a name: the suite's check of rebinding wants one of loopback.
    pub(super) fn url(&self) -> String {
        format!("http://localhost:{}", self.port)
    }
}

fn pass(client: TcpStream, address: &str, token: &str) -> Result<()> {
    let server = TcpStream::connect(address)?;
    let (answers, back) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = forward(answers, &back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let passed = requests(BufReader::new(client), &server, token);
    // Whoever hangs up on us hangs up on the server.
    let _ = server.shutdown(Shutdown::Both);
    passed
}

/// Hands on what comes, at once: a stream of events must not wait for a full buffer.
fn forward(mut from: TcpStream, mut to: &TcpStream) -> Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            length => to.write_all(&buffer[..length])?,
        }
    }
}

/// One request after the other, each with the token.
fn requests(mut client: BufReader<TcpStream>, mut server: &TcpStream, token: &str) -> Result<()> {
    while let Some(head) = head(&mut client)? {
        let mut body = vec![0; length(&head)?];
        client.read_exact(&mut body)?;
        server.write_all(with_token(&head, token).as_bytes())?;
        server.write_all(&body)?;
    }
    Ok(())
}

/// The lines of the next head; none where the client has ended.
fn head(client: &mut BufReader<TcpStream>) -> Result<Option<Vec<String>>> {
    let (mut lines, mut limited) = (Vec::new(), client.take(MAX_HEAD));
    loop {
        let mut line = String::new();
        if limited.read_line(&mut line)? == 0 {
            return if lines.is_empty() { Ok(None) } else { Err(ErrorKind::UnexpectedEof.into()) };
        }
        match line.trim_end() {
            "" => return Ok(Some(lines)),
            text => lines.push(text.to_owned()),
        }
    }
}

/// How long the body is. The suite says so of every one.
fn length(head: &[String]) -> Result<usize> {
    let of = |name: &str| {
        let mut fields = head.iter().filter_map(|line| line.split_once(':'));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    if of("transfer-encoding").is_some() {
        return Err(Error::other("a body in chunks is not passed on"));
    }
    of("content-length").map_or(Ok(0), |length| length.parse().map_err(Error::other))
}

fn with_token(head: &[String], token: &str) -> String {
    format!("{}\r\nAuthorization: Bearer {token}\r\n\r\n", head.join("\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(of: &[&str]) -> Vec<String> {
        of.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn a_head_passes_with_a_token() {
        let head = lines(&["POST /mcp HTTP/1.1", "host: localhost"]);
        let passed = "POST /mcp HTTP/1.1\r\nhost: localhost\r\nAuthorization: Bearer abc\r\n\r\n";
        assert_eq!(with_token(&head, "abc"), passed);
    }

    #[test]
    fn where_a_request_ends_is_known_or_it_is_not_passed_on() {
        let of = |line: &str| length(&lines(&["POST / HTTP/1.1", line])).ok();
        assert_eq!(of("Content-Length: 12"), Some(12));
        assert_eq!(of("accept: */*"), Some(0));
        assert_eq!(of("content-length: many"), None);
        assert_eq!(of("transfer-encoding: chunked"), None);
    }
}
