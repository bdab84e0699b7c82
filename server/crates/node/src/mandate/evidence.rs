//! What evidence is worth, as pure decisions: what it may stand on, and when that no longer holds. Looking, asking and
//! counting seconds is the business of the runs.

use contract::isolation::IsolationOutcome;

use super::file::Record;

/// What the evidence about one machine stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ground {
    /// It was silent, and was seen off or an operator says that it is: a sign of life makes this void.
    Quiet,
    /// It has stood down: as long as it goes on saying so.
    StoodDown,
    /// It is known to be alive, and an operator has passed that.
    Passed,
}

/// What was heard of that machine since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Since {
    /// It has proved to be alive.
    pub lived: bool,
    /// Its last word, of just now, is that it stands down.
    pub stands_down: bool,
}

impl Ground {
    /// What there is of a machine that was found like this; `None` where that is no evidence. `vouched` is whether an
    /// operator says that it is off, `passed` whether one goes past its being alive.
    #[must_use]
    pub const fn of(outcome: IsolationOutcome, vouched: bool, passed: bool) -> Option<Self> {
        match outcome {
            IsolationOutcome::Alive if passed => Some(Self::Passed),
            // Whoever has yielded goes on talking.
            IsolationOutcome::Fenced => Some(Self::StoodDown),
            IsolationOutcome::AlreadyDown | IsolationOutcome::PoweredOff => Some(Self::Quiet),
            IsolationOutcome::Unreachable if vouched => Some(Self::Quiet),
            // Silence is no evidence, and a word against a living machine none either.
            IsolationOutcome::Unreachable | IsolationOutcome::Alive => None,
        }
    }

    /// Whether it still holds.
    #[must_use]
    pub const fn holds(self, since: Since) -> bool {
        match self {
            Self::Quiet => !since.lived,
            Self::StoodDown => since.stands_down,
            Self::Passed => true,
        }
    }
}

/// Whether a mandate may be written on evidence that was found while `head` was the newest known: there is some of every
/// machine, all of it still holds, and nobody has learnt of another mandate since.
#[must_use]
pub fn holds(head: Option<&str>, record: &Record, found: impl IntoIterator<Item = (Option<Ground>, Since)>) -> bool {
    let same = record.mandate.as_ref().map(|mandate| mandate.id.as_str()) == head;
    same && found.into_iter().all(|(ground, since)| ground.is_some_and(|ground| ground.holds(since)))
}

#[cfg(test)]
mod tests {
    use contract::NodeRole;

    use super::*;

    const SILENT: Since = Since { lived: false, stands_down: false };
    const SPOKE: Since = Since { lived: true, stands_down: false };
    const STANDS_DOWN: Since = Since { lived: true, stands_down: true };

    #[test]
    fn silence_alone_is_no_evidence_and_a_word_about_a_living_machine_none_either() {
        assert_eq!(Ground::of(IsolationOutcome::Unreachable, false, true), None);
        assert_eq!(Ground::of(IsolationOutcome::Unreachable, true, false), Some(Ground::Quiet));
        assert_eq!(Ground::of(IsolationOutcome::Alive, true, false), None);
        assert_eq!(Ground::of(IsolationOutcome::Alive, false, true), Some(Ground::Passed));
        assert_eq!(Ground::of(IsolationOutcome::Fenced, false, false), Some(Ground::StoodDown));
    }

    #[test]
    fn a_sign_of_life_voids_silence_and_a_yield_lasts_as_long_as_it_is_said() {
        assert!(Ground::Quiet.holds(SILENT) && !Ground::Quiet.holds(SPOKE) && !Ground::Quiet.holds(STANDS_DOWN));
        assert!(Ground::StoodDown.holds(STANDS_DOWN) && !Ground::StoodDown.holds(SPOKE));
        assert!(Ground::Passed.holds(SPOKE));
    }

    #[test]
    fn evidence_is_of_every_machine_and_of_one_mandate() {
        let record = Record::new("c", "roma", NodeRole::Client);
        let quiet = (Some(Ground::Quiet), SILENT);
        assert!(holds(None, &record, [quiet, quiet]));
        assert!(!holds(None, &record, [quiet, (None, SILENT)]), "nothing is known of the other one");
        assert!(!holds(None, &record, [quiet, (Some(Ground::StoodDown), SPOKE)]));
        assert!(!holds(Some("m1"), &record, [quiet]), "another mandate was the newest then");
    }
}
