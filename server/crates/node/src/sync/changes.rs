//! How the Master notices changes: the kernel tells (inotify). What it cannot tell, because there are too many directories
//! or the root itself was exchanged, is noticed here, and the source is scanned instead until it can be watched again.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use contract::dataset::DatasetKind;
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecursiveMode, Watcher};

use crate::node::Node;
use crate::sync::source::Feed;

/// How long to wait before a tree that could not be watched is tried again: walking it is dear.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// Whether the kernel tells of changes in a source.
#[derive(Debug, Default)]
pub(crate) struct Watching {
    watcher: Option<notify::RecommendedWatcher>,
    /// Device and inode of what is watched: another one at the same path is another tree.
    root: Option<(u64, u64)>,
    tried: Option<Instant>,
}

impl Watching {
    pub(super) fn is_on(&self) -> bool {
        self.watcher.is_some()
    }
}

/// The watched directory: of a tree the tree, of a database the directory it really lies in.
fn place(feed: &Feed) -> Option<(PathBuf, RecursiveMode)> {
    let real = fs::canonicalize(&feed.dataset.source).ok()?;
    match feed.dataset.kind {
        DatasetKind::Files => Some((real, RecursiveMode::Recursive)),
        DatasetKind::Sqlite => Some((real.parent()?.to_owned(), RecursiveMode::NonRecursive)),
    }
}

fn identity(feed: &Feed) -> Option<(u64, u64)> {
    let (path, _) = place(feed)?;
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
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
            if watching.watcher.is_some() && watching.root != identity(feed) {
                tracing::info!(dataset = feed.dataset.name, "the source was exchanged; it is watched anew");
                *watching = Watching::default();
                feed.dirty.store(true, Ordering::SeqCst);
            }
            let due = watching.tried.is_none_or(|tried| tried.elapsed() > TRY_AGAIN);
            (watching.watcher.is_some(), due)
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
        let Some((path, mode)) = place(feed) else { return };
        let root = identity(feed);
        let (dirty, changed) = (Arc::clone(&feed.dirty), Arc::clone(&self.feeds.changed));
        let touched = Arc::clone(&feed.touched);
        let own = self.dir.root().to_owned();
        let database = fs::canonicalize(&feed.dataset.source).ok().filter(|_| feed.dataset.kind == DatasetKind::Sqlite);
        let heard = move |event: notify::Result<Event>| {
            let counts = event.map_or(true, |event| matters(&event, &own, database.as_deref()));
            if counts && !dirty.swap(true, Ordering::SeqCst) {
                touched.notify_one();
                changed.notify_one();
            }
        };
        let config = notify::Config::default().with_follow_symlinks(false);
        let watcher = notify::RecommendedWatcher::new(heard, config).and_then(|mut watcher| {
            watcher.watch(&path, mode)?;
            Ok(watcher)
        });
        let mut watching = feed.watching.lock().unwrap_or_else(PoisonError::into_inner);
        match watcher {
            Ok(watcher) => {
                *watching = Watching { watcher: Some(watcher), root, tried: None };
                // What happened before the watch began was told to nobody.
                feed.dirty.store(true, Ordering::SeqCst);
            }
            Err(error) => {
                tracing::warn!(dataset = feed.dataset.name, %error, "changes are found by scanning only");
                watching.tried = Some(Instant::now());
            }
        }
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
