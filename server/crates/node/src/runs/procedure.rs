//! The procedures: which steps each kind of run takes, in which order.
//!
//! ```text
//! activation    close_inbound → point → power_off:… → evidence → mandate → freeze → own:… → start:… → verify →
//!               telephony → own:…
//! takeover      close_inbound → power_off:… → evidence → mandate → put_back → own:… → start:… → verify → telephony →
//!               own:…
//! deactivation  stop:… → revert:… → ledger → mandate → preserve → revert:…
//! suspension    suspend → stop:…
//! resumption    resume → start:… → verify → telephony
//! failback      receive → bring → stop:… → revert:… → ledger → last_delta → compare → mandate → home → served →
//!               preserve → revert:… → stable
//! retirement    power_off:… → evidence → mandate
//! drill         drill_copy → drill_clear → drill_ready
//! ```
//!
//! A restore point that was chosen is read again first: that may take long, and evidence perishes.
//! What a failback had replaced is put back only after the mandate: until then the DR may be back, and goes on sending.
//! Where the house wants two persons, whatever writes a mandate begins with `approval`.
//!
//! The customer's own steps of each place are undone in reverse order. Those before the services are what these stand on
//! (an address, a mount): they must not be held by two, and are undone when the services are down, before the mandate. Those
//! after them lead callers here (DNS, the carrier): they are undone when the service is the Master's (at a failback: when it
//! is seen to serve), so that nobody is led to a machine that does not.
//!
//! Up to the mandate every step can be undone; after it only another mandate changes anything. That is why the data of the
//! DR is put aside *after* the mandate that gives the service back: until then the services may have to start on it again.

mod id;

use std::net::IpAddr;
use std::time::Duration;

use contract::own_step::{OwnStep, Place, Work};
use contract::power::SOFT_MAX;
use contract::run::RunKind;
use contract::service::Service;
use contract::telephony::TELEPHONY_LIMIT_RANGE;
use serde::{Deserialize, Serialize};

use super::log::{Asked, Plan};
use crate::own_steps::Declared;

/// One step. In tables and JSON it is its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) enum Step {
    /// Another person's.
    Approval,
    CloseInbound,
    Point,
    /// A machine of the other site.
    PowerOff(String),
    Evidence,
    Mandate,
    /// Content was coming home when the service was taken: what it replaced.
    PutBack,
    Freeze,
    Suspend,
    Resume,
    Start(String),
    Stop(String),
    Verify,
    Telephony,
    Ledger,
    Preserve,
    Receive,
    Bring,
    LastDelta,
    Compare,
    Home,
    /// The Master is seen to serve.
    Served,
    Stable,
    /// The data is copied as an activation would, where nobody sees it.
    DrillCopy,
    DrillClear,
    DrillReady,
    /// One of the customer's own, done.
    Own(String),
    /// The same, undone.
    Revert(String),
}

/// The steps of a run with these services and these steps of the customer's own, both given in the order of an activation.
/// The telephony is proved where anything is set to prove it by.
pub(crate) fn steps(kind: RunKind, services: &[Service], own: &[Declared], telephony: bool) -> Vec<Step> {
    let at = |place| own.iter().map(|declared| &declared.step).filter(move |step| step.place == place);
    let there = |place| at(place).map(|step| Step::Own(step.name.clone()));
    let back = |place| at(place).rev().filter(|step| step.work.has_undo()).map(|step| Step::Revert(step.name.clone()));
    let (before, after) = (Place::BeforeServices, Place::AfterServices);
    let start = || services.iter().map(|service| Step::Start(service.name.clone()));
    let stop = || services.iter().rev().map(|service| Step::Stop(service.name.clone()));
    let verified = || [Step::Verify].into_iter().chain(telephony.then_some(Step::Telephony));
    let taking = [Step::CloseInbound, Step::Evidence, Step::Mandate];
    match kind {
        RunKind::Activation | RunKind::Takeover => taking
            .into_iter()
            .chain((kind == RunKind::Activation).then_some(Step::Freeze))
            .chain(there(before))
            .chain(start())
            .chain(verified())
            .chain(there(after))
            .collect(),
        RunKind::Deactivation => {
            stop().chain(back(before)).chain([Step::Ledger, Step::Mandate, Step::Preserve]).chain(back(after)).collect()
        }
        RunKind::Failback => [Step::Receive, Step::Bring]
            .into_iter()
            .chain(stop())
            .chain(back(before))
            .chain([Step::Ledger, Step::LastDelta, Step::Compare, Step::Mandate])
            .chain([Step::Home, Step::Served, Step::Preserve])
            .chain(back(after))
            .chain([Step::Stable])
            .collect(),
        RunKind::Undo => back(after).chain(back(before)).collect(),
        RunKind::Suspension => [Step::Suspend].into_iter().chain(stop()).collect(),
        RunKind::Resumption => [Step::Resume].into_iter().chain(start()).chain(verified()).collect(),
        RunKind::Retirement => vec![Step::Evidence, Step::Mandate],
        RunKind::Drill => vec![Step::DrillCopy, Step::DrillClear, Step::DrillReady],
    }
}

