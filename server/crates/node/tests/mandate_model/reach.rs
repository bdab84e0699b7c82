//! What operators can always do: from every state a way to exactly one that serves, of moves that are possible one after
//! the other. Nothing else may be needed than the buttons of a panel; where the other machine is off, also an operator's
//! word that it is.

use stateright::Model;

use crate::moves::{Bounds, Move, Pair};
use crate::world::{Site, World, other};

/// As often as it takes.
const ENDLESS: Bounds = Bounds { raises: u8::MAX, boots: [u8::MAX; 2], snapshots: 0, late: false };

/// A way through the model.
struct Way {
    pair: Pair,
    world: World,
    /// Every move so far was possible.
    open: bool,
}

impl Way {
    fn from(pair: &Pair, world: &World) -> Self {
        Self { pair: Pair { bounds: ENDLESS, ..*pair }, world: world.clone(), open: true }
    }

    fn can(&self, step: Move) -> bool {
        let mut possible = Vec::new();
        self.pair.actions(&self.world, &mut possible);
        possible.contains(&step)
    }

    fn go(&mut self, step: Move) {
        self.open = self.open && self.can(step);
        self.go_if_possible(step);
    }

    fn go_if_possible(&mut self, step: Move) {
        if self.can(step) {
            self.pair.make(&mut self.world, step);
        }
    }

    /// What is under way there comes to its end, or is given up.
    fn finish(&mut self, site: Site) {
        self.go_if_possible(Move::Boot(site));
        self.go_if_possible(Move::Reconcile(site));
        self.go_if_possible(Move::Start(site));
        self.go_if_possible(Move::Abort(site));
        self.go_if_possible(Move::Reconcile(site));
    }

    fn ends_with(&self, site: Site) -> bool {
        self.open && self.world.serving(site) && !self.world.serving(other(site))
    }
}

/// The other machine is off and an operator says so.
pub fn alone(pair: &Pair, world: &World, site: Site) -> bool {
    let mut way = Way::from(pair, world);
    let gone = &mut way.world.sides[other(site)];
    (gone.on, gone.services) = (false, false);
    way.finish(site);
    if !way.world.serving(site) {
        for step in [Move::BeginTake, Move::Attest, Move::Raise, Move::Start] {
            way.go(step(site));
        }
    }
    way.ends_with(site)
}

/// Both are on and hear each other; whoever presses at one of them wants the service there.
pub fn by_panel(pair: &Pair, world: &World, site: Site) -> bool {
    let mut way = Way::from(pair, world);
    [other(site), site].into_iter().for_each(|one| way.finish(one));
    for speaker in [other(site), site] {
        way.go(Move::Speak(speaker));
        hear(&mut way, other(speaker));
    }
    if !way.world.serving(site) {
        for step in [Move::BeginTake(site), Move::AskToYield(site), Move::Reconcile(other(site))] {
            way.go(step);
        }
        for step in [Move::SeeYielded, Move::Raise, Move::Start] {
            way.go(step(site));
        }
        way.go(Move::Speak(site));
        hear(&mut way, other(site));
    }
    way.ends_with(site)
}

/// What was said has arrived, and services are brought where they are to be.
fn hear(way: &mut Way, hearer: Site) {
    way.go(Move::Reconcile(hearer));
}
