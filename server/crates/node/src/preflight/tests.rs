//! Facts in, findings out; and when they are found out again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use contract::isolation::{Attestation, IsolationOutcome, MachineIsolation};
use contract::mandate::MandateFinding;
use contract::preflight::{Loss, Override, Take};
use contract::run::{RunBrief, RunKind, RunState};
use contract::state::NodeState;
use contract::sync::{PointPart, RestorePoint};
use contract::{Actor, Command, Denied, Lang, NodeRole, Refused, Rule, Timestamp};
use proptest::prelude::*;
use tokio::time::Instant;

use super::judge::{Facts, judge};
use super::{EVERY, PROBE_PACE, Preview, Probed};
use crate::isolation::Look;
use crate::mandate::homecoming::InTheWay;
use crate::{Init, Node, SystemClock};

const MASTER_IP: &str = "192.0.2.1";

fn machine(ip: &str, outcome: IsolationOutcome) -> MachineIsolation {
    MachineIsolation { ip: ip.parse().unwrap(), outcome, attestation: None, evidence: Vec::new() }
}

fn loss(dataset: &str, generation: Option<u64>) -> Loss {
    let at = generation.map(|_| Timestamp::UNIX_EPOCH);
    let age_seconds = generation.map(|_| 3.0);
    Loss {
        dataset: dataset.into(),
        generation,
        captured_at: at,
        age_seconds,
        in_flight: None,
        none_confirmed: false,
        skipped: 0,
        missing: None,
    }
}

/// Captured a hundred seconds after the one before.
fn point(generation: u64) -> RestorePoint {
    let captured_at = Timestamp::from_second(100 * i64::try_from(generation).unwrap()).unwrap();
    let part = PointPart {
        dataset: "conf".into(),
        generation,
        captured_at,
        files: Some(1),
        bytes: generation,
        damaged: None,
        missing: None,
    };
    let mut point = RestorePoint {
        id: format!("g{generation}"),
        made_on: NodeRole::Master,
        generation: 0,
        captured_at: Timestamp::UNIX_EPOCH,
        age_seconds: None,
        bytes: 0,
        pinned: false,
        datasets: Vec::new(),
        checked: None,
    };
    point.add(part);
    point
}

/// A Client in good order beside a Master that is up.
fn facts() -> Facts {
    Facts {
        at: Timestamp::UNIX_EPOCH,
        side: NodeRole::Client,
        name: "dr1".into(),
        peer: Some("master1".into()),
        state: NodeState::Standby,
        mandate: true,
        suspended: false,
        findings: Vec::new(),
        declared_lost: false,
        receiving: false,
        coming: None,
        run: None,
        approvers: None,
        isolation: vec![machine(MASTER_IP, IsolationOutcome::Alive)],
        losses: vec![loss("conf", Some(7))],
        services: vec!["pbx".into()],
        services_preview: Vec::new(),
        gate_unchosen: Vec::new(),
        own: Vec::new(),
        own_preview: Vec::new(),
        telephony: false,
        telephony_preview: Vec::new(),
        disk: "/data".into(),
        free: Some(1000),
        need: 10,
        points: vec![point(7), point(6)],
        serves_from: false,
        masters_now: Timestamp::from_second(700).unwrap(),
        opens_after: None,
    }
}

/// The same once the Master has fallen silent.
fn silent() -> Facts {
    Facts { isolation: vec![machine(MASTER_IP, IsolationOutcome::Unreachable)], ..facts() }
}

/// A fenced Master whose active DR has fallen silent.
fn master() -> Facts {
    Facts {
        side: NodeRole::Master,
        name: "master1".into(),
        peer: Some("dr1".into()),
        state: NodeState::Fenced,
        points: Vec::new(),
        ..silent()
    }
}

fn word() -> Attestation {
    Attestation { ip: MASTER_IP.into(), text: "Rossi, spenta dal rack".into() }
}

fn passing(rule: &str) -> Override {
    Override { rule: rule.into(), subject: None, reason: "there is no other way".into() }
}

