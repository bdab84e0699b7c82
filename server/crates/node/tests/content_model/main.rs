//! Which content may replace which, checked in every state that a Master, its copies from before and a replica can come to:
//! captures that die before, between and after what is written down, a Master that is put back or replaced by an empty
//! machine, consents that come late. The decisions are the product's own (`sync/ancestry.rs`).
#![allow(clippy::unwrap_used, reason = "test code")]

#[path = "../models/checking.rs"]
mod checking;
mod dr;
mod world;

use stateright::{Model, Property};

use world::{Move, Rule, World};

const NOTHING_ERASED: &str = "what is replaced was an earlier state of what comes, or somebody gave up exactly that";
const NOT_IN_VAIN: &str = "what a copy was given up for is taken";
const KEPT: &str = "what was given up can be gone back to";
const DISPLACED: &str = "what was made on the DR, or written last on the Master, is at home or can be gone back to";
const INNOCENT: &str = "a Master that nobody touched is never refused";

/// What must be possible.
const HELD: &str = "a copy is held";
const REPLACED: &str = "a copy that was held is replaced by consent";
const HOME: &str = "what was made on the DR comes home, and the replica follows";
const FOLLOWS: &str = "the replica follows a Master that was put back, after a consent";

/// A pair under the rules, all of them or all but one.
#[derive(Debug, Clone, Copy)]
struct Pair {
    without: Option<Rule>,
    /// How many contents there are in all.
    contents: u8,
    /// How often the Master is put back, or replaced.
    accidents: u8,
    /// How often the DR begins to serve.
    activations: u8,
}

const ALL: Pair = Pair { without: None, contents: 4, accidents: 3, activations: 0 };
/// The DR serves, and gives the service back with and without what was made there.
const DR: Pair = Pair { without: None, contents: 4, accidents: 0, activations: 2 };

impl Model for Pair {
    type State = World;
    type Action = Move;

    fn init_states(&self) -> Vec<World> {
        vec![World::new()]
    }

    fn actions(&self, world: &World, moves: &mut Vec<Move>) {
        world.moves(self.contents, self.accidents, self.activations, moves);
    }

    fn next_state(&self, world: &World, step: Move) -> Option<World> {
        let mut next = world.clone();
        next.make(step, self.without);
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(NOTHING_ERASED, |_, world: &World| !world.seen.erased),
            Property::always(NOT_IN_VAIN, |_, world: &World| !world.seen.in_vain),
            Property::always(KEPT, |_, world: &World| world.seen.given_up.iter().all(|one| world.pinned.contains(one))),
            Property::always(DISPLACED, |_, world: &World| {
                let mut displaced = world.seen.displaced.iter();
                displaced.all(|one| world.pinned.contains(one) || world.comes_after(world.source.content, *one))
            }),
            Property::always(INNOCENT, |_, world: &World| world.accidents > 0 || !world.seen.refused),
            Property::sometimes(HOME, |_, world: &World| {
                let follows = world.replica.is_some_and(|(content, _)| content == world.source.content);
                world.seen.came_home && world.served.is_none() && follows
            }),
            Property::sometimes(HELD, |_, world: &World| world.seen.refused),
            Property::sometimes(REPLACED, |_, world: &World| world.seen.replaced_by_consent > 0),
            Property::sometimes(FOLLOWS, |_, world: &World| world.seen.followed_after_consent),
        ]
    }
}

fn check(pair: Pair) {
    checking::check(pair, None, &[HELD, REPLACED, FOLLOWS]);
}

fn breaks(without: Rule, property: &'static str) {
    checking::breaks(Pair { without: Some(without), ..ALL }, property);
}

#[test]
fn no_good_copy_is_erased_unless_somebody_gave_up_exactly_that() {
    check(ALL);
}

#[test]
fn what_is_made_on_the_dr_comes_home_or_is_put_aside_whichever_point_it_began_with() {
    checking::check(DR, None, &[HOME]);
    checking::check(Pair { contents: 3, accidents: 1, ..DR }, None, &[HOME, HELD]);
}

#[test]
#[ignore = "explores millions of states: make soak"]
fn the_wide_content_model_holds() {
    check(Pair { contents: 5, ..ALL });
    checking::check(Pair { contents: 5, ..DR }, None, &[HOME]);
    checking::check(Pair { contents: 4, accidents: 1, ..DR }, None, &[HOME, HELD]);
}

#[test]
fn without_looking_at_what_the_receiver_has_an_empty_machine_erases_the_good_copy() {
    breaks(Rule::ContentIsKnown, NOTHING_ERASED);
}

#[test]
fn without_writing_a_content_down_before_it_is_offered_a_crash_holds_an_innocent_pair() {
    breaks(Rule::RecordedFirst, INNOCENT);
}

#[test]
fn without_a_consent_that_names_its_content_another_one_is_erased_by_it() {
    breaks(Rule::ConsentNamesContent, NOTHING_ERASED);
}

#[test]
fn without_a_number_beyond_what_was_given_up_a_consent_is_given_in_vain() {
    breaks(Rule::NumbersGrow, NOT_IN_VAIN);
}

#[test]
fn without_a_pin_what_was_given_up_is_gone() {
    breaks(Rule::GivenUpIsPinned, KEPT);
}

#[test]
fn without_a_pin_what_an_older_restore_point_skips_is_erased() {
    checking::breaks(Pair { without: Some(Rule::SkippedIsPinned), ..DR }, NOTHING_ERASED);
}

#[test]
fn without_putting_it_aside_what_was_made_on_the_dr_is_gone_after_a_roll_back() {
    checking::breaks(Pair { without: Some(Rule::MadeIsPutAside), ..DR }, DISPLACED);
}

#[test]
fn without_keeping_it_what_the_master_wrote_last_is_gone_after_a_failback() {
    checking::breaks(Pair { without: Some(Rule::TailIsKept), ..DR }, DISPLACED);
}
