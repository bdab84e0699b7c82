//! Building a tree on disk from a manifest, inside a directory nobody looks into yet. It refuses to reach outside of it:
//! every name is made in a directory that was opened without following a symlink, and nothing is ever overwritten.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, chmodat, chownat, fchmod, futimens, linkat,
    mkdirat, mknodat, openat, symlinkat, utimensat,
};
use rustix::io::Errno;

use crate::beneath::Beneath;
use crate::change::Changes;
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{ContentHash, Entry, EntryKind, Manifest};
use crate::path::TreePath;
use crate::reading::pieces;
use crate::reuse::Reuse;
use crate::sparse::SparseFile;
use crate::stage::Stage;
use crate::watch::{Phase, Point, Tally, Watch, pass};
use crate::xattr;

/// How a new file is opened.
pub(crate) const FRESH: OFlags =
    OFlags::RDWR.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Where the content of the files comes from.
pub(crate) trait Contents {
    /// Makes the file of this entry as `name` in `dir`, metadata included.
    fn make(
        &mut self,
        dir: BorrowedFd<'_>,
        name: &[u8],
        index: usize,
        entry: &Entry,
        tally: &mut Tally<'_>,
    ) -> Result<()>;
}

pub(crate) struct Builder<'a> {
    pub(crate) root: &'a Path,
    pub(crate) manifest: &'a Manifest,
    /// What of the manifest is not there yet.
    pub(crate) changes: &'a Changes,
    /// Bytes that will be written, for who watches.
    pub(crate) bytes: u64,
    /// Passed when half of it is done.
    pub(crate) half: Point,
    pub(crate) watch: &'a dyn Watch,
}

impl Builder<'_> {
    /// Makes `root` and everything in it.
    pub(crate) fn build(self, contents: &mut dyn Contents) -> Result<()> {
        let trouble = |e: rustix::io::Errno| Error::io("cannot build the tree of the replica", self.root, e);
        // Closed to everybody else until its own mode is set, last of all.
        rustix::fs::mkdir(self.root, Mode::RWXU).map_err(trouble)?;
        self.make(contents)
    }

    /// Makes the names that are to be made, in a tree that has all others.
    pub(crate) fn make(self, contents: &mut dyn Contents) -> Result<()> {
        let trouble = |e: io::Error| Error::io("cannot build the tree of the replica", self.root, e);
        let mut tree = Beneath::open(self.root).map_err(trouble)?;
        let mut first_names = tree.again().map_err(trouble)?;
        let manifest = self.manifest;
        let make = &self.changes.make;
        let names = make.iter().filter(|index| matches!(manifest.entries()[**index].kind, EntryKind::File { .. }));
        let mut tally = Tally::new(self.watch, Phase::Building, Some((names.count() as u64, self.bytes)))?;
        for (at, index) in make.iter().copied().enumerate() {
            if at == make.len() / 2 {
                pass(self.watch, self.half)?;
            }
            let entry = &manifest.entries()[index];
            let failed = |e: io::Error| Error::io("cannot build the tree of the replica", self.full(entry), e);
            let (dir, name) = tree.locate(&entry.path).map_err(failed)?;
            match &entry.kind {
                EntryKind::Dir => mkdirat(dir, name, Mode::RWXU).map_err(|e| failed(e.into()))?,
                kind => {
                    let first = self.changes.first(index, entry);
                    match kind {
                        _ if first != index => {
                            let first = &manifest.entries()[first].path;
                            let (from, from_name) = first_names.locate(first).map_err(failed)?;
                            linkat(from, from_name, dir, name, AtFlags::empty()).map_err(|e| failed(e.into()))?;
                        }
                        EntryKind::File { .. } => contents.make(dir, name, index, entry, &mut tally)?,
                        _ => make_special(dir, name, entry).map_err(failed)?,
                    }
                    if matches!(kind, EntryKind::File { .. }) {
                        tally.file()?;
                    }
                }
            }
        }
        // Inside out: whatever is made in a directory changes its time.
        for entry in self.changes.dress.iter().rev().map(|index| &manifest.entries()[*index]) {
            let failed = |e: io::Error| Error::io("cannot set the metadata of a directory", self.full(entry), e);
            let (dir, name) = tree.locate(&entry.path).map_err(failed)?;
            dress(dir, name, entry).map_err(failed)?;
        }
        tally.finish()
    }

    fn full(&self, entry: &Entry) -> PathBuf {
        self.root.join(entry.path.as_path())
    }
}

