//! A pair, a machine that may take the place of one of the two, what each knows and has, and what is true of them. The
//! decisions are the product's.

use std::collections::BTreeMap;

use contract::gate::GateAnswer;
use contract::mandate::{Mandate, MandateKind, Relation, Tombstone};
use contract::run::RunKind;
use contract::service::Desired;
use contract::state::NodeState;
use contract::{NodeRole, Timestamp};
use node::mandate::file::{Opened, Opening, Record};
use node::mandate::mission::{Mission, Next};
use node::mandate::rules::{self, Standing};
use node::mandate::session::Ear;
use node::mandate::{Raise, homecoming, loss, state};

use crate::kept::Kept;
use crate::mission::{mandate_id, mission};
use crate::rule::Rule;

pub const MASTER: usize = 0;
pub const CLIENT: usize = 1;
/// The one in the place of a machine that was lost.
pub const NEW: usize = 2;
pub const ALL: [usize; 3] = [MASTER, CLIENT, NEW];

/// What a machine has; 0 is nothing.
pub type Content = u8;

/// A failback that is under way on the DR.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Giving {
    pub run: String,
    /// The services were stopped for the last of it.
    pub stopped: bool,
    /// What it knows to have arrived.
    pub brought: Option<Content>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Machine {
    pub record: Kept<Record>,
    pub on: bool,
    pub boot: u8,
    pub services: bool,
    pub giving: Option<Giving>,
    /// The machine that it is associated with.
    pub peer: Option<usize>,
    pub content: Content,
    /// What came home and waits beside it.
    pub staged: Option<Content>,
    /// What was there before what is being put in its place; where this is set, it is neither the one nor the other.
    pub replaced: Option<Content>,
    /// In truth: it was told that it was declared lost.
    pub told: bool,
    /// In truth: an operator took the service here, with whatever is here.
    pub by_hand: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub machines: [Machine; 3],
    pub raises: u8,
    pub runs: u8,
    /// The newest content there is.
    pub newest: Content,
    /// Who declared whom lost, in truth.
    pub lost_to: [Option<usize>; 3],
    /// What the DR had when it gave the service away.
    pub handed: Option<Content>,
    /// An operator's word was wrong, or a gate was opened in silence.
    pub excused: bool,
    /// Services began on something else than what was handed over.
    pub began_with_less: bool,
    /// The service was given to a machine that had nothing.
    pub gave_to_the_empty: bool,
}

fn at() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

pub fn boot_id(boot: u8) -> String {
    format!("b{boot}")
}

fn name(machine: usize) -> String {
    format!("n{machine}")
}

fn tombstone(machine: usize) -> Tombstone {
    let text = String::new;
    Tombstone {
        fingerprint: name(machine),
        node: name(machine),
        name: text(),
        address: text(),
        operator: text(),
        reason: text(),
        at: at(),
    }
}

fn raise(number: u8, kind: MandateKind, holder: NodeRole) -> Raise {
    let (operator, reason, evidence, retired) = (String::new(), String::new(), Vec::new(), Vec::new());
    Raise { id: mandate_id(number), kind, holder, operator, reason, evidence, base: None, retired }
}

impl Machine {
    fn new(machine: usize, role: NodeRole, content: Content) -> Self {
        Self {
            record: Kept::new(Record::new(&name(machine), "", role)),
            on: true,
            boot: 0,
            services: false,
            giving: None,
            peer: None,
            content,
            staged: None,
            replaced: None,
            told: false,
            by_hand: false,
        }
    }

    pub fn change<T>(&mut self, change: impl FnOnce(&mut Record) -> T) -> T {
        let mut record = Record::clone(&self.record);
        let outcome = change(&mut record);
        if record != *self.record {
            self.record = Kept::new(record);
        }
        outcome
    }

    /// The gate that was opened in an earlier boot is closed.
    pub fn boots(&mut self) {
        self.on = true;
        self.boot += 1;
        self.change(|record| record.opened = None);
    }

    pub fn role(&self) -> NodeRole {
        self.record.site
    }

    pub fn has_right(&self) -> bool {
        rules::has_right(&self.record, &boot_id(self.boot))
    }

    /// Its failback, as the product's rules see it.
    fn mission(&self) -> Option<Mission> {
        let giving = self.giving.as_ref()?;
        let next = if giving.stopped { Next::Mandate } else { Next::Other };
        Some(mission(RunKind::Failback, None, next))
    }