/// Reads the chosen restore point again before anything that cannot be undone, and before the evidence, which perishes.
pub(crate) fn with_point(mut steps: Vec<Step>) -> Vec<Step> {
    if let Some(at) = steps.iter().position(|step| *step == Step::Evidence) {
        steps.insert(at, Step::Point);
    }
    steps
}

/// Awaits that everything is as it was before content began to come home, once the mandate says that it comes no more.
pub(crate) fn with_put_back(mut steps: Vec<Step>) -> Vec<Step> {
    if let Some(at) = steps.iter().position(|step| *step == Step::Mandate) {
        steps.insert(at + 1, Step::PutBack);
    }
    steps
}

/// Puts the machines that are to be switched off before the evidence, of which that is part.
pub(crate) fn with_power_off(mut steps: Vec<Step>, off: &[String]) -> Vec<Step> {
    if let Some(at) = steps.iter().position(|step| *step == Step::Evidence) {
        // As the machines are called elsewhere, however it was typed.
        let named = |typed: &String| typed.trim().parse::<IpAddr>().map_or_else(|_| typed.clone(), |ip| ip.to_string());
        steps.splice(at..at, off.iter().map(|typed| Step::PowerOff(named(typed))));
    }
    steps
}

impl Step {
    /// How long one attempt may take, to do it and to see that it is done.
    pub(crate) fn limit(&self, plan: &Plan) -> Duration {
        match self {
            Self::Start(name) | Self::Stop(name) => patience(plan, Some(name)),
            Self::Verify => patience(plan, None),
            // It gives up by itself, and says why.
            Self::Telephony => Duration::from_secs(10 + u64::from(TELEPHONY_LIMIT_RANGE.1)),
            // They read or write whole datasets.
            Self::Point | Self::PutBack | Self::Freeze | Self::Ledger | Self::DrillCopy => {
                Duration::from_secs(6 * 3600)
            }
            Self::Preserve | Self::DrillClear => Duration::from_secs(3600),
            // What was made meanwhile is listed once more before it is given back.
            Self::Mandate if matches!(plan.kind, RunKind::Deactivation | RunKind::Failback) => {
                Duration::from_secs(6 * 3600)
            }
            // A whole dataset over a thin line, while the DR serves.
            Self::Bring => Duration::from_secs(7 * 86_400),
            // Nobody serves while these go on: an operator is to look soon.
            Self::LastDelta | Self::Compare => Duration::from_secs(1800),
            Self::Home => Duration::from_secs(6 * 3600),
            // The Master may have to read what it has first.
            Self::Receive => Duration::from_secs(6 * 3600),
            // It gives up by itself, and says what is known.
            Self::Served => Duration::from_secs(10) + patience_for_master(plan),
            Self::Stable => Duration::from_secs(3600) + plan.stable(),
            // The other side may have to stop its services first.
            Self::Evidence | Self::Mandate | Self::DrillReady => Duration::from_secs(180),
            // It ends by itself when that time is over.
            Self::Approval => Duration::from_secs(60) + plan.approval.as_ref().map(Asked::wait).unwrap_or_default(),
            Self::CloseInbound => Duration::from_secs(60),
            // Each wait of it has a limit of its own.
            Self::PowerOff(_) => Duration::from_secs(u64::from(SOFT_MAX) + 300),
            Self::Suspend | Self::Resume => Duration::from_secs(20),
            Self::Own(_) | Self::Revert(_) => plan.own_step(self).map_or(Duration::ZERO, limit_of),
        }
    }

    /// Whether it is taken by the right to serve: without that right it waits for the gate.
    pub(crate) const fn serves(&self) -> bool {
        matches!(self, Self::Freeze | Self::Start(_) | Self::Verify | Self::Telephony | Self::Own(_))
    }

    /// Whether nothing can be seen of it but that it was done.
    pub(crate) fn is_its_own_proof(&self, plan: &Plan) -> bool {
        // To do it is to look, or leaves nothing to be seen.
        matches!(self, Self::Telephony | Self::DrillCopy | Self::DrillClear | Self::DrillReady)
            || plan.own_step(self).is_some_and(|own| match &own.work {
                Work::Command(work) => work.check.is_none(),
                Work::Http(work) => work.check.is_none(),
                Work::Manual(_) | Work::Dns(_) | Work::Wait(_) => false,
            })
    }

    /// Whether an operator who has seen to it may pass it where it is stuck.
    pub(crate) const fn can_be_passed(&self) -> bool {
        matches!(self, Self::Start(_) | Self::Verify) || self.wants_a_note()
    }

    /// Whether whoever passes it must say why.
    pub(crate) const fn wants_a_note(&self) -> bool {
        matches!(self, Self::Telephony) || self.is_own()
    }

    /// What it was declared as, where it is one of these.
    pub(crate) fn declared_in<'a>(&self, own: &'a [Declared]) -> Option<&'a Declared> {
        let (Self::Own(name) | Self::Revert(name)) = self else { return None };
        own.iter().find(|declared| declared.step.name == *name)
    }

    /// Whether it is one of the customer's own.
    pub(crate) const fn is_own(&self) -> bool {
        matches!(self, Self::Own(_) | Self::Revert(_))
    }
}

