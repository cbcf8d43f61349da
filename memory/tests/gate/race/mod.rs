//! What happens at once or half: hands that race, a store that fails, callers that go away, and stopping.
//!
//! Nothing here waits for a while. The tool and the ledger stop at named places until the test lets them go, so each
//! test holds the one moment that it is about.

pub(crate) mod stage;
mod store;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use jarvis_safety::approval::{Approval, ApprovalState, StepState};
use jarvis_safety::call::{CallState, Origin, Request, Vouching};
use jarvis_safety::event::EventKind;
use jarvis_safety::id::TokenId;
use jarvis_safety::identity::{Token, TokenGrant};
use jarvis_safety::kernel::{Console, KillSwitch, Level, Permit, PlanAnswer};
use jarvis_safety::outcome::{Answer, Outcome};
use jarvis_safety::port::{Identities as _, Ledger};
use jarvis_safety::refusal::Code;
use jarvis_safety::setting::Settings;
use jarvis_safety::tool::{Done, Look, Preview, Probe, RunContext, Spec, Tool, ToolError, ToolErrorKind, Trust};
use jarvis_safety::{Actor, ActorId, ActorKind, ApprovalId, Effects, Refusal, Role, Target, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::stage::{Fault, FaultyLedger, Stage};
use crate::lamp::{HandClock, House, World, draft, ran, refused, request};

const MINUTE: i64 = 60_000;
/// Longer than anything here takes; only a test that fails waits for it.
pub(crate) const LONG: Duration = Duration::from_secs(20);
const ROUNDS: usize = 24;

/// What is wrong with the tool in one call: its sentence or its preview panics, it panics while it runs and its probe
/// does too, or its probe cannot tell.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Defect {
    Sentence,
    Preview,
    Probe,
    Blind,
}

/// Turns a lamp.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TurnArgs {
    lamp: String,
    #[schemars(with = "String")]
    tier: Tier,
    #[serde(default)]
    defect: Option<Defect>,
}

/// Passes the places `resolve LAMP`, `preview LAMP`, `run LAMP` and, after its effect, `ran LAMP`. Its probe is honest:
/// it looks whether the effect is there. A lamp that was turned at red is gone.
struct Turn {
    world: World,
    stage: Arc<Stage>,
}

impl Turn {
    fn turned(&self, id: &str) -> bool {
        self.world.lock().unwrap().effects.iter().any(|effect| effect.1 == id)
    }
}

impl Tool for Turn {
    const SPEC: Spec = Spec {
        name: "lamp_turn",
        revision: 1,
        tier: Tier::Yellow,
        effects: Effects::WRITES,
        deadline: Duration::from_secs(60),
        trust: Trust::Trusted,
        secrets: &[],
        examples: &["turn {lamp}"],
        lists: None,
    };
    type Args = TurnArgs;
    type Output = String;

    async fn resolve(&self, args: &TurnArgs, _: &Look) -> Result<Target, ToolError> {
        self.stage.pass(&format!("resolve {}", args.lamp)).await;
        let id = format!("id-{}", args.lamp);
        if args.tier == Tier::Red && self.turned(&id) {
            return Err(ToolError::new(ToolErrorKind::NotFound, "the lamp is gone"));
        }
        Ok(Target::new("lamp", id, args.lamp.clone()))
    }

    fn tier_of(&self, args: &TurnArgs, _: &Target) -> Tier {
        args.tier
    }

    fn sentence(&self, args: &TurnArgs, target: &Target) -> String {
        assert!(args.defect != Some(Defect::Sentence), "a defect");
        format!("Turn {}.", target.name)
    }

    async fn preview(&self, args: &TurnArgs, _: &Target, _: &Look) -> Result<Preview, ToolError> {
        self.stage.pass(&format!("preview {}", args.lamp)).await;
        assert!(args.defect != Some(Defect::Preview), "a defect");
        Ok(Preview::default())
    }

