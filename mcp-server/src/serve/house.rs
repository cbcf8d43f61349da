//! The rooms, joined.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use jarvis_agents::{Mind, MindParts, Prompts};
use jarvis_memory::{JobDesk, JobStore, LiveHub, McpSessions, SecretVault, Store};
use jarvis_safety::Actor;
use jarvis_safety::event::{Draft, EventKind};
use jarvis_safety::foreign::Annex;
use jarvis_safety::heard::Heard;
use jarvis_safety::job::{JobQueue, Kinds, Peers, QueueParts, ToolCall, Worker, WorkerOptions};
use jarvis_safety::kernel::{Console, Gate, GateParts};
use jarvis_safety::port::{Clock, Identities as _, Ids, Index, Ledger as _, Live, SettingStore as _};
use jarvis_safety::secret::{Redactor, SecretStore as _, Secrets};
use jarvis_safety::setting::{AuditReads, Settings};
use jarvis_tools::command::Commands;
use jarvis_tools::docker::Docker;
use jarvis_tools::service::Bus;
use jarvis_web::{Web, WebParts};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::clock::UuidIds;
use super::doctor::Doctor;
use super::index::LiveIndex;
use super::replica::Replica;
use super::vault::{self, References};
use super::{gauges, policy};
use crate::catalogue::{self, Hands};
use crate::config::{Config, Environment};
use crate::fixture;
use crate::mcp::{self, Change, Changes, Face, FaceParts, Inquiries};
use crate::mount::{Means, Mounts};

/// Everything that serves, before it listens.
pub(super) struct House {
    config: Config,
    clock: Arc<dyn Clock>,
    ids: Arc<UuidIds>,
    store: Store,
    vault: SecretVault,
    redactor: Redactor,
    live: Arc<LiveHub>,
    console: Console,
    jobs: JobQueue,
    mind: Mind,
    settings: watch::Sender<Settings>,
    heard: Arc<Heard>,
    hands: Hands,
    face: Face,
    mounts: Mounts,
    index: Arc<LiveIndex>,
}

impl House {
    /// Reads what was left, and joins the rooms over it.
    pub(super) async fn join(
        config: &Config,
        environment: &Environment,
        clock: Arc<dyn Clock>,
        store: Store,
        redactor: Redactor,
    ) -> anyhow::Result<Self> {
        set_password(&store, environment).await?;
        let ids = Arc::new(UuidIds);
        let live = Arc::new(LiveHub::new());
        let settings = store.settings().await?;
        let vault = SecretVault::unlock(&store, vault::options(&config.vault, environment)).await;
        let references = Arc::new(References::new(vault.clone(), environment.clone()));
        let secrets = Secrets { vault: references, redactor: redactor.clone() };
        let (sender, receiver) = watch::channel(settings.clone());
        let hands = hands(config, receiver, &clock, &ids);
        let registry = catalogue::registry(hands.clone())?;
        if config.fixtures {
            tracing::warn!("{}", fixture::WARNING);
        }
        let index = Arc::new(LiveIndex::new(&registry)?);
        let kill = store.kill_switch().await?;
        let grants = store.grants(Some(clock.now())).await?;
        let policy = policy::against(policy::load(&config.policy), &registry);
        tell_policy(&store, policy.as_ref().err()).await?;
        let console = Console::new(GateParts {
            registry,
            ledger: Arc::new(store.clone()),
            identities: Arc::new(store.clone()),
            live: live.clone(),
            clock: Arc::clone(&clock),
            ids: ids.clone(),
            settings,
            policy,
            kill,
            grants,
            secrets: secrets.clone(),
        });
        let mounts = mounts(config, &hands, &console, &store, secrets.clone())?;
        let jobs = JobQueue::new(QueueParts {
            kinds: Kinds::builder().with(ToolCall::new(console.gate(), Arc::new(store.clone()))).build()?,
            jobs: Arc::new(JobStore::new(&store)),
            feed: Arc::new(store.clone()),
            live: live.clone(),
            clock: Arc::clone(&clock),
            ids: ids.clone(),
            redactor: redactor.clone(),
        });
        hands.jobs.open(jobs.clone());
        let prompts = Prompts::load(Some(&config.prompts)).context("the prompts cannot be read")?;
        let heard = Arc::new(Heard::new(Arc::new(store.clone()), Arc::clone(&clock)));
        let mind = Mind::new(MindParts {
            gate: console.gate(),
            heard: Arc::clone(&heard),
            conversations: Arc::new(store.clone()),
            identities: Arc::new(store.clone()),
            live: live.clone(),
            index: index.clone(),
            secrets,
            clock: Arc::clone(&clock),
            ids: ids.clone(),
            prompts,
        });
        let seen = (Arc::clone(&index) as Arc<dyn Index>, Arc::clone(&heard), Arc::new(store.clone()));
        let face = face(config, &console, &jobs, &hands, seen)?;
        let (config, settings) = (config.clone(), sender);
        Ok(Self {
            config,
            clock,
            ids,
            store,
            vault,
            redactor,
            live,
            console,
            jobs,
            mind,
            settings,
            heard,
            hands,
            face,
            mounts,
            index,
        })
    }

