//! What giving the service back would do, before anybody presses anything.

use contract::preflight::{PlannedStep, Release};
use contract::release::ReleaseReport;
use contract::run::RunKind;
use contract::state::NodeState;
use contract::{Denied, Refused, Rule, SCHEMA};

use super::approval::with_approval;
use super::procedure::steps;
use crate::node::Node;

impl Node {
    /// Every step of a run that gives the service back, as things are now.
    pub(super) async fn planned_steps(&self, kind: RunKind) -> Result<Vec<PlannedStep>, Denied> {
        let own = self.own_steps_of(kind).await?;
        let steps = steps(kind, &self.declared_services().await?, &own, false);
        let steps = with_approval(steps, self.approval_policy().await?.asks_for(kind));
        let told = |step: &super::procedure::Step| PlannedStep {
            id: step.to_string(),
            group: step.declared_in(&own).and_then(|declared| declared.step.group.clone()),
        };
        Ok(steps.iter().map(told).collect())
    }

    /// What a roll back would do now, and what stands in its way.
    pub(crate) async fn release_report(&self, release: &Release) -> Result<ReleaseReport, Denied> {
        let kind = RunKind::Deactivation;
        let mut blocked: Vec<Refused> = self.something_runs().into_iter().collect();
        blocked.extend(self.refuse_release(kind, release).await?);
        let across = self.machines_across().await?;
        let silent = across.iter().all(|machine| !self.machine_info(machine).reachable);
        let name = self.site_name().await?.unwrap_or_default();
        Ok(ReleaseReport {
            schema: SCHEMA,
            allowed: blocked.is_empty(),
            blocked,
            warnings: silent.then(|| Refused::new(Rule::PeerSilent, name, "")).into_iter().collect(),
            ledger: if self.state() == NodeState::Active { Some(self.ledger().await?) } else { None },
            steps: self.planned_steps(kind).await?,
        })
    }
}
