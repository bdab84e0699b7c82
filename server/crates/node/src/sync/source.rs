//! The Master's half of the sync: watches the sources, gives out generations, and feeds whoever of the pair pulls.
//!
//! A change wakes the link at once. What a notification misses, a pull that the Client makes anyway finds.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::dataset::{Dataset, DatasetKind};
use contract::{Denied, NodeRole, Timestamp};
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecursiveMode, Watcher};
use replication::{ContentId, SourceKind, SourceSpec};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::io::SyncIoBridge;
use tokio_util::sync::CancellationToken;

use crate::link::listener::Visitor;
use crate::link::message::{self, Beat, Capture, Pulse};
use crate::node::Node;
use crate::store::db;
use crate::sync::meter::Meter;
use crate::sync::told;

/// Events that follow each other closely are one change.
const COALESCE: Duration = Duration::from_millis(20);

/// What is left out is told, but a tree of sockets does not fill the link.
const MOST_SKIPPED: usize = 100;

/// One dataset on the Master.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) dataset: Dataset,
    engine: Arc<Mutex<replication::Source>>,
    dirty: Arc<AtomicBool>,
    generation: Mutex<Option<u64>>,
    watcher: Mutex<Option<notify::RecommendedWatcher>>,
    skipped: Mutex<Vec<(String, String)>>,
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

    /// Serves one pull: reads the source, gives it a generation, and lets the engine answer.
    pub(crate) async fn offer(self: &Arc<Self>, mut visitor: Visitor, name: &str, rehash: bool) -> io::Result<()> {
        let Some(feed) = self.feeds.get(name) else {
            return fail(&mut visitor.stream, "source_missing", format!("no dataset {name} is declared")).await;
        };
        let stop = self.stop.child_token();
        let _cut = cut_when(stop.clone(), visitor.stream.get_ref().0)?;
        let captured = match self.capture(&feed, rehash, &mut visitor.stream, &stop).await? {
            Some(captured) => captured,
            None => return Ok(()),
        };
        let generation = match self.give_generation(&feed, captured.manifest.content_id(), captured.captured_at).await {
            Ok(generation) => generation,
            Err(error) => {
                feed.dirty.store(true, Ordering::SeqCst);
                let message = error.text(contract::Lang::En);
                return fail(&mut visitor.stream, "io", message).await;
            }
        };
        let ready = Capture::Ready { generation, captured_at: captured.captured_at };
        message::write(&mut visitor.stream, &ready).await?;
        let recorder = Recorder {
            node: Arc::clone(self),
            feed: Arc::clone(&feed),
            generation,
            runtime: tokio::runtime::Handle::current(),
            meter: Meter::new(stop),
        };
        let mut bridge = SyncIoBridge::new(visitor.stream);
        let work = tokio::task::spawn_blocking(move || captured.serve(&mut bridge, generation, &recorder));
        match work.await.map_err(io::Error::other)? {
            Ok(_) => Ok(()),
            Err(error) => {
                feed.dirty.store(true, Ordering::SeqCst);
                Err(io::Error::other(told(&error)))
            }
        }
    }

    /// Serves the bare list of a source's content, read and hashed anew.
    pub(crate) async fn offer_manifest(self: &Arc<Self>, mut visitor: Visitor, name: &str) -> io::Result<()> {
        let Some(feed) = self.feeds.get(name) else {
            return fail(&mut visitor.stream, "source_missing", format!("no dataset {name} is declared")).await;
        };
        let stop = self.stop.child_token();
        let _cut = cut_when(stop.clone(), visitor.stream.get_ref().0)?;
        let Some(captured) = self.capture(&feed, true, &mut visitor.stream, &stop).await? else { return Ok(()) };
        // What was captured here is not offered: the next pull captures for itself.
        feed.dirty.store(true, Ordering::SeqCst);
        let ready = Capture::Ready { generation: 0, captured_at: captured.captured_at };
        message::write(&mut visitor.stream, &ready).await?;
        let mut bridge = SyncIoBridge::new(visitor.stream);
        let work = tokio::task::spawn_blocking(move || captured.serve_manifest(&mut bridge, &Meter::new(stop)));
        work.await.map_err(io::Error::other)?.map_err(|error| io::Error::other(told(&error)))
    }

    /// Reads a source on a thread of its own and tells the Client how far it is; `None` when it could not be read and
    /// the Client was told why.
    async fn capture(
        &self,
        feed: &Arc<Feed>,
        rehash: bool,
        stream: &mut TlsStream<TcpStream>,
        stop: &CancellationToken,
    ) -> io::Result<Option<replication::Capture>> {
        let meter = Arc::new(Meter::new(stop.clone()));
        let (engine, seen, now) = (Arc::clone(&feed.engine), Arc::clone(&meter), self.clock.now());
        // Cleared before reading: what changes from here on is the next generation's.
        feed.dirty.store(false, Ordering::SeqCst);
        let mut work = tokio::task::spawn_blocking(move || {
            engine.lock().unwrap_or_else(PoisonError::into_inner).capture(now, rehash, &*seen)
        });
        let mut ticks = tokio::time::interval(Duration::from_millis(500));
        ticks.tick().await;
        let captured = loop {
            tokio::select! {
                captured = &mut work => break captured.map_err(io::Error::other)?,
                _ = ticks.tick() => {
                    let raw = meter.raw();
                    let (files, bytes) = raw.map_or((0, 0), |raw| (raw.files_done, raw.bytes_done));
                    message::write(stream, &Capture::Reading { files, bytes }).await?;
                }
            }
        };
        match captured {
            Ok(captured) => {
                let told = |one: &replication::Skipped| (one.path.clone(), skip_word(one.why).to_owned());
                let skipped = captured.skipped.iter().take(MOST_SKIPPED).map(told).collect();
                *feed.skipped.lock().unwrap_or_else(PoisonError::into_inner) = skipped;
                Ok(Some(captured))
            }
            Err(error) => {
                feed.dirty.store(true, Ordering::SeqCst);
                tracing::warn!(dataset = feed.dataset.name, error = told(&error), "the source could not be captured");
                fail(stream, error.kind().code(), told(&error)).await?;
                Ok(None)
            }
        }
    }

    /// The number of this content: the last one where nothing changed, else the next, on disk before it is offered.
    async fn give_generation(&self, feed: &Feed, content: ContentId, at: Timestamp) -> Result<u64, Denied> {
        let mut tx = self.store.begin().await?;
        let last: Option<(i64, String)> =
            sqlx::query_as("SELECT number, content_id FROM generation WHERE dataset = ? ORDER BY number DESC LIMIT 1")
                .bind(&feed.dataset.name)
                .fetch_optional(&mut *tx)
                .await
                .map_err(db("read the generations"))?;
        let number = match last {
            Some((number, known)) if known == content.to_string() => number,
            _ => {
                let next: i64 = sqlx::query_scalar(
                    "INSERT INTO generation (number, dataset, content_id, captured_at) \
                     SELECT coalesce(max(number), 0) + 1, ?, ?, ? FROM generation RETURNING number",
                )
                .bind(&feed.dataset.name)
                .bind(content.to_string())
                .bind(at.to_string())
                .fetch_one(&mut *tx)
                .await
                .map_err(db("give a generation"))?;
                next
            }
        };
        tx.commit().await.map_err(db("give a generation"))?;
        let number = u64::try_from(number).map_err(|error| Denied::failed("give a generation", error))?;
        *feed.generation.lock().unwrap_or_else(PoisonError::into_inner) = Some(number);
        Ok(number)
    }

    /// The source moved while it was sent: what was really sent is written down before the Client may commit it.
    async fn amend_generation(&self, feed: &Feed, number: u64, content: ContentId) -> Result<(), Denied> {
        let number = i64::try_from(number).map_err(|error| Denied::failed("amend a generation", error))?;
        sqlx::query("UPDATE generation SET content_id = ?1 WHERE number = ?2 AND dataset = ?3 AND content_id <> ?1")
            .bind(content.to_string())
            .bind(number)
            .bind(&feed.dataset.name)
            .execute(self.store.pool())
            .await
            .map_err(db("amend a generation"))?;
        Ok(())
    }
}