    /// Settles what a crash left in doubt, and goes on with what was approved or asked.
    pub(super) async fn wake(&self) -> anyhow::Result<()> {
        self.console.recover().await?;
        self.mind.resume().await?;
        let text = format!("serving on {}", self.config.listen);
        self.store.append(row(EventKind::ServerStarted, text), AuditReads::Fsync).await?;
        Ok(())
    }

    /// Begins to work on jobs. `grace` is what running ones are given at the end.
    pub(super) fn start_worker(&self, grace: Duration) -> Working {
        let stop = CancellationToken::new();
        let peers = if self.store.is_shared() { Peers::Replicas } else { Peers::None };
        let worker = Worker::new(&self.jobs, WorkerOptions { grace, peers, ..WorkerOptions::default() });
        Working { task: tokio::spawn(worker.run(stop.clone())), stop }
    }

    /// Tasks that run beside the listeners.
    pub(super) fn start_tasks(&self, stop: &CancellationToken) {
        let (console, stopped) = (self.console.clone(), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = console.keep_expiring() => {}
                () = stopped.cancelled() => {}
            }
        });
        let (store, rules, stopped) = (self.store.clone(), self.config.retention.clone(), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = store.keep_pruning(&rules) => {}
                () = stopped.cancelled() => {}
            }
        });
        if self.store.is_shared() {
            let replica = Replica {
                store: self.store.clone(),
                console: self.console.clone(),
                mind: self.mind.clone(),
                settings: self.settings.clone(),
                vault: self.vault.clone(),
                clock: Arc::clone(&self.clock),
            };
            let stopped = stop.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = replica.run() => {}
                    () = stopped.cancelled() => {}
                }
            });
        }
        let (mounts, stopped) = (self.mounts.clone(), stop.clone());
        let (index, gate, changed) = (Arc::clone(&self.index), self.console.gate(), self.hands.changes.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = mounts.run() => {}
                () = index.follow(&gate, || changed.tell(Change::Tools)) => {}
                () = stopped.cancelled() => {}
            }
        });
        tokio::spawn(gauges::show(Arc::clone(&self.live) as Arc<dyn Live>, stop.clone()));
    }

    /// Takes no more jobs and lets running effects end, for as long as is given; afterwards they are cancelled and
    /// probed. Jobs that had not begun, or wait for a person, are gone on with after the next start.
    pub(super) async fn close(&self, working: Working, longest: Duration) {
        working.stop.cancel();
        let (left, worked) = tokio::join!(self.console.close(longest), working.task);
        if let Err(error) = worked {
            tracing::error!(%error, "the worker broke; the next start looks what came of its jobs");
        }
        self.mounts.end();
        if left > 0 {
            tracing::warn!(left, "effects are still running; the next start looks what came of them");
        }
    }

    /// The MCP face.
    pub(super) fn face(&self) -> Face {
        self.face.clone()
    }

    /// The web face; both doors are routers of this one.
    pub(super) fn web(&self, address: SocketAddr, stop: CancellationToken) -> Web {
        let warnings = self.warnings();
        let doctor = Doctor {
            config: self.config.clone(),
            docker: self.hands.docker.clone(),
            bus: self.hands.bus.clone(),
            commands: self.hands.commands.clone(),
            gate: self.console.gate(),
            warnings: Arc::clone(&warnings),
        };
        let mut allowed_hosts = self.config.hosts.clone();
        allowed_hosts.push(address.ip().to_string());
        Web::new(WebParts {
            gate: self.console.clone(),
            jobs: self.jobs.clone(),
            mind: self.mind.clone(),
            ledger: Arc::new(self.store.clone()),
            feed: Arc::new(self.store.clone()),
            live: self.live.clone(),
            identities: Arc::new(self.store.clone()),
            heard: Arc::clone(&self.heard),
            settings: Arc::new(self.store.clone()),
            settings_tx: self.settings.clone(),
            mounts: Arc::new(self.mounts.clone()),
            factor: Arc::new(self.vault.clone()),
            secrets: Arc::new(self.vault.clone()),
            redactor: self.redactor.clone(),
            clock: Arc::clone(&self.clock),
            ids: self.ids.clone(),
            setup: Arc::new(SetupCode(self.store.clone())),
            doctor: Arc::new(doctor),
            warnings,
            host: host_name(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            data: self.config.data.clone(),
            allowed_hosts,
            public_url: self.config.public_url.clone(),
            shutdown: stop,
        })
    }

    /// The routes of MCP for one door.
    pub(super) fn mcp(&self, stop: CancellationToken) -> Router {
        mcp::routes(&self.face, &McpSessions::new(&self.store), &stop)
    }

    fn warnings(&self) -> Arc<dyn Fn() -> Vec<String> + Send + Sync> {
        let (gate, config, store) = (self.console.gate(), self.config.clone(), self.store.clone());
        let (vault, commands) = (self.vault.clone(), self.hands.commands.clone());
        let mounts = self.mounts.clone();
        Arc::new(move || {
            let mut warnings: Vec<_> = gate.policy_fault().into_iter().chain(store.disk_fault()).collect();
            warnings.extend(vault.vault_fault().map(|fault| format!("the vault is closed: {fault}")));
            warnings.extend(commands.fault());
            warnings.extend(mounts.warnings());
            if config.fixtures {
                warnings.push(fixture::WARNING.to_owned());
            }
            if !config.listen.ip().is_loopback() && config.public_url.is_none() {
                warnings.push(format!(
                    "Jarvis listens on {} without TLS: passwords and tokens cross the network readable. Put a TLS proxy \
                     before it and set JARVIS_PUBLIC_URL",
                    config.listen
                ));
            }
            warnings
        })
    }
}

