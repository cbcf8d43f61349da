//! `http_fetch`: the text of one web page.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jarvis_safety::kernel::Permit;
use jarvis_safety::plain::{shorten, visible, visible_block};
use jarvis_safety::secret::{Secret, SecretName};
use jarvis_safety::tool::{Done, Look, Preview, RunContext, Spec, Tool, ToolError, ToolErrorKind, Trust};
use jarvis_safety::{Effects, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::HttpOptions;
use super::body::{BODY, Body, body};
use super::hop::{Arrival, Caller, failed};
use super::link::{host, listed, read, same_site};
use super::page::page;
use super::reach::{Guard, Names, Reach};

/// Longest patience that the options may ask for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Characters of a page in plain words.
const SHOWN: usize = 1500;

/// Target kind of a host that the operator listed.
const LISTED: &str = "listed-host";
/// Target kind of a link that stands in the person's own message.
const ASKED: &str = "asked-url";
/// Target kind of any other link.
const OTHER: &str = "url";

pub(super) struct HttpFetch {
    options: HttpOptions,
    caller: Arc<Caller>,
}

impl HttpFetch {
    pub(super) fn new(options: HttpOptions, guard: Arc<dyn Guard>, names: Arc<dyn Names>) -> Self {
        Self { options, caller: Arc::new(Caller::new(Reach { guard, names })) }
    }

    fn hosts(&self) -> Vec<String> {
        self.options.settings.borrow().hosts.clone()
    }
}

/// Fetches a public web page (GET) and answers its text. Never reaches the home network. A link that neither the person
/// wrote nor the operator listed needs approval.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FetchArgs {
    /// Link, http or https.
    url: String,
    /// A secret to sign in with, `secret://NAME`, sent as bearer token to this site alone and only over https. The operator
    /// must have allowed it for `http_fetch` and the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bearer: Option<Bearer>,
}

/// `secret://NAME`, and nothing else: what is read is kept, so a token that was pasted is refused before.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
struct Bearer(String);

impl TryFrom<String> for Bearer {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        match SecretName::referred(&text) {
            Some(_) => Ok(Self(text)),
            None => Err("`bearer` takes a reference, secret://NAME, and never the token itself; nothing was sent"),
        }
    }
}

/// What came back.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct FetchOutput {
    /// The link that answered, after redirects.
    url: String,
    /// HTTP status.
    status: u16,
    /// Media type that the server named.
    content_type: String,
    /// Title of a page.
    title: Option<String>,
    /// The text; of HTML what a reader would see.
    text: String,
    /// Whether the page is longer than this.
    cut: bool,
    /// Where the server redirects to, if that is another site and was not followed.
    points_to: Option<String>,
}

impl Tool for HttpFetch {
    const SPEC: Spec = Spec {
        name: "http_fetch",
        revision: 2,
        tier: Tier::Green,
        effects: Effects { network: true, ..Effects::READS },
        deadline: Duration::from_secs(70),
        trust: Trust::Untrusted,
        secrets: &[],
        examples: &[
            "fetch {url}",
            "read the page {url}",
            "what does {url} say",
            "open the web page {url}",
            "get the text of {url}",
            "summarise {url}",
        ],
        lists: None,
    };
    type Args = FetchArgs;
    type Output = FetchOutput;

    async fn resolve(&self, args: &FetchArgs, look: &Look) -> Result<Target, ToolError> {
        let link = read(&args.url, self.caller.guard())?;
        if args.bearer.is_some() {
            signable(&link)?;
        }
        let kind = if listed(&link, &self.hosts()) {
            LISTED
        } else if look.said(args.url.trim()) {
            ASKED
        } else {
            OTHER
        };
        let name = host(&link);
        Ok(Target::new(kind, link, name))
    }

    fn sentence(&self, args: &FetchArgs, target: &Target) -> String {
        match &args.bearer {
            Some(Bearer(reference)) => format!("Fetch {} from the internet, signed in with {reference}", target.id),
            None => format!("Fetch {} from the internet", target.id),
        }
    }

    async fn preview(&self, _: &FetchArgs, target: &Target, _: &Look) -> Result<Preview, ToolError> {
        let told = format!("{} learns this machine's public address and everything in the link", target.name);
        Ok(Preview { effects: vec![told], ..Preview::default() })
    }

