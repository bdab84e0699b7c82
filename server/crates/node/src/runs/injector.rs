//! Bad days on purpose, for tests: `TVOX_DR_TEST_STEP=fail:ID` lets the first attempt at a step fail, `twice` does every
//! step twice, `kill:ID:before|after_do|after_event` ends the process there as `kill -9` would. An undo is called
//! `undo:ID`; what the Master does to put content in its place is `settle`. A release has none of it.

use std::sync::atomic::{AtomicBool, Ordering};

use super::step::Stop;

/// When, within an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// It is written down that the attempt began.
    Before,
    /// It was done, and nobody has written it down.
    AfterDo,
    /// That it is done is written down.
    AfterEvent,
}

/// Whether everything is to be done twice.
pub(super) fn twice() -> bool {
    told().is_some_and(|told| told == "twice")
}

/// Fails once, where that was asked for.
pub(super) fn fail(id: &str) -> Result<(), Stop> {
    static DONE: AtomicBool = AtomicBool::new(false);
    let asked = told().is_some_and(|told| told.strip_prefix("fail:") == Some(id));
    if asked && !DONE.swap(true, Ordering::Relaxed) {
        return Err(Stop::new("a test wants it to fail", super::step::try_again()));
    }
    Ok(())
}

/// Ends the process, where that was asked for.
pub(crate) fn kill(id: &str, moment: Moment) {
    let word = match moment {
        Moment::Before => "before",
        Moment::AfterDo => "after_do",
        Moment::AfterEvent => "after_event",
    };
    let place = format!("{id}:{word}");
    if told().is_some_and(|told| told.strip_prefix("kill:") == Some(&place)) {
        std::process::abort();
    }
}

#[cfg(debug_assertions)]
fn told() -> Option<String> {
    std::env::var("TVOX_DR_TEST_STEP").ok()
}

#[cfg(not(debug_assertions))]
const fn told() -> Option<String> {
    None
}
