//! What may happen next, and what it does. A take is one move here: what comes between its steps is the business of the
//! model of the mandate.

use contract::NodeRole;
use contract::mandate::MandateKind;
use node::mandate::file::{Opening, Record};
use node::mandate::homecoming::{self, Fate};
use node::mandate::rules::Standing;
use node::mandate::{loss, rules};

use crate::rule::Rule;
use crate::world::{ALL, Giving, NEW, World, boot_id};

/// How far the model goes.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub raises: u8,
    pub boots: [u8; 3],
    /// Failbacks.
    pub runs: u8,
    /// Contents that are made while the DR serves.
    pub contents: u8,
    /// Whether a machine may be declared lost, and what the one in its place is to be.
    pub lost: bool,
    pub shelf: NodeRole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// The first hears the second.
    Hear(usize, usize),
    Reconcile(usize),
    /// Its gate asks and is answered.
    Ask(usize),
    OpenInSilence(usize),
    /// There is nobody left to ask.
    OpenAlone(usize),
    Crash(usize),
    Boot(usize),
    /// An operator takes the service, and says that the other machine is off.
    Take(usize),
    /// The same, and the other machine is declared lost.
    Retire(usize),
    /// An operator takes the service from a machine that hears it and stands down.
    TakeOver(usize),
    /// The machine from the shelf joins this one.
    Join(usize),
    /// Somebody writes on the DR while it serves.
    Write(usize),
    GiveBack(usize),
    BeginFailback(usize),
    /// What the DR has now arrives beside what the Master has.
    Bring(usize),
    StopToGive(usize),
    GiveWithContent(usize),
    GiveUp(usize),
    /// The Master looks what becomes of what is coming in; whether it hears the other side meanwhile.
    Look(usize, bool),
}

impl World {
    pub fn moves(&self, bounds: &Bounds, without: Option<Rule>, moves: &mut Vec<Move>) {
        for one in ALL {
            let machine = &self.machines[one];
            let mut may = |when: bool, step: Move| {
                if when {
                    moves.push(step);
                }
            };
            if !machine.on {
                may(machine.boot < bounds.boots[one] && machine.peer.is_some(), Move::Boot(one));
                continue;
            }
            may(true, Move::Reconcile(one));
            for other in ALL {
                may(other != one && self.machines[other].on, Move::Hear(one, other));
            }
            may(machine.boot < bounds.boots[one], Move::Crash(one));
            let partner = machine.partner();
            let near = partner.is_some_and(|partner| self.machines[partner].on);
            let asks = rules::must_ask(&machine.record, &boot_id(machine.boot));
            may(asks && near, Move::Ask(one));
            may(asks && partner.is_some(), Move::OpenInSilence(one));
            may(asks && partner.is_none() && loss::is_left_alone(&machine.record), Move::OpenAlone(one));
            let lives = machine.record.declared_lost.is_none() || without == Some(Rule::LostTakesNothing);
            let may_raise = self.raises < bounds.raises;
            // A disk may refuse what came at any time; then a take is allowed that has to wait otherwise.
            let takes = |told: Option<&Standing>| may_raise && machine.may_take(told, true, without);
            may(takes(None), Move::Take(one));
            let said = partner.filter(|_| near).and_then(|partner| self.machines[partner].words(one));
            may(said.is_some() && takes(said.as_ref()), Move::TakeOver(one));
            let goes_on = may_raise && lives && machine.record.mandate.is_some() && machine.has_right();
            may((goes_on || takes(None)) && bounds.lost && partner.is_some(), Move::Retire(one));
            may(self.can_join(one), Move::Join(one));
            if machine.role() == NodeRole::Client {
                self.moves_of_dr(one, bounds, without, &mut may);
            }
            let settles = homecoming::fate(&machine.record, None) != Fate::None;
            may(settles, Move::Look(one, false));
            may(settles && near, Move::Look(one, true));
        }
    }

