//! What lies behind the newest generation, and what it is good for: generations go when nobody needs them, and their trees
//! stay to become the next ones. It refuses to take away what a reader may still be in.

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

use jiff::Timestamp;

use crate::error::{Error, Result};
use crate::pace::Budget;
use crate::readers::Readers;
use crate::replica::Replica;
use crate::reuse::Reuse;
use crate::source::SourceKind;
use crate::store::{Commit, PRUNED, remove_tree, sync_dir, sync_file_system};
use crate::watch::{Point, Unwatched, Watch, pass};

/// So many trees are made ready before large files get copies of their own.
const FIRST_SPARES: usize = 8;
/// So many trees may be made, and not be written to the disk yet.
const MOST_UNWRITTEN: usize = 8;
/// Whoever was on the way into a tree when it ceased to be shown is in it by then.
const ON_THE_WAY: Duration = Duration::from_secs(2);

impl Replica {
    /// Keeps the newest `keep` generations (at least one). A generation goes only when it has not been the visible one
    /// for `grace`: a reader that resolved the link before may still be in it. Of a large tree, where another one costs much,
    /// it also goes two seconds after it ceased to be the visible one, when no process stands in it or has a directory
    /// of it open.
    pub fn prune(&mut self, keep: usize, now: Timestamp, grace: Duration) -> Result<()> {
        self.prune_except(keep, &HashSet::new(), now, grace, &Unwatched)
    }

    /// As [`Replica::prune`], but generations in `pinned` stay and do not count. So does the one that the copy which
    /// serves was made from.
    pub fn prune_except(
        &mut self,
        keep: usize,
        pinned: &HashSet<u64>,
        now: Timestamp,
        grace: Duration,
        watch: &dyn Watch,
    ) -> Result<()> {
        self.be_settled()?;
        let mut kept = 0;
        let mut superseded_at: Option<Timestamp> = None;
        let (mut going, mut left) = (Vec::new(), Vec::new());
        for commit in self.commits.iter().rev() {
            let since = superseded_at.filter(|at| now >= *at).map(|at| now.duration_since(at).unsigned_abs());
            superseded_at = Some(commit.committed_at);
            let base = self.promoted.as_ref().is_some_and(|promoted| promoted.generation == commit.generation);
            if base || pinned.contains(&commit.generation) {
                continue;
            }
            kept += 1;
            match since.filter(|_| kept > keep.max(1)) {
                Some(since) if since >= grace => going.push(commit.generation),
                Some(since) if since >= ON_THE_WAY => left.push(commit.generation),
                _ => {}
            }
        }
        going.extend(self.without_readers(left, going.len()));
        if !going.is_empty() {
            self.settled = false;
            self.let_go(&going, watch)?;
            self.sweep()?;
            self.tidied();
        }
        Ok(())
    }

    /// Of generations that readers may still be in, those that nobody is in: where their trees are worth the look. `going`
    /// are to be had without.
    fn without_readers(&mut self, mut left: Vec<u64>, going: usize) -> Vec<u64> {
        let spares = self.spares.len() + going;
        let files = self.kind == SourceKind::Files;
        if left.is_empty() || !files || !self.budget().is_ok_and(|budget| budget.lacks(spares)) {
            return Vec::new();
        }
        match Readers::look(&self.store.generations()) {
            Ok(readers) => left.retain(|generation| !readers.contains(generation)),
            Err(error) => {
                tracing::debug!(%error, "who reads the replica cannot be told: everybody is given the whole time");
                left.clear();
            }
        }
        left
    }

    /// What is known here is what is on disk: an earlier piece of work may have ended anywhere.
    pub(crate) fn be_settled(&mut self) -> Result<()> {
        if self.settled { Ok(()) } else { self.recover(false) }
    }

    /// A piece of work for a quiet time has ended well.
    fn tidied(&mut self) {
        self.settled = true;
        self.unwritten += 1;
    }

    /// Takes the names of generations away, and keeps their trees as far as more spares are of use.
    fn let_go(&mut self, going: &[u64], watch: &dyn Watch) -> Result<()> {
        let gone: Vec<Commit> = self.commits.iter().filter(|c| going.contains(&c.generation)).cloned().collect();
        for commit in gone.iter().rev() {
            let (place, aside) =
                (self.store.generation(commit.generation), self.store.aside(commit.generation, PRUNED));
            remove_tree(&aside)?;
            fs::rename(&place, &aside).map_err(|e| Error::io("cannot prune a generation", &place, e))?;
            self.commits.retain(|one| one.generation != commit.generation);
            pass(watch, Point::PruneRenamed)?;
        }
        // Once for all of them, and before anything in them goes.
        sync_dir(&self.store.generations())?;
        let most = match self.kind {
            // Without the manifest of the newest one, nobody can say.
            SourceKind::Files => self.budget().map_or(0, Budget::kept),
            SourceKind::Sqlite => 0,
        };
        // Of the youngest, which have the least to change.
        for commit in gone.iter().rev() {
            let aside = self.store.aside(commit.generation, PRUNED);
            let spare = self.spares.len() < most
                && self.store.manifest(commit).is_ok_and(|manifest| {
                    // On a full disk not even that can be written down: then its room is what is wanted.
                    self.spares.keep(&self.store, &aside, commit.holds(), &manifest).is_ok()
                });
            if !spare {
                remove_tree(&aside)?;
            }
        }
        Ok(())
    }

