//! What is checked when a button is pressed: fields first, then every guard at once.

use contract::preflight::{Release, Take};
use contract::run::{RunKind, RunState};
use contract::state::NodeState;
use contract::task::TaskState;
use contract::{Denied, FieldError, Problem, Refused, Rule};

use crate::cluster::Machine;
use crate::door::Act;
use crate::node::Node;

impl Node {
    /// Checks what an operator typed beside the guards: a reason, and the own password of whoever comes through the panel.
    pub(crate) async fn check_typed(
        &self,
        act: &Act<'_>,
        reason: &str,
        password: Option<&contract::command::Secret>,
    ) -> Result<(), Denied> {
        let mut errors = Vec::new();
        if reason.trim().is_empty() {
            errors.push(FieldError::new("reason", Problem::Required));
        }
        if let Err(problem) = self.confirm_password(act.actor, password).await? {
            errors.push(FieldError::new("password", problem));
        }
        if errors.is_empty() { Ok(()) } else { Err(Denied::Invalid(errors)) }
    }

    /// The guards of taking the service.
    pub(super) async fn guard_take(&self, take: &Take, found: Vec<Refused>) -> Result<(), Denied> {
        let mut refused = self.guard(&take.confirm_name);
        let new: Vec<Refused> =
            found.into_iter().filter(|one| !refused.iter().any(|own| own.rule == one.rule)).collect();
        refused.extend(new);
        if refused.is_empty() { Ok(()) } else { Err(Denied::Refused(refused)) }
    }

    /// The guards of giving it back, or of stopping it.
    pub(super) async fn guard_release(&self, kind: RunKind, release: &Release) -> Result<(), Denied> {
        let mut refused = self.guard(&release.confirm_name);
        refused.extend(self.refuse_release(kind, release).await?);
        if refused.is_empty() { Ok(()) } else { Err(Denied::Refused(refused)) }
    }

    /// The same, beside what holds for every button.
    pub(super) async fn refuse_release(&self, kind: RunKind, release: &Release) -> Result<Vec<Refused>, Denied> {
        let mut refused = Vec::new();
        let state = self.state();
        let suspended = self.book.look(|record| record.suspended);
        if state != NodeState::Active {
            refused.push(Refused::new(Rule::StateIllegal, &self.info.name, state.as_str()));
        } else if kind == RunKind::Suspension && suspended {
            refused.push(Refused::new(Rule::StateIllegal, &self.info.name, "suspended"));
        } else if kind == RunKind::Deactivation && self.runs.open().is_none() {
            refused.extend(self.refuse_to_discard(&self.ledger().await?, release.discard_dr_data));
            refused.extend(self.refuse_nobody().await?);
        }
        Ok(refused)
    }

    /// Why there is nobody to give the service to as it is: the other site was declared lost, or is there with no data yet.
    async fn refuse_nobody(&self) -> Result<Option<Refused>, Denied> {
        let Some(name) = self.site_name().await? else {
            return Ok(Some(Refused::new(Rule::PairNotAssociated, &self.info.name, "")));
        };
        // As it is written down: after a restart of this node nobody has said anything yet. Of a site of two one is enough.
        let record = self.book.record();
        let recovering = |machine: &Machine| record.clone().towards(machine.seat).peer.recovering;
        let mut machines = self.machines_across().await?;
        machines.retain(|machine| machine.pair.is_some());
        Ok(machines.iter().all(recovering).then(|| Refused::new(Rule::PeerRecovering, name, "")))
    }

    /// The guards of every button.
    pub(crate) fn guard(&self, confirm_name: &str) -> Vec<Refused> {
        let mut refused = Vec::new();
        if confirm_name.trim() != self.info.name {
            refused.push(Refused::new(Rule::ConfirmName, &self.info.name, ""));
        }
        refused.extend(self.something_runs());
        refused
    }

    /// The long operation that is in the way.
    pub(super) fn something_runs(&self) -> Option<Refused> {
        let run =
            self.run_in_the_way().map(|run| Refused::new(Rule::RunInProgress, &self.info.name, run.kind.as_str()));
        run.or_else(|| self.a_task_runs())
    }

    pub(super) fn a_task_runs(&self) -> Option<Refused> {
        let task = self.tasks.report(None).filter(|task| task.state == TaskState::Running);
        task.map(|task| Refused::new(Rule::RunInProgress, &self.info.name, task.kind.code()))
    }

    /// The run that an operator may speak to.
    pub(super) fn spoken_to(&self, wanted: Option<RunState>) -> Result<std::sync::Arc<super::Run>, Denied> {
        let run = self.runs.current().filter(|run| wanted.is_none_or(|wanted| run.look(|state| state.state == wanted)));
        run.ok_or_else(|| Denied::rule(Rule::StateIllegal, &self.info.name, "no_run"))
    }
}
