//! Two machines and perhaps a second copy of one, their disks, and what is on its way. The decisions are the product's.

use contract::mandate::MandateFinding;
use node::mandate::session::{self, Ear, Given, Session, Tally, Word};

use crate::kept::Kept;

/// How far the model goes.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Talks that each machine begins beside its first.
    pub talks: u8,
    pub put_back: bool,
    pub clone: bool,
    /// A word may arrive late and twice; otherwise at once or never.
    pub late: bool,
}

/// The rules, each of which the model can be run without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The old ticket is taken until the next one was shown.
    OldOneStaysGood,
    /// What is given is on disk before it is told.
    GiftIsWrittenFirst,
    /// No ticket is taken before the database knows the one that is held.
    TallyBeforeTheNext,
    /// Whoever hears of a ticket that it does not know to have held was put back.
    SeenNumberIsCompared,
    /// Whoever is shown a ticket that it does not know to have given was put back.
    UnknownTicketIsFound,
    /// Database and mandate files are compared at each start.
    TallyIsCompared,
}

/// What a machine keeps over its end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Disk {
    pub session: Kept<Session>,
    pub found: Option<MandateFinding>,
    /// What the database knows.
    pub tally: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Machine {
    pub disk: Disk,
    pub talk: String,
    pub talks: u8,
    pub copy: Option<Disk>,
    /// It, or a part of it, was put back.
    pub touched: bool,
    /// Who knows what was lost by that: machines of the other site, or, where its database and its files tell of different
    /// times, it itself.
    pub missed_by: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    /// The Master, the Client, and perhaps a second Client.
    pub machines: Vec<Machine>,
    /// From whom, to whom, what.
    pub mail: Vec<(usize, usize, Kept<Said>)>,
    pub copies: u8,
}

/// What is put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    All,
    Database,
    Files,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// One speaks to the other and is heard at once.
    Say(usize, usize),
    /// The word is on its way; what was on that way before is lost.
    Post(usize, usize),
    /// It arrives; it may arrive again.
    Arrive(usize, usize),
    /// Its database learns which ticket is held.
    Tally(usize),
    /// The process ends at this instruction and begins anew.
    Restart(usize),
    Copy(usize),
    PutBack(usize, Part),
    /// A second Client begins with all that the first one has.
    Clone,
}

/// A word, and what its speaker says against itself.
pub type Said = (Word, Vec<MandateFinding>);

fn tally(number: u64) -> Tally {
    Tally { pair: "p".into(), mandate: "m".into(), number }
}

impl Disk {
    /// What happens at each start.
    pub fn start(&mut self, without: Option<Rule>) {
        let ours = tally(self.session.held.number);
        let parted = session::parted(Some(&ours), &[], self.tally.map(tally).as_ref());
        if parted && self.found.is_none() && without != Some(Rule::TallyIsCompared) {
            self.found = Some(MandateFinding::SetBack);
        }
    }

    fn change<T>(&mut self, change: impl FnOnce(&mut Session) -> T) -> T {
        let mut session = Session::clone(&self.session);
        let outcome = change(&mut session);
        if session != *self.session {
            self.session = Kept::new(session);
        }
        outcome
    }
}

impl Machine {
    fn new(site: usize) -> Self {
        Self {
            disk: Disk { session: Kept::new(Session::default()), found: None, tally: None },
            talk: format!("{site}-0"),
            talks: 0,
            copy: None,
            touched: false,
            missed_by: Vec::new(),
        }
    }

    fn begin(&mut self, name: usize, without: Option<Rule>) {
        self.talks += 1;
        self.talk = format!("{name}-{}", self.talks);
        if without == Some(Rule::GiftIsWrittenFirst) {
            self.disk.change(|session| session.expected.given.clear());
        }
        self.disk.start(without);
    }

    pub fn says(&self) -> Said {
        (self.disk.session.word(&self.talk), self.disk.found.into_iter().collect())
    }

    /// As the rules of the mandate have it: whoever was found hears no more.
    pub fn hear(&mut self, (word, against): &Said, without: Option<Rule>) {
        if self.disk.found.is_some() {
            return;
        }
        let tallied = self.disk.tally == Some(self.disk.session.held.number);
        let number = self.disk.session.expected.ticket.number;
        // Random in the product: no two lives of a machine draw the same.
        let life = if self.touched { "again " } else { "" };
        let ear = Ear {
            talk: self.talk.clone(),
            talking: None,
            fresh: format!("{life}{}: {number} for {}", self.talk, word.talk),
            tallied: tallied || without == Some(Rule::TallyBeforeTheNext),
        };
        let mut word = word.clone();
        if without == Some(Rule::SeenNumberIsCompared) {
            word.expected = 0;
        }
        self.disk.found = self.disk.change(|session| {
            let unknown = word.held.number > session.expected.ticket.number;
            if unknown && without == Some(Rule::UnknownTicketIsFound) {
                let (to, ticket) = (word.talk.clone(), word.held.clone());
                session.expected.given.push(Given { to, ticket, after_stale: false });
            }
            let found = session::hear(session, &word, against, &ear);
            let expected = &mut session.expected;
            if without == Some(Rule::OldOneStaysGood)
                && let Some(given) = expected.given.last().cloned()
            {
                (expected.ticket, expected.by) = (given.ticket, given.to);
            }
            found
        });
    }
}

