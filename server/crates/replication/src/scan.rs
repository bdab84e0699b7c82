//! Walking a source tree into a manifest. It refuses to follow symlinks, to drop what it cannot read, and to believe
//! that a volume which is not mounted has been emptied.

mod ahead;
mod file;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, StatxAttributes, StatxFlags, openat, statat, statx};

use self::ahead::{Ahead, Meeting};
use crate::beneath::{FileKey, kind_of, mtime_of};
use crate::blocks::SharedLists;
use crate::error::{Error, ErrorKind, Result};
use crate::excludes::Excludes;
use crate::manifest::{ContentHash, Entry, EntryKind, FileTime};
use crate::path::TreePath;
use crate::reading::Scratch;
use crate::remark::{SkipReason, WarningKind};
use crate::watch::Tally;
use crate::xattr::{self, Xattrs};

/// A file whose key is this fresh may change again without a new key: it is hashed again at the next capture.
pub(crate) const RACY_SECONDS: i64 = 2;
/// How often a file that moves while it is read is read again.
pub(crate) const ATTEMPTS: u32 = 3;
/// A file system's own number of a file, and the file system's.
pub(crate) type Inode = (u64, u64);

/// What is known of a file as long as its key stays.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) hash: ContentHash,
    pub(crate) database: bool,
    /// `None`: only the content is known.
    pub(crate) xattrs: Option<Xattrs>,
}

/// What is known by file key, shared with captures in flight so that they can take back what proved wrong.
pub(crate) type HashCache = Arc<Mutex<HashMap<FileKey, Known>>>;

/// What a walk found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) entries: Vec<Entry>,
    /// For each entry, the key under which it was read.
    pub(crate) keys: Vec<FileKey>,
    /// Entries of what has several names, and their inodes.
    pub(crate) linked: Vec<(usize, Inode)>,
    pub(crate) skipped: BTreeMap<TreePath, SkipReason>,
    pub(crate) warnings: BTreeSet<(TreePath, WarningKind)>,
    pub(crate) hashed_bytes: u64,
    /// Paths at which a volume is mounted, the root included.
    pub(crate) mounts: BTreeSet<Vec<u8>>,
}

