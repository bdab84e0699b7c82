//! Promotion: a generation becomes a copy that may be written into. The copy shares no inode with any generation, so
//! that nothing a service does can damage history. It shows nothing before all of it is durable. What the disk has damaged
//! keeps nobody from serving on the worst day: it is copied as far as it can be read, and told by name.

use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{AtFlags, Mode, ioctl_ficlone, openat, unlinkat};

use crate::baseline;
use crate::beneath::{Beneath, FileKey, room_of};
use crate::change::Changes;
use crate::difference::{Difference, DifferenceKind};
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{Entry, EntryKind, Manifest};
use crate::reading::{BLOCK, Scratch, digest};
use crate::replica::BESIDE_A_DATABASE;
use crate::reuse::leaders;
use crate::scan::Stop;
use crate::serving::Serving;
use crate::source::{Source, SourceKind, SourceSpec};
use crate::sparse::SparseFile;
use crate::store::{
    BUILDING, Commit, Store, free_bytes_near, remove_tree, sync_dir, sync_file_system, write_durably, write_record,
};
use crate::tree::{Builder, Contents, FRESH, dress};
use crate::watch::{Phase, Point, Tally, Watch, pass};

/// What a name takes beside its content, roughly: an inode, or a block of a directory.
const PER_NAME: u64 = 512;
/// What of a damaged file is read at once: so much is lost where a disk gives nothing.
const RESCUED: u64 = 4096;

pub(crate) struct Promotion<'p> {
    pub(crate) store: &'p Store,
    pub(crate) kind: SourceKind,
    pub(crate) commit: &'p Commit,
    pub(crate) reserve_bytes: u64,
    pub(crate) now: Timestamp,
    pub(crate) watch: &'p dyn Watch,
}

impl Promotion<'_> {
    /// Makes the copy and gives it its name; readers do not see it yet.
    pub(crate) fn run(&self, run: &str) -> Result<Serving> {
        let servings = self.store.servings();
        fs::create_dir_all(&servings).map_err(|e| Error::io("cannot make the serving copy", &servings, e))?;
        sync_dir(&self.store.root)?;
        let hidden = self.store.serving_aside(run, BUILDING);
        remove_tree(&hidden)?;
        let made = self.build(&hidden, run);
        // Half a copy is of no use to the next attempt, and may be what fills the disk.
        if let Err(error) = &made
            && error.kind() != ErrorKind::Cancelled
            && let Err(left) = remove_tree(&hidden)
        {
            tracing::warn!(error = left.chain(), "half a serving copy stays until the next attempt");
        }
        let serving = made?;
        let place = self.store.serving(run);
        fs::rename(&hidden, &place).map_err(|e| Error::io("cannot name the serving copy", &place, e))?;
        sync_dir(&servings)?;
        pass(self.watch, Point::Promoted)?;
        Ok(serving)
    }

    fn build(&self, hidden: &Path, run: &str) -> Result<Serving> {
        fs::create_dir(hidden).map_err(|e| Error::io("cannot make the serving copy", hidden, e))?;
        let from = self.store.tree(self.commit.generation);
        let manifest = self.store.manifest(self.commit);
        let (kind, reserve_bytes, watch) = (self.kind, self.reserve_bytes, self.watch);
        let (manifest, damaged) = Copying { from, hidden, kind, reserve_bytes, watch }.run(manifest)?;
        let held = manifest.content_id();
        let serving = Serving {
            run: run.into(),
            generation: self.commit.generation,
            content_id: self.commit.content_id,
            promoted_at: self.now,
            handed_back: None,
            held: (held != self.commit.content_id).then_some(held),
            damaged,
        };
        write_record(hidden, &serving)?;
        pass(self.watch, Point::RecordWritten)?;
        Ok(serving)
    }
}

/// The tree of a generation on its way into a directory of its own.
pub(crate) struct Copying<'p> {
    pub(crate) from: PathBuf,
    /// Is there, and empty.
    pub(crate) hidden: &'p Path,
    pub(crate) kind: SourceKind,
    pub(crate) reserve_bytes: u64,
    pub(crate) watch: &'p dyn Watch,
}

