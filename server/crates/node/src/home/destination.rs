//! Which machine of the Master site takes in what travels home. Of two members it is one: they may have one disk between
//! them, and how the other one comes to have the same is the cluster's business.

use contract::failback;
use contract::{Denied, Problem, Refused, Rule};

use crate::cluster::Machine;
use crate::mandate::rules::Standing;
use crate::node::Node;

impl Node {
    /// The machine of the Master site that an operator names, by name or IP; or the one that it falls to.
    pub(crate) async fn choose_destination(&self, named: Option<&str>) -> Result<Machine, Denied> {
        let mut machines = self.machines_across().await?;
        machines.retain(|machine| machine.pair.is_some());
        let its = |named: &str| {
            let is = |machine: &Machine| machine.name() == named || machine.address.ip.to_string() == named;
            machines.iter().find(|machine| is(machine)).cloned()
        };
        if let Some(named) = named.map(str::trim).filter(|named| !named.is_empty()) {
            return its(named).ok_or_else(|| Denied::field("member", Problem::NotFound));
        }
        let infos: Vec<_> = machines.iter().map(|machine| self.machine_info(machine)).collect();
        let source = machines.iter().find(|machine| Some(machine.seat) == self.link.source());
        let chosen = failback::destination(&infos, source.map(|machine| machine.address.ip));
        let chosen = chosen.and_then(|info| machines.iter().find(|machine| machine.address.ip == info.ip));
        chosen.cloned().ok_or_else(|| Denied::rule(Rule::PairNotAssociated, &self.info.name, ""))
    }

    /// The machine to which a run brings its content, by the node id that its plan names.
    pub(crate) async fn destination(&self, member: Option<&str>) -> Result<Machine, Denied> {
        let Some(member) = member else { return self.choose_destination(None).await };
        let is = |machine: &Machine| machine.pair.as_ref().is_some_and(|pair| pair.node_id == member);
        let found = self.machines_across().await?.into_iter().find(is);
        found.ok_or_else(|| Denied::rule(Rule::PairNotAssociated, &self.info.name, ""))
    }

    /// The other members that are not at rest: what they have started, or put back, may lie on the very disk that the
    /// content is to be put on. Of one that is silent the evidence of the activation still holds.
    pub(crate) async fn restless_beside(&self, chosen: &Machine) -> Result<Vec<Refused>, Denied> {
        let others = self.machines_across().await?.into_iter().filter(|machine| machine.seat != chosen.seat);
        let restless = others.filter(|machine| {
            let told = self.standing_of(machine.seat).filter(|_| self.link.contact(machine.seat).reachable);
            told.is_some_and(|told| told.serving || told.receiving.is_some())
        });
        Ok(restless.map(|machine| Refused::new(Rule::FailbackCluster, machine.name(), "")).collect())
    }

    /// Whether any machine of the Master site says this of itself just now.
    pub(crate) async fn any_across(&self, says: impl Fn(&Standing) -> bool) -> bool {
        let machines = self.machines_across().await.unwrap_or_default();
        machines.iter().filter_map(|machine| self.standing_of(machine.seat)).any(|told| says(&told))
    }
}