    fn moves_of_dr(&self, one: usize, bounds: &Bounds, without: Option<Rule>, may: &mut impl FnMut(bool, Move)) {
        let machine = &self.machines[one];
        let Some(partner) = machine.partner() else { return };
        let (other, right) = (&self.machines[partner], machine.has_right());
        may(machine.services && right && self.newest < bounds.contents, Move::Write(one));
        let empty = machine.record.peer.recovering && without != Some(Rule::NothingForTheEmpty);
        let may_raise = self.raises < bounds.raises;
        let Some(giving) = &machine.giving else {
            may(may_raise && right && !empty, Move::GiveBack(one));
            let down = other.on && !other.services && !other.record.is_holder();
            may(self.runs < bounds.runs && right && down, Move::BeginFailback(one));
            return;
        };
        let receives = other.record.receiving.as_ref() == Some(&giving.run) || without == Some(Rule::ReceivingIsMarked);
        let comes = other.on && receives && !other.record.is_holder();
        may(comes && right, Move::Bring(one));
        may(machine.services, Move::StopToGive(one));
        let compared = comes && other.staged == Some(machine.content);
        let gives = compared || (without == Some(Rule::ComparedIsNamed) && giving.brought.is_some());
        let free = !machine.must_wait() && right;
        may(may_raise && giving.stopped && !machine.services && gives && free, Move::GiveWithContent(one));
        may(true, Move::GiveUp(one));
    }

    /// Whether the machine from the shelf can be taken in here.
    fn can_join(&self, one: usize) -> bool {
        let (machine, new) = (&self.machines[one], &self.machines[NEW]);
        let free = machine.peer.is_some() && machine.partner().is_none() && new.peer.is_none() && one != NEW;
        free && machine.role() != new.role() && loss::bequeaths(&machine.record).is_some()
    }

    /// Makes a move that is possible.
    pub fn make(&mut self, step: Move, without: Option<Rule>) {
        match step {
            Move::Hear(one, other) => drop(self.hear(one, other, without)),
            Move::Reconcile(one) => self.reconcile(one),
            Move::Ask(one) => self.ask(one, without),
            Move::OpenInSilence(one) => self.open_unasked(one, Opening::Unverified),
            Move::OpenAlone(one) => self.open_unasked(one, Opening::Verified),
            Move::Crash(one) => {
                let machine = &mut self.machines[one];
                (machine.on, machine.services) = (false, false);
                if let Some(giving) = &mut machine.giving {
                    giving.brought = None;
                }
            }
            Move::Boot(one) => self.machines[one].boots(),
            Move::Take(one) => self.take(one, None, without),
            Move::Retire(one) => self.take(one, self.machines[one].partner(), without),
            Move::TakeOver(one) => self.take_over(one, without),
            Move::Join(one) => self.join(one, without),
            Move::Write(one) => {
                self.newest += 1;
                self.machines[one].content = self.newest;
            }
            Move::GiveBack(one) => {
                let to = self.machines[one].partner();
                self.gave_to_the_empty |= to.is_some_and(|to| self.machines[to].content == 0);
                self.machines[one].services = false;
                self.raise(one, MandateKind::Rollback, None, None, without);
            }
            _ => self.bring_home(step, without),
        }
    }

    /// What happens in a failback.
    fn bring_home(&mut self, step: Move, without: Option<Rule>) {
        match step {
            Move::BeginFailback(one) => self.begin_failback(one, without),
            Move::Bring(one) => {
                let content = self.machines[one].content;
                if let Some(partner) = self.machines[one].partner() {
                    self.machines[partner].staged = Some(content);
                }
                if let Some(giving) = &mut self.machines[one].giving {
                    giving.brought = Some(content);
                }
            }
            Move::StopToGive(one) => {
                let machine = &mut self.machines[one];
                machine.services = false;
                if let Some(giving) = &mut machine.giving {
                    giving.stopped = true;
                }
            }
            Move::GiveWithContent(one) => {
                let machine = &self.machines[one];
                let named = machine.giving.as_ref().and_then(|giving| giving.brought).unwrap_or(machine.content);
                self.handed = Some(machine.content);
                self.raise(one, MandateKind::Failback, Some(named), None, without);
            }
            Move::GiveUp(one) => self.machines[one].giving = None,
            Move::Look(one, hears) => self.look(one, hears),
            _ => {}
        }
    }

