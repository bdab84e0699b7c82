//! What has to happen to a tree on disk that holds one manifest so that it holds another: which names go, which are
//! made, which directories get their metadata anew. It refuses to touch a name that is right already.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashSet};

use crate::manifest::{Entry, EntryKind, Manifest};
use crate::path::TreePath;

/// The names to touch, as positions in the manifests, in walk order.
pub(crate) struct Changes {
    /// To be taken away, by entry of what is there.
    pub(crate) gone: Vec<usize>,
    /// To be made, by entry of what is wanted.
    pub(crate) make: Vec<usize>,
    /// Directories that get their metadata last, by entry of what is wanted.
    pub(crate) dress: Vec<usize>,
    /// Directories that their owner may not change yet, by entry of what is there. Root needs none of it.
    pub(crate) open: Vec<usize>,
    /// The first name of each hardlink group of what is wanted.
    firsts: Firsts,
}

impl Changes {
    /// Everything: nothing but the root directory is there.
    pub(crate) fn whole(want: &Manifest) -> Self {
        let dirs = want.entries().iter().enumerate().filter(|(_, entry)| entry.kind == EntryKind::Dir);
        Self {
            gone: Vec::new(),
            make: (1..want.entries().len()).collect(),
            dress: dirs.map(|(index, _)| index).collect(),
            open: Vec::new(),
            firsts: firsts(want),
        }
    }

    /// From a tree that holds `have`, of which `missing` names are not there or not to be trusted.
    pub(crate) fn between(have: &Manifest, missing: &HashSet<TreePath>, want: &Manifest) -> Self {
        let (had, firsts) = (firsts(have), firsts(want));
        let single = missing.is_empty() && had.iter().chain(&firsts).all(Vec::is_empty);
        let mut work = Work {
            have,
            want,
            changes: Self { gone: Vec::new(), make: Vec::new(), dress: Vec::new(), open: Vec::new(), firsts },
            dress: BTreeSet::new(),
            touched: BTreeSet::new(),
        };
        // Where every file has one name, what the manifests have in common need not be looked at.
        if single {
            work.compare_entries()
        } else {
            work.compare_files(missing, &had)
        }
        work.finish()
    }

    /// Whether what is there is what is wanted, and one file with the same names.
    fn stays(&self, have: &Manifest, had: &Firsts, a: usize, want: &Manifest, b: usize) -> bool {
        let (old, new) = (&have.entries()[a], &want.entries()[b]);
        if old.kind == EntryKind::Dir {
            return old == new;
        }
        let (old_first, new_first) = (first(had, a, old), first(&self.firsts, b, new));
        old.same_inode_as(new) && have.entries()[old_first].path == want.entries()[new_first].path
    }

    /// The entry whose file this name is: itself, or the first name of its group.
    pub(crate) fn first(&self, index: usize, entry: &Entry) -> usize {
        first(&self.firsts, index, entry)
    }

    /// Of the names to be made, the first one of every file.
    pub(crate) fn leaders<'a>(&'a self, want: &'a Manifest) -> impl Iterator<Item = usize> + 'a {
        let file = |index: &usize| matches!(want.entries()[*index].kind, EntryKind::File { .. });
        self.make.iter().copied().filter(file).filter(|index| self.first(*index, &want.entries()[*index]) == *index)
    }
}

/// A comparison under way.
struct Work<'m> {
    have: &'m Manifest,
    want: &'m Manifest,
    changes: Changes,
    dress: BTreeSet<usize>,
    /// Directories in which a name is made or taken away.
    touched: BTreeSet<&'m [u8]>,
}

impl<'m> Work<'m> {
    /// Entry by entry, as far as the manifests differ.
    fn compare_entries(&mut self) {
        let found = self.want.changes_from(self.have);
        for path in found.gone() {
            self.differs(entry_at(self.have, path), None);
        }
        for entry in found.put() {
            self.differs(entry_at(self.have, &entry.path), entry_at(self.want, &entry.path));
        }
        self.changes.gone.sort_unstable();
    }

