//! Who keeps the services of this machine while a run is open: the run, as long as it starts or stops them itself, and
//! the keeper before and after. A run may wait for a person for hours; the telephones are not to die of it. And what the
//! run is to the rules of the mandate.

use contract::run::{RunKind, RunState, StepState};

use super::State;
use crate::mandate::mission::{self, Mission};
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
            RunKind::Retirement | RunKind::Drill => true,
        }
    }

    /// What the mandate has to do with it.
    pub(crate) fn mission(&self) -> Mission {
        let next = match self.first_open().map(|index| &self.plan.steps[index]) {
            Some(Step::Mandate) => mission::Next::Mandate,
            Some(step) if step.serves() => mission::Next::Serve,
            _ => mission::Next::Other,
        };
        Mission {
            kind: self.plan.kind,
            mandate: self.plan.mandate.clone(),
            written: self.is_done(&Step::Mandate),
            awaits_approval: self.awaits_approval(),
            aborting: self.aborting,
            next,
            rescued: self.plan.rescued.clone(),
        }
    }

    /// Whether it moves the service nowhere, and is in nobody's way.
    pub(crate) fn stands_aside(&self) -> bool {
        self.plan.kind.stands_aside()
    }

    /// Whether what it has undone was left over.
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
