//! What may happen next. The link is cut and restored at will, so that everything that needs it may fail to happen, and
//! silence is always possible.

use node::mandate::evidence::Ground;
use node::mandate::rules;
use stateright::{Model, Property};

use crate::kept::Kept;
use crate::properties;
use crate::rule::Rule;
use crate::run::Run;
use crate::world::{CLIENT, MASTER, Pending, Site, World, other, stood_down};

/// How far the model goes.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub raises: u8,
    pub boots: [u8; 2],
    pub snapshots: u8,
    /// Words may be late and doubled; otherwise they arrive at once or never. Answers may be late in any case.
    pub late: bool,
}

/// Two machines under the rules, all of them or all but one.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    pub bounds: Bounds,
    pub without: Option<Rule>,
    /// What has happened before.
    pub story: &'static [Move],
    /// It is looked in each state, too, what operators can do: that takes its time.
    pub reach: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// It says how it stands: that is on its way, and what was on its way before is lost.
    Speak(Site),
    /// What is on its way to it arrives; it may arrive again.
    Deliver(Site),
    Reconcile(Site),
    /// Its gate asks, and the answer is given.
    Ask(Site),
    /// That answer arrives.
    Answer(Site),
    OpenInSilence(Site),
    Crash(Site),
    Boot(Site),
    /// `tvox-dr` alone is started anew; services and machine go on.
    Restart(Site),
    BeginTake(Site),
    BeginGiving,
    /// The services are stopped and seen down by the run that gives.
    StopToGive,
    /// It asks the other side to yield.
    AskToYield(Site),
    /// It sees that the other side has stopped.
    SeeYielded(Site),
    /// An operator attests that the other machine is off.
    Attest(Site),
    Raise(Site),
    /// A take starts the services and is over.
    Start(Site),
    Abort(Site),
    Snapshot(Site),
    SetBack(Site),
}

impl Model for Pair {
    type State = World;
    type Action = Move;

    fn init_states(&self) -> Vec<World> {
        let mut world = World::new();
        self.story.iter().for_each(|step| self.make(&mut world, *step));
        vec![world]
    }

    fn actions(&self, world: &World, moves: &mut Vec<Move>) {
        for site in [MASTER, CLIENT] {
            self.moves_of(world, site, moves);
        }
    }

    fn next_state(&self, world: &World, step: Move) -> Option<World> {
        let mut next = world.clone();
        self.make(&mut next, step);
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = properties::all();
        if self.reach {
            all.extend(properties::reach());
        }
        all
    }
}

impl Pair {
    fn moves_of(&self, world: &World, site: Site, moves: &mut Vec<Move>) {
        let side = &world.sides[site];
        let peer = &world.sides[other(site)];
        let mut may = |when: bool, step: Move| {
            if when {
                moves.push(step);
            }
        };
        if !side.on {
            may(side.boot < self.bounds.boots[site], Move::Boot(site));
            may(side.snapshot.is_some(), Move::SetBack(site));
            return;
        }
        let idle = side.run.is_none();
        let free = idle || side.waits_at_gate(self.without);
        may(peer.on, Move::Speak(site));
        may(world.mail[site].is_some(), Move::Deliver(site));
        may(true, Move::Reconcile(site));
        let asks = side.lets_the_gate_ask() && rules::must_ask(&side.record, &side.boot_id());
        may(asks && peer.on && side.pending.is_none(), Move::Ask(site));
        may(side.pending.is_some(), Move::Answer(site));
        may(asks, Move::OpenInSilence(site));
        may(side.boot < self.bounds.boots[site], Move::Crash(site));
        let forgets = world.mail[site].is_some() || side.pending.is_some() || side.record.yielded;
        may(forgets || side.run.is_some(), Move::Restart(site));
        may(idle && world.snapshots < self.bounds.snapshots, Move::Snapshot(site));
        let may_raise = world.raises < self.bounds.raises;
        may(free && may_raise && !side.has_right(), Move::BeginTake(site));
        may(idle && may_raise && site == CLIENT && side.has_right(), Move::BeginGiving);
        let Some(run) = &side.run else { return };
        let (taken, must_wait) = (run.written.is_some(), side.must_wait(self.without));
        may(!taken, Move::Abort(site));
        if run.giving {
            may(side.services, Move::StopToGive);
            // It is looked once more under the lock under which it is written.
            let named_is_enough = self.without == Some(Rule::OnlyTheRightGives) && side.record.is_holder();
            let gives = !must_wait && (side.has_right() || named_is_enough);
            may(may_raise && !side.services && gives, Move::Raise(site));
            return;
        }
        may(!taken && peer.on, Move::AskToYield(site));
        let yielded = peer.on && (run.asked || self.without == Some(Rule::YieldIsAskedAnew));
        may(!taken && yielded, Move::SeeYielded(site));
        let holds = side.evidence_holds(self.without);
        may(!taken && !holds, Move::Attest(site));
        may(may_raise && !taken && holds, Move::Raise(site));
        may(taken && !must_wait, Move::Start(site));
    }

