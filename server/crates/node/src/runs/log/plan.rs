//! What a run sets out to do.

use std::time::Duration;

use contract::Timestamp;
use contract::mandate::Tombstone;
use contract::own_step::OwnStep;
use contract::preflight::{Loss, Override};
use contract::run::RunKind;
use contract::service::Service;
use contract::telephony::{Expected, Telephony};
use serde::{Deserialize, Serialize};

use super::Asked;
use crate::own_steps::Declared;
use crate::runs::older_point::Chosen;
use crate::runs::procedure::Step;

/// What a run sets out to do, fixed when the button is pressed. An operator's word for a machine is not in it: evidence is
/// perishable and lives in memory only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) id: String,
    pub(crate) kind: RunKind,
    pub(crate) operator: String,
    /// The operator and where they sat.
    pub(crate) started_by: String,
    pub(crate) reason: String,
    pub(crate) started_at: Timestamp,
    pub(crate) steps: Vec<Step>,
    /// The id of the mandate that will be written; chosen now, so that after a crash it is known whether it was.
    pub(crate) mandate: String,
    /// This side held the mandate already: what it serves from is kept.
    pub(crate) was_holder: bool,
    /// The last `tvox-dr rescue open` before it.
    #[serde(default)]
    pub(crate) rescued: Option<String>,
    pub(crate) services: Vec<Service>,
    /// The customer's own steps, in the order of an activation.
    #[serde(default)]
    pub(crate) own: Vec<Declared>,
    /// What proves that calls can be made.
    #[serde(default)]
    pub(crate) telephony: Telephony,
    /// How many phones were expected.
    #[serde(default)]
    pub(crate) expected: Option<Expected>,
    pub(crate) datasets: Vec<String>,
    pub(crate) overrides: Vec<Override>,
    /// The restore point to go back to; `None` for the last complete generations.
    #[serde(default)]
    pub(crate) point: Option<Chosen>,
    /// To lose what the preflight listed, or to discard what was made on the DR.
    pub(crate) consent: bool,
    pub(crate) loss: Vec<Loss>,
    /// The second person, where the house wanted one when the button was pressed.
    #[serde(default)]
    pub(crate) approval: Option<Asked>,
    /// Failback: the datasets that do not travel.
    #[serde(default)]
    pub(crate) discard: Vec<String>,
    /// Failback: to replace what the Master wrote last.
    #[serde(default)]
    pub(crate) replace_tail: bool,
    /// The node id of one machine of a site of two: failback, the one that takes the content in; retirement, the one that is
    /// declared lost alone.
    #[serde(default)]
    pub(crate) member: Option<String>,
    /// Failback: seconds for which the Master must serve.
    #[serde(default)]
    pub(crate) stable_seconds: u32,
    /// The machines that its mandate declares lost.
    #[serde(default)]
    pub(crate) retires: Vec<Tombstone>,
}

impl Plan {
    /// For how long the Master must serve before a failback is done.
    pub(crate) fn stable(&self) -> Duration {
        Duration::from_secs(self.stable_seconds.into())
    }

    /// The one member that it declares lost.
    pub(crate) fn retired_member(&self) -> Option<&str> {
        self.member.as_deref().filter(|_| self.kind == RunKind::Retirement)
    }

    /// What a step of the customer's own was declared as.
    pub(crate) fn own_step(&self, step: &Step) -> Option<&OwnStep> {
        self.declared(step).map(|declared| &declared.step)
    }

    /// The same with what only the machine itself can read.
    pub(crate) fn declared(&self, step: &Step) -> Option<&Declared> {
        step.declared_in(&self.own)
    }
}
