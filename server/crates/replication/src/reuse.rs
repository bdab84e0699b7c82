//! What of the committed generation can serve again: the very inode where content and metadata agree, else its content.
//! It refuses an inode that was changed behind our back, and never gives one old inode to two new files.

use std::collections::{HashMap, HashSet};
use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::fs::FileType;

use crate::bases::Old;
use crate::beneath::{Beneath, FileKey, kind_of, mtime_of};
use crate::change::Changes;
use crate::error::{Error, Result};
use crate::manifest::{ContentHash, Entry, EntryKind, Manifest};
use crate::path::TreePath;
use crate::scan::identity;

/// Above this many names an inode is copied afresh: file systems limit them (ext4: 65,000).
const NAMES: u64 = 30_000;

/// Old files looked at for one new file, where many have the same content.
const CANDIDATES: usize = 8;

pub(crate) struct Reuse {
    pub(crate) manifest: Manifest,
    tree: Beneath,
    by_hash: HashMap<ContentHash, Vec<usize>>,
    distrusted: HashSet<TreePath>,
    owners: bool,
}

impl Reuse {
    /// Over a committed tree; `distrusted` are paths found damaged.
    pub(crate) fn new(manifest: Manifest, tree: &Path, distrusted: HashSet<TreePath>) -> Result<Self> {
        let tree = Beneath::open(tree).map_err(|e| Error::io("cannot open the committed tree", tree, e))?;
        let owners = rustix::process::geteuid().is_root();
        Ok(Self { manifest, tree, by_hash: HashMap::new(), distrusted, owners })
    }

    /// The files of the committed tree that are not, on disk, what the manifest says: every name of each.
    pub(crate) fn missing(&mut self) -> HashSet<TreePath> {
        let manifest = self.manifest.clone();
        let whole = Changes::whole(&manifest);
        let unsound: HashSet<usize> = whole
            .leaders(&manifest)
            .filter(|index| self.sound(*index, &manifest.entries()[*index]).is_none())
            .collect();
        let entries = manifest.entries().iter().enumerate();
        let files = entries.filter(|(_, entry)| matches!(entry.kind, EntryKind::File { .. }));
        files
            .filter(|(index, entry)| {
                unsound.contains(&whole.first(*index, entry)) || self.distrusted.contains(&entry.path)
            })
            .map(|(_, entry)| entry.path.clone())
            .collect()
    }

    /// For each file to be made (its first name only): the old entry whose inode it can be. `ground` is the tree that
    /// is about to change: what stays in it keeps its inode.
    pub(crate) fn links(
        &mut self,
        changes: &Changes,
        new: &Manifest,
        ground: Option<&mut Beneath>,
    ) -> HashMap<usize, usize> {
        let made: Vec<usize> = changes.leaders(new).collect();
        self.find(new, &made);
        let mut taken = Taken::new(ground, changes, new, &self.by_hash, &made);
        let mut links = HashMap::new();
        for index in made {
            let entry = &new.entries()[index];
            let EntryKind::File { hash, .. } = &entry.kind else { continue };
            let here = self.manifest.entries().binary_search_by(|old| old.path.cmp(&entry.path)).ok();
            let alike = self.by_hash.get(hash).into_iter().flatten().copied();
            let alike = alike.filter(|old| self.manifest.entries()[*old].same_inode_as(entry)).take(CANDIDATES);
            let candidates: Vec<usize> = here.into_iter().chain(alike).collect();
            for old in candidates {
                if let Some(inode) = self.sound(old, entry)
                    && taken.take(inode, *hash)
                {
                    links.insert(index, old);
                    break;
                }
            }
        }
        links
    }

    /// Looks for the content of these new files among the old ones.
    fn find(&mut self, new: &Manifest, made: &[usize]) {
        self.by_hash.clear();
        for index in made {
            if let EntryKind::File { size: 1.., hash, .. } = new.entries()[*index].kind {
                self.by_hash.entry(hash).or_default();
            }
        }
        if self.by_hash.is_empty() {
            return;
        }
        for (index, entry) in self.manifest.entries().iter().enumerate() {
            if let EntryKind::File { hash, .. } = &entry.kind
                && let Some(found) = self.by_hash.get_mut(hash)
                && !self.distrusted.contains(&entry.path)
            {
                found.push(index);
            }
        }
    }