    fn take(&mut self, one: usize, lost: Option<usize>, without: Option<Rule>) {
        let machine = &self.machines[one];
        let wrong = machine.partner().is_some_and(|partner| self.machines[partner].on);
        let goes_on = machine.has_right();
        let kind = match machine.role() {
            _ if goes_on && lost.is_some() => MandateKind::Retirement,
            NodeRole::Client => MandateKind::Activation,
            NodeRole::Master => MandateKind::Takeover,
        };
        // Somebody said of this machine that it never comes back.
        let was_not_lost = self.lost_to[one].is_some();
        self.excused |= wrong || was_not_lost;
        self.raise(one, kind, None, lost, without);
    }

    fn take_over(&mut self, one: usize, without: Option<Rule>) {
        let Some(partner) = self.machines[one].partner() else { return };
        self.hear(partner, one, without);
        let asked = &mut self.machines[partner];
        if asked.partner() != Some(one) {
            return;
        }
        asked.change(rules::give_up);
        self.reconcile(partner);
        let told = self.hear(one, partner, without);
        if told.is_some_and(|told| rules::has_stood_down(&told)) && self.machines[one].record.declared_lost.is_none() {
            let kind = match self.machines[one].role() {
                NodeRole::Client => MandateKind::Activation,
                NodeRole::Master => MandateKind::Takeover,
            };
            self.raise(one, kind, None, None, without);
        }
    }

    fn join(&mut self, one: usize, without: Option<Rule>) {
        let Some(mandate) = loss::bequeaths(&self.machines[one].record).cloned() else { return };
        let new = &mut self.machines[NEW];
        new.on = true;
        new.peer = Some(one);
        new.change(|record| {
            loss::inherit(record, mandate, false);
            if without == Some(Rule::NewMasterRecovers) {
                record.recovering = false;
            }
        });
        self.machines[one].peer = Some(NEW);
        let said = self.machines[NEW].words(one);
        let welcome = |record: &mut Record| loss::welcome(record, node::mandate::file::Seat::First, said.as_ref());
        self.machines[one].change(welcome);
        // A Client in the place of a lost one gets its first copy from whoever serves.
        if self.machines[NEW].role() == NodeRole::Client {
            self.machines[NEW].content = self.machines[one].content;
        }
    }

    fn begin_failback(&mut self, one: usize, without: Option<Rule>) {
        let Some(partner) = self.machines[one].partner() else { return };
        self.runs += 1;
        let run = format!("r{}", self.runs);
        self.machines[one].giving = Some(Giving { run: run.clone(), stopped: false, brought: None });
        self.hear(partner, one, without);
        let told = self.machines[one].words(partner);
        let master = &mut self.machines[partner];
        let begun = master.change(|record| homecoming::begin(record, &run, &[], told.as_ref()));
        if without == Some(Rule::ReceivingIsMarked) {
            master.change(|record| record.receiving = None);
        }
        if begun {
            self.hear(one, partner, without);
        } else {
            self.machines[one].giving = None;
        }
    }

    /// Half a step towards the new content, or back to the old one.
    fn look(&mut self, one: usize, hears: bool) {
        let told = self.machines[one].partner().filter(|_| hears).and_then(|peer| self.machines[peer].words(one));
        let machine = &mut self.machines[one];
        match homecoming::fate(&machine.record, told.as_ref()) {
            Fate::Settle(mandate) if !machine.services && machine.staged == machine.named() => {
                if machine.replaced.is_none() {
                    machine.replaced = Some(machine.content);
                } else {
                    machine.replaced = None;
                    machine.content = machine.staged.take().unwrap_or(machine.content);
                    machine.change(|record| homecoming::settle(record, &mandate.id));
                }
            }
            Fate::GiveUp(run) => {
                if let Some(before) = machine.replaced.take() {
                    machine.content = before;
                }
                machine.staged = None;
                machine.change(|record| homecoming::give_up(record, &run, false));
            }
            _ => {}
        }
    }
}
