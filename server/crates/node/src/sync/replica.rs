//! The Client's replicas: what is known of each at this moment. Who learns of them is [`super::learn`], who fills them
//! [`super::pull`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use contract::Timestamp;
use contract::dataset::Dataset;
use contract::status::Switches;
use contract::sync::SyncError;
use contract::threshold::Threshold;
use jiff::SignedDuration;
use replication::{Commit, DrPoint, Replica, RestorePoint};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::link::control::SILENCE;
use crate::node::Node;
use crate::remembered::Remembered;
use crate::sync::meter::Meter;
use crate::sync::turn::Turns;
use crate::thresholds::Limits;

/// The Master's clock as told differs from itself by less than this: words take their time.
const NOISE: SignedDuration = SignedDuration::from_secs(SILENCE.as_secs().cast_signed());

/// What is known of one replica at this moment.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    pub(crate) commit: Option<Commit>,
    pub(crate) points: Vec<RestorePoint>,
    /// Generations that stay whatever the policy says.
    pub(crate) pinned: BTreeSet<u64>,
    /// The generation that a drill copies at this moment: it stays meanwhile.
    pub(crate) rehearsed: Option<u64>,
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
    /// When the time was last counted that what earlier activations left was kept.
    pub(super) counted: Option<Instant>,
}

impl Standing {
    /// Since when the replica may be behind, and now, both by one clock: the Master's where that is known. After a start
    /// without the Master it is not; and what the Master captured in what is the future by its clock it captured before
    /// that was set back, by nobody knows how much. Then our own clock tells how long ago it was committed.
    pub(crate) fn behind(&self, masters_now: Option<Timestamp>, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let commit = self.commit.as_ref()?;
        let equal = self.confirmed.unwrap_or(commit.captured_at);
        let past = |masters_now: &Timestamp| equal.duration_since(*masters_now) <= NOISE;
        Some(masters_now.filter(past).map_or((commit.committed_at, now), |masters_now| (equal, masters_now)))
    }

    /// The Master's clock was set back by so much: what it confirmed by the old time is as long ago as before.
    pub(super) fn set_back(&mut self, by: SignedDuration) {
        self.confirmed = self.confirmed.map(|at| at.checked_sub(by).unwrap_or(at));
    }
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
    /// Held by a drill that copies.
    pub(crate) rehearsing: Arc<tokio::sync::Mutex<()>>,
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
    pub(super) switches: Remembered<Switches>,
    /// The Master's clock as last told, and when that was on ours.
    clock: Mutex<Option<(Timestamp, Instant)>>,
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

    /// Hears the Master's clock. Where it was set back, what it confirmed is moved along.
    pub(super) fn hear_clock(&self, told: Timestamp) {
        let back = self.masters_now().map(|before| before.duration_since(told)).filter(|back| *back > NOISE);
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some((told, Instant::now()));
        if let Some(back) = back {
            tracing::warn!(seconds = back.as_secs(), "the Master's clock was set back");
            self.all().iter().for_each(|copy| copy.change(|standing| standing.set_back(back)));
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
    /// Whether its store is open: known at once, but for while it is used.
    pub(super) fn is_open(&self) -> bool {
        self.engine.try_lock().is_ok_and(|engine| engine.is_some())
    }

    pub(crate) fn standing<T>(&self, look: impl FnOnce(&Standing) -> T) -> T {
        look(&self.standing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is pinned now is shown as that.
    pub(crate) fn show_pinned(&self, generations: impl IntoIterator<Item = u64>) {
        self.change(|standing| standing.pinned = generations.into_iter().collect());
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Standing) -> T) -> T {
        change(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Captured at 1000 by the Master's clock, committed at 5000 by ours, and confirmed until then.
    fn standing(confirmed: Option<i64>) -> Standing {
        let commit = Commit {
            generation: 1,
            content_id: "00".repeat(32).parse().unwrap(),
            captured_at: at(1000),
            files: 0,
            bytes: 0,
            committed_at: at(5000),
            offered: None,
            kept_before: None,
            first: None,
            owners: None,
        };
        Standing { commit: Some(commit), confirmed: confirmed.map(at), ..Standing::default() }
    }

    #[test]
    fn the_lag_never_compares_two_clocks() {
        let now = at(5060);
        assert_eq!(Standing::default().behind(Some(at(1)), now), None, "nothing is here");
        assert_eq!(standing(Some(1500)).behind(Some(at(1600)), now), Some((at(1500), at(1600))));
        assert_eq!(standing(None).behind(Some(at(1600)), now), Some((at(1000), at(1600))));
        assert_eq!(standing(Some(1500)).behind(None, now), Some((at(5000), now)), "the Master was not heard yet");
    }

    #[test]
    fn what_lies_in_the_masters_future_is_not_as_good_as_new() {
        let now = at(5060);
        assert_eq!(standing(Some(1500)).behind(Some(at(700)), now), Some((at(5000), now)));
        assert_eq!(
            standing(Some(1500)).behind(Some(at(1499)), now),
            Some((at(1500), at(1499))),
            "words take their time"
        );
    }

    #[test]
    fn a_masters_clock_that_is_set_back_makes_no_replica_younger() {
        let copies = Copies::default();
        let copy = Arc::new(Copy {
            dataset: Dataset {
                name: "etc".into(),
                kind: contract::dataset::DatasetKind::Files,
                class: contract::dataset::DatasetClass::Configuration,
                source: "/etc".into(),
                target: "/srv/etc".into(),
                excludes: Vec::new(),
                owners: contract::dataset::Owners::Numbers,
            },
            store: PathBuf::new(),
            engine: Arc::default(),
            busy: tokio::sync::Mutex::default(),
            rehearsing: Arc::default(),
            standing: Mutex::new(standing(Some(9_900))),
            wake: Notify::new(),
            cut: Notify::new(),
            stop: CancellationToken::new(),
        });
        copies.all.lock().unwrap().insert("etc".into(), Arc::clone(&copy));
        let lag = || {
            let (since, now) = copy.standing(|s| s.behind(copies.masters_now(), at(0))).unwrap();
            now.duration_since(since).as_secs()
        };
        copies.hear_clock(at(10_000));
        let before = lag();
        assert!(before >= 100, "{before}");
        copies.hear_clock(at(9_999));
        assert!(copy.standing(|s| s.confirmed) == Some(at(9_900)), "a word that was late sets nothing back");
        copies.hear_clock(at(6_400));
        assert!((before - 1..before + 600).contains(&lag()), "{before} became {}", lag());
    }
}
