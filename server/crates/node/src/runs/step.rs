//! What a step is to the engine: observed, done, undone; and how one stops short.

use std::sync::Arc;

use contract::run::RunKind;
use contract::{Denied, Failure, Lang, Refused, Text};

use super::Run;
use super::failback::told_contents;
use super::log::Plan;
use super::procedure::Step;
use crate::node::Node;
use crate::own_steps::Way;

/// Why a step did not come to its end, and what an operator can do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stop {
    /// In the words of whatever said no.
    pub(super) output: String,
    pub(super) remedy: Text,
}

impl Stop {
    pub(super) fn new(output: impl Into<String>, remedy: Text) -> Self {
        Self { output: output.into(), remedy }
    }

    /// Guards that said no.
    pub(super) fn refused(list: &[Refused]) -> Self {
        let output: Vec<String> = list.iter().map(|refused| format!("{}@{}", refused.rule, refused.subject)).collect();
        let words = |lang| {
            let findings = list.iter().map(|refused| refused.finding(lang));
            findings.map(|finding| format!("{} {}", finding.message, finding.remedy)).collect::<Vec<_>>().join(" ")
        };
        Self::new(output.join(", "), Text::new(words(Lang::It), words(Lang::En)))
    }

    /// Something that did not work.
    pub(super) fn failed(failure: &Failure) -> Self {
        Self::new(format!("{}: {}", failure.attempt, failure.cause), try_again())
    }
}

impl From<Denied> for Stop {
    fn from(denied: Denied) -> Self {
        match &denied {
            Denied::Refused(list) => Self::refused(list),
            Denied::Failed(failure) => Self::failed(failure),
            Denied::Invalid(_) => Self::new(denied.text(Lang::En), try_again()),
        }
    }
}

/// The remedy of what has no better one.
pub(super) fn try_again() -> Text {
    Text::new(
        "Leggere l'errore, correggerne la causa, poi premere Riprendi (tvox-dr run resume).",
        "Read the error, correct its cause, then resume (tvox-dr run resume).",
    )
}

/// What a step says when it is done: the last words of what it did.
pub(super) type Seen = Option<String>;

impl Node {
    /// Looks whether a step is done.
    pub(super) async fn observe_step(&self, run: &Run, plan: &Plan, step: &Step) -> Result<Seen, Stop> {
        match step {
            Step::Approval => Ok(self.approval_is_given(run)),
            Step::CloseInbound => self.inbound_is_closed(),
            Step::Point => self.point_is_sound(plan).await,
            Step::PowerOff(ip) => Ok(self.is_powered_off(ip).await),
            Step::Evidence => Ok(run.testify(|testimony| testimony.summary())),
            Step::Mandate => Ok(self.mandate_is_written(plan)),
            Step::PutBack => Ok(self.is_put_back()),
            Step::Freeze => self.data_is_writable(plan).await,
            Step::Suspend => Ok(self.suspension_is(true)),
            Step::Resume => Ok(self.suspension_is(false)),
            Step::Start(name) => self.service_is_up(plan, name).await,
            Step::Stop(name) => self.service_is_down(plan, name).await,
            Step::Verify => self.services_are_up(plan).await,
            // A look is the whole of it.
            Step::Telephony => Ok(None),
            Step::Ledger => Ok(self.ledger_is_settled(run, plan)),
            Step::Preserve => self.data_is_preserved().await,
            Step::Receive => self.master_receives(plan).await,
            Step::Bring => Ok(run.travel(|travel| travel.is_brought().then(|| travel.summary()))),
            Step::LastDelta => Ok(run.look(|state| state.contents.as_ref().map(told_contents))),
            Step::Compare => Ok(run.travel(|travel| travel.is_compared().then(String::new))),
            Step::Home => Ok(self.master_has_settled(plan).await),
            Step::Served => Ok(self.master_serves(plan).await.then(String::new)),
            Step::Stable => Ok(self.master_has_served(run, plan)),
            // Nothing of it is to be seen afterwards.
            Step::DrillCopy | Step::DrillClear | Step::DrillReady => Ok(None),
            Step::Own(_) => self.own_step_is(run, plan, step, Way::There).await,
            Step::Revert(_) => self.own_step_is(run, plan, step, Way::Back).await,
        }
    }

