//! The rules of the mandate as pure decisions: a record and what was told go in, the changed record and what follows come
//! out. No disk, no clock, no network: what runs here is what a model checks.

use std::collections::BTreeMap;

use contract::gate::GateAnswer;
use contract::last_written::LastWritten;
use contract::mandate::{Mandate, MandateFinding, MandateKind, Relation};
use contract::service::Desired;
use contract::state::NodeState;
use contract::{NodeRole, Timestamp};
use serde::{Deserialize, Serialize};

use super::file::{Opened, Opening, Record};
use super::loss;
use super::session::{self, Ear, Word};

/// What a node says of itself at every contact with the other one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Standing {
    /// The newest mandate it knows.
    pub mandate: Option<Mandate>,
    /// Whether anything of it may be serving: the gate is open, or a service is not seen down.
    pub serving: bool,
    /// Whether it knows what to stop: a machine without declared services cannot say that they are down.
    #[serde(default)]
    pub manages: bool,
    /// Whether it is taking the service, or giving it back, at this moment.
    pub taking: bool,
    /// The failback by which it sends its content home, until the mandate of that is written or it was given up.
    #[serde(default)]
    pub sending: Option<String>,
    /// The failback by which it is taking content in.
    #[serde(default)]
    pub receiving: Option<String>,
    /// The mandate whose content stands there, of those that name one.
    #[serde(default)]
    pub settled: Option<String>,
    /// Whether it may serve and every declared service was seen up.
    #[serde(default)]
    pub up: bool,
    /// Whether it has stopped at the other's request.
    pub yielded: bool,
    /// What speaks against its knowledge.
    pub findings: Vec<MandateFinding>,
    /// The newest mandate that it remembers the other one to have had.
    pub remembered: Option<String>,
    /// The highest generation that it remembers the other one to have given.
    pub remembered_generation: Option<u64>,
    /// The highest generation that it has given itself.
    pub generation: Option<u64>,
    /// After how many seconds of silence it would open its gate by itself; `None` when never.
    pub opens_after: Option<u32>,
    /// Whether a person has chosen what happens in silence; `None` of one that does not say.
    #[serde(default)]
    pub gate_chosen: Option<bool>,
    /// The port of its panel.
    pub panel: u16,
    /// What it is doing, for people.
    #[serde(default)]
    pub state: Option<NodeState>,
    /// Whether the node IP of its cluster is on it; `None` of a machine that stands alone.
    #[serde(default)]
    pub serves_site: Option<bool>,
    /// Client: the content of each dataset that it has.
    #[serde(default)]
    pub contents: BTreeMap<String, String>,
    /// Master: what it wrote last, of each dataset, while it does not serve.
    #[serde(default)]
    pub last_written: BTreeMap<String, LastWritten>,
    /// The one-time secret; `None` where only the mandate is spoken of.
    #[serde(default)]
    pub session: Option<Word>,
    /// It is in the place of a Master that was lost, and has no data yet.
    #[serde(default)]
    pub recovering: bool,
}

/// What came of hearing a mandate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learned {
    /// Nothing new.
    Nothing,
    /// It was newer and is now ours.
    Adopted,
    /// Neither descends from the other.
    Fork,
    /// It belongs to another pair.
    Foreign,
}

/// Hears the other side's mandate. A newer one is adopted, and closes the gate of whoever it does not name.
pub fn learn(record: &mut Record, told: &Mandate) -> Learned {
    let Some(head) = &record.mandate else {
        adopt(record, told);
        return Learned::Adopted;
    };
    match told.relation(head) {
        Relation::Same | Relation::Older => Learned::Nothing,
        Relation::Foreign => Learned::Foreign,
        Relation::Newer => {
            adopt(record, told);
            Learned::Adopted
        }
        Relation::Fork => {
            let newer_rival = record.rival.as_ref().is_none_or(|rival| told.relation(rival) == Relation::Newer);
            if newer_rival {
                record.rival = Some(told.clone());
            }
            Learned::Fork
        }
    }
}

fn adopt(record: &mut Record, told: &Mandate) {
    let settles = |id: &str| told.ancestors.iter().any(|ancestor| ancestor == id);
    if record.rival.as_ref().is_some_and(|rival| rival.id == told.id || settles(&rival.id)) {
        record.rival = None;
    }
    if record.set_back.as_deref().is_some_and(settles) {
        record.set_back = None;
    }
    if record.cloned.as_deref().is_some_and(settles) {
        record.cloned = None;
    }
    let was_holder = record.is_holder();
    let lacked = awaits_content(record) && record.receiving.is_none();
    record.missing = false;
    record.begin_anew();
    record.mandate = Some(told.clone());
    // No later mandate says that the content is here by now.
    record.stale |= lacked;
    if !(was_holder && record.is_holder()) {
        // Whoever is named anew asks before it starts; whoever is not named stops.
        record.opened = None;
        record.suspended = false;
        record.yielded = false;
    }
}

