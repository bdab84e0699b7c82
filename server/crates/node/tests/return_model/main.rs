//! Loss, replacement and the way home, in every state that a pair and a machine in the place of one of the two can come to:
//! machines that were declared lost and come back, wrong words, failbacks that are cut off at every step, takes in the
//! middle of them. What words do that come late is the business of the model of the mandate. The decisions are the product's own.
#![allow(clippy::unwrap_used, reason = "test code")]

#[path = "../models/checking.rs"]
mod checking;
#[path = "../models/kept.rs"]
mod kept;
#[path = "../models/mission.rs"]
mod mission;
mod moves;
mod properties;
mod rule;
mod world;

use contract::NodeRole;
use stateright::{Model, Property};

use moves::{Bounds, Move};
use properties::{ALONE, FED, GOES_ON, LOST_ENDS, LOST_STAYS, NOT_TO_THE_EMPTY, reached};
use rule::Rule;
use world::{CLIENT, MASTER, NEW, World};

/// There and home again, with a boot of either in the middle of it.
const HOME: Bounds = Bounds { raises: 3, boots: [1, 1, 0], runs: 2, contents: 3, lost: false, shelf: NodeRole::Master };
/// A Master is lost and another one comes in its place.
const NEW_MASTER: Bounds =
    Bounds { raises: 3, boots: [1, 1, 1], runs: 1, contents: 2, lost: true, shelf: NodeRole::Master };
/// The same of a Client.
const NEW_CLIENT: Bounds = Bounds { shelf: NodeRole::Client, ..NEW_MASTER };

/// The machines under the rules, all of them or all but one.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    bounds: Bounds,
    without: Option<Rule>,
    /// What has happened before.
    story: &'static [Move],
    /// It is looked in each state, too, what operators can do.
    reach: bool,
}

impl Model for Pair {
    type State = World;
    type Action = Move;

    fn init_states(&self) -> Vec<World> {
        let mut world = World::new(self.bounds.shelf);
        self.story.iter().for_each(|step| world.make(*step, self.without));
        vec![world]
    }

    fn actions(&self, world: &World, moves: &mut Vec<Move>) {
        world.moves(&self.bounds, self.without, moves);
    }

    fn next_state(&self, world: &World, step: Move) -> Option<World> {
        let mut next = world.clone();
        next.make(step, self.without);
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = properties::all();
        if self.reach {
            all.extend(properties::reach());
        }
        all
    }
}

/// The DR has taken the service as it should be, and the Master stands down.
const ACTIVE: &[Move] = &[Move::TakeOver(CLIENT), Move::Hear(MASTER, CLIENT), Move::Reconcile(CLIENT)];
/// The Master burnt down, was declared lost, and another one has joined.
const REPLACED: &[Move] = &[
    Move::Crash(MASTER),
    Move::Retire(CLIENT),
    Move::Reconcile(CLIENT),
    Move::Join(CLIENT),
    Move::Reconcile(NEW),
    Move::Hear(CLIENT, NEW),
];

fn check(bounds: Bounds, story: &'static [Move], depth: usize, reaches: &[&str]) {
    checking::check(Pair { bounds, without: None, story, reach: false }, Some(depth), reaches);
}

/// The same, and in each state what operators can do.
fn check_reach(bounds: Bounds, story: &'static [Move], depth: usize) {
    checking::check(Pair { bounds, without: None, story, reach: true }, Some(depth), &[]);
}

fn keeps_somebody_out(without: Rule, bounds: Bounds, story: &'static [Move], property: &'static str) {
    checking::breaks(Pair { bounds, without: Some(without), story, reach: true }, property);
}

fn breaks(without: Rule, bounds: Bounds, story: &'static [Move], property: &'static str) {
    checking::breaks(Pair { bounds, without: Some(without), story, reach: false }, property);
}

#[test]
fn the_master_serves_again_with_what_the_dr_had_whatever_is_cut_off_in_the_middle() {
    check(HOME, ACTIVE, 12, &[reached::HOME]);
}

