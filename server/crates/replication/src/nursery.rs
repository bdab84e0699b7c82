//! The tree of a first copy, made while its content comes: a small file is written where it is to be, by a thread of its
//! own, instead of into the stage and from there into the tree. It refuses to be more than a part of the stage: until the
//! commit it lies there, and what an attempt leaves in it is content that has arrived.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use rustix::fs::{Mode, mkdirat, openat};

use crate::beneath::Beneath;
use crate::error::{Error, Result};
use crate::manifest::{ContentHash, EntryKind, Manifest};
use crate::sparse::SparseFile;
use crate::stage::Stage;
use crate::store::remove_tree;
use crate::tree::{FRESH, Fresh};

/// Files are handed over in parcels of about so many bytes, or so many files.
const PARCEL: usize = 256 * 1024;
const PARCEL_FILES: usize = 64;
/// Parcels that may wait.
const AHEAD: usize = 3;

/// A file, by its place in the manifest, and its content.
type Child = (u32, Vec<u8>);

/// What was put into the tree.
pub(crate) struct Grown {
    root: PathBuf,
    /// Entries that are in their place, by their content.
    pub(crate) placed: HashMap<ContentHash, u32>,
}

/// A tree that is being made.
pub(crate) struct Nursery {
    grown: Grown,
    parcel: Vec<Child>,
    bytes: usize,
    /// `None` only at its end.
    to: Option<SyncSender<Vec<Child>>>,
    /// Nobody wants it any more.
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Nursery {
    /// Begins the tree of this manifest in the stage, where nothing is in its place.
    pub(crate) fn begin(stage: &Stage, manifest: &Manifest) -> Result<Self> {
        let root = stage.nursery();
        let trouble = |e: io::Error| Error::io("cannot build the tree of the replica", &root, e);
        remove_tree(&root)?;
        fs::create_dir(&root).map_err(trouble)?;
        let (to, parcels) = sync_channel(AHEAD);
        let over = Arc::new(AtomicBool::new(false));
        let work = Work { root: root.clone(), manifest: manifest.clone(), over: Arc::clone(&over) };
        let spawned = thread::Builder::new().name("nursery".into()).spawn(move || work.run(&parcels));
        let thread = Some(spawned.map_err(trouble)?);
        let grown = Grown { root, placed: HashMap::new() };
        Ok(Self { grown, parcel: Vec::new(), bytes: 0, to: Some(to), over, thread })
    }

    /// Takes the content of an entry, whose hash the caller has just computed.
    pub(crate) fn put(&mut self, index: u32, hash: ContentHash, content: Vec<u8>) -> Result<()> {
        if self.grown.placed.insert(hash, index).is_some() {
            return Err(Error::protocol("the same content was sent twice"));
        }
        self.bytes += content.len();
        self.parcel.push((index, content));
        if self.bytes >= PARCEL || self.parcel.len() >= PARCEL_FILES { self.hand_over() } else { Ok(()) }
    }

    fn hand_over(&mut self) -> Result<()> {
        self.bytes = 0;
        let parcel = std::mem::take(&mut self.parcel);
        match &self.to {
            Some(to) if to.send(parcel).is_err() => self.join(),
            _ => Ok(()),
        }
    }

    fn join(&mut self) -> Result<()> {
        self.to = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(done)) => done,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(()),
        }
    }

    /// Waits until everything is in its place.
    pub(crate) fn grown(mut self) -> Result<Grown> {
        self.hand_over()?;
        self.join()?;
        let root = self.grown.root.clone();
        Ok(std::mem::replace(&mut self.grown, Grown { root, placed: HashMap::new() }))
    }
}

impl Drop for Nursery {
    fn drop(&mut self) {
        // What has arrived is kept; and whoever gives up does not leave a thread behind that goes on writing.
        self.over.store(true, Ordering::Relaxed);
        let _ = self.hand_over().and_then(|()| self.join());
    }
}

impl Grown {
    /// Brings the tree to where it is completed.
    pub(crate) fn leave_to(self, root: &Path) -> Result<HashMap<ContentHash, u32>> {
        fs::rename(&self.root, root).map_err(|e| Error::io("cannot build the tree of the replica", root, e))?;
        Ok(self.placed)
    }

    /// Gives everything to the stage: what is to be built is not what was begun.
    pub(crate) fn give_to(self, stage: &mut Stage, manifest: &Manifest) -> Result<()> {
        let mut tree = open(&self.root)?;
        for (hash, index) in &self.placed {
            let path = &manifest.entries()[*index as usize].path;
            let (dir, name) = tree.locate(path).map_err(|e| Error::io("cannot write to the stage", &self.root, e))?;
            stage.take_in(dir, name, *hash)?;
        }
        remove_tree(&self.root)
    }
}

fn open(root: &Path) -> Result<Beneath> {
    Beneath::open(root).map_err(|e| Error::io("cannot build the tree of the replica", root, e))
}

struct Work {
    root: PathBuf,
    manifest: Manifest,
    over: Arc<AtomicBool>,
}

impl Work {
    fn run(&self, parcels: &Receiver<Vec<Child>>) -> Result<()> {
        let mut tree = open(&self.root)?;
        let fresh = Fresh::made_in(tree.root()).map_err(|e| self.failed(0, e))?;
        // Content comes in the order of the list, and nobody is to wait for directories that are not needed yet.
        let mut made = 1;
        for (index, content) in parcels.iter().flatten() {
            let index = index as usize;
            self.make_directories(&mut tree, made..index)?;
            made = made.max(index);
            self.plant(&mut tree, &fresh, index, &content).map_err(|e| self.failed(index, e))?;
        }
        if self.over.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.make_directories(&mut tree, made..self.manifest.entries().len())
    }

    fn make_directories(&self, tree: &mut Beneath, range: Range<usize>) -> Result<()> {
        for index in range {
            let entry = &self.manifest.entries()[index];
            if entry.kind == EntryKind::Dir {
                let made = tree.locate(&entry.path).and_then(|(dir, name)| Ok(mkdirat(dir, name, Mode::RWXU)?));
                made.map_err(|e| self.failed(index, e))?;
            }
        }
        Ok(())
    }

    fn plant(&self, tree: &mut Beneath, fresh: &Fresh, index: usize, content: &[u8]) -> io::Result<()> {
        let entry = &self.manifest.entries()[index];
        let (dir, name) = tree.locate(&entry.path)?;
        let mut file = SparseFile::new(File::from(openat(dir, name, FRESH, Mode::RUSR | Mode::WUSR)?), 0);
        file.write(content)?;
        let file = file.finish()?;
        fresh.dress_file(&file, dir, name, entry)
    }

    fn failed(&self, index: usize, e: io::Error) -> Error {
        let path = self.root.join(self.manifest.entries()[index].path.as_path());
        Error::io("cannot build the tree of the replica", path, e)
    }
}