/// Writes down what is about to be offered, from the engine's own thread.
struct Recorder {
    node: Arc<Node>,
    feed: Arc<Feed>,
    generation: u64,
    runtime: tokio::runtime::Handle,
    meter: Meter,
}

impl replication::Watch for Recorder {
    fn progress(&self, progress: replication::Progress) {
        replication::Watch::progress(&self.meter, progress);
    }

    fn cancelled(&self) -> bool {
        self.meter.cancelled()
    }

    fn offering(&self, content: ContentId) -> io::Result<()> {
        let recorded = self.runtime.block_on(self.node.amend_generation(&self.feed, self.generation, content));
        recorded.map_err(|error| io::Error::other(error.text(contract::Lang::En)))
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

fn skip_word(why: replication::SkipReason) -> &'static str {
    match why {
        replication::SkipReason::Socket => "socket",
        replication::SkipReason::Device => "device",
        replication::SkipReason::Forbidden => "own_data",
        _ => "other",
    }
}

async fn fail(stream: &mut TlsStream<TcpStream>, code: &str, message: String) -> io::Result<()> {
    message::write(stream, &Capture::Failed { code: code.to_owned(), message }).await
}

/// Ends a connection when the token says so, although a thread may be blocked in it.
pub(crate) fn cut_when(
    stop: CancellationToken,
    stream: &TcpStream,
) -> io::Result<tokio_util::task::AbortOnDropHandle<()>> {
    use std::os::fd::AsFd as _;
    let fd = stream.as_fd().try_clone_to_owned()?;
    Ok(tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move {
        stop.cancelled().await;
        let _ = rustix::net::shutdown(&fd, rustix::net::Shutdown::Both);
    })))
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
