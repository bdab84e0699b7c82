//! Two members, their Client, what each knows, and what is true of them. The decisions are the product's.

use contract::gate::{Asked, GateAnswer, all_in_all};
use contract::mandate::MandateKind;
use contract::service::Desired;
use contract::{NodeRole, Timestamp};
use node::mandate::Raise;
use node::mandate::file::{Opened, Opening, Record, Seat};
use node::mandate::rules::{self, Standing};
use node::mandate::session::Ear;

use crate::kept::Kept;

pub const ONE: usize = 0;
pub const TWO: usize = 1;
pub const CLIENT: usize = 2;
pub const MEMBERS: [usize; 2] = [ONE, TWO];
const ALL: [usize; 3] = [ONE, TWO, CLIENT];

/// How far the model goes.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub raises: u8,
    pub boots: [u8; 3],
    /// Whether a gate may open where the other site is not heard.
    pub silence: bool,
}

/// What a second member adds to the rules; each of them can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// An activation needs evidence for each member, by its own ground.
    EvidenceForEach,
    /// A sibling's answer never opens a gate.
    SiblingOpensNoGate,
    /// It can keep one closed.
    SiblingIsAsked,
    /// A gate that was opened in silence is confirmed by the other site alone.
    SiblingConfirmsNobody,
    /// What is remembered of a machine is kept for each apart.
    SeatsAreApart,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// The first hears the second.
    Hear(usize, usize),
    Reconcile(usize),
    /// Its gate asks whoever of these can be heard.
    Ask(usize, [bool; 3]),
    Crash(usize),
    Boot(usize),
    BeginTake(usize),
    BeginGiving,
    /// The services are stopped and seen down by the run that gives.
    StopToGive,
    /// The first asks the second to yield.
    AskToYield(usize, usize),
    /// An operator attests to the first that the second is off, and it is.
    Attest(usize, usize),
    Raise(usize),
    /// A take starts the services and is over.
    Start(usize),
    Abort(usize),
}

