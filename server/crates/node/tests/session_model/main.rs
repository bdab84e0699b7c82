//! The one-time session secret, checked in every state that two machines can come to: late, doubled and lost words, talks
//! that end at any instruction, machines or only their databases or mandate files put back to an earlier copy, a second
//! machine made of one. The decisions are the product's own.
#![allow(clippy::unwrap_used, reason = "test code")]

#[path = "../models/checking.rs"]
mod checking;
#[path = "../models/kept.rs"]
mod kept;
mod properties;
mod world;

use stateright::{Model, Property};

use properties::{FOUND, INNOCENT, TWO_ARE_FOUND, reached};
use world::{Bounds, Move, Rule, World};

/// Words come late, doubled and not at all; nobody is touched.
const QUIET: Bounds = Bounds { talks: 2, put_back: false, clone: false, late: true };
/// One machine, or a part of it, is put back once.
const PUT_BACK: Bounds = Bounds { talks: 2, put_back: true, clone: false, late: false };
/// One machine becomes two.
const CLONE: Bounds = Bounds { talks: 1, put_back: false, clone: true, late: false };

/// Both.
const BOTH: Bounds = Bounds { clone: true, ..PUT_BACK };

/// Two machines and what they show each other, under the rules, all of them or all but one.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    bounds: Bounds,
    without: Option<Rule>,
}

impl Model for Pair {
    type State = World;
    type Action = Move;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self.without)]
    }

    fn actions(&self, world: &World, moves: &mut Vec<Move>) {
        world.moves(&self.bounds, moves);
    }

    fn next_state(&self, world: &World, step: Move) -> Option<World> {
        let mut next = world.clone();
        next.make(step, self.without);
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}

impl Pair {
    /// The rule that is left out.
    pub const fn without(&self) -> Option<Rule> {
        self.without
    }
}

fn check(bounds: Bounds, depth: Option<usize>, reaches: &[&str]) {
    checking::check(Pair { bounds, without: None }, depth, reaches);
}

fn breaks(without: Rule, bounds: Bounds, property: &'static str) {
    checking::breaks(Pair { bounds, without: Some(without) }, property);
}

#[test]
fn whoever_was_not_touched_is_accused_of_nothing() {
    check(QUIET, Some(12), &[reached::RENEWED]);
}

#[test]
fn whoever_was_put_back_behind_a_ticket_that_was_shown_is_found() {
    check(PUT_BACK, Some(11), &[reached::SET_BACK]);
}

#[test]
fn of_one_that_became_two_both_can_be_known() {
    check(CLONE, Some(14), &[reached::CLONED]);
}

#[test]
fn whoever_is_put_back_beside_a_second_one_of_its_name_is_found_by_whoever_misses_something() {
    check(BOTH, Some(9), &[reached::SET_BACK]);
}

#[test]
#[ignore = "explores millions of states: make soak"]
fn the_wide_session_model_holds() {
    check(Bounds { talks: 3, ..QUIET }, Some(14), &[]);
    check(Bounds { talks: 3, late: true, ..PUT_BACK }, Some(14), &[]);
    check(BOTH, Some(14), &[]);
}

#[test]
fn without_keeping_the_old_ticket_a_lost_word_accuses_the_innocent() {
    breaks(Rule::OldOneStaysGood, QUIET, INNOCENT);
}

#[test]
fn without_writing_down_what_is_given_a_restart_accuses_the_innocent() {
    breaks(Rule::GiftIsWrittenFirst, QUIET, INNOCENT);
}

#[test]
fn without_waiting_for_the_database_a_restart_accuses_the_innocent() {
    breaks(Rule::TallyBeforeTheNext, Bounds { talks: 3, ..QUIET }, INNOCENT);
}

#[test]
fn without_comparing_the_number_that_was_seen_a_set_back_holder_goes_unnoticed() {
    breaks(Rule::SeenNumberIsCompared, PUT_BACK, FOUND);
}

#[test]
fn without_knowing_every_gift_a_set_back_giver_goes_unnoticed() {
    breaks(Rule::UnknownTicketIsFound, PUT_BACK, FOUND);
}

#[test]
fn without_the_database_s_own_number_one_of_the_two_put_back_alone_goes_unnoticed() {
    breaks(Rule::TallyIsCompared, PUT_BACK, FOUND);
}

#[test]
fn without_comparing_the_number_that_was_seen_two_that_were_one_go_unnoticed() {
    breaks(Rule::SeenNumberIsCompared, CLONE, TWO_ARE_FOUND);
}