pub(crate) struct Walk<'a> {
    pub(crate) root: &'a Path,
    pub(crate) excludes: &'a Excludes,
    pub(crate) forbidden: HashSet<Inode>,
    pub(crate) cache: &'a HashCache,
    /// Where the blocks of large files are remembered, if anywhere.
    pub(crate) lists: Option<&'a SharedLists>,
    pub(crate) rehash: bool,
    /// `None`: only measure, read no content.
    pub(crate) hash: bool,
    /// The clock that stamps files, at the start of the scan.
    pub(crate) stamped_until: FileTime,
    pub(crate) tally: Tally<'a>,
    pub(crate) found: Found,
    inodes: HashMap<Inode, usize>,
    kept: HashMap<FileKey, Known>,
    scratch: Scratch,
    /// Where somebody comes from the other end, what is known of it.
    meeting: Option<Arc<Meeting>>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(
        root: &'a Path,
        excludes: &'a Excludes,
        cache: &'a HashCache,
        stamped_until: FileTime,
        tally: Tally<'a>,
    ) -> Self {
        Self {
            root,
            excludes,
            forbidden: HashSet::new(),
            cache,
            lists: None,
            rehash: false,
            hash: true,
            stamped_until,
            tally,
            found: Found::default(),
            inodes: HashMap::new(),
            kept: HashMap::new(),
            scratch: Scratch::default(),
            meeting: None,
        }
    }

    /// Walks everything below `root` and forgets cached hashes of what is gone.
    pub(crate) fn run(mut self, root: BorrowedFd<'_>) -> Result<Found> {
        let unknown = self.rehash || self.cache.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        let walked = if self.hash && unknown && Meeting::is_worth_it() {
            self.walk_from_both_ends(root)
        } else {
            self.look(root, TreePath::root(), b".", None)
        };
        let walked = walked.and_then(|_| self.tally.finish());
        if let Err(e) = walked {
            // What was hashed so far need not be hashed again by the next attempt.
            self.cache.lock().unwrap_or_else(PoisonError::into_inner).extend(self.kept);
            return Err(e);
        }
        if self.hash {
            *self.cache.lock().unwrap_or_else(PoisonError::into_inner) = self.kept;
        }
        Ok(self.found)
    }

    fn walk_from_both_ends(&mut self, root: BorrowedFd<'_>) -> Result<bool> {
        let meeting = Arc::new(Meeting::default());
        let (excludes, forbidden, lists) = (self.excludes, self.forbidden.clone(), self.lists);
        self.meeting = Some(Arc::clone(&meeting));
        let walked = thread::scope(|scope| {
            let ahead =
                Ahead { meeting: &meeting, excludes, forbidden: &forbidden, lists, scratch: Scratch::default() };
            let _ended = meeting.until_dropped();
            // Without it the walk is only slower.
            let _ = thread::Builder::new().name("ahead".into()).spawn_scoped(scope, || ahead.run(root));
            self.look(root, TreePath::root(), b".", None)
        });
        self.meeting = None;
        walked
    }

    /// Ends a walk over a part of the tree: of the rest the cached hashes stay.
    pub(crate) fn finish_part(mut self) -> Result<Found> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).extend(self.kept);
        self.tally.finish()?;
        Ok(self.found)
    }

    /// Looks at one name, and at everything below if it is a directory other than the inode `known`. Whether it was
    /// that one.
    pub(crate) fn look(
        &mut self,
        dir: BorrowedFd<'_>,
        path: TreePath,
        name: &[u8],
        known: Option<Inode>,
    ) -> Result<bool> {
        if !path.is_root() {
            return self.name(dir, path, name, known);
        }
        let stat = rustix::fs::fstat(dir).map_err(|e| Error::unreadable(self.root, e))?;
        if self.forbidden.contains(&identity(&stat)) {
            return Err(Error::new(ErrorKind::SourceForbidden, "this directory is never replicated").at(self.root));
        }
        let fd = openat(dir, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|e| Error::unreadable(self.root, e))?;
        self.directory(fd, path, &stat, known)
    }

    fn directory(&mut self, fd: OwnedFd, path: TreePath, stat: &Stat, known: Option<Inode>) -> Result<bool> {
        if is_mount(fd.as_fd()) {
            self.found.mounts.insert(path.as_bytes().to_vec());
        }
        let xattrs = xattr::read(fd.as_fd(), b".").map_err(|e| Error::unreadable(self.full(&path), e))?;
        self.push(entry(path.clone(), EntryKind::Dir, stat, xattrs), FileKey::of(stat));
        if known == Some(identity(stat)) {
            return Ok(true);
        }
        let mut names: Vec<Box<[u8]>> = Vec::new();
        let listing = Dir::read_from(&fd).and_then(|dir| {
            for item in dir {
                let item = item?;
                let name = item.file_name().to_bytes();
                if name != b"." && name != b".." {
                    names.push(name.into());
                }
            }
            Ok(())
        });
        listing.map_err(|e| Error::unreadable(self.full(&path), e))?;
        names.sort_unstable();
        for name in names {
            let child = path.join(&name).map_err(|fault| {
                Error::new(ErrorKind::SourceUnreadable, "cannot replicate this name").at(self.full(&path)).with(fault)
            })?;
            self.name(fd.as_fd(), child, &name, None)?;
        }
        Ok(false)
    }

    fn name(&mut self, dir: BorrowedFd<'_>, path: TreePath, name: &[u8], known: Option<Inode>) -> Result<bool> {
        let stat = match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // Gone since the listing: that is a deletion like any other.
            Err(rustix::io::Errno::NOENT) => return Ok(false),
            Err(e) => return Err(Error::unreadable(self.full(&path), e)),
        };
        let kind = kind_of(&stat);
        if self.forbidden.contains(&identity(&stat)) {
            self.found.skipped.insert(path, SkipReason::Forbidden);
            return Ok(false);
        }
        if self.excludes.matches(&path, name, kind == FileType::Directory) {
            return Ok(false);
        }
        match kind {
            FileType::RegularFile => self.file(dir, path, name, stat)?,
            FileType::Directory => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                match openat(dir, name, flags, Mode::empty()) {
                    Ok(fd) => {
                        let stat = rustix::fs::fstat(&fd).map_err(|e| Error::unreadable(self.full(&path), e))?;
                        return self.directory(fd, path, &stat, known);
                    }
                    Err(rustix::io::Errno::NOENT) => {}
                    Err(e) => return Err(Error::unreadable(self.full(&path), e)),
                }
            }
            FileType::Symlink => match rustix::fs::readlinkat(dir, name, Vec::new()) {
                Ok(target) if !target.as_bytes().is_empty() => {
                    let kind = EntryKind::Symlink { target: target.as_bytes().into(), group: 0 };
                    if let Some(xattrs) = self.xattrs(dir, name, &path)? {
                        let link = Entry { mode: 0o777, ..entry(path, kind, &stat, xattrs) };
                        self.group(link, &stat, FileKey::of(&stat));
                    }
                }
                Ok(_) | Err(rustix::io::Errno::NOENT) => {}
                Err(e) => return Err(Error::unreadable(self.full(&path), e)),
            },
            FileType::Fifo => {
                if let Some(xattrs) = self.xattrs(dir, name, &path)? {
                    self.group(entry(path, EntryKind::Fifo { group: 0 }, &stat, xattrs), &stat, FileKey::of(&stat));
                }
            }
            FileType::Socket => drop(self.found.skipped.insert(path, SkipReason::Socket)),
            _ => drop(self.found.skipped.insert(path, SkipReason::Device)),
        }
        Ok(false)
    }

    /// `None`: gone since it was listed.
    fn xattrs(&self, dir: BorrowedFd<'_>, name: &[u8], path: &TreePath) -> Result<Option<Xattrs>> {
        match xattr::read(dir, name) {
            Ok(xattrs) => Ok(Some(xattrs)),
            Err(e) if is_gone(&e) => Ok(None),
            Err(e) => Err(Error::unreadable(self.full(path), e)),
        }
    }

    /// Adds what may have several names, joined with earlier names of the same inode if they agree.
    fn group(&mut self, mut entry: Entry, stat: &Stat, key: FileKey) {
        if stat.st_nlink > 1 {
            let here = self.found.entries.len();
            self.found.linked.push((here, identity(stat)));
            let first = *self.inodes.entry(identity(stat)).or_insert(here);
            let number = first as u32 + 1;
            if first == here {
                entry.kind.set_group(number);
            } else if let Some(leader) = self.found.entries.get(first)
                && leader.same_inode_as(&entry)
            {
                entry.kind.set_group(number);
            } else {
                // It changed between two of its names: from here on it counts as another file.
                self.inodes.insert(identity(stat), here);
                entry.kind.set_group(here as u32 + 1);
            }
        }
        self.push(entry, key);
    }

    fn push(&mut self, entry: Entry, key: FileKey) {
        self.found.entries.push(entry);
        self.found.keys.push(key);
    }

    pub(crate) fn full(&self, path: &TreePath) -> PathBuf {
        self.root.join(path.as_path())
    }
}

