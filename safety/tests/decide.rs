//! The decision against tables written by hand.

use jarvis_safety::call::Vouching;
use jarvis_safety::kernel::{Facts, KillSwitch, Level, Standing, Tightening, UNASKED_REPEATS, Verdict, decide};
use jarvis_safety::refusal::Code;
use jarvis_safety::{Actor, Effects, Tier};

fn facts(actor: &Actor, tier: Tier) -> Facts<'_> {
    Facts {
        tier,
        effects: Effects::WRITES,
        level: Level::ActAndReport,
        actor,
        kill: KillSwitch::Off,
        policy: Ok(None),
        vouching: Vouching::Person,
        repeats: 0,
        approvable: true,
        grant: None,
        standing: Standing::Fresh,
    }
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Run { .. } => "run",
        Verdict::Ask { .. } => "ask",
        Verdict::Refuse(_) => "refuse",
    }
}

/// Rows: levels 0 to 4. Columns: green, yellow, orange, red.
const PERSON: [[&str; 4]; 5] = [
    ["run", "refuse", "refuse", "refuse"],
    ["run", "ask", "ask", "ask"],
    ["run", "run", "ask", "ask"],
    ["run", "run", "ask", "ask"],
    ["run", "run", "ask", "ask"],
];
const CLIENT: [[&str; 4]; 5] = [
    ["run", "refuse", "refuse", "refuse"],
    ["run", "ask", "ask", "ask"],
    ["run", "ask", "ask", "ask"],
    ["run", "run", "ask", "ask"],
    ["run", "run", "ask", "ask"],
];
const UNVOUCHED: [[&str; 4]; 5] = [
    ["run", "refuse", "refuse", "refuse"],
    ["run", "ask", "ask", "ask"],
    ["run", "ask", "ask", "ask"],
    ["run", "ask", "ask", "ask"],
    ["run", "ask", "ask", "ask"],
];

#[test]
fn the_autonomy_table_holds_for_every_tier_level_and_chooser() {
    let actor = Actor::operator();
    let tables = [
        (Vouching::Person, PERSON),
        (Vouching::Client, CLIENT),
        (Vouching::Model, CLIENT),
        (Vouching::Led, UNVOUCHED),
        (Vouching::Unvouched, UNVOUCHED),
    ];
    for (vouching, table) in tables {
        for (level, row) in Level::ALL.into_iter().zip(table) {
            for (tier, expected) in Tier::ALL.into_iter().zip(row) {
                let verdict = decide(&Facts { level, vouching, ..facts(&actor, tier) });
                assert_eq!(word(&verdict), expected, "{tier} at {level:?} chosen by {vouching:?}");
            }
        }
    }
}

/// K-16.
#[test]
fn red_runs_only_with_a_persons_approval_of_exactly_that_call() {
    let actor = Actor::operator();
    for level in Level::ALL {
        for standing in [Standing::Fresh, Standing::Approved, Standing::InPlan] {
            let verdict = decide(&Facts { level, standing, ..facts(&actor, Tier::Red) });
            let allowed = standing != Standing::Fresh && level != Level::Observe;
            assert_eq!(word(&verdict) == "run", allowed, "{level:?} {standing:?}");
        }
    }
}

/// K-15.
#[test]
fn an_approval_never_beats_a_refusal() {
    let actor = Actor::operator();
    let low = Actor { ceiling: Tier::Yellow, ..Actor::operator() };
    let approved = Facts { standing: Standing::Approved, ..facts(&actor, Tier::Orange) };
    let refuse = Tightening::Refuse { rule: "never".to_owned(), because: "no".to_owned() };
    let cases = [
        (Facts { kill: KillSwitch::Effects, ..approved.clone() }, Code::Stopped),
        (Facts { kill: KillSwitch::All, ..approved.clone() }, Code::Stopped),
        (Facts { actor: &low, ..approved.clone() }, Code::AboveCeiling),
        (Facts { policy: Ok(Some(refuse)), ..approved.clone() }, Code::Policy),
        (Facts { policy: Err(()), ..approved.clone() }, Code::PolicyUnreadable),
        (Facts { level: Level::Observe, ..approved }, Code::AutonomyLevel),
    ];
    for (facts, code) in cases {
        match decide(&facts) {
            Verdict::Refuse(refusal) => assert_eq!(refusal.code, code),
            other => panic!("{other:?} instead of {code:?}"),
        }
    }
}

#[test]
fn a_ceiling_refuses_and_never_asks() {
    for ceiling in Tier::ALL {
        let actor = Actor { ceiling, ..Actor::mcp_stdio() };
        for tier in Tier::ALL {
            let refused =
                matches!(decide(&facts(&actor, tier)), Verdict::Refuse(ref no) if no.code == Code::AboveCeiling);
            assert_eq!(refused, tier > ceiling, "{tier} under {ceiling}");
        }
    }
}

/// K-17.
#[test]
fn an_unreadable_policy_refuses_everything_above_green() {
    let actor = Actor::operator();
    for tier in Tier::ALL {
        let verdict = decide(&Facts { policy: Err(()), ..facts(&actor, tier) });
        assert_eq!(word(&verdict), if tier == Tier::Green { "run" } else { "refuse" });
    }
}