/// What is enough where nothing but silence stands in the way.
fn enough() -> Take {
    Take { attest: vec![word()], accept_data_loss: true, ..Take::default() }
}

fn told(list: &[Refused]) -> Vec<String> {
    list.iter().map(|refused| format!("{}@{}", refused.rule, refused.subject)).collect()
}

fn blocked(facts: &Facts, take: &Take) -> Vec<String> {
    told(&judge(facts, take).unwrap().blocked)
}

fn run(kind: RunKind) -> RunBrief {
    RunBrief { id: "r1".into(), kind, state: RunState::Running, step: None }
}

#[test]
fn with_the_master_up_a_client_in_good_order_is_ready_and_cannot_be_activated_now() {
    let report = judge(&facts(), &Take::default()).unwrap();
    assert_eq!(told(&report.blocked), ["isolation.alive@192.0.2.1", "data_loss.consent@dr1"]);
    assert_eq!((report.verdict.ready, report.verdict.now, report.allowed), (true, false, false));
}

#[test]
fn silence_needs_somebodys_word_and_loss_needs_consent() {
    let report = judge(&silent(), &Take::default()).unwrap();
    assert_eq!(told(&report.blocked), ["isolation.unattested@192.0.2.1", "data_loss.consent@dr1"]);
    assert_eq!((report.verdict.ready, report.verdict.now, report.allowed), (true, true, false));
    let attested = Take { attest: vec![word()], ..Take::default() };
    assert_eq!(blocked(&silent(), &attested), ["data_loss.consent@dr1"]);
    let report = judge(&silent(), &enough()).unwrap();
    assert!(report.allowed && report.blocked.is_empty(), "{report:?}");
    assert_eq!(report.isolation[0].attestation.as_deref(), Some("Rossi, spenta dal rack"));
}

#[test]
fn each_guard_stands_for_its_own_fact() {
    use MandateFinding::Missing;
    let good = silent();
    for (expected, facts) in [
        ("pair.not_associated@dr1", Facts { peer: None, mandate: false, ..good.clone() }),
        ("pair.retired@dr1", Facts { declared_lost: true, ..good.clone() }),
        ("mandate.missing@dr1", Facts { mandate: false, ..good.clone() }),
        ("mandate.missing@dr1", Facts { findings: vec![Missing], ..good.clone() }),
        ("run.in_progress@dr1", Facts { run: Some(run(RunKind::Suspension)), ..good.clone() }),
        (
            "run.in_progress@dr1",
            Facts { run: Some(run(RunKind::Activation)), state: NodeState::Activating, ..good.clone() },
        ),
        ("state.illegal@dr1", Facts { state: NodeState::Active, ..good.clone() }),
        ("service.none@dr1", Facts { services: Vec::new(), ..good.clone() }),
        ("data.none@dr1", Facts { losses: Vec::new(), ..good.clone() }),
        ("data.none@db", Facts { losses: vec![loss("conf", Some(7)), loss("db", None)], ..good.clone() }),
        ("disk.full@/data", Facts { free: Some(9), ..good.clone() }),
        ("isolation.alive@192.0.2.1", facts()),
    ] {
        let report = judge(&facts, &enough()).unwrap();
        assert_eq!(told(&report.blocked), [expected]);
        assert_eq!((report.verdict.ready, report.verdict.now), (expected.starts_with("isolation"), false));
    }
    assert!(judge(&good, &enough()).unwrap().allowed);
    let alone = Facts { peer: None, ..good.clone() };
    assert!(judge(&alone, &enough()).unwrap().allowed, "its other machine was declared lost");
    assert!(judge(&Facts { free: None, ..good }, &enough()).unwrap().allowed);
}

