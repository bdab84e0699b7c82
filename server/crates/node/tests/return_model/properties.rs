//! What must hold in every state, and what must be possible at all.

use contract::mandate::{MandateKind, Relation};
use node::mandate::homecoming::{self, Fate};
use stateright::Property;

use crate::Pair;
use crate::moves::Move;
use crate::world::{ALL, NEW, World};

pub const NEVER_TWO: &str = "never do two serve, unless a word was wrong or a gate was opened in silence";
pub const ONE_REMAINS: &str =
    "of two of a pair, or that declared each other lost, one remains when they hear each other";
pub const LOST_ENDS: &str =
    "whoever was declared lost stops, and never the one that is left, once they hear each other";
pub const GOES_ON: &str =
    "of two that declared each other lost, the one that serves is not stopped by one that does not";
pub const LOST_STAYS: &str = "whoever was told that it is lost never serves again";
pub const FED: &str = "nobody begins with less than what was handed over, nor between two contents";
pub const NOT_TO_THE_EMPTY: &str = "the service is never given to a machine that has nothing";
pub const ALONE: &str = "each machine that was not declared lost can be brought to serve while the others are off";
pub const TOGETHER: &str = "while two of a pair hear each other, either panel brings it to exactly one that serves";

/// What must be possible.
pub mod reached {
    pub const HOME: &str = "a failback ends with the Master serving what the DR had";
    pub const IN_ITS_PLACE: &str = "a machine in the place of a lost one serves";
    pub const CAME_BACK: &str = "a machine that was declared lost comes back and is told";
}

pub fn all() -> Vec<Property<Pair>> {
    vec![
        Property::always(NEVER_TWO, |_, world: &World| world.excused || serving(world) <= 1),
        Property::always(ONE_REMAINS, |pair: &Pair, world: &World| {
            let met = |a: usize, b: usize| {
                let mutual = world.lost_to[a] == Some(b) && world.lost_to[b] == Some(a);
                let paired = world.machines[a].partner() == Some(b) && world.machines[b].partner() == Some(a);
                (mutual || paired) && [a, b].iter().all(|one| world.machines[*one].serves())
            };
            pairs().all(|(a, b)| {
                !met(a, b) || {
                    let later = exchange(pair, world, a, b);
                    !(later.machines[a].serves() && later.machines[b].serves())
                }
            })
        }),
        Property::always(LOST_ENDS, lost_ends),
        Property::always(GOES_ON, |pair: &Pair, world: &World| {
            pairs().all(|(a, b)| {
                let mutual = world.lost_to[a] == Some(b) && world.lost_to[b] == Some(a);
                let (here, there) = (&world.machines[a], &world.machines[b]);
                let begun = here.serves() && here.has_right() && there.on && !there.services && !there.has_right();
                let head = |one: usize| world.machines[one].record.mandate.as_ref();
                let replaced =
                    head(a).zip(head(b)).is_some_and(|(ours, theirs)| ours.relation(theirs) == Relation::Older);
                !(mutual && begun) || replaced || exchange(pair, world, a, b).machines[a].serves()
            })
        }),
        Property::always(LOST_STAYS, |_, world: &World| {
            world.machines.iter().all(|machine| {
                let mut alone = world.clone();
                alone.machines[0] = machine.clone();
                alone.reconcile(0);
                !machine.told || !alone.machines[0].serves()
            })
        }),
        Property::always(FED, |_, world: &World| !world.began_with_less),
        Property::always(NOT_TO_THE_EMPTY, |_, world: &World| !world.gave_to_the_empty),
        Property::sometimes(reached::HOME, |_, world: &World| {
            world.machines.iter().any(|machine| {
                let head = machine.record.mandate.as_ref();
                head.is_some_and(|head| head.kind == MandateKind::Failback && head.holder == machine.role())
                    && machine.serves()
                    && machine.content > 1
            })
        }),
        Property::sometimes(reached::IN_ITS_PLACE, |_, world: &World| {
            world.machines[NEW].serves() && world.machines[NEW].content > 0
        }),
        Property::sometimes(reached::CAME_BACK, |_, world: &World| {
            world.machines.iter().any(|machine| machine.on && machine.told && machine.boot > 0)
        }),
    ]
}

