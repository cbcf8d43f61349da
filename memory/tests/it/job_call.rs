//! Calls of tools as jobs, through the real gate over the real store.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jarvis_memory::{LiveHub, Store};
use jarvis_safety::approval::ApprovalState;
use jarvis_safety::call::{CallState, Origin, Request, Vouching};
use jarvis_safety::event::{Event, EventKind};
use jarvis_safety::id::TokenId;
use jarvis_safety::identity::TokenGrant;
use jarvis_safety::job::{
    Cancelled, JobContext, JobError, JobKind, JobQueue, JobRecord, JobSpec, JobState, Jobs as _, Kinds, QueueParts,
    Submission, ToolCall, WorkerOptions,
};
use jarvis_safety::kernel::{Console, GateParts, KillSwitch, Permit, Policy, Registry};
use jarvis_safety::outcome::{Answer, Outcome};
use jarvis_safety::port::{Feed as _, Identities as _, Ledger as _};
use jarvis_safety::secret::{Redactor, Secret, Secrets};
use jarvis_safety::setting::Settings;
use jarvis_safety::tool::{Done, Look, Preview, Probe, RunContext, Spec, Tool, ToolError, ToolErrorKind, Trust};
use jarvis_safety::{Actor, ApprovalId, Effects, JobId, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};

use crate::job_world::{Act, Jobbing, LONG, SAFE, Working, operator};
use crate::world::{World, client, row};

/// Touches a thing.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TouchArgs {
    /// The thing.
    name: String,
    /// What happens: `done`, `hold`, `fail` or `break`.
    #[serde(default = "done")]
    how: String,
    /// Nothing that is kept.
    #[serde(default)]
    secret: Option<String>,
}

fn done() -> String {
    "done".to_owned()
}

#[derive(Serialize, JsonSchema)]
struct Touched {
    name: String,
}

/// The world that the tools touch.
#[derive(Default)]
pub(crate) struct Things {
    touched: Mutex<BTreeMap<String, u32>>,
    began: Notify,
    go: Option<Semaphore>,
    /// Whether a probe can see what was touched.
    seen: AtomicBool,
    asked: AtomicU32,
}

impl Things {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { go: Some(Semaphore::new(0)), seen: AtomicBool::new(true), ..Self::default() })
    }

    pub(crate) fn touches(&self, name: &str) -> u32 {
        self.touched.lock().unwrap().get(name).copied().unwrap_or(0)
    }

    async fn touch(&self, args: &TouchArgs, cx: &RunContext) -> Result<Done<Touched>, ToolError> {
        cx.progress(1.0, Some(2.0), "reaching out");
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.began.notify_one();
        if args.how == "hold" {
            self.go.as_ref().unwrap().acquire().await.unwrap().forget();
        }
        if args.how == "fail" {
            return Err(ToolError::new(ToolErrorKind::Failed, "it did not work"));
        }
        *self.touched.lock().unwrap().entry(args.name.clone()).or_default() += 1;
        if args.how == "break" {
            return Err(ToolError::new(ToolErrorKind::Interrupted, "the line broke"));
        }
        Ok(Done::new(Touched { name: args.name.clone() }))
    }
}

macro_rules! touching {
    ($name:ident, $word:literal, $tier:expr, $effects:expr) => {
        struct $name(Arc<Things>);

        impl Tool for $name {
            const SPEC: Spec = Spec {
                name: $word,
                revision: 1,
                tier: $tier,
                effects: $effects,
                deadline: Duration::from_secs(60),
                trust: Trust::Trusted,
                secrets: &["secret"],
                examples: &["touch {name}"],
                lists: None,
            };
            type Args = TouchArgs;
            type Output = Touched;

            async fn resolve(&self, args: &TouchArgs, _: &Look) -> Result<Target, ToolError> {
                Ok(Target::new("thing", &*args.name, &*args.name))
            }

            fn sentence(&self, args: &TouchArgs, _: &Target) -> String {
                format!("Touches {}.", args.name)
            }

            async fn run(&self, args: TouchArgs, cx: &RunContext, _: Permit<Self>) -> Result<Done<Touched>, ToolError> {
                self.0.touch(&args, cx).await
            }

            async fn probe(&self, args: &TouchArgs, _: &Target) -> Probe {
                match (self.0.seen.load(Ordering::SeqCst), self.0.touches(&args.name)) {
                    (false, _) => Probe::Unknown,
                    (true, 0) => Probe::NotDone,
                    (true, _) => Probe::Done,
                }
            }

            fn words(&self, output: &Touched) -> String {
                format!("{} was touched", output.name)
            }
        }
    };
}

