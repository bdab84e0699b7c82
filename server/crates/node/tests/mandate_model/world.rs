//! Two machines, what each knows, what each has been told, and what is on its way. The decisions are the product's.

use contract::NodeRole;
use contract::Timestamp;
use contract::gate::GateAnswer;
use contract::mandate::{Mandate, MandateKind, Relation};
use contract::service::Desired;
use node::mandate::Raise;
use node::mandate::evidence::Since;
use node::mandate::file::{Opened, Opening, Record};
use node::mandate::rules::{self, Learned, Standing};
use node::mandate::session::Ear;
use node::mandate::state;

use crate::kept::Kept;
use crate::mission::mandate_id;
use crate::rule::Rule;
use crate::run::Run;

/// Which machine: the Master, then the Client.
pub type Site = usize;
pub const MASTER: Site = 0;
pub const CLIENT: Site = 1;

/// An answer that has been given and has not yet arrived.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pending {
    pub told: Kept<Standing>,
    /// The question is still open.
    pub open: bool,
    /// Services ran, in truth, where the answer was given.
    pub served: bool,
}

/// What has happened, whatever the record says of it: properties are judged by this.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Truth {
    /// It told the other one that it has stopped, and was not released.
    pub promised: bool,
    /// It has heard of this mandate, which did not descend from its own nor the other way round.
    pub rival: Option<String>,
    /// It once had this mandate and was put back to a time before; and whether the other one has told it so.
    pub lost: Option<(String, bool)>,
    /// It was named anew and has not opened its gate since.
    pub unasked: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Side {
    pub record: Kept<Record>,
    pub on: bool,
    pub boot: u8,
    pub services: bool,
    pub run: Option<Run>,
    pub pending: Option<Pending>,
    pub snapshot: Option<Kept<Record>>,
    pub truth: Truth,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub sides: [Side; 2],
    /// The standing on its way to each side: it may arrive late, more than once, or never.
    pub mail: [Option<Kept<Standing>>; 2],
    pub raises: u8,
    pub snapshots: u8,
    /// An operator attested wrongly, or a gate opened in silence: double service cannot be excluded until both have spoken.
    pub excused: bool,
    /// A gate was opened although its machine knew what speaks against it.
    pub opened_against: bool,
    /// A mandate was written that does not descend from all that its machine knew.
    pub unsettled: bool,
    /// A mandate was given away that the other side had replaced, although double service was excluded.
    pub gave_what_was_replaced: bool,
}

pub const fn other(site: Site) -> Site {
    1 - site
}

pub fn role(site: Site) -> NodeRole {
    if site == MASTER { NodeRole::Master } else { NodeRole::Client }
}

fn at() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn knows(mandate: Option<&Mandate>, id: &str) -> bool {
    mandate.is_some_and(|mandate| mandate.ancestors.iter().any(|ancestor| ancestor == id))
}

impl Side {
    fn new(site: Site, first: &Mandate) -> Self {
        let mut record = Record::new(&format!("n{site}"), "", role(site));
        record.mandate = Some(first.clone());
        let serves = record.is_holder();
        record.opened = serves.then(|| Opened { boot: "b0".into(), at: at(), how: Opening::Verified });
        record.peer.mandate = Some(first.id.clone());
        Self {
            record: Kept::new(record),
            on: true,
            boot: 0,
            services: serves,
            run: None,
            pending: None,
            snapshot: None,
            truth: Truth::default(),
        }
    }

    pub fn boot_id(&self) -> String {
        format!("b{}", self.boot)
    }

    /// Changes the record by a rule.
    pub fn change<T>(&mut self, change: impl FnOnce(&mut Record) -> T) -> T {
        let mut record = Record::clone(&self.record);
        let outcome = change(&mut record);
        if record != *self.record {
            self.record = Kept::new(record);
        }
        outcome
    }

    pub fn head(&self) -> Option<&str> {
        self.record.mandate.as_ref().map(|mandate| mandate.id.as_str())
    }

    pub fn has_right(&self) -> bool {
        rules::may_serve(&self.record, &self.boot_id())
    }

    pub fn standing(&self, without: Option<Rule>) -> Standing {
        let down = !self.services || without == Some(Rule::ServesUntilSeenDown);
        let (boot, run) = (self.boot_id(), self.moves_service(without));
        let mut told = rules::standing(&self.record, &boot, down, run.is_some());
        told.state = Some(state::state(&self.record, &boot, run));
        if without == Some(Rule::HoldDuringTake) {
            told.taking = false;
        }
        told
    }