/// An entry with this metadata.
pub(crate) fn entry(path: TreePath, kind: EntryKind, stat: &Stat, xattrs: Xattrs) -> Entry {
    let (mode, mtime) = (stat.st_mode & 0o7777, mtime_of(stat));
    Entry { path, kind, mode, uid: stat.st_uid, gid: stat.st_gid, mtime, xattrs }
}

#[expect(clippy::unnecessary_cast, reason = "the fields' types differ between architectures")]
pub(crate) fn identity(stat: &Stat) -> Inode {
    (stat.st_dev as u64, stat.st_ino as u64)
}

/// Whether a failed open means that the file is not there any more (or is something else by now).
pub(crate) fn is_gone(e: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, IsADirectory, NotADirectory, NotFound};
    // ENXIO: a socket took its place.
    matches!(e.kind(), NotFound | NotADirectory | InvalidInput | IsADirectory)
        || e.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
        || e.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error())
}

/// Whether a volume is mounted right here; unknown counts as no.
fn is_mount(dir: BorrowedFd<'_>) -> bool {
    statx(dir, "", AtFlags::EMPTY_PATH, StatxFlags::empty())
        .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

pub(crate) fn stat_of(file: &File) -> io::Result<Stat> {
    Ok(rustix::fs::fstat(file)?)
}

/// Why a pass over a file ended early: the file, or what was done with its content.
pub(crate) enum Stop {
    Read(io::Error),
    Work(Error),
}

impl From<io::Error> for Stop {
    fn from(e: io::Error) -> Self {
        Self::Read(e)
    }
}

impl From<Error> for Stop {
    fn from(e: Error) -> Self {
        Self::Work(e)
    }
}

impl Stop {
    pub(crate) fn or_unreadable(self, path: &Path) -> Error {
        match self {
            Self::Read(e) => Error::unreadable(path, e),
            Self::Work(e) => e,
        }
    }
}