#[test]
fn a_master_in_the_place_of_a_lost_one_serves_only_what_was_handed_over() {
    check(NEW_MASTER, &[], 7, &[]);
    check(NEW_MASTER, REPLACED, 8, &[reached::CAME_BACK]);
}

#[test]
fn a_client_that_was_declared_lost_comes_back_to_nothing() {
    check(NEW_CLIENT, &[], 7, &[]);
}

#[test]
fn from_every_state_operators_bring_exactly_one_to_serve() {
    check_reach(HOME, ACTIVE, 8);
    check_reach(NEW_MASTER, REPLACED, 6);
    check_reach(NEW_CLIENT, &[], 6);
}

#[test]
#[ignore = "explores millions of states: make soak"]
fn the_wide_return_model_holds() {
    check(HOME, &[], 14, &[]);
    check(HOME, ACTIVE, 16, &[reached::HOME]);
    check(NEW_MASTER, &[], 10, &[reached::CAME_BACK]);
    check(NEW_MASTER, REPLACED, 13, &[reached::HOME, reached::IN_ITS_PLACE, reached::CAME_BACK]);
    check(NEW_CLIENT, &[], 10, &[reached::CAME_BACK]);
    check_reach(HOME, ACTIVE, 12);
    check_reach(NEW_MASTER, REPLACED, 9);
}

#[test]
fn without_stopping_a_machine_that_was_declared_lost_serves_beside_the_one_that_is_left() {
    breaks(Rule::LostStops, NEW_MASTER, &[], LOST_ENDS);
}

#[test]
fn without_refusing_it_a_machine_that_was_declared_lost_takes_the_service_again() {
    breaks(Rule::LostTakesNothing, NEW_MASTER, &[], LOST_STAYS);
}

#[test]
fn if_it_were_heard_like_any_other_a_machine_that_was_declared_lost_would_stop_the_one_that_is_left() {
    breaks(Rule::LostStopsNobody, NEW_MASTER, &[], LOST_ENDS);
}

#[test]
fn without_handing_tombstones_down_nobody_tells_a_machine_that_it_was_declared_lost() {
    breaks(Rule::TombstonesStay, NEW_MASTER, &[], LOST_ENDS);
}

#[test]
fn without_knowing_that_it_has_nothing_a_new_master_serves_nothing() {
    breaks(Rule::NewMasterRecovers, NEW_MASTER, &[], FED);
}

#[test]
fn without_refusing_it_the_service_is_given_to_a_machine_that_has_nothing() {
    breaks(Rule::NothingForTheEmpty, NEW_MASTER, &[], NOT_TO_THE_EMPTY);
}

#[test]
fn without_awaiting_the_content_a_master_serves_what_it_had_before() {
    breaks(Rule::ContentIsAwaited, HOME, ACTIVE, FED);
}

#[test]
fn without_the_mark_that_content_comes_in_a_master_serves_between_two_contents() {
    breaks(Rule::ReceivingIsMarked, HOME, ACTIVE, FED);
}

#[test]
fn without_a_take_while_content_comes_in_nobody_serves_on_the_master_when_the_dr_dies_on_the_way() {
    keeps_somebody_out(Rule::TakenFromReceiving, HOME, ACTIVE, ALONE);
}

#[test]
fn without_comparing_what_was_written_last_on_the_dr_is_not_what_the_master_gets() {
    breaks(Rule::ComparedIsNamed, HOME, ACTIVE, FED);
}

#[test]
fn without_letting_the_one_go_on_that_serves_one_that_was_declared_lost_stops_it() {
    breaks(Rule::ServingGoesOn, NEW_MASTER, &[], GOES_ON);
}

#[test]
fn without_letting_the_newer_go_on_two_that_declared_each_other_lost_stop_each_other() {
    breaks(Rule::NewerGoesOn, NEW_MASTER, REPLACED, GOES_ON);
}