    /// Does a step, and gives back the last words of what it did. It may have been done before, in part or wholly.
    pub(super) async fn do_step(self: &Arc<Self>, run: &Arc<Run>, plan: &Plan, step: &Step) -> Result<String, Stop> {
        let done = match step {
            Step::Approval => self.await_approval(run, plan).await,
            Step::CloseInbound => self.close_inbound().await,
            Step::Point => self.read_point(run, plan).await,
            Step::PowerOff(ip) => return self.power_off(ip).await,
            Step::Evidence => self.gather_evidence(run, plan).await,
            Step::Mandate => self.write_mandate(run, plan).await,
            Step::PutBack => self.await_put_back().await,
            Step::Freeze => self.make_data_writable(plan).await,
            Step::Suspend => self.set_suspended(true).await,
            Step::Resume => self.set_suspended(false).await,
            Step::Start(name) => return self.bring_up(plan, name).await,
            Step::Stop(name) => return self.take_down(plan, name).await,
            Step::Verify => self.await_services(plan).await,
            Step::Telephony => return self.prove_telephony(run, plan).await,
            Step::Ledger => self.write_ledger(run, plan).await,
            Step::Preserve => self.preserve_data().await,
            Step::Receive => self.let_master_receive(run, plan).await,
            Step::Bring => self.bring_all(run, plan).await,
            Step::LastDelta => self.bring_the_last(run, plan).await,
            Step::Compare => self.compare_with_master(run, plan).await,
            Step::Home => self.await_settled(plan).await,
            Step::Served => self.await_service(plan).await,
            Step::Stable => self.watch_master_serve(run, plan).await,
            Step::DrillCopy => return self.rehearse_all(run, plan).await,
            Step::DrillClear => self.drop_rehearsals(plan).await,
            Step::DrillReady => self.look_whether_ready().await,
            Step::Own(_) => return self.take_own_step(run, plan, step, Way::There).await,
            Step::Revert(_) => return self.take_own_step(run, plan, step, Way::Back).await,
        };
        done.map(|()| String::new())
    }

    /// Whether the services that a run stops are to run when it is given up: not those of a DR that was suspended before,
    /// nor while the gate is not open; whoever opens it starts them.
    fn were_up(&self, plan: &Plan) -> bool {
        let suspended = plan.kind != RunKind::Suspension && self.book.look(|record| record.suspended);
        self.may_serve() && !suspended
    }

    /// Takes a step back. It may not have been done at all.
    pub(super) async fn undo_step(&self, run: &Run, plan: &Plan, step: &Step) -> Result<(), Stop> {
        match step {
            // Without an open run pulls begin again by themselves; a word that was given is forgotten with the run, and
            // what was only looked at needs nothing.
            Step::Approval
            | Step::CloseInbound
            | Step::Point
            | Step::Evidence
            | Step::Verify
            | Step::Telephony
            | Step::Ledger
            | Step::DrillClear
            | Step::DrillReady => Ok(()),
            Step::DrillCopy => self.drop_rehearsals(plan).await,
            // Left off: whether it may come back is for an operator to say (`power on`), not for a run that was given up.
            Step::PowerOff(_) => Ok(()),
            // Never reached: a run with its mandate written cannot be given up, and without it there is nothing to undo.
            Step::Mandate
            | Step::PutBack
            | Step::Freeze
            | Step::Preserve
            | Step::Home
            | Step::Served
            | Step::Stable
            | Step::Own(_) => Ok(()),
            // The Master hears that nothing comes any more, and puts everything back as it was.
            Step::Receive | Step::Bring | Step::LastDelta | Step::Compare => Ok(()),
            Step::Suspend => self.set_suspended(false).await,
            Step::Resume => self.set_suspended(true).await,
            Step::Start(name) => self.take_down(plan, name).await.map(drop),
            Step::Stop(name) if self.were_up(plan) => self.bring_up(plan, name).await.map(drop),
            Step::Stop(_) => Ok(()),
            Step::Revert(_) => self.retake_own_step(run, plan, step).await,
        }
    }
}