/// How long a service may take, or the slowest of all: its command and its check each have the declared limit.
fn patience(plan: &Plan, name: Option<&str>) -> Duration {
    let asked = plan.services.iter().filter(|service| name.is_none_or(|name| service.name == name));
    let longest = asked.map(|service| service.timeout_seconds).max().unwrap_or_default();
    Duration::from_secs(10 + 3 * u64::from(longest))
}

/// How long the Master may not be seen to serve before an operator is to know: nobody serves then. The same services start
/// there as here.
pub(super) fn patience_for_master(plan: &Plan) -> Duration {
    patience(plan, None).max(Duration::from_secs(120))
}

/// What does something and what looks whether it is done each have the declared limit; a person has exactly that.
fn limit_of(own: &OwnStep) -> Duration {
    let seconds = u64::from(own.limit_seconds);
    match own.work {
        Work::Command(_) | Work::Http(_) => Duration::from_secs(10 + 3 * seconds),
        // It gives up by itself, and says why.
        Work::Wait(_) | Work::Dns(_) => Duration::from_secs(10 + seconds),
        Work::Manual(_) => Duration::from_secs(seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::own_step::CommandWork;
    use contract::service::Handling;

    fn service(name: &str) -> Service {
        Service { name: name.into(), handling: Handling::Unit("x".into()), timeout_seconds: 5, order: 0 }
    }

    fn own(name: &str, place: Place, undo: bool) -> Declared {
        let work = CommandWork { run: "true".into(), undo: undo.then(|| "true".into()), check: None };
        let (work, name) = (Work::Command(work), name.to_owned());
        let step =
            OwnStep { name, place, group: None, off: false, order: 0, limit_seconds: 5, has_secret: false, work };
        Declared::new(step, None)
    }

    fn ids(kind: RunKind) -> String {
        let own = [
            own("mount", Place::BeforeServices, true),
            own("carrier", Place::AfterServices, true),
            own("fax", Place::AfterServices, false),
        ];
        let steps = steps(kind, &[service("db"), service("pbx")], &own, true);
        steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn nothing_starts_before_the_mandate_and_nothing_is_given_back_before_everything_stopped() {
        assert_eq!(
            ids(RunKind::Activation),
            "close_inbound evidence mandate freeze own:mount start:db start:pbx verify telephony own:carrier own:fax"
        );
        assert_eq!(
            ids(RunKind::Takeover),
            "close_inbound evidence mandate own:mount start:db start:pbx verify telephony own:carrier own:fax"
        );
        assert_eq!(ids(RunKind::Deactivation), "stop:pbx stop:db revert:mount ledger mandate preserve revert:carrier");
        assert_eq!(ids(RunKind::Undo), "revert:carrier revert:mount");
        assert_eq!(ids(RunKind::Suspension), "suspend stop:pbx stop:db");
        assert_eq!(ids(RunKind::Resumption), "resume start:db start:pbx verify telephony");
        assert_eq!(ids(RunKind::Retirement), "evidence mandate");
        assert_eq!(ids(RunKind::Drill), "drill_copy drill_clear drill_ready");
        assert_eq!(
            ids(RunKind::Failback),
            "receive bring stop:pbx stop:db revert:mount ledger last_delta compare mandate home served preserve \
             revert:carrier stable"
        );
    }

    #[test]
    fn a_step_is_read_back_from_its_id_and_has_a_label_in_both_languages() {
        use contract::Lang;
        for kind in RunKind::ALL {
            for step in steps(kind, &[service("pbx")], &[own("carrier", Place::AfterServices, true)], true) {
                let id = step.to_string();
                assert_eq!(id.parse(), Ok(step));
                let (it, en) = (contract::run::step_label(&id, Lang::It), contract::run::step_label(&id, Lang::En));
                assert!(it != en && it != id && en != id, "{id}");
            }
        }
        let back: Vec<String> =
            with_power_off(with_point(steps(RunKind::Activation, &[], &[], false)), &["192.0.2.1".into()])
                .iter()
                .map(ToString::to_string)
                .collect();
        assert_eq!(back[..4], ["close_inbound", "point", "power_off:192.0.2.1", "evidence"]);
        assert_eq!("point".parse(), Ok(Step::Point));
        let put_back = with_put_back(steps(RunKind::Takeover, &[], &[], false));
        assert_eq!(put_back[2..4], [Step::Mandate, Step::PutBack]);
        assert_eq!("put_back".parse(), Ok(Step::PutBack));
        let off = with_power_off(steps(RunKind::Takeover, &[], &[], false), &[" 2001:DB8::1".into()]);
        assert_eq!(off[1].to_string(), "power_off:2001:db8::1");
        assert_eq!(off[1].to_string().parse(), Ok(off[1].clone()));
        assert!("dance".parse::<Step>().is_err());
    }
}
