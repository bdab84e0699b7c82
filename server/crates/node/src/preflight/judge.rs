//! The judgement: what is known, and what an operator would bring, go in; the report comes out. No disk, no network, no
//! clock. Every guard that fails is told at once.

use std::net::IpAddr;

use contract::isolation::MachineIsolation;
use contract::mandate::MandateFinding;
use contract::own_step::{OwnStep, Place};
use contract::preflight::{Loss, Override, PlannedStep, PreflightReport, Take, Verdict};
use contract::run::RunBrief;
use contract::state::NodeState;
use contract::sync::RestorePoint;
use contract::{Denied, NodeRole, Problem, Refused, Rule, SCHEMA, Timestamp};

use super::point::{self, Choice};
use crate::isolation;
use crate::mandate::homecoming::InTheWay;

/// Everything the judgement stands on.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// By this machine's clock.
    pub(crate) at: Timestamp,
    pub(crate) side: NodeRole,
    /// This machine's name.
    pub(crate) name: String,
    /// The other machine's name; `None` before there is a pair.
    pub(crate) peer: Option<String>,
    pub(crate) state: NodeState,
    /// Whether any mandate is known.
    pub(crate) mandate: bool,
    /// It names this site, and an operator has stopped the services.
    pub(crate) suspended: bool,
    pub(crate) findings: Vec<MandateFinding>,
    /// This machine was declared lost.
    pub(crate) declared_lost: bool,
    /// Content comes home to this machine; and why a take must wait for that.
    pub(crate) receiving: bool,
    pub(crate) coming: Option<InTheWay>,
    /// The run that is not over.
    pub(crate) run: Option<RunBrief>,
    /// Where the house wants a second person: how many users of the panel may be the one or the other.
    pub(crate) approvers: Option<u32>,
    pub(crate) isolation: Vec<MachineIsolation>,
    pub(crate) losses: Vec<Loss>,
    /// The declared services, in starting order.
    pub(crate) services: Vec<String>,
    /// Those that cannot be handled on this machine.
    pub(crate) services_preview: Vec<Refused>,
    /// Machines of which nobody has chosen what they do in silence.
    pub(crate) gate_unchosen: Vec<String>,
    /// The customer's own steps, in the order in which they are done, those that are switched off among them.
    pub(crate) own: Vec<OwnStep>,
    /// What is worth knowing about them.
    pub(crate) own_preview: Vec<Refused>,
    /// Whether anything is set that proves the telephony.
    pub(crate) telephony: bool,
    /// What is worth knowing about it.
    pub(crate) telephony_preview: Vec<Refused>,
    /// Where the writable copy is to lie.
    pub(crate) disk: String,
    /// Bytes free there; `None` when that cannot be found out.
    pub(crate) free: Option<u64>,
    /// Bytes of the writable copy.
    pub(crate) need: u64,
    /// The restore points of the Master's data, newest first.
    pub(crate) points: Vec<RestorePoint>,
    /// The service would go on from a copy that served before.
    pub(crate) serves_from: bool,
    /// By the other site's clock, as far as that is known.
    pub(crate) masters_now: Timestamp,
    /// After how many seconds of silence the other machine would resume by itself; `None` when never.
    pub(crate) opens_after: Option<u32>,
}

impl Facts {
    /// A suspended Client only starts its services again: mandate and data are here already.
    pub(super) const fn resumes(&self) -> bool {
        self.suspended && matches!(self.side, NodeRole::Client) && matches!(self.state, NodeState::Active)
    }
}

/// Judges.
///
/// # Errors
/// [`Denied::Invalid`]: something that the operator brings cannot be taken at its word (`attest`, `override`).
pub(crate) fn judge(facts: &Facts, take: &Take) -> Result<PreflightReport, Denied> {
    let mut machines = facts.isolation.clone();
    isolation::attest(&mut machines, &take.attest)?;
    let passes = passes(&take.overrides)?;
    let off: Vec<IpAddr> = take.power_off.iter().filter_map(|typed| typed.trim().parse().ok()).collect();
    let mut found = standing(facts);
    let choice = point::choose(facts, take);
    if !facts.resumes() {
        found.extend(isolation::findings(&machines, &off));
        found.extend(data(facts, take, &choice));
    }
    found.extend(choice.refused.iter().cloned());
    let passed = |refused: &Refused| passes.iter().any(|pass| pass.covers(refused));
    let (mut warnings, blocked): (Vec<Refused>, Vec<Refused>) = found.into_iter().partition(passed);
    warnings.extend(worth_knowing(facts));
    let only = |rules: &[Rule]| blocked.iter().all(|refused| rules.contains(&refused.rule));
    let words = [Rule::IsolationUnattested, Rule::DataLossConsent];
    let verdict = Verdict {
        // A service that could not be started stands in nobody's way on the worst day: the others can.
        ready: only(&[Rule::IsolationAlive, words[0], words[1]]) && facts.services_preview.is_empty(),
        now: only(&words),
        checked_at: facts.at,
        stale: false,
    };
    Ok(PreflightReport {
        schema: SCHEMA,
        allowed: blocked.is_empty(),
        blocked,
        warnings,
        verdict,
        isolation: machines,
        point: choice.point.map(|point| point.id.clone()),
        loss: if facts.resumes() { Vec::new() } else { choice.losses.clone() },
        steps: steps(facts, &off, choice.point.is_some()),
        left_out: own(facts).filter(|step| step.off).map(planned).collect(),
    })
}

