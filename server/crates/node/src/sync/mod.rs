//! The sync of a pair: which datasets there are, who feeds them ([`source`] and [`offer`], on the Master), who keeps them ([`replica`],
//! [`learn`] and [`pull`], on the Client), what is told about them ([`report`]), what stops them ([`switch`]), and what looks after them ([`scrub`]). How bytes are captured, moved and committed is the business
//! of the crate `replication`.

pub(crate) mod admission;
pub mod ancestry;
pub(crate) mod bandwidth;
mod changes;
mod consent;
mod damage;
pub(crate) mod dataset;
pub(crate) mod generation_check;
mod kept;
pub(crate) mod learn;
mod line;
pub(crate) mod meter;
mod noting;
pub(crate) mod offer;
pub(crate) mod own;
pub(crate) mod pins;
mod points;
mod prune;
pub(crate) mod pull;
pub(crate) mod replica;
pub(crate) mod report;
mod retention;
pub(crate) mod scrub;
pub(crate) mod source;
pub(crate) mod switch;
pub(crate) mod task;
mod tidy;
mod turn;
mod verify;
mod worker;

use contract::sync::SyncError;
use contract::{Denied, Timestamp};

/// Turns an engine's error into what is shown and kept.
pub(crate) fn sync_error(error: &replication::Error, at: Timestamp) -> SyncError {
    SyncError { code: error.kind().code().to_owned(), message: told(error), at }
}

/// An error with its causes, in one line.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

/// An engine's error at the door.
pub(crate) fn denied(attempt: impl Into<String>) -> impl FnOnce(replication::Error) -> Denied {
    let attempt = attempt.into();
    move |error| Denied::failed(attempt, told(&error))
}
