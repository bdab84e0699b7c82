//! What of an older generation can serve again: the very inode where content and metadata agree, else its content.
//! It refuses an inode that was changed behind our back, and never gives one old inode to two new files.

use std::collections::{HashMap, HashSet};
use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::fs::FileType;

use crate::beneath::{Beneath, FileKey, kind_of, mtime_of};
use crate::error::{Error, Result};
use crate::manifest::{ContentHash, Entry, EntryKind, Manifest};
use crate::path::TreePath;

/// Above this many names an inode is copied afresh: file systems limit them (ext4: 65,000).
const NAMES: u64 = 30_000;

pub(crate) struct Reuse {
    manifest: Manifest,
    tree: Beneath,
    by_hash: HashMap<ContentHash, usize>,
    distrusted: HashSet<TreePath>,
    owners: bool,
}

/// Which old inode: its hardlink group, or its entry.
#[derive(PartialEq, Eq, Hash)]
enum Inode {
    Group(u32),
    Entry(usize),
}

impl Reuse {
    /// Over a committed tree; `distrusted` are paths found damaged.
    pub(crate) fn new(manifest: Manifest, tree: &Path, distrusted: HashSet<TreePath>) -> Result<Self> {
        let tree = Beneath::open(tree).map_err(|e| Error::io("cannot open the committed tree", tree, e))?;
        let mut by_hash = HashMap::new();
        for (index, entry) in manifest.entries().iter().enumerate() {
            if let EntryKind::File { hash, .. } = &entry.kind
                && !distrusted.contains(&entry.path)
            {
                by_hash.entry(*hash).or_insert(index);
            }
        }
        Ok(Self { manifest, tree, by_hash, distrusted, owners: rustix::process::geteuid().is_root() })
    }

    /// For each new file (its first name only): the old entry whose inode it can be.
    pub(crate) fn links(&mut self, new: &Manifest) -> HashMap<usize, usize> {
        let mut taken: HashSet<Inode> = HashSet::new();
        let mut links = HashMap::new();
        for index in leaders(new) {
            let entry = &new.entries()[index];
            let EntryKind::File { hash, .. } = &entry.kind else { continue };
            let here = self.manifest.entries().binary_search_by(|old| old.path.cmp(&entry.path)).ok();
            for old in [here, self.by_hash.get(hash).copied()].into_iter().flatten() {
                if self.sound(old, entry) {
                    let inode = match self.manifest.entries()[old].kind {
                        EntryKind::File { group: group @ 1.., .. } => Inode::Group(group),
                        _ => Inode::Entry(old),
                    };
                    if taken.insert(inode) {
                        links.insert(index, old);
                        break;
                    }
                }
            }
        }
        links
    }

    /// Whether the old entry is, by manifest and on disk, what the new one should be.
    fn sound(&mut self, old: usize, new: &Entry) -> bool {
        let entry = &self.manifest.entries()[old];
        if !entry.same_inode_as(new) || self.distrusted.contains(&entry.path) {
            return false;
        }
        let EntryKind::File { size, .. } = entry.kind else { return false };
        self.tree.stat(&entry.path).is_ok_and(|stat| {
            kind_of(&stat) == FileType::RegularFile
                && FileKey::of(&stat).size == size
                && mtime_of(&stat) == entry.mtime
                && stat.st_mode & 0o7777 == entry.mode
                && (!self.owners || (stat.st_uid, stat.st_gid) == (entry.uid, entry.gid))
                && u64::from(stat.st_nlink as u32) < NAMES
        })
    }

    /// An old file with this content, whatever its metadata; not hashed yet.
    pub(crate) fn content(&mut self, hash: &ContentHash) -> Option<std::fs::File> {
        let path = &self.manifest.entries().get(*self.by_hash.get(hash)?)?.path;
        self.tree.open_file(path).ok().map(|(file, _)| file)
    }

    pub(crate) fn may_have(&self, hash: &ContentHash) -> bool {
        self.by_hash.contains_key(hash)
    }

    /// The directory and name of an old entry, to link from.
    pub(crate) fn locate(&mut self, old: usize) -> std::io::Result<(BorrowedFd<'_>, &[u8])> {
        self.tree.locate(&self.manifest.entries()[old].path)
    }
}

/// The first name of every file.
pub(crate) fn leaders(manifest: &Manifest) -> impl Iterator<Item = usize> + '_ {
    let mut next = 1;
    manifest.entries().iter().enumerate().filter_map(move |(index, entry)| match entry.kind {
        EntryKind::File { group: 0, .. } => Some(index),
        EntryKind::File { group, .. } if group == next => {
            next += 1;
            Some(index)
        }
        _ => None,
    })
}
