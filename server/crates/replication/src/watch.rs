//! How a caller follows and stops a piece of work. It refuses to know who is watching: panel, log, test or nobody.

use crate::difference::Difference;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::ContentId;

/// What is going on now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Walking the source and hashing what changed; totals unknown.
    Scanning,
    /// Comparing what is offered with what is here.
    Planning,
    /// Bytes travel; totals are known.
    Transferring,
    /// The tree of the new generation is put together.
    Building,
    /// Made durable and visible.
    Committing,
    /// Re-reading and re-hashing.
    Verifying,
}

/// How far it is. Totals are `None` only in [`Phase::Scanning`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is going on.
    pub phase: Phase,
    /// Files finished.
    pub files_done: u64,
    /// Files in all.
    pub files_total: Option<u64>,
    /// Bytes finished (of content, before compression).
    pub bytes_done: u64,
    /// Bytes in all.
    pub bytes_total: Option<u64>,
}

/// A place where a crash must do no harm; tests stop or kill the process at each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Point {
    /// Source: the scan is complete.
    Captured,
    /// Source: the manifest is on the wire.
    Offered,
    /// Source: one object is on the wire.
    ObjectSent,
    /// Replica: the manifest has arrived whole.
    ManifestReceived,
    /// Replica: it is known what must travel.
    Planned,
    /// Replica: one object is complete in the stage.
    ObjectStaged,
    /// Replica: everything is in the stage.
    Transferred,
    /// Replica: half of a spare tree is made, or changed to what the newest generation holds.
    SpareHalfMade,
    /// Replica: a spare tree has got its name.
    SpareMade,
    /// Replica: a spare tree has lost its name to become the next generation.
    SpareTaken,
    /// Replica: half of the tree is built (of a generation, or of the copy that is to serve).
    TreeHalfBuilt,
    /// Replica: the tree is complete, metadata included.
    TreeBuilt,
    /// Replica: the record is written inside the hidden tree's directory.
    RecordWritten,
    /// Replica: all content of the new tree is durable.
    Synced,
    /// Replica: the generation has its final name: it is committed.
    Committed,
    /// Replica: readers see it.
    Flipped,
    /// Replica: the stage is empty again.
    Cleaned,
    /// Replica: a repaired tree has taken the place of a damaged one.
    Repaired,
    /// Replica: a generation to be pruned, or a DR restore point to be dropped, has lost its name.
    PruneRenamed,
    /// Replica: the copy that is to serve has its final name: it is promoted.
    Promoted,
    /// Replica: the copy that served is recorded as handed back.
    HandedBack,
    /// Source: what does not stay is put away.
    Cleared,
    /// Source: everything that came home has its name.
    TakenIn,
}

impl Point {
    /// Every point, for tests that visit them all.
    pub const ALL: &[Point] = &[
        Self::Captured,
        Self::Offered,
        Self::ObjectSent,
        Self::ManifestReceived,
        Self::Planned,
        Self::ObjectStaged,
        Self::Transferred,
        Self::SpareHalfMade,
        Self::SpareMade,
        Self::SpareTaken,
        Self::TreeHalfBuilt,
        Self::TreeBuilt,
        Self::RecordWritten,
        Self::Synced,
        Self::Committed,
        Self::Flipped,
        Self::Cleaned,
        Self::Repaired,
        Self::PruneRenamed,
        Self::Promoted,
        Self::HandedBack,
        Self::Cleared,
        Self::TakenIn,
    ];
}

/// The caller's eye on a piece of work. All methods must return quickly.
pub trait Watch: Send + Sync {
    /// Called at least once a phase, and every MiB or 100 files.
    fn progress(&self, _progress: Progress) {}

    /// Polled at least once a MiB or 100 files; `true` ends the work with [`ErrorKind::Cancelled`].
    fn cancelled(&self) -> bool {
        false
    }

    /// Source only: a content id is about to be told to the peer. Record it durably first; an error refuses the offer.
    ///
    /// Called once for the capture.
    fn offering(&self, _content: ContentId) -> std::io::Result<()> {
        Ok(())
    }

    /// Source only: files changed while they travelled, and the replica will hold this content instead of the one that
    /// was offered. Record it durably first; an error refuses it. A number: the generation of this content, greater than
    /// the one that was given to [`Capture::serve`](crate::Capture::serve); `None`: it goes under that one.
    fn amending(&self, content: ContentId) -> std::io::Result<Option<u64>> {
        self.offering(content).map(|()| None)
    }

    /// Replica only: this was found damaged on its own disk, and is about to be repaired. Note it durably first: a crash
    /// while it is repaired leaves nothing to find.
    fn damaged(&self, _found: &[Difference]) {}

    /// A crash point was reached; `false` stops there at once, without any cleaning up, as a crash would.
    fn reached(&self, _point: Point) -> bool {
        true
    }
}

/// Nobody is watching.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watch for Unwatched {}

/// Counts work and polls the caller at the promised rate.
pub(crate) struct Tally<'a> {
    watch: &'a dyn Watch,
    now: Progress,
    told_files: u64,
    told_bytes: u64,
}

impl<'a> Tally<'a> {
    pub(crate) fn new(watch: &'a dyn Watch, phase: Phase, totals: Option<(u64, u64)>) -> Result<Self> {
        let now = Progress {
            phase,
            files_done: 0,
            files_total: totals.map(|t| t.0),
            bytes_done: 0,
            bytes_total: totals.map(|t| t.1),
        };
        watch.progress(now);
        let tally = Self { watch, now, told_files: 0, told_bytes: 0 };
        tally.poll()?;
        Ok(tally)
    }

    pub(crate) fn file(&mut self) -> Result<()> {
        self.now.files_done += 1;
        self.tell(false)
    }

    pub(crate) fn bytes(&mut self, bytes: u64) -> Result<()> {
        self.now.bytes_done += bytes;
        self.tell(false)
    }

    pub(crate) fn finish(&mut self) -> Result<()> {
        self.tell(true)
    }

    fn tell(&mut self, now: bool) -> Result<()> {
        if now || self.now.files_done - self.told_files >= 100 || self.now.bytes_done - self.told_bytes >= 1 << 20 {
            self.told_files = self.now.files_done;
            self.told_bytes = self.now.bytes_done;
            self.watch.progress(self.now);
            self.poll()?;
        }
        Ok(())
    }

    fn poll(&self) -> Result<()> {
        if self.watch.cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }
}

/// Passes a crash point, or stops there.
pub(crate) fn pass(watch: &dyn Watch, point: Point) -> Result<()> {
    if watch.reached(point) {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::Cancelled, format!("stopped at the crash point {point:?}")))
    }
}
