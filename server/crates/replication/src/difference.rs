//! How two trees differ, and how a tree on disk differs from its manifest. It refuses to trust times and sizes: content
//! is read and hashed. Reports every difference, never repairs.

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{Dir, FileType, Mode, OFlags, Stat, openat, readlinkat};
use serde::{Deserialize, Serialize};

use crate::beneath::{Beneath, FileKey, kind_of};
use crate::error::{Error, Result};
use crate::manifest::{Entry, EntryKind, FileTime, Manifest};
use crate::path::{TreePath, escape};
use crate::reading::{Scratch, digest};
use crate::scan::{Stop, entry, identity};
use crate::watch::{Phase, Tally, Watch};
use crate::xattr;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Relative to the root, escaped for display; empty for the root itself.
    pub path: String,
    /// What differs.
    pub what: DifferenceKind,
    /// Both values, in English, for a log; may be empty.
    pub detail: String,
}

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DifferenceKind {
    /// Should be there and is not.
    Missing,
    /// Is there and should not be.
    Extra,
    /// Another type of file.
    Type,
    /// Other content.
    Content,
    /// Other permission bits.
    Mode,
    /// Another owner or group.
    Owner,
    /// Another modification time.
    ModifiedTime,
    /// The symlink says something else.
    LinkTarget,
    /// Names of one file are not, or names of several files are.
    Hardlink,
    /// Other extended attributes or ACLs.
    Attributes,
}

impl DifferenceKind {
    /// Whether something of the content itself is gone or other than it was: a copy to serve from lacks that.
    pub const fn is_damage(self) -> bool {
        matches!(self, Self::Missing | Self::Type | Self::Content)
    }
}

/// A difference with the path it is about.
pub(crate) type Found = (TreePath, Difference);

fn found(path: &TreePath, what: DifferenceKind, detail: String) -> Found {
    (path.clone(), Difference { path: path.to_string(), what, detail })
}

/// How `replica` differs from `source`, by their manifests.
pub(crate) fn compare(source: &Manifest, replica: &Manifest, watch: &dyn Watch) -> Result<Vec<Found>> {
    let mut all = Vec::new();
    let mut tally = Tally::new(watch, Phase::Verifying, Some((source.files(), 0)))?;
    let mut ours = replica.entries().iter().peekable();
    for want in source.entries() {
        while let Some(extra) = ours.next_if(|have| have.path < want.path) {
            all.push(found(&extra.path, DifferenceKind::Extra, String::new()));
        }
        match ours.next_if(|have| have.path == want.path) {
            Some(have) => metadata(want, have, true, &mut all),
            None => all.push(found(&want.path, DifferenceKind::Missing, String::new())),
        }
        if matches!(want.kind, EntryKind::File { .. }) {
            tally.file()?;
        }
    }
    all.extend(ours.map(|extra| found(&extra.path, DifferenceKind::Extra, String::new())));
    tally.finish()?;
    Ok(all)
}

fn kind_name(kind: &EntryKind) -> &'static str {
    match kind {
        EntryKind::Dir => "directory",
        EntryKind::File { .. } => "file",
        EntryKind::Symlink { .. } => "symlink",
        EntryKind::Fifo { .. } => "fifo",
    }
}

fn metadata(want: &Entry, have: &Entry, owners: bool, all: &mut Vec<Found>) {
    let mut differs = |what, detail: String| all.push(found(&want.path, what, detail));
    match (&want.kind, &have.kind) {
        (EntryKind::File { size, hash, .. }, EntryKind::File { size: size2, hash: hash2, .. })
            if hash != hash2 || size != size2 =>
        {
            differs(DifferenceKind::Content, format!("{size} bytes {hash}, here {size2} bytes {hash2}"));
        }
        (EntryKind::Symlink { target, .. }, EntryKind::Symlink { target: target2, .. }) if target != target2 => {
            differs(DifferenceKind::LinkTarget, format!("{}, here {}", escape(target), escape(target2)));
        }
        (a, b) if std::mem::discriminant(a) != std::mem::discriminant(b) => {
            return differs(DifferenceKind::Type, format!("{}, here {}", kind_name(a), kind_name(b)));
        }
        _ => {}
    }
    if want.kind.group() != have.kind.group() {
        differs(DifferenceKind::Hardlink, String::new());
    }
    if want.mode != have.mode {
        differs(DifferenceKind::Mode, format!("{:04o}, here {:04o}", want.mode, have.mode));
    }
    if owners && (want.uid, want.gid) != (have.uid, have.gid) {
        differs(DifferenceKind::Owner, format!("{}:{}, here {}:{}", want.uid, want.gid, have.uid, have.gid));
    }
    if want.mtime != have.mtime {
        let text = |t: FileTime| format!("{}.{:09}", t.seconds, t.nanoseconds);
        differs(DifferenceKind::ModifiedTime, format!("{}, here {}", text(want.mtime), text(have.mtime)));
    }
    let names = xattr::differ(&want.xattrs, &have.xattrs, owners);
    if !names.is_empty() {
        differs(DifferenceKind::Attributes, names.iter().map(|name| escape(name)).collect::<Vec<_>>().join(", "));
    }
}

/// Reads the whole tree at `root` again. `ignored` names in the root directory do not count as extra.
pub(crate) fn inspect(manifest: &Manifest, root: &Path, ignored: &[&str], watch: &dyn Watch) -> Result<Vec<Found>> {
    inspect_part(manifest, manifest.entries(), root, ignored, watch)
}