/// What operators can do in every state.
pub fn reach() -> [Property<Pair>; 2] {
    [
        Property::always(ALONE, |pair: &Pair, world: &World| ALL.into_iter().all(|one| alone(pair, world, one))),
        Property::always(TOGETHER, |pair: &Pair, world: &World| ALL.into_iter().all(|one| by_panel(pair, world, one))),
    ]
}

fn pairs() -> impl Iterator<Item = (usize, usize)> {
    ALL.into_iter().flat_map(|a| ALL.into_iter().map(move |b| (a, b))).filter(|(a, b)| a != b)
}

fn serving(world: &World) -> usize {
    world.machines.iter().filter(|machine| machine.serves()).count()
}

/// Each hears the other, and services are brought where they are to be.
fn exchange(pair: &Pair, world: &World, a: usize, b: usize) -> World {
    let mut later = world.clone();
    for (one, other) in [(a, b), (b, a)] {
        later.hear(one, other, pair.without);
    }
    [a, b].into_iter().for_each(|one| later.reconcile(one));
    later
}

/// One that serves, and has declared another one lost, which has not done the same.
fn lost_ends(pair: &Pair, world: &World) -> bool {
    ALL.into_iter().all(|lost| {
        let Some(left) = world.lost_to[lost].filter(|left| world.lost_to[*left].is_none()) else { return true };
        let (there, here) = (&world.machines[lost], &world.machines[left]);
        if !there.on || !here.serves() || !here.has_right() {
            return true;
        }
        [(left, lost), (lost, left)].into_iter().all(|(first, second)| {
            let later = exchange(pair, world, first, second);
            !later.machines[lost].serves() && later.machines[left].serves()
        })
    })
}

/// Everything that is under way there comes to its end, or is given up.
fn finish(pair: &Pair, world: &mut World, one: usize, hears: bool) {
    let machine = &mut world.machines[one];
    if !machine.on {
        machine.boots();
    }
    machine.giving = None;
    world.reconcile(one);
    for _ in 0..3 {
        if homecoming::fate(&world.machines[one].record, None) != Fate::None {
            world.make(Move::Look(one, hears), pair.without);
        }
    }
    world.reconcile(one);
}

/// The others are off, and an operator says so.
fn alone(pair: &Pair, world: &World, one: usize) -> bool {
    let machine = &world.machines[one];
    if machine.peer.is_none() || machine.record.declared_lost.is_some() {
        return true;
    }
    let mut later = world.clone();
    for other in ALL.into_iter().filter(|other| *other != one) {
        (later.machines[other].on, later.machines[other].services) = (false, false);
    }
    finish(pair, &mut later, one, false);
    if !later.machines[one].serves() {
        if !later.machines[one].may_take(None, false, pair.without) {
            return false;
        }
        later.make(Move::Take(one), pair.without);
        finish(pair, &mut later, one, false);
    }
    later.machines[one].serves()
}

/// The two are on and hear each other; whoever presses at one of them wants the service there.
fn by_panel(pair: &Pair, world: &World, one: usize) -> bool {
    let Some(other) = world.machines[one].partner() else { return true };
    let mut later = world.clone();
    for third in ALL.into_iter().filter(|third| ![one, other].contains(third)) {
        (later.machines[third].on, later.machines[third].services) = (false, false);
    }
    for each in [other, one] {
        finish(pair, &mut later, each, true);
    }
    let mut later = exchange(pair, &later, one, other);
    // Who is told to wait for what has come waits.
    finish(pair, &mut later, one, true);
    if later.machines[one].record.declared_lost.is_some() || later.machines[one].partner() != Some(other) {
        return true;
    }
    if !later.machines[one].serves() {
        let told = later.machines[other].words(one);
        if !later.machines[one].may_take(told.as_ref(), false, pair.without) {
            return false;
        }
        later.make(Move::TakeOver(one), pair.without);
        let [a, b] = [one, other];
        later = exchange(pair, &later, a, b);
        finish(pair, &mut later, other, true);
        finish(pair, &mut later, one, true);
    }
    later.machines[one].serves() && !later.machines[other].serves()
}
