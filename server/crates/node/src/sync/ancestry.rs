//! Which content may replace which, as pure decisions: what runs here is what a model checks.

use std::time::Duration;

use contract::{Rule, Timestamp};

/// Whether a source gives data to whoever has this content. `known` is whether the source has recorded that it once offered
/// it; `given_up` that an operator there has given it up. Whoever has nothing has nothing to lose.
#[must_use]
pub const fn admits(content: Option<&str>, known: bool, given_up: bool) -> bool {
    content.is_none() || known || given_up
}

/// Whether a consent covers what is here now: it names one content, and does not wait for ever.
#[must_use]
pub fn covers(named: &str, given_at: Timestamp, here: &str, now: Timestamp, valid: Duration) -> bool {
    let age = now.duration_since(given_at);
    // A clock that was set back makes no consent older than it is, nor younger for long.
    named == here && age.unsigned_abs() <= valid
}

/// A copy that an operator has given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenUp {
    /// The generation that is kept whatever the policy says, before anything is asked for in its place.
    pub keeps: u64,
    /// What comes in its place has a larger number than this.
    pub beyond: u64,
}

/// What follows from a consent for the generation that is `here`, while it covers that. `highest` is the highest generation
/// that this node has of anything.
#[must_use]
pub fn given_up(covered: bool, here: u64, highest: Option<u64>) -> Option<GivenUp> {
    covered.then(|| GivenUp { keeps: here, beyond: highest.map_or(here, |highest| highest.max(here)) })
}

/// The generations that an activation from an older one does not use, of those that are here: they are kept with it, until
/// the way back is done.
#[must_use]
pub fn skipped(here: impl IntoIterator<Item = u64>, chosen: u64) -> Vec<u64> {
    here.into_iter().filter(|generation| *generation > chosen).collect()
}

/// The number of a new generation: more than any that the source has given, and than the one that was given up for it.
#[must_use]
pub fn next_generation(given: Option<u64>, given_up: Option<u64>) -> u64 {
    given.max(given_up).unwrap_or(0) + 1
}

/// Whether a source has content that what comes home does not build upon: neither what it gave for the copy that served, nor
/// the newest that it gave.
#[must_use]
pub fn is_tail(live: &str, base: &str, newest: Option<&str>) -> bool {
    live != base && newest != Some(live)
}

/// Whether a failed sync means that the replica is held: only an operator can replace what is here.
#[must_use]
pub fn holds(code: &str) -> bool {
    code == Rule::SyncContentUnknown.as_str() || code == "generation_not_newer"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_offered_or_given_up_is_replaced() {
        assert!(admits(None, false, false), "nothing is lost where nothing is");
        assert!(admits(Some("a"), true, false) && admits(Some("a"), false, true));
        assert!(!admits(Some("a"), false, false));
    }

    #[test]
    fn a_consent_is_about_one_content_and_one_hour() {
        let at: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let hour = Duration::from_secs(3600);
        let later = |minutes: i64| at + jiff::SignedDuration::from_mins(minutes);
        assert!(covers("a", at, "a", later(59), hour));
        assert!(!covers("a", at, "b", later(1), hour) && !covers("a", at, "a", later(61), hour));
        assert!(!covers("a", at, "a", later(-61), hour), "by a clock that was set back");
    }

    #[test]
    fn what_the_master_wrote_last_is_a_tail_unless_the_dr_has_it() {
        assert!(!is_tail("a", "a", None) && !is_tail("b", "a", Some("b")));
        assert!(is_tail("b", "a", None) && is_tail("c", "a", Some("b")));
    }

    #[test]
    fn what_is_given_up_or_skipped_is_kept_and_what_comes_goes_beyond_it() {
        assert_eq!(given_up(false, 7, Some(9)), None, "nobody gave that up");
        assert_eq!(given_up(true, 7, Some(9)), Some(GivenUp { keeps: 7, beyond: 9 }));
        assert_eq!(given_up(true, 7, None), Some(GivenUp { keeps: 7, beyond: 7 }));
        assert_eq!((skipped([5, 7, 9], 7), skipped([5, 7], 7)), (vec![9], vec![]));
    }

    #[test]
    fn what_replaces_a_content_is_newer_than_it() {
        assert_eq!(next_generation(None, None), 1);
        assert_eq!(next_generation(Some(3), None), 4);
        assert_eq!(next_generation(Some(3), Some(42)), 43);
        assert_eq!(next_generation(Some(50), Some(42)), 51);
    }
}