/// Hears what the other side remembers of this one. Whoever once had what it does not have now was set back.
pub fn recall(record: &mut Record, told: &Standing, generation: Option<u64>) -> bool {
    if record.missing || record.set_back.is_some() {
        return false;
    }
    let lost = told.remembered.as_ref().filter(|id| {
        let known = record.mandate.as_ref().is_some_and(|head| head.id == **id || head.ancestors.contains(id));
        let rival = record.rival.as_ref().is_some_and(|rival| rival.id == **id || rival.ancestors.contains(id));
        !known && !rival
    });
    let head = record.mandate.as_ref().map(|head| head.id.clone());
    // What is remembered of generations belongs to one mandate: a take begins the count anew.
    let same = head.is_some() && head == told.mandate.as_ref().map(|mandate| mandate.id.clone());
    let fewer = same && told.remembered_generation > generation;
    record.set_back = match lost {
        // A record that was lost as a whole is missing, not set back.
        Some(id) if record.mandate.is_some() => Some(id.clone()),
        _ if fewer => head,
        _ => None,
    };
    record.set_back.is_some()
}

/// Remembers the other side: it never remembers less than before.
pub fn remember(record: &mut Record, told: &Standing) {
    if let Some(mandate) = &told.mandate {
        let head = record.mandate.as_ref();
        // What it has is in our own past or present by now; only a later one replaces what is remembered.
        let known = |id: &str| mandate.id == id || mandate.ancestors.iter().any(|ancestor| ancestor == id);
        let later = record.peer.mandate.as_deref().is_none_or(known);
        if later && head.is_some_and(|head| head.relation(mandate) != Relation::Foreign) {
            record.peer.mandate = Some(mandate.id.clone());
        }
    }
    record.peer.generation = record.peer.generation.max(told.generation);
    record.peer.panel = Some(told.panel);
    record.peer.recovering = told.recovering;
}

/// Both serve, each under its own mandate: the larger epoch, then the Client, keeps the service. A node that has not begun
/// never displaces one that serves, and one that has yielded and is only not seen down yet neither: else nobody would be left.
#[must_use]
pub fn gives_way(record: &Record, told: &Standing) -> bool {
    let (Some(ours), Some(theirs)) = (&record.mandate, &told.mandate) else { return false };
    let forked = ours.relation(theirs) == Relation::Fork;
    let rank = |mandate: &Mandate, site: NodeRole| (mandate.epoch, site == NodeRole::Client);
    let other = record.site.other();
    let serves = told.serving && !told.yielded;
    forked && serves && record.opened.is_some() && rank(theirs, other) > rank(ours, record.site)
}

/// What an answer means to the one who asked. `record` has heard the answer already.
#[must_use]
pub fn answer(record: &Record, told: &Standing, ear: &Ear) -> GateAnswer {
    let recognised = told.session.as_ref().is_none_or(|word| session::recognises(word, ear));
    if !record.findings().is_empty() || !told.findings.is_empty() {
        GateAnswer::Finding
    } else if record.mandate.is_some() && !record.is_holder() {
        GateAnswer::Elsewhere
    } else if told.taking || told.mandate.as_ref().map(|m| &m.id) != record.mandate.as_ref().map(|m| &m.id) {
        GateAnswer::Hold
    } else if told.serving {
        GateAnswer::Serving
    } else if !recognised {
        GateAnswer::Hold
    } else {
        GateAnswer::Confirmed
    }
}

/// What an answer of the other member of the same site means. It never opens a gate, because it may know no more than the
/// one who asks; it only speaks against it. That it serves is no obstacle: both may, and the node IP is on one.
#[must_use]
pub fn answer_of_sibling(record: &Record, told: &Standing) -> GateAnswer {
    if !record.findings().is_empty() || !told.findings.is_empty() {
        GateAnswer::Finding
    } else if record.mandate.is_some() && !record.is_holder() {
        GateAnswer::Elsewhere
    } else if told.taking || told.mandate.as_ref().map(|m| &m.id) != record.mandate.as_ref().map(|m| &m.id) {
        GateAnswer::Hold
    } else {
        GateAnswer::Confirmed
    }
}