/// The worker, while it runs.
pub(super) struct Working {
    task: tokio::task::JoinHandle<()>,
    stop: CancellationToken,
}

/// The MCP face.
fn face(
    config: &Config,
    gate: &Console,
    jobs: &JobQueue,
    hands: &Hands,
    (index, heard, feed): (Arc<dyn Index>, Arc<Heard>, Arc<Store>),
) -> anyhow::Result<Face> {
    Face::new(FaceParts {
        gate: gate.clone(),
        jobs: jobs.clone(),
        ids: Arc::new(UuidIds),
        heard,
        index,
        feed,
        changes: hands.changes.clone(),
        inquiries: hands.inquiries.clone(),
        public: config.public_url.as_ref().map(ToString::to_string),
        prompts: if config.fixtures { &fixture::prompt::PROMPTS } else { &[] },
        fixtures: config.fixtures,
    })
}

/// Mounted servers; those of the configuration must not be called like a family of ours.
fn mounts(config: &Config, hands: &Hands, gate: &Gate, store: &Store, secrets: Secrets) -> anyhow::Result<Mounts> {
    let ours = gate.registry();
    if let Some(name) = config.mounts.keys().find(|name| ours.described().any(|tool| tool.family() == **name)) {
        anyhow::bail!("[mount.{name}] in jarvis.toml: `{name}` is a family of Jarvis's own tools; use another name");
    }
    let (settings, annex, commands) = (hands.settings.clone(), hands.annex.clone(), hands.commands.clone());
    let means = Means { commands, secrets, store: store.clone(), brake: gate.brake() };
    Ok(Mounts::new(config.mounts.clone(), settings, annex, means))
}

/// What the families of tools need from outside.
fn hands(config: &Config, settings: watch::Receiver<Settings>, clock: &Arc<dyn Clock>, ids: &Arc<UuidIds>) -> Hands {
    Hands {
        docker: Docker::new(config.docker.clone()),
        bus: Bus::new(config.dbus.clone()),
        commands: Commands::load(config.command_options(), Some(settings.clone())),
        jobs: JobDesk::default(),
        data: config.data.clone(),
        config: own_files(config),
        settings,
        clock: Arc::clone(clock),
        ids: Arc::clone(ids) as Arc<dyn Ids>,
        annex: Annex::default(),
        changes: Changes::default(),
        inquiries: Inquiries::default(),
        fixtures: config.fixtures,
    }
}

struct SetupCode(Store);

#[async_trait::async_trait]
impl jarvis_web::SetupCode for SetupCode {
    async fn check(&self, code: &str) -> bool {
        self.0.check_setup_code(code)
    }
}

async fn set_password(store: &Store, environment: &Environment) -> anyhow::Result<()> {
    let Some(password) = environment.get("JARVIS_OPERATOR_PASSWORD").filter(|text| !text.is_empty()) else {
        return Ok(());
    };
    if store.operator_exists().await? {
        return Ok(());
    }
    if !(10..=200).contains(&password.chars().count()) {
        anyhow::bail!("JARVIS_OPERATOR_PASSWORD takes 10 to 200 characters");
    }
    let told = row(EventKind::OperatorSet, "the operator's password was set from the environment".to_owned());
    Ok(store.set_password(password, told).await?)
}

async fn tell_policy(store: &Store, fault: Option<&String>) -> anyhow::Result<()> {
    let told = match fault {
        None => row(EventKind::PolicyLoaded, "the policy holds against its examples".to_owned()),
        Some(fault) => {
            tracing::error!(fault, "policy.toml cannot be read; everything above green is refused");
            row(EventKind::PolicyUnreadable, fault.clone())
        }
    };
    store.append(told, AuditReads::Fsync).await?;
    Ok(())
}

/// A row about Jarvis himself.
pub(crate) fn row(kind: EventKind, summary: String) -> Draft {
    let system = Actor::system().id;
    Draft {
        kind,
        actor: system.clone(),
        owner: system,
        subject: "server".to_owned(),
        correlation: "start".to_owned(),
        tool: None,
        tier: None,
        summary: jarvis_safety::plain::visible(&summary),
        body: None,
    }
}

/// Files that no tool may write: configuration, policy, commands, prompts, and the program itself.
fn own_files(config: &Config) -> Vec<std::path::PathBuf> {
    let named = [&config.policy, &config.commands, &config.prompts].map(Clone::clone);
    named.into_iter().chain(config.file.clone()).chain(std::env::current_exe().ok()).collect()
}

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "this machine".to_owned(), |name| name.trim().to_owned())
}
