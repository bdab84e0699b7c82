//! How the Master notices changes: the kernel tells which names were touched (inotify), and a capture looks at these
//! alone. What the kernel cannot tell, because there are too many directories, the root itself was exchanged, or a
//! program writes through a memory map, is noticed here, and the whole source is read: until it can be listened to again,
//! and from time to time anyway.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use contract::Timestamp;
use contract::dataset::DatasetKind;
use replication::{Hearing, Touched};

use crate::node::Node;
use crate::sync::source::Feed;

/// How long to wait before a tree that could not be watched is tried again: walking it is dear.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// How long a source is trusted to have changed only where the kernel says so.
const BETWEEN_WALKS: Duration = Duration::from_secs(30);

/// A whole walk may take this share of the time, one part in so many: a large tree is walked more rarely.
const WALKING_SHARE: u32 = 20;

/// Whether the kernel tells of changes in a source.
#[derive(Debug, Default)]
pub(crate) struct Watching {
    hearing: Option<Arc<Hearing>>,
    /// Device and inode of what is watched: another one at the same path is another tree.
    root: Option<(u64, u64)>,
    tried: Option<Instant>,
}

impl Watching {
    pub(super) fn is_on(&self) -> bool {
        self.hearing.as_ref().is_some_and(|hearing| !hearing.is_over())
    }
}

/// The last walk over the whole source.
#[derive(Debug, Default)]
pub(crate) struct LastWalk(Mutex<Option<(Instant, Duration)>>);

impl LastWalk {
    fn is_due(&self) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_none_or(|(ended, took)| ended.elapsed() > BETWEEN_WALKS.max(took * WALKING_SHARE))
    }

    fn ended(&self, begun: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), begun.elapsed()));
    }
}

/// The watched directory: of a tree the tree, of a database the directory it really lies in.
fn identity(feed: &Feed) -> Option<(u64, u64)> {
    let real = fs::canonicalize(&feed.dataset.source).ok()?;
    let place = match feed.dataset.kind {
        DatasetKind::Files => real.as_path(),
        DatasetKind::Sqlite => real.parent()?,
    };
    fs::metadata(place).ok().map(|found| (found.dev(), found.ino()))
}

impl Feed {
    /// Reads the source: what was touched since the last time, or all of it. Blocks.
    pub(super) fn capture(
        &self,
        now: Timestamp,
        rehash: bool,
        watch: &dyn replication::Watch,
    ) -> replication::Result<replication::Capture> {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = Instant::now();
        let touched = self.touched();
        let captured =
            if rehash { engine.capture(now, true, watch) } else { engine.capture_touched(now, &touched, watch) };
        if captured.is_ok() && (rehash || touched.is_everything()) {
            self.last_walk.ended(begun);
        }
        captured
    }

    /// What may have changed since the last capture took it.
    fn touched(&self) -> Touched {
        let hearing = self.watching.lock().unwrap_or_else(PoisonError::into_inner).hearing.clone();
        match hearing.filter(|_| !self.last_walk.is_due()) {
            Some(hearing) => hearing.take(),
            None => Touched::everything(),
        }
    }
}

impl Node {
    /// Begins to watch, on a thread of its own: a large tree takes a while.
    pub(super) async fn begin_watching(self: &Arc<Self>, feed: &Arc<Feed>) {
        let (node, feed) = (Arc::clone(self), Arc::clone(feed));
        let _ = tokio::task::spawn_blocking(move || node.watch(&feed)).await;
    }

    /// Whether changes of this source are told; notices when the watched directory is not the source any more.
    pub(super) async fn keep_watching(self: &Arc<Self>, feed: &Arc<Feed>) -> bool {
        let (watched, due) = {
            let mut watching = feed.watching.lock().unwrap_or_else(PoisonError::into_inner);
            if watching.hearing.is_some() && watching.root != identity(feed) {
                tracing::info!(dataset = feed.dataset.name, "the source was exchanged; it is watched anew");
                *watching = Watching::default();
                feed.dirty.store(true, Ordering::SeqCst);
            } else if watching.hearing.is_some() && !watching.is_on() {
                *watching = Watching { tried: Some(Instant::now()), ..Watching::default() };
                feed.dirty.store(true, Ordering::SeqCst);
            }
            let due = watching.tried.is_none_or(|tried| tried.elapsed() > TRY_AGAIN);
            (watching.is_on(), due)
        };
        if !watched && due {
            // Marked before, so that the next beat does not begin a second walk.
            feed.watching.lock().unwrap_or_else(PoisonError::into_inner).tried = Some(Instant::now());
            let (node, feed) = (Arc::clone(self), Arc::clone(feed));
            tokio::task::spawn_blocking(move || node.watch(&feed));
        }
        watched
    }

    fn watch(&self, feed: &Feed) {
        let root = identity(feed);
        let listening = self.hear(feed);
        let mut watching = feed.watching.lock().unwrap_or_else(PoisonError::into_inner);
        match listening {
            Ok(hearing) => {
                tracing::debug!(dataset = feed.dataset.name, directories = hearing.watches(), "changes are told");
                *watching = Watching { hearing: Some(Arc::new(hearing)), root, tried: None };
                // What happened before the watch began was told to nobody.
                feed.dirty.store(true, Ordering::SeqCst);
            }
            Err(error) => {
                tracing::warn!(dataset = feed.dataset.name, error, "changes are found by scanning only");
                watching.tried = Some(Instant::now());
            }
        }
    }

    /// A thread of its own hears what is told, until nobody takes it any more.
    fn hear(&self, feed: &Feed) -> Result<Hearing, String> {
        let listening = feed.engine.lock().unwrap_or_else(PoisonError::into_inner).listen();
        let (listener, hearing) = listening.map_err(|error| error.chain())?;
        let (dirty, touched, changed) =
            (Arc::clone(&feed.dirty), Arc::clone(&feed.touched), Arc::clone(&self.feeds.changed));
        let followers = Arc::clone(&feed.followers);
        let told = move || {
            if !dirty.swap(true, Ordering::SeqCst) {
                touched.notify_one();
                // Who follows this source need not be called twice.
                if followers.load(Ordering::SeqCst) == 0 {
                    changed.notify_one();
                }
            }
        };
        let name = feed.dataset.name.clone();
        let until_dropped = move || {
            if let Err(error) = listener.run(told) {
                tracing::warn!(dataset = name, error = error.chain(), "changes are not told any more");
            }
        };
        let spawned = thread::Builder::new().name("hearing".into()).spawn(until_dropped);
        spawned.map(|_| hearing).map_err(|error| error.to_string())
    }
}
