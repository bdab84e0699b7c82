//! Ways to a state from which it goes on by itself, and what must be possible from there.

use contract::mandate::MandateFinding;
use node::mandate::evidence::Ground;

use crate::moves::Move::{self, *};
use crate::moves::{Bounds, Pair};
use crate::world::{CLIENT, MASTER, World};

/// Both were attested to be off, wrongly, and both took the service.
pub const FORKED: &[Move] = &[
    BeginTake(CLIENT),
    AskToYield(CLIENT),
    Reconcile(MASTER),
    BeginTake(MASTER),
    Attest(CLIENT),
    Attest(MASTER),
    Raise(CLIENT),
    Raise(MASTER),
    Start(CLIENT),
    Start(MASTER),
];

/// The Client took the service, the Master knows it, and the Client is put back to the day before.
pub const SET_BACK: &[Move] = &[
    Snapshot(CLIENT),
    BeginTake(CLIENT),
    AskToYield(CLIENT),
    Reconcile(MASTER),
    SeeYielded(CLIENT),
    Raise(CLIENT),
    Start(CLIENT),
    Speak(CLIENT),
    Crash(CLIENT),
    SetBack(CLIENT),
];

fn after(story: &[Move], then: &[Move]) -> World {
    let bounds = Bounds { raises: 9, boots: [9, 9], snapshots: 9, late: false };
    let pair = Pair { bounds, without: None, story: &[], reach: false };
    let mut world = World::new();
    for step in story.iter().chain(then) {
        let mut possible = Vec::new();
        stateright::Model::actions(&pair, &world, &mut possible);
        assert!(possible.contains(step), "{step:?} cannot happen in {world:#?}");
        pair.make(&mut world, *step);
    }
    world
}

#[test]
fn a_client_that_was_put_back_takes_the_service_again_while_the_fenced_master_is_there() {
    let found = after(SET_BACK, &[Boot(CLIENT), Speak(MASTER)]);
    assert_eq!(found.sides[CLIENT].record.findings(), [MandateFinding::SetBack]);
    let asked =
        after(SET_BACK, &[Boot(CLIENT), Speak(MASTER), BeginTake(CLIENT), AskToYield(CLIENT), SeeYielded(CLIENT)]);
    let run = asked.sides[CLIENT].run.as_ref();
    assert_eq!(
        run.and_then(|run| run.evidence.as_ref()).map(|found| found.ground),
        Some(Ground::StoodDown),
        "a fenced machine has nothing to stop"
    );
}

#[test]
fn a_master_that_yielded_serves_again_once_the_take_was_given_up() {
    let yielded = [BeginTake(CLIENT), AskToYield(CLIENT), Reconcile(MASTER), SeeYielded(CLIENT)];
    let held = after(&yielded, &[Ask(MASTER), Answer(MASTER), Reconcile(MASTER)]);
    assert!(!held.serving(MASTER), "during a take the answer is: hold");
    let again = after(&yielded, &[Abort(CLIENT), Ask(MASTER), Answer(MASTER), Reconcile(MASTER)]);
    assert!(again.serving(MASTER) && !again.both_serve());
}

#[test]
fn an_activation_in_the_middle_of_which_the_machine_boots_goes_on_through_the_gate() {
    let begun = [BeginTake(CLIENT), AskToYield(CLIENT), Reconcile(MASTER), SeeYielded(CLIENT), Raise(CLIENT)];
    let confirmed = [Crash(CLIENT), Boot(CLIENT), Ask(CLIENT), Answer(CLIENT), Start(CLIENT)];
    assert!(after(&begun, &confirmed).serving(CLIENT));
    let silent = [Crash(CLIENT), Boot(CLIENT), OpenInSilence(CLIENT), Start(CLIENT)];
    assert!(after(&begun, &silent).serving(CLIENT));
}

#[test]
fn services_stop_when_the_right_is_lost_although_a_run_is_open() {
    let lost = after(&[], &[BeginTake(CLIENT), Attest(CLIENT), Raise(CLIENT), Speak(CLIENT), BeginTake(MASTER)]);
    assert!(lost.serving(MASTER), "not yet stopped when an operator begins to take the service back");
    let stopped = after(
        &[],
        &[BeginTake(CLIENT), Attest(CLIENT), Raise(CLIENT), Speak(CLIENT), BeginTake(MASTER), Reconcile(MASTER)],
    );
    assert!(!stopped.serving(MASTER));
}
