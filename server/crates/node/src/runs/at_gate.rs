//! A run that has its mandate, or is about to give it away, and waits for the return gate: the machine booted, yielded or
//! was fenced in the middle. It is in nobody's way, because nothing but the gate or another take can move it; and where
//! the gate will not open by itself, it is told as stuck, with that remedy.

use std::sync::atomic::Ordering;

use contract::Text;
use contract::run::{RunBrief, RunReport, RunState};

use super::log::State;
use crate::node::Node;

impl Node {
    /// Whether the open run may do nothing before the gate is open, and does nothing.
    fn run_waits_at_gate(&self) -> bool {
        let Some(run) = self.runs.current() else { return false };
        let (mission, boot) = (run.look(State::mission), self.book.boot());
        // In this order: a step that begins says so before it looks at the gate.
        let waits = self.book.look(|record| mission.waits_at_gate(record, &boot));
        waits && !run.at_work.load(Ordering::SeqCst)
    }

    /// The run that takes the service or gives it back at this moment, and stands in the way of every other one.
    pub(crate) fn run_in_the_way(&self) -> Option<RunBrief> {
        self.runs.in_the_way().filter(|_| !self.run_waits_at_gate())
    }

    /// The same, once it has begun its work.
    pub(crate) fn run_moving_service(&self) -> Option<RunBrief> {
        self.runs.moving_service().filter(|_| !self.run_waits_at_gate())
    }

    /// The run that is not over, as people are told of it.
    pub(crate) fn open_run_as_told(&self) -> Option<RunBrief> {
        self.runs.open().map(|run| self.as_told(run))
    }

    pub(super) fn as_told(&self, run: RunBrief) -> RunBrief {
        let state = if self.is_left_at_gate(&run.id) { RunState::Stuck } else { run.state };
        RunBrief { state, ..run }
    }

    pub(super) fn report_as_told(&self, mut report: RunReport) -> RunReport {
        if self.is_left_at_gate(&report.id) {
            (report.state, report.at_gate) = (RunState::Stuck, true);
            let at = report.step.clone();
            if let Some(step) = report.steps.iter_mut().find(|step| Some(&step.id) == at.as_ref()) {
                step.remedy = Some(take_again());
            }
        }
        report
    }

    /// Whether this run waits for a gate that silence does not open.
    fn is_left_at_gate(&self, id: &str) -> bool {
        let open = self.runs.open().is_some_and(|run| run.id == id);
        open && self.run_waits_at_gate() && !self.book.look(|record| self.gate.opens_in_silence(record))
    }
}

fn take_again() -> Text {
    Text::new(
        "Questa macchina è ferma finché l'altra non le conferma che può servire: allora l'operazione prosegue da sola. Se l'altra non può rispondere, prendere di nuovo il servizio qui: la nuova operazione sostituisce questa.",
        "This machine is held until the other one confirms that it may serve: then the run goes on by itself. If the other one cannot answer, take the service here again: the new run replaces this one.",
    )
}
