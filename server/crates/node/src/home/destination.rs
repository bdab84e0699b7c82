//! Which machine of the Master site takes in what travels home. Of two members it is one: they may have one disk between
//! them, and how the other one comes to have the same is the cluster's business.

use std::time::{Duration, Instant};

use contract::failback;
use contract::isolation::IsolationOutcome;
use contract::{Denied, Problem, Refused, Rule};
use futures_util::future::join_all;

use crate::cluster::Machine;
use crate::isolation::{self, Pace};
use crate::mandate::rules::Standing;
use crate::node::Node;

/// How long a machine that answers may take to say how it stands, and how often it is listened for.
const HEARD: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(200);

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
    /// content is to be put on. One that is silent is looked at anew: what was found, or attested, at the activation is
    /// nothing to write on days later.
    pub(crate) async fn restless_beside(&self, chosen: &Machine) -> Result<Vec<Refused>, Denied> {
        let machines = self.machines_across().await?;
        let others = machines.iter().filter(|machine| machine.seat != chosen.seat);
        Ok(join_all(others.map(|machine| self.restless(machine))).await.into_iter().flatten().collect())
    }

    async fn restless(&self, machine: &Machine) -> Option<Refused> {
        let begun = Instant::now();
        loop {
            let told = self.standing_of(machine.seat).filter(|_| self.link.contact(machine.seat).reachable);
            if let Some(told) = told {
                let restless = told.serving || told.receiving.is_some();
                return restless.then(|| Refused::new(Rule::FailbackCluster, machine.name(), ""));
            }
            let seen = self.probe_machine(machine, Pace::Now).await;
            // Whoever takes our calls tells in a moment how it stands: after a restart of this node nobody has said it yet.
            if isolation::talks(&seen) && begun.elapsed() < HEARD {
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            let alive = seen.outcome == IsolationOutcome::Alive;
            return alive.then(|| Refused::new(Rule::FailbackMemberAlive, machine.name(), isolation::signs(&seen)));
        }
    }

    /// Whether any machine of the Master site says this of itself just now.
    pub(crate) async fn any_across(&self, says: impl Fn(&Standing) -> bool) -> bool {
        let machines = self.machines_across().await.unwrap_or_default();
        machines.iter().filter_map(|machine| self.standing_of(machine.seat)).any(|told| says(&told))
    }
}