    fn tier_of(&self, args: &FetchArgs, target: &Target) -> Tier {
        match (target.kind.as_str(), &args.bearer) {
            (LISTED | ASKED, None) => Tier::Green,
            // What is read in the operator's name is more than a page.
            (LISTED | ASKED, Some(_)) => Tier::Yellow,
            _ => Tier::Orange,
        }
    }

    async fn run(
        &self,
        args: FetchArgs,
        cx: &RunContext,
        permit: Permit<Self>,
    ) -> Result<Done<FetchOutput>, ToolError> {
        let link = read(&permit.target().id, self.caller.guard())?;
        let bearer = args.bearer.map(|Bearer(reference)| cx.secret(&reference)).transpose()?;
        let patience = self.options.patience.min(PATIENCE);
        let fetched = tokio::time::timeout(patience, fetch(&self.caller, link, bearer, self.hosts())).await;
        fetched.unwrap_or_else(|_| {
            let name = visible(&permit.target().name);
            Err(failed(format!("`{name}` took longer than {patience:?} and was given up; try again later")))
        })
    }

    fn words(&self, output: &FetchOutput) -> String {
        let url = visible(&shorten(&output.url, 200));
        if let Some(to) = &output.points_to {
            return format!(
                "{url} sends on to another site: {}\nI did not follow it. Ask for that link if you want it.",
                visible(&shorten(to, 300))
            );
        }
        let mut words = match &output.title {
            Some(title) => format!("{} ({url})", visible(title)),
            None => url,
        };
        if output.status != 200 {
            words.push_str(&format!("\nThe server answered with status {}.", output.status));
        }
        let text = output.text.trim();
        if text.is_empty() {
            words.push_str("\nThere is no text on it.");
            return words;
        }
        words.push_str(&format!("\n{}", visible_block(&shorten(text, SHOWN))));
        if output.cut || text.chars().count() > SHOWN {
            words.push_str("\n(the page is longer)");
        }
        words
    }
}

/// Whether a secret may go with a link at all. Who may have it is asked when it is opened, by the name of the host: so
/// there must be one service by that name.
fn signable(link: &Url) -> Result<(), ToolError> {
    // A test has its server on the loopback; the guard of the product admits no such address.
    let local =
        link.host_str().and_then(|host| host.parse::<IpAddr>().ok()).is_some_and(|address| address.is_loopback());
    if local || (link.scheme() == "https" && link.port().is_none()) {
        return Ok(());
    }
    let said = "a secret goes out over https only, and on its usual port; nothing was sent";
    Err(ToolError::new(ToolErrorKind::Invalid, said.to_owned()))
}

async fn fetch(
    caller: &Caller,
    first: Url,
    bearer: Option<Secret>,
    hosts: Vec<String>,
) -> Result<Done<FetchOutput>, ToolError> {
    let site = first.clone();
    let follows = move |next: &Url| same_site(&site, next) || listed(next, &hosts);
    let (link, response) = match caller.go(first, bearer.as_ref(), follows).await? {
        Arrival::Answer(link, response) => (link, response),
        Arrival::PointsTo { from, status, to } => {
            return Ok(Done::new(FetchOutput {
                url: from.into(),
                status,
                content_type: String::new(),
                title: None,
                text: String::new(),
                cut: false,
                points_to: Some(to.into()),
            }));
        }
    };
    let status = response.status().as_u16();
    let Body { kind, charset, bytes, cut } = body(response, &link).await?;
    debug_assert!(bytes.len() <= BODY);
    let content_type = kind.clone();
    let turned = tokio::task::spawn_blocking(move || page(&bytes, &kind, charset.as_deref())).await;
    let turned =
        turned.map_err(|_| ToolError::new(ToolErrorKind::Panicked, "reading the page broke off; it is a defect"))?;
    let page = turned.map_err(|charset| {
        let charset = visible(&shorten(&charset, 40));
        failed(format!("the page is written in the charset `{charset}`, which Jarvis cannot read"))
    })?;
    Ok(Done::new(FetchOutput {
        url: link.into(),
        status,
        content_type,
        title: page.title,
        text: page.text,
        cut: cut || page.cut,
        points_to: None,
    }))
}
