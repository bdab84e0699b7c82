//! Trees that nobody reads any more, kept to be made into the next generation: what they share with it need not be put
//! together again. It refuses to believe a spare that was being changed when the work ended, or that an earlier boot of
//! the machine left: what a power cut did to it nobody knows.
//!
//! ```text
//! spares/boot                  in which boot of the machine they were made
//! spares/<N>/{tree,record}     a whole tree and what it holds
//! spares/<N>.changing          being made or changed: dropped on open
//! ```

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rustix::fs::{AtFlags, Mode, linkat, openat};

use crate::beneath::{Beneath, mtime_of};
use crate::change::Changes;
use crate::error::{Error, Result};
use crate::manifest::{Entry, EntryKind, Manifest};
use crate::manifests::Holds;
use crate::own_copy::{self, OwnCopy};
use crate::path::TreePath;
use crate::reuse::Reuse;
use crate::store::{Store, put_record, read_record, remove_tree};
use crate::tree::{Builder, Contents, FRESH, dress};
use crate::update::Update;
use crate::watch::{Point, Tally, Watch, pass};

/// A tree that may be changed.
#[derive(Debug, Clone)]
pub(crate) struct Spare {
    pub(crate) place: PathBuf,
    pub(crate) holds: Holds,
    /// Names of the manifest that are not in it.
    pub(crate) missing: HashSet<TreePath>,
    /// Files that no other tree has, as far as that is known since the store was opened.
    pub(crate) own: Vec<Arc<OwnCopy>>,
    /// The manifest of what it holds, where that is known: those that were made together share it.
    manifest: Option<Manifest>,
}

impl Spare {
    /// Whether it is nobody's any more: see [`Spares::give_up`].
    pub(crate) fn is_given_up(&self) -> bool {
        self.place.extension().is_some_and(|extension| extension == CHANGING)
    }
}

/// The spares of a store.
#[derive(Debug, Default)]
pub(crate) struct Spares {
    all: Vec<Spare>,
    next: u64,
    /// Paths whose content cannot have a copy of its own.
    unfit: HashSet<TreePath>,
}

