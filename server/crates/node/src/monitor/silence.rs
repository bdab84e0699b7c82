//! When a machine that says nothing counts as silent.
//!
//! A dead machine is to be an alarm within `peer.bad` intervals of its death, and nobody knows when that was: only when it
//! was last heard, at most a beat before. So the looks at a silent machine end at whole intervals since it was last heard,
//! whatever the rhythm of the looks was before: the n-th in a row is bad when it has said nothing for n intervals. One that
//! refuses is bad at once, at the next look of that rhythm.
//!
//! What keeps a bad line from being an alarm: any word is one, the beats of the control conversation (which TCP repeats
//! within a fraction of a second) as well as the greeting that a look asks for; and every look has half an interval at
//! least, and a connection of its own. All of them must stay out for the whole time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::time::timeout;

use super::Probe;
use crate::cluster::Machine;
use crate::link::DialError;
use crate::link::message::Purpose;
use crate::mandate::file::Seat;
use crate::node::Node;

/// How long the look at a machine lasts that does not answer: until it has been silent for one more whole interval.
/// `silent` is for how long it was when the look begins, `failing` whether the look before found nobody.
fn patience(silent: Duration, failing: bool, interval: Duration) -> Duration {
    // The first look begins about an interval after the last word: a little more or less must not make it miss its mark.
    // A later one may begin shortly before the mark at which the one before it should have ended.
    let passed = silent + interval / 4;
    let marks = if failing { passed.as_nanos() / interval.as_nanos() + 1 } else { 1 };
    let mark = interval.saturating_mul(u32::try_from(marks).unwrap_or(u32::MAX));
    mark.saturating_sub(silent).max(interval / 2)
}

impl Node {
    /// Dials every other machine and hears its greeting. `begun` stands for the last word of one that was never heard,
    /// `failing` are those that were not found by the look before.
    pub(super) async fn probe(&self, interval: Duration, begun: Instant, failing: &BTreeSet<Seat>) -> Vec<Probe> {
        let Ok(machines) = self.machines().await else { return Vec::new() };
        let probes = machines.into_iter().filter_map(|machine| {
            let pair = machine.pair.clone()?;
            let last = self.book.last_life(machine.seat).map_or(begun, |life| life.max(begun));
            let patience = patience(last.elapsed(), failing.contains(&machine.seat), interval);
            Some(async move {
                let now = Instant::now();
                let answer = timeout(patience, self.greeted(&machine, &pair.fingerprint)).await;
                let heard = self.book.last_life(machine.seat).is_some_and(|life| life >= now);
                let (silent, timed_out) = match answer {
                    Ok(Err(error)) if !heard => (Some(error.to_string()), false),
                    Err(_) if !heard => (Some("no answer in time".into()), true),
                    _ => (None, false),
                };
                Probe { machine, name: pair.name, silent, timed_out }
            })
        });
        join_all(probes).await
    }

    /// Returns once a machine has greeted or something has said no; the end of the look is for the caller to say.
    async fn greeted(&self, machine: &Machine, fingerprint: &str) -> Result<(), DialError> {
        match self.dial(machine.address, Some(fingerprint), Purpose::Greet).await {
            Ok(_) => Ok(()),
            Err(DialError::Silent) => std::future::pending().await,
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INTERVAL: Duration = Duration::from_secs(1);

    /// Milliseconds from its last word to the third bad look at a machine, of which the next look begins `first` after that
    /// word, and every one after it `late` after the one before has ended; and the shortest of the looks.
    fn third_bad_look(first: u64, late: u64) -> (u64, u64) {
        let (mut at, mut shortest) = (first, u64::MAX);
        for number in 0..3 {
            let lasts = patience(Duration::from_millis(at), number > 0, INTERVAL).as_millis();
            let lasts = u64::try_from(lasts).unwrap();
            shortest = shortest.min(lasts);
            at += lasts + if number < 2 { late } else { 0 };
        }
        (at, shortest)
    }

    proptest! {
        #[test]
        fn the_third_bad_look_ends_three_intervals_after_the_last_word_and_none_is_hasty(
            first in 0_u64..=1000, late in 0_u64..100,
        ) {
            let (third, shortest) = third_bad_look(first, late);
            prop_assert_eq!(third, 3000);
            prop_assert!(shortest >= 500);
        }
    }

    #[test]
    fn one_that_was_silent_for_long_is_looked_at_once_an_interval() {
        for hours in [1_u64, 1000] {
            let mark = Duration::from_secs(hours * 3600);
            assert_eq!(patience(mark, true, INTERVAL), INTERVAL);
            assert_eq!(patience(mark + INTERVAL / 4, true, INTERVAL), INTERVAL * 3 / 4);
        }
    }
}
