//! The side that keeps the copy: a store of generations, one of them visible, and the link readers use. It refuses to
//! be opened twice, and to touch anything outside of its store except that one link.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::difference::{Difference, DifferenceKind, Found, compare, inspect};
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::Manifest;
use crate::offer;
use crate::owners::{self, here};
use crate::pull::{Pull, PullOptions, Pulled};
use crate::serving::{self, Promoted, Serving};
use crate::source::SourceKind;
use crate::spare::Spares;
use crate::store::{Commit, Store, remove_tree};
use crate::target::{self, TargetState};
use crate::watch::Watch;

/// What SQLite puts beside a database that is being read.
pub(crate) const BESIDE_A_DATABASE: &[&str] = &["database-wal", "database-shm", "database-journal"];

/// A generation that can be chosen at activation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestorePoint {
    /// Given by the source.
    pub generation: u64,
    /// Of the whole tree.
    pub content_id: crate::manifest::ContentId,
    /// The content of the source that it answers to: the same, unless more is kept here than the source offered.
    pub offered_id: crate::manifest::ContentId,
    /// When the source captured it, by the source's clock.
    pub captured_at: Timestamp,
    /// When it was committed here, by our clock.
    pub committed_at: Timestamp,
    /// Names of regular files.
    pub files: u64,
    /// Bytes of content (shared with other generations where nothing changed).
    pub bytes: u64,
    /// The complete tree on disk. Do not write into it: files are shared with other generations.
    pub tree: PathBuf,
}

/// The copy of one source.
pub struct Replica {
    pub(crate) store: Store,
    pub(crate) kind: SourceKind,
    pub(crate) commits: Vec<Commit>,
    pub(crate) servings: Vec<Serving>,
    pub(crate) promoted: Option<Promoted>,
    pub(crate) spares: Spares,
    /// The manifest of the newest commit, once it was needed.
    newest: Option<Manifest>,
    /// Where the accounts of this machine are.
    pub(crate) etc: PathBuf,
    /// The last piece of work ended well: what is known here is what is on disk.
    pub(crate) settled: bool,
    /// Pieces of tidying up that the next commit would have to write to the disk along with its own.
    pub(crate) unwritten: usize,
}

impl Replica {
    /// Opens (or makes) a store and recovers it: drops what was not committed but keeps the content that had arrived,
    /// makes the copy that serves or else the newest committed generation the visible one, repairs the target link.
    /// Holds a lock until dropped.
    pub fn open(store: PathBuf, kind: SourceKind) -> Result<Self> {
        let store = Store::open(&store)?;
        let mut replica = Self {
            store,
            kind,
            commits: Vec::new(),
            servings: Vec::new(),
            promoted: None,
            spares: Spares::default(),
            newest: None,
            etc: PathBuf::from("/etc"),
            settled: false,
            unwritten: 0,
        };
        replica.recover(true)?;
        let store = &replica.store;
        if let Some(target) = target::recorded(store)
            && let Err(error) = target::claim(store, kind, &target)
        {
            // What is there now was put there by somebody; the replica works without its link.
            tracing::warn!(error = error.chain(), "the target link is not there and cannot be made");
        }
        Ok(replica)
    }

    /// Learns what is on disk: an earlier piece of work may have ended anywhere, even between commit and flip.
    pub(crate) fn recover(&mut self, leftovers: bool) -> Result<()> {
        (self.commits, self.servings) = serving::recover(&self.store, leftovers)?;
        let serves = self.servings.iter().find(|serving| serving.handed_back.is_none());
        self.promoted = serves.map(|serving| serving.promoted(&self.store));
        self.spares = Spares::recover(&self.store)?;
        let newest = self.commits.last().map(|commit| commit.content_id);
        self.newest = self.newest.take().filter(|manifest| Some(manifest.content_id()) == newest);
        self.settled = true;
        Ok(())
    }

    /// The manifest of the newest commit. It is read once and then kept in memory.
    pub(crate) fn held(&mut self) -> Result<Manifest> {
        if let Some(manifest) = &self.newest {
            return Ok(manifest.clone());
        }
        let manifest = self.store.manifest(self.newest()?)?;
        self.newest = Some(manifest.clone());
        Ok(manifest)
    }