impl Spares {
    /// What is there and can be believed; the rest is dropped.
    pub(crate) fn recover(store: &Store) -> Result<Self> {
        let dir = store.spares();
        let trouble = |e: io::Error| Error::io("cannot read the store of the replica", &dir, e);
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let note = dir.join("boot");
        let same_boot = !boot.is_empty() && fs::read_to_string(&note).is_ok_and(|known| known == boot);
        let mut spares = Self::default();
        for item in fs::read_dir(&dir).map_err(trouble)? {
            let place = item.map_err(trouble)?.path();
            let number = place.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<u64>().ok());
            let Some(number) = number else {
                if place.is_dir() {
                    remove_tree(&place)?;
                }
                continue;
            };
            // What of it is shared with nobody was known to whoever made it.
            let known = same_boot && !own_copy::is_marked(&place);
            match read_record::<Holds>(&place) {
                Ok(holds) if known => {
                    spares.next = spares.next.max(number + 1);
                    spares.all.push(Spare { place, holds, missing: HashSet::new(), own: Vec::new(), manifest: None });
                }
                _ => remove_tree(&place)?,
            }
        }
        if !same_boot {
            fs::write(&note, boot).map_err(trouble)?;
        }
        Ok(spares)
    }

    /// What they hold.
    pub(crate) fn holds(&self) -> impl Iterator<Item = Holds> + '_ {
        self.all.iter().map(|spare| spare.holds)
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// The spare with the least to change on the way to what follows the newest generation, made where there is none;
    /// and its manifest.
    pub(crate) fn ready(
        &mut self,
        store: &Store,
        newest: Holds,
        reuse: &mut Reuse,
        is_wanted: impl Fn(&OwnCopy) -> bool,
        watch: &dyn Watch,
    ) -> Result<(Spare, Manifest)> {
        // One with copies of its own where one of these is written to, else one without.
        let own = |spare: &Spare| match spare.own.iter().any(|own| is_wanted(own)) {
            true => 2,
            false => u8::from(spare.own.is_empty()),
        };
        let nearest = self.all.iter().max_by_key(|spare| (spare.holds == newest, own(spare), spare.holds.generation));
        if let Some(spare) = nearest.cloned() {
            if spare.holds == newest {
                return Ok((spare, reuse.manifest.clone()));
            }
            let known = spare.manifest.clone().map_or_else(|| store.manifests.read(spare.holds), Ok);
            match known {
                Ok(held) => return Ok((spare, held)),
                // Nobody can say what it holds.
                Err(error) => {
                    tracing::warn!(error = error.chain(), "the spare trees are dropped");
                    self.drop_all()?;
                }
            }
        }
        let made = self.make(store, newest, reuse, watch)?;
        Ok((made, reuse.manifest.clone()))
    }

    /// Gives a spare away, to be changed at another place.
    pub(crate) fn take(&mut self, spare: &Spare, to: &Path) -> Result<()> {
        self.all.retain(|one| one.place != spare.place);
        fs::rename(&spare.place, to).map_err(|e| Error::io("cannot take a spare tree", &spare.place, e))
    }

    /// Makes a spare nobody's, so that what it holds may be written to: whatever happens, it is not used again.
    pub(crate) fn give_up(&mut self, spare: &mut Spare) -> Result<()> {
        let hidden = spare.place.with_extension(CHANGING);
        self.take(spare, &hidden)?;
        spare.place = hidden;
        Ok(())
    }

    /// Gives one of those that hold the newest generation a copy of its own of what was written to last. `false` where
    /// there is nothing more to do.
    pub(crate) fn make_own(
        &mut self,
        newest: Holds,
        captured_at: Timestamp,
        free: u64,
        reuse: &mut Reuse,
        watch: &dyn Watch,
    ) -> Result<bool> {
        let best = self.all.iter().enumerate().filter(|(_, spare)| spare.holds == newest);
        let Some(at) = best.max_by_key(|(_, spare)| spare.own.len()).map(|(at, _)| at) else { return Ok(false) };
        let unfit = &self.unfit;
        let Some(index) = own_copy::wanted(&reuse.manifest, &self.all[at], captured_at, free, unfit) else {
            return Ok(false);
        };
        let mut spare = self.all.swap_remove(at);
        let hidden = spare.place.with_extension(CHANGING);
        fs::rename(&spare.place, &hidden).map_err(|e| Error::io("cannot take a spare tree", &spare.place, e))?;
        match own_copy::make(&hidden, reuse, index, watch)? {
            Some(own) => spare.own.push(Arc::new(own)),
            None => drop(self.unfit.insert(reuse.manifest.entries()[index].path.clone())),
        }
        fs::rename(&hidden, &spare.place).map_err(|e| Error::io("cannot keep a spare tree", &spare.place, e))?;
        self.all.push(spare);
        Ok(true)
    }

    /// Drops all of them, and what they alone hold.
    pub(crate) fn drop_all(&mut self) -> Result<()> {
        while let Some(spare) = self.all.pop() {
            // Cut off in the middle, it must not be taken for a whole one.
            let hidden = spare.place.with_extension(CHANGING);
            remove_tree(&hidden)?;
            fs::rename(&spare.place, &hidden).map_err(|e| Error::io("cannot drop a spare tree", &spare.place, e))?;
            remove_tree(&hidden)?;
        }
        Ok(())
    }

    fn number(&mut self, store: &Store) -> PathBuf {
        self.next += 1;
        store.spares().join(self.next.to_string())
    }

    /// Makes a spare from the newest generation: a link for every file that is as it should be.
    pub(crate) fn make(&mut self, store: &Store, holds: Holds, reuse: &mut Reuse, watch: &dyn Watch) -> Result<Spare> {
        let missing = reuse.missing();
        let place = self.number(store);
        let hidden = place.with_extension(CHANGING);
        remove_tree(&hidden)?;
        let trouble = |e: io::Error| Error::io("cannot make a spare tree", &hidden, e);
        fs::create_dir(&hidden).map_err(trouble)?;
        let (root, manifest) = (hidden.join("tree"), reuse.manifest.clone());
        let mut changes = Changes::whole(&manifest);
        changes.make.retain(|index| !missing.contains(&manifest.entries()[*index].path));
        let half = Point::SpareHalfMade;
        Builder { root: &root, manifest: &manifest, changes: &changes, bytes: 0, half, watch }
            .build(&mut Shared { reuse, new: &manifest })?;
        if !missing.is_empty() {
            // Good for the generation that is being made, and for nothing later.
            return Ok(Spare { place: hidden, holds, missing, own: Vec::new(), manifest: None });
        }
        put_record(&hidden, &holds)?;
        fs::rename(&hidden, &place).map_err(trouble)?;
        pass(watch, Point::SpareMade)?;
        let spare = Spare { place, holds, missing, own: Vec::new(), manifest: Some(manifest) };
        self.all.push(spare.clone());
        Ok(spare)
    }

    /// Keeps the tree of a generation that is not needed any more, unless somebody left something in it.
    pub(crate) fn keep(&mut self, store: &Store, tree_of: &Path, holds: Holds, manifest: &Manifest) -> Result<()> {
        if !is_untouched(&tree_of.join("tree"), manifest) {
            return remove_tree(tree_of);
        }
        let place = self.number(store);
        put_record(tree_of, &holds)?;
        fs::rename(tree_of, &place).map_err(|e| Error::io("cannot keep a spare tree", tree_of, e))?;
        self.all.push(Spare { place, holds, missing: HashSet::new(), own: Vec::new(), manifest: None });
        Ok(())
    }

    /// Brings every spare to the newest generation, so that the next one finds little to change and nothing that is
    /// gone keeps its space.
    pub(crate) fn freshen(&mut self, store: &Store, newest: Holds, reuse: &mut Reuse, watch: &dyn Watch) -> Result<()> {
        // They all come from the same few generations.
        let mut known: Vec<(Holds, Manifest)> = Vec::new();
        for mut spare in std::mem::take(&mut self.all) {
            if spare.holds == newest {
                self.all.push(spare);
                continue;
            }
            let hidden = spare.place.with_extension(CHANGING);
            fs::rename(&spare.place, &hidden).map_err(|e| Error::io("cannot take a spare tree", &spare.place, e))?;
            if let Some(manifest) = spare.manifest.clone()
                && !known.iter().any(|(holds, _)| *holds == spare.holds)
            {
                known.push((spare.holds, manifest));
            }
            match freshen_one(store, &hidden, spare.holds, &mut known, reuse, watch) {
                Ok(have) => spare.own.retain(|own| have.get(&own.path) == reuse.manifest.get(&own.path)),
                // It costs a new one, no more.
                Err(error) if error.kind() != crate::ErrorKind::Cancelled => {
                    tracing::debug!(error = error.chain(), "a spare tree is dropped");
                    remove_tree(&hidden)?;
                    continue;
                }
                Err(error) => return Err(error),
            }
            put_record(&hidden, &newest)?;
            fs::rename(&hidden, &spare.place).map_err(|e| Error::io("cannot keep a spare tree", &spare.place, e))?;
            self.all.push(Spare { holds: newest, manifest: Some(reuse.manifest.clone()), ..spare });
        }
        Ok(())
    }
}

