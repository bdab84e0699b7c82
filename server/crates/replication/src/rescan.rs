//! Reading only what was touched: the tree as it was last read, and the names that may have changed since, make the tree
//! as it is now, at the cost of those names. It refuses to go on where it is not sure: an error here means that the
//! caller walks the whole tree.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::beneath::{Beneath, FileKey};
use crate::error::{Error, Result};
use crate::manifest::{Entry, EntryKind, Manifest, ManifestFault};
use crate::path::TreePath;
use crate::remark::{SkipReason, WarningKind};
use crate::scan::{Found, Inode, Walk, is_gone};
use crate::touched::Touched;
use crate::tree_changes::TreeChanges;

/// Above so many entries a tree is not kept in memory between captures: each of them walks the whole of it.
const MOST: usize = 2_000_000;

/// Above all numbers of hardlink groups that a manifest gives.
const FRESH_GROUPS: u32 = 1 << 31;

/// A tree as it was last read.
pub(crate) struct Remembered {
    pub(crate) manifest: Manifest,
    pub(crate) keys: Arc<HashMap<TreePath, FileKey>>,
    pub(crate) skipped: BTreeMap<TreePath, SkipReason>,
    pub(crate) warnings: BTreeSet<(TreePath, WarningKind)>,
    /// Names of what has several.
    linked: HashMap<Inode, BTreeSet<TreePath>>,
}

impl Remembered {
    /// What a whole walk found.
    pub(crate) fn new(found: Found) -> Result<Self, ManifestFault> {
        let mut linked: HashMap<Inode, BTreeSet<TreePath>> = HashMap::new();
        for (at, inode) in &found.linked {
            linked.entry(*inode).or_default().insert(found.entries[*at].path.clone());
        }
        let keys = found.entries.iter().zip(&found.keys).map(|(entry, key)| (entry.path.clone(), *key)).collect();
        let manifest = Manifest::normalised(found.entries)?;
        let (skipped, warnings) = (found.skipped, found.warnings);
        Ok(Self { manifest, keys: Arc::new(keys), skipped, warnings, linked })
    }

    /// Whether it is worth its memory.
    pub(crate) fn is_small(&self) -> bool {
        self.manifest.entries().len() <= MOST
    }

    /// Brings it to what is on disk now, where nothing but `touched` has changed. Gives the bytes that were read.
    pub(crate) fn renew(mut self, touched: &Touched, tree: &mut Beneath, walk: Walk<'_>) -> Result<(Self, u64)> {
        let mut pass = Pass { known: &self, tree, walk, looked: BTreeMap::new() };
        for (path, deep) in touched.names() {
            pass.look(path, deep)?;
        }
        pass.look_at_other_names()?;
        let Pass { walk, looked, .. } = pass;
        let found = walk.finish_part()?;
        let hashed_bytes = found.hashed_bytes;
        let inconsistent = |fault| Error::protocol("what was touched does not fit what is known").with(fault);
        self.settle(&looked, found).map_err(inconsistent)?;
        Ok((self, hashed_bytes))
    }

    /// Puts what was found in the place of what was known of the same names.
    fn settle(&mut self, looked: &BTreeMap<TreePath, Depth>, mut found: Found) -> Result<(), ManifestFault> {
        let keys = Arc::make_mut(&mut self.keys);
        let (mut gone, mut put) = (Vec::new(), Vec::new());
        for (path, depth) in looked {
            for entry in depth.of(path, &self.manifest) {
                if let Some(key) = keys.remove(&entry.path) {
                    unlink(&mut self.linked, &key, &entry.path);
                }
                gone.push(entry.path.clone());
            }
            depth.forget(path, &mut self.skipped);
            depth.forget_warnings(path, &mut self.warnings);
        }
        for (at, inode) in &found.linked {
            self.linked.entry(*inode).or_default().insert(found.entries[*at].path.clone());
        }
        let still: HashSet<&TreePath> = found.entries.iter().map(|entry| &entry.path).collect();
        gone.retain(|path| !still.contains(path));
        for (mut entry, key) in found.entries.into_iter().zip(found.keys) {
            keys.insert(entry.path.clone(), key);
            if let group @ 1.. = entry.kind.group() {
                entry.kind.set_group(FRESH_GROUPS | group);
            }
            if self.manifest.get(&entry.path) != Some(&entry) {
                put.push(entry);
            }
        }
        self.skipped.append(&mut found.skipped);
        self.warnings.append(&mut found.warnings);
        let changes = TreeChanges::new(gone, put);
        if !changes.is_empty() {
            self.manifest = self.manifest.apply_normalising(&changes)?;
        }
        Ok(())
    }
}

fn unlink(linked: &mut HashMap<Inode, BTreeSet<TreePath>>, key: &FileKey, path: &TreePath) {
    if let Some(names) = linked.get_mut(&key.inode()) {
        names.remove(path);
        if names.is_empty() {
            linked.remove(&key.inode());
        }
    }
}