    /// Services are brought where they are to be.
    pub fn reconcile(&mut self, without: Option<Rule>) {
        if self.ground_is_lost() {
            self.run = None;
        }
        let running = self.run.is_some();
        match rules::desired(&self.record, &self.boot_id(), running) {
            _ if running && without == Some(Rule::NoRunKeepsServices) => {}
            Some(Desired::Up) => self.services = true,
            Some(Desired::Down) => self.services = false,
            None => {}
        }
    }

    /// The process ends; what it had in memory goes with it.
    pub fn process_ends(&mut self, without: Option<Rule>) {
        self.pending = None;
        if let Some(run) = &mut self.run {
            run.asked = false;
            if without != Some(Rule::EvidencePerishes) {
                run.evidence = None;
            }
        }
        if without == Some(Rule::YieldIsDurable) {
            self.change(|record| record.yielded = false);
        }
    }

    pub fn close_question(&mut self) {
        if let Some(pending) = &mut self.pending {
            pending.open = false;
        }
    }
}

impl World {
    pub fn new() -> Self {
        let blank = Record::new("n0", "", NodeRole::Master);
        let first = Raise { kind: MandateKind::Initial, ..raise(0, NodeRole::Master) }.mandate(&blank, "p", at());
        Self {
            sides: [Side::new(MASTER, &first), Side::new(CLIENT, &first)],
            mail: [None, None],
            raises: 0,
            snapshots: 0,
            excused: false,
            opened_against: false,
            unsettled: false,
            gave_what_was_replaced: false,
        }
    }

    pub fn serving(&self, site: Site) -> bool {
        self.sides[site].on && self.sides[site].services
    }

    pub fn both_serve(&self) -> bool {
        self.serving(MASTER) && self.serving(CLIENT)
    }

    /// One side hears the other.
    pub fn hear(&mut self, site: Site, told: &Standing, without: Option<Rule>) {
        let fresh = *told == self.sides[other(site)].standing(without);
        let side = &mut self.sides[site];
        if let Some(evidence) = side.run.as_mut().and_then(|run| run.evidence.as_mut()) {
            evidence.since = Since { lived: true, stands_down: stood_down(told, without) };
        }
        let before = side.record.clone();
        let adopted = side.change(|record| {
            let heard = rules::hear(record, told, None, &Ear::default());
            let adopted = heard.learned == Learned::Adopted;
            match without {
                Some(Rule::AdoptionClosesGate) if adopted => record.opened.clone_from(&before.opened),
                Some(Rule::ForkIsFound) => record.rival = None,
                Some(Rule::LessThanRememberedIsFound) => record.set_back = None,
                Some(Rule::LesserGivesWay) if heard.gave_way => record.opened.clone_from(&before.opened),
                _ => {}
            }
            adopted
        });
        if adopted {
            side.close_question();
        }
        side.learn_truth(&before, told);
        self.end_excuse(site, fresh);
    }

    /// Both have the same mandate, and the one without the right has just heard how the other one stands: from now on
    /// nothing is excused any more.
    fn end_excuse(&mut self, hearer: Site, fresh: bool) {
        let (hears, speaks) = (&self.sides[hearer], &self.sides[other(hearer)]);
        let quiet = !hears.services && !hears.has_right() && (speaks.has_right() || !speaks.services);
        let undisputed = hears.record.rival.is_none() && speaks.record.rival.is_none();
        if fresh && quiet && undisputed && hears.head() == speaks.head() {
            self.excused = false;
        }
    }