impl Copying<'_> {
    /// Makes the copy durable; gives what it holds, and what of the generation is damaged.
    pub(crate) fn run(&self, manifest: Result<Manifest>) -> Result<(Manifest, Vec<Difference>)> {
        let mut damaged = Vec::new();
        let manifest = match manifest {
            Err(error) if error.kind() == ErrorKind::StoreDamaged => {
                damaged.push(lost(String::new(), DifferenceKind::Missing, &error));
                self.read_anew()?
            }
            manifest => manifest?,
        };
        let mut copier = Copier { damaged: Some(damaged), ..Copier::new(self.from.clone(), self.hidden, &manifest)? };
        self.check_space(&manifest, &mut copier)?;
        let root = self.hidden.join("tree");
        let (bytes, half) = (manifest.bytes(), Point::TreeHalfBuilt);
        let changes = Changes::whole(&manifest);
        Builder { root: &root, manifest: &manifest, changes: &changes, bytes, half, watch: self.watch }
            .build(&mut copier)?;
        write_durably(&self.hidden.join("manifest"), &manifest.encode())?;
        pass(self.watch, Point::TreeBuilt)?;
        let mut tally = Tally::new(self.watch, Phase::Committing, Some((manifest.files(), manifest.bytes())))?;
        sync_file_system(self.hidden)?;
        tally.finish()?;
        pass(self.watch, Point::Synced)?;
        let damaged = copier.damaged.unwrap_or_default();
        baseline::record(self.hidden, &root, &manifest, &damaged)?;
        Ok((manifest, damaged))
    }

    /// What a generation whose list is damaged holds: what is there counts.
    fn read_anew(&self) -> Result<Manifest> {
        let beside: &[&str] = if self.kind == SourceKind::Sqlite { BESIDE_A_DATABASE } else { &[] };
        let excludes = beside.iter().map(|name| (*name).to_owned()).collect();
        let spec = SourceSpec { kind: SourceKind::Files, path: self.from.clone(), excludes, forbidden: vec![] };
        let scratch = self.hidden.join("scratch");
        let read = Source::new(spec, scratch.clone())?.capture(Timestamp::UNIX_EPOCH, false, self.watch)?.manifest;
        remove_tree(&scratch)?;
        Ok(read)
    }

    fn check_space(&self, manifest: &Manifest, copier: &mut Copier) -> Result<()> {
        let mut room = |index: usize| match manifest.entries()[index].kind {
            EntryKind::File { size, .. } if !copier.clones => copier.room(&manifest.entries()[index], size),
            _ => 0,
        };
        let content: u64 = leaders(manifest).map(&mut room).sum();
        let names = manifest.entries().len() as u64 * PER_NAME;
        let needed = self.reserve_bytes.saturating_add(names).saturating_add(content);
        let free = free_bytes_near(self.hidden);
        if needed > free {
            let error = Error::disk_full("not enough free space for the copy that is to serve", needed, free);
            return Err(error.at(self.hidden));
        }
        Ok(())
    }
}

/// Content from a tree, copied and checked in one pass.
pub(crate) struct Copier {
    path: PathBuf,
    from: Beneath,
    /// The file system can share blocks between files until one of them is written to.
    clones: bool,
    /// Where what is damaged is noted and copied as it is; else it is refused.
    damaged: Option<Vec<Difference>>,
    scratch: Scratch,
}

impl Copier {
    pub(crate) fn new(path: PathBuf, scratch: &Path, manifest: &Manifest) -> Result<Self> {
        let mut from = Beneath::open(&path).map_err(|e| damaged(&path).with(e))?;
        let some = leaders(manifest)
            .find(|index| matches!(manifest.entries()[*index].kind, EntryKind::File { size: 1.., .. }));
        let mut clones = false;
        if let Some(index) = some
            && let Ok((file, _)) = from.open_file(&manifest.entries()[index].path)
        {
            let probe = scratch.join("probe");
            let trouble = |e: io::Error| Error::io("cannot make the serving copy", &probe, e);
            let to = fs::File::create(&probe).map_err(trouble)?;
            clones = ioctl_ficlone(&to, &file).is_ok();
            fs::remove_file(&probe).map_err(trouble)?;
        }
        Ok(Self { path, from, clones, damaged: None, scratch: Scratch::default() })
    }

    /// Bytes that a copy of this file takes: holes stay holes.
    fn room(&mut self, entry: &Entry, size: u64) -> u64 {
        let holed = size >= BLOCK as u64;
        let room = holed.then(|| self.from.stat(&entry.path).ok()).flatten().map(|stat| room_of(&stat));
        room.map_or(size, |room| room.min(size)).next_multiple_of(4096)
    }
}

