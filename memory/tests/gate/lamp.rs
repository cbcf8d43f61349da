//! A small world of lamps behind the real gate and the real store, with a clock that is turned by hand.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jarvis_memory::{LiveHub, Options, Store};
use jarvis_safety::approval::Approval;
use jarvis_safety::call::{Origin, Request, Vouching};
use jarvis_safety::event::{Draft, EventKind};
use jarvis_safety::kernel::{Console, GateParts, KillSwitch, Permit, Policy, Registry, RegistryBuilder};
use jarvis_safety::outcome::{Answer, Outcome};
use jarvis_safety::port::{Clock, EventFilter, Feed as _, Identities as _, Ids, Ledger};
use jarvis_safety::secret::{Redactor, Secrets};
use jarvis_safety::setting::Settings;
use jarvis_safety::tool::{Done, Look, Probe, RunContext, Spec, Tool, ToolError, ToolErrorKind, Trust};
use jarvis_safety::{Actor, ActorId, ApprovalId, Effects, Refusal, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::place::Place;

/// A clock that stands until it is turned, unless it ticks: then every look at it takes it so many milliseconds on.
pub(crate) struct HandClock {
    at: AtomicI64,
    tick: AtomicI64,
}

impl HandClock {
    pub(crate) fn turn(&self, millis: i64) {
        self.at.fetch_add(millis, Ordering::SeqCst);
    }

    pub(crate) fn tick(&self, millis: i64) {
        self.tick.store(millis, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> i64 {
        self.at.fetch_add(self.tick.load(Ordering::SeqCst), Ordering::SeqCst)
    }
}

pub(crate) struct Counted(Mutex<u128>);

impl Ids for Counted {
    fn next(&self) -> u128 {
        let mut number = self.0.lock().unwrap();
        *number += 1;
        *number
    }
}

/// The lamps, and every effect that any tool had on them.
#[derive(Default)]
pub(crate) struct Lamps {
    /// Immutable id by name.
    ids: BTreeMap<String, String>,
    /// Everything that was done, in order: verb and id.
    pub(crate) effects: Vec<(String, String)>,
    /// Slow calls that have begun.
    pub(crate) begun: usize,
    /// What a probe answers.
    pub(crate) probe: Option<Probe>,
}

/// Shared between the tools and the test.
pub(crate) type World = Arc<Mutex<Lamps>>;

/// Names a lamp.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lamp {
    /// Name of the lamp.
    lamp: String,
    /// How long it takes, in milliseconds.
    #[serde(default)]
    slow: u64,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Told {
    said: String,
}

fn find(world: &World, lamp: &str) -> Result<Target, ToolError> {
    let lamps = world.lock().unwrap();
    let id = lamps.ids.get(lamp);
    id.map(|id| Target::new("lamp", id.clone(), lamp))
        .ok_or_else(|| ToolError::new(ToolErrorKind::NotFound, format!("there is no lamp `{lamp}`")))
}

macro_rules! lamp_tool {
    ($tool:ident, $name:literal, $tier:expr, $effects:expr) => {
        struct $tool(World);

        impl Tool for $tool {
            const SPEC: Spec = Spec {
                name: $name,
                revision: 1,
                tier: $tier,
                effects: $effects,
                deadline: Duration::from_secs(5),
                trust: Trust::Trusted,
                secrets: &[],
                examples: &["{lamp}"],
                lists: None,
            };
            type Args = Lamp;
            type Output = Told;

            async fn resolve(&self, args: &Lamp, _: &Look) -> Result<Target, ToolError> {
                find(&self.0, &args.lamp)
            }

            fn sentence(&self, args: &Lamp, target: &Target) -> String {
                format!("{} {} ({}).", $name, target.name, args.slow)
            }

            async fn run(&self, args: Lamp, _: &RunContext, permit: Permit<Self>) -> Result<Done<Told>, ToolError> {
                if args.slow > 0 {
                    self.0.lock().unwrap().begun += 1;
                    tokio::time::sleep(Duration::from_millis(args.slow)).await;
                }
                if args.lamp == "broken" {
                    return Err(ToolError::new(ToolErrorKind::Failed, "the lamp is broken"));
                }
                assert!(args.lamp != "cursed", "a defect");
                let effect = ($name.to_owned(), permit.target().id.clone());
                let mut lamps = self.0.lock().unwrap();
                lamps.effects.push(effect);
                if $name == "lamp_smash" {
                    // What is smashed is not found any more.
                    lamps.ids.remove(&args.lamp);
                }
                drop(lamps);
                let done = Done::new(Told { said: format!("{} done", $name) });
                let back = if $name == "lamp_dim" { "lamp_stop" } else { "lamp_dim" };
                Ok(done.undo_by(back, json!({ "lamp": args.lamp })))
            }

            async fn probe(&self, _: &Lamp, _: &Target) -> Probe {
                self.0.lock().unwrap().probe.unwrap_or(Probe::Unknown)
            }

            fn words(&self, output: &Told) -> String {
                output.said.clone()
            }
        }
    };
}

lamp_tool!(See, "lamp_see", Tier::Green, Effects::READS);
lamp_tool!(Dim, "lamp_dim", Tier::Yellow, Effects::WRITES);
lamp_tool!(Stop, "lamp_stop", Tier::Orange, Effects::WRITES);
lamp_tool!(Smash, "lamp_smash", Tier::Red, Effects::DELETES);

/// What a house has beside the lamps' tools, and what stands before its store. Asked again after every restart.
pub(crate) type Fit = Arc<dyn Fn(RegistryBuilder, &Store, &World) -> (RegistryBuilder, Arc<dyn Ledger>) + Send + Sync>;

/// The gate, the store under it, the clock and the lamps.
pub(crate) struct House {
    pub(crate) gate: Console,
    pub(crate) store: Store,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) world: World,
    pub(crate) ids: Arc<Counted>,
    fit: Fit,
    place: Place,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::fitted(Arc::new(|tools, store, _| (tools, Arc::new(store.clone())))).await
    }

    /// A house with other tools beside the lamps', or with something before its store.
    pub(crate) async fn fitted(fit: Fit) -> Self {
        let house = Self::without_operator(fit).await;
        house.store.set_password("correct horse battery", draft()).await.unwrap();
        house
    }

    /// A house in which nobody can approve yet.
    pub(crate) async fn without_operator(fit: Fit) -> Self {
        let place = Place::new().await;
        let clock = Arc::new(HandClock { at: AtomicI64::new(1_800_000_000_000), tick: AtomicI64::new(0) });
        let ids = Arc::new(Counted(Mutex::new(1)));
        let lamps = ["kitchen", "hall", "cellar", "broken", "cursed"];
        let ids_of = lamps.iter().map(|name| ((*name).to_owned(), format!("id-{name}"))).collect();
        let world: World = Arc::new(Mutex::new(Lamps { ids: ids_of, ..Lamps::default() }));
        let store = open(&place, &clock, &ids).await;
        let gate = build(&store, &clock, &ids, &world, &fit, Ok(Policy::default())).await;
        Self { gate, store, clock, world, ids, fit, place }
    }

    /// The same house after the process was killed: what was in memory is gone.
    pub(crate) async fn killed(self) -> Self {
        self.killed_under(Ok(Policy::default())).await
    }

    pub(crate) async fn killed_under(self, policy: Result<Policy, String>) -> Self {
        let Self { gate, store, clock, world, ids, fit, place } = self;
        drop(gate);
        store.close().await;
        drop(store);
        let store = open(&place, &clock, &ids).await;
        let gate = build(&store, &clock, &ids, &world, &fit, policy).await;
        gate.recover().await.unwrap();
        Self { gate, store, clock, world, ids, fit, place }
    }

    /// Puts another lamp under the same name.
    pub(crate) fn replace(&self, lamp: &str, id: &str) {
        self.world.lock().unwrap().ids.insert(lamp.to_owned(), id.to_owned());
    }

    pub(crate) fn effects(&self) -> Vec<(String, String)> {
        self.world.lock().unwrap().effects.clone()
    }

    pub(crate) async fn call(&self, actor: &Actor, tool: &str, args: Value) -> Answer {
        self.gate.call(request(actor, tool, args)).await
    }

    /// Asks for something that must be approved.
    pub(crate) async fn ask(&self, actor: &Actor, tool: &str, lamp: &str) -> Approval {
        match self.call(actor, tool, json!({ "lamp": lamp })).await {
            Answer::Waiting(card) => *card,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn approve(&self, id: &ApprovalId) -> Result<Approval, Refusal> {
        self.gate.approve(&Actor::operator(), id, &Origin::default()).await?;
        self.gate.wait(id, Duration::from_secs(10)).await
    }

    pub(crate) async fn call_local(&self, tool: &str, args: Value) -> Answer {
        self.call(&Actor::local(), tool, args).await
    }

    /// How many rows of a kind there are.
    pub(crate) async fn count(&self, kind: EventKind) -> usize {
        let filter = EventFilter { kinds: vec![kind], ..EventFilter::default() };
        self.store.after(0, &filter, 500).await.unwrap().len()
    }

    /// Kinds of all rows about a subject, oldest first.
    pub(crate) async fn kinds(&self, subject: &str) -> Vec<EventKind> {
        let filter = EventFilter { subject: Some(subject.to_owned()), ..EventFilter::default() };
        self.store.after(0, &filter, 100).await.unwrap().into_iter().map(|event| event.kind).collect()
    }

    /// Nothing that happened is missing from the audit, and nothing runs on.
    pub(crate) async fn leave(self) {
        let found = self.store.verify().await.unwrap();
        assert_eq!(found.faults, Vec::<String>::new());
        let intents = EventFilter { kinds: vec![EventKind::CallDone], ..EventFilter::default() };
        let told = self.store.after(0, &intents, 500).await.unwrap().len();
        let green = |effect: &&(String, String)| effect.0 != "lamp_see";
        assert_eq!(told, self.effects().iter().filter(green).count(), "every effect is told exactly once");
        assert!(self.store.unsettled_calls().await.unwrap().is_empty(), "a call was left open");
    }
}

async fn open(place: &Place, clock: &Arc<HandClock>, ids: &Arc<Counted>) -> Store {
    let (clock, ids) = (Arc::clone(clock) as Arc<dyn Clock>, Arc::clone(ids) as Arc<dyn Ids>);
    let options = Options { data: place.data(), clock, ids, redactor: Redactor::default() };
    Store::open_on(place.database(), options).await.unwrap()
}

async fn build(
    store: &Store,
    clock: &Arc<HandClock>,
    ids: &Arc<Counted>,
    world: &World,
    fit: &Fit,
    policy: Result<Policy, String>,
) -> Console {
    let lamps = Registry::builder()
        .with(See(Arc::clone(world)))
        .with(Dim(Arc::clone(world)))
        .with(Stop(Arc::clone(world)))
        .with(Smash(Arc::clone(world)));
    let (tools, ledger) = fit(lamps, store, world);
    let registry = tools.build().unwrap();
    let kill = store.kill_switch().await.unwrap();
    assert!(matches!(kill, KillSwitch::Off | KillSwitch::Effects | KillSwitch::All));
    Console::new(GateParts {
        registry,
        ledger,
        identities: Arc::new(store.clone()),
        live: Arc::new(LiveHub::new()),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        ids: Arc::clone(ids) as Arc<dyn Ids>,
        settings: Settings::default(),
        policy,
        kill,
        grants: store.grants(Some(clock.now())).await.unwrap(),
        secrets: Secrets::default(),
    })
}

pub(crate) fn request(actor: &Actor, tool: &str, args: Value) -> Request {
    Request {
        actor: actor.clone(),
        origin: Origin { face: "test".to_owned(), correlation: "test".to_owned(), ..Origin::default() },
        tool: tool.to_owned(),
        args,
        key: None,
        vouching: Vouching::Person,
    }
}

pub(crate) fn draft() -> Draft {
    Draft {
        kind: EventKind::OperatorSet,
        actor: ActorId::new("operator"),
        owner: ActorId::new("operator"),
        subject: String::new(),
        correlation: "test".to_owned(),
        tool: None,
        tier: None,
        summary: "test".to_owned(),
        body: None,
    }
}

pub(crate) fn ran(answer: Answer) -> Outcome {
    match answer {
        Answer::Ran(outcome) => *outcome,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn refused(answer: Answer) -> Refusal {
    match answer {
        Answer::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}