touching!(Look1, "thing_look", Tier::Green, Effects::READS);
touching!(Touch, "thing_touch", Tier::Yellow, Effects { writes: true, ..Effects::READS });
touching!(Shut, "thing_shut", Tier::Orange, Effects { writes: true, ..Effects::READS });

pub(crate) struct Calling {
    pub(crate) jobbing: Jobbing,
    console: Console,
    pub(crate) things: Arc<Things>,
}

impl Calling {
    async fn new() -> Self {
        let world = World::new().await;
        world.store.set_password("correct horse battery", row(EventKind::OperatorSet, "operator")).await.unwrap();
        Self::over(world, Things::new())
    }

    pub(crate) fn over(world: World, things: Arc<Things>) -> Self {
        let console = Console::new(GateParts {
            registry: Registry::builder()
                .with(Look1(Arc::clone(&things)))
                .with(Touch(Arc::clone(&things)))
                .with(Shut(Arc::clone(&things)))
                .build()
                .unwrap(),
            ledger: Arc::new(world.store.clone()),
            identities: Arc::new(world.store.clone()),
            live: Arc::new(LiveHub::new()),
            clock: Arc::clone(&world.clock) as _,
            ids: Arc::clone(&world.ids) as _,
            settings: Settings::default(),
            policy: Ok(Policy::default()),
            kill: KillSwitch::Off,
            grants: Vec::new(),
            secrets: Secrets::default(),
        });
        let kind = ToolCall::new(console.gate(), Arc::new(world.store.clone()));
        let jobbing = Jobbing::with(world, |kinds| kinds.with(kind));
        Self { jobbing, console, things }
    }

    /// The process is gone and another one begins.
    async fn restart(self) -> Self {
        let Self { jobbing, console, things } = self;
        let Jobbing { world, jobs, queue, .. } = jobbing;
        drop((jobs, queue, console));
        let calling = Self::over(world.restart().await, things);
        calling.console.recover().await.unwrap();
        calling
    }

    pub(crate) fn submission(&self, tool: &str, args: Value) -> Submission {
        let actor = Actor { ceiling: Tier::Red, ..Actor::local() };
        let payload = json!({ "tool": tool, "args": args });
        Submission { actor, payload, ..self.jobbing.submission("tool_call", &Act::Fail) }
    }

    pub(crate) async fn submit(&self, tool: &str, args: Value) -> JobRecord {
        (*self.jobbing.queue.submit(self.submission(tool, args)).await.unwrap().job).clone()
    }

    pub(crate) async fn ended(&self, id: &JobId) -> JobRecord {
        let job = self.jobbing.queue.follow(&operator(), id, LONG).await.unwrap();
        assert!(job.state.is_final(), "{job:?}");
        job
    }

    pub(crate) fn work(&self) -> Working {
        self.jobbing.work(2)
    }

