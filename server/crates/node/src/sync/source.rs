//! The Master's half of the sync: which sources there are, and whether something in them may have changed.
//!
//! A change wakes the link at once. What a notification misses, a pull that the Client makes anyway finds.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use contract::dataset::{Dataset, DatasetKind, Owners};
use contract::{Denied, NodeRole};
use replication::{ContentId, SourceKind, SourceSpec};
use tokio_util::sync::CancellationToken;

use crate::link::message::{Beat, Pulse};
use crate::mandate::file::Seat;
use crate::node::Node;
use crate::remembered::Remembered;
use crate::store::db;
use crate::sync::changes::{LastWalk, Watching};
use crate::sync::told;

/// Events that follow each other closely are one change.
const COALESCE: Duration = Duration::from_millis(10);

/// How often a source is scanned of which the kernel tells nothing.
const UNWATCHED_SCAN: Duration = Duration::from_secs(5);

/// One dataset on the Master.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) dataset: Dataset,
    pub(crate) engine: Arc<Mutex<replication::Source>>,
    pub(crate) dirty: Arc<AtomicBool>,
    /// Told when `dirty` comes to be true.
    pub(crate) touched: Arc<tokio::sync::Notify>,
    /// Cancelled when the dataset is not declared any more as it is here.
    pub(crate) gone: CancellationToken,
    pub(crate) generation: Mutex<Option<u64>>,
    /// The content that was given a generation last.
    pub(super) given: Mutex<Option<ContentId>>,
    pub(super) watching: Mutex<Watching>,
    pub(super) last_walk: LastWalk,
    pub(crate) skipped: Mutex<Vec<(String, String)>>,
    /// Clients that are told of changes on the connection their data comes on.
    pub(super) followers: Arc<AtomicUsize>,
    /// Captures under way: until they end nothing is known to be equal.
    pub(crate) reading: AtomicUsize,
    /// What the last capture held, and when that was.
    pub(crate) size: Mutex<Option<(replication::Measure, Instant)>>,
}

impl Feed {
    /// What the last capture left out: path and reason.
    pub(crate) fn skipped(&self) -> Vec<(String, String)> {
        self.skipped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where nobody tells of changes, time does: not more often than this.
    fn is_due(&self) -> bool {
        let last = self.size.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(_, at)| at.elapsed());
        last.is_none_or(|age| age > UNWATCHED_SCAN)
    }

    /// Whether a scan may find something.
    pub(crate) fn may_have_changed(&self) -> bool {
        let watched = self.watching.lock().unwrap_or_else(PoisonError::into_inner).is_on();
        self.dirty.load(Ordering::SeqCst) || (!watched && self.is_due())
    }

    /// Whether this content was given a generation last, since the start.
    pub(crate) fn gave_last(&self, content: &str) -> bool {
        let given = *self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.is_some_and(|given| given.to_string() == content)
    }

