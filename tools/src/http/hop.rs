//! Requests and redirects, one at a time, each judged before it is made.

use std::sync::OnceLock;
use std::time::Duration;

use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::secret::Secret;
use jarvis_safety::tool::{ToolError, ToolErrorKind};
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use url::Url;

use super::link::checked;
use super::reach::{NotPublic, Reach};

/// Redirects that are followed.
const REDIRECTS: usize = 5;

/// Asks servers, with nothing of the machine's own configuration: no proxy, no cookies, no referrer.
pub(super) struct Caller {
    reach: Reach,
    /// Made at the first call: it reads the machine's certificates.
    client: OnceLock<Result<Client, String>>,
}

/// Where the hops ended.
pub(super) enum Arrival {
    /// At an answer.
    Answer(Url, Response),
    /// At a redirect that is not followed without asking.
    PointsTo {
        /// Who answered.
        from: Url,
        /// With what status.
        status: u16,
        /// Where it points.
        to: Url,
    },
}

pub(super) fn failed(message: impl Into<String>) -> ToolError {
    ToolError::new(ToolErrorKind::Failed, message)
}

impl Caller {
    pub(super) const fn new(reach: Reach) -> Self {
        Self { reach, client: OnceLock::new() }
    }

    pub(super) fn guard(&self) -> &dyn super::reach::Guard {
        &*self.reach.guard
    }

    fn client(&self) -> Result<&Client, ToolError> {
        let built = self.client.get_or_init(|| {
            Client::builder()
                .no_proxy()
                .redirect(Policy::none())
                .referer(false)
                .dns_resolver(self.reach.clone())
                // No connection is kept: each request is a look-up, a check and a connection of its own.
                .pool_max_idle_per_host(0)
                .connect_timeout(Duration::from_secs(10))
                .user_agent(concat!("Jarvis/", env!("CARGO_PKG_VERSION"), " (self-hosted; http_fetch)"))
                .build()
                .map_err(|error| chain(&error))
        });
        built.as_ref().map_err(|error| {
            ToolError::new(
                ToolErrorKind::Unavailable,
                format!("secure connections cannot be made on this machine ({error}); install its CA certificates"),
            )
        })
    }

    /// Asks for a link and follows its redirects as far as `follows` lets them.
    /// The bearer token goes to the origin of the first link and nowhere else.
    pub(super) async fn go(
        &self,
        first: Url,
        bearer: Option<&Secret>,
        follows: impl Fn(&Url) -> bool + Send,
    ) -> Result<Arrival, ToolError> {
        let origin = first.origin();
        let mut link = first;
        for _ in 0..=REDIRECTS {
            let response = self.ask(&link, bearer.filter(|_| link.origin() == origin)).await?;
            let Some(next) = self.next(&link, &response)? else {
                return Ok(Arrival::Answer(link, response));
            };
            if !follows(&next) {
                return Ok(Arrival::PointsTo { from: link, status: response.status().as_u16(), to: next });
            }
            link = next;
        }
        Err(failed(format!("`{}` redirects more than {REDIRECTS} times", shown(&link))))
    }

    async fn ask(&self, link: &Url, bearer: Option<&Secret>) -> Result<Response, ToolError> {
        let mut request = self.client()?.get(link.clone());
        if let Some(bearer) = bearer {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", bearer.expose()))
                .map_err(|_| failed("the secret holds characters that no token has; nothing was sent"))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.header(ACCEPT, "text/html, text/*;q=0.9, application/json;q=0.9, */*;q=0.5");
        let sent = request.header(ACCEPT_ENCODING, "gzip").send().await;
        let response = sent.map_err(|error| told(&error, link))?;
        // The resolver has seen to this; a second look costs nothing and also covers what no resolver sees.
        if response.remote_addr().is_some_and(|address| !self.reach.guard.admits(address.ip())) {
            return Err(private(&super::link::host(link)));
        }
        Ok(response)
    }

    /// Where a redirect leads; none if this is no redirect.
    fn next(&self, link: &Url, response: &Response) -> Result<Option<Url>, ToolError> {
        let redirects = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
        let Some(location) = response.headers().get(LOCATION).filter(|_| redirects) else { return Ok(None) };
        let text = location.to_str().map_err(|_| failed("the server redirects to something that is no link"))?;
        let next = link.join(text).map_err(|_| {
            failed(format!("the server redirects to `{}`, which is no link", visible(&shorten(text, 120))))
        })?;
        if link.scheme() == "https" && next.scheme() == "http" {
            return Err(failed(format!(
                "`{}` redirects from https to http; that is not followed, because anybody on the way could read along",
                shown(link)
            )));
        }
        checked(next, &*self.reach.guard)
            .map(Some)
            .map_err(|error| ToolError::new(error.kind, format!("`{}` redirects, but: {}", shown(link), error.message)))
    }
}

fn shown(link: &Url) -> String {
    visible(&shorten(link.as_str(), 120))
}

fn private(host: &str) -> ToolError {
    ToolError::new(ToolErrorKind::NotPermitted, NotPublic { host: visible(host) }.to_string())
}

/// The causes of an error, outermost first, without the link that reqwest puts into each.
fn chain(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    causes.dedup();
    shorten(&visible(&causes.join(": ")), 300)
}

/// What went wrong on the way to an answer.
pub(super) fn told(error: &reqwest::Error, link: &Url) -> ToolError {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<NotPublic>() {
            return private(&refused.host);
        }
        cause = inner.source();
    }
    let host = visible(&super::link::host(link));
    if error.is_timeout() {
        return failed(format!("`{host}` did not answer in time; try again later"));
    }
    let why = chain(error);
    if error.is_connect() {
        return failed(format!("`{host}` cannot be reached ({why}); check the name, or try again later"));
    }
    failed(format!("`{host}` broke off ({why}); try again later"))
}
