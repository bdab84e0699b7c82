//! What an activation asks of a replica: a writable copy to serve from, and at the end to keep it and follow the source
//! again. It refuses to have two copies serve, and to lose what was made on one.

use std::time::Duration;

use jiff::Timestamp;

use crate::error::{Error, ErrorKind, Result};
use crate::promote::Promotion;
use crate::replica::Replica;
use crate::serving::{self, DrPoint, Promoted, check_run};
use crate::store::{PRUNED, remove_tree, write_record};
use crate::watch::{Point, Watch, pass};

impl Replica {
    /// Makes a writable copy of a generation (of the newest, unless another is named), which shares nothing with any
    /// generation, and lets readers see it. Every file is checked against the manifest on the way; what
    /// is not what it should be is copied as far as it can be read, and stands in [`Promoted::damaged`].
    ///
    /// `run` names the activation: `[a-z0-9-]{1,64}`. Called again with the run that serves, it returns what is there;
    /// while another run serves it is [`ErrorKind::Serving`], with a run that was handed back [`ErrorKind::BadRun`].
    /// Leaves `reserve_bytes` free on the disk, or is [`ErrorKind::DiskFull`].
    pub fn promote(
        &mut self,
        run: &str,
        generation: Option<u64>,
        reserve_bytes: u64,
        now: Timestamp,
        watch: &dyn Watch,
    ) -> Result<Promoted> {
        check_run(run)?;
        self.recover(false)?;
        match &self.promoted {
            Some(promoted) if promoted.run == run => return Ok(promoted.clone()),
            Some(other) => return Err(serving_already(&other.run)),
            None => {}
        }
        if self.servings.iter().any(|ended| ended.run == run) {
            let text = format!("the run {run} was handed back: another activation needs a name of its own");
            return Err(Error::new(ErrorKind::BadRun, text));
        }
        let commit = match generation {
            Some(generation) => self.restore_point(generation)?,
            None => self.newest()?,
        };
        let commit = commit.clone();
        // Whoever serves in earnest gets the room.
        if let Err(error) = self.drop_rehearsals() {
            tracing::warn!(error = error.chain(), "the copy of a rehearsal stays for now");
        }
        let run_once = |replica: &Self| {
            let (store, kind) = (&replica.store, replica.kind);
            Promotion { store, kind, commit: &commit, reserve_bytes, now, watch }.run(run)
        };
        match run_once(self) {
            Err(error) if error.kind() == ErrorKind::DiskFull => {
                self.make_room();
                run_once(self)?;
            }
            done => drop(done?),
        }
        // From here on it counts, and recovering is what shows it.
        self.recover(false)?;
        pass(watch, Point::Flipped)?;
        self.serving().cloned()
    }

    /// The writable copy that serves, if one does.
    pub fn promoted(&self) -> Option<&Promoted> {
        self.promoted.as_ref()
    }

    pub(crate) fn serving(&self) -> Result<&Promoted> {
        self.promoted().ok_or_else(|| Error::new(ErrorKind::NotServing, "no copy of this replica serves"))
    }

    pub(crate) fn refuse_while_serving(&self, text: &str) -> Result<()> {
        match &self.promoted {
            Some(promoted) => {
                Err(Error::new(ErrorKind::Serving, format!("{text} (run {})", promoted.run)).at(&promoted.tree))
            }
            None => Ok(()),
        }
    }

    /// Makes the copy of this run a DR restore point. It stays on disk as it is, and readers go on seeing it until a
    /// pull has ended well; pulls are allowed again and go on from the last generation. Its services must be down.
    /// Called again for the same run it does nothing.
    pub fn hand_back(&mut self, run: &str, now: Timestamp, watch: &dyn Watch) -> Result<()> {
        self.recover(false)?;
        let Some(served) = self.servings.iter_mut().find(|served| served.run == run) else {
            return Err(match &self.promoted {
                Some(other) => serving_already(&other.run),
                None => Error::new(ErrorKind::NotServing, format!("no copy of this replica serves for the run {run}")),
            });
        };
        if served.handed_back.is_none() {
            let newest = self.commits.last().map(|commit| commit.generation);
            *served = serving::hand_back(&self.store, served, newest, now)?;
            self.promoted = None;
        }
        pass(watch, Point::HandedBack)
    }

    /// What earlier activations left, oldest first.
    pub fn dr_points(&self) -> Vec<DrPoint> {
        self.servings.iter().filter_map(|served| served.point(&self.store)).collect()
    }

    /// So much time has passed for everything that earlier activations left and readers do not see any more. How much that
    /// is, is the caller's to say: by a clock that nobody sets.
    pub fn dr_points_were_kept(&mut self, time: Duration) -> Result<()> {
        let store = &self.store;
        for served in &mut self.servings {
            if served.point(store).is_none_or(|point| point.visible) {
                continue;
            }
            if let Some(ended) = &mut served.handed_back {
                ended.kept_s = ended.kept_s.saturating_add(time.as_secs());
            }
            write_record(&store.serving(&served.run), served)?;
        }
        Ok(())
    }

    /// Deletes what an earlier activation left. Refused with [`ErrorKind::PointVisible`] while readers see it, with
    /// [`ErrorKind::Serving`] while it serves; nothing is done for a run that left nothing.
    pub fn drop_dr_point(&mut self, run: &str, watch: &dyn Watch) -> Result<()> {
        check_run(run)?;
        self.recover(false)?;
        let Some(served) = self.servings.iter().find(|served| served.run == run) else {
            // An earlier attempt may have ended before all of it was gone.
            return remove_tree(&self.store.serving_aside(run, PRUNED));
        };
        match served.point(&self.store) {
            None => return Err(serving_already(run)),
            Some(point) if point.visible => {
                let text = "readers see this DR restore point until the next pull has ended";
                return Err(Error::new(ErrorKind::PointVisible, text).at(point.tree));
            }
            Some(_) => {}
        }
        let aside = serving::set_aside(&self.store, run)?;
        self.servings.retain(|served| served.run != run);
        pass(watch, Point::PruneRenamed)?;
        remove_tree(&aside)
    }
}

fn serving_already(run: &str) -> Error {
    Error::new(ErrorKind::Serving, format!("a copy of this replica serves for the run {run}"))
}
