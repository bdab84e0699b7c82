//! A Master site of two members and its Client, in every state that the three can come to: boots, silence between any two
//! of them, activations, roll backs and take-overs. What words do that come late is the business of the model of two
//! machines; here it is about what the second member adds. The decisions are the product's own.
#![allow(clippy::unwrap_used, reason = "test code")]

#[path = "../models/checking.rs"]
mod checking;
#[path = "../models/kept.rs"]
mod kept;
mod moves;
mod rule;
mod world;

use contract::mandate::{MandateFinding, MandateKind};
use stateright::{Model, Property};

use moves::{Bounds, Move};
use rule::Rule;
use world::{CLIENT, MEMBERS, TWO, World};

const NEVER_BOTH: &str = "never do both sites serve, unless a gate was opened in silence";
const ONLY_OPENED: &str = "only the holder's site serves, each member through a gate of its own";
const NOT_AGAINST: &str = "no gate opens against what a machine says that can be heard";
const CONFIRMED: &str = "a gate counts as confirmed only where the other site has confirmed it";
/// A fork is rightly found where each site was taken from while neither heard the other.
const FORK_ALONE: &str = "nobody who was not touched is accused of anything but a fork";
const GIVES: &str = "nobody gives away what somebody else has replaced, unless a gate was opened in silence";

const WITH_CONTENT: &str =
    "no machine in a member's place serves without what the site was given, unless an operator decides it";

/// What must be possible.
const BOTH_MEMBERS: &str = "both members open their gates after a boot";
const ACTIVATION: &str = "an activation ends with the Client serving";
const RETURN: &str = "a roll back ends with a member serving";
const TAKE_OVER: &str = "a member takes the service over";
const REPLACED: &str = "a machine in a member's place serves with what it was brought";
const REACHED: [&str; 4] = [BOTH_MEMBERS, ACTIVATION, RETURN, TAKE_OVER];

/// There and back, and every member boots once.
const PLAIN: Bounds = Bounds { raises: 2, boots: [1, 1, 0], silence: false, replaced: false };
/// Gates may open in silence.
const SILENT: Bounds = Bounds { raises: 1, boots: [1, 1, 1], silence: true, replaced: false };
/// The second member is replaced by an empty machine.
const REPLACING: Bounds = Bounds { raises: 1, boots: [0, 1, 0], silence: true, replaced: true };

/// The three under the rules, all of them or all but one.
#[derive(Debug, Clone, Copy)]
struct Cluster {
    bounds: Bounds,
    without: Option<Rule>,
}

impl Model for Cluster {
    type State = World;
    type Action = Move;

    fn init_states(&self) -> Vec<World> {
        vec![World::new()]
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
        vec![
            Property::always(NEVER_BOTH, |_, world: &World| !world.both_sites_serve() || world.excused),
            Property::always(ONLY_OPENED, |_, world: &World| world.machines.iter().all(world::serves_rightly)),
            Property::always(NOT_AGAINST, |_, world: &World| !world.opened_against),
            Property::always(CONFIRMED, |_, world: &World| world.machines.iter().all(world::is_confirmed_rightly)),
            Property::always(FORK_ALONE, |_, world: &World| {
                findings(world).iter().all(|finding| *finding == MandateFinding::Fork)
            }),
            Property::always(GIVES, |_, world: &World| !world.gave_what_was_replaced),
            Property::always(WITH_CONTENT, |_, world: &World| {
                MEMBERS.iter().all(|member| !world.serves(*member) || world.machines[*member].has)
            }),
            Property::sometimes(REPLACED, |_, world: &World| world.replaced && world.given && world.serves(TWO)),
            Property::sometimes(BOTH_MEMBERS, |_, world: &World| {
                MEMBERS.iter().all(|member| world.machines[*member].boot > 0 && world.serves(*member))
            }),
            Property::sometimes(ACTIVATION, |_, world| ends(world, MandateKind::Activation, &[CLIENT])),
            Property::sometimes(RETURN, |_, world| ends(world, MandateKind::Rollback, &MEMBERS)),
            Property::sometimes(TAKE_OVER, |_, world| ends(world, MandateKind::Takeover, &MEMBERS)),
        ]
    }
}

fn findings(world: &World) -> Vec<MandateFinding> {
    world.machines.iter().flat_map(|machine| machine.record.findings()).collect()
}

/// No run is open, the newest mandate is of that kind, and one of these serves.
fn ends(world: &World, kind: MandateKind, by: &[usize]) -> bool {
    let head = world.machines[CLIENT].record.mandate.as_ref();
    let quiet = world.machines.iter().all(|machine| machine.run.is_none());
    quiet && head.is_some_and(|head| head.kind == kind) && by.iter().any(|one| world.serves(*one))
}

fn check(bounds: Bounds, depth: Option<usize>, reaches: &[&str]) {
    checking::check(Cluster { bounds, without: None }, depth, reaches);
}

fn breaks(without: Rule, bounds: Bounds, property: &'static str) {
    checking::breaks(Cluster { bounds, without: Some(without) }, property);
}

#[test]
fn two_members_never_serve_beside_their_client() {
    check(PLAIN, Some(14), &[BOTH_MEMBERS, ACTIVATION, RETURN]);
}

#[test]
fn silence_between_any_two_opens_no_gate_against_a_word_that_was_heard() {
    check(SILENT, Some(12), &[ACTIVATION]);
}

#[test]
fn an_empty_machine_in_a_members_place_serves_only_with_what_the_site_was_given() {
    check(REPLACING, Some(11), &[REPLACED]);
}

#[test]
#[ignore = "explores millions of states: make soak"]
fn the_wide_cluster_model_holds() {
    check(Bounds { boots: [1, 1, 1], ..PLAIN }, Some(20), &REACHED);
    check(Bounds { raises: 2, ..SILENT }, Some(17), &[]);
    check(Bounds { boots: [1, 1, 0], ..REPLACING }, Some(15), &[REPLACED]);
}

#[test]
fn without_evidence_for_each_member_the_other_one_serves_on() {
    breaks(Rule::EvidenceForEach, PLAIN, NEVER_BOTH);
}

#[test]
fn if_a_new_machine_were_believed_to_have_what_its_sibling_has_it_would_serve_empty() {
    breaks(Rule::NewMemberLacks, REPLACING, WITH_CONTENT);
}

#[test]
fn if_a_sibling_could_open_a_gate_two_that_know_nothing_would_serve_beside_the_client() {
    breaks(Rule::SiblingOpensNoGate, PLAIN, NEVER_BOTH);
}

#[test]
fn without_asking_the_sibling_a_gate_opens_in_silence_against_what_the_site_knows() {
    breaks(Rule::SiblingIsAsked, SILENT, NOT_AGAINST);
}

#[test]
fn if_a_sibling_could_confirm_a_gate_nobody_would_know_that_the_other_site_has_not() {
    breaks(Rule::SiblingConfirmsNobody, SILENT, CONFIRMED);
}

#[test]
fn without_a_memory_for_each_member_one_is_accused_of_what_the_other_one_knew() {
    breaks(Rule::SeatsAreApart, PLAIN, FORK_ALONE);
}

#[test]
fn if_the_newest_that_it_knows_were_enough_to_give_a_client_that_boots_would_make_a_fork() {
    breaks(Rule::OnlyTheRightGives, Bounds { boots: [0, 0, 1], ..PLAIN }, GIVES);
}