/// How far a name was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Only the name itself.
    Name,
    /// And all that lies or lay below.
    Tree,
}

impl Depth {
    fn covers(self, path: &TreePath, other: &TreePath) -> bool {
        path == other || self == Self::Tree && other.is_inside(path)
    }

    /// The entries of a manifest that are meant: neighbours in walk order.
    fn of<'m>(self, path: &TreePath, manifest: &'m Manifest) -> &'m [Entry] {
        let entries = manifest.entries();
        let from = &entries[entries.partition_point(|entry| entry.path < *path)..];
        &from[..from.partition_point(|entry| self.covers(path, &entry.path))]
    }

    fn forget(self, path: &TreePath, skipped: &mut BTreeMap<TreePath, SkipReason>) {
        let names = skipped.range(path.clone()..).map(|(other, _)| other);
        let stale: Vec<TreePath> = names.take_while(|other| self.covers(path, other)).cloned().collect();
        for other in stale {
            skipped.remove(&other);
        }
    }

    fn forget_warnings(self, path: &TreePath, warnings: &mut BTreeSet<(TreePath, WarningKind)>) {
        let from = warnings.range((path.clone(), WarningKind::ALL[0])..);
        let stale: Vec<_> = from.take_while(|(other, _)| self.covers(path, other)).cloned().collect();
        for one in stale {
            warnings.remove(&one);
        }
    }
}

/// One look at what was touched.
struct Pass<'k, 'w> {
    known: &'k Remembered,
    tree: &'k mut Beneath,
    walk: Walk<'w>,
    looked: BTreeMap<TreePath, Depth>,
}

impl Pass<'_, '_> {
    /// Looks at a name, and at the directory that holds it: its time tells of every name that came or went.
    fn look(&mut self, path: &TreePath, deep: bool) -> Result<()> {
        let (path, deep) = match self.first_unknown(path) {
            Some(above) => (above, true),
            None => (path.clone(), deep),
        };
        if let Some(parent) = path.parent().filter(|parent| !self.has_looked(parent)) {
            self.look_at(parent, false)?;
        }
        if self.has_looked(&path) { Ok(()) } else { self.look_at(path, deep) }
    }

    fn has_looked(&self, path: &TreePath) -> bool {
        let mut above = Some(path.clone());
        while let Some(at) = above {
            if self.looked.get(&at).is_some_and(|depth| depth.covers(&at, path)) {
                return true;
            }
            above = at.parent();
        }
        false
    }

    /// The topmost directory above this path that is not known: news of it have not come yet, or it is left out.
    fn first_unknown(&self, path: &TreePath) -> Option<TreePath> {
        let mut above = TreePath::root();
        for name in path.names() {
            if self.known.manifest.get(&above).is_none_or(|entry| entry.kind != EntryKind::Dir) {
                return Some(above);
            }
            above = above.join(name).ok()?;
        }
        None
    }

    fn look_at(&mut self, path: TreePath, deep: bool) -> Result<()> {
        let known = self.known.manifest.get(&path).filter(|entry| !deep && entry.kind == EntryKind::Dir);
        let known = known.and_then(|entry| self.known.keys.get(&entry.path)).map(FileKey::inode);
        let full = self.walk.full(&path);
        let depth = match self.tree.locate(&path) {
            Ok((dir, name)) if self.walk.look(dir, path.clone(), name, known)? => Depth::Name,
            Ok(_) => Depth::Tree,
            Err(e) if is_gone(&e) => Depth::Tree,
            Err(e) => return Err(Error::unreadable(full, e)),
        };
        self.looked.insert(path, depth);
        Ok(())
    }

    /// What has several names changes under all of them, and the kernel tells of one.
    fn look_at_other_names(&mut self) -> Result<()> {
        let mut followed: HashSet<Inode> = HashSet::new();
        loop {
            let before = self.looked.iter().flat_map(|(path, depth)| depth.of(path, &self.known.manifest));
            let before =
                before.filter(|entry| entry.kind.group() > 0).filter_map(|entry| self.known.keys.get(&entry.path));
            let now = self.walk.found.linked.iter().map(|(_, inode)| *inode);
            let new: HashSet<Inode> =
                before.map(FileKey::inode).chain(now).filter(|inode| !followed.contains(inode)).collect();
            if new.is_empty() {
                return Ok(());
            }
            let mut names: Vec<TreePath> =
                new.iter().filter_map(|inode| self.known.linked.get(inode)).flatten().cloned().collect();
            // Its first other name was not known to be one of several.
            if new.iter().any(|inode| !self.known.linked.contains_key(inode)) {
                let same = self.known.keys.iter().filter(|(_, key)| new.contains(&key.inode()));
                names.extend(same.map(|(path, _)| path.clone()));
            }
            followed.extend(new);
            for path in names {
                self.look(&path, false)?;
            }
        }
    }
}
