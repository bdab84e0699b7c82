//! A Master site of two members and its Client, in every state that the three can come to: boots, silence between any two
//! of them, activations, roll backs and take-overs. What words do that come late is the business of the model of two
//! machines; here it is about what the second member adds. The decisions are the product's own.
#![allow(clippy::unwrap_used, reason = "test code")]

#[path = "../mandate_model/kept.rs"]
mod kept;
mod world;

use std::collections::BTreeSet;

use contract::mandate::MandateKind;
use stateright::{Checker, HasDiscoveries, Model, Property};

use world::{Bounds, CLIENT, MEMBERS, Move, Rule, World};

const NEVER_BOTH: &str = "never do both sites serve, unless a gate was opened in silence";
const ONLY_OPENED: &str = "only the holder's site serves, each member through a gate of its own";
const NOT_AGAINST: &str = "no gate opens against what a machine says that can be heard";
const CONFIRMED: &str = "a gate counts as confirmed only where the other site has confirmed it";
const INNOCENT: &str = "nobody is accused who was not touched";

/// What must be possible.
const BOTH_MEMBERS: &str = "both members open their gates after a boot";
const ACTIVATION: &str = "an activation ends with the Client serving";
const RETURN: &str = "a roll back ends with a member serving";
const TAKE_OVER: &str = "a member takes the service over";
const REACHED: [&str; 4] = [BOTH_MEMBERS, ACTIVATION, RETURN, TAKE_OVER];

/// There and back, and every member boots once.
const PLAIN: Bounds = Bounds { raises: 2, boots: [1, 1, 0], silence: false };
/// Gates may open in silence.
const SILENT: Bounds = Bounds { raises: 1, boots: [1, 1, 1], silence: true };

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
            Property::always(INNOCENT, |_, world: &World| {
                world.excused || world.machines.iter().all(|machine| machine.record.findings().is_empty())
            }),
            Property::sometimes(BOTH_MEMBERS, |_, world: &World| {
                MEMBERS.iter().all(|member| world.machines[*member].boot > 0 && world.serves(*member))
            }),
            Property::sometimes(ACTIVATION, |_, world| ends(world, MandateKind::Activation, &[CLIENT])),
            Property::sometimes(RETURN, |_, world| ends(world, MandateKind::Rollback, &MEMBERS)),
            Property::sometimes(TAKE_OVER, |_, world| ends(world, MandateKind::Takeover, &MEMBERS)),
        ]
    }
}

/// No run is open, the newest mandate is of that kind, and one of these serves.
fn ends(world: &World, kind: MandateKind, by: &[usize]) -> bool {
    let head = world.machines[CLIENT].record.mandate.as_ref();
    let quiet = world.machines.iter().all(|machine| machine.run.is_none());
    quiet && head.is_some_and(|head| head.kind == kind) && by.iter().any(|one| world.serves(*one))
}

fn check(bounds: Bounds, depth: Option<usize>, reaches: &[&str]) {
    let cluster = Cluster { bounds, without: None };
    let mut checker = cluster.checker().threads(2).finish_when(HasDiscoveries::AnyFailures);
    if let Some(depth) = depth {
        checker = checker.target_max_depth(depth);
    }
    let checked = checker.spawn_bfs().join();
    let found = checked.discoveries();
    let failures = cluster.properties().into_iter().filter(|one| one.expectation.discovery_is_failure());
    let failed: Vec<_> =
        failures.filter_map(|one| Some((one.name, found.get(one.name)?.clone().into_actions()))).collect();
    let missing: Vec<_> = reaches.iter().filter(|name| !found.contains_key(*name)).collect();
    eprintln!("{} states, {} moves deep", checked.unique_state_count(), checked.max_depth());
    assert!(failed.is_empty() && missing.is_empty(), "not so: {failed:#?}; never reached: {missing:?}");
}

/// Without a rule, a property breaks: the rule is needed, and the model would see it missing.
fn breaks(without: Rule, bounds: Bounds, property: &'static str) {
    let cluster = Cluster { bounds, without: Some(without) };
    let ends = HasDiscoveries::AnyOf(BTreeSet::from([property]));
    let checked = cluster.checker().finish_when(ends).spawn_bfs().join();
    let steps = checked.discovery(property).map(stateright::Path::into_actions);
    eprintln!("{} states: {steps:?}", checked.unique_state_count());
    assert!(steps.is_some(), "without {without:?} it still holds: {property}");
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
#[ignore = "explores millions of states: make soak"]
fn the_wide_cluster_model_holds() {
    check(Bounds { boots: [1, 1, 1], ..PLAIN }, Some(20), &REACHED);
    check(Bounds { raises: 2, ..SILENT }, Some(17), &[]);
}

#[test]
fn without_evidence_for_each_member_the_other_one_serves_on() {
    breaks(Rule::EvidenceForEach, PLAIN, NEVER_BOTH);
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
    breaks(Rule::SeatsAreApart, PLAIN, INNOCENT);
}
