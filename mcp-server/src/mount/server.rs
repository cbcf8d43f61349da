//! One mounted server: reached, listened to, and reached again when it goes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use jarvis_safety::event::EventKind;
use jarvis_safety::foreign::Annex;
use jarvis_safety::kernel::KillSwitch;
use jarvis_safety::mount::{Line, MountState, MountView, MountedTool, Review, ToolStanding};
use jarvis_safety::plain::{shorten, visible};
use jarvis_safety::port::Ledger as _;
use jarvis_safety::secret::Redactor;
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
/// Most bytes of a whole list.
const MOST_LIST: usize = 4 * 1024 * 1024;
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
/// Least time between two rows that tell whether a server answers.
const LEAST: Duration = Duration::from_secs(60);
/// Least time between two looks at a list that changes all the time.
const SETTLE: Duration = Duration::from_millis(500);

/// Why a server does not answer while the kill switch is thrown.
const STOPPED: &str = "the kill switch ended it; it is begun again when not everything is stopped";

/// A mounted server.
pub(super) struct Kept {
    server: Server,
    configured: bool,
    means: Means,
    annex: Annex,
    settings: watch::Receiver<Settings>,
    held: watch::Sender<Option<(u64, Peer<RoleClient>)>>,
    /// Has it reached anew now.
    nudged: Notify,
    seen: Mutex<Seen>,
}