#[test]
fn content_that_comes_home_holds_a_take_over_up_only_while_it_is_sent_or_put_in_its_place() {
    let receives = Facts { state: NodeState::Receiving, receiving: true, ..master() };
    let sent = Facts { coming: Some(InTheWay::Sends), ..receives.clone() };
    assert_eq!(blocked(&sent, &enough()), ["failback.sends@dr1"]);
    let settles = Facts { coming: Some(InTheWay::Settles), ..receives.clone() };
    assert_eq!(blocked(&settles, &enough()), ["failback.settles@master1"]);
    let report = judge(&receives, &enough()).unwrap();
    assert!(report.allowed, "nobody sends it any more: {:?}", report.blocked);
    let steps: Vec<&str> = report.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(steps, ["close_inbound", "evidence", "mandate", "put_back", "start:pbx", "verify"]);
}

#[test]
fn every_guard_that_fails_is_told_at_once() {
    let worst = Facts {
        peer: None,
        mandate: false,
        findings: vec![MandateFinding::Missing],
        run: Some(run(RunKind::Suspension)),
        state: NodeState::Active,
        services: Vec::new(),
        losses: vec![loss("conf", None), loss("db", Some(1))],
        free: Some(0),
        ..facts()
    };
    let take = Take { point: Some("g99".into()), ..Take::default() };
    assert_eq!(blocked(&worst, &take).len(), 10, "{:?}", blocked(&worst, &take));
}

#[test]
fn no_consent_is_needed_where_the_master_itself_said_that_nothing_is_newer() {
    let mut facts = silent();
    facts.losses.push(Loss { none_confirmed: true, ..loss("db", Some(7)) });
    let report = judge(&facts, &Take { attest: vec![word()], ..Take::default() }).unwrap();
    assert_eq!(report.blocked[0].detail, "conf", "only what may be lost is named");
    facts.losses.iter_mut().for_each(|loss| loss.none_confirmed = true);
    assert!(judge(&facts, &Take { attest: vec![word()], ..Take::default() }).unwrap().allowed);
}

#[test]
fn an_override_moves_its_finding_to_the_warnings_and_no_other() {
    let facts = Facts { losses: vec![loss("a", None), loss("b", None)], ..facts() };
    let one = Override { subject: Some("a".into()), ..passing("data.none") };
    let take = Take { overrides: vec![one], ..enough() };
    let report = judge(&facts, &take).unwrap();
    assert_eq!(told(&report.blocked), ["isolation.alive@192.0.2.1", "data.none@b"]);
    assert_eq!(told(&report.warnings), ["data.none@a"]);
    let take = Take { overrides: vec![passing("data.none"), passing("isolation.alive")], ..enough() };
    assert!(judge(&facts, &take).unwrap().allowed);
}

#[test]
fn an_override_of_what_cannot_be_overridden_or_without_a_reason_is_invalid() {
    let nameless = Override { reason: "  ".into(), ..passing("data.none") };
    for bad in [passing("data_loss.consent"), passing("isolation.unattested"), passing("no.such"), nameless] {
        let take = Take { overrides: vec![bad.clone()], ..enough() };
        let denied = judge(&silent(), &take).unwrap_err();
        assert!(matches!(&denied, Denied::Invalid(errors) if errors[0].field == "override"), "{bad:?}: {denied:?}");
    }
}

#[test]
fn a_restore_point_must_exist_and_be_of_use() {
    let take = |point: &str| Take { point: Some(point.into()), ..enough() };
    assert!(judge(&silent(), &take("g7")).unwrap().allowed);
    assert!(judge(&silent(), &take("")).unwrap().allowed);
    assert_eq!(blocked(&silent(), &take("g99")), ["point.unknown@g99"]);
    assert_eq!(blocked(&master(), &take("g6")), ["point.not_used@g6"], "a Master goes on from its own data");
    let serving = Facts { serves_from: true, ..silent() };
    assert_eq!(blocked(&serving, &take("g6")), ["point.not_used@g6"]);
    let suspended = Facts { state: NodeState::Active, suspended: true, ..facts() };
    assert_eq!(blocked(&suspended, &take("g6")), ["point.not_used@g6"]);
}

