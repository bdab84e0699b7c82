//! Two members, their Client, what each knows, and what is true of them. The decisions are the product's.

use contract::gate::{Asked, GateAnswer, all_in_all};
use contract::mandate::MandateKind;
use contract::service::Desired;
use contract::{NodeRole, Timestamp};
use node::mandate::Raise;
use node::mandate::file::{Opened, Opening, Record, Seat};
use node::mandate::rules::{self, Standing};
use node::mandate::session::Ear;
use node::mandate::{homecoming, loss};

use crate::kept::Kept;
use crate::rule::Rule;

pub const ONE: usize = 0;
pub const TWO: usize = 1;
pub const CLIENT: usize = 2;
pub const MEMBERS: [usize; 2] = [ONE, TWO];
pub const ALL: [usize; 3] = [ONE, TWO, CLIENT];

/// What a take stands on for one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ground {
    Yielded,
    Attested,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Run {
    pub giving: bool,
    pub raised: bool,
    pub grounds: [Option<Ground>; 3],
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
    /// In truth: what the site has handed on is here, or an operator has decided that what is here will do.
    pub has: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub machines: [Machine; 3],
    pub raises: u8,
    /// A gate was opened in silence: double service cannot be excluded.
    pub excused: bool,
    /// A gate was opened although a machine that was heard knew better.
    pub opened_against: bool,
    /// A mandate was given away that a member had replaced, although no gate was opened in silence.
    pub gave_what_was_replaced: bool,
    /// A member has handed content on.
    pub given: bool,
    /// The second member is another machine by now.
    pub replaced: bool,
}

fn site(machine: usize) -> NodeRole {
    if machine == CLIENT { NodeRole::Client } else { NodeRole::Master }
}

pub fn is_sibling(one: usize, other: usize) -> bool {
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

pub fn boot_id(boot: u8) -> String {
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
    pub fn change<T>(&mut self, change: impl FnOnce(&mut Record) -> T) -> T {
        let mut record = Record::clone(&self.record);
        let outcome = change(&mut record);
        if record != *self.record {
            self.record = Kept::new(record);
        }
        outcome
    }

    pub fn has_right(&self) -> bool {
        rules::may_serve(&self.record, &boot_id(self.boot))
    }

    /// As the product has it: a run that has its mandate, or is about to give it away, and waits for its gate is in
    /// nobody's way.
    fn moves_service(&self, without: Option<Rule>) -> bool {
        let about_to_give = |run: &Run| run.giving && !self.services && without != Some(Rule::OnlyTheRightGives);
        self.run.as_ref().is_some_and(|run| self.has_right() || !(run.raised || about_to_give(run)))
    }

    /// Services are brought where they are to be; a run whose ground a mandate has taken ends.
    pub fn reconcile(&mut self) {
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
            Machine { record, on: true, boot: 0, services: serves, run: None, confirmed: serves, has: true }
        });
        Self {
            machines,
            raises: 0,
            excused: false,
            opened_against: false,
            gave_what_was_replaced: false,
            given: false,
            replaced: false,
        }
    }

    pub fn serves(&self, machine: usize) -> bool {
        self.machines[machine].on && self.machines[machine].services
    }

    pub fn both_sites_serve(&self) -> bool {
        self.serves(CLIENT) && MEMBERS.iter().any(|member| self.serves(*member))
    }

    pub fn across(&self, one: usize) -> impl Iterator<Item = usize> + use<> {
        ALL.into_iter().filter(move |other| !is_sibling(one, *other))
    }

    /// One hears another, and gets to know what it said.
    pub fn hear(&mut self, one: usize, other: usize, without: Option<Rule>) -> Standing {
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
        rules::standing(&record, &boot_id(machine.boot), !machine.services, machine.moves_service(without))
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

    pub fn ask(&mut self, one: usize, heard: [bool; 3], without: Option<Rule>) {
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

    /// An empty machine joins the first member, which has forgotten the second one.
    pub fn replace(&mut self, without: Option<Rule>) {
        self.replaced = true;
        self.machines[ONE].change(|record| record.second = Default::default());
        let told = Standing { generation: self.given.then_some(1), ..self.standing(ONE, TWO, without) };
        let mut record = Record::new("n3", "", NodeRole::Master);
        if let Some(mandate) = told.mandate.clone() {
            loss::inherit(&mut record, mandate, true);
        }
        loss::join_beside(&mut record, Some(&told));
        if without == Some(Rule::NewMemberLacks) {
            record.stale = false;
        }
        // How far a machine was in generations is the business of the model of two machines.
        loss::welcome(&mut record, Seat::Second, Some(&Standing { generation: None, ..told }));
        for one in [ONE, CLIENT] {
            self.machines[one].change(|record| loss::welcome(record, Seat::Second, None));
        }
        let machine = &mut self.machines[TWO];
        (machine.record, machine.on, machine.run) = (Kept::new(record), true, None);
        (machine.confirmed, machine.has) = (false, !self.given);
    }

    /// The second member finds what its sibling has given.
    pub fn bring_in_line(&mut self) {
        let machine = &mut self.machines[TWO];
        let head = machine.record.mandate.as_ref().map(|head| head.id.clone());
        machine.has |= head.is_some_and(|head| machine.change(|record| homecoming::in_line(record, &head)));
    }

    pub fn raise(&mut self, one: usize) {
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
        let (gives, ancestors) = (kind == MandateKind::Rollback, mandate.ancestors.clone());
        let boot = boot_id(machine.boot);
        machine.change(|record| rules::raise(record, mandate, &boot, at()));
        (machine.confirmed, machine.has) = (true, true);
        let mut heads = self.across(one).filter_map(|other| self.machines[other].record.mandate.as_ref());
        let replaced = gives && heads.any(|head| !ancestors.contains(&head.id));
        self.gave_what_was_replaced |= replaced && !self.excused;
    }
}
