//! The log of a run: what was planned, what happened, and what follows from it. What a run has come to is never stored; it
//! is found by replaying. No disk, no clock: [`State::apply`] is the one place that says which event may follow which.

mod approval;
mod keeping;
mod plan;
mod report;

use std::collections::BTreeMap;

use contract::approval::Person;
use contract::isolation::MachineIsolation;
use contract::own_step::Work;
use contract::run::{Ledger, RunKind, RunState, StepReport, StepState};
use contract::telephony::Heard;
use contract::{Text, Timestamp};
use serde::{Deserialize, Serialize};

use super::procedure::Step;
use crate::own_steps::Declared;
use approval::Answer;
pub(crate) use approval::Asked;
pub(crate) use plan::Plan;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    /// An attempt at a step.
    Began { step: Step },
    /// Its postcondition was observed.
    Done { step: Step, output: String },
    /// It did not come to its end.
    Failed { step: Step, output: String, remedy: Text },
    /// How the machines of the other site were found.
    Isolation { machines: Vec<MachineIsolation> },
    /// What was heard of the own SIP server and of the trunks.
    Telephony { sip: Option<Heard>, trunks: Vec<Heard> },
    /// What was made on the DR.
    Ledger { ledger: Ledger },
    /// What the Master has taken in, per dataset.
    Brought { contents: BTreeMap<String, String> },
    /// The mandate is on disk.
    Raised { epoch: u64 },
    /// Another person approves of it.
    Approved { by: Person },
    /// Somebody does not: what was begun is undone.
    Declined { by: Person, reason: String },
    /// An operator goes on without the other person.
    Bypassed { by: Person, reason: String },
    /// Nobody answered in time: what was begun is undone.
    Lapsed,
    /// An operator says that a person has done what the run asked for.
    Acknowledged { step: Step, by: String, note: String },
    /// An operator lets a stuck run go on.
    Resumed { by: String },
    /// An operator gives it up: what was done is undone, the last first.
    Aborting { by: String },
    /// A step was undone.
    Undone { step: Step, output: String },
    /// It could not be undone.
    NotUndone { step: Step, output: String, remedy: Text },
    /// Everything was undone.
    Aborted,
    /// Every step is done.
    Finished,
    /// A newer mandate has taken the ground from under it.
    Superseded { epoch: u64 },
}

/// An event that cannot follow what happened before.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("in the run {run}, {event} cannot follow what happened before")]
pub(crate) struct Illegal {
    run: String,
    event: String,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    Do(Step),
    Undo(Step),
    /// Say that every step is done.
    Finish,
    /// Say that everything was undone.
    GiveUp,
    /// Wait for an operator.
    Rest,
    Over,
}

/// What a run has come to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    pub(crate) plan: Plan,
    pub(crate) events: u64,
    pub(crate) state: RunState,
    pub(crate) ledger: Option<Ledger>,
    pub(crate) contents: Option<BTreeMap<String, String>>,
    steps: Vec<StepReport>,
    /// What the second person said.
    answer: Option<Answer>,
    aborting: bool,
    /// What was said of the step at hand.
    acknowledged: Option<(Step, String)>,
    isolation: Vec<MachineIsolation>,
    telephony: (Option<Heard>, Vec<Heard>),
    epoch: Option<u64>,
    ended_at: Option<Timestamp>,
}

impl State {
    /// Before the first event.
    pub(crate) fn new(plan: Plan) -> Self {
        let waiting = |step: &Step| StepReport {
            id: step.to_string(),
            group: plan.own_step(step).and_then(|own| own.group.clone()),
            state: StepState::Waiting,
            attempts: 0,
            started_at: None,
            ended_at: None,
            duration_seconds: None,
            output: String::new(),
            remedy: None,
            ask: None,
            can_ack: false,
        };
        Self {
            steps: plan.steps.iter().map(waiting).collect(),
            answer: plan.approval.as_ref().and_then(|asked| Answer::brought(asked, plan.started_at)),
            plan,
            events: 0,
            state: RunState::Running,
            ledger: None,
            contents: None,
            aborting: false,
            acknowledged: None,
            isolation: Vec::new(),
            telephony: (None, Vec::new()),
            epoch: None,
            ended_at: None,
        }
    }

