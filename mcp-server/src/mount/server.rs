//! One mounted server: reached, listened to, and reached again when it goes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jarvis_safety::event::EventKind;
use jarvis_safety::foreign::Annex;
use jarvis_safety::mount::{Line, MountState, MountView, MountedTool, ToolStanding};
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::port::Ledger as _;
use jarvis_safety::setting::{AuditReads, Settings};
use rmcp::model::{PaginatedRequestParams, SubscriptionFilter, Tool};
use rmcp::service::{Peer, RoleClient};
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore, watch};

use super::link::{Ear, Link, Means, told, with_complaints};
use super::name::names;
use super::tool::{Declared, Server};

/// Most tools of a server.
const MOST_TOOLS: usize = 128;
/// Most pages of a list.
const MOST_PAGES: usize = 32;
/// Most calls to one server at once; others wait.
const PLACES: usize = 16;
/// Longest time for a list.
const LIST: Duration = Duration::from_secs(30);
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// A server that lasted so long begins anew with the shortest wait.
const STEADY: Duration = Duration::from_secs(60);
/// Least time between two looks at a list that changes all the time.
const SETTLE: Duration = Duration::from_millis(500);

/// A mounted server.
pub(super) struct Kept {
    server: Server,
    configured: bool,
    means: Means,
    annex: Annex,
    settings: watch::Receiver<Settings>,
    held: watch::Sender<Option<Peer<RoleClient>>>,
    seen: Mutex<Seen>,
}

struct Seen {
    state: MountState,
    server: Option<String>,
    declared: Vec<Declared>,
    /// Tools that were changed after they had been reviewed.
    changed: Vec<String>,
    /// Whether it answered, as was last written down.
    told: Option<bool>,
    /// It was let go of: it makes nothing known any more.
    ended: bool,
}

impl Kept {
    pub(super) fn new(
        name: &str,
        line: &Line,
        configured: bool,
        means: Means,
        annex: Annex,
        settings: watch::Receiver<Settings>,
    ) -> Self {
        let held = watch::channel(None).0;
        let server = Server {
            name: name.to_owned(),
            line: line.clone(),
            held: held.subscribe(),
            places: Arc::new(Semaphore::new(PLACES)),
            nudge: Arc::new(Notify::new()),
        };
        let seen = Seen {
            state: MountState::Connecting,
            server: None,
            declared: Vec::new(),
            changed: Vec::new(),
            told: None,
            ended: false,
        };
        Self { server, configured, means, annex, settings, held, seen: Mutex::new(seen) }
    }

    /// Has it reached anew now.
    pub(super) fn nudge(&self) {
        self.server.nudge.notify_one();
    }

    pub(super) const fn line(&self) -> &Line {
        &self.server.line
    }

    /// What is seen of it.
    pub(super) fn view(&self) -> MountView {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = self.settings.borrow();
        let reviews = settings.reviews.get(&self.server.name);
        let tools = seen.declared.iter().map(|declared| {
            let standing = declared.standing(reviews.and_then(|all| all.get(&declared.seen.name)));
            MountedTool { standing, ..declared.seen.clone() }
        });
        MountView {
            name: self.server.name.clone(),
            line: self.server.line.clone(),
            configured: self.configured,
            state: seen.state.clone(),
            server: seen.server.clone(),
            tools: tools.collect(),
        }
    }

