//! Requests as bytes, and what is done with them: nothing here keeps anybody from sending what no client would.

use std::time::Duration;

/// A request that is written out as it stands, right or wrong.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: Vec<u8>,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
    /// Whether the length of the body is told.
    pub(super) told: bool,
}

impl Request {
    pub(super) fn new(method: &str, target: impl Into<Vec<u8>>, host: &str) -> Self {
        let headers = vec![("host".to_owned(), host.into())];
        Self { method: method.to_owned(), target: target.into(), headers, body: Vec::new(), told: true }
    }

    /// One more header.
    pub(super) fn with(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// No such header.
    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// This header once, with this value.
    pub(super) fn only(self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.without(name).with(name, value)
    }

    pub(super) fn bearer(self, secret: &str) -> Self {
        self.only("authorization", format!("Bearer {secret}"))
    }

    pub(super) fn json(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self.only("content-type", "application/json") }
    }

    pub(super) fn carrying(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// Its body without the header that tells its length.
    pub(super) fn untold(self) -> Self {
        Self { told: false, ..self }
    }

    /// Everything up to the body.
    pub(super) fn head(&self) -> Vec<u8> {
        let mut bytes = self.method.clone().into_bytes();
        bytes.push(b' ');
        bytes.extend(&self.target);
        bytes.extend(b" HTTP/1.1\r\n");
        for (name, value) in &self.headers {
            bytes.extend(name.bytes());
            bytes.extend(b": ");
            bytes.extend(value);
            bytes.extend(b"\r\n");
        }
        if self.told && (!self.body.is_empty() || !matches!(self.method.as_str(), "GET" | "HEAD" | "DELETE")) {
            bytes.extend(format!("content-length: {}\r\n", self.body.len()).bytes());
        }
        bytes.extend(b"\r\n");
        bytes
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head();
        bytes.extend(&self.body);
        bytes
    }
}

/// What is done on a connection.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Send(Vec<u8>),
    Pause(Duration),
    /// Nothing more will come; the answer can still be read.
    Shut,
}

/// What may come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    /// A status of the four hundreds.
    Refused,
    /// The dashboard's page, which everybody may see, or a refusal.
    Page,
    /// Anything that is no fault of the server's.
    Any,
}

/// One thing that is done to the server.
#[derive(Debug, Clone)]
pub(super) struct Deed {
    pub(super) number: u64,
    pub(super) family: &'static str,
    /// What nobody allowed: it must have no effect. Its mark says so too.
    pub(super) powerless: bool,
    pub(super) expect: Expect,
    pub(super) steps: Vec<Step>,
    /// How many answers are due.
    pub(super) answers: usize,
    /// Whether it is whole HTTP, so that an answer is due; what is broken may be met with silence.
    pub(super) whole: bool,
    /// Whether the first answer has no body.
    pub(super) headless: bool,
    /// Whether it plainly asks the API, whose refusals have one shape.
    pub(super) api: bool,
}

impl Deed {
    /// One whole request, sent at once.
    pub(super) fn one(request: &Request) -> Self {
        let mut deed = Self::raw(request.bytes());
        deed.headless = request.method == "HEAD";
        deed.api = request.target.starts_with(b"/api/");
        deed.whole = true;
        deed
    }

    /// Bytes that may be no HTTP.
    pub(super) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            number: 0,
            family: "",
            powerless: false,
            expect: Expect::Any,
            steps: vec![Step::Send(bytes.into())],
            answers: 1,
            whole: false,
            headless: false,
            api: false,
        }
    }

    /// Must be refused.
    pub(super) fn refused(self) -> Self {
        Self { expect: Expect::Refused, ..self }
    }

    /// May show the page and nothing else.
    pub(super) fn page(self) -> Self {
        Self { expect: Expect::Page, ..self }
    }

    /// What it was, for whoever reads of a violation.
    pub(super) fn shown(&self) -> String {
        let mut text = String::new();
        for step in &self.steps {
            match step {
                Step::Send(bytes) => text.push_str(&bytes[..bytes.len().min(600)].escape_ascii().to_string()),
                Step::Pause(time) => text.push_str(&format!(" [pause {time:?}] ")),
                Step::Shut => text.push_str(" [end of sending]"),
            }
            if text.len() > 1_200 {
                text.push('…');
                break;
            }
        }
        text
    }
}