    /// Kind, as opened.
    pub fn kind(&self) -> SourceKind {
        self.kind
    }

    /// Where the store is.
    pub fn store_path(&self) -> &Path {
        &self.store.root
    }

    /// The path that always leads to what readers see, the newest generation or the copy that serves: a directory, or
    /// for SQLite the database.
    pub fn visible_path(&self) -> PathBuf {
        target::text(&self.store, self.kind)
    }

    /// Sets where readers find the replica: a symlink of ours. Whatever is there and is not our link or an empty
    /// directory is refused with [`ErrorKind::TargetOccupied`] and nothing changes. An earlier link is removed.
    pub fn set_target(&mut self, target: Option<&Path>) -> Result<()> {
        let new = match target {
            Some(path) => Some(std::path::absolute(path).map_err(|e| Error::io("cannot use this target", path, e))?),
            None => None,
        };
        let old = target::recorded(&self.store);
        if let Some(path) = &new {
            target::claim(&self.store, self.kind, path)?;
        }
        target::record(&self.store, new.as_deref())?;
        match old {
            Some(old) if Some(&old) != new.as_ref() => target::release(&self.store, self.kind, &old),
            _ => Ok(()),
        }
    }

    /// Where readers find the replica.
    pub fn target(&self) -> Option<PathBuf> {
        target::recorded(&self.store)
    }

    /// What is at the target now.
    pub fn target_state(&self) -> TargetState {
        target::state(&self.store, self.kind)
    }

    /// The newest committed generation.
    pub fn committed(&self) -> Option<&Commit> {
        self.commits.last()
    }

    /// The manifest of the newest committed generation.
    pub fn manifest(&self) -> Result<Manifest> {
        self.store.manifest(self.newest()?)
    }

    /// Bytes free for us on the store's file system.
    pub fn free_bytes(&self) -> u64 {
        self.store.free_bytes()
    }

    /// Brings the replica to what the source offers on the stream. After an error the stream is of no more use: close
    /// it. What had arrived is kept and is not sent again. Refused with [`ErrorKind::Serving`] while a copy serves.
    pub fn pull<S: Read + Write>(
        &mut self,
        stream: &mut S,
        options: &PullOptions<'_>,
        watch: &dyn Watch,
    ) -> Result<Pulled> {
        self.be_settled()?;
        self.refuse_while_serving("nothing is copied from the source while this machine serves")?;
        self.settled = false;
        let damage = if options.heal && self.committed().is_some() { self.damage(watch)? } else { Vec::new() };
        if !damage.is_empty() {
            let found: Vec<Difference> = damage.iter().map(|(_, difference)| difference.clone()).collect();
            watch.damaged(&found);
        }
        let held = if self.commits.is_empty() { Ok(None) } else { self.held().map(Some) };
        let held = held.unwrap_or_else(|error| {
            tracing::warn!(error = error.chain(), "nothing of the last generation can be reused");
            None
        });
        let last = self.commits.last().cloned();
        let (store, kind, last, spares) = (&self.store, self.kind, last.as_ref(), &mut self.spares);
        let etc = self.etc.as_path();
        let ran = Pull { store, kind, last, held, spares, etc, damage, options, watch }.run(stream);
        if ran.as_ref().is_err_and(|error| error.kind() == ErrorKind::DiskFull) {
            self.make_room();
        }
        let (pulled, manifest) = ran?;
        if let Some(manifest) = manifest {
            self.newest = Some(manifest);
        }
        self.settled = true;
        match self.commits.last_mut() {
            Some(last) if last.generation == pulled.commit.generation => *last = pulled.commit.clone(),
            _ => self.commits.push(pulled.commit.clone()),
        }
        Ok(pulled)
    }

    /// What the next pull will ask the source, in bytes: whoever lets the source have it ahead
    /// ([`Capture::serve_asked`](crate::Capture::serve_asked)) and says so ([`PullOptions::asked`]) saves a round trip.
    pub fn request(&mut self) -> Result<Vec<u8>> {
        self.be_settled()?;
        let held = if self.commits.is_empty() { None } else { self.held().ok() };
        let (last, store) = (self.commits.last(), &self.store);
        let have = last.map(Commit::offered_id);
        let have = if owners::stand(last, store, &self.etc)? { have } else { None };
        let theirs = owners::as_told(last, held.as_ref(), store)?;
        Ok(offer::request(have, theirs.as_ref()))
    }

