//! One regular file on a walk: recalled by its key, or read. It refuses to take half of one state and half of another for
//! a file: one that moves while it is read is read again.

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::sync::PoisonError;

use rustix::fs::{AtFlags, Stat, statat};

use super::{ATTEMPTS, Known, RACY_SECONDS, Stop, Walk, entry, is_gone, stat_of};
use crate::beneath::{FileKey, open_regular};
use crate::blocks::{Lister, SharedLists, is_listed};
use crate::error::{Error, Result};
use crate::manifest::{ContentHash, EntryKind};
use crate::parallel::{self, Whole};
use crate::path::TreePath;
use crate::reading::{Digest, Scratch, digest};
use crate::remark::WarningKind;
use crate::xattr::{self, Xattrs};

/// A file as it was found.
struct Seen {
    known: Known,
    xattrs: Xattrs,
    size: u64,
    key: FileKey,
    stat: Stat,
    /// It stood still.
    settled: bool,
}

impl Walk<'_> {
    /// Takes in a file that had this `stat` a moment ago.
    pub(super) fn file(&mut self, dir: BorrowedFd<'_>, path: TreePath, name: &[u8], stat: Stat) -> Result<()> {
        if !self.hash {
            let kind = EntryKind::File { size: FileKey::of(&stat).size, hash: ContentHash([0; 32]), group: 0 };
            self.group(entry(path, kind, &stat, Xattrs::default()), &stat, FileKey::of(&stat));
            return self.tally.file();
        }
        let mut attempt = 1;
        let mut found = self.find(dir, name, &path, stat)?;
        while found.as_ref().is_some_and(|seen| !seen.settled) && attempt < ATTEMPTS {
            attempt += 1;
            found = match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => self.find(dir, name, &path, stat)?,
                Err(rustix::io::Errno::NOENT) => None,
                Err(e) => return Err(Error::unreadable(self.full(&path), e)),
            };
        }
        let Some(Seen { known, xattrs, size, key, stat, settled }) = found else { return Ok(()) };
        if !settled {
            self.found.warnings.insert((path.clone(), WarningKind::Unsettled));
        }
        if known.database {
            self.found.warnings.insert((path.clone(), WarningKind::UndeclaredDatabase));
        }
        let kind = EntryKind::File { size, hash: known.hash, group: 0 };
        if !self.racy(&key) {
            self.kept.insert(key, known);
        }
        self.group(entry(path, kind, &stat, xattrs), &stat, key);
        self.tally.file()
    }

    /// What is known under the file's key, else what reading it finds. `None`: gone, or no file any more.
    fn find(&mut self, dir: BorrowedFd<'_>, name: &[u8], path: &TreePath, stat: Stat) -> Result<Option<Seen>> {
        let key = FileKey::of(&stat);
        let ahead = self.meeting.as_ref().and_then(|meeting| meeting.take(&key));
        if ahead.is_some() {
            self.found.hashed_bytes += key.size;
            self.tally.bytes(key.size)?;
        }
        let recalled = ahead.or_else(|| if self.rehash { None } else { self.recall(&key) });
        let Some(known) = recalled else { return self.read(dir, name, path) };
        // To set an attribute is to change the file: what was read under this key still holds.
        let xattrs = match known.xattrs.clone() {
            Some(xattrs) => Some(xattrs),
            None => self.xattrs(dir, name, path)?,
        };
        Ok(xattrs.map(|xattrs| {
            let known = Known { xattrs: Some(xattrs.clone()), ..known };
            Seen { known, xattrs, size: key.size, key, stat, settled: true }
        }))
    }

    /// Hashes a file as it is now.
    fn read(&mut self, dir: BorrowedFd<'_>, name: &[u8], path: &TreePath) -> Result<Option<Seen>> {
        if let Some(meeting) = &self.meeting {
            meeting.reached(path);
        }
        let tally = &mut self.tally;
        let read = read_regular(dir, name, self.lists, &mut self.scratch, |bytes| Ok(tally.bytes(bytes)?));
        let Some(reading) = read.map_err(|stop| stop.or_unreadable(&self.full(path)))? else { return Ok(None) };
        self.found.hashed_bytes += reading.hashed_bytes;
        let Reading { known, xattrs, size, key, stat, settled, .. } = reading;
        Ok(Some(Seen { known, xattrs, size, key, stat, settled }))
    }

    fn recall(&self, key: &FileKey) -> Option<Known> {
        let from = self.kept.get(key).cloned();
        from.or_else(|| self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    fn racy(&self, key: &FileKey) -> bool {
        key.mtime.max(key.ctime).seconds + RACY_SECONDS >= self.stamped_until.seconds
    }
}

/// A file that was read.
pub(super) struct Reading {
    pub(super) known: Known,
    xattrs: Xattrs,
    /// Bytes that were found in it.
    size: u64,
    /// Bytes that had to be read for it.
    hashed_bytes: u64,
    pub(super) key: FileKey,
    stat: Stat,
    /// It stood still.
    pub(super) settled: bool,
}

/// Reads a file to its end, and remembers the blocks of a large one; `None`: gone, or no file any more.
pub(super) fn read_regular(
    dir: BorrowedFd<'_>,
    name: &[u8],
    lists: Option<&SharedLists>,
    scratch: &mut Scratch,
    told: impl FnMut(u64) -> Result<(), Stop>,
) -> Result<Option<Reading>, Stop> {
    let (mut file, stat) = match open_regular(dir, name) {
        Ok(opened) => opened,
        Err(e) if is_gone(&e) => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let key = FileKey::of(&stat);
    // Before the content: a later change of either shows in the key.
    let xattrs = xattr::read_of(&file)?;
    let read = content(&mut file, key.size, lists, scratch, told)?;
    let settled = FileKey::of(&stat_of(&file)?) == key && read.bytes == key.size;
    let known = Known { hash: read.hash, database: read.database, xattrs: Some(xattrs.clone()) };
    Ok(Some(Reading { known, xattrs, size: read.bytes, hashed_bytes: read.read, key, stat, settled }))
}

fn content(
    file: &mut File,
    size: u64,
    lists: Option<&SharedLists>,
    scratch: &mut Scratch,
    mut told: impl FnMut(u64) -> Result<(), Stop>,
) -> Result<Digest, Stop> {
    let lists = lists.filter(|_| is_listed(size));
    let keep = |hash, list| {
        if let Some(lists) = lists {
            lists.lock().unwrap_or_else(PoisonError::into_inner).keep(hash, list);
        }
    };
    if let Some(Whole { hash, list, database }) = parallel::digest(file, size, &mut told)? {
        keep(hash, list);
        return Ok(Digest { hash, bytes: size, read: size, database });
    }
    let mut lister = lists.map(|_| Lister::new(size));
    let read = digest::<Stop>(file, size, scratch, |piece| {
        if let Some(lister) = &mut lister {
            lister.take(piece);
        }
        told(piece.len())
    })?;
    if let Some(list) = lister.and_then(Lister::finish) {
        keep(read.hash, list);
    }
    Ok(read)
}
