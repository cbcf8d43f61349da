//! Sites on the internet, as the program sees it: nobody here is connected to the real one.

use std::sync::Arc;

use super::STRANGERS;
use super::ledger::{Deed, Ledger};
use super::serve::{Answerer, Asked, Served, Told, on_port};

/// A site that the operator listed.
pub(crate) const LISTED: &str = "93.184.215.7";
/// One that he did not.
pub(crate) const OTHER: &str = "93.184.215.9";

/// All sites, on one port.
pub(crate) struct Sites {
    pub(crate) port: u16,
    _server: Served,
}

impl Sites {
    /// Pages are what `page` makes of their path.
    pub(crate) async fn start(
        ledger: Ledger,
        page: impl Fn(&str) -> Option<Told> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let answerer: Answerer = Arc::new(move |asked: Asked| {
            ledger.write(Deed::new("http_fetch", format!("http://{}{}", asked.host, asked.target)));
            if let Some((_, to)) = asked.target.split_once("/away?to=") {
                let to = Some(to.to_owned());
                return Told { to, ..Told::new(302, "text/html", "") };
            }
            let usual = || Self::page(format!("<title>{STRANGERS}</title><p>A page that {STRANGERS} wrote.</p>"));
            page(&asked.target).unwrap_or_else(usual)
        });
        let (server, port) = on_port(answerer).await?;
        Ok(Self { port, _server: server })
    }

    /// A page as sites mostly have them.
    pub(crate) fn page(text: String) -> Told {
        Told::new(200, "text/html; charset=utf-8", text)
    }

    pub(crate) fn link(&self, site: &str, path: &str) -> String {
        format!("http://{site}:{}/{path}", self.port)
    }
}
