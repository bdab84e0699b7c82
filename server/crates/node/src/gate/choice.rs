//! What people say about the gate: what happens in silence, and which units of systemd ask.

use contract::gate::{GATE_WAIT_RANGE, GatePolicy, GateUnits};
use contract::{Denied, FieldError, Outcome, Problem};
use serde_json::json;

use crate::door::Act;
use crate::node::Node;
use crate::store::db;

impl Node {
    pub(crate) async fn gate_set(&self, act: Act<'_>, policy: &str, wait: &str) -> Result<Outcome, Denied> {
        let before = self.gate.policy();
        let mut errors = Vec::new();
        let policy = policy.parse::<GatePolicy>().map_err(|problem| errors.push(FieldError::new("policy", problem)));
        let (min, max) = GATE_WAIT_RANGE;
        let wait = match wait.trim() {
            "" => Ok(before.1),
            typed => match typed.parse::<u32>() {
                Ok(wait) if (min..=max).contains(&wait) => Ok(wait),
                Ok(_) => Err(Problem::OutOfRange { min, max }),
                Err(_) => Err(Problem::NotANumber),
            },
        };
        let wait = wait.map_err(|problem| errors.push(FieldError::new("wait", problem)));
        let (Ok(policy), Ok(wait)) = (policy, wait) else { return Err(Denied::Invalid(errors)) };
        let mut tx = self.store.begin().await?;
        sqlx::query("UPDATE gate SET policy = ?, wait = ?, chosen = 1")
            .bind(policy.as_str())
            .bind(wait)
            .execute(&mut *tx)
            .await
            .map_err(db("set the gate's policy"))?;
        let told = |(policy, wait): (GatePolicy, u32)| json!({ "policy": policy, "wait_seconds": wait });
        let outcome = act.done(tx, Some(told(before)), Some(told((policy, wait)))).await?;
        self.gate.change(|memory| (memory.policy, memory.wait, memory.chosen) = (policy, wait, true));
        Ok(outcome)
    }

    /// Writes down who asks the gate from now on: the files themselves are the command line's.
    pub(crate) async fn gate_units(&self, act: Act<'_>, told: &GateUnits) -> Result<Outcome, Denied> {
        act.done(self.store.begin().await?, None, Some(json!({ "root": told.root }))).await
    }
}