    /// Name by name: what is the same file is more than the entry says.
    fn compare_files(&mut self, missing: &HashSet<TreePath>, had: &Firsts) {
        let (old, new) = (self.have.entries(), self.want.entries());
        let (mut a, mut b) = (0, 0);
        while a < old.len() || b < new.len() {
            let order = match (old.get(a), new.get(b)) {
                (Some(x), Some(y)) => x.path.cmp(&y.path),
                (Some(_), None) => Ordering::Less,
                _ => Ordering::Greater,
            };
            let was = (order != Ordering::Greater && !missing.contains(&old[a].path)).then_some(a);
            let is = (order != Ordering::Less).then_some(b);
            let stays = was.zip(is).is_some_and(|(a, b)| self.changes.stays(self.have, had, a, self.want, b));
            if !stays {
                self.differs(was, is);
            }
            a += usize::from(order != Ordering::Greater);
            b += usize::from(order != Ordering::Less);
        }
    }

    /// Notes a name that is not what it was: the entry that is there, and the one that is wanted.
    fn differs(&mut self, was: Option<usize>, is: Option<usize>) {
        let (have, want) = (self.have, self.want);
        let is_dir = |manifest: &Manifest, index: usize| manifest.entries()[index].kind == EntryKind::Dir;
        if let Some((_, b)) = was.zip(is).filter(|(a, b)| is_dir(have, *a) && is_dir(want, *b)) {
            self.dress.insert(b);
            return;
        }
        if let Some(a) = was {
            self.changes.gone.push(a);
            self.touched.extend(have.entries()[a].path.split().map(|(parent, _)| parent));
        }
        if let Some(b) = is {
            self.changes.make.push(b);
            self.touched.extend(want.entries()[b].path.split().map(|(parent, _)| parent));
            if is_dir(want, b) {
                self.dress.insert(b);
            }
        }
    }

    fn finish(mut self) -> Changes {
        // Whatever is made or taken away in a directory changes its time.
        self.dress.extend(self.touched.iter().filter_map(|dir| position(self.want, dir)));
        self.unlock();
        self.changes.dress = self.dress.into_iter().collect();
        self.changes
    }

    /// Finds the directories on the way to a change whose mode keeps their owner out.
    fn unlock(&mut self) {
        if rustix::process::geteuid().is_root() {
            return;
        }
        let mut open = BTreeSet::new();
        for dir in &self.touched {
            let mut at = Some(*dir);
            while let Some(dir) = at {
                let locked = position(self.have, dir).filter(|index| self.have.entries()[*index].mode & 0o700 != 0o700);
                if let Some(index) = locked.filter(|index| open.insert(*index)) {
                    self.dress.extend(position(self.want, self.have.entries()[index].path.as_bytes()));
                }
                at = parent(dir);
            }
        }
        self.changes.open = open.into_iter().collect();
    }
}

/// The first name of each hardlink group, by its number; each kind has its own numbers.
type Firsts = [Vec<usize>; EntryKind::NUMBERINGS];

fn firsts(manifest: &Manifest) -> Firsts {
    let mut firsts = Firsts::default();
    for (index, entry) in manifest.entries().iter().enumerate() {
        let firsts = &mut firsts[entry.kind.numbering()];
        if entry.kind.group() as usize > firsts.len() {
            firsts.push(index);
        }
    }
    firsts
}

fn first(firsts: &Firsts, index: usize, entry: &Entry) -> usize {
    match entry.kind.group() {
        0 => index,
        group => firsts[entry.kind.numbering()][group as usize - 1],
    }
}

fn parent(dir: &[u8]) -> Option<&[u8]> {
    if dir.is_empty() {
        return None;
    }
    Some(dir.iter().rposition(|byte| *byte == b'/').map_or(&[], |slash| &dir[..slash]))
}

fn entry_at(manifest: &Manifest, path: &TreePath) -> Option<usize> {
    manifest.entries().binary_search_by(|entry| entry.path.cmp(path)).ok()
}

/// The entry of a directory, where it is one.
fn position(manifest: &Manifest, dir: &[u8]) -> Option<usize> {
    let found = entry_at(manifest, &TreePath::parse(dir).ok()?);
    found.filter(|index| manifest.entries()[*index].kind == EntryKind::Dir)
}
