//! An operator settles what was found: a machine was put back on purpose, or of two that were one the other is gone for
//! good. Who serves goes on serving; what is settled is that both go on from here, under a new mandate of the same holder.

use contract::mandate::MandateKind;
use contract::preflight::Settle;
use contract::{Denied, Outcome, Refused, Rule};
use serde_json::json;

use super::{Raise, rules};
use crate::door::Act;
use crate::node::Node;
use crate::random;

impl Node {
    /// Writes the mandate that settles it. What the other side has is never lowered: it learns of it as of any newer one.
    pub(crate) async fn settle_finding(&self, act: Act<'_>, settle: &Settle) -> Result<Outcome, Denied> {
        let _beginning = self.runs.beginning.lock().await;
        self.check_typed(&act, &settle.reason, settle.password.as_ref()).await?;
        let mut refused = self.guard(&settle.confirm_name);
        let found = self.book.look(|record| record.findings());
        if found.is_empty() {
            refused.push(Refused::new(Rule::SettleNothing, &self.info.name, ""));
        }
        let peer = self.site_name().await?.unwrap_or_default();
        let machines = self.machines_across().await?;
        let mut heard = machines.iter().filter_map(|machine| self.standing_of(machine.seat));
        let told = heard.find(|told| self.book.look(|record| rules::may_settle(record, told)));
        let by_take = || Refused::new(Rule::SettleByTake, &peer, "");
        if told.is_none() && !found.is_empty() {
            refused.push(by_take());
        }
        let (true, Some(told)) = (refused.is_empty(), told) else { return Err(Denied::Refused(refused)) };
        let (operator, reason, at) = (act.actor.name.clone(), settle.reason.trim().to_owned(), self.clock.now());
        let settled = self.book.change(move |record| {
            // Under the lock: what was true a moment ago may not be any more.
            let head = record.mandate.clone().filter(|_| rules::may_settle(record, &told))?;
            let evidence = record.findings().iter().map(|finding| finding.as_str().to_owned()).collect();
            let (id, kind, holder) = (random::id(), MandateKind::Settlement, head.holder);
            let raise = Raise { id, kind, holder, operator, reason, evidence, base: None, retired: Vec::new() };
            let mandate = raise.mandate(record, &head.pair, at);
            rules::settle(record, mandate.clone());
            Some(mandate)
        });
        let Some(mandate) = settled.await? else { return Err(Denied::Refused(vec![by_take()])) };
        self.book.close_questions();
        self.mandate_changed();
        let after = json!({ "epoch": mandate.epoch, "id": mandate.id, "holder": mandate.holder });
        let tx = self.store.begin().await?;
        act.done(tx, Some(json!({ "findings": found })), Some(after)).await
    }
}