fn lost(path: String, what: DifferenceKind, why: &Error) -> Difference {
    Difference { path, what, detail: why.chain() }
}

fn damaged(path: &Path) -> Error {
    let text = "a file of this generation is damaged: choose another generation, or repair this one";
    Error::new(ErrorKind::StoreDamaged, text).at(path)
}

impl Contents for Copier {
    fn make(&mut self, dir: BorrowedFd<'_>, name: &[u8], _: usize, entry: &Entry, tally: &mut Tally<'_>) -> Result<()> {
        match self.copy(dir, name, entry, tally) {
            Err(error) if self.damaged.is_some() && error.kind() == ErrorKind::StoreDamaged => {
                self.rescue(dir, name, entry, &error)
            }
            copied => copied,
        }
    }
}

impl Copier {
    fn copy(&mut self, dir: BorrowedFd<'_>, name: &[u8], entry: &Entry, tally: &mut Tally<'_>) -> Result<()> {
        let EntryKind::File { size, hash, .. } = entry.kind else { return Ok(()) };
        let path = self.path.join(entry.path.as_path());
        let trouble = |e: io::Error| Error::io("cannot copy a file of the generation", &path, e);
        let unreadable = |e: io::Error| match e.kind() {
            io::ErrorKind::PermissionDenied => trouble(e),
            _ => damaged(&path).with(e),
        };
        let (mut from, stat) = self.from.open_file(&entry.path).map_err(unreadable)?;
        if FileKey::of(&stat).size != size {
            return Err(damaged(&path));
        }
        let mut to = fs::File::from(openat(dir, name, FRESH, Mode::RUSR | Mode::WUSR).map_err(|e| trouble(e.into()))?);
        let cloned = self.clones && size > 0 && ioctl_ficlone(&to, &from).is_ok();
        let limit = size.saturating_add(1);
        let read = if cloned {
            digest::<Stop>(&mut to, limit, &mut self.scratch, |piece| Ok(tally.bytes(piece.len())?))
        } else {
            let mut to = SparseFile::new(to, 0);
            let read = digest::<Stop>(&mut from, limit, &mut self.scratch, |piece| {
                to.take(piece).map_err(trouble)?;
                Ok(tally.bytes(piece.len())?)
            });
            to.finish().map_err(trouble)?;
            read
        };
        match read {
            Ok(read) if read.hash == hash && read.bytes == size => dress(dir, name, entry).map_err(trouble),
            Ok(_) => Err(damaged(&path)),
            Err(Stop::Read(e)) => Err(damaged(&path).with(e)),
            Err(Stop::Work(e)) => Err(e),
        }
    }

    /// Copies what can be read of a file that is not what it should be, with zeros for the rest, and notes it.
    fn rescue(&mut self, dir: BorrowedFd<'_>, name: &[u8], entry: &Entry, why: &Error) -> Result<()> {
        let path = self.path.join(entry.path.as_path());
        let trouble = |e: io::Error| Error::io("cannot copy a file of the generation", &path, e);
        match unlinkat(dir, name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(e) => return Err(trouble(e.into())),
        }
        let to = fs::File::from(openat(dir, name, FRESH, Mode::RUSR | Mode::WUSR).map_err(|e| trouble(e.into()))?);
        let from = self.from.open_file(&entry.path).ok();
        let len = from.as_ref().map_or(0, |(_, stat)| FileKey::of(stat).size);
        let mut to = SparseFile::new(to, 0);
        let mut buffer = [0; RESCUED as usize];
        while let Some((file, _)) = from.as_ref().filter(|_| to.len() < len) {
            let want = RESCUED.min(len - to.len()) as usize;
            let block = &mut buffer[..want];
            if file.read_exact_at(block, to.len()).is_err() {
                block.fill(0);
            }
            to.write(block).map_err(trouble)?;
        }
        to.finish().map_err(trouble)?;
        let what = if from.is_some() { DifferenceKind::Content } else { DifferenceKind::Missing };
        tracing::warn!(path = %path.display(), "a damaged file is copied as far as it can be read");
        self.damaged.get_or_insert_default().push(lost(entry.path.to_string(), what, why));
        dress(dir, name, entry).map_err(trouble)
    }
}