#[test]
fn what_is_lost_is_counted_against_the_chosen_point() {
    let facts = Facts { losses: vec![Loss { none_confirmed: true, ..loss("conf", Some(7)) }], need: 99, ..silent() };
    let named = |point: &str| Take { point: Some(point.into()), ..enough() };
    let newest = judge(&facts, &named("g7")).unwrap();
    assert_eq!((newest.point.as_deref(), &newest.loss), (Some("g7"), &facts.losses));
    let older = judge(&facts, &named("g6")).unwrap();
    let lost = &older.loss[0];
    assert_eq!((lost.generation, lost.age_seconds, lost.skipped), (Some(6), Some(100.0), 1));
    assert!(!lost.none_confirmed && older.allowed);
    let steps: Vec<&str> = older.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(steps[..3], ["close_inbound", "point", "evidence"], "read again before what perishes");
    let without = Take { accept_data_loss: false, ..named("g6") };
    assert_eq!(blocked(&facts, &without), ["data_loss.consent@dr1"], "the Master confirmed the newest, not this one");
    assert_eq!(judge(&facts, &enough()).unwrap().point, None, "whatever is newest then");
    assert_eq!(blocked(&Facts { free: Some(8), ..facts.clone() }, &enough()), ["disk.full@/data"]);
    assert!(judge(&Facts { free: Some(8), ..facts }, &named("g6")).unwrap().allowed, "a smaller point needs less");
}

#[test]
fn a_point_that_is_known_to_be_damaged_is_refused_and_the_newest_sound_one_is_named() {
    let mut facts = silent();
    facts.points.push(point(5));
    let named = |point: &str| Take { point: Some(point.into()), ..enough() };
    facts.points[0].datasets[0].damaged = Some(2);
    for take in [enough(), named("g7")] {
        let report = judge(&facts, &take).unwrap();
        assert_eq!(
            (told(&report.blocked), report.blocked[0].detail.as_str()),
            (vec!["point.damaged@conf".into()], "g6")
        );
    }
    assert!(judge(&facts, &named("g6")).unwrap().allowed);
    facts.points.iter_mut().for_each(|point| point.datasets[0].damaged = Some(1));
    assert_eq!(judge(&facts, &enough()).unwrap().blocked[0].detail, "none");
    facts.serves_from = true;
    assert!(judge(&facts, &enough()).unwrap().allowed, "a copy that serves is none of them");
}

#[test]
fn a_standing_override_of_the_other_side_and_what_a_take_would_settle_are_warnings() {
    let facts = Facts { opens_after: Some(60), findings: vec![MandateFinding::Fork], ..silent() };
    let report = judge(&facts, &enough()).unwrap();
    assert_eq!(told(&report.warnings), ["mandate.finding@dr1", "gate.unverified@master1"]);
    assert_eq!(report.warnings[1].detail, "60");
    assert!(report.allowed);
}

#[test]
fn the_steps_stand_in_the_order_in_which_they_come() {
    let ids = |facts: &Facts| -> Vec<String> {
        judge(facts, &enough()).unwrap().steps.into_iter().map(|step| step.id).collect()
    };
    let two = |facts: Facts| Facts { services: vec!["db".into(), "pbx".into()], ..facts };
    assert_eq!(
        ids(&two(silent())),
        ["close_inbound", "evidence", "mandate", "freeze", "start:db", "start:pbx", "verify"]
    );
    assert_eq!(ids(&two(master())), ["close_inbound", "evidence", "mandate", "start:db", "start:pbx", "verify"]);
    let suspended = Facts { state: NodeState::Active, suspended: true, ..silent() };
    assert_eq!(ids(&two(suspended.clone())), ["start:db", "start:pbx", "verify"]);
    assert_eq!(ids(&Facts { telephony: true, ..suspended }), ["start:pbx", "verify", "telephony"]);
}

#[test]
fn a_suspended_client_only_starts_its_services_again() {
    let suspended = Facts { state: NodeState::Active, suspended: true, ..facts() };
    let report = judge(&suspended, &Take::default()).unwrap();
    assert!(report.allowed && report.loss.is_empty(), "{report:?}");
    let bare = Facts { services: Vec::new(), ..suspended };
    assert_eq!(blocked(&bare, &Take::default()), ["service.none@dr1"]);
}