    /// The card of a job, once it waits for one.
    async fn card(&self, id: &JobId) -> ApprovalId {
        let waits = async {
            loop {
                let job = self.jobbing.job(id).await;
                assert!(!job.state.is_final(), "{job:?}");
                if let (JobState::Waiting, Some(card)) = (job.state, job.approval) {
                    return card;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LONG, waits).await.unwrap()
    }

    async fn rows(&self, kind: EventKind) -> Vec<Event> {
        let filter = jarvis_safety::port::EventFilter { kinds: vec![kind], ..Default::default() };
        self.jobbing.world.store.after(0, &filter, 100).await.unwrap()
    }
}

fn outcome(job: &JobRecord) -> Outcome {
    serde_json::from_value(job.result.clone().unwrap()).unwrap()
}

#[tokio::test]
async fn a_tool_is_called_as_whoever_submitted_and_the_job_ends_with_its_outcome() {
    let calling = Calling::new().await;
    let working = calling.work();
    let read = calling.submit("thing_look", json!({ "name": "a" })).await;
    let effect = calling.submit("thing_touch", json!({ "name": "b" })).await;
    for (job, words) in [(&read, "a was touched"), (&effect, "b was touched")] {
        let ended = calling.ended(&job.id).await;
        assert_eq!(ended.state, JobState::Done, "{ended:?}");
        assert_eq!((outcome(&ended).words.as_str(), outcome(&ended).state), (words, CallState::Done));
        assert_eq!(ended.progress.unwrap().text, "reaching out", "what the tool tells flows into the job");
    }
    let ledger = &calling.jobbing.world.store;
    let call = ledger.keyed(&Actor::local().id, &format!("job:{}", effect.id)).await.unwrap().unwrap();
    assert_eq!((call.actor, &call.origin), (Actor::local().id, &effect.origin));
    assert_eq!(read.payload, json!({ "tool": "thing_look", "args": { "name": "a", "how": "done", "secret": null } }));
    working.stop().await;
    calling.jobbing.world.whole().await;
}

#[tokio::test]
async fn what_no_tool_understands_and_what_may_not_be_kept_is_refused_at_once() {
    let calling = Calling::new().await;
    let said = async |tool: &str, args| {
        calling.jobbing.queue.submit(calling.submission(tool, args)).await.unwrap_err().message
    };
    assert!(said("thing_eat", json!({})).await.contains("thing_look, thing_shut, thing_touch"));
    assert!(said("thing_touch", json!({ "name": 1 })).await.contains("`thing_touch`"));
    assert!(said("thing_touch", json!([])).await.contains("must be a JSON object"));
    let secret = said("thing_touch", json!({ "name": "a", "secret": "hunter2" })).await;
    assert!(secret.contains("cannot wait in a job") && !secret.contains("hunter2"), "{secret}");
}

#[tokio::test]
async fn after_a_crash_the_recorded_outcome_is_found_and_nothing_is_repeated() {
    let calling = Calling::new().await;
    let job = calling.submit("thing_touch", json!({ "name": "a" })).await;
    // A worker took it and called; then the process died before it could say so.
    assert_eq!(calling.jobbing.take("tool", 1, "dead").await.len(), 1);
    let request = Request {
        actor: Actor::local(),
        origin: job.origin.clone(),
        tool: "thing_touch".to_owned(),
        args: json!({ "name": "a" }),
        key: Some(format!("job:{}", job.id)),
        vouching: Vouching::Client,
    };
    let Answer::Ran(first) = calling.console.call(request).await else { panic!("it did not run") };
    let calling = calling.restart().await;
    let working = calling.work();
    let ended = calling.ended(&job.id).await;
    assert_eq!((ended.state, ended.attempt, outcome(&ended).call), (JobState::Done, 2, first.call));
    assert_eq!(calling.things.touches("a"), 1);
    working.stop().await;
}

#[tokio::test]
async fn an_effect_whose_outcome_nobody_knows_makes_the_job_unknown_and_is_not_repeated() {
    let calling = Calling::new().await;
    calling.things.seen.store(false, Ordering::SeqCst);
    let working = calling.work();
    let job = calling.submit("thing_touch", json!({ "name": "a", "how": "break" })).await;
    let ended = calling.ended(&job.id).await;
    assert_eq!(ended.state, JobState::Unknown);
    assert!(ended.error.as_ref().unwrap().contains("look at the target"), "{ended:?}");
    assert_eq!((outcome(&ended).state, calling.things.touches("a")), (CallState::Unknown, 1));
    // The job stands for its call, and who has looked at it has looked at both.
    let store = &calling.jobbing.world.store;
    let open: Vec<_> = store.doubts(None, 9).await.unwrap().into_iter().map(|doubt| doubt.subject).collect();
    assert_eq!(open, [job.id.to_string()]);
    let draft = row(EventKind::DoubtAcknowledged, job.id.as_str());
    assert!(store.acknowledge(job.id.as_str(), 9, draft).await.unwrap());
    assert!(store.doubts(None, 9).await.unwrap().is_empty());
    working.stop().await;
}

#[tokio::test]
async fn an_effect_that_was_cut_off_by_a_crash_is_probed_and_not_repeated() {
    for (seen, state) in [(true, JobState::Failed), (false, JobState::Unknown)] {
        let calling = Calling::new().await;
        calling.things.seen.store(seen, Ordering::SeqCst);
        let job = calling.submit("thing_touch", json!({ "name": "a", "how": "hold" })).await;
        let held = calling.jobbing.take("tool", 1, "dead").await.remove(0);
        // The intent is durable and the effect under way when the process dies: its task goes with it.
        let mut record = calling.jobbing.world.record(Some(&format!("job:{}", job.id)));
        record.actor = Actor::local().id;
        record.tool = "thing_touch".to_owned();
        record.args = held.payload["args"].clone();
        record.target = Target::new("thing", "a", "a");
        let draft = row(EventKind::CallIntent, record.id.as_str());
        calling.jobbing.world.store.intend(&record, None, draft).await.unwrap();
        let calling = calling.restart().await;
        let working = calling.work();
        let ended = calling.ended(&job.id).await;
        assert_eq!((ended.state, ended.attempt), (state, 2), "{ended:?}");
        assert_eq!(calling.things.asked.load(Ordering::SeqCst), 0, "it was not begun again");
        working.stop().await;
    }
}

#[tokio::test]
async fn a_refusal_and_a_failure_end_the_job_and_are_not_tried_again() {
    let calling = Calling::new().await;
    let working = calling.work();
    let job = calling.submit("thing_touch", json!({ "name": "a", "how": "fail" })).await;
    let ended = calling.ended(&job.id).await;
    assert_eq!((ended.state, ended.attempt, ended.error.as_deref()), (JobState::Failed, 1, Some("it did not work")));
    let origin = Origin::default();
    calling.console.set_kill_switch(&operator(), KillSwitch::Effects, &origin).await.unwrap();
    let job = calling.submit("thing_touch", json!({ "name": "b" })).await;
    let ended = calling.ended(&job.id).await;
    assert_eq!((ended.state, ended.attempt), (JobState::Failed, 1));
    assert_eq!(ended.result.unwrap()["refusal"]["code"], "stopped");
    assert_eq!(calling.things.touches("b"), 0);
    working.stop().await;
}

#[tokio::test]
async fn a_job_of_a_token_that_was_revoked_meanwhile_does_nothing() {
    let calling = Calling::new().await;
    let store = &calling.jobbing.world.store;
    let grant = TokenGrant::client("ci", Tier::Yellow);
    let id = TokenId::new(9);
    let (token, _) = store.create_token(id.clone(), grant, row(EventKind::TokenCreated, id.as_str())).await.unwrap();
    let actor = Actor { id: jarvis_safety::ActorId::new(format!("token:{}", token.id)), ..client() };
    let submission = Submission { actor, ..calling.submission("thing_touch", json!({ "name": "a" })) };
    let job = calling.jobbing.queue.submit(submission).await.unwrap().job;
    store.revoke_token(&id, row(EventKind::TokenRevoked, id.as_str())).await.unwrap();
    let working = calling.work();
    let ended = calling.ended(&job.id).await;
    assert_eq!((ended.state, calling.things.touches("a")), (JobState::Failed, 0));
    assert!(ended.error.unwrap().contains("not allowed in any more"));
    working.stop().await;
}

#[tokio::test]
async fn what_waits_for_a_person_takes_no_place_and_ends_with_what_was_approved() {
    let calling = Calling::new().await;
    let working = calling.jobbing.work(1);
    let waits = calling.submit("thing_shut", json!({ "name": "a" })).await;
    let card = calling.card(&waits.id).await;
    assert_eq!(calling.jobbing.queue.counts().await.unwrap().waiting, 1);
    let other = calling.submit("thing_touch", json!({ "name": "b" })).await;
    assert_eq!(calling.ended(&other.id).await.state, JobState::Done, "the one place is free");
    assert_eq!(calling.jobbing.job(&waits.id).await.state, JobState::Waiting);
    calling.console.approve(&operator(), &card, &Origin::default()).await.unwrap();
    let ended = calling.ended(&waits.id).await;
    assert_eq!((ended.state, ended.attempt, calling.things.touches("a")), (JobState::Done, 1, 1));
    assert_eq!(ended.approval, Some(card));
    working.stop().await;
}

#[tokio::test]
async fn a_waiting_job_finds_its_card_again_after_a_restart() {
    for approve_first in [true, false] {
        let calling = Calling::new().await;
        let working = calling.work();
        let job = calling.submit("thing_shut", json!({ "name": "a" })).await;
        let card = calling.card(&job.id).await;
        let begun = std::time::Instant::now();
        // No grace is waited out for a person.
        let options = WorkerOptions { grace: LONG, ..WorkerOptions::default() };
        working.stop().await;
        assert!(begun.elapsed() < LONG);
        assert_eq!(calling.jobbing.job(&job.id).await.state, JobState::Queued);
        let calling = calling.restart().await;
        if approve_first {
            calling.console.approve(&operator(), &card, &Origin::default()).await.unwrap();
        }
        let working = calling.jobbing.work_as(options);
        if !approve_first {
            assert_eq!(calling.card(&job.id).await, card);
            calling.console.approve(&operator(), &card, &Origin::default()).await.unwrap();
        }
        let ended = calling.ended(&job.id).await;
        assert_eq!((ended.state, calling.things.touches("a")), (JobState::Done, 1));
        assert_eq!(calling.rows(EventKind::ApprovalAsked).await.len(), 1, "asked once");
        working.stop().await;
    }
}

#[tokio::test]
async fn a_no_ends_the_job_with_the_word_that_came_back() {
    let calling = Calling::new().await;
    let working = calling.work();
    let job = calling.submit("thing_shut", json!({ "name": "a" })).await;
    let card = calling.card(&job.id).await;
    calling.console.deny(&operator(), &card, "not today", &Origin::default()).await.unwrap();
    let ended = calling.ended(&job.id).await;
    assert_eq!((ended.state, calling.things.touches("a")), (JobState::Failed, 0));
    assert!(ended.error.unwrap().contains("not today"));
    working.stop().await;
}

#[tokio::test]
async fn a_waiting_job_that_is_cancelled_takes_its_question_back() {
    let calling = Calling::new().await;
    let working = calling.work();
    let job = calling.submit("thing_shut", json!({ "name": "a" })).await;
    let card = calling.card(&job.id).await;
    let cancelled = calling.jobbing.queue.cancel(&operator(), &job.id, &job.origin).await.unwrap();
    assert_eq!(cancelled, Cancelled::Stopping);
    let ended = calling.ended(&job.id).await;
    assert_eq!((ended.state, ended.cancelled_by), (JobState::Cancelled, Some(operator().id)), "{:?}", ended.error);
    assert_eq!(calling.console.approval(&card).await.unwrap().state, ApprovalState::Denied);
    assert_eq!(calling.things.touches("a"), 0);
    working.stop().await;
}

#[tokio::test]
async fn a_running_call_is_cancelled_with_its_job_and_probed() {
    for (seen, state) in [(true, JobState::Cancelled), (false, JobState::Unknown)] {
        let calling = Calling::new().await;
        calling.things.seen.store(seen, Ordering::SeqCst);
        let working = calling.work();
        let job = calling.submit("thing_touch", json!({ "name": "a", "how": "hold" })).await;
        calling.things.began.notified().await;
        calling.jobbing.queue.cancel(&operator(), &job.id, &job.origin).await.unwrap();
        let ended = calling.ended(&job.id).await;
        assert_eq!(ended.state, state, "{:?}", ended.error);
        working.stop().await;
    }
}

#[tokio::test]
async fn a_call_that_goes_on_while_its_run_was_dropped_is_waited_for_and_not_begun_again() {
    let calling = Calling::new().await;
    let working = calling.work();
    let job = calling.submit("thing_touch", json!({ "name": "a", "how": "hold" })).await;
    calling.things.began.notified().await;
    // Without grace the run is dropped; the call itself goes on to its end in the gate.
    working.stop().await;
    assert_eq!(calling.jobbing.job(&job.id).await.state, JobState::Queued);
    let mut rows = calling.jobbing.world.store.subscribe();
    let working = calling.work();
    while rows.recv().await.unwrap().kind != EventKind::JobRetried {}
    let again = calling.jobbing.job(&job.id).await;
    assert_eq!((again.state, again.attempt), (JobState::Queued, 0), "asking whether it is over is no attempt");
    calling.things.go.as_ref().unwrap().add_permits(1);
    while rows.recv().await.unwrap().kind != EventKind::CallDone {}
    calling.jobbing.world.clock.turn(2_000);
    let woke = calling.submit("thing_look", json!({ "name": "wake" })).await;
    calling.ended(&woke.id).await;
    let ended = calling.ended(&job.id).await;
    assert_eq!((ended.state, calling.things.touches("a")), (JobState::Done, 1));
    assert_eq!(calling.things.asked.load(Ordering::SeqCst), 2, "once for the job and once for what woke it");
    working.stop().await;
}

#[tokio::test]
async fn a_card_that_nobody_decides_ends_the_job() {
    let calling = Calling::new().await;
    let working = calling.work();
    let job = calling.submit("thing_shut", json!({ "name": "a" })).await;
    calling.card(&job.id).await;
    calling.jobbing.world.clock.turn(24 * 3_600_000);
    let console = calling.console.clone();
    let expiring = tokio::spawn(async move { console.keep_expiring().await });
    let ended = calling.ended(&job.id).await;
    assert_eq!(ended.state, JobState::Failed);
    assert!(ended.error.unwrap().contains("nobody decided in time"));
    expiring.abort();
    working.stop().await;
    assert!(calling.jobbing.jobs.held().await.unwrap().is_empty());
}

/// A secret that gate and queue know, and the store under them does not: what they let through is kept as it is.
const SECRET: &str = "ghp_Nightingale-0815";
/// What stands in its place.
const MARK: &str = "[secret door]";

fn knowing() -> Redactor {
    let redactor = Redactor::default();
    redactor.know(vec![("door".to_owned(), Secret::new(SECRET.to_owned()))]).unwrap();
    redactor
}

/// Nothing of the secret is left, neither its beginning nor its end.
fn clean(told: &str) {
    assert!(!told.contains("ghp_") && !told.contains("ngale"), "{told}");
}

/// Rows of this kind are there, and each tells of the secret by its mark, in its line or in its body.
async fn marked(store: &Store, kind: EventKind) {
    let filter = jarvis_safety::port::EventFilter { kinds: vec![kind], ..Default::default() };
    let rows = store.after(0, &filter, 100).await.unwrap();
    assert!(!rows.is_empty(), "no row tells of {}", kind.as_str());
    for row in rows {
        let told = format!("{:?}", store.event(row.seq).await.unwrap().unwrap());
        assert!(told.contains(MARK), "{told}");
        clean(&told);
    }
}

/// Quotes a secret that stands where nobody looked for one.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct QuoteArgs {
    /// On which way: `name`, `look`, `preview`, `card` or `break`.
    way: String,
}

struct Quote;

fn quoted(what: &str) -> Preview {
    let text = format!("it goes with {what}");
    Preview { effects: vec![text.clone()], diff: Some(text.clone()), undo: Some(text.clone()), untrusted: Some(text) }
}

impl Tool for Quote {
    const SPEC: Spec = Spec {
        name: "thing_quote",
        revision: 1,
        tier: Tier::Green,
        effects: Effects::READS,
        deadline: Duration::from_secs(60),
        trust: Trust::Trusted,
        secrets: &[],
        examples: &["quote {way}"],
        lists: None,
    };
    type Args = QuoteArgs;
    type Output = Touched;