/// Content for the next generation: inodes of the last one, and what is in the stage.
pub(crate) struct Arrived<'a> {
    root: &'a Path,
    reuse: Option<&'a mut Reuse>,
    links: &'a HashMap<usize, usize>,
    stage: &'a Stage,
    used: HashSet<ContentHash>,
    /// Files of the tree that were in their place before, and a way to them.
    placed: HashMap<ContentHash, TreePath>,
    there: Option<Beneath>,
}

impl<'a> Arrived<'a> {
    pub(crate) fn new(
        root: &'a Path,
        reuse: Option<&'a mut Reuse>,
        links: &'a HashMap<usize, usize>,
        stage: &'a Stage,
    ) -> Self {
        Self { root, reuse, links, stage, used: HashSet::new(), placed: HashMap::new(), there: None }
    }

    /// For a tree in which these entries are in their place.
    pub(crate) fn beside(mut self, manifest: &Manifest, placed: &HashMap<ContentHash, u32>) -> Result<Self> {
        let path = |index: &u32| manifest.entries()[*index as usize].path.clone();
        self.placed = placed.iter().map(|(hash, index)| (*hash, path(index))).collect();
        let there = Beneath::open(self.root);
        self.there = Some(there.map_err(|e| Error::io("cannot build the tree of the replica", self.root, e))?);
        Ok(self)
    }

    /// Content that is here, under another name.
    fn here(&mut self, hash: &ContentHash) -> io::Result<File> {
        match self.placed.get(hash).zip(self.there.as_mut()) {
            Some((path, there)) => there.open_file(path).map(|(file, _)| file),
            None => File::open(self.stage.path(hash)),
        }
    }
}

impl Contents for Arrived<'_> {
    fn make(&mut self, dir: BorrowedFd<'_>, name: &[u8], index: usize, entry: &Entry, _: &mut Tally<'_>) -> Result<()> {
        let EntryKind::File { size, hash, .. } = &entry.kind else { return Ok(()) };
        let full = self.root.join(entry.path.as_path());
        let failed = |e: io::Error| Error::io("cannot build the tree of the replica", &full, e);
        if let (Some(old), Some(reuse)) = (self.links.get(&index), &mut self.reuse) {
            let (from, from_name) = reuse.locate(*old).map_err(failed)?;
            linkat(from, from_name, dir, name, AtFlags::empty()).map_err(|e| failed(e.into()))?;
            return Ok(());
        }
        if *size == 0 {
            openat(dir, name, FRESH, Mode::RUSR | Mode::WUSR).map_err(|e| failed(e.into()))?;
        } else if !self.placed.contains_key(hash) && self.used.insert(*hash) {
            match linkat(self.stage.fd(), hash.to_string(), dir, name, AtFlags::empty()) {
                Err(Errno::NOENT) => {
                    let text = "the source did not send content that its manifest needs";
                    return Err(Error::new(ErrorKind::HashMismatch, text).at(full));
                }
                done => done.map_err(|e| failed(e.into()))?,
            }
            if let Some(fresh) = self.stage.fresh(hash) {
                return fresh.dress(dir, name, entry).map_err(failed);
            }
        } else {
            // Its inode is taken by another file; permissions may already bar it, so it is opened as owner.
            let mut from = self.here(hash).map_err(failed)?;
            let to = openat(dir, name, FRESH, Mode::RUSR | Mode::WUSR).map_err(|e| failed(e.into()))?;
            let mut to = SparseFile::new(File::from(to), 0);
            pieces(&mut from, *size, &mut Vec::new(), |piece| to.take(piece)).map_err(failed)?;
            to.finish().map_err(failed)?;
        }
        dress(dir, name, entry).map_err(failed)
    }
}

