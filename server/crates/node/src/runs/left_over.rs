//! What an activation or a take-over did by own steps and nobody undid, because the service has left this site otherwise: it
//! was taken on the other one, or by a rescue. It is told by an alarm until an operator has it undone, in a run that does
//! nothing else.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use contract::run::RunKind;
use contract::{Denied, Outcome, Problem, Refused, Rule};
use serde_json::json;

use super::evidence::Testimony;
use super::log::State;
use super::procedure::Step;
use super::store;
use crate::door::Act;
use crate::mandate::file::Record;
use crate::node::Node;
use crate::own_steps::Declared;

/// What was found, under which mandate, and after which event of which run.
#[derive(Debug, Clone)]
pub(super) struct LeftOver {
    found_under: (String, Option<(String, u64)>),
    steps: Vec<Declared>,
}

impl Node {
    /// The own steps that are still in effect here although another site holds the mandate, or this machine was declared
    /// lost, in the order in which they were taken. Nothing while the service is this site's.
    pub(crate) async fn steps_left(&self) -> Result<Vec<Declared>, Denied> {
        let elsewhere = !self.book.look(Record::is_holder);
        let Some(head) = self.mandate_info().filter(|_| elsewhere) else { return Ok(Vec::new()) };
        let last = self.runs.last().map(|run| run.look(|state| (state.plan.id.clone(), state.events)));
        let now = (head.id, last);
        let known = self.runs.left_over.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| known.found_under == now) {
            return Ok(known.steps);
        }
        let runs = store::load_all(self.store.pool()).await?;
        let mut steps = in_effect(&runs);
        // An open run that is still to undo them tells of that itself.
        steps.retain(|own| !runs.iter().any(|state| state.is_yet_to_undo(&own.step.name)));
        let found = LeftOver { found_under: now, steps: steps.clone() };
        *self.runs.left_over.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        Ok(steps)
    }

    /// Their names, as they are told.
    pub(crate) async fn steps_left_names(&self) -> Result<Vec<String>, Denied> {
        Ok(self.steps_left().await?.into_iter().map(|declared| declared.step.name).collect())
    }

    /// Begins to undo them, the last first.
    pub(crate) async fn undo_steps_left(self: &Arc<Self>, act: Act<'_>, reason: &str) -> Result<Outcome, Denied> {
        let _beginning = self.runs.beginning.lock().await;
        if reason.trim().is_empty() {
            return Err(Denied::field("reason", Problem::Required));
        }
        if let Some(open) = self.runs.in_earnest() {
            let refused = Refused::new(Rule::RunInProgress, &self.info.name, open.kind.as_str());
            return Err(Denied::Refused(vec![refused]));
        }
        if self.steps_left().await?.is_empty() {
            return Err(Denied::rule(Rule::StateIllegal, &self.info.name, "no_steps_left"));
        }
        let plan = self.plan(RunKind::Undo, &act, reason, None).await?;
        self.begin(act, plan, Testimony::default(), json!({})).await
    }
}

/// What the runs that took the service have done by own steps, and nothing after it undid, in the order in which it was
/// taken; `runs` are the newest first. What is called alike is one step, as it was declared last.
pub(super) fn in_effect(runs: &[State]) -> Vec<Declared> {
    let (mut over, mut left) = (BTreeSet::new(), Vec::new());
    for state in runs {
        match state.plan.kind {
            RunKind::Deactivation | RunKind::Failback | RunKind::Undo => over.extend(state.own_steps_undone()),
            RunKind::Activation | RunKind::Takeover if state.is_done(&Step::Mandate) => {
                let mut begun = state.own_steps_begun();
                begun.retain(|own| own.step.work.has_undo() && over.insert(own.step.name.clone()));
                left.splice(0..0, begun);
            }
            _ => {}
        }
    }
    left
}