    /// Keeps it for as long as this is polled.
    pub(super) async fn keep(&self) {
        let (mut wait, mut plain) = (FIRST_WAIT, false);
        loop {
            self.state(MountState::Connecting);
            let ear = Ear { changed: Arc::new(Notify::new()) };
            let begun = Instant::now();
            let why = match self.means.reach(&self.server.line, ear.clone(), plain).await {
                Ok(link) => self.serve(link, &ear).await,
                Err(why) => {
                    // The next time with the other first word: some servers end when they do not know it.
                    plain = !plain;
                    why
                }
            };
            self.held.send_replace(None);
            let why = self.means.secrets.redactor.text(&why).into_owned();
            tracing::warn!(server = self.server.name, why, "a mounted MCP server does not answer");
            self.tell(MountState::Down(why)).await;
            if begun.elapsed() > STEADY {
                wait = FIRST_WAIT;
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.server.nudge.notified() => {}
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Serves until the line breaks, and says why.
    async fn serve(&self, link: Link, ear: &Ear) -> String {
        let Link { service, program } = link;
        let peer = service.peer().clone();
        let named = peer.peer_info().and_then(|info| {
            let server = info.server_info.as_ref()?;
            Some(shorten(&visible(&format!("{} {}", server.name, server.version)), 100))
        });
        let mut ended = Box::pin(service.waiting());
        let mut listening = Box::pin(listen(peer.clone(), Arc::clone(&ear.changed)));
        let mut settings = self.settings.clone();
        let mut is_listening = true;
        if let Err(why) = self.list(&peer).await {
            return with_complaints(why, program.as_ref());
        }
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).server = named;
        self.held.send_replace(Some(peer.clone()));
        self.tell(MountState::Up).await;
        loop {
            tokio::select! {
                reason = &mut ended => {
                    let why = match reason {
                        Ok(reason) => format!("its line was closed ({reason:?})"),
                        Err(error) => told(&error),
                    };
                    return with_complaints(why, program.as_ref());
                }
                () = ear.changed.notified() => {
                    if let Err(why) = self.list(&peer).await {
                        return with_complaints(why, program.as_ref());
                    }
                    tokio::time::sleep(SETTLE).await;
                }
                () = self.server.nudge.notified() => {
                    return with_complaints("it is reached anew".to_owned(), program.as_ref());
                }
                () = &mut listening, if is_listening => is_listening = false,
                Ok(()) = settings.changed() => self.publish(),
            }
        }
    }

    /// Asks for its tools, and makes them known.
    async fn list(&self, peer: &Peer<RoleClient>) -> Result<(), String> {
        let tools = tokio::time::timeout(LIST, all_tools(peer)).await;
        let tools = tools.map_err(|_| format!("it did not list its tools within {} s", LIST.as_secs()))??;
        let called = names(&self.server.name, tools.iter().map(|tool| tool.name.as_ref()));
        let called: Vec<_> = tools.iter().map(|tool| called[tool.name.as_ref()].clone()).collect();
        let declared = tools.into_iter().zip(called).map(|(tool, call)| Declared::new(&self.server, &call, tool));
        let declared = declared.collect();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).declared = declared;
        self.publish();
        self.tell_changed().await;
        Ok(())
    }

    /// Puts its tools, as they stand, where calls find them.
    pub(super) fn publish(&self) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.ended {
            return;
        }
        let tools = {
            let settings = self.settings.borrow();
            let reviews = settings.reviews.get(&self.server.name);
            let admitted = seen.declared.iter().filter_map(|declared| {
                let standing = declared.standing(reviews.and_then(|all| all.get(&declared.seen.name)));
                declared.admit(&self.server, &standing)
            });
            admitted.collect()
        };
        self.annex.replace(&self.server.name, tools);
    }

    /// Takes its tools away, for good. What waits to be called is refused.
    pub(super) fn end(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.ended = true;
        self.annex.replace(&self.server.name, Vec::new());
        self.server.places.close();
    }

    fn state(&self, state: MountState) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).state = state;
    }

    /// Changes the state, and writes it down unless it is as it was.
    async fn tell(&self, state: MountState) {
        let name = &self.server.name;
        let is_up = state == MountState::Up;
        let tools = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.state = state.clone();
            if seen.told.replace(is_up) == Some(is_up) {
                return;
            }
            seen.declared.len()
        };
        let (summary, body) = match state {
            MountState::Down(why) => {
                (format!("MCP server {name} does not answer"), json!({ "mount": name, "why": why }))
            }
            _ => (format!("MCP server {name} answers, with {tools} tools"), json!({ "mount": name })),
        };
        self.write(summary, body).await;
    }

    /// Writes down which reviewed tools are others now, once.
    async fn tell_changed(&self) {
        let name = &self.server.name;
        let changed: Vec<_> = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let settings = self.settings.borrow();
            let reviews = settings.reviews.get(name);
            let is_changed = |declared: &&Declared| {
                let review = reviews.and_then(|all| all.get(&declared.seen.name));
                matches!(declared.standing(review), ToolStanding::Changed(_))
            };
            let changed = seen.declared.iter().filter(is_changed).map(|declared| declared.seen.name.clone());
            let changed: Vec<_> = changed.collect();
            if seen.changed == changed {
                return;
            }
            seen.changed.clone_from(&changed);
            changed
        };
        if !changed.is_empty() {
            let summary = format!("MCP server {name} changed {} reviewed tools: they are quarantined", changed.len());
            self.write(summary, json!({ "mount": name, "tools": changed })).await;
        }
    }

    async fn write(&self, summary: String, body: Value) {
        let mut row = crate::serve::row(EventKind::MountChanged, summary);
        row.body = Some(body);
        if let Err(error) = self.means.store.append(row, AuditReads::Wal).await {
            tracing::warn!(%error, server = self.server.name, "what became of a mounted MCP server was not written down");
        }
    }
}

async fn all_tools(peer: &Peer<RoleClient>) -> Result<Vec<Tool>, String> {
    let (mut tools, mut cursor) = (Vec::<Tool>::new(), None);
    for _ in 0..MOST_PAGES {
        let params = PaginatedRequestParams::default().with_cursor(cursor);
        let page = peer.list_tools(Some(params)).await;
        let page = page.map_err(|error| format!("it does not list its tools: {}", told(&error)))?;
        for tool in page.tools {
            // The first of a name is the one.
            if tools.len() < MOST_TOOLS && !tools.iter().any(|known| known.name == tool.name) {
                tools.push(tool);
            }
        }
        cursor = page.next_cursor;
        if cursor.is_none() || tools.len() >= MOST_TOOLS {
            break;
        }
    }
    Ok(tools)
}

/// Hears of changes where a server tells of them only to those who ask.
async fn listen(peer: Peer<RoleClient>, changed: Arc<Notify>) {
    let filter = SubscriptionFilter::builder().tools_list_changed().build();
    let Ok(mut heard) = peer.listen(filter).await else { return };
    while let Ok(Some(_)) = heard.next().await {
        changed.notify_one();
    }
}
