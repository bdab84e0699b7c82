//! Counts what the engine reports of one piece of work, and carries the wish to stop into it.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use contract::sync::Progress;
use tokio_util::sync::CancellationToken;

/// The engine's listener for one capture, pull or verification.
#[derive(Debug)]
pub(crate) struct Meter {
    started: Instant,
    progress: Mutex<Option<replication::Progress>>,
    cancel: CancellationToken,
}

impl Meter {
    pub(crate) fn new(cancel: CancellationToken) -> Self {
        let started = Instant::now();
        Self { started, progress: Mutex::new(None), cancel }
    }

    /// Seconds since the work began.
    pub(crate) fn elapsed(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// The last report of the engine.
    pub(crate) fn raw(&self) -> Option<replication::Progress> {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the work is, with rate and remaining time.
    pub(crate) fn shown(&self) -> Option<Progress> {
        let raw = self.raw()?;
        let elapsed = self.elapsed();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate for people"
        )]
        let rate = (elapsed > 0.2 && raw.bytes_done > 0).then(|| (raw.bytes_done as f64 / elapsed) as u64);
        let left = raw.bytes_total.map(|total| total.saturating_sub(raw.bytes_done));
        Some(Progress {
            files_done: raw.files_done,
            files_total: raw.files_total,
            bytes_done: raw.bytes_done,
            bytes_total: raw.bytes_total,
            bytes_per_second: rate,
            remaining_seconds: rate.filter(|rate| *rate > 0).and_then(|rate| left.map(|left| left.div_ceil(rate))),
        })
    }
}

impl replication::Watch for Meter {
    fn progress(&self, progress: replication::Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    }

    fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}