    /// The old entry's inode, if it is, by manifest and on disk, what the new one should be.
    fn sound(&mut self, old: usize, new: &Entry) -> Option<(u64, u64)> {
        let entry = &self.manifest.entries()[old];
        if !entry.same_inode_as(new) || self.distrusted.contains(&entry.path) {
            return None;
        }
        let EntryKind::File { size, .. } = entry.kind else { return None };
        let stat = self.tree.stat(&entry.path).ok()?;
        let sound = kind_of(&stat) == FileType::RegularFile
            && FileKey::of(&stat).size == size
            && mtime_of(&stat) == entry.mtime
            && stat.st_mode & 0o7777 == entry.mode
            && (!self.owners || (stat.st_uid, stat.st_gid) == (entry.uid, entry.gid))
            && u64::from(stat.st_nlink as u32) < NAMES;
        sound.then(|| identity(&stat))
    }

    /// An old file with this content, whatever its metadata; not hashed yet.
    pub(crate) fn content(&mut self, hash: &ContentHash) -> Option<std::fs::File> {
        let path = &self.manifest.entries().get(*self.by_hash.get(hash)?.first()?)?.path;
        self.tree.open_file(path).ok().map(|(file, _)| file)
    }

    /// The old file at this path, whatever its content is now; not hashed yet.
    pub(crate) fn at(&self, path: &TreePath) -> Option<Old> {
        let entry = self.manifest.entries().binary_search_by(|old| old.path.cmp(path)).ok()?;
        match self.manifest.entries()[entry].kind {
            EntryKind::File { size, hash, .. } if !self.distrusted.contains(path) => Some(Old { entry, size, hash }),
            _ => None,
        }
    }

    /// Opens an old entry's file.
    pub(crate) fn open(&mut self, old: usize) -> std::io::Result<std::fs::File> {
        self.tree.open_file(&self.manifest.entries()[old].path).map(|(file, _)| file)
    }

    pub(crate) fn may_have(&self, hash: &ContentHash) -> bool {
        self.by_hash.get(hash).is_some_and(|found| !found.is_empty())
    }

    /// The directory and name of an old entry, to link from.
    pub(crate) fn locate(&mut self, old: usize) -> std::io::Result<(BorrowedFd<'_>, &[u8])> {
        self.tree.locate(&self.manifest.entries()[old].path)
    }
}

/// The inodes that are some new file's already.
struct Taken<'a> {
    ground: Option<&'a mut Beneath>,
    /// Files that stay as they are and have content that is also to be made elsewhere; looked at when it matters.
    staying: HashMap<ContentHash, Vec<&'a TreePath>>,
    inodes: HashSet<(u64, u64)>,
}

impl<'a> Taken<'a> {
    fn new(
        ground: Option<&'a mut Beneath>,
        changes: &Changes,
        new: &'a Manifest,
        wanted: &HashMap<ContentHash, Vec<usize>>,
        made: &[usize],
    ) -> Self {
        let mut staying: HashMap<ContentHash, Vec<&TreePath>> = HashMap::new();
        if ground.is_some() && !made.is_empty() {
            for (index, entry) in new.entries().iter().enumerate() {
                if let EntryKind::File { hash, .. } = &entry.kind
                    && wanted.contains_key(hash)
                    && changes.make.binary_search(&index).is_err()
                {
                    staying.entry(*hash).or_default().push(&entry.path);
                }
            }
        }
        Self { ground, staying, inodes: HashSet::new() }
    }

    /// Whether nobody has the inode yet; from now on somebody has.
    fn take(&mut self, inode: (u64, u64), hash: ContentHash) -> bool {
        if let (Some(ground), Some(paths)) = (&mut self.ground, self.staying.remove(&hash)) {
            self.inodes.extend(paths.into_iter().filter_map(|path| ground.stat(path).ok()).map(|stat| identity(&stat)));
        }
        self.inodes.insert(inode)
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