struct Seen {
    state: MountState,
    server: Option<String>,
    declared: Vec<Declared>,
    /// Tools of which it was written down that they were changed after they had been reviewed.
    changed: BTreeSet<String>,
    /// Whether it answered, as was last written down, and when.
    told: Option<(bool, Instant)>,
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
            broken: Arc::new(watch::channel(0).0),
            now: Arc::default(),
        };
        let seen = Seen {
            state: MountState::Connecting,
            server: None,
            declared: Vec::new(),
            changed: BTreeSet::new(),
            told: None,
            ended: false,
        };
        Self { server, configured, means, annex, settings, held, nudged: Notify::new(), seen: Mutex::new(seen) }
    }

    /// Has it reached anew now.
    pub(super) fn nudge(&self) {
        self.nudged.notify_one();
    }

    pub(super) const fn line(&self) -> &Line {
        &self.server.line
    }

    /// What the operator said of its tools. Taken before anything else is held.
    fn reviews(&self) -> BTreeMap<String, Review> {
        self.settings.borrow().reviews.get(&self.server.name).cloned().unwrap_or_default()
    }

    /// What is seen of it.
    pub(super) fn view(&self) -> MountView {
        let reviews = self.reviews();
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let tools = seen.declared.iter().map(|declared| {
            let standing = declared.standing(reviews.get(&declared.seen.name));
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

    /// What needs the operator's attention, a sentence each.
    pub(super) fn warnings(&self) -> Vec<String> {
        let (name, reviews) = (&self.server.name, self.reviews());
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let down = match &seen.state {
            // The reason may hold what the server wrote: it is shown with the server.
            MountState::Down(_) => {
                Some(format!("the MCP server {name} does not answer; `jarvis mount list` tells why"))
            }
            _ => None,
        };
        let changed = seen.declared.iter().filter(|declared| is_changed(declared, &reviews)).count();
        let changed = (changed > 0).then(|| {
            format!("the MCP server {name} changed {changed} tools that were reviewed; they are not called until you look again")
        });
        down.into_iter().chain(changed).collect()
    }

    /// Keeps it for as long as this is polled.
    pub(super) async fn keep(&self) {
        let (mut wait, mut plain) = (FIRST_WAIT, false);
        let mut brake = self.means.brake.clone();
        for line in 1.. {
            let begun = Instant::now();
            let broken = self.once(line, &mut plain, &mut brake).await;
            self.held.send_replace(None);
            self.tell(MountState::Down(broken.clone().unwrap_or_else(|| STOPPED.to_owned()))).await;
            if broken.is_none() || begun.elapsed() > STEADY {
                wait = FIRST_WAIT;
            }
            // With one that the kill switch ended nothing is wrong: it is begun again as soon as it may be.
            let Some(why) = broken else { continue };
            tracing::warn!(server = self.server.name, why, "a mounted MCP server does not answer");
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.nudged.notified() => {}
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Reaches it when it may be, and serves until the line breaks, and says why; none if the kill switch ended it.
    async fn once(&self, line: u64, plain: &mut bool, brake: &mut watch::Receiver<KillSwitch>) -> Option<String> {
        let held = self.released(brake).await;
        self.state(MountState::Connecting);
        // Dropped with its program: what was asked to stop there need not listen.
        tokio::select! {
            biased;
            () = thrown(brake, held) => None,
            why = self.reach(line, plain) => Some(why),
        }
    }

    /// Comes back once not everything is stopped, and says what is.
    async fn released(&self, brake: &mut watch::Receiver<KillSwitch>) -> KillSwitch {
        if *brake.borrow() == KillSwitch::All {
            self.state(MountState::Down(STOPPED.to_owned()));
        }
        let now = brake.wait_for(|now| *now != KillSwitch::All).await.map(|now| *now);
        match now {
            Ok(now) => now,
            Err(_) => std::future::pending().await,
        }
    }

    /// Reaches it and serves until the line breaks, and says why. `plain` is how it is greeted.
    async fn reach(&self, line: u64, plain: &mut bool) -> String {
        let ear = Ear { changed: Arc::new(Notify::new()) };
        match self.means.reach(&self.server.line, ear.clone(), *plain).await {
            Ok(link) => self.serve(line, link, &ear).await,
            Err(why) => {
                // The next time with the other first word: some servers end when they do not know it.
                *plain = !*plain;
                why
            }
        }
    }

    /// Serves until the line breaks, and says why.
    async fn serve(&self, line: u64, link: Link, ear: &Ear) -> String {
        let Link { service, program, pace } = link;
        let redactor = &self.means.secrets.redactor;
        let because = |why: String| with_complaints(pace.fault().unwrap_or(why), program.as_ref(), redactor);
        let peer = service.peer().clone();
        let named = peer.peer_info().and_then(|info| {
            let server = info.server_info.as_ref()?;
            let said = format!("{} {}", server.name, server.version);
            Some(shorten(&visible(&redactor.text(&said)), 100))
        });
        let mut ended = Box::pin(service.waiting());
        let mut listening = Box::pin(listen(peer.clone(), Arc::clone(&ear.changed)));
        let mut broken = self.server.broken.subscribe();
        let mut is_listening = true;
        // Whoever asked for it until now has it; whoever asks from now on may have seen an older list.
        let _ = self.nudged.notified().now_or_never();
        if let Err(why) = self.list(&peer).await {
            return because(why);
        }
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).server = named;
        self.held.send_replace(Some((line, peer.clone())));
        self.tell(MountState::Up).await;
        loop {
            tokio::select! {
                reason = &mut ended => {
                    return because(match reason {
                        Ok(reason) => format!("its line was closed ({reason:?})"),
                        Err(error) => told(&error, redactor),
                    });
                }
                () = ear.changed.notified() => {
                    tokio::time::sleep(SETTLE).await;
                    if let Err(why) = self.list(&peer).await {
                        return because(why);
                    }
                }
                () = found_broken(&mut broken, line) => return because("a call found its line broken".to_owned()),
                () = self.nudged.notified() => {
                    // At once, without the wait for one that broke.
                    self.nudge();
                    return "it is reached anew, as was asked".to_owned();
                }
                () = &mut listening, if is_listening => is_listening = false,
            }
        }
    }

    /// Asks for its tools, and makes them known.
    async fn list(&self, peer: &Peer<RoleClient>) -> Result<(), String> {
        let tools = tokio::time::timeout(LIST, all_tools(peer, &self.means.secrets.redactor)).await;
        let tools = tools.map_err(|_| format!("it did not list its tools within {} s", LIST.as_secs()))??;
        let redactor = &self.means.secrets.redactor;
        let called = names(&self.server.name, tools.iter().map(|tool| tool.name.as_ref()));
        let called: Vec<_> = tools.iter().map(|tool| called[tool.name.as_ref()].clone()).collect();
        let declared =
            tools.into_iter().zip(called).map(|(tool, call)| Declared::new(&self.server, &call, tool, redactor));
        let declared = declared.collect();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).declared = declared;
        self.publish();
        self.tell_changed().await;
        Ok(())
    }

    /// Puts its tools, as they stand, where calls find them.
    pub(super) fn publish(&self) {
        let reviews = self.reviews();
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.ended {
            return;
        }
        let admitted = seen
            .declared
            .iter()
            .filter_map(|declared| declared.admit(&self.server, &declared.standing(reviews.get(&declared.seen.name))));
        let tools: Vec<_> = admitted.collect();
        let now = tools.iter().map(|tool| (tool.described().spec.name, tool.described().catalogue.clone()));
        *self.server.now.write().unwrap_or_else(PoisonError::into_inner) = now.collect();
        self.annex.replace(&self.server.name, tools);
    }

    /// Takes its tools away, for good. What waits to be called is refused.
    pub(super) fn end(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.ended = true;
        self.server.now.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.annex.replace(&self.server.name, Vec::new());
        self.server.places.close();
    }

    fn state(&self, state: MountState) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).state = state;
    }

    /// Changes the state, and writes down whether it answers: when that changes, and once a minute at most.
    async fn tell(&self, state: MountState) {
        let name = &self.server.name;
        let is_up = state == MountState::Up;
        let tools = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.state = state.clone();
            let same = |told: &(bool, Instant)| told.0 == is_up || told.1.elapsed() < LEAST;
            if seen.told.as_ref().is_some_and(same) {
                return;
            }
            seen.told = Some((is_up, Instant::now()));
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

    /// Writes down which reviewed tools are others now: each of them once.
    async fn tell_changed(&self) {
        let (name, reviews) = (&self.server.name, self.reviews());
        let fresh: Vec<_> = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let changed = seen.declared.iter().filter(|declared| is_changed(declared, &reviews));
            let changed: Vec<_> = changed.map(|declared| declared.seen.name.clone()).collect();
            changed.into_iter().filter(|tool| seen.changed.insert(tool.clone())).collect()
        };
        if !fresh.is_empty() {
            let summary = format!("MCP server {name} changed {} reviewed tools: they are quarantined", fresh.len());
            self.write(summary, json!({ "mount": name, "tools": fresh })).await;
        }
    }

    /// The operator has spoken: what changes from now on is written down again.
    pub(super) fn forget_changed(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).changed.clear();
    }

    async fn write(&self, summary: String, body: Value) {
        let mut row = crate::serve::row(EventKind::MountChanged, summary);
        row.body = Some(body);
        if let Err(error) = self.means.store.append(row, AuditReads::Wal).await {
            tracing::warn!(%error, server = self.server.name, "what became of a mounted MCP server was not written down");
        }
    }
}