    pub fn must_wait(&self) -> bool {
        self.mission().is_some_and(|mission| mission.must_wait(&self.record, &boot_id(self.boot)))
    }

    /// Whether its failback is at work, and does not wait for its gate.
    fn gives(&self) -> bool {
        self.mission().is_some_and(|mission| !mission.waits_at_gate(&self.record, &boot_id(self.boot)))
    }

    /// What it is doing, as the product tells it.
    fn state(&self) -> NodeState {
        let run = self.gives().then_some(RunKind::Failback);
        state::state(&self.record, &boot_id(self.boot), run)
    }

    /// Whether an operator may begin to take the service here: as the preflight judges it. `trouble` is whether what came
    /// cannot be put in its place.
    pub fn may_take(&self, told: Option<&Standing>, trouble: bool, without: Option<Rule>) -> bool {
        let mandate = self.record.mandate.is_some();
        let lives = self.record.declared_lost.is_none() || without == Some(Rule::LostTakesNothing);
        let state = self.state();
        let refused = without == Some(Rule::TakenFromReceiving) && state == NodeState::Receiving;
        let fate = homecoming::fate(&self.record, told);
        let free = homecoming::in_the_way_of_a_take(&self.record, told, &fate, trouble).is_none();
        mandate && lives && state.may_be_taken_from(self.role()) && free && !refused
    }

    pub fn serves(&self) -> bool {
        self.on && self.services
    }

    fn buries(&self, other: usize) -> bool {
        self.record.mandate.as_ref().is_some_and(|head| head.tombstone_of(&name(other)).is_some())
    }

    /// The machine that it talks with: one that was declared lost is no pair any more.
    pub fn partner(&self) -> Option<usize> {
        self.peer.filter(|peer| !self.buries(*peer))
    }

    /// What it says to another one; `None` to a stranger.
    pub fn words(&self, to: usize) -> Option<Standing> {
        let known = self.partner() == Some(to);
        let boot = boot_id(self.boot);
        let told = Standing {
            state: Some(self.state()),
            sending: self.giving.as_ref().map(|giving| giving.run.clone()),
            ..rules::standing(&self.record, &boot, !self.services, self.gives())
        };
        let to_the_lost = Standing { remembered: None, remembered_generation: None, ..told.clone() };
        known.then_some(told).or_else(|| self.buries(to).then_some(to_the_lost))
    }

    /// The content that the newest mandate names, where it names this side.
    pub fn named(&self) -> Option<Content> {
        let head = self.record.mandate.as_ref().filter(|head| head.holder == self.role())?;
        head.base.as_ref()?.get("data")?.parse().ok()
    }
}

impl World {
    /// A pair whose Master serves, and a machine of this role on the shelf.
    pub fn new(shelf: NodeRole) -> Self {
        let mut machines = [
            Machine::new(MASTER, NodeRole::Master, 1),
            Machine::new(CLIENT, NodeRole::Client, 1),
            Machine::new(NEW, shelf, 0),
        ];
        let first = raise(0, MandateKind::Initial, NodeRole::Master).mandate(&machines[MASTER].record, "p", at());
        for (one, other) in [(MASTER, CLIENT), (CLIENT, MASTER)] {
            let machine = &mut machines[one];
            machine.change(|record| {
                record.mandate = Some(first.clone());
                record.peer.mandate = Some(first.id.clone());
                record.opened =
                    record.is_holder().then(|| Opened { boot: boot_id(0), at: at(), how: Opening::Verified });
            });
            machine.peer = Some(other);
            machine.services = one == MASTER;
        }
        machines[NEW].on = false;
        Self {
            machines,
            raises: 0,
            runs: 0,
            newest: 1,
            lost_to: [None; 3],
            handed: None,
            excused: false,
            began_with_less: false,
            gave_to_the_empty: false,
        }
    }

