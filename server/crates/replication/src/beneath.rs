//! Reaching names inside a tree without ever leaving it: one `openat` a name, never through a symlink.
//! The same promise as `openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)`, also for paths longer than the kernel takes
//! and on kernels without it. It refuses to follow anything.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, openat, statat};

use crate::manifest::FileTime;
use crate::path::{TreePath, names};

/// A tree held by its root, with the directories on the way to the last name kept open.
pub(crate) struct Beneath {
    root: OwnedFd,
    trail: Vec<(Box<[u8]>, OwnedFd)>,
}

const STEP: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Beneath {
    /// Holds the directory `root`; a symlink at its very end is followed (the administrator named it).
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        let root = rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { root, trail: Vec::new() })
    }

    /// A second walker over the same tree.
    pub(crate) fn again(&self) -> io::Result<Self> {
        Ok(Self { root: self.root.try_clone()?, trail: Vec::new() })
    }

    pub(crate) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// The directory at this path.
    pub(crate) fn dir(&mut self, dir: &[u8]) -> io::Result<BorrowedFd<'_>> {
        let mut depth = 0;
        for name in names(dir) {
            if self.trail.get(depth).is_some_and(|(known, _)| **known != *name) {
                self.trail.truncate(depth);
            }
            if depth == self.trail.len() {
                let parent = self.trail.last().map_or(self.root.as_fd(), |(_, fd)| fd.as_fd());
                let fd = openat(parent, name, STEP, Mode::empty())?;
                self.trail.push((name.into(), fd));
            }
            depth += 1;
        }
        self.trail.truncate(depth);
        Ok(self.trail.last().map_or(self.root.as_fd(), |(_, fd)| fd.as_fd()))
    }

    /// The directory that holds this path, and the name in it. The root is `.` in itself.
    pub(crate) fn locate<'p>(&mut self, path: &'p TreePath) -> io::Result<(BorrowedFd<'_>, &'p [u8])> {
        match path.split() {
            Some((parent, name)) => Ok((self.dir(parent)?, name)),
            None => Ok((self.root.as_fd(), b".")),
        }
    }

    /// Lets go of the directories on the way.
    pub(crate) fn forget(&mut self) {
        self.trail.clear();
    }

    pub(crate) fn stat(&mut self, path: &TreePath) -> io::Result<Stat> {
        let (dir, name) = self.locate(path)?;
        Ok(statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Opens a regular file for reading; anything else there is `InvalidInput`. Never blocks on a FIFO.
    pub(crate) fn open_file(&mut self, path: &TreePath) -> io::Result<(File, Stat)> {
        let (dir, name) = self.locate(path)?;
        open_regular(dir, name)
    }
}

pub(crate) fn open_regular(dir: BorrowedFd<'_>, name: &[u8]) -> io::Result<(File, Stat)> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(openat(dir, name, flags, Mode::empty())?);
    let stat = rustix::fs::fstat(&file)?;
    if kind_of(&stat) == FileType::RegularFile {
        Ok((file, stat))
    } else {
        Err(io::Error::from(io::ErrorKind::InvalidInput))
    }
}

pub(crate) fn kind_of(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

#[expect(clippy::unnecessary_cast, reason = "the fields' types differ between architectures")]
pub(crate) fn mtime_of(stat: &Stat) -> FileTime {
    FileTime { seconds: stat.st_mtime as i64, nanoseconds: stat.st_mtime_nsec as u32 }
}

/// Bytes that a file takes on its disk.
pub(crate) fn room_of(stat: &Stat) -> u64 {
    u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512)
}

/// What says that a file is still the one that was hashed. A content change without a new ctime is not possible,
/// except within one tick of the file system's clock: see `racy` in the scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FileKey {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) size: u64,
    pub(crate) mtime: FileTime,
    pub(crate) ctime: FileTime,
}

impl FileKey {
    /// The file system's own number of the file.
    pub(crate) fn inode(&self) -> (u64, u64) {
        (self.dev, self.ino)
    }

    #[expect(clippy::unnecessary_cast, reason = "the fields' types differ between architectures")]
    pub(crate) fn of(stat: &Stat) -> Self {
        Self {
            dev: stat.st_dev as u64,
            ino: stat.st_ino as u64,
            size: stat.st_size as u64,
            mtime: mtime_of(stat),
            ctime: FileTime { seconds: stat.st_ctime as i64, nanoseconds: stat.st_ctime_nsec as u32 },
        }
    }
}
