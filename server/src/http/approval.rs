//! The forms of the second person: what the house wants, and what is answered to a run that waits.

use app::action::Action;
use contract::Command;
use contract::command::Secret;

use super::forms::{Fields, value};

/// The policy: the form has all of it.
pub(super) fn policy(fields: &Fields) -> Command {
    Command::ApprovalSet { activation: Some(value(fields, "activation")), wait: Some(value(fields, "wait")) }
}

/// An answer, about the run that the page showed.
pub(super) fn answer(action: Action, fields: &Fields) -> Command {
    let run = value(fields, "run");
    let reason = value(fields, "reason").trim().to_owned();
    let password = Some(Secret::new(value(fields, "password")));
    match action {
        Action::RunApprove => Command::RunApprove { run, password },
        Action::RunBypass => Command::RunBypass { run, reason, password },
        _ => Command::RunDecline { run, reason },
    }
}

/// Why a run cannot wait for the second person; a field that was left empty waits.
pub(super) fn break_glass(fields: &Fields) -> Option<String> {
    Some(value(fields, "break_glass").trim().to_owned()).filter(|reason| !reason.is_empty())
}
