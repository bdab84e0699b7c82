//! When a condition becomes an alarm, and when the alarm ends: `bad` looks in a row raise it, `good` looks in a row end
//! it. Pure: it neither looks nor tells.

/// What follows from a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing.
    Nothing,
    /// The alarm begins.
    Raise,
    /// The cause came again while the alarm of this id is open.
    Repeat(String),
    /// The alarm of this id ends.
    Clear(String),
}

/// The looks at one condition so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hysteresis {
    bad: u32,
    good: u32,
    open: Option<String>,
    /// Since the alarm began, or last repeated, there was a good look.
    relaxed: bool,
}

impl Hysteresis {
    /// One whose alarm was open before a restart.
    pub(crate) fn open(id: String) -> Self {
        Self { open: Some(id), ..Self::default() }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Takes one look into account. What it asks for is asked again at the next look until [`Hysteresis::raised`] or
    /// [`Hysteresis::cleared`] says that it was written down.
    pub(crate) fn look(&mut self, is_bad: bool, bad: u32, good: u32) -> Turn {
        if is_bad {
            self.bad = self.bad.saturating_add(1);
            self.good = 0;
        } else {
            self.good = self.good.saturating_add(1);
            self.bad = 0;
            self.relaxed = true;
        }
        match &self.open {
            None if self.bad >= bad => Turn::Raise,
            Some(id) if self.good >= good => Turn::Clear(id.clone()),
            Some(id) if self.bad >= bad && self.relaxed => {
                self.relaxed = false;
                Turn::Repeat(id.clone())
            }
            _ => Turn::Nothing,
        }
    }

    /// The alarm was written down.
    pub(crate) fn raised(&mut self, id: String) {
        self.open = Some(id);
        self.relaxed = false;
    }

    /// The end of the alarm was written down.
    pub(crate) fn cleared(&mut self) {
        self.open = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Runs looks (`x` bad, `.` good) with 3 bad and 2 good; `R`aise, `C`lear, repeat `+`.
    fn run(looks: &str) -> String {
        let mut hysteresis = Hysteresis::default();
        looks
            .chars()
            .map(|look| match hysteresis.look(look == 'x', 3, 2) {
                Turn::Nothing => '-',
                Turn::Raise => {
                    hysteresis.raised("a".into());
                    'R'
                }
                Turn::Repeat(_) => '+',
                Turn::Clear(_) => {
                    hysteresis.cleared();
                    'C'
                }
            })
            .collect()
    }

    #[test]
    fn it_takes_three_bad_looks_in_a_row_to_raise_and_two_good_ones_to_clear() {
        assert_eq!(run("xxx..."), "--R-C-");
        assert_eq!(run("xx.xx.xx"), "--------", "never three in a row");
        assert_eq!(run("xxx.x..x"), "--R---C-", "one good look is not enough");
        assert_eq!(run("xxxxxx"), "--R---", "one alarm, however long it lasts");
    }

    #[test]
    fn a_flapping_cause_is_one_alarm_that_counts() {
        assert_eq!(run("xxx.xxx.xxx.."), "--R---+---+-C");
    }

    proptest! {
        #[test]
        fn alarms_begin_and_end_in_turn_whatever_is_seen(looks in "[x.]{0,200}") {
            let mut open = false;
            for turn in run(&looks).chars() {
                match turn {
                    'R' => { prop_assert!(!open); open = true; }
                    'C' => { prop_assert!(open); open = false; }
                    '+' => prop_assert!(open),
                    _ => {}
                }
            }
        }
    }
}
