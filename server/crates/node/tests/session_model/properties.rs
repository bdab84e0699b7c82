//! What must hold in every state, and what must be possible at all.

use contract::mandate::MandateFinding;
use stateright::Property;

use crate::Pair;
use crate::world::{Machine, World};

pub const INNOCENT: &str = "nobody is accused unless somebody was touched, and set back is only who was";
/// Of two that were one each may have come to something that the other one never had: that is the next property's matter.
pub const FOUND: &str = "whoever was put back is found by one exchange with each that knows what was lost";
pub const TWO_ARE_FOUND: &str = "two that were one are found when each has spoken";

/// What must be possible.
pub mod reached {
    pub const RENEWED: &str = "both have renewed twice";
    pub const SET_BACK: &str = "a set-back machine is found";
    pub const CLONED: &str = "two that were one are both known as such";
}

/// Words each way until nothing more comes of them.
const ENOUGH: u32 = 4;

pub fn all() -> Vec<Property<Pair>> {
    vec![
        Property::always(INNOCENT, |_, world: &World| innocent(world)),
        Property::always(FOUND, found_by_one_exchange),
        Property::always(TWO_ARE_FOUND, |pair: &Pair, world: &World| {
            if world.machines.len() < 3 {
                return true;
            }
            let mut later = world.clone();
            for client in [1, 2, 1] {
                exchange(pair, &mut later, client);
            }
            later.machines.iter().any(|machine| machine.disk.found.is_some())
        }),
        Property::sometimes(reached::RENEWED, |_, world: &World| {
            world.machines.iter().all(|machine| machine.disk.session.held.number >= 2)
        }),
        Property::sometimes(reached::SET_BACK, |_, world: &World| {
            world.machines.iter().any(|machine| has(machine, MandateFinding::SetBack))
        }),
        Property::sometimes(reached::CLONED, |_, world: &World| {
            world.machines.iter().filter(|machine| has(machine, MandateFinding::Cloned)).count() >= 2
        }),
    ]
}

fn innocent(world: &World) -> bool {
    let touched = world.machines.len() > 2 || world.machines.iter().any(|machine| machine.touched);
    world.machines.iter().enumerate().all(|(i, machine)| {
        let rightly = machine.touched || (world.machines.len() > 2 && i > 0);
        (touched || machine.disk.found.is_none()) && (rightly || !has(machine, MandateFinding::SetBack))
    })
}

fn found_by_one_exchange(pair: &Pair, world: &World) -> bool {
    world.machines.iter().enumerate().all(|(i, machine)| {
        machine.missed_by.iter().all(|knower| {
            let mut later = world.clone();
            if *knower != i {
                exchange(pair, &mut later, i.max(*knower));
            }
            [i, *knower].iter().any(|one| later.machines[*one].disk.found.is_some())
        })
    })
}

fn has(machine: &Machine, finding: MandateFinding) -> bool {
    machine.disk.found == Some(finding)
}

/// The Master and one Client speak until nothing more comes of it.
fn exchange(pair: &Pair, world: &mut World, client: usize) {
    for _ in 0..ENOUGH {
        for (from, to) in [(0, client), (client, 0)] {
            world.make(crate::Move::Tally(to), None);
            world.make(crate::Move::Say(from, to), pair.without());
        }
    }
}
