//! Files that only one spare tree has. A large file that is written to shares nothing with its next state but most of its
//! blocks: where a spare has a copy of its own, the next generation of that file costs what was written, not what it is
//! long. It refuses to hand out a copy that anything else may be reading, and a spare of which one was handed out is never
//! taken for what it was.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use rustix::fs::{AtFlags, Mode, OFlags, linkat, openat, renameat, unlinkat};

use crate::bases::Bases;
use crate::beneath::{Beneath, FileKey};
use crate::error::{Error, Result};
use crate::hash_tree::HashTree;
use crate::manifest::{ContentHash, Entry, EntryKind, Manifest};
use crate::path::TreePath;
use crate::reuse::Reuse;
use crate::scan::stat_of;
use crate::spare::Spare;
use crate::sparse::SparseFile;
use crate::stage::Stage;
use crate::tree::{FRESH, dress};
use crate::watch::{Phase, Point, Tally, Watch, pass};

/// What is smaller is put together anew as quickly.
const SMALLEST: u64 = 4 << 20;
/// What is larger would be copied for too long while nothing else can happen to the replica.
const LARGEST: u64 = 2 << 30;
/// What was written to so recently is likely to be written to again.
const RECENT: SignedDuration = SignedDuration::from_hours(1);
/// What must stay free beside own copies, as a multiple of the whole replica: a copy that serves, and what comes next.
const ROOM: u64 = 2;

/// A file of a spare tree that no other tree has.
#[derive(Debug)]
pub(crate) struct OwnCopy {
    pub(crate) path: TreePath,
    size: u64,
    pub(crate) hash: ContentHash,
    values: HashTree,
}

/// One that was handed out, to be written to.
pub(crate) struct Lent {
    pub(crate) file: File,
    pub(crate) size: u64,
    pub(crate) values: HashTree,
}

/// The file that should get its own copy next: the one that was written to last.
pub(crate) fn wanted(
    manifest: &Manifest,
    spare: &Spare,
    captured_at: Timestamp,
    free: u64,
    unfit: &HashSet<TreePath>,
) -> Option<usize> {
    let since = captured_at.saturating_sub(RECENT).unwrap_or(Timestamp::MIN).as_second();
    let left = free.saturating_sub(ROOM.saturating_mul(manifest.bytes()));
    let recent = |(_, entry): &(usize, &Entry)| match entry.kind {
        EntryKind::File { size, group: 0, .. } => {
            (SMALLEST..=LARGEST).contains(&size)
                && entry.mtime.seconds >= since
                && size <= left
                && spare.own.iter().all(|own| own.path != entry.path)
                && !unfit.contains(&entry.path)
        }
        _ => false,
    };
    let found = manifest.entries().iter().enumerate().filter(recent).max_by_key(|(_, entry)| entry.mtime)?;
    Some(found.0)
}

/// Gives a spare, which nobody else uses meanwhile, its own copy of this entry; `None` where the content cannot have one.
pub(crate) fn make(hidden: &Path, reuse: &mut Reuse, index: usize, watch: &dyn Watch) -> Result<Option<OwnCopy>> {
    let entry = reuse.manifest.entries()[index].clone();
    let EntryKind::File { size, hash, .. } = entry.kind else { return Ok(None) };
    let full = hidden.join("tree").join(entry.path.as_path());
    let failed = |e: io::Error| Error::io("cannot make a copy of its own for a spare tree", &full, e);
    let old = reuse.open(index).map_err(failed)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir: OwnedFd = rustix::fs::open(hidden, flags, Mode::empty()).map_err(|e| failed(e.into()))?;
    let copy = openat(&dir, COPY, FRESH, Mode::RUSR | Mode::WUSR).map_err(|e| failed(e.into()))?;
    let mut copy = SparseFile::new(File::from(copy), 0);
    let mut tally = Tally::new(watch, Phase::Building, Some((1, size)))?;
    let mut cancelled = None;
    let mut values = HashTree::new(size);
    let read = values.read_again(size, &[(0, size)], |part, at| {
        old.read_exact_at(part, at)?;
        copy.write(part)?;
        tally.bytes(part.len() as u64).map_err(|error| {
            cancelled = Some(error);
            io::ErrorKind::Interrupted.into()
        })
    });
    if let Some(error) = cancelled {
        return Err(error);
    }
    read.map_err(failed)?;
    // What is vouched for is what was read; what was written must not be lost behind that.
    copy.finish().and_then(|copy| copy.sync_data()).map_err(failed)?;
    if values.hash() != Some(hash) {
        // Whole blocks of zeros are hashed otherwise; or the disk has damaged it, which others find and tell.
        fs::remove_file(hidden.join(COPY)).map_err(failed)?;
        return Ok(None);
    }
    dress(dir.as_fd(), COPY.as_bytes(), &entry).map_err(failed)?;
    pass(watch, Point::SpareHalfMade)?;
    File::create(hidden.join(MARK)).map_err(failed)?;
    let mut tree = Beneath::open(&hidden.join("tree")).map_err(failed)?;
    let (parent, name) = tree.locate(&entry.path).map_err(failed)?;
    renameat(&dir, COPY, parent, name).map_err(|e| failed(e.into()))?;
    if let Some(parent) = parent_of(&reuse.manifest, &entry.path) {
        let (dir, name) = tree.locate(&parent.path).map_err(failed)?;
        dress(dir, name, parent).map_err(failed)?;
    }
    tally.finish()?;
    Ok(Some(OwnCopy { path: entry.path, size, hash, values }))
}