    async fn resolve(&self, args: &QuoteArgs, _: &Look) -> Result<Target, ToolError> {
        match args.way.as_str() {
            "look" => Err(ToolError::new(ToolErrorKind::NotFound, format!("nothing is named {SECRET}"))),
            "name" => Ok(Target::new("thing", "1", format!("the thing of {SECRET}"))),
            _ => Ok(Target::new("thing", "1", "the thing")),
        }
    }

    fn sentence(&self, _: &QuoteArgs, _: &Target) -> String {
        format!("Quotes {SECRET}.")
    }

    async fn preview(&self, args: &QuoteArgs, _: &Target, _: &Look) -> Result<Preview, ToolError> {
        if args.way == "preview" {
            return Err(ToolError::new(ToolErrorKind::Failed, format!("nothing is seen of {SECRET}")));
        }
        Ok(quoted(SECRET))
    }

    fn tier_of(&self, args: &QuoteArgs, _: &Target) -> Tier {
        match args.way.as_str() {
            "break" => Tier::Yellow,
            "card" | "preview" => Tier::Orange,
            _ => Tier::Green,
        }
    }

    async fn run(&self, args: QuoteArgs, cx: &RunContext, _: Permit<Self>) -> Result<Done<Touched>, ToolError> {
        cx.progress(1.0, None, format!("reaching for {SECRET}"));
        if args.way == "name" {
            return Ok(Done::new(Touched { name: SECRET.to_owned() }));
        }
        Err(ToolError::new(ToolErrorKind::Failed, format!("it broke at {SECRET}")))
    }

