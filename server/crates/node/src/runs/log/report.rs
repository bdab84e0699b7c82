//! What a run is told as: in short, in a list and in full, with the figures that follow from its events.

use contract::run::{GroupReport, RunBrief, RunEntry, RunReport, StepReport, StepState};
use contract::telephony::RunTelephony;
use contract::{SCHEMA, Timestamp};

use super::State;
use crate::runs::procedure::Step;

impl State {
    /// The run in short.
    pub(crate) fn brief(&self) -> RunBrief {
        let at = if self.aborting { self.last_begun() } else { self.first_open() };
        let step = at.filter(|_| !self.state.is_over()).map(|index| self.steps[index].id.clone());
        RunBrief { id: self.plan.id.clone(), kind: self.plan.kind, state: self.state, step }
    }

    /// The run in a list.
    pub(crate) fn entry(&self) -> RunEntry {
        RunEntry {
            brief: self.brief(),
            started_by: self.plan.started_by.clone(),
            reason: self.plan.reason.clone(),
            started_at: self.plan.started_at,
            ended_at: self.ended_at,
        }
    }

    /// The run in full.
    pub(crate) fn report(&self) -> RunReport {
        let brief = self.brief();
        let told = self.plan.steps.iter().zip(&self.steps).map(|(step, report)| self.step_report(step, report));
        let steps: Vec<StepReport> = told.collect();
        let verified = self.report_of(&Step::Verify).filter(|report| report.state == StepState::Done);
        let rto = verified.and_then(|report| report.ended_at).map(|end| seconds(self.plan.started_at, end));
        RunReport {
            schema: SCHEMA,
            id: brief.id,
            kind: brief.kind,
            state: brief.state,
            step: brief.step,
            started_by: self.plan.started_by.clone(),
            reason: self.plan.reason.clone(),
            started_at: self.plan.started_at,
            ended_at: self.ended_at,
            epoch: self.epoch,
            can_abort: self.can_abort(),
            at_gate: false,
            isolation: self.isolation.clone(),
            point: self.plan.point.as_ref().map(|point| point.id.clone()),
            loss: self.plan.loss.clone(),
            rto_seconds: rto,
            first_phone_rto_seconds: None,
            telephony: self.telephony(),
            ledger: self.ledger.clone(),
            approval: self.approval(),
            groups: GroupReport::all(&steps),
            steps,
        }
    }

    /// What was found out of the telephony; the phones are counted elsewhere.
    fn telephony(&self) -> Option<RunTelephony> {
        let (sip, trunks) = self.telephony.clone();
        let proves = self.plan.steps.contains(&Step::Telephony);
        proves.then_some(RunTelephony { sip, trunks, expected: self.plan.expected, phones: None })
    }

    fn step_report(&self, step: &Step, report: &StepReport) -> StepReport {
        let can_ack = self.acknowledge(step, "", "").is_some();
        let duration_seconds = report.started_at.zip(report.ended_at).map(|(from, to)| seconds(from, to));
        StepReport { ask: self.asks(step).cloned(), can_ack, duration_seconds, ..report.clone() }
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}
