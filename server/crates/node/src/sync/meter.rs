//! Counts what the engine reports of one piece of work, and carries the wish to stop into it. It refuses to tell a rate
//! that belongs to another part of the work, and to begin anew at nothing when a copy has arrived and is being put away.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use contract::sync::Progress;
use replication::Phase;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The engine's listener for one capture, pull or verification.
#[derive(Debug)]
pub(crate) struct Meter {
    started: Instant,
    seen: Mutex<Seen>,
    cancel: CancellationToken,
    most: Option<u64>,
    exceeded: Notify,
}

/// What the engine said.
#[derive(Debug, Default)]
struct Seen {
    last: Option<replication::Progress>,
    pace: Pace,
}

impl Seen {
    fn take(&mut self, progress: replication::Progress, at: Duration) {
        let arrived = matches!(progress.phase, Phase::Building | Phase::Committing);
        if let Some(last) = self.last.filter(|last| arrived && last.phase == Phase::Transferring) {
            // What was to come has come. Putting it away has other totals, which mean nothing to who waits for bytes.
            let done = |total: Option<u64>, done: u64| total.unwrap_or(done);
            let files_done = done(last.files_total, last.files_done);
            let bytes_done = done(last.bytes_total, last.bytes_done);
            self.last = Some(replication::Progress { files_done, bytes_done, ..last });
            return;
        }
        if self.last.is_none_or(|last| last.phase != progress.phase) {
            self.pace = Pace::default();
        }
        self.pace.note(at, progress.bytes_done);
        self.last = Some(progress);
    }
}

/// The rate of the last seconds: one that follows a changed line, and does not jump with each file.
#[derive(Debug, Default)]
struct Pace(VecDeque<(Duration, u64)>);

impl Pace {
    /// How far back it looks.
    const WINDOW: Duration = Duration::from_secs(10);
    /// How often it looks.
    const STEP: Duration = Duration::from_millis(250);
    /// Shorter than this it knows nothing.
    const LEAST: Duration = Duration::from_millis(200);

    fn note(&mut self, at: Duration, bytes: u64) {
        if self.0.back().is_none_or(|(last, _)| at.saturating_sub(*last) >= Self::STEP) {
            self.0.push_back((at, bytes));
        }
        // The one before the window stays: what came since then is what is measured.
        while self.0.get(1).is_some_and(|(second, _)| at.saturating_sub(*second) >= Self::WINDOW) {
            self.0.pop_front();
        }
    }

    /// Bytes a second until `now`, at which so many are done; silence since the last report counts.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate for people"
    )]
    fn rate(&self, now: Duration, bytes: u64) -> Option<u64> {
        let (from, before) = self.0.front()?;
        let time = now.saturating_sub(*from);
        let rate = || (bytes.saturating_sub(*before) as f64 / time.as_secs_f64()) as u64;
        (time > Self::LEAST && bytes > 0).then(rate)
    }
}

impl Meter {
    pub(crate) fn new(cancel: CancellationToken) -> Self {
        Self::up_to(None, cancel)
    }

    /// One that tells when more bytes than that are to be fetched.
    pub(super) fn up_to(most: Option<u64>, cancel: CancellationToken) -> Self {
        Self { started: Instant::now(), seen: Mutex::default(), cancel, most, exceeded: Notify::new() }
    }

    /// Comes to its end when it is known that there is more to fetch than there may be.
    pub(super) async fn exceeded(&self) {
        self.exceeded.notified().await;
    }

    /// Seconds since the work began.
    pub(crate) fn elapsed(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// The last report of the engine.
    pub(crate) fn raw(&self) -> Option<replication::Progress> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).last
    }

    /// How far the work is, with rate and remaining time.
    pub(crate) fn shown(&self) -> Option<Progress> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let raw = seen.last?;
        let rate = seen.pace.rate(self.started.elapsed(), raw.bytes_done);
        // While it is found out what must come, the whole content is no total of it.
        let counting = raw.phase == Phase::Planning;
        let left = raw.bytes_total.filter(|_| !counting).map(|total| total.saturating_sub(raw.bytes_done));
        Some(Progress {
            files_done: raw.files_done,
            files_total: raw.files_total,
            bytes_done: raw.bytes_done,
            bytes_total: raw.bytes_total.filter(|_| !counting),
            bytes_per_second: rate,
            remaining_seconds: rate.filter(|rate| *rate > 0).and_then(|rate| left.map(|left| left.div_ceil(rate))),
        })
    }
}

impl replication::Watch for Meter {
    fn progress(&self, progress: replication::Progress) {
        let at = self.started.elapsed();
        let more =
            |most| progress.phase == Phase::Transferring && progress.bytes_total.is_some_and(|total| total > most);
        if self.most.is_some_and(more) {
            self.exceeded.notify_one();
        }
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).take(progress, at);
    }

    fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(phase: Phase, bytes_done: u64, bytes_total: u64) -> replication::Progress {
        replication::Progress { phase, files_done: 0, files_total: Some(1), bytes_done, bytes_total: Some(bytes_total) }
    }

    fn second(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let mut pace = Pace::default();
        (0..=100).for_each(|n| pace.note(second(n), n * 1_000));
        assert_eq!(pace.rate(second(100), 100_000), Some(1_000));
        // The line becomes ten times as fast; ten seconds later nothing is left of the past.
        (101..=110).for_each(|n| pace.note(second(n), 100_000 + (n - 100) * 10_000));
        assert_eq!(pace.rate(second(110), 200_000), Some(10_000));
        // Nothing comes any more: the rate goes down, and no report is needed for it.
        assert_eq!(pace.rate(second(120), 200_000), Some(5_000));
        assert!(pace.0.len() < 60, "{}", pace.0.len());
    }

    #[test]
    fn a_moment_is_not_enough_for_a_rate() {
        let mut pace = Pace::default();
        pace.note(second(1), 0);
        assert_eq!(pace.rate(second(1) + Duration::from_millis(100), 1 << 30), None);
        assert_eq!(Pace::default().rate(second(5), 1), None);
    }

    #[test]
    fn a_copy_that_has_arrived_stays_at_its_end_until_it_is_put_away() {
        let mut seen = Seen::default();
        seen.take(told(Phase::Planning, 70, 100), second(0));
        seen.take(told(Phase::Transferring, 0, 30), second(1));
        seen.take(told(Phase::Transferring, 29, 30), second(2));
        for phase in [Phase::Building, Phase::Committing] {
            seen.take(told(phase, 0, 100), second(3));
            let last = seen.last.unwrap();
            assert_eq!((last.phase, last.bytes_done, last.bytes_total), (Phase::Transferring, 30, Some(30)));
        }
        // A verification has its own totals.
        seen.take(told(Phase::Verifying, 1, 100), second(4));
        assert_eq!(seen.last.map(|last| last.bytes_total), Some(Some(100)));
    }
}
