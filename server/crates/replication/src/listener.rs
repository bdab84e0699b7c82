//! Hearing from the kernel what changes in a source (inotify), as names that were touched. A directory is watched before
//! it is listed, so that nothing is made in it unheard. It refuses to be precise where it cannot be: an overflow, a
//! directory under two names or a lost root touch everything.
//!
//! What inotify itself does not tell: writes through a memory map, and through a hardlink outside of the source. Whoever
//! listens still walks the whole source from time to time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;

use crate::beneath::{Beneath, kind_of};
use crate::error::{Error, ErrorKind, Result};
use crate::excludes::Excludes;
use crate::hearing::{Hearing, Shared};
use crate::path::TreePath;
use crate::scan::{Inode, identity};
use crate::touched::Touched;

/// What is told of a directory's names.
const CHANGES: WatchFlags = WatchFlags::ATTRIB
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::ONLYDIR)
    .union(WatchFlags::EXCL_UNLINK);

/// And of the root: that it is the root no more.
const END: ReadFlags = ReadFlags::DELETE_SELF.union(ReadFlags::MOVE_SELF).union(ReadFlags::UNMOUNT);

/// What is watched.
pub(crate) enum Scope {
    /// A directory and all below, but for what is left out.
    Tree { excludes: Excludes, forbidden: HashSet<Inode> },
    /// In a directory only what SQLite keeps of this database.
    Database(Vec<u8>),
}

/// Listens on a thread of the caller's. See [`crate::Source::listen`].
pub struct Listener {
    shared: Arc<Shared>,
    /// Not held open between walks: it may be a volume that somebody wants to unmount.
    root: PathBuf,
    scope: Scope,
    dirs: HashMap<i32, TreePath>,
    watches: BTreeMap<TreePath, i32>,
    /// Watched under more than one name (a bind mount): which one is meant cannot be told.
    ambiguous: HashSet<i32>,
    root_watch: i32,
}

impl Listener {
    /// Watches everything in `root`. `mark` names a file of ours, made and unlinked again.
    pub(crate) fn begin(root: &Path, mark: &Path, scope: Scope) -> Result<(Self, Hearing)> {
        let trouble = |e: io::Error| Error::io("cannot listen for changes", root, e);
        let inotify = inotify::init(CreateFlags::CLOEXEC).map_err(|e| trouble(e.into()))?;
        let hearing = Hearing::new(inotify, mark).map_err(trouble)?;
        let mut listener = Self {
            shared: Arc::clone(&hearing.shared),
            root: root.to_owned(),
            scope,
            dirs: HashMap::new(),
            watches: BTreeMap::new(),
            ambiguous: HashSet::new(),
            root_watch: -1,
        };
        listener.watch_everything()?;
        Ok((listener, hearing))
    }

    /// Listens until the [`Hearing`] is dropped or the root is lost; tells of each batch that touched something. An
    /// error says why nothing more will be heard.
    pub fn run(mut self, mut told: impl FnMut()) -> Result<()> {
        let ended = self.listen(&mut told);
        self.shared.over.store(true, Ordering::SeqCst);
        self.shared.lock().touched = Touched::everything();
        self.shared.mark_passed.notify_all();
        told();
        ended
    }

