//! What may follow what in a log, and what is next.

#![allow(clippy::panic, clippy::unwrap_used, reason = "test code")]

use contract::approval::ApprovalState;
use contract::own_step::{ManualWork, OwnStep, Place};
use contract::service::{Handling, Service};
use contract::telephony::Telephony;
use contract::{Actor, Role};
use proptest::prelude::*;

use super::super::approval::with_approval;
use super::super::procedure::steps;
use super::*;

fn plan(kind: RunKind) -> Plan {
    let service = |name: &str| Service {
        name: name.into(),
        handling: Handling::Unit(format!("{name}.service")),
        timeout_seconds: 5,
        order: 0,
    };
    let services = vec![service("db"), service("pbx")];
    let own = vec![own("mount", Place::BeforeServices), own("carrier", Place::AfterServices)];
    // Two persons are wanted of one kind, so that the properties hold of runs that wait and of runs that do not.
    let asked = Asked { by: person("carla"), wait_seconds: 60, bypass: None };
    let approval = (kind == RunKind::Takeover).then_some(asked);
    Plan {
        id: "run".into(),
        kind,
        operator: "carla".into(),
        started_by: "carla (10.0.0.9)".into(),
        reason: "fire".into(),
        started_at: Timestamp::UNIX_EPOCH,
        steps: with_approval(steps(kind, &services, &own, false), approval.is_some()),
        own,
        telephony: Telephony::default(),
        expected: None,
        mandate: "m2".into(),
        was_holder: false,
        approval,
        rescued: None,
        discard: Vec::new(),
        replace_tail: false,
        member: None,
        retires: Vec::new(),
        stable_seconds: 0,
        services,
        datasets: Vec::new(),
        overrides: Vec::new(),
        point: None,
        consent: true,
        loss: Vec::new(),
    }
}

fn own(name: &str, place: Place) -> Declared {
    let text = || Text::new("chiamare", "call");
    let work = Work::Manual(ManualWork { text: text(), undo: Some(text()) });
    Declared::new(
        OwnStep {
            name: name.into(),
            place,
            group: None,
            off: false,
            order: 0,
            limit_seconds: 5,
            has_secret: false,
            work,
        },
        None,
    )
}