    async fn run(&self, args: TurnArgs, _: &RunContext, permit: Permit<Self>) -> Result<Done<String>, ToolError> {
        self.stage.pass(&format!("run {}", args.lamp)).await;
        assert!(args.defect != Some(Defect::Probe), "a defect");
        tokio::task::yield_now().await;
        self.world.lock().unwrap().effects.push(("lamp_turn".to_owned(), permit.target().id.clone()));
        tokio::task::yield_now().await;
        self.stage.pass(&format!("ran {}", args.lamp)).await;
        let back = json!({ "lamp": format!("{} back", args.lamp), "tier": Tier::Yellow });
        Ok(Done::new("turned".to_owned()).undo_by("lamp_turn", back))
    }

    async fn probe(&self, args: &TurnArgs, target: &Target) -> Probe {
        assert!(args.defect != Some(Defect::Probe), "a defect");
        match args.defect {
            Some(Defect::Blind) => Probe::Unknown,
            _ if self.turned(&target.id) => Probe::Done,
            _ => Probe::NotDone,
        }
    }

    fn words(&self, output: &String) -> String {
        output.clone()
    }
}

async fn house() -> (House, Arc<Stage>) {
    let stage = Arc::new(Stage::default());
    let same = Arc::clone(&stage);
    let house = House::fitted(Arc::new(move |tools, store, world| {
        let turn = Turn { world: Arc::clone(world), stage: Arc::clone(&same) };
        (tools.with(turn), Arc::new(FaultyLedger { store: store.clone(), stage: Arc::clone(&same) }))
    }));
    (house.await, stage)
}

fn turning(actor: &Actor, lamp: &str, tier: Tier) -> Request {
    request(actor, "lamp_turn", json!({ "lamp": lamp, "tier": tier }))
}

fn own(lamp: &str) -> Request {
    turning(&Actor::operator(), lamp, Tier::Yellow)
}

fn odd(lamp: &str, tier: Tier, defect: impl Into<Option<Defect>>) -> Request {
    let defect = defect.into();
    request(&Actor::operator(), "lamp_turn", json!({ "lamp": lamp, "tier": tier, "defect": defect }))
}

impl House {
    async fn card(&self, actor: &Actor, lamp: &str, tier: Tier) -> Approval {
        let Answer::Waiting(card) = self.gate.call(turning(actor, lamp, tier)).await else { panic!("it asks") };
        *card
    }

    /// Makes a call that nobody waits for.
    fn begin(&self, request: Request) -> tokio::task::JoinHandle<Answer> {
        let gate = self.gate.clone();
        tokio::spawn(async move { gate.call(request).await })
    }

    async fn turn(&self, lamp: &str) -> Outcome {
        ran(self.gate.call(own(lamp)).await)
    }

    async fn brake(&self, kill: KillSwitch) -> Result<(), Refusal> {
        self.gate.set_kill_switch(&Actor::operator(), kill, &Origin::default()).await
    }

    async fn yes(&self, id: &ApprovalId) {
        self.gate.approve(&Actor::operator(), id, &Origin::default()).await.unwrap();
    }

    async fn end_of(&self, id: &ApprovalId) -> Approval {
        let card = self.gate.follow(id, LONG).await.unwrap();
        assert!(card.state.is_final(), "{card:?}");
        card
    }

    fn times(&self, lamp: &str) -> usize {
        let id = format!("id-{lamp}");
        self.effects().iter().filter(|effect| effect.1 == id).count()
    }

    async fn token(&self, number: u128, approve: bool) -> Token {
        let role = if approve { Role::Approver } else { Role::Client };
        let grant = TokenGrant { role, ..TokenGrant::client(format!("t{number}"), Tier::Red) };
        self.store.create_token(TokenId::new(number), grant, draft()).await.unwrap().0
    }

