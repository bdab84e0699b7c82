//! Declaring the machines of the other site lost: a take of the service by which they belong to the pair no more; or, where
//! the service is here already, a mandate of the same holder, and nothing stops by it.

use std::sync::Arc;

use contract::preflight::Take;
use contract::run::RunKind;
use contract::{Denied, NodeRole, Outcome};
use serde_json::json;

use super::evidence::Testimony;
use super::log::Plan;
use super::older_point::refuse_point;
use super::procedure::with_power_off;
use crate::door::Act;
use crate::node::Node;

impl Node {
    /// Declares them lost. What an operator brings is what a take of the service asks for.
    pub(crate) async fn retire(self: &Arc<Self>, act: Act<'_>, take: &Take) -> Result<Outcome, Denied> {
        let _beginning = self.runs.beginning.lock().await;
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
        let mut found = self.refuse_to_retire(take).await?;
        found.extend(refuse_point(take));
        self.guard_take(take, found).await?;
        let plan = self.plan(RunKind::Retirement, &act, &take.reason, take.break_glass.as_deref()).await?;
        let names: Vec<&str> = retires.iter().map(|lost| lost.name.as_str()).collect();
        let brought = json!({
            "retired": names, "attest": take.attest, "overrides": take.overrides, "power_off": take.power_off,
            "break_glass": take.break_glass,
        });
        let steps = with_power_off(plan.steps, &take.power_off);
        let plan = Plan { overrides: take.overrides.clone(), steps, retires, ..plan };
        let mut testimony = Testimony::default();
        testimony.vouch(&take.attest);
        self.begin(act, plan, testimony, brought).await
    }
}
