//! Declaring the machines of the other site lost: a take of the service by which they belong to the pair no more; or, where
//! the service is here already, a mandate of the same holder, and nothing stops by it. Of a site of two one member can be
//! declared lost alone, by whoever serves: the site goes on with the other one.

use std::sync::Arc;

use contract::mandate::Tombstone;
use contract::preflight::Take;
use contract::run::RunKind;
use contract::{Denied, NodeRole, Outcome, Problem, Refused, Rule};
use serde_json::json;

use super::evidence::Testimony;
use super::log::Plan;
use super::older_point::refuse_point;
use super::procedure::with_power_off;
use crate::cluster::Machine;
use crate::door::Act;
use crate::node::Node;

impl Node {
    /// Declares them lost. What an operator brings is what a take of the service asks for.
    pub(crate) async fn retire(self: &Arc<Self>, act: Act<'_>, take: &Take) -> Result<Outcome, Denied> {
        let _beginning = self.runs.beginning.lock().await;
        if let Some(named) = take.member.as_deref().map(str::trim).filter(|named| !named.is_empty()) {
            return self.retire_member(act, take, named).await;
        }
        let retires = match self.tombstones(&act, &take.reason).await {
            Ok(retires) => retires,
            // Why it is associated with nobody any more says more than that it is not.
            Err(denied) => return Err(self.refuse_if_lost().map_or(denied, |lost| Denied::Refused(vec![lost]))),
        };
        if !self.may_serve() {
            let kind = match self.info.role {
                NodeRole::Client => RunKind::Activation,
                NodeRole::Master => RunKind::Takeover,
            };
            return self.take(act, kind, take, retires).await;
        }
        self.check_typed(&act, &take.reason, take.password.as_ref()).await?;
        let mut found = self.refuse_to_retire(take, None).await?;
        found.extend(refuse_point(take));
        self.guard_take(take, found).await?;
        self.begin_retirement(act, take, retires, None).await
    }

    /// Declares one member of a site of two lost: a machine across, or the other one of this site.
    async fn retire_member(self: &Arc<Self>, act: Act<'_>, take: &Take, named: &str) -> Result<Outcome, Denied> {
        if let Some(lost) = self.refuse_if_lost() {
            return Err(Denied::Refused(vec![lost]));
        }
        let machines = self.machines().await?;
        let is = |machine: &&Machine| machine.name() == named || machine.address.ip.to_string() == named;
        let member = machines.iter().filter(|machine| machine.pair.is_some()).find(is);
        let member = member.ok_or_else(|| Denied::field("member", Problem::NotFound))?;
        self.check_typed(&act, &take.reason, take.password.as_ref()).await?;
        let left = |machine: &Machine| !machine.sibling && machine.pair.is_some() && machine.seat != member.seat;
        let mut found = Vec::new();
        if !member.sibling && !machines.iter().any(left) {
            found.push(Refused::new(Rule::PairLastMember, member.name(), ""));
        }
        // Who serves writes the mandate: nothing stops by it, and nobody takes anything.
        if !self.may_serve() {
            found.push(Refused::new(Rule::StateIllegal, &self.info.name, self.state().as_str()));
        }
        found.extend(self.refuse_to_retire(take, Some(member)).await?);
        found.extend(refuse_point(take));
        self.guard_take(take, found).await?;
        let node = member.pair.as_ref().map(|pair| pair.node_id.clone());
        let retires = self.tombstone(member.clone(), &act, &take.reason).into_iter().collect();
        self.begin_retirement(act, take, retires, node).await
    }

    async fn begin_retirement(
        self: &Arc<Self>,
        act: Act<'_>,
        take: &Take,
        retires: Vec<Tombstone>,
        member: Option<String>,
    ) -> Result<Outcome, Denied> {
        let plan = self.plan(RunKind::Retirement, &act, &take.reason, take.break_glass.as_deref()).await?;
        let names: Vec<&str> = retires.iter().map(|lost| lost.name.as_str()).collect();
        let brought = json!({
            "retired": names, "attest": take.attest, "overrides": take.overrides, "power_off": take.power_off,
            "break_glass": take.break_glass,
        });
        let steps = with_power_off(plan.steps, &take.power_off);
        let plan = Plan { overrides: take.overrides.clone(), steps, retires, member, ..plan };
        let mut testimony = Testimony::default();
        testimony.vouch(&take.attest);
        self.begin(act, plan, testimony, brought).await
    }
}
