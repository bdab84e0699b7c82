//! What the monitor sees of the mandate: who serves without redundancy, who is kept down, who does not agree.

use std::collections::BTreeMap;

use contract::alarm::AlarmKind;
use contract::mandate::MandateFinding;
use contract::{Denied, Lang, NodeRole, Text};

use super::conditions::Seen;
use crate::alarms::Cause;
use crate::mandate::file::Opening;
use crate::mandate::rules;
use crate::node::Node;

impl Node {
    pub(super) async fn look_at_mandate(&self, seen: &mut BTreeMap<Cause, Seen>) -> Result<(), Denied> {
        let Some(pair) = self.peer().await?.pair else { return Ok(()) };
        let (record, boot, told) = (self.book.record(), self.book.boot(), self.peer_standing());
        let serves = rules::may_serve(&record, &boot);
        let holder = record.mandate.as_ref().map(|mandate| mandate.holder);
        let (ours, theirs) = (self.info.name.clone(), pair.name);
        let master = if self.info.role == NodeRole::Master { ours.clone() } else { theirs.clone() };
        let mut see = |kind, subject: &str, bad: bool, detail: Text| {
            let now = if bad { Seen::Bad(detail) } else { Seen::Good };
            seen.insert((kind, subject.to_owned()), now);
        };
        let nothing = || Text::new("", "");
        // The Master is known to stay down only where it says so itself.
        let fenced = holder == Some(NodeRole::Client)
            && (self.info.role == NodeRole::Master || told.as_ref().is_some_and(|told| told.mandate == record.mandate));
        see(AlarmKind::MasterFenced, &master, fenced, nothing());
        if self.info.role == NodeRole::Client {
            see(AlarmKind::Active, &ours, holder == Some(NodeRole::Client), nothing());
        }
        let findings = record.findings();
        let others: &[MandateFinding] = told.as_ref().map_or(&[], |told| &told.findings);
        let forked = findings.contains(&MandateFinding::Fork) || others.contains(&MandateFinding::Fork);
        let both = serves && told.as_ref().is_some_and(|told| told.serving);
        let detail = if forked {
            Text::new(MandateFinding::Fork.sentence(Lang::It), MandateFinding::Fork.sentence(Lang::En))
        } else {
            Text::new("entrambe servono", "both serve")
        };
        see(AlarmKind::SplitBrain, &master, forked || both, detail);
        for (name, list) in [(&ours, findings.as_slice()), (&theirs, others)] {
            see(AlarmKind::SetBack, name, list.contains(&MandateFinding::SetBack), nothing());
        }
        // Which of the two sides it is can be told only by looking: the alarm is about the pair.
        let cloned = [findings.as_slice(), others].iter().any(|list| list.contains(&MandateFinding::Cloned));
        see(AlarmKind::Cloned, &master, cloned, nothing());
        // Of the other side only what it says itself: its silence has an alarm of its own.
        let unserved = match holder {
            Some(site) if site == self.info.role => !serves,
            Some(_) => {
                told.as_ref().is_some_and(|told| told.mandate == record.mandate && !told.serving && !told.taking)
            }
            None => false,
        };
        let unserved = unserved && record.receiving.is_none() && self.runs.open().is_none();
        let idle = if holder == Some(self.info.role) { &ours } else { &theirs };
        see(AlarmKind::NobodyServes, idle, self.gate.is_long_unserved(unserved), nothing());
        let unverified = record.opened.as_ref().is_some_and(|opened| opened.how == Opening::Unverified);
        see(AlarmKind::GateUnverified, &ours, serves && unverified, nothing());
        Ok(())
    }
}