/// Makes a symlink or a named pipe, metadata included.
pub(crate) fn make_special(dir: BorrowedFd<'_>, name: &[u8], entry: &Entry) -> io::Result<()> {
    match &entry.kind {
        EntryKind::Symlink { target, .. } => symlinkat(&**target, dir, name)?,
        _ => mknodat(dir, name, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?,
    }
    dress(dir, name, entry)
}

/// What a file has that was just made: what agrees with its entry need not be given to it.
#[derive(Debug)]
pub(crate) struct Fresh {
    owner: (u32, u32),
    /// Nothing of the directory it was made in comes upon it.
    bare: bool,
}

impl Fresh {
    /// Of files made in this directory.
    pub(crate) fn made_in(dir: impl AsFd) -> io::Result<Self> {
        let heritable = rustix::fs::fstat(&dir)?.st_mode & Mode::SGID.as_raw_mode() != 0;
        let bare = xattr::read(dir.as_fd(), b".")?.all().is_empty();
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        // A group that comes from the directory is never taken for what an entry has.
        Ok(Self { owner: (uid.as_raw(), if heritable { u32::MAX } else { gid.as_raw() }), bare })
    }

    /// As [`dress`].
    fn dress(&self, dir: BorrowedFd<'_>, name: &[u8], entry: &Entry) -> io::Result<()> {
        if self.owner != (entry.uid, entry.gid) {
            own(dir, name, entry)?;
        }
        if !self.bare || !entry.xattrs.all().is_empty() {
            xattr::make_exact(dir, name, &entry.xattrs)?;
        }
        stamp(dir, name, entry)
    }

    /// As [`Fresh::dress`], of a file that is open.
    pub(crate) fn dress_file(&self, file: &File, dir: BorrowedFd<'_>, name: &[u8], entry: &Entry) -> io::Result<()> {
        if self.owner != (entry.uid, entry.gid) {
            own(dir, name, entry)?;
        }
        if !self.bare || !entry.xattrs.all().is_empty() {
            xattr::make_exact(dir, name, &entry.xattrs)?;
        }
        fchmod(file, Mode::from_raw_mode(entry.mode))?;
        Ok(futimens(file, &times_of(entry))?)
    }
}

/// Gives a name its owner, extended attributes, mode and time, in the order in which they survive each other: a new owner
/// takes capabilities away, an ACL changes the mode, and everything is a change of its own time.
pub(crate) fn dress(dir: BorrowedFd<'_>, name: &[u8], entry: &Entry) -> io::Result<()> {
    own(dir, name, entry)?;
    xattr::make_exact(dir, name, &entry.xattrs)?;
    stamp(dir, name, entry)
}

fn own(dir: BorrowedFd<'_>, name: &[u8], entry: &Entry) -> io::Result<()> {
    match chownat(dir, name, Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)), AtFlags::SYMLINK_NOFOLLOW)
    {
        // Only root gives files away; for anybody else the owner is best effort.
        Err(Errno::PERM) if !rustix::process::geteuid().is_root() => Ok(()),
        done => Ok(done?),
    }
}

fn stamp(dir: BorrowedFd<'_>, name: &[u8], entry: &Entry) -> io::Result<()> {
    if !matches!(entry.kind, EntryKind::Symlink { .. }) {
        chmodat(dir, name, Mode::from_raw_mode(entry.mode), AtFlags::empty())?;
    }
    Ok(utimensat(dir, name, &times_of(entry), AtFlags::SYMLINK_NOFOLLOW)?)
}

fn times_of(entry: &Entry) -> Timestamps {
    let time = Timespec { tv_sec: entry.mtime.seconds, tv_nsec: i64::from(entry.mtime.nanoseconds) };
    Timestamps { last_access: time, last_modification: time }
}