const COPY: &str = "copy";
/// Stands beside a tree that has files of its own.
const MARK: &str = "own";

pub(crate) fn is_marked(spare: &Path) -> bool {
    spare.join(MARK).exists()
}

/// Takes out of a spare that belongs to nobody any more what copies of its own are left: what stays as it is is shared.
pub(crate) fn share_the_rest(spare: &mut Spare) -> Result<()> {
    let mut tree = Beneath::open(&spare.place.join("tree")).map_err(|e| trouble(&spare.place, e))?;
    for own in std::mem::take(&mut spare.own) {
        let full = spare.place.join("tree").join(own.path.as_path());
        let (dir, name) = tree.locate(&own.path).map_err(|e| trouble(&full, e))?;
        unlinkat(dir, name, AtFlags::empty()).map_err(|e| trouble(&full, e.into()))?;
        spare.missing.insert(own.path.clone());
    }
    fs::remove_file(spare.place.join(MARK)).map_err(|e| trouble(&spare.place, e))
}

fn trouble(at: &Path, e: io::Error) -> Error {
    Error::io("cannot use the copy of a spare tree", at, e)
}

fn parent_of<'m>(manifest: &'m Manifest, path: &TreePath) -> Option<&'m Entry> {
    let parent = TreePath::parse(path.split()?.0).ok()?;
    manifest.get(&parent)
}

/// Whether the copies of these old contents can be written to, by entry of what is offered.
pub(crate) fn useful(spare: &Spare, offered: &Manifest, asked: &HashMap<u32, u64>, bases: &Bases) -> Vec<u32> {
    let of_base = |index: &u32| {
        let base = bases.get(*index)?;
        let path = &offered.entries().get(*index as usize)?.path;
        let own = spare.own.iter().find(|own| own.path == *path)?;
        (own.hash == base.hash && asked.get(index) == Some(&0)).then_some(*index)
    };
    asked.keys().filter_map(of_base).collect()
}

/// Takes a copy out of a spare that belongs to nobody any more, into the stage; `None` where it is not what it should be.
pub(crate) fn lend(spare: &mut Spare, path: &TreePath, stage: &Stage, expected: &ContentHash) -> Result<Option<Lent>> {
    let full = spare.place.join("tree").join(path.as_path());
    let failed = |e: io::Error| trouble(&full, e);
    let mut tree = Beneath::open(&spare.place.join("tree")).map_err(failed)?;
    let (dir, name) = tree.locate(path).map_err(failed)?;
    let Some(at) = spare.own.iter().position(|own| own.path == *path) else { return Ok(None) };
    let own = spare.own.swap_remove(at);
    let size = own.size;
    let Some(file) = writable(dir, name, size) else {
        // It is somebody else's by now, and goes like the rest.
        spare.own.push(own);
        return Ok(None);
    };
    let patch = Stage::patch(expected);
    let _ = unlinkat(stage.fd(), &patch, AtFlags::empty());
    linkat(dir, name, stage.fd(), &patch, AtFlags::empty()).map_err(|e| failed(e.into()))?;
    unlinkat(dir, name, AtFlags::empty()).map_err(|e| failed(e.into()))?;
    spare.missing.insert(path.clone());
    let values = std::sync::Arc::try_unwrap(own).map_or_else(|own| own.values.clone(), |own| own.values);
    Ok(Some(Lent { file, size, values }))
}

/// The file, if nobody else has it.
fn writable(dir: BorrowedFd<'_>, name: &[u8], size: u64) -> Option<File> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(openat(dir, name, flags, Mode::empty()).ok()?);
    let stat = stat_of(&file).ok()?;
    (stat.st_nlink == 1 && FileKey::of(&stat).size == size).then_some(file)
}
