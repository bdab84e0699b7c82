//! The rules of the mandate, checked in every state that two machines can come to: crashes, boots, restarts, late, doubled
//! and lost words, right and wrong attestations, machines that are put back to an earlier copy. The decisions are the
//! product's own; the model only lets things happen.
#![allow(clippy::unwrap_used, reason = "test code")]

#[path = "../models/checking.rs"]
mod checking;
#[path = "../models/kept.rs"]
mod kept;
#[path = "../models/mission.rs"]
mod mission;
mod moves;
mod properties;
mod reach;
mod rule;
mod run;
mod stories;
mod without;
mod world;

use moves::{Bounds, Move, Pair};
use properties::reached;

/// Operators at both machines, answers that come late.
const OPERATORS: Bounds = Bounds { raises: 2, boots: [0, 0], snapshots: 0, late: false };
/// The same, and each machine dies once.
const CRASHES: Bounds = Bounds { boots: [1, 1], ..OPERATORS };
/// Every word may be late and doubled.
const LATE: Bounds = Bounds { late: true, ..OPERATORS };
/// A machine is put back to an earlier copy.
const COPIES: Bounds = Bounds { snapshots: 1, ..CRASHES };

fn check(bounds: Bounds, story: &'static [Move], depth: Option<usize>, reaches: &[&str]) {
    checking::check(Pair { bounds, without: None, story, reach: false }, depth, reaches);
}

/// The same, and in each state what operators can do.
fn check_reach(bounds: Bounds, story: &'static [Move], depth: Option<usize>) {
    checking::check(Pair { bounds, without: None, story, reach: true }, depth, &[]);
}

#[test]
fn whatever_operators_do_two_never_serve_without_a_wrong_word_or_a_long_silence() {
    check(
        OPERATORS,
        &[],
        Some(20),
        &[reached::ACTIVATION, reached::ROLL_BACK, reached::TAKE_OVER, reached::BOTH, reached::FORK],
    );
}

#[test]
fn machines_may_die_at_any_moment() {
    check(CRASHES, &[], Some(13), &[reached::ACTIVATION, reached::ROLL_BACK, reached::TAKE_OVER]);
}

#[test]
fn words_may_be_late_doubled_and_lost() {
    check(LATE, &[], Some(11), &[reached::BOTH]);
}

#[test]
fn from_every_state_operators_bring_exactly_one_to_serve() {
    check_reach(CRASHES, &[], Some(9));
    check_reach(COPIES, stories::SET_BACK, Some(16));
    check_reach(Bounds { raises: 3, ..OPERATORS }, stories::FORKED, Some(11));
}

#[test]
fn a_fork_is_found_and_settled_by_a_take() {
    let bounds = Bounds { raises: 4, ..OPERATORS };
    check(bounds, stories::FORKED, Some(14), &[reached::FORK, reached::SETTLED]);
}

#[test]
fn a_machine_that_was_put_back_is_found_and_settled() {
    let bounds = Bounds { raises: 2, boots: [1, 1], ..COPIES };
    check(bounds, stories::SET_BACK, None, &[reached::SET_BACK, reached::ACTIVATION]);
}

/// Minutes, and some gigabytes.
#[test]
#[ignore = "explores millions of states: make soak"]
fn the_wide_model_holds() {
    check(OPERATORS, &[], None, &[]);
    check(Bounds { late: true, ..COPIES }, &[], Some(14), &[]);
    check(Bounds { raises: 3, ..COPIES }, &[], Some(16), &[]);
    check_reach(COPIES, &[], Some(13));
}
