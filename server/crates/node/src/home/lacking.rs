//! A member of a site of two to whose sibling the content came: it is *stale* until it has the same, by whatever way the
//! cluster brings it there. It looks by itself. Where looking cannot succeed, because the disk is mounted on the other one only
//! or is always written to, an operator says it, beside the other one that serves.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use contract::mandate::Mandate;
use contract::preflight::Settle;
use contract::{Denied, Outcome, Refused, Rule};
use serde_json::json;

use crate::door::Act;
use crate::mandate::file::{Record, Seat};
use crate::mandate::{homecoming, rules};
use crate::node::Node;

impl Node {
    /// Looks at what is here. A dataset counts once it was found to be what the mandate names, or what the sibling has given
    /// since; when all of them do, this member has what the site was given.
    pub(super) async fn look_for_content(self: &Arc<Self>, mandate: &Mandate) -> Result<(), Denied> {
        if !self.has_sibling().await? {
            return Err(Denied::failed(
                "put the DR's content in its place",
                "the content that the mandate names is not here",
            ));
        }
        if !self.services_are_down() {
            return Ok(());
        }
        if mandate.base.is_none() && !self.home.given_beside.was_heard(&mandate.id) {
            return Ok(());
        }
        // As it is written down: what was declared a moment ago may not be looked after yet, and lacks all the same.
        let wanted: BTreeSet<String> = match &mandate.base {
            Some(base) => base.keys().cloned().collect(),
            None => self.datasets().await?.into_iter().map(|dataset| dataset.name).collect(),
        };
        let mut found = self.found_under(&mandate.id);
        for name in &wanted {
            let Some(feed) = self.feeds.get(name).filter(|_| !found.contains(name)) else { continue };
            let (live, _) = self.look_at_live(&feed).await;
            let named = mandate.base.as_ref().and_then(|base| base.get(name));
            let is_it =
                |live: &String| named == Some(live) || self.home.given_beside.has_given(&mandate.id, name, live);
            if live.as_ref().is_some_and(is_it) {
                found.insert(name.clone());
            }
        }
        // A site that declares nothing has nothing that could lack.
        let whole = wanted.iter().all(|name| found.contains(name));
        self.keep_found(&mandate.id, found);
        if !whole {
            return Ok(());
        }
        let id = mandate.id.clone();
        let ended = self.book.change(move |record| homecoming::in_line(record, &id));
        if ended.await? {
            tracing::warn!("this member has what the other one was given");
            self.note("home.in_line", Some(json!({ "datasets": wanted }))).await;
            self.mandate_changed();
        }
        Ok(())
    }

    /// Takes an operator's word that what the site serves with is here.
    pub(crate) async fn gate_same(&self, act: Act<'_>, said: &Settle) -> Result<Outcome, Denied> {
        let _beginning = self.runs.beginning.lock().await;
        self.check_typed(&act, &said.reason, said.password.as_ref()).await?;
        let mut refused = self.guard(&said.confirm_name);
        let lacks = |record: &Record| record.mandate.clone().filter(|_| rules::lacks_content(record));
        let lacking = if self.has_sibling().await? { self.book.look(lacks) } else { None };
        let beside = self.standing_of(Seat::Second).filter(|_| self.link.contact(Seat::Second).reachable);
        if lacking.is_none() {
            refused.push(Refused::new(Rule::MemberCurrent, &self.info.name, ""));
        } else if !self.book.look(|record| homecoming::may_be_said_same(record, beside.as_ref())) {
            refused.push(Refused::new(Rule::MemberBeside, &self.info.name, ""));
        }
        let (true, Some(mandate)) = (refused.is_empty(), lacking) else { return Err(Denied::Refused(refused)) };
        let id = mandate.id.clone();
        let said = self.book.change(move |record| homecoming::in_line(record, &id)).await?;
        if !said {
            return Err(Denied::rule(Rule::MemberCurrent, &self.info.name, ""));
        }
        self.mandate_changed();
        let (before, after) = (json!({ "lacks": mandate.base }), json!({ "epoch": mandate.epoch, "id": mandate.id }));
        act.done(self.store.begin().await?, Some(before), Some(after)).await
    }

    fn found_under(&self, mandate: &str) -> BTreeSet<String> {
        let found = self.home.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.0 == mandate { found.1.clone() } else { BTreeSet::new() }
    }

    fn keep_found(&self, mandate: &str, datasets: BTreeSet<String>) {
        *self.home.found.lock().unwrap_or_else(PoisonError::into_inner) = (mandate.to_owned(), datasets);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use contract::mandate::{Mandate, MandateKind};
    use contract::{NodeRole, Timestamp};

    use crate::mandate::Raise;
    use crate::mandate::file::{Opening, Record};
    use crate::mandate::rules;

    const BOOT: &str = "b";

    fn mandate(record: &Record, id: &str, kind: MandateKind, holder: NodeRole) -> Mandate {
        let base = (kind == MandateKind::Failback).then(|| BTreeMap::from([("conf".into(), "made".into())]));
        let (operator, reason) = ("anna".into(), "fire".into());
        let raise =
            Raise { id: id.into(), kind, holder, operator, reason, evidence: Vec::new(), base, retired: Vec::new() };
        raise.mandate(record, "p", Timestamp::UNIX_EPOCH)
    }

    /// A member that is named by the mandate of a failback to its sibling.
    fn beside() -> Record {
        let mut member = Record::new("m2", "m2", NodeRole::Master);
        for (id, kind, holder) in
            [("1", MandateKind::Activation, NodeRole::Client), ("2", MandateKind::Failback, NodeRole::Master)]
        {
            let told = mandate(&member, id, kind, holder);
            rules::learn(&mut member, &told);
        }
        member
    }

    fn opens(record: &Record) -> bool {
        let how = [Opening::Verified, Opening::Unverified];
        how.into_iter().any(|how| rules::open(&mut record.clone(), BOOT, Timestamp::UNIX_EPOCH, how))
    }

    #[test]
    fn a_member_without_what_came_to_the_other_one_opens_under_no_later_mandate() {
        let mut member = beside();
        assert!(rules::lacks_content(&member) && !opens(&member));
        let receives = Record { receiving: Some("run".into()), ..member.clone() };
        assert!(!rules::lacks_content(&receives), "it is on its way to it");
        for (id, kind, holder) in [
            ("3", MandateKind::Settlement, NodeRole::Master),
            ("4", MandateKind::Activation, NodeRole::Client),
            ("5", MandateKind::Rollback, NodeRole::Master),
        ] {
            let told = mandate(&member, id, kind, holder);
            rules::learn(&mut member, &told);
            assert!(!opens(&member), "{id}");
        }
        assert!(rules::lacks_content(&member));
        let settled = mandate(&beside(), "3", MandateKind::Settlement, NodeRole::Master);
        let mut settles = beside();
        rules::settle(&mut settles, settled);
        assert!(!opens(&settles), "nor by a word of its own that is about something else");
        let in_line = Record { stale: false, ..member.clone() };
        assert!(opens(&in_line));
        let taken = mandate(&member, "6", MandateKind::Takeover, NodeRole::Master);
        rules::raise(&mut member, taken, BOOT, Timestamp::UNIX_EPOCH);
        assert!(rules::may_serve(&member, BOOT), "an operator may decide otherwise");
    }
}