    fn words(&self, output: &Touched) -> String {
        format!("{} was touched", output.name)
    }
}

/// A gate with that tool, and jobs that call it.
async fn quoting() -> Calling {
    let world = World::new().await;
    world.store.set_password("correct horse battery", row(EventKind::OperatorSet, "operator")).await.unwrap();
    let console = Console::new(GateParts {
        registry: Registry::builder().with(Quote).build().unwrap(),
        ledger: Arc::new(world.store.clone()),
        identities: Arc::new(world.store.clone()),
        live: Arc::new(LiveHub::new()),
        clock: Arc::clone(&world.clock) as _,
        ids: Arc::clone(&world.ids) as _,
        settings: Settings::default(),
        policy: Ok(Policy::default()),
        kill: KillSwitch::Off,
        grants: Vec::new(),
        secrets: Secrets { redactor: knowing(), ..Secrets::default() },
    });
    let kind = ToolCall::new(console.gate(), Arc::new(world.store.clone()));
    Calling { jobbing: Jobbing::with(world, |kinds| kinds.with(kind)), console, things: Things::new() }
}

#[tokio::test]
async fn what_a_tool_quotes_of_a_secret_is_struck_out_of_answers_errors_cards_and_the_audit() {
    let calling = quoting().await;
    let asked = async |way: &str| {
        let request = Request {
            actor: Actor::local(),
            origin: Origin::default(),
            tool: "thing_quote".to_owned(),
            args: json!({ "way": way }),
            key: None,
            vouching: Vouching::Client,
        };
        calling.console.call(request).await
    };
    let Answer::Ran(broke) = asked("break").await else { panic!("it did not run") };
    let told = format!("it broke at {MARK}");
    assert_eq!((broke.state, broke.words.as_str()), (CallState::Failed, told.as_str()));
    assert_eq!(broke.error.as_ref().map(|error| error.message.as_str()), Some(told.as_str()));
    let Answer::Ran(named) = asked("name").await else { panic!("it did not run") };
    assert_eq!(named.target.name, format!("the thing of {MARK}"));
    assert_eq!((named.words.as_str(), &named.output), ("[secret door] was touched", &json!({ "name": MARK })));
    for (way, said) in [("look", "nothing is named"), ("preview", "nothing is seen of")] {
        let Answer::Refused(refusal) = asked(way).await else { panic!("`{way}` was not refused") };
        assert_eq!(refusal.message, format!("`thing_quote`: {said} {MARK}"));
    }
    let Answer::Waiting(card) = asked("card").await else { panic!("nobody was asked") };
    assert_eq!((card.steps[0].sentence.as_str(), &card.steps[0].preview), ("Quotes [secret door].", &quoted(MARK)));
    for kind in [EventKind::CallIntent, EventKind::CallFailed, EventKind::CallRead, EventKind::CallRefused] {
        marked(&calling.jobbing.world.store, kind).await;
    }
    marked(&calling.jobbing.world.store, EventKind::ApprovalAsked).await;
    // What is longer than what is kept is cut after that: of half a secret nobody would know that it is one.
    let because = format!("{} {SECRET}", "x".repeat(490));
    let denied = calling.console.deny(&operator(), &card.id, &because, &Origin::default()).await.unwrap();
    assert!(denied.because.unwrap().ends_with(" [secret d…"));
}

#[tokio::test]
async fn what_a_tool_tells_of_a_secret_while_it_runs_is_struck_out_of_its_job() {
    let calling = quoting().await;
    let working = calling.work();
    let job = calling.submit("thing_quote", json!({ "way": "break" })).await;
    let ended = calling.ended(&job.id).await;
    let told = format!("it broke at {MARK}");
    assert_eq!((ended.state, ended.error.as_deref()), (JobState::Failed, Some(told.as_str())));
    assert_eq!(outcome(&ended).error.unwrap().message, told);
    assert_eq!(ended.progress.unwrap().text, format!("reaching for {MARK}"));
    let pieces = calling.jobbing.jobs.output(&job.id, 0, 100).await.unwrap();
    let said: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
    assert_eq!(said, format!("reaching for {MARK}\n"));
    marked(&calling.jobbing.world.store, EventKind::JobFailed).await;
    working.stop().await;
}

/// Says a secret whole, then in two pieces, and at last all but its end; then it waits until it is let go.
struct Tell(Arc<Semaphore>);

impl JobKind for Tell {
    const SPEC: JobSpec = JobSpec { kind: "tell", ..SAFE };
    /// Whether it comes to nothing.
    type Payload = bool;