/// Whether this node is named by a mandate whose content it has not taken in: it serves only with that.
#[must_use]
pub fn awaits_content(record: &Record) -> bool {
    let names = |mandate: &Mandate| mandate.holder == record.site && mandate.base.is_some();
    let head = record.mandate.as_ref().filter(|mandate| mandate.kind == MandateKind::Failback && names(mandate));
    head.is_some_and(|mandate| record.settled.as_ref() != Some(&mandate.id))
}

/// Whether this machine is named, and what it is to serve with is neither here nor on its way to it: of a site of two the
/// other member has it.
#[must_use]
pub fn lacks_content(record: &Record) -> bool {
    record.is_holder() && record.receiving.is_none() && !has_its_content(record)
}

/// Whether the service may begin with what is here: it was not announced otherwise, and a machine that has never had
/// anything waits until it was given something.
fn has_its_content(record: &Record) -> bool {
    !awaits_content(record) && !record.recovering && !record.stale
}

/// Whether the gate may open without an answer.
#[must_use]
pub fn may_open_in_silence(record: &Record) -> bool {
    record.is_holder()
        && has_its_content(record)
        && !record.yielded
        && record.held_by.is_none()
        && record.findings().is_empty()
}

/// Writes a mandate of one's own over everything that is known: what was forked or set back is settled by it.
pub fn raise(record: &mut Record, mandate: Mandate, boot: &str, at: Timestamp) {
    record.rival = None;
    record.set_back = None;
    record.cloned = None;
    record.missing = false;
    record.suspended = false;
    record.yielded = false;
    record.held_by = None;
    record.declared_lost = None;
    record.recovering = false;
    record.stale = false;
    record.begin_anew();
    record.mandate = Some(mandate);
    let holder = record.is_holder();
    record.opened = holder.then(|| Opened { boot: boot.to_owned(), at, how: Opening::Operator });
}

/// Whether an operator's word settles what was found: both hold the same mandate, and the other side is not just taking or
/// giving it. Anything else takes a take.
#[must_use]
pub fn may_settle(record: &Record, told: &Standing) -> bool {
    let head = record.mandate.as_ref().map(|head| &head.id);
    let found = record.findings();
    let graver = [MandateFinding::Fork, MandateFinding::Missing].iter().any(|graver| found.contains(graver));
    head.is_some() && head == told.mandate.as_ref().map(|told| &told.id) && !told.taking && !graver
}

/// Writes a mandate that names the same holder: it is settled what was found, and nobody's gate opens or closes by it.
pub fn settle(record: &mut Record, mandate: Mandate) {
    record.stale |= awaits_content(record) && record.receiving.is_none();
    record.set_back = None;
    record.cloned = None;
    record.begin_anew();
    record.mandate = Some(mandate);
}

/// Stops serving at the other side's request: the gate closes and stays closed until that side says otherwise. Whoever is
/// not named has nothing to stop and says so all the same: somebody waits for it. Whether it was the holder.
pub fn give_up(record: &mut Record) -> bool {
    record.yielded = true;
    record.opened = None;
    record.is_holder()
}

/// Whether the other side has stopped at our request and still says so: what a take stands on, as long as it is said. One
/// that takes the service itself has not: two that yield to each other would both start.
#[must_use]
pub const fn has_stood_down(told: &Standing) -> bool {
    told.yielded && !told.serving && !told.taking && told.manages
}

/// Opens the gate, where the record still allows it.
pub fn open(record: &mut Record, boot: &str, at: Timestamp, how: Opening) -> bool {
    let allowed = match how {
        Opening::Verified => {
            record.is_holder() && has_its_content(record) && record.held_by.is_none() && record.findings().is_empty()
        }
        Opening::Unverified => may_open_in_silence(record),
        Opening::Operator => record.is_holder(),
    };
    if allowed {
        record.opened = Some(Opened { boot: boot.to_owned(), at, how });
        record.yielded = false;
    }
    allowed
}

/// Whether this node has the right to serve in this boot.
#[must_use]
pub fn may_serve(record: &Record, boot: &str) -> bool {
    let opened = record.opened.as_ref().is_some_and(|opened| opened.boot == boot);
    record.is_holder() && record.receiving.is_none() && opened
}

/// Whether this node has the right to serve, with a pair or before there is one.
#[must_use]
pub fn has_right(record: &Record, boot: &str) -> bool {
    let free = record.mandate.is_none() && !record.missing && record.held_by.is_none();
    (free && record.site == NodeRole::Master) || may_serve(record, boot)
}