    /// One decision is kept and told, and the effect is there if and only if the card says so.
    async fn decided_once(&self, id: &ApprovalId) -> ApprovalState {
        let card = self.end_of(id).await;
        let told = self.kinds(id.as_str()).await.into_iter();
        let decided = [EventKind::ApprovalApproved, EventKind::ApprovalDenied, EventKind::ApprovalExpired];
        assert_eq!(told.filter(|kind| decided.contains(kind)).count(), 1, "{card:?}");
        assert_eq!(self.times(&card.steps[0].target.name), usize::from(card.state == ApprovalState::Done), "{card:?}");
        card.state
    }
}

/// Lets the operator's yes and another hand go at one card, again and again: every other time both have seen it pending
/// before either decides. `fits` is given whether each was heard, and how the card ended.
async fn collide<Hand: Future<Output = bool> + Send + 'static>(
    other: impl Fn(Console, Arc<HandClock>, ApprovalId) -> Hand,
    fits: impl Fn(bool, bool, ApprovalState) -> bool,
) {
    let (house, stage) = house().await;
    house.token(7, true).await;
    for round in 0..ROUNDS {
        let card = house.card(&Actor::local(), &format!("lamp {round}"), Tier::Orange).await;
        let held = 2 * (round % 2);
        stage.hold("decide", held);
        let yes = tokio::spawn(yes(house.gate.clone(), card.id.clone()));
        let other = tokio::spawn(other(house.gate.clone(), Arc::clone(&house.clock), card.id.clone()));
        stage.reached("decide", held as u32).await;
        stage.release("decide", held);
        let (yes, other) = (yes.await.unwrap(), other.await.unwrap());
        let state = house.decided_once(&card.id).await;
        assert!(fits(yes, other, state), "round {round}: {yes}, {other}, {state:?}");
    }
    house.leave().await;
}

async fn yes(gate: Console, id: ApprovalId) -> bool {
    gate.approve(&Actor::operator(), &id, &Origin::default()).await.is_ok()
}

fn one_is_kept(yes: bool, no: bool, state: ApprovalState) -> bool {
    yes != no && state == if yes { ApprovalState::Done } else { ApprovalState::Denied }
}