    /// Makes a move that is possible.
    pub fn make(&self, world: &mut World, step: Move) {
        let without = self.without;
        match step {
            Move::Speak(site) if !self.bounds.late => {
                let told = world.sides[site].standing(without);
                world.hear(other(site), &told, without);
            }
            Move::Speak(site) => world.mail[other(site)] = Some(Kept::new(world.sides[site].standing(without))),
            Move::Deliver(site) => {
                if let Some(told) = world.mail[site].clone() {
                    world.hear(site, &told, without);
                }
            }
            Move::Reconcile(site) => world.sides[site].reconcile(without),
            Move::Ask(site) => self.ask(world, site),
            Move::Answer(site) => world.take_answer(site, without),
            Move::OpenInSilence(site) => world.open_in_silence(site),
            Move::Crash(site) => {
                world.mail[site] = None;
                let side = &mut world.sides[site];
                side.process_ends(without);
                side.on = false;
                side.services = false;
            }
            Move::Boot(site) => {
                let side = &mut world.sides[site];
                side.on = true;
                if without != Some(Rule::BootClosesGate) {
                    side.boot += 1;
                }
            }
            Move::Restart(site) => {
                world.mail[site] = None;
                world.sides[site].process_ends(without);
            }
            Move::Snapshot(site) => {
                world.snapshots += 1;
                let side = &mut world.sides[site];
                side.snapshot = Some(side.record.clone());
            }
            Move::SetBack(site) => set_back(world, site),
            _ => self.run(world, step),
        }
    }

    /// What happens in a run.
    fn run(&self, world: &mut World, step: Move) {
        let begun = |giving| Some(Run { giving, evidence: None, asked: false, written: None });
        match step {
            Move::BeginTake(site) => world.sides[site].run = begun(false),
            Move::BeginGiving => world.sides[CLIENT].run = begun(true),
            Move::StopToGive => world.sides[CLIENT].services = false,
            Move::AskToYield(site) => self.ask_to_yield(world, site),
            Move::SeeYielded(site) => self.see_yielded(world, site),
            Move::Attest(site) => {
                let wrong = world.sides[other(site)].on;
                world.sides[site].finds(Ground::Quiet, wrong);
            }
            Move::Raise(site) => world.raise(site, self.without),
            Move::Start(site) => {
                world.sides[site].services = true;
                world.sides[site].run = None;
            }
            Move::Abort(site) => world.sides[site].run = None,
            _ => {}
        }
    }

    fn ask(&self, world: &mut World, site: Site) {
        let asks = world.sides[site].standing(self.without);
        world.hear(other(site), &asks, self.without);
        let answers = &world.sides[other(site)];
        let told = Kept::new(answers.standing(self.without));
        let served = answers.services;
        world.sides[site].pending = Some(Pending { told, open: true, served });
    }

    fn ask_to_yield(&self, world: &mut World, site: Site) {
        let asks = world.sides[site].standing(self.without);
        world.hear(other(site), &asks, self.without);
        let asked = &mut world.sides[other(site)];
        asked.change(rules::give_up);
        if self.without != Some(Rule::YieldClosesQuestion) {
            asked.close_question();
        }
        if let Some(run) = &mut world.sides[site].run {
            run.asked = true;
        }
    }

    fn see_yielded(&self, world: &mut World, site: Site) {
        let told = world.sides[other(site)].standing(self.without);
        world.hear(site, &told, self.without);
        if world.sides[site].run.is_some() && stood_down(&told, self.without) {
            world.sides[site].finds(Ground::StoodDown, false);
            world.sides[other(site)].truth.promised = true;
        }
    }
}

fn set_back(world: &mut World, site: Site) {
    let side = &mut world.sides[site];
    if let Some(snapshot) = side.snapshot.take() {
        let head = side.head().map(str::to_owned);
        side.record = snapshot;
        side.run = None;
        let lost = head.filter(|head| side.head() != Some(head));
        side.truth = crate::world::Truth { lost: lost.map(|id| (id, false)), ..Default::default() };
    }
}