/// What the machine itself says against it.
fn standing(facts: &Facts) -> Vec<Refused> {
    let mut found = Vec::new();
    let mut keep = |rule: Rule, detail: &str| {
        let sender = facts.peer.as_ref().filter(|_| rule == Rule::FailbackSends);
        found.push(Refused::new(rule, sender.unwrap_or(&facts.name), detail));
    };
    if facts.declared_lost {
        keep(Rule::PairRetired, "");
    }
    // Whose other machine was declared lost is associated with nobody, and knows all the same who may serve.
    if facts.peer.is_none() && !facts.mandate {
        keep(Rule::PairNotAssociated, "");
    }
    let lost = facts.findings.contains(&MandateFinding::Missing);
    // Whoever takes the service without knowing what there was before makes a fork.
    if lost || (facts.peer.is_some() && !facts.mandate) {
        keep(Rule::MandateMissing, "");
    }
    if let Some(run) = &facts.run {
        keep(Rule::RunInProgress, run.kind.as_str());
    }
    match facts.coming {
        Some(InTheWay::Sends) => keep(Rule::FailbackSends, ""),
        Some(InTheWay::Settles) => keep(Rule::FailbackSettles, ""),
        None => {}
    }
    if !may_begin(facts) {
        keep(Rule::StateIllegal, facts.state.as_str());
    }
    if facts.services.is_empty() {
        keep(Rule::ServiceNone, "");
    }
    found
}

/// Whether the state is one from which the service is taken. One that a run has brought about is told as that run.
fn may_begin(facts: &Facts) -> bool {
    match (facts.side, facts.state) {
        (side, state) if state.may_be_taken_from(side) => true,
        (NodeRole::Client, NodeState::Active) => facts.suspended,
        (NodeRole::Client, NodeState::Activating | NodeState::HandingBack) => facts.run.is_some(),
        _ => false,
    }
}

/// What the data says against it.
fn data(facts: &Facts, take: &Take, choice: &Choice<'_>) -> Vec<Refused> {
    let mut found = Vec::new();
    if facts.side == NodeRole::Client {
        let empty = facts.losses.iter().filter(|loss| loss.generation.is_none());
        found.extend(empty.map(|loss| Refused::new(Rule::DataNone, &loss.dataset, "")));
        if facts.losses.is_empty() {
            found.push(Refused::new(Rule::DataNone, &facts.name, ""));
        }
        let need = choice.point.map_or(facts.need, |point| point.bytes);
        if facts.free.is_some_and(|free| free < need) {
            let told = format!("{} MB < {} MB", facts.free.unwrap_or(0) / 1_000_000, need.div_ceil(1_000_000));
            found.push(Refused::new(Rule::DiskFull, &facts.disk, told));
        }
    }
    if !take.accept_data_loss {
        found.extend(consent(facts, &choice.losses));
    }
    found
}

/// Loss is assumed unless the other side itself has said that nothing is newer. What a DR has made while it served is
/// never on its Master.
fn consent(facts: &Facts, losses: &[Loss]) -> Option<Refused> {
    let names = |losses: &mut dyn Iterator<Item = &Loss>| {
        losses.map(|loss| loss.dataset.as_str()).collect::<Vec<_>>().join(", ")
    };
    match facts.side {
        NodeRole::Client => {
            let lost = names(&mut losses.iter().filter(|loss| !loss.none_confirmed));
            (!lost.is_empty()).then(|| Refused::new(Rule::DataLossConsent, &facts.name, lost))
        }
        NodeRole::Master => {
            let peer = facts.peer.clone()?;
            let lost = names(&mut losses.iter());
            let lost = if lost.is_empty() { peer.clone() } else { lost };
            Some(Refused::new(Rule::DataLossConsent, peer, lost))
        }
    }
}