    /// A take is carried by what it stands on, a return by the services that are down.
    pub fn raise(&mut self, site: Site, without: Option<Rule>) {
        self.raises += 1;
        let number = self.raises;
        let theirs = self.sides[other(site)].head().map(str::to_owned);
        let side = &mut self.sides[site];
        let Some(run) = &mut side.run else { return };
        let (kind, holder) = match (run.giving, site) {
            (true, _) => (MandateKind::Rollback, role(other(site))),
            (false, MASTER) => (MandateKind::Takeover, role(site)),
            (false, _) => (MandateKind::Activation, role(site)),
        };
        let wrong = run.evidence.take().is_some_and(|evidence| evidence.wrong);
        run.written = Some(number);
        if run.giving {
            side.run = None;
        }
        let mut known = Record::clone(&side.record);
        if without == Some(Rule::TakeSettlesBoth) {
            known.rival = None;
        }
        let mandate = Raise { kind, ..raise(number, holder) }.mandate(&known, "p", at());
        let unsettled = side.truth.rival.as_ref().is_some_and(|id| !knows(Some(&mandate), id));
        let replaced = mandate.kind == MandateKind::Rollback && theirs.is_some_and(|id| !knows(Some(&mandate), &id));
        let boot = side.boot_id();
        side.change(|record| rules::raise(record, mandate, &boot, at()));
        side.close_question();
        side.truth = Truth::default();
        self.gave_what_was_replaced |= replaced && !self.excused;
        self.excused |= wrong;
        self.unsettled |= unsettled;
    }

    /// The answer arrives: it is heard, and opens the gate where its question is still open.
    pub fn take_answer(&mut self, site: Site, without: Option<Rule>) {
        let Some(pending) = self.sides[site].pending.take() else { return };
        self.sides[site].pending = Some(pending.clone());
        self.hear(site, &pending.told, without);
        let side = &mut self.sides[site];
        let open = side.pending.take().is_some_and(|pending| pending.open);
        let confirmed = match rules::answer(&side.record, &pending.told, &Ear::default()) {
            GateAnswer::Confirmed => true,
            GateAnswer::Serving => without == Some(Rule::StartingNeverDisplaces),
            _ => false,
        };
        let boot = side.boot_id();
        if open && confirmed && side.change(|record| rules::open(record, &boot, at(), Opening::Verified)) {
            self.opened_against |= side.truth.speaks_against() || pending.served;
            side.truth.promised = false;
            side.truth.unasked = false;
        }
    }

    /// Nobody answers, and the policy lets the gate open.
    pub fn open_in_silence(&mut self, site: Site) {
        let side = &mut self.sides[site];
        let boot = side.boot_id();
        if side.change(|record| rules::open(record, &boot, at(), Opening::Unverified)) {
            let against = side.truth.speaks_against() || side.truth.promised;
            side.truth.unasked = false;
            self.opened_against |= against;
            self.excused |= !against;
        }
    }
}

impl Side {
    fn learn_truth(&mut self, before: &Record, told: &Standing) {
        if let (Some(ours), Some(theirs)) = (&before.mandate, &told.mandate)
            && ours.relation(theirs) == Relation::Fork
        {
            self.truth.rival = Some(theirs.id.clone());
        }
        let head = self.record.mandate.as_ref();
        self.truth.rival = self.truth.rival.take().filter(|id| self.head() != Some(id) && !knows(head, id));
        let unknown = |id: &str| {
            let known = before.mandate.as_ref();
            known.is_none_or(|known| known.id != id) && !knows(known, id)
        };
        if let Some((id, said)) = &mut self.truth.lost {
            *said |= told.remembered.as_ref() == Some(id) && unknown(id);
        }
        // What comes back before anybody has missed it was never lost; what was missed is settled by a descendant.
        let back = |id: &str, said: bool| knows(head, id) || (!said && self.head() == Some(id));
        self.truth.lost = self.truth.lost.clone().filter(|(id, said)| !back(id, *said));
        if before.mandate != self.record.mandate {
            let named = self.record.is_holder() && !before.is_holder();
            self.truth.promised &= before.is_holder() && self.record.is_holder();
            self.truth.unasked = named || (self.truth.unasked && self.record.is_holder());
        }
    }
}

impl Truth {
    const fn speaks_against(&self) -> bool {
        self.rival.is_some() || matches!(self.lost, Some((_, true)))
    }
}

pub fn stood_down(told: &Standing, without: Option<Rule>) -> bool {
    let told = Standing { taking: told.taking && without != Some(Rule::TakerYieldsToNobody), ..told.clone() };
    rules::has_stood_down(&told)
}

fn raise(number: u8, holder: NodeRole) -> Raise {
    Raise {
        retired: Vec::new(),
        id: mandate_id(number),
        kind: MandateKind::Initial,
        holder,
        operator: String::new(),
        reason: String::new(),
        evidence: Vec::new(),
        base: None,
    }
}