/// What the services of this machine are to be; `None` while a run starts and stops them itself. No run lets them go on
/// once the right is lost.
#[must_use]
pub fn desired(record: &Record, boot: &str, running: bool) -> Option<Desired> {
    if !has_right(record, boot) {
        Some(Desired::Down)
    } else if running {
        None
    } else {
        Some(if record.suspended { Desired::Down } else { Desired::Up })
    }
}

/// What a node says of itself, as far as the mandate decides. `down` is whether all its services are seen down, `running`
/// whether a run is open.
#[must_use]
pub fn standing(record: &Record, boot: &str, down: bool, running: bool) -> Standing {
    Standing {
        mandate: record.mandate.clone(),
        serving: !down || (has_right(record, boot) && !record.suspended),
        manages: true,
        taking: running,
        sending: None,
        receiving: record.receiving.clone(),
        settled: record.settled.clone(),
        up: false,
        yielded: record.yielded,
        findings: record.findings(),
        remembered: record.peer.mandate.clone(),
        remembered_generation: record.peer.generation,
        generation: None,
        opens_after: None,
        gate_chosen: None,
        panel: 0,
        state: None,
        serves_site: None,
        contents: BTreeMap::new(),
        last_written: BTreeMap::new(),
        session: None,
        recovering: record.recovering,
    }
}

/// Whether the gate must ask before this machine may serve.
#[must_use]
pub fn must_ask(record: &Record, boot: &str) -> bool {
    record.missing || (record.is_holder() && !may_serve(record, boot))
}

/// What changed by hearing a standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Of the mandate.
    pub learned: Learned,
    /// What spoke against this node's knowledge before, and what does now.
    pub findings: (Vec<MandateFinding>, Vec<MandateFinding>),
    /// It served and stops: the other side keeps the service.
    pub gave_way: bool,
    /// Its gate, opened in silence, has been confirmed.
    pub confirmed: bool,
    /// It has learnt that it was declared lost.
    pub declared_lost: bool,
}

/// Hears the one-time secret of the other side: what is found by it is written down with the mandate it was found under.
pub fn hear_session(record: &mut Record, told: &Standing, ear: &Ear) {
    let head = record.mandate.as_ref().map(|head| head.id.clone());
    let same = head.is_some() && head == told.mandate.as_ref().map(|mandate| mandate.id.clone());
    let Some(word) = told.session.as_ref().filter(|_| same && record.findings().is_empty()) else { return };
    match session::hear(&mut record.session, word, &told.findings, ear) {
        Some(MandateFinding::Cloned) => record.cloned = head,
        Some(_) => record.set_back = head,
        None => {}
    }
}

/// Hears the other side once: everything that follows from it. `generation` is the highest one that this node has given.
pub fn hear(record: &mut Record, told: &Standing, generation: Option<u64>, ear: &Ear) -> Heard {
    hear_as(record, told, generation, ear, false)
}

/// Hears the other member of the same site once. It takes nobody's service away, and confirms nobody's gate: that is the
/// other side's.
pub fn hear_sibling(record: &mut Record, told: &Standing, generation: Option<u64>, ear: &Ear) -> Heard {
    hear_as(record, told, generation, ear, true)
}

fn hear_as(record: &mut Record, told: &Standing, generation: Option<u64>, ear: &Ear, sibling: bool) -> Heard {
    let before = record.findings();
    if record.mandate.is_none() && !record.missing {
        // It belongs to no pair any more: a word that was on its way means nothing.
        return Heard {
            learned: Learned::Nothing,
            findings: (before.clone(), before),
            gave_way: false,
            confirmed: false,
            declared_lost: false,
        };
    }
    recall(record, told, generation);
    let learned = told.mandate.as_ref().map_or(Learned::Nothing, |mandate| learn(record, mandate));
    let declared_lost = told.mandate.as_ref().is_some_and(|mandate| loss::hear(record, mandate, loss::serves(told)));
    remember(record, told);
    hear_session(record, told, ear);
    let gave_way = !sibling && gives_way(record, told);
    if gave_way {
        record.opened = None;
    }
    let mut confirmed = false;
    if let Some(opened) = record.opened.clone()
        && opened.how == Opening::Unverified
        && !sibling
        && answer(record, told, ear) == GateAnswer::Confirmed
    {
        record.opened = Some(Opened { how: Opening::Verified, ..opened });
        confirmed = true;
    }
    Heard { learned, findings: (before, record.findings()), gave_way, confirmed, declared_lost }
}
