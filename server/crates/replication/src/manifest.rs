//! What a tree is: a list of entries in walk order, and the id that follows from it.
//! It refuses to exist unless it could be built on a disk: no entry outside the tree, none below a file, none twice.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

pub use crate::id::{ContentHash, ContentId};
use crate::path::{PathFault, TreePath};
use crate::runs::{self, Run};
use crate::xattr::Xattrs;

/// A time as file systems keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FileTime {
    /// Seconds since 1970, negative before.
    pub seconds: i64,
    /// Nanoseconds, below 1,000,000,000.
    pub nanoseconds: u32,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A directory.
    Dir,
    /// A regular file.
    File {
        /// Bytes.
        size: u64,
        /// Of the whole content.
        hash: ContentHash,
        /// Files with the same number above 0 are one file with several names.
        group: u32,
    },
    /// A symbolic link, and the text in it; never followed.
    Symlink {
        /// As stored; may dangle or be absolute.
        target: Box<[u8]>,
        /// Symlinks with the same number above 0 are one symlink with several names.
        group: u32,
    },
    /// A named pipe.
    Fifo {
        /// Pipes with the same number above 0 are one pipe with several names.
        group: u32,
    },
}

impl EntryKind {
    /// Files, symlinks and pipes are numbered each for themselves.
    pub(crate) const NUMBERINGS: usize = 3;

    /// The number of the hardlink group, 0 for what has one name. Each kind counts for itself, from 1.
    pub fn group(&self) -> u32 {
        match self {
            Self::Dir => 0,
            Self::File { group, .. } | Self::Symlink { group, .. } | Self::Fifo { group } => *group,
        }
    }

    /// Bytes of content; 0 for what is no file.
    pub fn size(&self) -> u64 {
        if let Self::File { size, .. } = self { *size } else { 0 }
    }

    pub(crate) fn set_group(&mut self, number: u32) {
        match self {
            Self::Dir => {}
            Self::File { group, .. } | Self::Symlink { group, .. } | Self::Fifo { group } => *group = number,
        }
    }

    /// Which numbering of groups it belongs to, below [`Self::NUMBERINGS`].
    pub(crate) fn numbering(&self) -> usize {
        match self {
            Self::Dir | Self::File { .. } => 0,
            Self::Symlink { .. } => 1,
            Self::Fifo { .. } => 2,
        }
    }
}

/// One name in a tree.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Where.
    pub path: TreePath,
    /// What.
    pub kind: EntryKind,
    /// Permission bits with setuid, setgid and sticky (`0o7777`); always `0o777` for symlinks.
    pub mode: u32,
    /// Owner, by number.
    pub uid: u32,
    /// Group, by number.
    pub gid: u32,
    /// Modification time.
    pub mtime: FileTime,
    /// Extended attributes, POSIX ACLs among them.
    pub xattrs: Xattrs,
}

impl Entry {
    /// Whether both may be the very same inode: same content and same metadata. Directories never are.
    pub(crate) fn same_inode_as(&self, other: &Entry) -> bool {
        let content = match (&self.kind, &other.kind) {
            (EntryKind::File { size: a, hash: x, .. }, EntryKind::File { size: b, hash: y, .. }) => a == b && x == y,
            (EntryKind::Symlink { target: a, .. }, EntryKind::Symlink { target: b, .. }) => a == b,
            (EntryKind::Fifo { .. }, EntryKind::Fifo { .. }) => true,
            _ => false,
        };
        content
            && (self.mode, self.uid, self.gid, self.mtime) == (other.mode, other.uid, other.gid, other.mtime)
            && self.xattrs == other.xattrs
    }
}

/// Why entries are not a tree, or bytes not a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestFault {
    /// Bytes end too early, or go on too long.
    #[error("the manifest is truncated or has bytes left over")]
    Length,
    /// Not a manifest, or of a version we do not read.
    #[error("not a manifest of a known version")]
    Version,
    /// An entry of a type that is never replicated (device, socket) or unknown.
    #[error("entry {0} has a type that is not replicated")]
    Type(u64),
    /// A path that could leave the tree.
    #[error("entry {index}: {fault}")]
    Path {
        /// Position in the manifest.
        index: u64,
        /// What is wrong with it.
        fault: PathFault,
    },
    /// The first entry is not the root directory.
    #[error("the first entry is not the root directory")]
    Root,
    /// Out of order, or the same path twice.
    #[error("{0}: out of order or twice")]
    Order(TreePath),
    /// Below something that is not a directory.
    #[error("{0}: below something that is not a directory")]
    Parent(TreePath),
    /// Mode, owner, time, extended attributes or link target that cannot be.
    #[error("{0}: impossible metadata")]
    Metadata(TreePath),
    /// A hardlink group of one, out of sequence, or whose members differ.
    #[error("{0}: inconsistent hardlink group")]
    Group(TreePath),
    /// To be taken out, and not there.
    #[error("{0}: is not there and cannot go")]
    Absent(TreePath),
    /// More than the limits allow.
    #[error("more entries or bytes than the limit allows")]
    TooMany,
}

