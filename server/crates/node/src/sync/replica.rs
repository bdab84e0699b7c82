//! The Client's replicas: what is known of each at this moment. Who learns of them is [`super::learn`], who fills them
//! [`super::pull`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use contract::Timestamp;
use contract::dataset::Dataset;
use contract::sync::SyncError;
use contract::threshold::Threshold;
use replication::{Commit, DrPoint, Replica, RestorePoint};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::node::Node;
use crate::sync::meter::Meter;
use crate::sync::turn::Turns;
use crate::thresholds::Limits;

/// What is known of one replica at this moment.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    pub(crate) commit: Option<Commit>,
    pub(crate) points: Vec<RestorePoint>,
    /// Generations that stay whatever the policy says.
    pub(crate) pinned: BTreeSet<u64>,
    /// What earlier activations left.
    pub(crate) dr_points: Vec<DrPoint>,
    /// Until when the replica is known to equal the Master, by the Master's clock.
    pub(crate) confirmed: Option<Timestamp>,
    pub(crate) error: Option<SyncError>,
    pub(crate) pulling: Option<Pulling>,
    /// What the Master left out of its last capture: path and reason.
    pub(crate) skipped: Vec<(String, String)>,
    /// The Master has something that the replica has not.
    pub(super) wanted: bool,
}

/// A pull under way.
#[derive(Debug, Clone)]
pub(crate) struct Pulling {
    /// Counts the Client's own work; before it begins, what the Master said of its reading.
    pub(crate) meter: Arc<Meter>,
    pub(crate) reading: Option<(u64, u64)>,
    /// Started by a person, who may do so although the switch is off.
    pub(crate) forced: bool,
    pub(crate) cancel: CancellationToken,
}

/// One dataset on the Client.
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) dataset: Dataset,
    pub(super) store: PathBuf,
    pub(super) engine: Arc<Mutex<Option<Replica>>>,
    /// Held by whoever pulls or verifies.
    pub(crate) busy: tokio::sync::Mutex<()>,
    pub(super) standing: Mutex<Standing>,
    pub(super) wake: Notify,
    /// Ends the connection on which the Master would say that something changed.
    pub(super) cut: Notify,
    pub(super) stop: CancellationToken,
}

/// All datasets on the Client.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    pub(super) all: Mutex<BTreeMap<String, Arc<Copy>>>,
    pub(super) turns: Turns,
    /// The Master's clock as last told, and when that was on ours.
    pub(super) clock: Mutex<Option<(Timestamp, Instant)>>,
    /// From when on a replica counts as behind; `None` until the limits were read.
    limits: Mutex<Option<Limits>>,
    /// Held by whoever lets generations go, and by whoever chooses one that must stay.
    pub(crate) keeping: tokio::sync::Mutex<()>,
}

impl Copies {
    pub(crate) fn all(&self) -> Vec<Arc<Copy>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// From when on a dataset's replica counts as behind, in seconds.
    pub(crate) fn lag_limit(&self, dataset: &str) -> f64 {
        let limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        f64::from(limits.as_ref().map_or(Threshold::LagSoft.default(), |limits| limits.lag(dataset).soft_seconds))
    }

    pub(crate) fn set_lag_limits(&self, limits: Limits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = Some(limits);
    }

    pub(crate) fn wake_all(&self) {
        self.all().iter().for_each(|copy| copy.wake.notify_one());
    }

    /// Stops the pulls that run: of the groups that are switched off now, or all of them. What has arrived is kept. What
    /// only waits for a change ends, too, and begins anew where it may.
    pub(crate) fn cancel_pulls(&self, which: impl Fn(&Copy, &Pulling) -> bool) {
        for copy in self.all() {
            copy.cut.notify_one();
            if let Some(pulling) = copy.standing(|standing| standing.pulling.clone())
                && which(&copy, &pulling)
            {
                pulling.cancel.cancel();
            }
        }
    }

    /// The Master's clock now, as far as can be known: what it said, and the time passed since on a clock nobody sets.
    pub(crate) fn masters_now(&self) -> Option<Timestamp> {
        let (told, at) = (*self.clock.lock().unwrap_or_else(PoisonError::into_inner))?;
        told.checked_add(at.elapsed()).ok()
    }
}

impl Node {
    /// The content of every dataset that is here, by name.
    pub(crate) fn contents(&self) -> BTreeMap<String, String> {
        let content = |copy: Arc<Copy>| {
            let id = copy.standing(|standing| standing.commit.as_ref().map(|commit| commit.offered_id().to_string()));
            id.map(|id| (copy.dataset.name.clone(), id))
        };
        self.copies.all().into_iter().filter_map(content).collect()
    }
}

impl Copy {
    pub(crate) fn standing<T>(&self, look: impl FnOnce(&Standing) -> T) -> T {
        look(&self.standing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is pinned now is shown as that.
    pub(crate) fn show_pinned(&self, generations: impl IntoIterator<Item = u64>) {
        self.change(|standing| standing.pinned = generations.into_iter().collect());
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Standing) -> T) -> T {
        change(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
