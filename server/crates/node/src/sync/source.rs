//! The Master's half of the sync: which sources there are, and whether something in them may have changed.
//!
//! A change wakes the link at once. What a notification misses, a pull that the Client makes anyway finds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::dataset::{Dataset, DatasetKind};
use contract::{Denied, NodeRole};
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecursiveMode, Watcher};
use replication::{SourceKind, SourceSpec};

use crate::link::message::{Beat, Pulse};
use crate::node::Node;
use crate::store::db;
use crate::sync::told;

/// Events that follow each other closely are one change.
const COALESCE: Duration = Duration::from_millis(20);

/// One dataset on the Master.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) dataset: Dataset,
    pub(crate) engine: Arc<Mutex<replication::Source>>,
    pub(crate) dirty: Arc<AtomicBool>,
    pub(crate) generation: Mutex<Option<u64>>,
    watcher: Mutex<Option<notify::RecommendedWatcher>>,
    pub(crate) skipped: Mutex<Vec<(String, String)>>,
}

impl Feed {
    /// What the last capture left out: path and reason.
    pub(crate) fn skipped(&self) -> Vec<(String, String)> {
        self.skipped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn generation(&self) -> Option<u64> {
        *self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All datasets on the Master.
#[derive(Debug, Default)]
pub(crate) struct Feeds {
    all: Mutex<BTreeMap<String, Arc<Feed>>>,
    changed: Arc<tokio::sync::Notify>,
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
            excludes: dataset.excludes.clone(),
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
        let engine = Arc::clone(&feed.engine);
        let work = tokio::task::spawn_blocking(move || {
            engine.lock().unwrap_or_else(PoisonError::into_inner).measure(&replication::Unwatched)
        });
        match work.await {
            Ok(measured) => measured.map_err(|error| told(&error)),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Brings the feeds in line with what is declared.
    pub(crate) async fn refresh_sources(&self) -> Result<(), Denied> {
        if self.info.role != NodeRole::Master {
            return Ok(());
        }
        let declared = self.datasets().await?;
        let mut fresh = BTreeMap::new();
        for dataset in declared {
            let known = self.feeds.get(&dataset.name).filter(|feed| feed.dataset == dataset);
            let feed = match known {
                Some(feed) => feed,
                None => Arc::new(self.feed(dataset).await?),
            };
            fresh.insert(feed.dataset.name.clone(), feed);
        }
        *self.feeds.all.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        self.feeds.changed.notify_one();
        self.poke();
        Ok(())
    }

    async fn feed(&self, dataset: Dataset) -> Result<Feed, Denied> {
        let scratch = self.dir.scratch().join(&dataset.name);
        let engine = replication::Source::new(self.spec(&dataset), scratch)
            .map_err(super::denied(format!("prepare the dataset {}", dataset.name)))?;
        let last: Option<i64> = sqlx::query_scalar("SELECT max(number) FROM generation WHERE dataset = ?")
            .bind(&dataset.name)
            .fetch_one(self.store.pool())
            .await
            .map_err(db("read the generations"))?;
        let feed = Feed {
            dataset,
            engine: Arc::new(Mutex::new(engine)),
            dirty: Arc::new(AtomicBool::new(true)),
            generation: Mutex::new(last.and_then(|number| u64::try_from(number).ok())),
            watcher: Mutex::new(None),
            skipped: Mutex::default(),
        };
        self.watch(&feed);
        Ok(feed)
    }

    /// Asks the kernel to tell of changes. Where it cannot, the source counts as changed all the time and is scanned
    /// whenever the Client asks.
    fn watch(&self, feed: &Feed) {
        let (dirty, changed) = (Arc::clone(&feed.dirty), Arc::clone(&self.feeds.changed));
        let source = PathBuf::from(&feed.dataset.source);
        let own = self.dir.root().to_owned();
        let database = (feed.dataset.kind == DatasetKind::Sqlite).then(|| source.clone());
        let heard = move |event: notify::Result<Event>| {
            let counts = event.map_or(true, |event| matters(&event, &own, database.as_deref()));
            if counts && !dirty.swap(true, Ordering::SeqCst) {
                changed.notify_one();
            }
        };
        let (path, mode) = match feed.dataset.kind {
            DatasetKind::Files => (source.as_path(), RecursiveMode::Recursive),
            DatasetKind::Sqlite => (source.parent().unwrap_or(Path::new("/")), RecursiveMode::NonRecursive),
        };
        let config = notify::Config::default().with_follow_symlinks(false);
        let watcher = notify::RecommendedWatcher::new(heard, config).and_then(|mut watcher| {
            watcher.watch(path, mode)?;
            Ok(watcher)
        });
        match watcher {
            Ok(watcher) => *feed.watcher.lock().unwrap_or_else(PoisonError::into_inner) = Some(watcher),
            Err(error) => tracing::warn!(dataset = feed.dataset.name, %error, "changes are found by scanning only"),
        }
    }

    /// Waits until some source may have changed.
    pub(crate) async fn sources_changed(&self) {
        self.feeds.changed.notified().await;
        tokio::time::sleep(COALESCE).await;
    }

    /// What the Master says of its sources now.
    pub(crate) async fn pulse(&self) -> Pulse {
        let datasets = self
            .feeds
            .all()
            .iter()
            .map(|feed| {
                let unwatched = feed.watcher.lock().unwrap_or_else(PoisonError::into_inner).is_none();
                if unwatched {
                    self.watch(feed);
                }
                Beat {
                    dataset: feed.dataset.clone(),
                    dirty: unwatched || feed.dirty.load(Ordering::SeqCst),
                    generation: feed.generation(),
                    skipped: feed.skipped(),
                }
            })
            .collect();
        Pulse { now: self.clock.now(), datasets }
    }
}

/// Whether an event is about something that is replicated. Reading is not a change: our own scans would wake us.
fn matters(event: &Event, own: &Path, database: Option<&Path>) -> bool {
    if event.need_rescan() {
        return true;
    }
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
        EventKind::Access(_) => return false,
        _ => {}
    }
    event.paths.is_empty()
        || event.paths.iter().any(|path| {
            let inside = !path.starts_with(own);
            inside && database.is_none_or(|database| belongs(path, database))
        })
}

/// The database itself, its write-ahead log or its rollback journal; not `-shm`, which every reader touches.
fn belongs(path: &Path, database: &Path) -> bool {
    let (Some(name), Some(base)) = (path.file_name(), database.file_name()) else { return false };
    let (name, base) = (name.as_encoded_bytes(), base.as_encoded_bytes());
    name.strip_prefix(base).is_some_and(|rest| matches!(rest, b"" | b"-wal" | b"-journal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_changes_through_its_log_and_not_through_its_readers() {
        let database = Path::new("/x/pbx.db");
        for (path, counts) in [
            ("/x/pbx.db", true),
            ("/x/pbx.db-wal", true),
            ("/x/pbx.db-journal", true),
            ("/x/pbx.db-shm", false),
            ("/x/pbx.dbx", false),
        ] {
            assert_eq!(belongs(Path::new(path), database), counts, "{path}");
        }
    }

    #[test]
    fn reading_a_file_is_no_change() {
        let read = Event::new(EventKind::Access(AccessKind::Open(AccessMode::Any))).add_path("/x/a".into());
        let written = Event::new(EventKind::Access(AccessKind::Close(AccessMode::Write))).add_path("/x/a".into());
        assert!(!matters(&read, Path::new("/own"), None));
        assert!(matters(&written, Path::new("/own"), None));
        assert!(!matters(&written, Path::new("/x"), None), "our own data is nobody's change");
    }
}