#[test]
fn a_take_over_always_loses_what_the_dr_has_made_and_needs_no_copy_of_it() {
    let attested = Take { attest: vec![word()], ..Take::default() };
    let bare = Facts { losses: Vec::new(), free: Some(0), need: 1, ..master() };
    for facts in [master(), bare] {
        assert_eq!(blocked(&facts, &attested), ["data_loss.consent@dr1"]);
        assert!(judge(&facts, &enough()).unwrap().allowed);
    }
    for state in [NodeState::Serving, NodeState::Unverified] {
        assert_eq!(blocked(&Facts { state, ..master() }, &enough()), ["state.illegal@master1"]);
    }
}

/// What the remedy of a finding tells to do.
fn remedy(finding: &Refused, facts: &mut Facts, take: &mut Take) {
    match finding.rule {
        Rule::PairNotAssociated => (facts.peer, facts.mandate) = (Some("other".into()), true),
        Rule::MandateMissing => {
            facts.mandate = true;
            facts.findings.retain(|found| *found != MandateFinding::Missing);
        }
        Rule::RunInProgress => facts.run = None,
        Rule::StateIllegal if facts.side == NodeRole::Client => facts.state = NodeState::Standby,
        Rule::StateIllegal => facts.state = NodeState::Fenced,
        Rule::ServiceNone => facts.services.push("pbx".into()),
        Rule::IsolationUnattested => take.attest.push(Attestation { ip: finding.subject.clone(), ..word() }),
        Rule::DataLossConsent => take.accept_data_loss = true,
        Rule::PointUnknown | Rule::PointNotUsed => take.point = None,
        rule if rule.overridable() => {
            take.overrides.push(Override { subject: Some(finding.subject.clone()), ..passing(rule.as_str()) });
        }
        rule => panic!("{rule} has no remedy"),
    }
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let outcomes = [IsolationOutcome::Alive, IsolationOutcome::Unreachable, IsolationOutcome::Fenced];
    let machines = proptest::collection::vec(proptest::sample::select(outcomes.to_vec()), 0..3);
    let states = proptest::sample::select(NodeState::ALL.to_vec());
    let losses = proptest::collection::vec((proptest::option::of(1_u64..9), any::<bool>()), 0..3);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (states, machines, losses, flags, proptest::option::of(0_u64..20), any::<bool>()).prop_map(
        |(state, machines, losses, (client, paired, missing, busy, suspended), free, serves)| {
            let base = if client { facts() } else { master() };
            let ip = |number: usize| format!("192.0.2.{number}");
            let one = |(number, (generation, none_confirmed)): (usize, (Option<u64>, bool))| Loss {
                none_confirmed,
                ..loss(&format!("d{number}"), generation)
            };
            Facts {
                state,
                suspended,
                peer: base.peer.clone().filter(|_| paired),
                mandate: !missing,
                findings: if missing { vec![MandateFinding::Missing] } else { Vec::new() },
                run: busy.then(|| run(RunKind::Deactivation)),
                isolation: machines
                    .iter()
                    .enumerate()
                    .map(|(number, outcome)| machine(&ip(number), *outcome))
                    .collect(),
                losses: losses.into_iter().enumerate().map(one).collect(),
                services: if serves { vec!["pbx".into()] } else { Vec::new() },
                free,
                ..base
            }
        },
    )
}

proptest! {
    #[test]
    fn every_finding_is_gone_when_its_own_remedy_is_given(facts in any_facts(), unknown in any::<bool>()) {
        let take = Take { point: unknown.then(|| "g99".into()), ..Take::default() };
        for finding in judge(&facts, &take).unwrap().blocked {
            let (mut facts, mut take) = (facts.clone(), take.clone());
            remedy(&finding, &mut facts, &mut take);
            let left = judge(&facts, &take).unwrap().blocked;
            prop_assert!(!left.contains(&finding), "{finding:?} is still among {left:?}");
        }
    }

    #[test]
    fn whoever_follows_all_remedies_is_allowed_and_nobody_else(facts in any_facts()) {
        let (mut facts, mut take, mut seen) = (facts, Take::default(), HashSet::new());
        loop {
            let report = judge(&facts, &take).unwrap();
            prop_assert_eq!(report.allowed, report.blocked.is_empty());
            let Some(finding) = report.blocked.first() else { break };
            prop_assert!(seen.insert(format!("{finding:?}")), "{:?} comes back", finding);
            remedy(finding, &mut facts, &mut take);
        }
    }
}

