//! What must hold in every state, and what must be possible at all.

use contract::mandate::{MandateFinding, MandateKind};
use node::mandate::flow;
use stateright::Property;

use crate::moves::Pair;
use crate::reach;
use crate::rule::Rule;
use crate::world::{CLIENT, MASTER, Side, Site, World, other};

pub const NEVER_BOTH: &str = "never both serve, unless that is excused";
/// One that has just stood down for an operator's take stops as well: that take decides who begins.
pub const ONE_REMAINS: &str = "where both serve, one exchange each way leaves exactly one";
pub const ONLY_THE_HOLDER: &str = "only the holder serves, and only after its gate was opened for that mandate";
pub const NOT_AGAINST: &str = "no gate opens against what its machine was told";
pub const DATA: &str = "data flows only from the holder to one that has the same mandate and does not serve";
/// A fork is rightly found where each was taken from while neither heard the other. To give needs nobody's silence.
pub const GIVES: &str = "nobody gives away what somebody else has replaced, unless a gate was opened in silence";
pub const ALONE: &str = "either machine alone can be brought to serve while the other one is off";
pub const TOGETHER: &str = "while they hear each other, either panel brings it to serve there, and nowhere else";
pub const SETTLED: &str = "a mandate written over a fork is newer than both";

/// What must be possible.
pub mod reached {
    pub const ACTIVATION: &str = "an activation ends with the Client serving";
    pub const ROLL_BACK: &str = "a roll back ends with the Master serving";
    pub const TAKE_OVER: &str = "a take-over ends with the Master serving";
    pub const BOTH: &str = "both serve, excused";
    pub const FORK: &str = "a fork is found by both";
    pub const SETTLED: &str = "a fork is settled";
    pub const SET_BACK: &str = "a set-back machine is found";
}

pub fn all() -> Vec<Property<Pair>> {
    vec![
        Property::always(NEVER_BOTH, |_, world: &World| !world.both_serve() || world.excused),
        Property::always(ONE_REMAINS, one_remains),
        Property::always(ONLY_THE_HOLDER, |pair, world: &World| {
            world.sides.iter().all(|side| starts_rightly(pair, side))
        }),
        Property::always(NOT_AGAINST, |_, world: &World| !world.opened_against),
        Property::always(GIVES, |_, world: &World| !world.gave_what_was_replaced),
        Property::always(SETTLED, |_, world: &World| !world.unsettled),
        Property::always(DATA, |pair, world| [MASTER, CLIENT].into_iter().all(|site| data_is_safe(pair, world, site))),
        Property::sometimes(reached::ACTIVATION, |_, world| ends_with(world, CLIENT, MandateKind::Activation)),
        Property::sometimes(reached::ROLL_BACK, |_, world| ends_with(world, MASTER, MandateKind::Rollback)),
        Property::sometimes(reached::TAKE_OVER, |_, world| ends_with(world, MASTER, MandateKind::Takeover)),
        Property::sometimes(reached::BOTH, |_, world: &World| world.both_serve()),
        Property::sometimes(reached::FORK, |_, world| has_on_both(world, MandateFinding::Fork)),
        Property::sometimes(reached::SETTLED, |_, world| {
            let settled = |side: &Side| side.record.mandate.as_ref().is_some_and(|head| head.parents.len() == 2);
            agree(world) && world.sides.iter().all(settled)
        }),
        Property::sometimes(reached::SET_BACK, |_, world: &World| {
            let found = |side: &Side| side.record.findings().contains(&MandateFinding::SetBack);
            world.sides.iter().any(found)
        }),
    ]
}

/// What operators can do in every state.
pub fn reach() -> [Property<Pair>; 2] {
    [
        Property::always(ALONE, |pair, world| [MASTER, CLIENT].into_iter().all(|site| reach::alone(pair, world, site))),
        Property::always(TOGETHER, |pair, world| {
            [MASTER, CLIENT].into_iter().all(|site| reach::by_panel(pair, world, site))
        }),
    ]
}

fn one_remains(pair: &Pair, world: &World) -> bool {
    if !world.both_serve() {
        return true;
    }
    [MASTER, CLIENT].into_iter().all(|first| {
        let mut later = world.clone();
        for hearer in [first, other(first)] {
            let told = later.sides[other(hearer)].standing(pair.without);
            later.hear(hearer, &told, pair.without);
        }
        later.sides.iter_mut().for_each(|side| side.reconcile(pair.without));
        let stood_down = later.sides.iter().any(|side| side.record.yielded);
        !later.both_serve() && (stood_down || later.serving(MASTER) || later.serving(CLIENT))
    })
}

fn starts_rightly(pair: &Pair, side: &Side) -> bool {
    let mut later = side.clone();
    later.reconcile(pair.without);
    let opened = later.record.opened.as_ref().is_some_and(|opened| opened.boot == later.boot_id());
    !later.on || !later.services || (later.record.is_holder() && opened && !later.truth.unasked)
}

/// Said by what is, not by what is told.
fn data_is_safe(pair: &Pair, world: &World, source: Site) -> bool {
    let (gives, takes) = (&world.sides[source], &world.sides[other(source)]);
    let told = takes.standing(pair.without);
    let admits = flow::refusal(&gives.record, &told).is_none() || pair.without == Some(Rule::DataFollowsMandate);
    let asks = flow::is_receiver(&takes.record) && takes.run.is_none();
    let flows = admits && asks;
    let same = gives.record.mandate == takes.record.mandate;
    let quiet = !takes.services && !takes.has_right() && takes.run.is_none();
    let clear = gives.record.findings().is_empty() && takes.record.findings().is_empty();
    !flows || (same && gives.record.is_holder() && quiet && clear)
}

fn agree(world: &World) -> bool {
    let [master, client] = &world.sides;
    master.record.mandate == client.record.mandate && world.sides.iter().all(|side| side.record.findings().is_empty())
}

fn ends_with(world: &World, site: Site, kind: MandateKind) -> bool {
    let head = world.sides[site].record.mandate.as_ref();
    let quiet = world.sides.iter().all(|side| side.run.is_none());
    let alone = world.serving(site) && !world.serving(other(site));
    agree(world) && quiet && alone && head.is_some_and(|head| head.kind == kind)
}

fn has_on_both(world: &World, finding: MandateFinding) -> bool {
    world.sides.iter().all(|side| side.record.findings().contains(&finding))
}
