//! Without any one of the rules the model finds what that rule is for: the model can fail.

use crate::moves::{Bounds, Move, Pair};
use crate::properties::{ALONE, DATA, GIVES, NEVER_BOTH, NOT_AGAINST, ONE_REMAINS, ONLY_THE_HOLDER, SETTLED, TOGETHER};
use crate::rule::Rule;
use crate::{COPIES, CRASHES, OPERATORS, checking, stories};

fn breaks(without: Rule, bounds: Bounds, story: &'static [Move], property: &'static str) {
    let reach = [ALONE, TOGETHER].contains(&property);
    checking::breaks(Pair { bounds, without: Some(without), story, reach }, property);
}

#[test]
fn without_a_gate_a_revived_master_serves_beside_the_client() {
    breaks(Rule::BootClosesGate, CRASHES, &[], NEVER_BOTH);
}

#[test]
fn without_closing_the_gate_at_adoption_whoever_is_named_anew_starts_unasked() {
    breaks(Rule::AdoptionClosesGate, OPERATORS, &[], ONLY_THE_HOLDER);
}

#[test]
fn without_the_answer_hold_a_master_opens_in_the_middle_of_a_take() {
    breaks(Rule::HoldDuringTake, OPERATORS, &[], NEVER_BOTH);
}

#[test]
fn without_closing_the_question_a_master_that_yielded_opens_on_an_older_answer() {
    breaks(Rule::YieldClosesQuestion, CRASHES, &[], NEVER_BOTH);
}

#[test]
fn without_asking_anew_the_yield_of_a_take_that_was_given_up_counts_for_the_next() {
    breaks(Rule::YieldIsAskedAnew, OPERATORS, &[], NEVER_BOTH);
}

#[test]
fn without_refusing_it_two_takes_at_once_yield_to_each_other_and_both_start() {
    breaks(Rule::TakerYieldsToNobody, OPERATORS, &[], NEVER_BOTH);
}

#[test]
fn without_a_durable_yield_a_restart_opens_the_gate_in_silence() {
    breaks(Rule::YieldIsDurable, OPERATORS, &[], NOT_AGAINST);
}

#[test]
fn without_losing_it_with_the_process_evidence_outlives_what_it_was_about() {
    breaks(Rule::EvidencePerishes, CRASHES, &[], NEVER_BOTH);
}

#[test]
fn without_a_sign_of_life_making_it_void_a_word_outlives_the_silence() {
    breaks(Rule::WordIsVoidByLife, CRASHES, &[], NEVER_BOTH);
}

#[test]
fn without_the_yield_still_being_said_a_take_displaces_a_master_that_took_over_meanwhile() {
    breaks(Rule::YieldLastsWhileSaid, OPERATORS, &[], NEVER_BOTH);
}

#[test]
fn without_seeing_services_down_a_yield_is_believed_too_early() {
    breaks(Rule::ServesUntilSeenDown, OPERATORS, &[], NEVER_BOTH);
}

#[test]
fn without_looking_at_it_a_starting_node_displaces_a_serving_one() {
    breaks(Rule::StartingNeverDisplaces, CRASHES, &[], NOT_AGAINST);
}

#[test]
fn without_giving_way_both_go_on_in_a_fork() {
    breaks(Rule::LesserGivesWay, OPERATORS, &[], ONE_REMAINS);
}

#[test]
fn without_stopping_what_has_lost_its_right_an_open_run_keeps_both_serving() {
    breaks(Rule::NoRunKeepsServices, OPERATORS, &[], ONE_REMAINS);
}

#[test]
fn without_finding_the_fork_a_gate_opens_in_silence_against_it() {
    breaks(Rule::ForkIsFound, OPERATORS, &[], NOT_AGAINST);
}

#[test]
fn without_both_parents_a_take_does_not_settle_a_fork() {
    breaks(Rule::TakeSettlesBoth, Bounds { raises: 3, ..OPERATORS }, stories::FORKED, SETTLED);
}

#[test]
fn without_comparing_with_what_is_remembered_a_machine_that_was_put_back_opens_by_itself() {
    breaks(Rule::LessThanRememberedIsFound, COPIES, stories::SET_BACK, NOT_AGAINST);
}

#[test]
fn without_the_mandate_data_would_flow_to_one_that_serves() {
    breaks(Rule::DataFollowsMandate, OPERATORS, &[], DATA);
}

#[test]
fn if_the_newest_that_it_knows_were_enough_to_give_a_client_that_boots_would_make_a_fork() {
    breaks(Rule::OnlyTheRightGives, Bounds { raises: 3, boots: [0, 1], ..OPERATORS }, &[], GIVES);
}

#[test]
fn if_whoever_waits_for_its_gate_were_in_the_way_nobody_could_begin_anything() {
    breaks(Rule::WhoWaitsStandsAside, CRASHES, &[], TOGETHER);
    breaks(Rule::WhoWaitsStandsAside, CRASHES, &[], ALONE);
}
