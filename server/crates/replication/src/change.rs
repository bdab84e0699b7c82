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
        let mut changes = Self { gone: Vec::new(), make: Vec::new(), dress: Vec::new(), open: Vec::new(), firsts };
        let mut dress = BTreeSet::new();
        let mut touched = BTreeSet::new();
        let (old, new) = (have.entries(), want.entries());
        let (mut a, mut b) = (0, 0);
        while a < old.len() || b < new.len() {
            let order = match (old.get(a), new.get(b)) {
                (Some(x), Some(y)) => x.path.cmp(&y.path),
                (Some(_), None) => Ordering::Less,
                _ => Ordering::Greater,
            };
            let there = order != Ordering::Greater && !missing.contains(&old[a].path);
            let stays = order == Ordering::Equal && there && changes.stays(have, &had, a, want, b);
            if !stays {
                let dirs =
                    order == Ordering::Equal && there && old[a].kind == EntryKind::Dir && new[b].kind == old[a].kind;
                if dirs {
                    dress.insert(b);
                } else {
                    if there {
                        changes.gone.push(a);
                        touched.extend(old[a].path.split().map(|(parent, _)| parent));
                    }
                    if order != Ordering::Less {
                        changes.make.push(b);
                        touched.extend(new[b].path.split().map(|(parent, _)| parent));
                        if new[b].kind == EntryKind::Dir {
                            dress.insert(b);
                        }
                    }
                }
            }
            a += usize::from(order != Ordering::Greater);
            b += usize::from(order != Ordering::Less);
        }
        // Whatever is made or taken away in a directory changes its time.
        dress.extend(touched.iter().filter_map(|dir| position(want, dir)));
        changes.unlock(have, want, &touched, &mut dress);
        changes.dress = dress.into_iter().collect();
        changes
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

    /// Finds the directories on the way to a change whose mode keeps their owner out.
    fn unlock(&mut self, have: &Manifest, want: &Manifest, touched: &BTreeSet<&[u8]>, dress: &mut BTreeSet<usize>) {
        if rustix::process::geteuid().is_root() {
            return;
        }
        let mut open = BTreeSet::new();
        for dir in touched {
            let mut at = Some(*dir);
            while let Some(dir) = at {
                let locked = position(have, dir).filter(|index| have.entries()[*index].mode & 0o700 != 0o700);
                if let Some(index) = locked.filter(|index| open.insert(*index)) {
                    dress.extend(position(want, have.entries()[index].path.as_bytes()));
                }
                at = parent(dir);
            }
        }
        self.open = open.into_iter().collect();
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

/// The entry of a directory, where it is one.
fn position(manifest: &Manifest, dir: &[u8]) -> Option<usize> {
    let path = TreePath::parse(dir).ok()?;
    let found = manifest.entries().binary_search_by(|entry| entry.path.cmp(&path)).ok();
    found.filter(|index| manifest.entries()[*index].kind == EntryKind::Dir)
}