/// A machine that was just made, with nothing running.
async fn machine_of(dir: &tempfile::TempDir, role: NodeRole) -> Arc<Node> {
    let at = "127.0.0.1:0".parse().unwrap();
    let init = Init { role, name: "machine1".into(), panel: at, peer: at, insecure_http: true, licence_key: None };
    let root = dir.path().join("data");
    init.run(&root, &SystemClock).await.unwrap();
    Node::open(&root, Arc::new(SystemClock)).await.unwrap()
}

async fn change_something(node: &Arc<Node>) {
    let change = Command::MessageLanguage { language: Lang::En };
    node.tell(&Actor::root(None), change).await.unwrap();
}

#[tokio::test]
async fn any_change_makes_the_verdict_stale_until_it_was_found_out_again() {
    let dir = tempfile::tempdir().unwrap();
    let node = machine_of(&dir, NodeRole::Client).await;
    assert_eq!(node.preflight(), None);
    let preview = Preview { own: Vec::new(), telephony: Default::default(), at: Instant::now() };
    let look = Look::since(std::time::Instant::now(), Vec::new());
    let probed = Probed { look, preview: Arc::new(preview) };
    let stale = || node.preflight().unwrap().verdict.stale;
    node.look_ahead(Some(&probed)).await;
    assert!(!stale());
    change_something(&node).await;
    assert!(stale());
    node.look_ahead(Some(&probed)).await;
    assert!(!stale());
    node.pair_changed();
    assert!(stale());
}

#[tokio::test]
async fn a_change_is_judged_at_once_and_not_at_the_next_round() {
    let dir = tempfile::tempdir().unwrap();
    let node = machine_of(&dir, NodeRole::Client).await;
    let looking = tokio::spawn(Arc::clone(&node).keep_looking_ahead());
    let judged_after = async |then: Timestamp| {
        let fresh = || node.preflight().is_some_and(|found| !found.verdict.stale && found.verdict.checked_at > then);
        while !fresh() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let first = tokio::time::timeout(EVERY, judged_after(Timestamp::UNIX_EPOCH)).await;
    assert!(first.is_ok(), "it never looked");
    let before = node.clock().now();
    change_something(&node).await;
    let second = tokio::time::timeout(EVERY / 5, judged_after(before)).await;
    assert!(second.is_ok(), "it waited for its round");
    node.stop.cancel();
    assert!(tokio::time::timeout(EVERY, looking).await.is_ok(), "it does not stop");
}

#[tokio::test]
async fn a_machine_that_serves_has_no_button() {
    let dir = tempfile::tempdir().unwrap();
    let node = machine_of(&dir, NodeRole::Master).await;
    assert!(!node.has_a_button());
    node.look_ahead(None).await;
    assert_eq!(node.preflight(), None);
}

#[tokio::test]
async fn a_machine_that_falls_silent_is_looked_at_before_it_is_its_turn() {
    let dir = tempfile::tempdir().unwrap();
    let node = machine_of(&dir, NodeRole::Client).await;
    let looking = tokio::spawn(Arc::clone(&node).keep_looking_ahead());
    let began = || node.lookout.probed().map(|(probed, _)| probed.look.began);
    let looked_after = async |then: Option<std::time::Instant>| {
        while began() == then {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(EVERY, looked_after(None)).await.is_ok(), "it never looked");
    let before = began();
    node.lookout.fell_silent();
    assert!(tokio::time::timeout(PROBE_PACE / 2, looked_after(before)).await.is_ok(), "it waited for its turn");
    node.stop.cancel();
    assert!(tokio::time::timeout(EVERY, looking).await.is_ok(), "it does not stop");
}