    /// What trees like the newest one may come to.
    fn budget(&mut self) -> Result<Budget> {
        if self.kind == SourceKind::Sqlite {
            return Ok(Budget::DATABASES);
        }
        let free = self.store.free();
        Ok(Budget::of(&self.held()?, free))
    }

    /// Forgets the manifests of what is gone.
    fn sweep(&self) -> Result<()> {
        self.store.manifests.sweep(self.commits.iter().map(Commit::holds).chain(self.spares.holds()))
    }

    /// Brings the spare trees to the newest generation: the next one then finds little to change, and nothing that is
    /// gone keeps its space. It costs what has changed, once for each of them: for a quiet time.
    pub fn freshen(&mut self, watch: &dyn Watch) -> Result<()> {
        self.be_settled()?;
        let Some(newest) = self.committed().map(Commit::holds) else { return Ok(()) };
        if self.spares.holds().all(|held| held == newest) {
            return Ok(());
        }
        let held = self.held()?;
        self.settled = false;
        let mut reuse = Reuse::new(held, &self.store.tree(newest.generation), HashSet::new())?;
        self.spares.freshen(&self.store, newest, &mut reuse, watch)?;
        // Nobody needs any more what they held before.
        self.sweep()?;
        self.tidied();
        Ok(())
    }

    /// Makes ready for the next pull, so that it only has to change what changed. It may cost as much as there are files,
    /// where there is no tree to change. A pull without it does the same when it needs it.
    pub fn prepare(&mut self, watch: &dyn Watch) -> Result<()> {
        self.be_settled()?;
        if self.spares.len() > 0 { Ok(()) } else { self.make_spare(watch) }
    }

    /// Makes ready for many pulls that follow each other, for a quiet time: one more tree that is to become a generation.
    /// Gives whether there is more to do. What it leaves is written to the disk, lest the first change after the quiet
    /// time waits for that.
    pub fn stock_up(&mut self, watch: &dyn Watch) -> Result<bool> {
        let more = self.make_one_more(watch)?;
        if self.unwritten >= MOST_UNWRITTEN || !more && self.unwritten > 0 {
            sync_file_system(&self.store.root)?;
            self.unwritten = 0;
        }
        Ok(more)
    }

    fn make_one_more(&mut self, watch: &dyn Watch) -> Result<bool> {
        if self.kind != SourceKind::Files || self.promoted.is_some() || self.commits.is_empty() {
            return Ok(false);
        }
        self.be_settled()?;
        let (ready, made) = (self.budget()?.ready(), self.spares.len());
        // The first few save most, and a large file that is written whole costs more than a tree.
        if made >= ready.min(FIRST_SPARES) && self.make_own(watch)? {
            return Ok(true);
        }
        if made < ready {
            self.make_spare(watch)?;
        }
        Ok(made < ready)
    }

    /// Gives a spare a large file of its own, where that was written to of late; whether it did.
    fn make_own(&mut self, watch: &dyn Watch) -> Result<bool> {
        let Some(commit) = self.committed().cloned() else { return Ok(false) };
        let (held, free) = (self.held()?, self.store.free_bytes());
        self.settled = false;
        let mut reuse = Reuse::new(held, &self.store.tree(commit.generation), HashSet::new())?;
        let made = self.spares.make_own(commit.holds(), commit.captured_at, free, &mut reuse, watch)?;
        self.tidied();
        Ok(made)
    }

    /// Gives up what only saves time: for who needs the room on the disk.
    pub fn make_room(&mut self) {
        if let Err(error) = self.spares.drop_all() {
            tracing::warn!(error = error.chain(), "the spare trees stay on the full disk");
        }
    }

    fn make_spare(&mut self, watch: &dyn Watch) -> Result<()> {
        if self.kind != SourceKind::Files || self.promoted.is_some() {
            return Ok(());
        }
        let Some(newest) = self.committed().map(Commit::holds) else { return Ok(()) };
        let held = self.held()?;
        self.settled = false;
        let mut reuse = Reuse::new(held, &self.store.tree(newest.generation), HashSet::new())?;
        self.spares.make(&self.store, newest, &mut reuse, watch)?;
        self.tidied();
        Ok(())
    }

    /// How long to wait before the next pull, where readers of a superseded generation are given `grace`: nothing after
    /// a quiet time, longer the more generations they may still be in. The newest `keep` stay in any case.
    pub fn rest(&mut self, now: Timestamp, grace: Duration, keep: usize) -> Duration {
        let recent = |commit: &&Commit| now.duration_since(commit.committed_at).unsigned_abs() < grace;
        // Each of these took the place of another one.
        let superseded =
            self.commits.iter().skip(1).filter(recent).count().saturating_sub(keep.saturating_sub(1)) as u64;
        if superseded == 0 {
            return Duration::ZERO;
        }
        self.budget().map_or(Duration::ZERO, |budget| budget.rest(superseded, grace))
    }
}