/// What a take stands on for one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ground {
    Yielded,
    Attested,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Run {
    giving: bool,
    raised: bool,
    grounds: [Option<Ground>; 3],
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Machine {
    pub record: Kept<Record>,
    pub on: bool,
    pub boot: u8,
    pub services: bool,
    pub run: Option<Run>,
    /// In truth: the other site, or an operator, stands behind its open gate.
    confirmed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub machines: [Machine; 3],
    raises: u8,
    /// A gate was opened in silence: double service cannot be excluded.
    pub excused: bool,
    /// A gate was opened although a machine that was heard knew better.
    pub opened_against: bool,
}

fn site(machine: usize) -> NodeRole {
    if machine == CLIENT { NodeRole::Client } else { NodeRole::Master }
}

fn is_sibling(one: usize, other: usize) -> bool {
    site(one) == site(other)
}

/// Which of its two machines another one is to a machine.
fn seat(of: usize, other: usize, without: Option<Rule>) -> Seat {
    let second = is_sibling(of, other) || (of == CLIENT && other == TWO);
    if second && without != Some(Rule::SeatsAreApart) { Seat::Second } else { Seat::First }
}

fn at() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn boot_id(boot: u8) -> String {
    format!("b{boot}")
}

fn raise(number: u8, kind: MandateKind, holder: NodeRole) -> Raise {
    let (operator, reason) = (String::new(), String::new());
    Raise {
        id: format!("m{number}"),
        kind,
        holder,
        operator,
        reason,
        evidence: Vec::new(),
        base: None,
        retired: Vec::new(),
    }
}

/// It may serve, or whoever keeps its services is about to stop them.
pub fn serves_rightly(machine: &Machine) -> bool {
    let mut later = machine.clone();
    later.reconcile();
    !later.on || !later.services || rules::may_serve(&later.record, &boot_id(later.boot))
}

pub fn is_confirmed_rightly(machine: &Machine) -> bool {
    let opened = machine.record.opened.as_ref().filter(|opened| opened.boot == boot_id(machine.boot));
    machine.confirmed || opened.is_none_or(|opened| opened.how != Opening::Verified)
}

impl Machine {
    fn change<T>(&mut self, change: impl FnOnce(&mut Record) -> T) -> T {
        let mut record = Record::clone(&self.record);
        let outcome = change(&mut record);
        if record != *self.record {
            self.record = Kept::new(record);
        }
        outcome
    }

    /// Services are brought where they are to be; a run whose ground a mandate has taken ends.
    fn reconcile(&mut self) {
        let stands = |run: &Run| run.giving || run.raised;
        if self.run.as_ref().is_some_and(|run| stands(run) && !self.record.is_holder()) {
            self.run = None;
        }
        match rules::desired(&self.record, &boot_id(self.boot), self.run.is_some()) {
            Some(Desired::Up) => self.services = true,
            Some(Desired::Down) => self.services = false,
            None => {}
        }
    }
}

impl World {
    pub fn new() -> Self {
        let blank = Record::new("n0", "", NodeRole::Master);
        let first = raise(0, MandateKind::Initial, NodeRole::Master).mandate(&blank, "p", at());
        let machines = ALL.map(|one| {
            let mut record = Record::new(&format!("n{one}"), "", site(one));
            record.mandate = Some(first.clone());
            let serves = record.is_holder();
            record.opened = serves.then(|| Opened { boot: boot_id(0), at: at(), how: Opening::Verified });
            for seat in Seat::ALL {
                record.facing(seat, |record| record.peer.mandate = Some(first.id.clone()));
            }
            let record = Kept::new(record);
            Machine { record, on: true, boot: 0, services: serves, run: None, confirmed: serves }
        });
        Self { machines, raises: 0, excused: false, opened_against: false }
    }

    pub fn serves(&self, machine: usize) -> bool {
        self.machines[machine].on && self.machines[machine].services
    }

    pub fn both_sites_serve(&self) -> bool {
        self.serves(CLIENT) && MEMBERS.iter().any(|member| self.serves(*member))
    }

    pub fn moves(&self, bounds: &Bounds, without: Option<Rule>, moves: &mut Vec<Move>) {
        for one in ALL {
            let machine = &self.machines[one];
            if !machine.on {
                moves.push(Move::Boot(one));
                continue;
            }
            moves.push(Move::Reconcile(one));
            let others = ALL.into_iter().filter(|other| *other != one && self.machines[*other].on);
            moves.extend(others.map(|other| Move::Hear(one, other)));
            if machine.boot < bounds.boots[one] {
                moves.push(Move::Crash(one));
            }
            let waits = machine.run.as_ref().is_none_or(|run| run.giving || run.raised);
            if waits && rules::must_ask(&machine.record, &boot_id(machine.boot)) {
                self.questions(one, bounds, without, moves);
            }
            self.moves_of_run(one, bounds, without, moves);
        }
    }

    /// Whoever is on may be heard or not.
    fn questions(&self, one: usize, bounds: &Bounds, without: Option<Rule>, moves: &mut Vec<Move>) {
        for mask in 0..8_u8 {
            let heard = ALL.map(|other| mask & (1 << other) != 0);
            let possible = ALL.into_iter().all(|other| !heard[other] || (other != one && self.machines[other].on));
            let across = ALL.into_iter().any(|other| heard[other] && !is_sibling(one, other));
            // The two members are never silent for each other's sake alone: then it is silence all the same.
            if possible && (across || bounds.silence || without == Some(Rule::SiblingOpensNoGate)) {
                moves.push(Move::Ask(one, heard));
            }
        }
    }

    fn moves_of_run(&self, one: usize, bounds: &Bounds, without: Option<Rule>, moves: &mut Vec<Move>) {
        let machine = &self.machines[one];
        let may_raise = self.raises < bounds.raises;
        let right = rules::may_serve(&machine.record, &boot_id(machine.boot));
        let Some(run) = &machine.run else {
            if may_raise && !right && !machine.record.is_holder() {
                moves.push(Move::BeginTake(one));
            }
            if may_raise && right && one == CLIENT {
                moves.push(Move::BeginGiving);
            }
            return;
        };
        if run.giving {
            moves.push(if machine.services { Move::StopToGive } else { Move::Raise(one) });
        } else if run.raised {
            // After a boot it goes on only through its gate.
            if right {
                moves.push(Move::Start(one));
            }
        } else {
            moves.push(Move::Abort(one));
            for other in self.across(one) {
                moves.push(if self.machines[other].on {
                    Move::AskToYield(one, other)
                } else {
                    Move::Attest(one, other)
                });
            }
            let mut needed = self.across(one);
            let enough = if without == Some(Rule::EvidenceForEach) {
                needed.any(|other| run.grounds[other].is_some())
            } else {
                needed.all(|other| run.grounds[other].is_some())
            };
            if may_raise && enough {
                moves.push(Move::Raise(one));
            }
        }
    }

    fn across(&self, one: usize) -> impl Iterator<Item = usize> + use<> {
        ALL.into_iter().filter(move |other| !is_sibling(one, *other))
    }

    pub fn make(&mut self, step: Move, without: Option<Rule>) {
        let begun = |giving| Some(Run { giving, raised: false, grounds: [None; 3] });
        match step {
            Move::Hear(one, other) => {
                self.hear(one, other, without);
            }
            Move::Reconcile(one) => self.machines[one].reconcile(),
            Move::Ask(one, heard) => self.ask(one, heard, without),
            Move::Crash(one) => {
                let machine = &mut self.machines[one];
                (machine.on, machine.services) = (false, false);
                if let Some(run) = &mut machine.run {
                    run.grounds = [None; 3];
                }
            }
            Move::Boot(one) => {
                self.machines[one].on = true;
                self.machines[one].boot += 1;
            }
            Move::BeginTake(one) => self.machines[one].run = begun(false),
            Move::BeginGiving => self.machines[CLIENT].run = begun(true),
            Move::StopToGive => self.machines[CLIENT].services = false,
            Move::AskToYield(one, other) => {
                self.hear(other, one, without);
                self.machines[other].change(rules::give_up);
                self.machines[other].reconcile();
                let told = self.hear(one, other, without);
                if let Some(run) = &mut self.machines[one].run
                    && rules::has_stood_down(&told)
                {
                    run.grounds[other] = Some(Ground::Yielded);
                }
            }
            Move::Attest(one, other) => {
                if let Some(run) = &mut self.machines[one].run {
                    run.grounds[other] = Some(Ground::Attested);
                }
            }
            Move::Raise(one) => self.raise(one),
            Move::Start(one) => {
                self.machines[one].services = true;
                self.machines[one].run = None;
            }
            Move::Abort(one) => self.machines[one].run = None,
        }
    }

    /// One hears another, and gets to know what it said.
    fn hear(&mut self, one: usize, other: usize, without: Option<Rule>) -> Standing {
        let told = self.standing(other, one, without);
        let machine = &mut self.machines[one];
        if let Some(run) = &mut machine.run {
            let ground = &mut run.grounds[other];
            *ground = ground.filter(|ground| *ground == Ground::Yielded && rules::has_stood_down(&told));
        }
        let sibling = is_sibling(one, other);
        let hears_sibling = sibling && without != Some(Rule::SiblingConfirmsNobody);
        let place = seat(one, other, without);
        machine.change(|record| {
            let hear = if hears_sibling { rules::hear_sibling } else { rules::hear };
            record.facing(place, |record| hear(record, &told, None, &Ear::default()));
        });
        let confirmed = !sibling && self.means(one, other, &told, without) == GateAnswer::Confirmed;
        self.machines[one].confirmed |= confirmed;
        told
    }

    fn standing(&self, speaker: usize, hearer: usize, without: Option<Rule>) -> Standing {
        let machine = &self.machines[speaker];
        let record = Record::clone(&machine.record).towards(seat(speaker, hearer, without));
        rules::standing(&record, &boot_id(machine.boot), !machine.services, machine.run.is_some())
    }

    /// What an answer means to the one who asked. That a sibling serves is no obstacle.
    fn means(&self, one: usize, other: usize, told: &Standing, without: Option<Rule>) -> GateAnswer {
        let record = Record::clone(&self.machines[one].record).towards(seat(one, other, without));
        if is_sibling(one, other) {
            rules::answer_of_sibling(&record, told)
        } else {
            rules::answer(&record, told, &Ear::default())
        }
    }

    fn ask(&mut self, one: usize, heard: [bool; 3], without: Option<Rule>) {
        let asks = |other: &usize| *other != one && !(without == Some(Rule::SiblingIsAsked) && is_sibling(one, *other));
        let others: Vec<usize> = ALL.into_iter().filter(asks).collect();
        // In truth: the newest mandate that is known to it, or to whoever can be heard, names the other site.
        let known = ALL.into_iter().filter(|other| *other == one || heard[*other]);
        let heads = known.filter_map(|other| self.machines[other].record.mandate.as_ref());
        let against = heads.max_by_key(|head| head.epoch).is_some_and(|head| head.holder != site(one));
        let mut told = Vec::new();
        for other in others {
            if heard[other] {
                self.hear(other, one, without);
                told.push((other, Some(self.hear(one, other, without))));
            } else {
                told.push((other, None));
            }
        }
        let opens_alone = without == Some(Rule::SiblingOpensNoGate);
        let said = told.iter().filter(|(_, told)| !opens_alone || told.is_some()).map(|(other, told)| Asked {
            ip: std::net::Ipv4Addr::LOCALHOST.into(),
            sibling: is_sibling(one, *other) && !opens_alone,
            answer: Some(told.as_ref().map_or(GateAnswer::Silent, |told| self.means(one, *other, told, without))),
        });
        let how = match all_in_all(&said.collect::<Vec<_>>()) {
            Some(GateAnswer::Confirmed) => Opening::Verified,
            Some(GateAnswer::Silent) => Opening::Unverified,
            _ => return,
        };
        let agrees = |(other, told): &(usize, Option<Standing>)| {
            told.as_ref().is_none_or(|told| self.means(one, *other, told, without) == GateAnswer::Confirmed)
        };
        if !told.iter().all(agrees) {
            return;
        }
        let machine = &mut self.machines[one];
        let boot = boot_id(machine.boot);
        if machine.change(|record| rules::open(record, &boot, at(), how)) {
            machine.confirmed =
                how == Opening::Verified && told.iter().any(|(other, told)| !is_sibling(one, *other) && told.is_some());
            self.excused |= how == Opening::Unverified;
            self.opened_against |= against;
        }
    }

    fn raise(&mut self, one: usize) {
        self.raises += 1;
        let number = self.raises;
        let machine = &mut self.machines[one];
        let Some(run) = &mut machine.run else { return };
        let (kind, holder) = match (run.giving, one) {
            (true, _) => (MandateKind::Rollback, NodeRole::Master),
            (false, CLIENT) => (MandateKind::Activation, NodeRole::Client),
            (false, _) => (MandateKind::Takeover, NodeRole::Master),
        };
        run.raised = true;
        if run.giving {
            machine.run = None;
        }
        let mandate = raise(number, kind, holder).mandate(&machine.record, "p", at());
        let boot = boot_id(machine.boot);
        machine.change(|record| rules::raise(record, mandate, &boot, at()));
        machine.confirmed = true;
    }
}