#[test]
fn a_policy_can_ask_for_green_too() {
    let actor = Actor::operator();
    let policy = Ok(Some(Tightening::Ask { rule: "watch".to_owned() }));
    assert_eq!(word(&decide(&Facts { policy, ..facts(&actor, Tier::Green) })), "ask");
}

/// K-19.
#[test]
fn the_third_identical_yellow_call_asks() {
    let actor = Actor::operator();
    for repeats in 0..5 {
        let verdict = decide(&Facts { repeats, ..facts(&actor, Tier::Yellow) });
        assert_eq!(word(&verdict), if repeats < UNASKED_REPEATS { "run" } else { "ask" });
    }
}

#[test]
fn what_nobody_could_approve_is_refused_at_once() {
    let actor = Actor::operator();
    match decide(&Facts { approvable: false, ..facts(&actor, Tier::Orange) }) {
        Verdict::Refuse(refusal) => assert_eq!(refusal.code, Code::NoApprover),
        other => panic!("{other:?}"),
    }
    assert_eq!(word(&decide(&Facts { approvable: false, ..facts(&actor, Tier::Yellow) })), "run");
}

#[test]
fn the_outbound_network_asks_once_untrusted_text_is_in_sight() {
    let actor = Actor::operator();
    let effects = Effects { network: true, ..Effects::READS };
    let green = Facts { effects, vouching: Vouching::Unvouched, ..facts(&actor, Tier::Green) };
    assert_eq!(word(&decide(&green)), "ask");
    assert_eq!(word(&decide(&Facts { vouching: Vouching::Led, ..green.clone() })), "ask");
    assert_eq!(word(&decide(&Facts { vouching: Vouching::Model, ..green.clone() })), "run");
    assert_eq!(word(&decide(&Facts { vouching: Vouching::Client, ..green })), "run");
}

/// K-18.
#[test]
fn the_kill_switch_refuses_by_its_level() {
    let actor = Actor::operator();
    for tier in Tier::ALL {
        let effects = decide(&Facts { kill: KillSwitch::Effects, ..facts(&actor, tier) });
        assert_eq!(word(&effects) == "refuse", tier > Tier::Green);
        assert_eq!(word(&decide(&Facts { kill: KillSwitch::All, ..facts(&actor, tier) })), "refuse");
    }
}

/// Rows: levels 0 to 4. Columns: green, yellow, orange, red. A person's yellow call runs at level 2 without one.
const GRANTED: [[&str; 4]; 5] = [
    ["run", "refuse", "refuse", "refuse"],
    ["run", "granted", "granted", "ask"],
    ["run", "granted", "granted", "ask"],
    ["run", "run", "granted", "ask"],
    ["run", "run", "granted", "ask"],
];

/// K-16.
#[test]
fn a_grant_loosens_what_would_be_asked_and_never_past_the_hard_line() {
    let actor = Actor::operator();
    let grant = jarvis_safety::GrantId::new(7);
    let judge = |facts: Facts<'_>| {
        let verdict = decide(&Facts { grant: Some(grant.clone()), ..facts });
        if verdict.grant().is_some() { "granted" } else { word(&verdict) }
    };
    for (level, row) in Level::ALL.into_iter().zip(GRANTED) {
        for (tier, expected) in Tier::ALL.into_iter().zip(row) {
            let here = |vouching| Facts { level, vouching, ..facts(&actor, tier) };
            assert_eq!(judge(here(Vouching::Client)), expected, "{tier} at {level:?}, client");
            let person = if level == Level::OnRequest && tier == Tier::Yellow { "run" } else { expected };
            assert_eq!(judge(here(Vouching::Person)), person, "{tier} at {level:?}, person");
            // The gate finds a grant for a client's model only if it leaves nothing to choose.
            let asks = word(&decide(&here(Vouching::Led))) == "ask";
            let led = if asks && tier < Tier::Red { "granted" } else { word(&decide(&here(Vouching::Led))) };
            assert_eq!(judge(here(Vouching::Led)), led, "{tier} at {level:?}, led");
            // What untrusted text chose is decided as if there were no grant.
            let without = word(&decide(&here(Vouching::Unvouched)));
            assert_eq!(judge(here(Vouching::Unvouched)), without, "{tier} at {level:?}, unvouched");
            for policy in [
                Tightening::Ask { rule: "r".to_owned() },
                Tightening::Refuse { rule: "r".to_owned(), because: "b".to_owned() },
            ] {
                let tight = || Facts { policy: Ok(Some(policy.clone())), ..here(Vouching::Person) };
                assert_eq!(judge(tight()), word(&decide(&tight())), "{tier} at {level:?}, {policy:?}");
            }
            let stopped = || Facts { kill: KillSwitch::All, ..here(Vouching::Person) };
            assert_eq!(judge(stopped()), "refuse");
        }
    }
}

#[test]
fn what_runs_names_the_rule_by_which_it_does() {
    let actor = Actor::operator();
    let rule = |tier, standing| match decide(&Facts { standing, ..facts(&actor, tier) }) {
        Verdict::Run { rule, .. } => rule,
        other => panic!("{other:?}"),
    };
    assert_eq!(rule(Tier::Green, Standing::Fresh), "green runs");
    assert_eq!(rule(Tier::Yellow, Standing::Fresh), "yellow runs at autonomy level 3");
    assert_eq!(rule(Tier::Orange, Standing::Approved), "approved once");
    assert_eq!(rule(Tier::Red, Standing::InPlan), "approved in a plan");
}