/// What does not stand in the way: a take settles a fork and a set-back.
fn worth_knowing(facts: &Facts) -> Vec<Refused> {
    let settled = facts.findings.iter().filter(|finding| **finding != MandateFinding::Missing);
    let mut known: Vec<Refused> =
        settled.map(|finding| Refused::new(Rule::MandateFinding, &facts.name, finding.as_str())).collect();
    if let (Some(seconds), Some(peer), false) = (facts.opens_after, &facts.peer, facts.resumes()) {
        known.push(Refused::new(Rule::GateUnverified, peer, seconds.to_string()));
    }
    let unchosen = facts.gate_unchosen.iter();
    known.extend(unchosen.map(|machine| Refused::new(Rule::GateChosen, machine, "")));
    known.extend(facts.services_preview.iter().cloned());
    if let Some(few) = facts.approvers.filter(|number| *number < 2) {
        known.push(Refused::new(Rule::ApprovalAlone, &facts.name, few.to_string()));
    }
    if !facts.resumes() {
        known.extend(facts.own_preview.iter().chain(&facts.telephony_preview).cloned());
    }
    known
}

/// A guard that is passed.
#[derive(Debug)]
struct Pass<'a> {
    rule: Rule,
    subject: Option<&'a str>,
}

impl Pass<'_> {
    fn covers(&self, refused: &Refused) -> bool {
        self.rule == refused.rule && self.subject.is_none_or(|subject| subject == refused.subject)
    }
}

/// What of this no override passes.
///
/// # Errors
/// [`Denied::Invalid`] on the field `override`.
pub(crate) fn remaining(found: Vec<Refused>, overrides: &[Override]) -> Result<Vec<Refused>, Denied> {
    let passes = passes(overrides)?;
    Ok(found.into_iter().filter(|refused| !passes.iter().any(|pass| pass.covers(refused))).collect())
}

/// Overrides name a rule that may be overridden, and say why.
fn passes(overrides: &[Override]) -> Result<Vec<Pass<'_>>, Denied> {
    overrides.iter().map(pass).collect()
}

fn pass(typed: &Override) -> Result<Pass<'_>, Denied> {
    let bad =
        |problem| Denied::field("override", Problem::Value { value: typed.rule.clone(), problem: Box::new(problem) });
    let rule = Rule::ALL.iter().find(|rule| rule.overridable() && rule.as_str() == typed.rule.trim());
    let rule = *rule.ok_or_else(|| bad(Problem::NotOneOf(overridable().into())))?;
    if typed.reason.trim().is_empty() {
        return Err(bad(Problem::Required));
    }
    Ok(Pass { rule, subject: typed.subject.as_deref().map(str::trim) })
}

fn overridable() -> String {
    let names = Rule::ALL.iter().filter(|rule| rule.overridable()).map(|rule| rule.as_str());
    names.collect::<Vec<_>>().join(", ")
}

/// Every step to come.
fn steps(facts: &Facts, off: &[IpAddr], goes_back: bool) -> Vec<PlannedStep> {
    let before: &[&str] = match facts.side {
        NodeRole::Client if facts.resumes() => &[],
        NodeRole::Client => &["close_inbound", "evidence", "mandate", "freeze"],
        NodeRole::Master if facts.receiving => &["close_inbound", "evidence", "mandate", "put_back"],
        NodeRole::Master => &["close_inbound", "evidence", "mandate"],
    };
    let starts = facts.services.iter().map(|name| format!("start:{name}"));
    let there = |place| own(facts).filter(move |step| step.place == place && !step.off).map(planned);
    let mut steps: Vec<PlannedStep> = before
        .iter()
        .map(|id| PlannedStep::of_every_site(*id))
        .chain(there(Place::BeforeServices))
        .chain(starts.map(PlannedStep::of_every_site))
        .chain([PlannedStep::of_every_site("verify")])
        .chain(facts.telephony.then(|| PlannedStep::of_every_site("telephony")))
        .chain(there(Place::AfterServices))
        .collect();
    // What takes long comes before what perishes; what switches a machine off is part of the evidence.
    if let Some(at) = steps.iter().position(|step| step.id == "evidence") {
        let point = goes_back.then(|| "point".to_owned());
        let more = point.into_iter().chain(off.iter().map(|ip| format!("power_off:{ip}")));
        steps.splice(at..at, more.map(PlannedStep::of_every_site));
    }
    if facts.approvers.is_some() && !facts.resumes() {
        steps.insert(0, PlannedStep::of_every_site("approval"));
    }
    steps
}

/// The customer's own steps; whoever only starts its services again takes none.
fn own(facts: &Facts) -> impl Iterator<Item = &OwnStep> {
    facts.own.iter().filter(|_| !facts.resumes())
}

fn planned(step: &OwnStep) -> PlannedStep {
    PlannedStep { id: format!("own:{}", step.name), group: step.group.clone() }
}
