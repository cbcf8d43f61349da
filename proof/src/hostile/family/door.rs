//! Names and pages of strangers: DNS rebinding, and pages that send forms or scripts here. Each request carries the
//! operator's own secret, so that nothing but the name or the page stands against it.

use super::super::request::{Deed, Request};
use super::{Maker, powerless};

/// Names that are not this server's. `{port}` is its port.
const STRANGE: [&str; 36] = [
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1.evil.example:{port}",
    "localhost.evil.example",
    "localhost@evil.example",
    "evil.example@127.0.0.1:{port}",
    "user:pass@localhost:{port}",
    "127.0.0.1:{port}@evil.example",
    "127.1:{port}",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.0.0.1.",
    "",
    " ",
    "*",
    ".",
    "127.0.0.1:80:80",
    "[::1",
    "[::1].evil.example",
    "::1",
    "[::1%25lo]",
    "localhost%00.evil.example",
    "localhost%2eevil.example",
    "localhost/evil.example",
    "localhost\\evil.example",
    "local host",
    "localhost,evil.example",
    "localhost;evil.example",
    "localhost?evil.example",
    "localhost#evil.example",
    "LOCALHOST.EVIL.EXAMPLE",
    "xn--lclhost-9ua:{port}",
    "jarvis.lan",
    "http://127.0.0.1:{port}",
    "127.0.0.1:-1",
];

/// Pages that are not this server's.
const PAGES: [&str; 26] = [
    "null",
    "http://evil.example",
    "https://evil.example:{port}",
    "http://127.0.0.1",
    "http://127.0.0.1:1",
    "http://127.0.0.1:{port}0",
    "http://127.0.0.1.evil.example:{port}",
    "http://localhost:{port}.evil.example",
    "http://localhost.evil.example:{port}",
    "http://evil.example/127.0.0.1:{port}",
    "http://evil.example#127.0.0.1:{port}",
    "http://evil.example?127.0.0.1:{port}",
    "http://evil.example\\@127.0.0.1:{port}",
    "https://127.0.0.1:{port}x",
    "file://",
    "file:///etc/passwd",
    "chrome-extension://abcdefghijklmnop",
    "app://127.0.0.1:{port}",
    "ws://127.0.0.1:{port}",
    "data:text/html,x",
    "",
    " ",
    "*",
    "127.0.0.1:{port}",
    "http://",
    "undefined",
];

impl Maker<'_> {
    fn named(&mut self, all: &[&'static str]) -> String {
        let port = self.world.to.port().to_string();
        self.one(all).replace("{port}", &port)
    }

    /// Something that a page wants of the server: an effect, a look, or the dashboard.
    fn wanted(&mut self) -> Request {
        let mark = self.forbidden();
        let (world, operator) = (self.world, &self.world.people.operator);
        match self.chance.between(0, 10) {
            0..6 => self.effect(&mark),
            6..8 => {
                let operation = self.operation(super::super::surface::Operation::is_safe);
                self.fitting(operation, &mark).bearer(operator)
            }
            8 => {
                let operation = self.operation(|it| it.open);
                self.fitting(operation, &mark)
            }
            _ => Request::new("GET", self.one(&["/", "/approvals", "/index.html", "/x"]), &world.host),
        }
    }
}

pub(super) fn host(maker: &mut Maker<'_>) -> Deed {
    let name = match maker.chance.between(0, 20) {
        0 => format!("{}.evil.example", "a".repeat(400)).into_bytes(),
        1 => b"localhost\xff".to_vec(),
        2 => b"\xe2\x80\xaelocalhost".to_vec(),
        _ => maker.named(&STRANGE).into_bytes(),
    };
    let request = maker.wanted();
    powerless(Deed::one(&request.only("host", name)).refused())
}

/// None, two, or one that is written so that only some read it.
pub(super) fn host_twice(maker: &mut Maker<'_>) -> Deed {
    let own = maker.world.host.clone();
    let other = maker.named(&STRANGE);
    let request = maker.wanted();
    let request = match maker.chance.between(0, 5) {
        0 => request.without("host"),
        1 => request.with("host", other),
        2 => request.only("host", other).with("host", own),
        3 => request.with("Host", own),
        _ => request.only("x-forwarded-host", own.clone()).only("forwarded", format!("host={own}")).only("host", other),
    };
    powerless(Deed::one(&request).refused())
}

/// The name in the address counts more than the header (RFC 9112, 3.2.2).
pub(super) fn host_in_target(maker: &mut Maker<'_>) -> Deed {
    let mut request = maker.wanted();
    let name = maker.one(&["evil.example", "127.0.0.1.evil.example", "evil.example:80", "localhost.evil.example"]);
    let scheme = maker.one(&["http", "https"]);
    request.target = [format!("{scheme}://{name}").as_bytes(), &request.target].concat();
    if maker.chance.percent(30) {
        request = request.only("host", name);
    }
    powerless(Deed::one(&request).refused())
}

pub(super) fn origin(maker: &mut Maker<'_>) -> Deed {
    let page = match maker.chance.between(0, 15) {
        0 => b"http://\xff".to_vec(),
        1 => format!("http://{}", "a".repeat(5_000)).into_bytes(),
        _ => maker.named(&PAGES).into_bytes(),
    };
    let mut request = maker.wanted();
    if maker.chance.percent(40) {
        let cookie = format!("jarvis_session={}", maker.world.people.cookie);
        request = request.without("authorization").with("cookie", cookie);
    }
    if maker.chance.percent(30) {
        let site = maker.one(&["same-origin", "none", "cross-site"]);
        request = request.with("sec-fetch-site", site).with("sec-fetch-mode", "cors");
    }
    powerless(Deed::one(&request.with("origin", page)).refused())
}

pub(super) fn origin_twice(maker: &mut Maker<'_>) -> Deed {
    let own = format!("http://{}", maker.world.host);
    let other = maker.named(&PAGES);
    let request = maker.wanted();
    let request = match maker.chance.between(0, 3) {
        0 => request.with("origin", own).with("origin", other),
        1 => request.with("origin", other).with("origin", own),
        _ => request.with("origin", format!("{own}, {other}")),
    };
    powerless(Deed::one(&request).refused())
}