    /// Takes one event.
    ///
    /// # Errors
    /// [`Illegal`]; then nothing has changed.
    pub(crate) fn apply(&mut self, at: Timestamp, event: &Event) -> Result<(), Illegal> {
        if !self.allows(event) {
            return Err(Illegal { run: self.plan.id.clone(), event: format!("{event:?}") });
        }
        self.events += 1;
        match event {
            Event::Began { step } => self.change(step, |report| {
                report.state = StepState::Running;
                report.attempts += 1;
                report.started_at.get_or_insert(at);
                report.ended_at = None;
                report.remedy = None;
            }),
            Event::Done { step, output } => self.end(step, StepState::Done, at, output, None),
            Event::Undone { step, output } => self.end(step, StepState::Undone, at, output, None),
            Event::Failed { step, output, remedy } => {
                self.end(step, StepState::Failed, at, output, Some(remedy));
                // Whoever gives up does not wait for what is undone anyway.
                if !self.aborting {
                    self.state = RunState::Stuck;
                }
            }
            Event::NotUndone { step, output, remedy } => {
                self.end(step, StepState::Failed, at, output, Some(remedy));
                self.state = RunState::Stuck;
            }
            Event::Isolation { machines } => self.isolation.clone_from(machines),
            Event::Telephony { sip, trunks } => self.telephony = (sip.clone(), trunks.clone()),
            Event::Ledger { ledger } => self.ledger = Some(ledger.clone()),
            Event::Brought { contents } => self.contents = Some(contents.clone()),
            Event::Raised { epoch } => self.epoch = Some(*epoch),
            Event::Approved { .. } | Event::Bypassed { .. } => self.answer = Answer::of(event, at),
            Event::Declined { .. } | Event::Lapsed => {
                self.answer = Answer::of(event, at);
                self.aborting = true;
                self.state = RunState::Running;
            }
            Event::Acknowledged { step, by, note } => {
                self.acknowledged = Some((step.clone(), acknowledgement(by, note)));
            }
            Event::Resumed { .. } => self.state = RunState::Running,
            Event::Aborting { .. } => {
                self.aborting = true;
                self.acknowledged = None;
                self.state = RunState::Running;
            }
            Event::Finished => self.over(RunState::Done, at),
            Event::Aborted | Event::Superseded { .. } => self.over(RunState::Aborted, at),
        }
        Ok(())
    }

    fn allows(&self, event: &Event) -> bool {
        let runs = self.state == RunState::Running;
        let at_work = |step: &Step| self.report_of(step).is_some_and(|report| report.state == StepState::Running);
        match event {
            _ if self.state.is_over() => false,
            Event::Began { step } => self.next() == Next::Do(step.clone()),
            Event::Done { step: Step::Approval, .. } => {
                runs && at_work(&Step::Approval) && self.approval_seen().is_some()
            }
            Event::Done { step, .. } | Event::Failed { step, .. } => runs && at_work(step),
            Event::Isolation { .. }
            | Event::Telephony { .. }
            | Event::Ledger { .. }
            | Event::Brought { .. }
            | Event::Raised { .. } => runs,
            Event::Approved { .. } | Event::Declined { .. } | Event::Bypassed { .. } | Event::Lapsed => {
                self.awaits_approval()
            }
            Event::Acknowledged { step, .. } => runs && self.asks(step).is_some(),
            Event::Resumed { .. } => self.state == RunState::Stuck,
            Event::Aborting { .. } => self.can_abort(),
            Event::Undone { step, .. } | Event::NotUndone { step, .. } => self.next() == Next::Undo(step.clone()),
            Event::Aborted => self.next() == Next::GiveUp,
            Event::Finished => self.next() == Next::Finish,
            Event::Superseded { .. } => true,
        }
    }

    /// What is to be done next.
    pub(crate) fn next(&self) -> Next {
        let of = |index: usize| self.plan.steps[index].clone();
        match self.state {
            RunState::Done | RunState::Aborted => Next::Over,
            RunState::Stuck => Next::Rest,
            RunState::Running if self.aborting => self.last_begun().map_or(Next::GiveUp, |index| Next::Undo(of(index))),
            RunState::Running => self.first_open().map_or(Next::Finish, |index| Next::Do(of(index))),
        }
    }

    /// Whether it may still be given up: what a mandate says can only be said otherwise by another one.
    pub(crate) fn can_abort(&self) -> bool {
        !self.state.is_over() && !self.aborting && !self.is_done(&Step::Mandate)
    }

    /// Whether a step's postcondition was observed.
    pub(crate) fn is_done(&self, step: &Step) -> bool {
        self.report_of(step).is_some_and(|report| report.state == StepState::Done)
    }

    /// What a person is asked to do for this step, while the run waits for it.
    fn asks(&self, step: &Step) -> Option<&Text> {
        let Work::Manual(work) = &self.plan.own_step(step)?.work else { return None };
        let waits = match self.next() {
            Next::Do(at) | Next::Undo(at) => at == *step && self.acknowledged.is_none(),
            Next::Rest => self.stands_at(step),
            _ => false,
        };
        let begun = self.report_of(step).is_some_and(|report| report.attempts > 0);
        let back = matches!(step, Step::Revert(_)) && !self.aborting;
        if back { work.undo.as_ref() } else { Some(&work.text) }.filter(|_| waits && begun)
    }

    /// Whether this is the step that the run does or undoes now, or is stuck at.
    fn stands_at(&self, step: &Step) -> bool {
        self.brief().step == Some(step.to_string())
    }

