//! What a [`Listener`](crate::Listener) heard, for whoever captures: the names that were touched up to the moment of
//! asking. It refuses to guess: where that moment cannot be made sure of, everything was touched.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::inotify::{self, WatchFlags};

use crate::touched::Touched;

/// How long to wait for what has happened to be told. Only a machine that is out of breath needs it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was heard: the other end of a [`Listener`]. Dropping it ends the listening.
pub struct Hearing {
    pub(crate) shared: Arc<Shared>,
    /// A file that nobody else watches: watching it for a moment puts a mark into the stream of events.
    mark: File,
    waiting: Mutex<()>,
}

/// What both ends hold.
pub(crate) struct Shared {
    pub(crate) inotify: OwnedFd,
    heard: Mutex<Heard>,
    pub(crate) mark_passed: Condvar,
    /// Nobody hears any more.
    pub(crate) stop: AtomicBool,
    /// Nothing is told any more.
    pub(crate) over: AtomicBool,
    /// Directories.
    pub(crate) watched: AtomicUsize,
}

/// What was told and not taken yet.
pub(crate) struct Heard {
    pub(crate) touched: Touched,
    /// The mark somebody waits for.
    pub(crate) awaited: Option<i32>,
}

impl Hearing {
    /// Of this queue of events. `mark` names a file of ours, made and unlinked again.
    pub(crate) fn new(inotify: OwnedFd, mark: &Path) -> io::Result<Self> {
        let marked = File::create(mark)?;
        let _ = fs::remove_file(mark);
        // What happened before was told to nobody.
        let heard = Mutex::new(Heard { touched: Touched::everything(), awaited: None });
        let shared = Arc::new(Shared {
            inotify,
            heard,
            mark_passed: Condvar::new(),
            stop: AtomicBool::new(false),
            over: AtomicBool::new(false),
            watched: AtomicUsize::new(0),
        });
        Ok(Self { shared, mark: marked, waiting: Mutex::new(()) })
    }

    /// Takes what was touched since the last call, up to this very moment: what happened before is in it or in an
    /// earlier answer. Everything, where that cannot be made sure.
    pub fn take(&self) -> Touched {
        let up_to_now = self.wait_for_mark();
        let touched = std::mem::take(&mut self.shared.lock().touched);
        if up_to_now { touched } else { Touched::everything() }
    }

    /// Directories that are watched.
    pub fn watches(&self) -> usize {
        self.shared.watched.load(Ordering::Relaxed)
    }

    /// Whether nothing is heard any more: the root is gone, was moved, or the kernel gives no more watches.
    pub fn is_over(&self) -> bool {
        self.shared.over.load(Ordering::SeqCst)
    }

    /// Watching something and ceasing to puts an event into the same queue as all others, behind them.
    fn wait_for_mark(&self) -> bool {
        let _alone = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = &self.shared;
        let path = format!("/proc/self/fd/{}", self.mark.as_raw_fd());
        let Ok(mark) = inotify::add_watch(&shared.inotify, path, WatchFlags::ATTRIB) else { return false };
        let mut heard = shared.lock();
        heard.awaited = Some(mark);
        if inotify::remove_watch(&shared.inotify, mark).is_err() {
            return false;
        }
        let pending = |heard: &mut Heard| heard.awaited.is_some() && !self.is_over();
        let waited = shared.mark_passed.wait_timeout_while(heard, PATIENCE, pending);
        let (mut heard, _) = waited.unwrap_or_else(PoisonError::into_inner);
        heard.awaited.take().is_none()
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // The listener sleeps until something is told: this is.
        let path = format!("/proc/self/fd/{}", self.mark.as_raw_fd());
        if let Ok(mark) = inotify::add_watch(&self.shared.inotify, path, WatchFlags::ATTRIB) {
            let _ = inotify::remove_watch(&self.shared.inotify, mark);
        }
    }
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Hearing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hearing({} directories)", self.watches())
    }
}