impl World {
    /// The two have talked once, and each holds a ticket.
    pub fn new(without: Option<Rule>) -> Self {
        let mut world = Self { machines: vec![Machine::new(0), Machine::new(1)], mail: Vec::new(), copies: 0 };
        for step in [Move::Tally(0), Move::Tally(1), Move::Say(0, 1), Move::Say(1, 0)].repeat(3) {
            world.make(step, without);
        }
        world
    }

    pub fn moves(&self, bounds: &Bounds, moves: &mut Vec<Move>) {
        for (i, machine) in self.machines.iter().enumerate() {
            let others = if i == 0 { 1..self.machines.len() } else { 0..1 };
            for other in others {
                moves.push(Move::Say(i, other));
                if bounds.late {
                    moves.push(Move::Post(i, other));
                    moves.push(Move::Arrive(i, other));
                }
            }
            moves.push(Move::Tally(i));
            if machine.talks < bounds.talks {
                moves.push(Move::Restart(i));
            }
            if bounds.put_back && self.copies == 0 {
                moves.push(Move::Copy(i));
            }
            if machine.copy.is_some() {
                moves.extend([Part::All, Part::Database, Part::Files].map(|part| Move::PutBack(i, part)));
            }
        }
        if bounds.clone && self.machines.len() == 2 {
            moves.push(Move::Clone);
        }
    }

    pub fn make(&mut self, step: Move, without: Option<Rule>) {
        match step {
            Move::Say(from, to) => {
                let told = self.machines[from].says();
                self.machines[to].hear(&told, without);
            }
            Move::Post(from, to) => {
                let told = Kept::new(self.machines[from].says());
                self.mail.retain(|(f, t, _)| (*f, *t) != (from, to));
                self.mail.push((from, to, told));
                self.mail.sort_by_key(|(f, t, _)| (*f, *t));
            }
            Move::Arrive(from, to) => {
                let told = self.mail.iter().find(|(f, t, _)| (*f, *t) == (from, to)).map(|(_, _, told)| told.clone());
                if let Some(told) = told {
                    self.machines[to].hear(&told, without);
                }
            }
            Move::Tally(i) => {
                let disk = &mut self.machines[i].disk;
                disk.tally = Some(disk.session.held.number);
            }
            Move::Restart(i) => {
                self.mail.retain(|(_, to, _)| *to != i);
                self.machines[i].begin(i, without);
            }
            Move::Copy(i) => {
                self.copies += 1;
                self.machines[i].copy = Some(self.machines[i].disk.clone());
            }
            Move::PutBack(i, part) => self.put_back(i, part, without),
            Move::Clone => {
                let mut second = self.machines[1].clone();
                second.begin(2, without);
                self.machines.push(second);
            }
        }
    }

    fn put_back(&mut self, i: usize, part: Part, without: Option<Rule>) {
        let Some(copy) = self.machines[i].copy.take() else { return };
        self.mail.retain(|(_, to, _)| *to != i);
        let was = self.machines[i].disk.clone();
        let machine = &mut self.machines[i];
        machine.touched = true;
        match part {
            Part::All => machine.disk = copy,
            Part::Database => machine.disk.tally = copy.tally,
            Part::Files => {
                (machine.disk.session, machine.disk.found) = (copy.session, copy.found);
            }
        }
        let now = machine.disk.clone();
        machine.begin(i, without);
        let held = now.session.held.number;
        // Two tickets between them: one may be missing after any crash.
        let apart = match part {
            Part::All => false,
            Part::Database => now.tally != was.tally && now.tally.unwrap_or(0) + 1 < held,
            Part::Files => now.tally.is_some_and(|tally| tally > held),
        };
        // Two that were one show each other nothing: what one of them has come to is nothing that the other one lost.
        let knows = |(other, machine): (usize, &Machine)| {
            let theirs = &machine.disk.session;
            let expected = &now.session.expected;
            let unknown = theirs.held.number > expected.ticket.number
                && !expected.given.iter().any(|given| given.ticket == theirs.held);
            let across = (other == 0) != (i == 0);
            let known = part != Part::Database && across && (theirs.expected.ticket.number > held || unknown);
            known.then_some(other)
        };
        let across = self.machines.iter().enumerate().filter_map(knows);
        self.machines[i].missed_by = across.chain(apart.then_some(i)).collect();
    }
}
