//! The state of a node: it is not stored, it follows from the mandate, the gate and the open run.

use contract::NodeRole;
use contract::run::RunKind;
use contract::state::NodeState;

use super::file::{Opening, Record};
use super::rules;

/// The state that follows from what is known. `run` is the kind of the run that moves the service at this moment.
#[must_use]
pub fn state(record: &Record, boot: &str, run: Option<RunKind>) -> NodeState {
    let serves = rules::may_serve(record, boot);
    let unverified = record.opened.as_ref().is_some_and(|opened| opened.how == Opening::Unverified);
    match (record.site, &record.mandate, run) {
        (_, None, _) if record.missing => NodeState::Held,
        (site, None, _) => NodeState::initial(site),
        (NodeRole::Client, _, Some(RunKind::Activation)) => NodeState::Activating,
        (NodeRole::Client, _, Some(RunKind::Deactivation | RunKind::Failback)) => NodeState::HandingBack,
        (NodeRole::Client, ..) if serves => NodeState::Active,
        (NodeRole::Client, ..) if record.declared_lost.is_some() => NodeState::Held,
        (NodeRole::Client, ..) if record.is_holder() || !record.findings().is_empty() => NodeState::Held,
        (NodeRole::Client, ..) => NodeState::Standby,
        (NodeRole::Master, ..) if record.receiving.is_some() => NodeState::Receiving,
        (NodeRole::Master, ..) if serves && unverified => NodeState::Unverified,
        (NodeRole::Master, ..) if serves => NodeState::Serving,
        (NodeRole::Master, ..) if record.is_holder() => NodeState::Held,
        (NodeRole::Master, ..) if record.recovering => NodeState::Recovering,
        (NodeRole::Master, ..) => NodeState::Fenced,
    }
}
