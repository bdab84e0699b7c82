//! What may happen next, and what it does.

use node::mandate::rules;

use crate::rule::Rule;
use crate::world::{ALL, CLIENT, Ground, ONE, Run, TWO, World, boot_id, is_sibling};

/// How far the model goes.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub raises: u8,
    pub boots: [u8; 3],
    /// Whether a gate may open where the other site is not heard.
    pub silence: bool,
    /// Whether the second member may be lost, and an empty machine join in its place, with nobody declared lost.
    pub replaced: bool,
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
    /// The member hands content on.
    Give(usize),
    /// The second member is forgotten by the first one, and an empty machine joins that.
    Replace,
    /// The cluster has brought the second member in line.
    BringInLine,
}

impl World {
    pub fn moves(&self, bounds: &Bounds, without: Option<Rule>, moves: &mut Vec<Move>) {
        for one in ALL {
            let machine = &self.machines[one];
            if !machine.on {
                moves.push(Move::Boot(one));
                // Only whoever serves forgets its sibling.
                let forgets = one == TWO && self.serves(ONE) && self.machines[ONE].has_right();
                if bounds.replaced && !self.replaced && forgets {
                    moves.push(Move::Replace);
                }
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
            if bounds.replaced && !self.given && one != CLIENT && machine.services {
                moves.push(Move::Give(one));
            }
            if one == TWO && rules::lacks_content(&machine.record) && self.machines[ONE].has {
                moves.push(Move::BringInLine);
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
        let right = machine.has_right();
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
            let gives = right || (without == Some(Rule::OnlyTheRightGives) && machine.record.is_holder());
            if machine.services {
                moves.push(Move::StopToGive);
            } else if gives {
                moves.push(Move::Raise(one));
            }
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
            Move::Give(_) => self.given = true,
            Move::Replace => self.replace(without),
            Move::BringInLine => self.bring_in_line(),
        }
    }
}