    /// Somebody else may have given another one since.
    pub(crate) fn forget_given(&self) {
        *self.given.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn generation(&self) -> Option<u64> {
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All datasets on the Master.
#[derive(Debug, Default)]
pub(crate) struct Feeds {
    all: Mutex<BTreeMap<String, Arc<Feed>>>,
    /// The highest generation that was given.
    pub(crate) highest: Remembered<Option<u64>>,
    pub(crate) changed: Arc<tokio::sync::Notify>,
}

impl Feeds {
    pub(crate) fn all(&self) -> Vec<Arc<Feed>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Feed>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

pub(crate) fn kind(dataset: &Dataset) -> SourceKind {
    match dataset.kind {
        DatasetKind::Files => SourceKind::Files,
        DatasetKind::Sqlite => SourceKind::Sqlite,
    }
}

impl Node {
    fn spec(&self, dataset: &Dataset) -> SourceSpec {
        SourceSpec {
            kind: kind(dataset),
            path: PathBuf::from(&dataset.source),
            excludes: super::own::excludes(dataset),
            forbidden: vec![self.dir.root().to_owned()],
        }
    }

    /// Whether the engine would take the declaration.
    pub(crate) fn try_source(&self, dataset: &Dataset) -> Result<(), replication::Error> {
        replication::Source::new(self.spec(dataset), self.dir.scratch().join(&dataset.name)).map(|_| ())
    }

    /// Counts a source without reading its content.
    pub(crate) async fn measure(&self, dataset: &Dataset) -> Result<replication::Measure, String> {
        let Some(feed) = self.feeds.get(&dataset.name) else { return Err("not watched yet".into()) };
        if let Some((size, _)) = &*feed.size.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(*size);
        }
        let engine = Arc::clone(&feed.engine);
        // Never behind a capture: a page must not wait for a terabyte to be read.
        let work = tokio::task::spawn_blocking(move || match engine.try_lock() {
            Ok(engine) => engine.measure(&replication::Unwatched).map_err(|error| told(&error)),
            Err(_) => Err("being read now".to_owned()),
        });
        work.await.map_err(|error| error.to_string())?
    }

    /// Brings the feeds in line with what is declared.
    pub(crate) async fn refresh_sources(self: &Arc<Self>) -> Result<(), Denied> {
        if self.info.role != NodeRole::Master {
            return Ok(());
        }
        let declared = self.datasets().await?;
        let mut fresh = BTreeMap::new();
        for dataset in declared {
            let known = self.feeds.get(&dataset.name).filter(|feed| feed.dataset == dataset);
            let feed = match known {
                Some(feed) => feed,
                None => {
                    let feed = Arc::new(self.feed(dataset).await?);
                    self.begin_watching(&feed).await;
                    feed
                }
            };
            fresh.insert(feed.dataset.name.clone(), feed);
        }
        let kept: Vec<Arc<Feed>> = fresh.values().cloned().collect();
        let before = std::mem::replace(&mut *self.feeds.all.lock().unwrap_or_else(PoisonError::into_inner), fresh);
        for feed in before.into_values().filter(|feed| !kept.iter().any(|one| Arc::ptr_eq(one, feed))) {
            feed.gone.cancel();
        }
        self.feeds.changed.notify_one();
        self.poke();
        Ok(())
    }

    async fn feed(&self, dataset: Dataset) -> Result<Feed, Denied> {
        let scratch = self.dir.scratch().join(&dataset.name);
        // What is captured here is as secret as its source.
        let private = fs::DirBuilder::new().recursive(true).mode(0o700).create(self.dir.scratch());
        private.map_err(|error| Denied::failed(format!("make a place to capture {}", dataset.name), error))?;
        let mut engine = replication::Source::new(self.spec(&dataset), scratch)
            .map_err(super::denied(format!("prepare the dataset {}", dataset.name)))?;
        if dataset.owners == Owners::Names {
            engine.name_owners(PathBuf::from("/etc"));
        }
        let last: Option<i64> = sqlx::query_scalar("SELECT max(number) FROM generation WHERE dataset = ?")
            .bind(&dataset.name)
            .fetch_one(self.store.pool())
            .await
            .map_err(db("read the generations"))?;
        let feed = Feed {
            dataset,
            engine: Arc::new(Mutex::new(engine)),
            dirty: Arc::new(AtomicBool::new(true)),
            touched: Arc::default(),
            gone: self.stop.child_token(),
            given: Mutex::default(),
            generation: Mutex::new(last.and_then(|number| u64::try_from(number).ok())),
            watching: Mutex::default(),
            last_walk: LastWalk::default(),
            skipped: Mutex::default(),
            followers: Arc::default(),
            reading: AtomicUsize::new(0),
            size: Mutex::default(),
        };
        Ok(feed)
    }

    /// Waits until some source may have changed.
    pub(crate) async fn sources_changed(&self) {
        self.feeds.changed.notified().await;
        tokio::time::sleep(COALESCE).await;
    }

    /// What the Master says of its sources now.
    pub(crate) async fn pulse(self: &Arc<Self>) -> Pulse {
        let mut datasets = Vec::new();
        for feed in self.feeds.all() {
            let watched = self.keep_watching(&feed).await;
            let dirty = feed.dirty.load(Ordering::SeqCst) || (!watched && feed.is_due());
            datasets.push(Beat {
                dirty,
                reading: feed.reading.load(Ordering::SeqCst) > 0,
                generation: feed.generation(),
                skipped: feed.skipped(),
                dataset: feed.dataset.clone(),
            });
        }
        let generation = self.highest_generation().await.ok().flatten();
        Pulse { now: self.clock.now(), generation, datasets, standing: self.standing(Seat::First).await }
    }
}