    /// One hears what another says to it, as far as it listens.
    pub fn hear(&mut self, one: usize, other: usize, without: Option<Rule>) -> Option<Standing> {
        let told = self.machines[other].words(one)?;
        let mandate = told.mandate.clone()?;
        let machine = &mut self.machines[one];
        let (known, lost) = (machine.partner() == Some(other), machine.buries(other));
        let before = machine.record.clone();
        machine.change(|record| {
            if known || (lost && without == Some(Rule::LostStopsNobody)) {
                rules::hear(record, &told, None, &Ear::default());
            } else if lost {
                // One that does not look at who serves takes whatever is said for said by one that does.
                let serving = loss::serves(&told) || without == Some(Rule::ServingGoesOn);
                loss::hear(record, &mandate, serving);
            }
            if without == Some(Rule::LostStops)
                && before.declared_lost.is_none()
                && record.declared_lost.take().is_some()
            {
                record.opened = before.opened.clone();
            }
            let older = record.mandate.as_ref().is_some_and(|head| head.relation(&mandate) == Relation::Newer);
            if without == Some(Rule::NewerGoesOn) && older && record.declared_lost.is_none() {
                record.declared_lost = mandate.tombstone_of(&record.node).cloned();
            }
            if without == Some(Rule::ContentIsAwaited) && rules::awaits_content(record) {
                record.settled = record.mandate.as_ref().map(|head| head.id.clone());
                record.receiving = None;
            }
        });
        machine.told |= machine.record.declared_lost.is_some();
        Some(told)
    }

    /// Services are brought where they are to be; a run whose ground a mandate has taken ends.
    pub fn reconcile(&mut self, one: usize) {
        let machine = &mut self.machines[one];
        let lost = |mission: Mission| mission.ground_is_lost(&machine.record, &boot_id(machine.boot), None);
        if machine.mission().and_then(lost).is_some() {
            machine.giving = None;
        }
        let running = machine.giving.as_ref().is_some_and(|giving| giving.stopped);
        match rules::desired(&machine.record, &boot_id(machine.boot), running) {
            Some(Desired::Up) if !machine.services => self.start(one),
            Some(Desired::Down) => machine.services = false,
            _ => {}
        }
    }

    pub fn start(&mut self, one: usize) {
        let machine = &mut self.machines[one];
        machine.services = true;
        let named = machine.named().filter(|_| !machine.by_hand);
        let less = named.is_some_and(|_| self.handed != Some(machine.content));
        let nothing = machine.content == 0 && machine.record.mandate.is_some() && !machine.by_hand;
        self.began_with_less |= less || nothing || machine.replaced.is_some();
    }

    /// The gate asks the machine that this one talks with, and hears the answer.
    pub fn ask(&mut self, one: usize, without: Option<Rule>) {
        let Some(partner) = self.machines[one].partner() else { return };
        self.hear(partner, one, without);
        let Some(told) = self.hear(one, partner, without) else { return };
        let machine = &mut self.machines[one];
        let boot = boot_id(machine.boot);
        if rules::answer(&machine.record, &told, &Ear::default()) == GateAnswer::Confirmed {
            machine.change(|record| rules::open(record, &boot, at(), Opening::Verified));
        }
    }

    /// It opens without an answer: nobody gives one, or nobody is left to.
    pub fn open_unasked(&mut self, one: usize, how: Opening) {
        let machine = &mut self.machines[one];
        let boot = boot_id(machine.boot);
        let opened = machine.change(|record| rules::open(record, &boot, at(), how));
        self.excused |= opened && how == Opening::Unverified;
    }

    /// Writes a mandate. `base` is the content that goes along, `lost` whoever is declared lost by it.
    pub fn raise(
        &mut self,
        one: usize,
        kind: MandateKind,
        base: Option<Content>,
        lost: Option<usize>,
        without: Option<Rule>,
    ) {
        self.raises += 1;
        let number = self.raises;
        let machine = &mut self.machines[one];
        let gives = matches!(kind, MandateKind::Rollback | MandateKind::Failback);
        let holder = if gives { machine.role().other() } else { machine.role() };
        let base = base.map(|content| BTreeMap::from([("data".to_owned(), content.to_string())]));
        let retired = lost.map(tombstone).into_iter().collect();
        let raise = Raise { base, retired, ..raise(number, kind, holder) };
        let mut known = Record::clone(&machine.record);
        if without == Some(Rule::TombstonesStay) {
            let forget = |mandate: &mut Mandate| mandate.retired.clear();
            known.mandate.as_mut().into_iter().chain(&mut known.rival).for_each(forget);
        }
        let mandate = raise.mandate(&known, "p", at());
        let boot = boot_id(machine.boot);
        machine.change(|record| match kind {
            MandateKind::Retirement => loss::retire(record, mandate),
            _ => rules::raise(record, mandate, &boot, at()),
        });
        machine.by_hand = !gives;
        machine.giving = None;
        if let Some(lost) = lost {
            self.lost_to[lost] = Some(one);
        }
    }
}
