//! The rules of the mandate, checked in every state that two machines can come to: crashes, boots, restarts, late, doubled
//! and lost words, right and wrong attestations, machines that are put back to an earlier copy. The decisions are the
//! product's own; the model only lets things happen.
#![allow(clippy::unwrap_used, reason = "test code")]

mod kept;
mod moves;
mod properties;
mod rule;
mod stories;
mod without;
mod world;

use std::fmt::Write;

use stateright::{Checker, HasDiscoveries, Model};

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

/// Checks every state up to `depth` moves from the end of a story, and that `reaches` is possible there.
fn check(bounds: Bounds, story: &'static [Move], depth: Option<usize>, reaches: &[&str]) {
    let pair = Pair { bounds, without: None, story };
    let mut checker = pair.checker().threads(2).finish_when(HasDiscoveries::AnyFailures);
    if let Some(depth) = depth {
        checker = checker.target_max_depth(depth);
    }
    let checked = checker.spawn_bfs().join();
    let found = checked.discoveries();
    let mut told = format!("{} states, {} moves deep\n", checked.unique_state_count(), checked.max_depth());
    let failures = pair.properties().into_iter().filter(|one| one.expectation.discovery_is_failure());
    let failed = failures.filter_map(|property| Some((property.name, found.get(property.name)?.clone())));
    let mut failed = failed.peekable();
    let holds = failed.peek().is_none();
    for (name, path) in failed {
        writeln!(told, "not so: {name}: {:?}", path.into_actions()).unwrap();
    }
    let missing: Vec<_> = reaches.iter().filter(|name| !found.contains_key(*name)).collect();
    assert!(holds && missing.is_empty(), "{told}never reached: {missing:?}");
    eprintln!("{told}");
}

#[test]
fn whatever_operators_do_two_never_serve_without_a_wrong_word_or_a_long_silence() {
    check(
        OPERATORS,
        &[],
        None,
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
    check(Bounds { late: true, ..COPIES }, &[], Some(14), &[]);
    check(Bounds { raises: 3, ..COPIES }, &[], Some(16), &[]);
}