    /// How the newest generation differs from a manifest fresh from the source.
    pub fn compare(&self, source: &Manifest, watch: &dyn Watch) -> Result<Vec<Difference>> {
        let source = here(self.newest()?.owners.as_ref(), source)?;
        let found = compare(&source, &self.manifest()?, watch)?;
        Ok(found.into_iter().map(|(_, difference)| difference).collect())
    }

    /// Re-reads and re-hashes the newest generation on disk against its manifest.
    pub fn verify(&self, watch: &dyn Watch) -> Result<Vec<Difference>> {
        let commit = self.newest()?;
        self.verify_generation(commit.generation, watch)
    }

    /// Re-reads and re-hashes one restore point on disk against its manifest.
    pub fn verify_generation(&self, generation: u64, watch: &dyn Watch) -> Result<Vec<Difference>> {
        let found = self.inspect(generation, watch)?;
        Ok(found.into_iter().map(|(_, difference)| difference).collect())
    }

    fn inspect(&self, generation: u64, watch: &dyn Watch) -> Result<Vec<Found>> {
        let commit = self.restore_point(generation)?;
        let manifest = self.store.manifest(commit)?;
        let tree = self.store.tree(generation);
        if self.kind == SourceKind::Files {
            return inspect(&manifest, &tree, &[], watch);
        }
        let mut found = inspect(&manifest, &tree, BESIDE_A_DATABASE, watch)?;
        // Making and removing those files stamps the directory.
        found.retain(|(path, difference)| !(path.is_root() && difference.what == DifferenceKind::ModifiedTime));
        Ok(found)
    }

    /// What a healing pull has to put right. Without a readable manifest that is everything.
    fn damage(&self, watch: &dyn Watch) -> Result<Vec<Found>> {
        let generation = self.newest()?.generation;
        match self.inspect(generation, watch) {
            Err(error) if error.kind() == ErrorKind::StoreDamaged => {
                let difference =
                    Difference { path: String::new(), what: DifferenceKind::Missing, detail: error.chain() };
                Ok(vec![(crate::path::TreePath::root(), difference)])
            }
            found => found,
        }
    }

    pub(crate) fn newest(&self) -> Result<&Commit> {
        self.committed().ok_or_else(|| Error::new(ErrorKind::NothingCommitted, "nothing has been replicated yet"))
    }

    pub(crate) fn restore_point(&self, generation: u64) -> Result<&Commit> {
        let commit = self.commits.iter().find(|commit| commit.generation == generation);
        commit.ok_or_else(|| Error::new(ErrorKind::NothingCommitted, "there is no such restore point"))
    }

    /// Every generation kept, oldest first.
    pub fn restore_points(&self) -> Result<Vec<RestorePoint>> {
        let point = |commit: &Commit| RestorePoint {
            generation: commit.generation,
            content_id: commit.content_id,
            offered_id: commit.offered_id(),
            captured_at: commit.captured_at,
            committed_at: commit.committed_at,
            files: commit.files,
            bytes: commit.bytes,
            tree: self.store.tree(commit.generation),
        };
        Ok(self.commits.iter().map(point).collect())
    }

    /// Removes the target link and keeps the data. Refused with [`ErrorKind::Serving`] while a copy serves: its readers
    /// come through that link.
    pub fn detach(mut self) -> Result<()> {
        self.refuse_while_serving("the target stays while this machine serves")?;
        self.set_target(None)
    }

    /// Removes the target link and the whole store, DR restore points included. Refused with [`ErrorKind::Serving`]
    /// while a copy serves.
    pub fn destroy(mut self) -> Result<()> {
        self.refuse_while_serving("the replica stays while this machine serves")?;
        self.set_target(None)?;
        let root = self.store.root.clone();
        remove_tree(&root)
    }
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Replica({:?}, {:?})", self.kind, self.commits.last())
    }
}
