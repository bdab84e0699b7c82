//! What makes one tree of another: the names that are gone, and the entries that are new or not what they were. To find
//! it costs little where little changed, and so does to apply it. It refuses to make anything that is not a tree.

use std::sync::Arc;

use crate::encoding::{decode_entry, encode_entry};
use crate::field::{Fields, put_string};
use crate::manifest::{Entry, EntryKind, Manifest, ManifestFault, check_alone};
use crate::path::{TreePath, in_walk_order};
use crate::runs::{self, Kept, Run};

/// The way from one [`Manifest`] to another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TreeChanges {
    gone: Vec<TreePath>,
    put: Vec<Entry>,
}

impl TreeChanges {
    /// Names to take out (of a directory each name in it, too), and entries to put in or in the place of older ones.
    pub fn new(mut gone: Vec<TreePath>, mut put: Vec<Entry>) -> Self {
        gone.sort();
        put.sort_by(|a, b| a.path.cmp(&b.path));
        Self { gone, put }
    }

    /// Names that are gone, in walk order.
    pub fn gone(&self) -> &[TreePath] {
        &self.gone
    }

    /// Entries that are new or not what they were, in walk order, as the newer manifest has them.
    pub fn put(&self) -> &[Entry] {
        &self.put
    }

    /// How many names they are about.
    pub fn len(&self) -> usize {
        self.gone.len() + self.put.len()
    }

    /// Whether both trees are the same.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As bytes, for a stream or a file.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + self.len() * 128);
        out.extend_from_slice(&(self.gone.len() as u64).to_le_bytes());
        out.extend_from_slice(&(self.put.len() as u64).to_le_bytes());
        self.gone.iter().for_each(|path| put_string(&mut out, path.as_bytes()));
        self.put.iter().for_each(|entry| encode_entry(&mut out, entry));
        out
    }

    /// Reads them back, at most `max_entries` names. Whether they fit a tree shows when they are applied.
    pub fn decode(bytes: &[u8], max_entries: u64) -> Result<Self, ManifestFault> {
        let mut fields = Fields::new(bytes);
        let (gone_count, put_count) = (fields.u64()?, fields.u64()?);
        if gone_count.checked_add(put_count).is_none_or(|all| all > max_entries) {
            return Err(ManifestFault::TooMany);
        }
        // Grown by what is really there, not by what is announced.
        let (mut gone, mut put) = (Vec::new(), Vec::new());
        for index in 0..gone_count {
            let path = TreePath::parse(fields.string()?).map_err(|fault| ManifestFault::Path { index, fault })?;
            gone.push(path);
        }
        for index in 0..put_count {
            put.push(decode_entry(&mut fields, index)?);
        }
        if fields.is_empty() { Ok(Self { gone, put }) } else { Err(ManifestFault::Length) }
    }
}

impl Manifest {
    /// What has to be done to `base` to make it this one.
    pub fn changes_from(&self, base: &Manifest) -> TreeChanges {
        let mut changes = TreeChanges::default();
        let (mut new, mut old) = (Place::begin(self), Place::begin(base));
        loop {
            match (new.entry(), old.entry()) {
                (None, None) => return changes,
                (Some(entry), None) => {
                    changes.put.push(entry.clone());
                    new.step();
                }
                (None, Some(entry)) => {
                    changes.gone.push(entry.path.clone());
                    old.step();
                }
                (Some(now), Some(before)) => {
                    if let (Some(a), Some(b)) = (new.run(), old.run())
                        && a.hash == b.hash
                    {
                        new.skip_run();
                        old.skip_run();
                        continue;
                    }
                    match now.path.cmp(&before.path) {
                        std::cmp::Ordering::Equal => {
                            if now != before {
                                changes.put.push(now.clone());
                            }
                            new.step();
                            old.step();
                        }
                        std::cmp::Ordering::Less => {
                            changes.put.push(now.clone());
                            new.step();
                        }
                        std::cmp::Ordering::Greater => {
                            changes.gone.push(before.path.clone());
                            old.step();
                        }
                    }
                }
            }
        }
    }

    /// The tree that these changes make of this one, checked as [`Manifest::new`] checks; only what they touch is
    /// looked at, unless names of hardlinks are among it.
    pub fn apply(&self, changes: &TreeChanges) -> Result<Manifest, ManifestFault> {
        self.apply_with(changes, Manifest::new)
    }

    /// As [`Manifest::apply`], for entries whose hardlink groups have any number.
    pub(crate) fn apply_normalising(&self, changes: &TreeChanges) -> Result<Manifest, ManifestFault> {
        self.apply_with(changes, Manifest::normalised)
    }

    fn apply_with(
        &self,
        changes: &TreeChanges,
        whole: fn(Vec<Entry>) -> Result<Manifest, ManifestFault>,
    ) -> Result<Manifest, ManifestFault> {
        let merged = Merge::run(self, changes)?;
        if merged.linked {
            return whole(merged.entries);
        }
        merged.check(changes)?;
        let runs = runs::again(&merged.entries, &merged.kept, &self.runs);
        let id = runs::id(&runs);
        let Merge { entries, files, bytes, .. } = merged;
        Ok(Manifest { entries: Arc::new(entries), runs: Arc::new(runs), id, files, bytes })
    }
}

/// Where a comparison stands in one of the two manifests.
struct Place<'m> {
    entries: &'m [Entry],
    runs: &'m [Run],
    at: usize,
    /// Where the next run begins.
    next_run: usize,
}