/// K-10.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_yes_and_a_no_at_once_one_is_kept() {
    let no = async |gate: Console, id| gate.deny(&Actor::operator(), &id, "no", &Origin::default()).await.is_ok();
    collide(move |gate, _, id| no(gate, id), one_is_kept).await;
    let back = async |gate: Console, id| gate.withdraw(&Actor::local(), &id, "", &Origin::default()).await.is_ok();
    collide(move |gate, _, id| back(gate, id), one_is_kept).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_yeses_at_once_one_is_kept() {
    let id = ActorId::new(format!("token:{}", TokenId::new(7)));
    let bot = Actor { id, kind: ActorKind::Token, role: Role::Approver, ..Actor::operator() };
    let other = move |gate: Console, _, id| {
        let bot = bot.clone();
        async move { gate.approve(&bot, &id, &Origin::default()).await.is_ok() }
    };
    collide(other, |one, other, state| one != other && state == ApprovalState::Done).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_yes_and_the_end_of_its_time_at_once_one_is_kept() {
    let lapse = |gate: Console, clock: Arc<HandClock>, id| async move {
        clock.turn(15 * MINUTE);
        tokio::select! {
            () = gate.keep_expiring() => false,
            card = gate.follow(&id, LONG) => card.unwrap().state == ApprovalState::Expired,
        }
    };
    collide(lapse, |yes, lapsed, state| yes != lapsed && yes == (state == ApprovalState::Done)).await;
}

/// K-10.
#[tokio::test]
async fn a_yes_is_given_at_one_moment() {
    let (house, _) = house().await;
    for early in 0..8 {
        let card = house.card(&Actor::local(), &early.to_string(), Tier::Orange).await;
        // While it is decided, every look at the clock takes it on: over the end of the card's time for one of these.
        house.clock.turn(card.expires_at - card.created_at - early);
        house.clock.tick(1);
        let heard = yes(house.gate.clone(), card.id.clone()).await;
        house.clock.tick(0);
        let card = house.end_of(&card.id).await;
        assert!(!heard || card.decided_at.unwrap() < card.expires_at, "{early} ms before it lapses: {card:?}");
    }
    house.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn wherever_the_kill_switch_falls_into_an_approved_call_the_card_says_what_happened() {
    let (house, stage) = house().await;
    let cases = [
        ("resolve hall", "hall", ApprovalState::Stale),
        ("intend kept", "attic", ApprovalState::Failed),
        ("run cellar", "cellar", ApprovalState::Failed),
        ("ran kitchen", "kitchen", ApprovalState::Done),
    ];
    for (place, lamp, expected) in cases {
        let card = house.card(&Actor::local(), lamp, Tier::Orange).await;
        stage.hold(place, 1);
        house.yes(&card.id).await;
        stage.reached(place, 1).await;
        house.brake(KillSwitch::Effects).await.unwrap();
        stage.release(place, 1);
        assert_eq!(house.decided_once(&card.id).await, expected, "{place}");
        house.brake(KillSwitch::Off).await.unwrap();
    }
    for round in 0..ROUNDS {
        let card = house.card(&Actor::local(), &round.to_string(), Tier::Orange).await;
        let approving = tokio::spawn(yes(house.gate.clone(), card.id.clone()));
        // It falls together with the yes, or with what follows from it.
        if round % 2 == 0 {
            house.brake(KillSwitch::Effects).await.unwrap();
        }
        assert!(approving.await.unwrap(), "a kill switch decides no card");
        house.brake(KillSwitch::Effects).await.unwrap();
        house.decided_once(&card.id).await;
        house.brake(KillSwitch::Off).await.unwrap();
    }
    house.leave().await;
}

/// K-18.
#[tokio::test]
async fn the_brake_is_in_force_although_the_store_fails() {
    for fault in [Fault::Before, Fault::Kept] {
        let (house, stage) = house().await;
        stage.hold("run hall", 1);
        let call = house.begin(own("hall"));
        stage.reached("run hall", 1).await;
        stage.fail("set_kill_switch", fault, usize::MAX);
        // A release needs the store: it changes nothing.
        for kill in [KillSwitch::Effects, KillSwitch::Off] {
            let refusal = house.brake(kill).await.unwrap_err();
            assert_eq!((refusal.code, house.gate.kill_switch()), (Code::StoreUnavailable, KillSwitch::Effects));
            assert!(refusal.message.ends_with("In force until the next start: effects"), "{refusal}");
        }
        assert_eq!(ran(call.await.unwrap()).state, CallState::Cancelled);
        assert_eq!(refused(house.gate.call(own("cellar")).await).code, Code::Stopped);
        stage.fail("set_kill_switch", fault, 0);
        house.brake(KillSwitch::Off).await.unwrap();
        assert_eq!(house.turn("cellar").await.state, CallState::Done);
        house.leave().await;
    }
}

#[tokio::test]
async fn the_brake_waits_for_no_other_hand_and_holds_until_the_next_start_if_it_is_not_kept() {
    use KillSwitch::{All, Effects, Off};
    for (standing, first, brake) in [(Off, Effects, All), (Effects, Off, Effects), (Effects, Off, All)] {
        let (house, stage) = house().await;
        house.brake(standing).await.unwrap();
        stage.hold("set_kill_switch", 1);
        let [mut one, mut other] = [first, brake].map(|kill| Box::pin(house.brake(kill)));
        assert!(one.as_mut().now_or_never().is_none() && other.as_mut().now_or_never().is_none(), "the store hangs");
        assert_eq!(house.gate.kill_switch(), brake);
        stage.release("set_kill_switch", 1);
        one.await.unwrap();
        // A release that was under way takes back no more than it was made against.
        assert!(house.gate.kill_switch() == brake || brake == standing);
        stage.fail("set_kill_switch", Fault::Before, 1);
        other.await.unwrap_err();
        assert_eq!(house.gate.kill_switch(), brake);
        let house = house.killed().await;
        assert_eq!(house.gate.kill_switch(), first);
        house.leave().await;
    }
}

#[tokio::test]
async fn what_is_stopped_between_its_intent_and_its_run_never_began_for_certain() {
    let (house, stage) = house().await;
    stage.hold("intend kept", 1);
    let call = house.begin(own("hall"));
    stage.reached("intend kept", 1).await;
    house.brake(KillSwitch::Effects).await.unwrap();
    stage.release("intend kept", 1);
    let outcome = ran(call.await.unwrap());
    assert_eq!((outcome.state, outcome.error.unwrap().kind), (CallState::Cancelled, ToolErrorKind::NeverBegan));
    assert_eq!(house.kinds(outcome.call.as_str()).await, [EventKind::CallIntent, EventKind::CallCancelled]);
    house.leave().await;
}

#[tokio::test]
async fn whoever_asked_or_said_yes_and_is_revoked_while_the_call_is_looked_at_again_has_nothing_run() {
    let (house, stage) = house().await;
    let (token, bot) = (house.token(8, false).await, house.token(9, true).await);
    let cases = [(token.actor(), Actor::operator(), token), (Actor::local(), bot.actor(), bot)];
    for (asking, approving, revoked) in cases {
        let card = house.card(&asking, "hall", Tier::Orange).await;
        stage.hold("resolve hall", 1);
        house.gate.approve(&approving, &card.id, &Origin::default()).await.unwrap();
        stage.reached("resolve hall", 1).await;
        assert!(house.store.revoke_token(&revoked.id, draft()).await.unwrap());
        stage.release("resolve hall", 1);
        assert_eq!(house.end_of(&card.id).await.state, ApprovalState::Stale, "{}", revoked.grant.name);
    }
    assert!(house.effects().is_empty());
    house.leave().await;
}

/// K-6, K-13.
#[tokio::test]
async fn a_plan_that_was_killed_at_a_step_goes_on_only_if_that_step_is_seen_done() {
    use StepState::{Done, Failed, Skipped, Unknown};
    let cases = [
        ("run two", None, [Done, Failed, Skipped], vec!["id-one"]),
        ("ran two", None, [Done, Done, Done], vec!["id-one", "id-two", "id-three"]),
        ("run two", Some(Defect::Blind), [Done, Unknown, Skipped], vec!["id-one"]),
    ];
    for (place, defect, states, effects) in cases {
        let (mut house, stage) = house().await;
        let plan = vec![own("one"), odd("two", Tier::Orange, defect), own("three")];
        let PlanAnswer::Waiting(card) = house.gate.plan(plan).await else { panic!("it asks") };
        stage.hold(place, 1);
        house.yes(&card.id).await;
        stage.reached(place, 1).await;
        for _ in 0..2 {
            house = house.killed().await;
            let card = house.end_of(&card.id).await;
            assert_eq!([0, 1, 2].map(|step: usize| card.steps[step].state), states, "{place}");
            let done: Vec<_> = house.effects().into_iter().map(|effect| effect.1).collect();
            assert_eq!(done, effects, "{place}");
        }
        house.leave().await;
    }
}

#[tokio::test]
async fn a_defect_of_a_tool_ends_its_own_call_and_nothing_else() {
    let (house, stage) = house().await;
    stage.hold("preview attic", 1);
    let hanging = house.begin(turning(&Actor::operator(), "attic", Tier::Orange));
    stage.reached("preview attic", 1).await;
    let refusal = refused(house.gate.call(odd("hall", Tier::Yellow, Defect::Sentence)).await);
    assert_eq!((refusal.code, refusal.message.contains("defect")), (Code::Unavailable, true), "{}", refusal.message);
    let refusal = refused(house.gate.call(odd("hall", Tier::Orange, Defect::Preview)).await);
    assert_eq!(refusal.code, Code::Unavailable);
    let Err(refusal) = house.gate.preview(&odd("hall", Tier::Yellow, Defect::Preview)).await else { panic!() };
    assert_eq!(refusal.code, Code::Unavailable);
    let outcome = ran(house.gate.call(odd("hall", Tier::Yellow, Defect::Probe)).await);
    assert_eq!((outcome.state, outcome.error.unwrap().kind), (CallState::Unknown, ToolErrorKind::Panicked));
    assert_eq!(house.kinds(outcome.call.as_str()).await, [EventKind::CallIntent, EventKind::CallUnknown]);
    assert_eq!(house.turn("hall").await.state, CallState::Done);
    assert!(!hanging.is_finished(), "others went on while this one hung");
    let refusal = refused(hanging.await.unwrap());
    assert_eq!((refusal.code, refusal.message.contains("longer than 5 s")), (Code::Unavailable, true), "{refusal}");
    house.leave().await;
}

#[tokio::test]
async fn a_probe_that_panics_does_not_keep_jarvis_from_starting() {
    let (house, stage) = house().await;
    let calls = [("run hall", odd("hall", Tier::Yellow, Defect::Probe)), ("run cellar", own("cellar"))];
    for (place, call) in calls {
        stage.hold(place, 1);
        house.begin(call);
        stage.reached(place, 1).await;
    }
    let house = house.killed().await;
    assert_eq!((house.count(EventKind::CallUnknown).await, house.count(EventKind::CallFailed).await), (1, 1));
    house.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_that_take_a_call_back_at_once_one_does() {
    let (house, stage) = house().await;
    let done = house.turn("hall").await;
    // Both have seen that nobody took it back before either does.
    stage.hold("call kept", 2);
    let hands = [0, 1].map(|_| {
        let (gate, call) = (house.gate.clone(), done.call.clone());
        tokio::spawn(async move { gate.undo(&Actor::operator(), &call, Origin::default(), Vouching::Person).await })
    });
    stage.reached("call kept", 2).await;
    stage.release("call kept", 2);
    let mut refusals = Vec::new();
    for hand in hands {
        if let Answer::Refused(refusal) = hand.await.unwrap() {
            refusals.push(refusal.code);
        }
    }
    assert_eq!((house.times("hall back"), refusals), (1, vec![Code::NotUndoable]));
    house.leave().await;
}

#[tokio::test]
async fn a_yes_to_take_back_what_was_taken_back_meanwhile_is_void() {
    let (house, _) = house().await;
    let mut settings = Settings::default();
    settings.autonomy.default = Level::OnRequest;
    house.gate.apply_settings(settings);
    let done = house.turn("hall").await;
    let card = house.gate.undo(&Actor::local(), &done.call, Origin::default(), Vouching::Client).await;
    let Answer::Waiting(card) = card else { panic!("it asks") };
    ran(house.gate.undo(&Actor::operator(), &done.call, Origin::default(), Vouching::Person).await);
    house.yes(&card.id).await;
    assert_eq!(house.end_of(&card.id).await.state, ApprovalState::Stale);
    assert_eq!(house.times("hall back"), 1);
    house.leave().await;
}

#[tokio::test]
async fn closing_waits_for_the_running_effect_and_leaves_what_was_approved_to_the_next_start() {
    let (house, stage) = house().await;
    let card = house.card(&Actor::local(), "cellar", Tier::Orange).await.id;
    let looked_at = house.card(&Actor::local(), "shed", Tier::Orange).await.id;
    stage.hold("resolve shed", 1);
    house.yes(&looked_at).await;
    stage.reached("resolve shed", 1).await;
    stage.hold("run hall", 1);
    let call = house.begin(own("hall"));
    stage.reached("run hall", 1).await;
    let mut closing = Box::pin(house.gate.close(LONG));
    assert!(closing.as_mut().now_or_never().is_none(), "it waits");
    let refusal = refused(house.gate.call(own("attic")).await);
    assert_eq!((refusal.code, refusal.rule.as_str()), (Code::Unavailable, "stopping"));
    house.yes(&card).await;
    stage.release("resolve shed", 1);
    assert!(closing.as_mut().now_or_never().is_none(), "it still waits");
    stage.release("run hall", 1);
    assert_eq!(closing.await, 0);
    assert_eq!(ran(call.await.unwrap()).state, CallState::Done);
    assert_eq!(house.count(EventKind::CallDone).await, 1, "recorded, and not only told");
    assert_eq!((house.times("cellar"), house.times("shed")), (0, 0));
    let house = house.killed().await;
    let ends = [house.decided_once(&card).await, house.decided_once(&looked_at).await];
    assert_eq!(ends, [ApprovalState::Done, ApprovalState::Done]);
    assert_eq!((house.times("hall"), house.times("attic")), (1, 0));
    house.leave().await;
}

#[tokio::test]
async fn what_runs_longer_than_closing_waits_is_cancelled_probed_and_recorded() {
    let (house, stage) = house().await;
    let mut calls = Vec::new();
    for (lamp, place) in [("hall", "run hall"), ("cellar", "ran cellar")] {
        stage.hold(place, 1);
        calls.push(house.begin(own(lamp)));
        stage.reached(place, 1).await;
    }
    assert_eq!(house.gate.close(Duration::from_millis(20)).await, 0);
    let mut states = Vec::new();
    for call in calls {
        states.push(ran(call.await.unwrap()).state);
    }
    assert_eq!(states, [CallState::Cancelled, CallState::Done], "as the probe saw them");
    assert_eq!(house.count(EventKind::CallCancelled).await, 1);
    house.leave().await;
}

#[tokio::test]
async fn an_effect_whose_caller_went_away_is_recorded_all_the_same() {
    let (house, stage) = house().await;
    for place in ["intend kept", "run hall", "ran hall", "settle"] {
        stage.hold(place, 1);
        let call = house.begin(Request { key: Some(place.to_owned()), ..own("hall") });
        stage.reached(place, 1).await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        stage.release(place, 1);
        let settled = async { while !house.store.unsettled_calls().await.unwrap().is_empty() {} };
        tokio::time::timeout(LONG, settled).await.unwrap();
        assert_eq!(house.store.keyed(&Actor::operator().id, place).await.unwrap().unwrap().state, CallState::Done);
        // The third on this lamp within ten minutes would be asked.
        house.clock.turn(11 * MINUTE);
    }
    house.leave().await;
}

#[tokio::test]
async fn a_decision_whose_giver_went_away_is_carried_out_and_told() {
    let (house, stage) = house().await;
    for (lamp, expected) in [("hall", ApprovalState::Done), ("attic", ApprovalState::Denied)] {
        let id = house.card(&Actor::local(), lamp, Tier::Orange).await.id;
        // Somebody looks on, and has seen it pending.
        stage.hold("approval kept", 1);
        let (gate, card) = (house.gate.clone(), id.clone());
        let looking = tokio::spawn(async move { gate.follow(&card, LONG).await.unwrap().state });
        stage.reached("approval kept", 1).await;
        stage.release("approval kept", 1);
        stage.hold("decide kept", 1);
        let gate = house.gate.clone();
        let deciding = tokio::spawn(async move {
            match expected {
                ApprovalState::Done => yes(gate, id).await,
                _ => gate.withdraw(&Actor::local(), &id, "", &Origin::default()).await.is_ok(),
            }
        });
        stage.reached("decide kept", 1).await;
        deciding.abort();
        assert!(deciding.await.unwrap_err().is_cancelled());
        stage.release("decide kept", 1);
        assert_eq!(looking.await.unwrap(), expected);
    }
    house.leave().await;
}
