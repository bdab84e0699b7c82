//! Who keeps the services of this machine while a run is open: the run, as long as it starts or stops them itself, and
//! the keeper before and after. A run may wait for a person for hours; the telephones are not to die of it.

use contract::run::{RunKind, RunState, StepState};

use super::State;
use crate::runs::procedure::Step;

impl State {
    /// Whether this run leaves the services to the keeper at this moment.
    pub(crate) fn leaves_services_to_the_keeper(&self) -> bool {
        match self.plan.kind {
            // Nothing has begun before a second person agrees.
            _ if self.awaits_approval() => true,
            RunKind::Activation | RunKind::Takeover | RunKind::Resumption => {
                self.is_stuck_starting() || !self.aborting && self.is_done(&Step::Verify)
            }
            // Once the service is given away they are to stay down, whoever is waited for.
            RunKind::Deactivation | RunKind::Failback => self.has_given() || !self.has_come_to_the_services(),
            RunKind::Suspension => false,
            // Services are none of its business.
            RunKind::Undo => true,
            // Nothing starts or stops by it.
            RunKind::Retirement => true,
        }
    }

    /// Whether it has the mandate that it stands on: what is left of it is only to serve.
    pub(crate) fn has_taken(&self) -> bool {
        match self.plan.kind {
            RunKind::Activation | RunKind::Takeover => self.is_done(&Step::Mandate),
            RunKind::Resumption => !self.aborting && !self.awaits_approval(),
            RunKind::Deactivation | RunKind::Failback | RunKind::Suspension | RunKind::Retirement | RunKind::Undo => {
                false
            }
        }
    }

    /// Whether the next step is to give the mandate away.
    pub(crate) fn is_about_to_give(&self) -> bool {
        let gives = matches!(self.plan.kind, RunKind::Deactivation | RunKind::Failback) && !self.aborting;
        gives && self.first_open().is_some_and(|index| self.plan.steps[index] == Step::Mandate)
    }

    /// Whether it moves the service nowhere: what it undoes was left over.
    pub(crate) fn tidies_up(&self) -> bool {
        self.plan.kind == RunKind::Undo
    }

    /// Whoever waits for an operator must not leave the telephones dead.
    fn is_stuck_starting(&self) -> bool {
        let at = self.first_open().map(|index| &self.plan.steps[index]);
        self.state == RunState::Stuck && matches!(at, Some(Step::Start(_) | Step::Verify))
    }

    /// Whether it has begun to stop them, or is past that; what was given up and undone does not count.
    fn has_come_to_the_services(&self) -> bool {
        self.plan.steps.iter().zip(&self.steps).any(|(step, report)| {
            let begun = report.attempts > 0 && report.state != StepState::Undone;
            begun && matches!(step, Step::Stop(_) | Step::Ledger)
        })
    }
}