impl<'m> Place<'m> {
    fn begin(manifest: &'m Manifest) -> Self {
        Self { entries: &manifest.entries, runs: &manifest.runs, at: 0, next_run: 0 }
    }

    fn entry(&self) -> Option<&'m Entry> {
        self.entries.get(self.at)
    }

    /// The run that begins here, if one does.
    fn run(&self) -> Option<&'m Run> {
        self.runs.first().filter(|_| self.at == self.next_run)
    }

    fn skip_run(&mut self) {
        if let Some((run, rest)) = self.runs.split_first() {
            self.next_run += run.len;
            self.at = self.next_run;
            self.runs = rest;
        }
    }

    fn step(&mut self) {
        if self.at == self.next_run
            && let Some((run, rest)) = self.runs.split_first()
        {
            self.next_run += run.len;
            self.runs = rest;
        }
        self.at += 1;
    }
}

/// Two lists in walk order made one.
struct Merge<'m> {
    old: &'m [Entry],
    /// How far the old entries are taken over.
    taken: usize,
    entries: Vec<Entry>,
    kept: Vec<Kept>,
    /// A hardlink is among what changed: what it is the other name of may be anywhere.
    linked: bool,
    files: u64,
    bytes: u64,
}

impl<'m> Merge<'m> {
    fn run(base: &'m Manifest, changes: &TreeChanges) -> Result<Self, ManifestFault> {
        let mut merge = Self {
            old: &base.entries,
            taken: 0,
            entries: Vec::with_capacity(base.entries.len() + changes.put.len()),
            kept: Vec::new(),
            linked: false,
            files: base.files,
            bytes: base.bytes,
        };
        let (mut gone, mut put) = (changes.gone.iter().peekable(), changes.put.iter().peekable());
        let mut last: Option<&TreePath> = None;
        loop {
            let goes = match (gone.peek(), put.peek()) {
                (None, None) => break,
                (Some(gone), Some(put)) => **gone <= put.path,
                (gone, None) => gone.is_some(),
                (None, Some(_)) => false,
            };
            let path = if goes {
                let Some(path) = gone.next() else { break };
                merge.take_out(path)?;
                path
            } else {
                let Some(entry) = put.next() else { break };
                merge.put_in(entry)?;
                &entry.path
            };
            if last.is_some_and(|last| last >= path) {
                return Err(ManifestFault::Order(path.clone()));
            }
            last = Some(path);
        }
        merge.take_over(merge.old.len());
        Ok(merge)
    }

    /// Takes the old entries over up to this one.
    fn take_over(&mut self, end: usize) {
        if self.taken < end {
            self.kept.push(Kept { from: self.taken, to: self.entries.len(), len: end - self.taken });
            self.entries.extend_from_slice(&self.old[self.taken..end]);
            self.taken = end;
        }
    }

    /// Takes the old entries over up to this path, and gives the one that is there.
    fn reach(&mut self, path: &TreePath) -> Option<&'m Entry> {
        let rest = self.old.get(self.taken..).unwrap_or_default();
        let found = rest.binary_search_by(|entry| entry.path.cmp(path));
        let at = self.taken + found.unwrap_or_else(|at| at);
        self.take_over(at);
        found.is_ok().then(|| {
            self.taken = at + 1;
            &self.old[at]
        })
    }

    fn take_out(&mut self, path: &TreePath) -> Result<(), ManifestFault> {
        if path.is_root() {
            return Err(ManifestFault::Root);
        }
        let old = self.reach(path).ok_or_else(|| ManifestFault::Absent(path.clone()))?;
        self.forget(old);
        Ok(())
    }

    fn put_in(&mut self, entry: &Entry) -> Result<(), ManifestFault> {
        check_alone(entry)?;
        if let Some(old) = self.reach(&entry.path) {
            self.forget(old);
        }
        self.linked |= entry.kind.group() > 0;
        if let EntryKind::File { size, .. } = entry.kind {
            self.files += 1;
            self.bytes = self.bytes.checked_add(size).ok_or(ManifestFault::TooMany)?;
        }
        self.entries.push(entry.clone());
        Ok(())
    }

    fn forget(&mut self, old: &Entry) {
        self.linked |= old.kind.group() > 0;
        if let EntryKind::File { size, .. } = old.kind {
            self.files -= 1;
            self.bytes = self.bytes.saturating_sub(size);
        }
    }

    /// What was put lies in directories, and nothing lies in what is none any more.
    fn check(&self, changes: &TreeChanges) -> Result<(), ManifestFault> {
        if self.entries.first().is_none_or(|root| !root.path.is_root() || root.kind != EntryKind::Dir) {
            return Err(ManifestFault::Root);
        }
        for entry in &changes.put {
            let Some((parent, _)) = entry.path.split() else { continue };
            let found = self.entries.binary_search_by(|other| in_walk_order(other.path.as_bytes(), parent));
            if !found.is_ok_and(|at| self.entries[at].kind == EntryKind::Dir) {
                return Err(ManifestFault::Parent(entry.path.clone()));
            }
        }
        // Whatever lies in a directory follows it directly: one look after each place tells.
        let mut bare = changes
            .gone
            .iter()
            .chain(changes.put.iter().filter(|entry| entry.kind != EntryKind::Dir).map(|entry| &entry.path));
        let orphan = bare.find_map(|path| {
            let next = self.entries.partition_point(|entry| entry.path <= *path);
            self.entries.get(next).filter(|entry| entry.path.is_inside(path))
        });
        orphan.map_or(Ok(()), |entry| Err(ManifestFault::Parent(entry.path.clone())))
    }
}