    fn title(&self, _: &bool) -> String {
        "tells".to_owned()
    }

    async fn run(&self, fails: bool, cx: &JobContext) -> Result<Value, JobError> {
        let (head, tail) = SECRET.split_at(10);
        let most = &SECRET[..15];
        for piece in [format!("one: {SECRET}\ntwo: {head}"), format!("{tail}\nmost: {most}")] {
            cx.output(&piece).await.map_err(|error| JobError::failed(error.to_string()))?;
        }
        cx.progress(1.0, None, format!("saying {SECRET}"));
        self.0.acquire().await.unwrap().forget();
        if fails {
            return Err(JobError::failed(format!("it broke at {SECRET}")).with(json!({ "at": SECRET })));
        }
        Ok(json!({ "said": SECRET }))
    }
}

#[tokio::test]
async fn what_a_job_says_of_a_secret_is_struck_out_also_where_it_comes_in_two_pieces() {
    let (mut jobbing, go) = (Jobbing::new().await, Arc::new(Semaphore::new(0)));
    jobbing.queue = JobQueue::new(QueueParts {
        kinds: Kinds::builder().with(Tell(Arc::clone(&go))).build().unwrap(),
        jobs: Arc::clone(&jobbing.jobs) as _,
        feed: Arc::new(jobbing.world.store.clone()),
        live: Arc::new(LiveHub::new()),
        clock: Arc::clone(&jobbing.world.clock) as _,
        ids: Arc::clone(&jobbing.world.ids) as _,
        redactor: knowing(),
    });
    let (mut frames, said) = (jobbing.queue.frames(), format!("saying {MARK}"));
    let working = jobbing.work(1);
    for fails in [false, true] {
        let submission = Submission { payload: json!(fails), ..jobbing.submission("tell", &Act::Fail) };
        let id = jobbing.queue.submit(submission).await.unwrap().job.id.clone();
        let of_it = format!("job:{id}");
        loop {
            let frame = tokio::time::timeout(LONG, frames.recv()).await.unwrap().unwrap();
            clean(&format!("{frame:?}"));
            if (frame.subject.as_str(), frame.kind.as_str()) == (of_it.as_str(), "progress") {
                assert_eq!(frame.data["text"], said);
                break;
            }
        }
        go.add_permits(1);
        let ended = jobbing.ended(&id).await;
        let pieces = jobbing.jobs.output(&id, 0, 100).await.unwrap();
        let kept: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
        assert_eq!(kept, format!("one: {MARK}\ntwo: {MARK}\nmost: {MARK}"));
        assert!(pieces.len() > 1, "it was said in pieces: {pieces:?}");
        assert_eq!(ended.progress.unwrap().text, said);
        let expected = if fails {
            (JobState::Failed, Some(json!({ "at": MARK })), Some(format!("it broke at {MARK}")))
        } else {
            (JobState::Done, Some(json!({ "said": MARK })), None)
        };
        assert_eq!((ended.state, ended.result, ended.error), expected);
        marked(&jobbing.world.store, if fails { EventKind::JobFailed } else { EventKind::JobDone }).await;
    }
    working.stop().await;
}