fn person(name: &str) -> Person {
    Person::of(&Actor::user(name, Role::Operator, "10.0.0.9"), None)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// Every event that could be written about a run, sensible or not.
fn vocabulary(plan: &Plan) -> Vec<Event> {
    let text = || Text::new("fare", "do");
    let of = |step: &Step| {
        let (step, output) = (step.clone(), "out".to_owned());
        [
            Event::Began { step: step.clone() },
            Event::Done { step: step.clone(), output: output.clone() },
            Event::Failed { step: step.clone(), output: output.clone(), remedy: text() },
            Event::Undone { step: step.clone(), output: output.clone() },
            Event::NotUndone { step: step.clone(), output, remedy: text() },
            Event::Acknowledged { step, by: "carla".into(), note: "told".into() },
        ]
    };
    let mut events: Vec<Event> = plan.steps.iter().flat_map(of).collect();
    events.extend([
        Event::Isolation { machines: Vec::new() },
        Event::Ledger { ledger: Ledger::default() },
        Event::Raised { epoch: 2 },
        Event::Resumed { by: "carla".into() },
        Event::Approved { by: person("bruno") },
        Event::Declined { by: person("bruno"), reason: "not now".into() },
        Event::Bypassed { by: person("carla"), reason: "nobody there".into() },
        Event::Lapsed,
        Event::Aborting { by: "carla".into() },
        Event::Aborted,
        Event::Finished,
        Event::Superseded { epoch: 3 },
    ]);
    events
}

/// Walks through a run: of what may happen next, `choices` picks what does.
fn walk(kind: RunKind, choices: &[prop::sample::Index]) -> (State, Vec<Event>) {
    let mut state = State::new(plan(kind));
    let mut log = Vec::new();
    for (second, choice) in choices.iter().enumerate() {
        let legal: Vec<Event> = vocabulary(&state.plan).into_iter().filter(|event| state.allows(event)).collect();
        if legal.is_empty() {
            break;
        }
        let event = choice.get(&legal).clone();
        state.apply(at(second as i64), &event).unwrap();
        log.push(event);
    }
    (state, log)
}

fn replay(kind: RunKind, log: &[Event]) -> State {
    let mut state = State::new(plan(kind));
    for (second, event) in log.iter().enumerate() {
        state.apply(at(second as i64), event).unwrap();
    }
    state
}

/// What the engine does when everything succeeds.
fn go_on(state: &State) -> Vec<Event> {
    match state.next() {
        _ if state.awaits_approval() => vec![Event::Approved { by: person("bruno") }],
        Next::Do(step) => vec![Event::Began { step: step.clone() }, Event::Done { step, output: String::new() }],
        Next::Undo(step) => vec![Event::Undone { step, output: String::new() }],
        Next::Finish => vec![Event::Finished],
        Next::GiveUp => vec![Event::Aborted],
        Next::Rest => vec![Event::Resumed { by: "carla".into() }],
        Next::Over => Vec::new(),
    }
}

fn check(state: &State) -> Result<(), TestCaseError> {
    let at_work = state.steps.iter().filter(|report| report.state == StepState::Running).count();
    prop_assert!(at_work <= 1, "one step at a time");
    if let Some(last) = state.last_begun() {
        let before = &state.steps[..last];
        prop_assert!(before.iter().all(|report| report.state == StepState::Done), "a step was left out: {before:?}");
    }
    if state.state == RunState::Done {
        prop_assert!(state.steps.iter().all(|report| report.state == StepState::Done));
    }
    if state.awaits_approval() {
        let waits = |report: &StepReport| report.id == "approval" || report.attempts == 0;
        prop_assert!(state.steps.iter().all(waits), "something was begun without the second person");
    }
    prop_assert!(!(state.can_abort() && state.is_done(&Step::Mandate)), "a written mandate is not taken back");
    prop_assert_eq!(state.state.is_over(), state.ended_at.is_some());
    Ok(())
}

proptest! {
    #[test]
    fn every_prefix_of_a_log_replays_to_what_the_run_was_then(
        kind in prop::sample::select(&RunKind::ALL[..]),
        choices in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
    ) {
        let (_, log) = walk(kind, &choices);
        let mut state = State::new(plan(kind));
        for (done, event) in log.iter().enumerate() {
            state.apply(at(done as i64), event).unwrap();
            check(&state)?;
            let stored: Vec<String> = log[..=done].iter().map(|event| serde_json::to_string(event).unwrap()).collect();
            let read: Vec<Event> = stored.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
            prop_assert_eq!(&replay(kind, &read), &state);
        }
    }

    #[test]
    fn an_event_that_cannot_follow_changes_nothing(
        kind in prop::sample::select(&RunKind::ALL[..]),
        choices in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let (mut state, _) = walk(kind, &choices);
        let before = state.clone();
        for event in vocabulary(&before.plan) {
            if !before.allows(&event) {
                prop_assert!(state.apply(at(99), &event).is_err());
                prop_assert_eq!(&state, &before);
            }
        }
    }

    #[test]
    fn from_wherever_a_run_was_cut_off_it_comes_to_its_end(
        kind in prop::sample::select(&RunKind::ALL[..]),
        choices in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let (mut state, log) = walk(kind, &choices);
        for _ in 0..60 {
            for event in go_on(&state) {
                state.apply(at(99), &event).unwrap();
            }
        }
        prop_assert!(state.state.is_over(), "{log:?} never ends");
        let superseded = log.iter().any(|event| matches!(event, Event::Superseded { .. }));
        let undone = |report: &StepReport| report.attempts == 0 || report.state == StepState::Undone;
        // What a run that only tidies up has undone stays undone.
        if state.state == RunState::Aborted && !superseded && kind != RunKind::Undo {
            prop_assert!(state.steps.iter().all(undone), "{:?}", state.steps);
        }
    }
}

#[test]
fn a_failed_step_is_stuck_with_its_remedy_until_somebody_lets_it_go_on() {
    let mut state = State::new(plan(RunKind::Suspension));
    let step = Step::Suspend;
    state.apply(at(1), &Event::Began { step: step.clone() }).unwrap();
    let remedy = Text::new("liberare spazio", "free some space");
    let failed = Event::Failed { step: step.clone(), output: "no space".into(), remedy: remedy.clone() };
    state.apply(at(2), &failed).unwrap();
    assert_eq!((state.state, state.next()), (RunState::Stuck, Next::Rest));
    let report = state.report();
    assert_eq!(report.step.as_deref(), Some("suspend"));
    assert_eq!(report.steps[0].remedy, Some(remedy));
    state.apply(at(3), &Event::Resumed { by: "carla".into() }).unwrap();
    assert_eq!(state.next(), Next::Do(step.clone()));
    state.apply(at(4), &Event::Began { step }).unwrap();
    let again = &state.report().steps[0];
    assert_eq!((again.attempts, again.started_at, &again.remedy), (2, Some(at(1)), &None));
}

#[test]
fn the_time_to_recovery_counts_from_the_press_to_the_verified_services() {
    let mut state = State::new(plan(RunKind::Activation));
    let mut clock = 0;
    while state.next() != Next::Over {
        assert_eq!(state.report().rto_seconds.is_some(), state.is_done(&Step::Verify));
        clock += 1;
        for event in go_on(&state) {
            state.apply(at(clock), &event).unwrap();
        }
    }
    let report = state.report();
    assert_eq!(report.rto_seconds, Some(8.0), "eight steps of a second each");
    assert_eq!((report.state, report.step, report.ended_at), (RunState::Done, None, Some(at(10))));
}

#[test]
fn an_abort_takes_back_what_was_done_last_first_and_is_refused_once_the_mandate_is_written() {
    let mut state = State::new(plan(RunKind::Deactivation));
    let aborting = Event::Aborting { by: "carla".into() };
    for _ in 0..3 {
        for event in go_on(&state) {
            state.apply(at(1), &event).unwrap();
        }
    }
    let mut given_up = state.clone();
    given_up.apply(at(2), &aborting).unwrap();
    assert_eq!(given_up.next(), Next::Undo(Step::Revert("mount".into())));
    given_up.apply(at(3), &go_on(&given_up)[0]).unwrap();
    assert_eq!(given_up.next(), Next::Undo(Step::Stop("db".into())));
    for _ in 0..3 {
        for event in go_on(&state) {
            state.apply(at(2), &event).unwrap();
        }
    }
    assert!(state.is_done(&Step::Mandate) && !state.report().can_abort);
    assert!(state.apply(at(3), &aborting).is_err());
}

/// A run that waits, after one event.
fn answered(event: &Event) -> State {
    let mut state = State::new(plan(RunKind::Takeover));
    state.apply(at(1), &Event::Began { step: Step::Approval }).unwrap();
    assert!(state.awaits_approval() && state.waiting().is_some());
    state.apply(at(2), event).unwrap();
    assert!(!state.awaits_approval() && state.waiting().is_none(), "one answer is enough");
    assert!(state.apply(at(3), &Event::Approved { by: person("bruno") }).is_err(), "and the first one counts");
    state
}

#[test]
fn what_the_second_person_answers_decides_and_so_does_their_silence() {
    let (bruno, why) = (|| person("bruno"), || "not now".to_owned());
    for (event, told, goes_on) in [
        (Event::Approved { by: bruno() }, ApprovalState::Approved, true),
        (Event::Bypassed { by: bruno(), reason: why() }, ApprovalState::Bypassed, true),
        (Event::Declined { by: bruno(), reason: why() }, ApprovalState::Declined, false),
        (Event::Lapsed, ApprovalState::Lapsed, false),
    ] {
        let state = answered(&event);
        assert_eq!(state.approval().unwrap().state, told);
        assert_eq!(state.approval_seen().is_some(), goes_on, "{event:?}");
        let next = if goes_on { Next::Do(Step::Approval) } else { Next::Undo(Step::Approval) };
        assert_eq!(state.next(), next, "{event:?}");
    }
    let mut withdrawn = State::new(plan(RunKind::Takeover));
    withdrawn.apply(at(1), &Event::Aborting { by: "carla".into() }).unwrap();
    assert_eq!(withdrawn.approval().unwrap().state, ApprovalState::Withdrawn);
}

#[test]
fn the_wait_counts_from_the_press_and_a_reason_brought_with_it_needs_none() {
    let state = State::new(plan(RunKind::Takeover));
    assert!(!state.has_waited_long_enough(at(59)) && state.has_waited_long_enough(at(60)));
    let mut plan = plan(RunKind::Takeover);
    plan.approval = plan.approval.map(|asked| Asked { bypass: Some("alone at night".into()), ..asked });
    let state = State::new(plan);
    assert!(!state.awaits_approval());
    assert_eq!(state.approval_seen().unwrap(), "without a second person, by carla: alone at night");
}

/// Takes a run to the attempt at this step, with everything before it done.
fn at_step(kind: RunKind, id: &str) -> State {
    let mut state = State::new(plan(kind));
    loop {
        let Next::Do(step) = state.next() else { panic!("{id} never comes") };
        state.apply(at(1), &Event::Began { step: step.clone() }).unwrap();
        if state.awaits_approval() {
            state.apply(at(1), &Event::Approved { by: person("bruno") }).unwrap();
        }
        if step.to_string() == id {
            return state;
        }
        state.apply(at(2), &Event::Done { step, output: String::new() }).unwrap();
    }
}

#[test]
fn the_keeper_has_the_services_before_a_run_comes_to_them_and_after_it_has_seen_them_up() {
    let kept = |kind, id| at_step(kind, id).leaves_services_to_the_keeper();
    for kind in [RunKind::Activation, RunKind::Takeover] {
        for id in ["mandate", "own:mount", "start:db", "verify"] {
            assert!(!kept(kind, id), "{id}");
        }
        assert!(kept(kind, "own:carrier"));
    }
    assert!(kept(RunKind::Failback, "bring"));
    for kind in [RunKind::Deactivation, RunKind::Failback] {
        assert!(kept(kind, "revert:carrier"), "they stay down while a person is waited for");
    }
    for id in ["stop:pbx", "stop:db", "revert:mount", "ledger", "mandate"] {
        assert!(!kept(RunKind::Deactivation, id) && !kept(RunKind::Failback, id), "{id}");
    }
}

#[test]
fn a_roll_back_that_is_given_up_leaves_the_services_to_the_keeper_once_they_are_undone() {
    let mut state = at_step(RunKind::Deactivation, "stop:db");
    state.apply(at(3), &Event::Aborting { by: "carla".into() }).unwrap();
    while let Next::Undo(step) = state.next() {
        let stops = matches!(step, Step::Stop(_));
        assert_eq!(state.leaves_services_to_the_keeper(), !stops, "{step}");
        state.apply(at(4), &Event::Undone { step, output: String::new() }).unwrap();
    }
}
