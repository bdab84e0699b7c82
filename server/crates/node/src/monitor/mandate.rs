//! What the monitor sees of the mandate: who serves without redundancy, who is kept down, who does not agree.

use std::collections::BTreeMap;

use contract::alarm::AlarmKind;
use contract::mandate::MandateFinding;
use contract::{Denied, Lang, NodeRole, Text};

use super::conditions::Seen;
use crate::alarms::Cause;
use crate::mandate::file::{Opening, Seat};
use crate::mandate::rules::{self, Standing};
use crate::node::Node;

impl Node {
    pub(super) async fn look_at_mandate(&self, seen: &mut BTreeMap<Cause, Seen>) -> Result<(), Denied> {
        let (record, boot) = (self.book.record(), self.book.boot());
        // Whoever is left alone by a loss serves without redundancy as before.
        let lost = record.mandate.as_ref().and_then(|head| head.retired.last()).map(|lost| lost.name.clone());
        let Some(theirs) = self.site_name().await?.or(lost) else { return Ok(()) };
        let machines = self.machines_across().await?;
        let heard: Vec<_> = machines.iter().filter_map(|one| Some((one.name(), self.standing_of(one.seat)?))).collect();
        let (serves, sibling) = (rules::may_serve(&record, &boot), self.has_sibling().await?);
        let holder = record.mandate.as_ref().map(|mandate| mandate.holder);
        let ours = self.info.name.clone();
        let master = if self.info.role == NodeRole::Master { ours.clone() } else { theirs.clone() };
        let mut see = |kind, subject: &str, bad: bool, detail: Text| {
            let now = if bad { Seen::Bad(detail) } else { Seen::Good };
            seen.insert((kind, subject.to_owned()), now);
        };
        let nothing = || Text::new("", "");
        let buried = record.mandate.iter().flat_map(|head| &head.retired);
        for lost in buried.filter(|lost| lost.fingerprint != self.identity.fingerprint()) {
            let back = self.link.returned.serves(&lost.fingerprint);
            see(AlarmKind::LostReturned, &lost.name, back.is_some(), told_back(&lost.address, back));
        }
        // The Master is known to stay down only where it says so itself.
        let fenced = holder == Some(NodeRole::Client)
            && (self.info.role == NodeRole::Master || heard.iter().any(|(_, told)| told.mandate == record.mandate));
        see(AlarmKind::MasterFenced, &master, fenced, nothing());
        if self.info.role == NodeRole::Client {
            see(AlarmKind::Active, &ours, holder == Some(NodeRole::Client), nothing());
        }
        let findings = record.findings();
        let others: Vec<_> = heard.iter().flat_map(|(_, told)| told.findings.clone()).collect();
        let forked = findings.contains(&MandateFinding::Fork) || others.contains(&MandateFinding::Fork);
        let both = serves && heard.iter().any(|(_, told)| told.serving);
        let detail = if forked {
            Text::new(MandateFinding::Fork.sentence(Lang::It), MandateFinding::Fork.sentence(Lang::En))
        } else {
            Text::new("entrambe servono", "both serve")
        };
        see(AlarmKind::SplitBrain, &master, forked || both, detail);
        see(AlarmKind::SetBack, &ours, findings.contains(&MandateFinding::SetBack), nothing());
        for machine in &machines {
            let told = heard.iter().find(|(name, _)| *name == machine.name());
            let set_back = told.is_some_and(|(_, told)| told.findings.contains(&MandateFinding::SetBack));
            see(AlarmKind::SetBack, &machine.name(), set_back, nothing());
        }
        // Which of the two sides it is can be told only by looking: the alarm is about the pair.
        let cloned = findings.iter().chain(&others).any(|finding| *finding == MandateFinding::Cloned);
        see(AlarmKind::Cloned, &master, cloned, nothing());
        if sibling {
            see(AlarmKind::MemberStale, &ours, rules::lacks_content(&record), nothing());
        }
        // A member may be in reserve while the other one serves.
        let beside = self.standing_of(Seat::Second).filter(|_| sibling);
        let beside = beside.is_some_and(|told| told.serving && told.serves_site == Some(true));
        // Of the other side only what it says itself: its silence has an alarm of its own.
        let unserved = match holder {
            Some(site) if site == self.info.role => !serves && !beside,
            Some(_) => {
                // Of two members the silent one may serve.
                let idle = |told: &Standing| told.mandate == record.mandate && !told.serving && !told.taking;
                !heard.is_empty() && heard.len() == machines.len() && heard.iter().all(|(_, told)| idle(told))
            }
            None => false,
        };
        let unserved = unserved && record.receiving.is_none() && self.runs.in_earnest().is_none();
        let idle = if holder == Some(self.info.role) { &ours } else { &theirs };
        see(AlarmKind::NobodyServes, idle, self.gate.is_long_unserved(unserved), nothing());
        let unverified = record.opened.as_ref().is_some_and(|opened| opened.how == Opening::Unverified);
        see(AlarmKind::GateUnverified, &ours, serves && unverified, nothing());
        Ok(())
    }
}

/// Where a machine that was declared lost answers, and whether it serves.
fn told_back(address: &str, serves: Option<bool>) -> Text {
    match serves {
        Some(true) => Text::new(
            format!("risponde a {address} e serve ancora"),
            format!("it answers at {address} and still serves"),
        ),
        _ => Text::new(format!("risponde a {address}"), format!("it answers at {address}")),
    }
}