/// A whole tree, checked. A copy of it costs nothing.
#[derive(Clone)]
pub struct Manifest {
    pub(crate) entries: Arc<Vec<Entry>>,
    pub(crate) runs: Arc<Vec<Run>>,
    pub(crate) id: ContentId,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

impl PartialEq for Manifest {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Manifest {}

impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Manifest({}, {} entries, {} bytes)", self.id, self.entries.len(), self.bytes)
    }
}

impl Manifest {
    /// Checks the entries (in walk order, root first, groups normalised) and computes the id.
    pub fn new(entries: Vec<Entry>) -> Result<Self, ManifestFault> {
        let (files, bytes) = check(&entries)?;
        let runs = runs::of(&entries);
        let id = runs::id(&runs);
        Ok(Self { entries: Arc::new(entries), runs: Arc::new(runs), id, files, bytes })
    }

    /// Sorts out hardlink groups (numbers in order of appearance, no group of one), then [`Manifest::new`].
    pub(crate) fn normalised(mut entries: Vec<Entry>) -> Result<Self, ManifestFault> {
        let mut sizes: [HashMap<u32, u32>; EntryKind::NUMBERINGS] = Default::default();
        for kind in entries.iter().map(|entry| &entry.kind).filter(|kind| kind.group() > 0) {
            *sizes[kind.numbering()].entry(kind.group()).or_default() += 1;
        }
        let mut numbers: [HashMap<u32, u32>; EntryKind::NUMBERINGS] = Default::default();
        for kind in entries.iter_mut().map(|entry| &mut entry.kind).filter(|kind| kind.group() > 0) {
            let (group, numbering) = (kind.group(), kind.numbering());
            if sizes[numbering].get(&group) == Some(&1) {
                kind.set_group(0);
            } else {
                let next = numbers[numbering].len() as u32 + 1;
                kind.set_group(*numbers[numbering].entry(group).or_insert(next));
            }
        }
        Self::new(entries)
    }

    /// The id of the tree.
    pub fn content_id(&self) -> ContentId {
        self.id
    }

    /// The entries in walk order; the first is the root directory with the empty path.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Names of regular files.
    pub fn files(&self) -> u64 {
        self.files
    }

    /// Bytes of content; a file with several names counts once.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The entry at a path.
    pub fn get(&self, path: &TreePath) -> Option<&Entry> {
        self.position(path).map(|at| &self.entries[at])
    }

    pub(crate) fn position(&self, path: &TreePath) -> Option<usize> {
        self.entries.binary_search_by(|entry| entry.path.cmp(path)).ok()
    }
}

fn check(entries: &[Entry]) -> Result<(u64, u64), ManifestFault> {
    let root = entries.first().ok_or(ManifestFault::Root)?;
    if !root.path.is_root() || root.kind != EntryKind::Dir {
        return Err(ManifestFault::Root);
    }
    let (mut files, mut bytes) = (0u64, 0u64);
    // Directories open at this point of the walk, outermost first, by the length of their paths.
    let mut open: Vec<&TreePath> = vec![&root.path];
    let mut leaders: [Vec<(&Entry, u32)>; EntryKind::NUMBERINGS] = Default::default();
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            if entries[index - 1].path >= entry.path {
                return Err(ManifestFault::Order(entry.path.clone()));
            }
            let (parent, _) = entry.path.split().ok_or(ManifestFault::Root)?;
            while open.last().is_some_and(|dir| dir.as_bytes() != parent) {
                open.pop();
            }
            if open.is_empty() {
                return Err(ManifestFault::Parent(entry.path.clone()));
            }
            if entry.kind == EntryKind::Dir {
                open.push(&entry.path);
            }
        }
        check_alone(entry)?;
        let mut first_name = true;
        if let group @ 1.. = entry.kind.group() {
            let fault = || ManifestFault::Group(entry.path.clone());
            let leaders = &mut leaders[entry.kind.numbering()];
            let at = group as usize - 1;
            if at == leaders.len() {
                leaders.push((entry, 1));
            } else {
                let (leader, members) = leaders.get_mut(at).ok_or_else(fault)?;
                if !leader.same_inode_as(entry) {
                    return Err(fault());
                }
                *members += 1;
                first_name = false;
            }
        }
        if let EntryKind::File { size, .. } = entry.kind {
            files += 1;
            bytes = bytes.checked_add(if first_name { size } else { 0 }).ok_or(ManifestFault::TooMany)?;
        }
    }
    match leaders.iter().flatten().find(|(_, members)| *members < 2) {
        Some((leader, _)) => Err(ManifestFault::Group(leader.path.clone())),
        None => Ok((files, bytes)),
    }
}

/// What can be said of an entry without looking at another one.
pub(crate) fn check_alone(entry: &Entry) -> Result<(), ManifestFault> {
    // The all-ones owner means "leave as it is" to the kernel: nobody can own a file as that.
    let owners = entry.uid != u32::MAX && entry.gid != u32::MAX;
    let link = match &entry.kind {
        EntryKind::Symlink { target, .. } => {
            entry.mode == 0o777 && !target.is_empty() && target.len() < 4096 && !target.contains(&0)
        }
        _ => true,
    };
    let possible = entry.mode <= 0o7777 && entry.mtime.nanoseconds < 1_000_000_000 && owners && link;
    if possible && entry.xattrs.is_possible() { Ok(()) } else { Err(ManifestFault::Metadata(entry.path.clone())) }
}