    /// What was said of a step that the run waits for.
    pub(crate) fn acknowledged(&self, step: &Step) -> Option<String> {
        self.acknowledged.as_ref().filter(|(about, _)| about == step).map(|(_, words)| words.clone())
    }

    /// What it means that an operator acknowledges a step: a person has done what was asked for, or what is stuck is passed.
    /// `None` where the run waits for nothing of that kind there.
    pub(crate) fn acknowledge(&self, step: &Step, by: &str, note: &str) -> Option<Vec<Event>> {
        let (step, by, note) = (step.clone(), by.to_owned(), note.to_owned());
        match self.state {
            RunState::Running => {
                self.asks(&step)?;
                Some(vec![Event::Acknowledged { step, by, note }])
            }
            RunState::Stuck if self.stands_at(&step) && step.can_be_passed() => {
                let output = acknowledgement(&by, &note);
                let passed = match self.aborting {
                    true if step.is_own() => vec![Event::Undone { step, output }],
                    true => return None,
                    false => vec![Event::Began { step: step.clone() }, Event::Done { step, output }],
                };
                Some([Event::Resumed { by }].into_iter().chain(passed).collect())
            }
            _ => None,
        }
    }

    /// The customer's own steps that were begun, as they were declared.
    pub(crate) fn own_steps_begun(&self) -> Vec<Declared> {
        let begun = |own: &&Declared| {
            self.report_of(&Step::Own(own.step.name.clone())).is_some_and(|report| report.attempts > 0)
        };
        self.plan.own.iter().filter(begun).cloned().collect()
    }

    /// The customer's own steps that this run has undone.
    pub(crate) fn own_steps_undone(&self) -> impl Iterator<Item = String> {
        let undone = self.plan.own.iter().filter(|own| self.is_done(&Step::Revert(own.step.name.clone())));
        undone.map(|own| own.step.name.clone())
    }

    /// Whether it gives the service back and has an own step of this name still to undo.
    pub(crate) fn is_yet_to_undo(&self, name: &str) -> bool {
        let gives = matches!(self.plan.kind, RunKind::Deactivation | RunKind::Failback) && !self.state.is_over();
        gives && self.report_of(&Step::Revert(name.to_owned())).is_some_and(|report| report.state != StepState::Done)
    }

    /// The service is not this side's any more, and a take need not wait for what is left of this run.
    pub(crate) fn has_given(&self) -> bool {
        match self.plan.kind {
            RunKind::Failback => self.is_done(&Step::Mandate),
            // A copy that still serves would be taken for the newest.
            RunKind::Deactivation => self.is_done(&Step::Preserve),
            _ => false,
        }
    }

    /// The same, and nothing that is left of it keeps data from coming in: callers are led home, the Master is watched.
    pub(crate) fn has_handed_over(&self) -> bool {
        self.has_given() && self.is_done(&Step::Preserve)
    }

    pub(crate) fn is_aborting(&self) -> bool {
        self.aborting
    }

    /// Whether it has brought the service here, or is about to: from its first service on.
    pub(crate) fn brings_service(&self) -> bool {
        let takes = matches!(self.plan.kind, RunKind::Activation | RunKind::Takeover | RunKind::Resumption);
        let begun = |step: &Step| self.report_of(step).is_some_and(|report| report.attempts > 0);
        let serves = |step: &&Step| matches!(step, Step::Start(_) | Step::Verify);
        takes && self.state != RunState::Aborted && self.plan.steps.iter().filter(serves).any(begun)
    }

    /// When it was over.
    pub(crate) const fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }

    fn first_open(&self) -> Option<usize> {
        self.steps.iter().position(|report| report.state != StepState::Done)
    }

    fn last_begun(&self) -> Option<usize> {
        if self.tidies_up() {
            // What it has undone stays undone.
            return None;
        }
        self.steps.iter().rposition(|report| report.attempts > 0 && report.state != StepState::Undone)
    }

    fn report_of(&self, step: &Step) -> Option<&StepReport> {
        self.plan.steps.iter().position(|planned| planned == step).map(|index| &self.steps[index])
    }

    fn change(&mut self, step: &Step, change: impl FnOnce(&mut StepReport)) {
        if let Some(index) = self.plan.steps.iter().position(|planned| planned == step) {
            change(&mut self.steps[index]);
        }
    }

    fn end(&mut self, step: &Step, state: StepState, at: Timestamp, output: &str, remedy: Option<&Text>) {
        self.change(step, |report| {
            report.state = state;
            report.ended_at = Some(at);
            output.clone_into(&mut report.output);
            report.remedy = remedy.cloned();
        });
        self.acknowledged = None;
    }

    fn over(&mut self, state: RunState, at: Timestamp) {
        self.state = state;
        self.ended_at = Some(at);
    }
}

/// The words of whoever answers for a step.
fn acknowledgement(by: &str, note: &str) -> String {
    format!("acknowledged by {by}: {}", if note.is_empty() { "-" } else { note })
}

#[cfg(test)]
mod tests;
