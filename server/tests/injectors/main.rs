//! The injectors: every procedure goes through every bad day. A kind of run that is new does not compile until it is in the
//! table below, and a step that is new is gone through because the run has it.
#![allow(clippy::unwrap_used, reason = "test code")]

#[path = "../counterparts/mod.rs"]
mod counterparts;
mod given_up;
mod giving;
#[path = "../machines/mod.rs"]
mod machines;
#[path = "../procedures/mod.rs"]
mod procedures;
#[path = "../failback/site.rs"]
#[allow(dead_code, reason = "a site of the failback, of which this file needs a part")]
mod site;
mod taking;

/// Each procedure and the kinds of run that it goes through, on each day a test of its own.
macro_rules! on_every_bad_day {
    ($($procedure:ident in $place:ident: $($kind:ident)|+;)+) => {
        const _: fn(contract::run::RunKind) = |kind| match kind {
            $($(contract::run::RunKind::$kind)|+ => (),)+
        };
        $(mod $procedure {
            use contract::run::RunKind;

            use crate::$place::$procedure;
            use crate::procedures::bad_days::Day;

            const KINDS: &[RunKind] = &[$(RunKind::$kind),+];

            #[test]
            fn every_step_that_fails_before_its_work_is_stuck_with_its_remedy_and_goes_on_when_told_to() {
                assert_eq!($procedure(Day::FailsBefore), KINDS);
            }

            #[test]
            fn every_step_that_fails_after_its_work_is_stuck_and_goes_on_from_what_it_has_done() {
                assert_eq!($procedure(Day::FailsAfter), KINDS);
            }

            #[test]
            fn every_step_may_be_done_twice() {
                assert_eq!($procedure(Day::Twice), KINDS);
            }

            #[test]
            fn a_process_that_dies_at_every_moment_of_every_step_comes_to_the_same_end() {
                assert_eq!($procedure(Day::Dies), KINDS);
            }
        })+
    };
}

on_every_bad_day! {
    activation in taking: Activation;
    pause in giving: Suspension | Resumption;
    takeover in taking: Takeover;
    roll_back in giving: Deactivation;
    failback in giving: Failback;
    undo in giving: Undo;
    retirement in taking: Retirement;
    drill in taking: Drill;
}
