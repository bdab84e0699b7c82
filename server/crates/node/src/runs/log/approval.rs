//! The second person in the log of a run: what was asked, what was answered, and what follows. Pure, like the rest.

use std::time::Duration;

use contract::Timestamp;
use contract::approval::{Approval, ApprovalState, Person, Waiting};
use serde::{Deserialize, Serialize};

use super::{Event, State};

/// What the house wanted when the button was pressed: fixed for the run, whatever is chosen later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) by: Person,
    /// For how long the other person is waited for.
    pub(crate) wait_seconds: u32,
    /// Why it could not wait, where that was said with the press.
    pub(crate) bypass: Option<String>,
}

impl Asked {
    pub(crate) fn wait(&self) -> Duration {
        Duration::from_secs(self.wait_seconds.into())
    }
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    state: ApprovalState,
    by: Option<Person>,
    reason: Option<String>,
    at: Timestamp,
}

impl Answer {
    /// The answer that came with the press.
    pub(super) fn brought(asked: &Asked, at: Timestamp) -> Option<Self> {
        let reason = asked.bypass.clone()?;
        Some(Self { state: ApprovalState::Bypassed, by: Some(asked.by.clone()), reason: Some(reason), at })
    }

    /// The answer that an event is, if it is one.
    pub(super) fn of(event: &Event, at: Timestamp) -> Option<Self> {
        let (state, by, reason) = match event {
            Event::Approved { by } => (ApprovalState::Approved, Some(by), None),
            Event::Declined { by, reason } => (ApprovalState::Declined, Some(by), Some(reason)),
            Event::Bypassed { by, reason } => (ApprovalState::Bypassed, Some(by), Some(reason)),
            Event::Lapsed => (ApprovalState::Lapsed, None, None),
            _ => return None,
        };
        Some(Self { state, by: by.cloned(), reason: reason.cloned(), at })
    }

    /// Whether the run goes on with it.
    pub(super) const fn lets_go_on(&self) -> bool {
        matches!(self.state, ApprovalState::Approved | ApprovalState::Bypassed)
    }
}

impl State {
    /// Whether the run has not begun its work: another person is to say whether it may.
    pub(crate) fn awaits_approval(&self) -> bool {
        self.plan.approval.is_some() && self.answer.is_none() && !self.aborting && !self.state.is_over()
    }

    /// Until when that person is waited for.
    fn until(&self, asked: &Asked) -> Timestamp {
        self.plan.started_at.checked_add(asked.wait()).unwrap_or(Timestamp::MAX)
    }

    /// Whether the wait is over by the clock of the machine.
    pub(crate) fn has_waited_long_enough(&self, now: Timestamp) -> bool {
        self.plan.approval.as_ref().is_some_and(|asked| now >= self.until(asked))
    }

    /// What the step has come to, once it may be passed.
    pub(crate) fn approval_seen(&self) -> Option<String> {
        let answer = self.answer.as_ref().filter(|answer| answer.lets_go_on())?;
        let by = answer.by.as_ref().map(Person::told).unwrap_or_default();
        let why = answer.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let how = if answer.state == ApprovalState::Bypassed { "without a second person, by" } else { "approved by" };
        Some(format!("{how} {by}{why}"))
    }

    /// How the approval stands, as it is told.
    pub(crate) fn approval(&self) -> Option<Approval> {
        let asked = self.plan.approval.as_ref()?;
        let unanswered = if self.awaits_approval() { ApprovalState::Waiting } else { ApprovalState::Withdrawn };
        let answer = self.answer.clone();
        Some(Approval {
            state: answer.as_ref().map_or(unanswered, |answer| answer.state),
            asked_by: asked.by.clone(),
            until: self.until(asked),
            at: answer.as_ref().map(|answer| answer.at),
            by: answer.as_ref().and_then(|answer| answer.by.clone()),
            reason: answer.and_then(|answer| answer.reason),
        })
    }

    /// The run as it waits; `None` where it does not.
    pub(crate) fn waiting(&self) -> Option<Waiting> {
        let approval = self.approval().filter(Approval::is_awaited)?;
        let (run, reason) = (self.plan.id.clone(), self.plan.reason.clone());
        Some(Waiting { run, kind: self.plan.kind, reason, approval })
    }
}
