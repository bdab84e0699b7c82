//! A second pair of eyes for the first walk over a tree: it begins at the other end and reads files before the walk comes
//! to them. It refuses to decide anything: what it finds counts only under the key that the walk finds itself, and what it
//! cannot read the walk meets again.

use std::collections::{HashMap, HashSet};
use std::num::NonZero;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat};

use super::file::{Reading, read_regular};
use super::{Inode, Known, Stop, identity};
use crate::beneath::{FileKey, kind_of};
use crate::blocks::SharedLists;
use crate::excludes::Excludes;
use crate::parallel;
use crate::path::TreePath;
use crate::reading::Scratch;

/// What two walks have in common that come from both ends.
#[derive(Default)]
pub(super) struct Meeting {
    found: Mutex<HashMap<FileKey, Known>>,
    /// Where the walk is that counts.
    at: Mutex<Option<TreePath>>,
    over: AtomicBool,
}

impl Meeting {
    /// Whether a second walk saves time on this machine.
    pub(super) fn is_worth_it() -> bool {
        thread::available_parallelism().map_or(1, NonZero::get) > 1
    }

    /// The walk has come to this file, and reads it.
    pub(super) fn reached(&self, path: &TreePath) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = Some(path.clone());
    }

    /// What is known under this key already.
    pub(super) fn take(&self, key: &FileKey) -> Option<Known> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).remove(key)
    }

    /// The other walk ends with this, however the one that counts does.
    pub(super) fn until_dropped(&self) -> impl Drop + '_ {
        Ended(self)
    }

    fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Whether the walk has been here.
    fn is_behind(&self, path: &TreePath) -> bool {
        self.at.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|at| path <= at)
    }
}

struct Ended<'m>(&'m Meeting);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The walk from the other end.
pub(super) struct Ahead<'a> {
    pub(super) meeting: &'a Meeting,
    pub(super) excludes: &'a Excludes,
    pub(super) forbidden: &'a HashSet<Inode>,
    pub(super) lists: Option<&'a SharedLists>,
    pub(super) scratch: Scratch,
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Ahead<'_> {
    /// Walks from the end to the beginning, until the two meet.
    pub(super) fn run(mut self, root: BorrowedFd<'_>) {
        if let Ok(fd) = openat(root, ".", FOLDER, Mode::empty()) {
            self.directory(fd, &TreePath::root());
        }
    }

    fn directory(&mut self, fd: OwnedFd, path: &TreePath) {
        let Ok(listing) = Dir::read_from(&fd) else { return };
        let names = listing.filter_map(|item| item.ok().map(|item| Box::<[u8]>::from(item.file_name().to_bytes())));
        let mut names: Vec<_> = names.filter(|name| **name != *b"." && **name != *b"..").collect();
        names.sort_unstable();
        for name in names.into_iter().rev() {
            let Ok(child) = path.join(&name) else { continue };
            if self.meeting.is_over() || self.name(fd.as_fd(), &child, &name).is_none() {
                return;
            }
        }
    }

    /// `None`: the two have met.
    fn name(&mut self, dir: BorrowedFd<'_>, path: &TreePath, name: &[u8]) -> Option<()> {
        let Ok(stat) = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) else { return Some(()) };
        let kind = kind_of(&stat);
        let left_out =
            self.forbidden.contains(&identity(&stat)) || self.excludes.matches(path, name, kind == FileType::Directory);
        match kind {
            _ if left_out => {}
            FileType::Directory => {
                if let Ok(fd) = openat(dir, name, FOLDER, Mode::empty()) {
                    self.directory(fd, path);
                }
            }
            FileType::RegularFile if self.meeting.is_behind(path) => {
                self.meeting.end();
                return None;
            }
            // A long one is read by several threads anyway.
            FileType::RegularFile if FileKey::of(&stat).size < parallel::SHORTEST => self.file(dir, name),
            _ => {}
        }
        Some(())
    }

    fn file(&mut self, dir: BorrowedFd<'_>, name: &[u8]) {
        let meeting = self.meeting;
        let read = read_regular(dir, name, self.lists, &mut self.scratch, |_| match meeting.is_over() {
            true => Err(Stop::Read(std::io::ErrorKind::Interrupted.into())),
            false => Ok(()),
        });
        if let Ok(Some(Reading { known, key, settled: true, .. })) = read {
            meeting.found.lock().unwrap_or_else(PoisonError::into_inner).insert(key, known);
        }
    }
}
