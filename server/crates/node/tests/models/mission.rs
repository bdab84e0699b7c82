//! A run of a model, as the rules of the product see it.

use contract::run::RunKind;
use node::mandate::mission::{Mission, Next};

/// The id of the mandate of that number.
pub fn mandate_id(number: u8) -> String {
    format!("m{number}")
}

/// A run at its work; `written` is the number of the mandate that it has written.
pub fn mission(kind: RunKind, written: Option<u8>, next: Next) -> Mission {
    let mandate = written.map(mandate_id).unwrap_or_default();
    Mission { kind, mandate, written: written.is_some(), awaits_approval: false, aborting: false, next, rescued: None }
}
