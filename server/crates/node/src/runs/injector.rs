//! Bad days on purpose, for tests: `TVOX_DR_TEST_STEP=fail:ID` lets the first attempt at a step fail before anything was
//! done, `fail_after:ID` when it was done and nobody has written that down, `twice` does every step twice,
//! `kill:ID:before|after_do|after_event` ends the process there as `kill -9` would. An undo is called `undo:ID`; what the
//! Master does to put content in its place is `settle`. `*` is every step, `undo:*` every undo: a test that goes through
//! all of them leaves none out that is new. A release has none of it.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::step::Stop;

/// When, within an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// It is written down that the attempt began.
    Before,
    /// It was done, and nobody has written it down. One that failed has done nothing to die after.
    AfterDo,
    /// That it is done is written down.
    AfterEvent,
}

/// Whether everything is to be done twice.
pub(super) fn twice() -> bool {
    told().is_some_and(|told| told == "twice")
}

/// Fails once before anything was done, where that was asked for.
pub(super) fn fail(id: &str) -> Result<(), Stop> {
    fail_once("fail", id)
}

/// Fails once after it was done, where that was asked for.
pub(super) fn fail_after(id: &str) -> Result<(), Stop> {
    fail_once("fail_after", id)
}

fn fail_once(when: &str, id: &str) -> Result<(), Stop> {
    static FAILED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let asked = told().is_some_and(|told| told.split_once(':').is_some_and(|(day, of)| day == when && means(of, id)));
    if asked && FAILED.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned()) {
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
    let dies = |told: String| {
        let (of, at) = told.strip_prefix("kill:")?.rsplit_once(':')?;
        Some(at == word && means(of, id))
    };
    if told().and_then(dies).unwrap_or_default() {
        std::process::abort();
    }
}

/// Whether a bad day of this name is one of that step.
fn means(asked: &str, id: &str) -> bool {
    match asked {
        "*" => !id.starts_with("undo:") && id != "settle",
        "undo:*" => id.starts_with("undo:"),
        asked => asked == id,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_every_step_and_nothing_that_is_called_otherwise() {
        assert!(means("*", "start:pbx") && means("start:pbx", "start:pbx") && !means("start:pbx", "start:db"));
        assert!(!means("*", "undo:start:pbx") && means("undo:*", "undo:start:pbx") && !means("undo:*", "start:pbx"));
        assert!(!means("*", "settle") && means("settle", "settle"));
    }
}