/// Reads some of the names of the tree at `root` again: `entries` are a run of the manifest's.
pub(crate) fn inspect_part(
    manifest: &Manifest,
    entries: &[Entry],
    root: &Path,
    ignored: &[&str],
    watch: &dyn Watch,
) -> Result<Vec<Found>> {
    let trouble = |e: io::Error| Error::io("cannot read the tree of the replica", root, e);
    let mut tree = Beneath::open(root).map_err(trouble)?;
    let sizes = entries.iter().filter_map(|entry| match entry.kind {
        EntryKind::File { size, .. } => Some(size),
        _ => None,
    });
    let totals = Some(sizes.fold((0, 0), |(files, bytes), size| (files + 1, bytes + size)));
    let mut pass = Inspection {
        manifest,
        root,
        ignored,
        tally: Tally::new(watch, Phase::Verifying, totals)?,
        // Without root's rights owners are best effort, so they cannot be held against the replica.
        owners: rustix::process::geteuid().is_root(),
        inodes: HashMap::new(),
        groups: HashMap::new(),
        scratch: Scratch::default(),
        all: Vec::new(),
    };
    for entry in entries {
        pass.entry(&mut tree, entry)?;
    }
    pass.tally.finish()?;
    Ok(pass.all)
}

struct Inspection<'a> {
    manifest: &'a Manifest,
    root: &'a Path,
    ignored: &'a [&'a str],
    tally: Tally<'a>,
    owners: bool,
    inodes: HashMap<(u64, u64), u32>,
    /// Each type of file has its own numbers.
    groups: HashMap<(u32, u32), (u64, u64)>,
    scratch: Scratch,
    all: Vec<Found>,
}

impl Inspection<'_> {
    fn entry(&mut self, tree: &mut Beneath, want: &Entry) -> Result<()> {
        let trouble =
            |e: io::Error| Error::io("cannot read the tree of the replica", self.root.join(want.path.as_path()), e);
        let stat = match tree.stat(&want.path) {
            Ok(stat) => stat,
            Err(e) if crate::scan::is_gone(&e) => {
                self.all.push(found(&want.path, DifferenceKind::Missing, String::new()));
                return Ok(());
            }
            Err(e) => return Err(trouble(e)),
        };
        let kind = match kind_of(&stat) {
            FileType::Directory => EntryKind::Dir,
            FileType::Fifo => EntryKind::Fifo { group: self.group_here(want, &stat) },
            FileType::Symlink => {
                let (dir, name) = tree.locate(&want.path).map_err(trouble)?;
                let target = readlinkat(dir, name, Vec::new()).map_err(|e| trouble(e.into()))?;
                EntryKind::Symlink { target: target.as_bytes().into(), group: self.group_here(want, &stat) }
            }
            FileType::RegularFile if matches!(want.kind, EntryKind::File { .. }) => self.file(tree, want, &stat)?,
            other => {
                let detail = format!("{}, here {other:?}", kind_name(&want.kind));
                self.all.push(found(&want.path, DifferenceKind::Type, detail));
                return Ok(());
            }
        };
        let is_link = matches!(kind, EntryKind::Symlink { .. });
        let mode = if is_link { 0o777 } else { stat.st_mode & 0o7777 };
        let (dir, name) = tree.locate(&want.path).map_err(trouble)?;
        let xattrs = xattr::read(dir, name).map_err(trouble)?;
        let have = Entry { mode, ..entry(want.path.clone(), kind, &stat, xattrs) };
        metadata(want, &have, self.owners, &mut self.all);
        if want.kind == EntryKind::Dir && have.kind == EntryKind::Dir {
            self.extras(tree, &want.path).map_err(trouble)?;
        }
        Ok(())
    }

    /// The file as found. An unreadable one differs in content: that is what a failing disk looks like.
    fn file(&mut self, tree: &mut Beneath, want: &Entry, stat: &Stat) -> Result<EntryKind> {
        let EntryKind::File { hash: wanted, .. } = want.kind else { return Ok(want.kind.clone()) };
        let size = FileKey::of(stat).size;
        let group = self.group_here(want, stat);
        let tally = &mut self.tally;
        let read = tree.open_file(&want.path).map_err(Stop::Read).and_then(|(mut file, _)| {
            digest::<Stop>(&mut file, u64::MAX, &mut self.scratch, |piece| Ok(tally.bytes(piece.len())?))
        });
        tally.file()?;
        let hash = match read {
            Ok(read) => read.hash,
            Err(Stop::Work(e)) => return Err(e),
            Err(Stop::Read(e)) => {
                self.all.push(found(&want.path, DifferenceKind::Content, format!("cannot be read: {e}")));
                wanted
            }
        };
        Ok(EntryKind::File { size, hash, group })
    }

    /// The hardlink group as it is on disk: the wanted one where the names are those of one inode and of no other.
    fn group_here(&mut self, want: &Entry, stat: &Stat) -> u32 {
        let (group, inode) = (want.kind.group(), identity(stat));
        let kind = kind_of(stat).as_raw_mode();
        let first_here = !self.inodes.contains_key(&inode);
        let known = *self.inodes.entry(inode).or_insert(group);
        let same_file = *self.groups.entry((kind, group)).or_insert(inode) == inode;
        let linked = if group == 0 { first_here } else { known == group && same_file };
        if linked { group } else { u32::MAX }
    }

    fn extras(&mut self, tree: &mut Beneath, path: &TreePath) -> io::Result<()> {
        let dir = tree.dir(path.as_bytes())?;
        let fd = openat(dir.as_fd(), ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        for item in Dir::read_from(&fd)? {
            let item = item?;
            let name = item.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let ignored = path.is_root() && self.ignored.iter().any(|known| known.as_bytes() == name);
            match path.join(name) {
                Ok(child) if ignored || self.manifest.get(&child).is_some() => {}
                Ok(child) => self.all.push(found(&child, DifferenceKind::Extra, String::new())),
                Err(_) => self.all.push(found(path, DifferenceKind::Extra, escape(name))),
            }
        }
        Ok(())
    }
}