const CHANGING: &str = "changing";

/// Gives what it held.
fn freshen_one(
    store: &Store,
    hidden: &Path,
    from: Holds,
    known: &mut Vec<(Holds, Manifest)>,
    reuse: &mut Reuse,
    watch: &dyn Watch,
) -> Result<Manifest> {
    let root = hidden.join("tree");
    let have = match known.iter().find(|(holds, _)| *holds == from) {
        Some((_, manifest)) => manifest.clone(),
        None => {
            let manifest = store.manifests.read(from)?;
            known.push((from, manifest.clone()));
            manifest
        }
    };
    let want = reuse.manifest.clone();
    let changes = Changes::between(&have, &HashSet::new(), &want);
    let mut ground = Beneath::open(&root).map_err(|e| Error::io("cannot change a spare tree", &root, e))?;
    let links = reuse.links(&changes, &want, Some(&mut ground));
    let linked = |index: usize| links.get(&index) == Some(&index);
    if !changes.leaders(&want).all(|index| is_empty(&want.entries()[index]) || linked(index)) {
        return Err(Error::new(crate::ErrorKind::Io, "a spare tree cannot share every file").at(root));
    }
    Update { root: &root, have: &have, want: &want, changes: &changes, half: Point::SpareHalfMade, watch }
        .run(&mut Shared { reuse, new: &want })?;
    Ok(have)
}

/// The files of the newest generation once more, by link.
struct Shared<'a> {
    reuse: &'a mut Reuse,
    new: &'a Manifest,
}

impl Contents for Shared<'_> {
    fn make(&mut self, dir: BorrowedFd<'_>, name: &[u8], index: usize, entry: &Entry, _: &mut Tally<'_>) -> Result<()> {
        let failed = |e: io::Error| Error::io("cannot make a spare tree", self.new.entries()[index].path.as_path(), e);
        if is_empty(entry) {
            openat(dir, name, FRESH, Mode::RUSR | Mode::WUSR).map_err(|e| failed(e.into()))?;
            return dress(dir, name, entry).map_err(failed);
        }
        let (from, from_name) = self.reuse.locate(index).map_err(failed)?;
        linkat(from, from_name, dir, name, AtFlags::empty()).map_err(|e| failed(e.into()))
    }
}

fn is_empty(entry: &Entry) -> bool {
    matches!(entry.kind, EntryKind::File { size: 0, .. })
}

/// Whether no name was made or removed in a tree since it was committed: that stamps the directory.
fn is_untouched(tree: &Path, manifest: &Manifest) -> bool {
    let Ok(mut tree) = Beneath::open(tree) else { return false };
    let mut dirs = manifest.entries().iter().filter(|entry| entry.kind == EntryKind::Dir);
    dirs.all(|entry| tree.stat(&entry.path).is_ok_and(|stat| mtime_of(&stat) == entry.mtime))
}