    fn listen(&mut self, told: &mut impl FnMut()) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let mut buffer = [MaybeUninit::uninit(); 32 * 1024];
        let mut reader = Reader::new(&shared.inotify, &mut buffer);
        let mut touched = Touched::nothing();
        loop {
            let (watch, what, name) = match reader.next() {
                Ok(event) => (event.wd(), event.events(), event.file_name().map(|name| name.to_bytes().to_vec())),
                Err(Errno::INTR) => continue,
                Err(e) => return Err(Error::io("cannot hear of changes", &self.root, e)),
            };
            if shared.stop.load(Ordering::SeqCst) {
                return Ok(());
            }
            if what.contains(ReadFlags::IGNORED) && !self.dirs.contains_key(&watch) {
                // Whoever waits for the mark relies on all that was heard before it.
                self.deliver(&mut touched, told);
                let mut heard = shared.lock();
                if heard.awaited == Some(watch) {
                    heard.awaited = None;
                    shared.mark_passed.notify_all();
                }
                continue;
            }
            if watch == self.root_watch && what.intersects(END) {
                return Ok(());
            }
            self.event(watch, what, name.as_deref(), &mut touched)?;
            if what.contains(ReadFlags::QUEUE_OVERFLOW) {
                // A mark may be among what is lost; everything is touched, so that nobody need wait for it.
                self.deliver(&mut touched, told);
                shared.lock().awaited = None;
                shared.mark_passed.notify_all();
            }
            if reader.is_buffer_empty() {
                self.deliver(&mut touched, told);
            }
        }
    }

    fn deliver(&self, touched: &mut Touched, told: &mut impl FnMut()) {
        self.shared.watched.store(self.dirs.len(), Ordering::Relaxed);
        if !touched.is_nothing() {
            self.shared.lock().touched.merge(std::mem::take(touched));
            told();
        }
    }

    fn event(&mut self, watch: i32, what: ReadFlags, name: Option<&[u8]>, touched: &mut Touched) -> Result<()> {
        if what.contains(ReadFlags::QUEUE_OVERFLOW) {
            tracing::info!(root = %self.root.display(), "more changes than the kernel remembers: everything is read");
            self.watch_everything()?;
            *touched = Touched::everything();
            return Ok(());
        }
        // Of a directory that was moved away or is gone: what is told of it still is told by its new name, too.
        let Some(dir) = self.dirs.get(&watch).cloned() else { return Ok(()) };
        if what.contains(ReadFlags::IGNORED) {
            self.forget(&dir);
            return Ok(());
        }
        if let Scope::Database(database) = &self.scope {
            if name.is_some_and(|name| belongs(name, database)) {
                *touched = Touched::everything();
            }
            return Ok(());
        }
        if self.ambiguous.contains(&watch) || what.contains(ReadFlags::UNMOUNT) {
            *touched = Touched::everything();
            return Ok(());
        }
        let Some(name) = name else {
            touched.name(dir.as_bytes());
            return Ok(());
        };
        let Ok(path) = dir.join(name) else {
            *touched = Touched::everything();
            return Ok(());
        };
        let is_dir = what.contains(ReadFlags::ISDIR);
        let replaced =
            ReadFlags::CREATE.union(ReadFlags::DELETE).union(ReadFlags::MOVED_FROM).union(ReadFlags::MOVED_TO);
        if self.is_left_out(&path, name, is_dir) {
            // Its coming and going is no change, but for the time of its directory.
            if what.intersects(replaced) {
                touched.name(dir.as_bytes());
            }
            return Ok(());
        }
        if !what.intersects(replaced) || !is_dir {
            touched.name(path.as_bytes());
            return Ok(());
        }
        self.forget(&path);
        if what.intersects(ReadFlags::CREATE.union(ReadFlags::MOVED_TO)) {
            self.watch_tree(&path)?;
        }
        // Only now: who reads it after this was said finds what was made before it was watched.
        touched.tree(path.as_bytes());
        Ok(())
    }

    fn is_left_out(&self, path: &TreePath, name: &[u8], dir: bool) -> bool {
        match &self.scope {
            Scope::Tree { excludes, .. } => excludes.matches(path, name, dir),
            Scope::Database(_) => false,
        }
    }

    fn watch_everything(&mut self) -> Result<()> {
        self.forget(&TreePath::root());
        self.watch_tree(&TreePath::root())?;
        let root = self.watches.get(&TreePath::root()).copied();
        let gone = || Error::new(ErrorKind::SourceMissing, "the source is not there").at(&self.root);
        self.root_watch = root.ok_or_else(gone)?;
        self.shared.watched.store(self.dirs.len(), Ordering::Relaxed);
        Ok(())
    }

    /// Watches a directory and those below it. One that is gone by now will be told of.
    fn watch_tree(&mut self, path: &TreePath) -> Result<()> {
        let opened = Beneath::open(&self.root).and_then(|mut tree| {
            let (dir, name) = tree.locate(path)?;
            open_dir(dir, name)
        });
        match opened {
            Ok(fd) => self.watch_dir(path.clone(), &fd),
            Err(_) => Ok(()),
        }
    }

    fn watch_dir(&mut self, path: TreePath, fd: &OwnedFd) -> Result<()> {
        if let Scope::Tree { forbidden, .. } = &self.scope
            && rustix::fs::fstat(fd).is_ok_and(|stat| forbidden.contains(&identity(&stat)))
        {
            return Ok(());
        }
        let flags = if path.is_root() { CHANGES | WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF } else { CHANGES };
        let watch = match inotify::add_watch(&self.shared.inotify, format!("/proc/self/fd/{}/.", fd.as_raw_fd()), flags)
        {
            Ok(watch) => watch,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => return Ok(()),
            Err(Errno::NOSPC) => {
                let text = "there are more directories than the kernel lets us watch (fs.inotify.max_user_watches)";
                return Err(Error::new(ErrorKind::Io, text).at(&self.root));
            }
            Err(e) => return Err(Error::io("cannot watch a directory", self.root.join(path.as_path()), e)),
        };
        if self.dirs.insert(watch, path.clone()).is_some_and(|other| other != path) {
            self.ambiguous.insert(watch);
        }
        self.watches.insert(path.clone(), watch);
        if matches!(self.scope, Scope::Database(_)) {
            return Ok(());
        }
        let Ok(listing) = Dir::read_from(fd) else { return Ok(()) };
        for item in listing.filter_map(Result::ok) {
            let name = item.file_name().to_bytes();
            let is_dir = match item.file_type() {
                FileType::Directory => true,
                FileType::Unknown => {
                    statat(fd, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| kind_of(&stat) == FileType::Directory)
                }
                _ => false,
            };
            if !is_dir || name == b"." || name == b".." {
                continue;
            }
            // A name that cannot be in a tree fails the walk, which says so.
            let Ok(child) = path.join(name) else { continue };
            if let (false, Ok(fd)) = (self.is_left_out(&child, name, true), open_dir(fd.as_fd(), name)) {
                self.watch_dir(child, &fd)?;
            }
        }
        Ok(())
    }

    /// Stops watching a directory and those that lay below it.
    fn forget(&mut self, path: &TreePath) {
        let below: Vec<(TreePath, i32)> = self
            .watches
            .range(path.clone()..)
            .take_while(|(other, _)| *other == path || other.is_inside(path))
            .map(|(other, watch)| (other.clone(), *watch))
            .collect();
        for (other, watch) in below {
            self.watches.remove(&other);
            self.ambiguous.remove(&watch);
            if self.dirs.remove(&watch).is_some() {
                // Refused where the kernel has done so already.
                let _ = inotify::remove_watch(&self.shared.inotify, watch);
            }
        }
    }
}

fn open_dir(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(dir, name, flags, Mode::empty())?)
}

/// The database itself, its write-ahead log or its rollback journal; not `-shm`, which every reader touches.
fn belongs(name: &[u8], database: &[u8]) -> bool {
    name.strip_prefix(database).is_some_and(|rest| matches!(rest, b"" | b"-wal" | b"-journal"))
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Listener({:?})", self.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_changes_through_its_log_and_not_through_its_readers() {
        for (name, counts) in [
            ("pbx.db", true),
            ("pbx.db-wal", true),
            ("pbx.db-journal", true),
            ("pbx.db-shm", false),
            ("pbx.dbx", false),
        ] {
            assert_eq!(belongs(name.as_bytes(), b"pbx.db"), counts, "{name}");
        }
    }
}