/// Comes back once the kill switch is thrown, or thrown harder than it was.
async fn thrown(brake: &mut watch::Receiver<KillSwitch>, mut was: KillSwitch) {
    loop {
        let now = *brake.borrow_and_update();
        if now > was {
            return;
        }
        was = now;
        if brake.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Comes back once a call found this line broken.
async fn found_broken(broken: &mut watch::Receiver<u64>, line: u64) {
    if broken.wait_for(|found| *found == line).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn is_changed(declared: &Declared, reviews: &BTreeMap<String, Review>) -> bool {
    matches!(declared.standing(reviews.get(&declared.seen.name)), ToolStanding::Changed(_))
}

async fn all_tools(peer: &Peer<RoleClient>, redactor: &Redactor) -> Result<Vec<Tool>, String> {
    let (mut tools, mut cursor, mut bytes) = (Vec::<Tool>::new(), None, 0);
    for _ in 0..MOST_PAGES {
        let params = PaginatedRequestParams::default().with_cursor(cursor);
        let page = peer.list_tools(Some(params)).await;
        let page = page.map_err(|error| format!("it does not list its tools: {}", told(&error, redactor)))?;
        for tool in page.tools {
            bytes += serde_json::to_string(&tool).map_or(0, |text| text.len());
            if bytes > MOST_LIST {
                return Err(format!("its list of tools is larger than {} MiB", MOST_LIST / 1024 / 1024));
            }
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
