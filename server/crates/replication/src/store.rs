//! Where a replica lives on disk, and what of it counts. A generation exists once its directory has its final name and
//! its record is whole, and so does a writable copy; `current` is only a pointer to one of them. It refuses to guess: a
//! record that does not match its checksum is set aside, never read.
//!
//! ```text
//! lock                                  held while a Replica is open
//! target                                the path of the link we own elsewhere (raw bytes)
//! current -> generations/<G>/tree       what readers follow; serving/<RUN>/tree while that copy serves, and after its
//!                                       hand-back until the next pull has ended
//! generations/<G>/{tree,record}         and the source's own manifest where owners cannot be told from ours
//! accounts                              those of the source, where owners go by name
//! generations/<G>.building              not committed: dropped on open
//! generations/<G>.{pruned,replaced}     on their way out: dropped on open
//! generations/<G>.damaged               set aside for a human
//! serving/<RUN>/{tree,manifest,baseline,record}  a writable copy: serves, or was handed back
//! serving/<RUN>.{building,pruned,damaged}        as with generations
//! manifests/                            what the generations and spares hold: see `manifests`
//! spares/                               trees to make the next generation of: see `spare`
//! staged/<hash>, staged/<hash>.part     content that arrived but is not committed
//! ```

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::FlockOperation;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::manifest::{ContentId, Manifest};
use crate::manifests::{Holds, Manifests};
use crate::owners::Owners;
use crate::stage::{NURSERY, Stage};

/// A committed generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Given by the source.
    pub generation: u64,
    /// Of the whole tree.
    pub content_id: ContentId,
    /// When the source captured it, by the source's clock.
    pub captured_at: Timestamp,
    /// Names of regular files.
    pub files: u64,
    /// Bytes of content.
    pub bytes: u64,
    /// When it was committed here, by our clock.
    pub committed_at: Timestamp,
    /// What the source offered, where more than that is kept here; else the same as `content_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered: Option<ContentId>,
    /// Names that the source has no more stay here when they were last written before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_before: Option<Timestamp>,
    /// The first generation that was ever committed here: nothing is known of what the source had before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// Who owns what by name, where the source tells it: the tree here has the numbers of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owners: Option<Owners>,
}

impl Commit {
    pub(crate) fn holds(&self) -> Holds {
        Holds { generation: self.generation, content_id: self.content_id }
    }

    /// The content of the source that this commit answers to.
    pub fn offered_id(&self) -> ContentId {
        self.offered.unwrap_or(self.content_id)
    }
}

#[derive(Serialize, Deserialize)]
struct Record<T> {
    format: u32,
    #[serde(flatten)]
    content: T,
}

const FORMAT: u32 = 1;

/// How often the lock is tried, a quarter of a second in all.
const LOCK_TRIES: u32 = 50;
const BETWEEN_LOCK_TRIES: rustix::thread::Timespec = rustix::thread::Timespec { tv_sec: 0, tv_nsec: 5_000_000 };

/// The paths of one store, locked.
pub(crate) struct Store {
    pub(crate) root: PathBuf,
    pub(crate) manifests: Manifests,
    _lock: File,
}

/// Room on a file system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Free {
    pub(crate) bytes: u64,
    /// `None`: it does not count them.
    pub(crate) inodes: Option<u64>,
}

pub(crate) const BUILDING: &str = "building";
pub(crate) const REPLACED: &str = "replaced";
pub(crate) const PRUNED: &str = "pruned";
pub(crate) const DAMAGED: &str = "damaged";
pub(crate) const REHEARSAL: &str = "rehearsal";

impl Store {
    /// Creates what is missing and takes the lock.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        let trouble = |e: io::Error| Error::io("cannot open the store of the replica", root, e);
        // Readers of other users pass through here; what is in the stage is nobody else's.
        let mut dirs = fs::DirBuilder::new();
        dirs.recursive(true).mode(0o755);
        dirs.create(root.join("generations")).map_err(trouble)?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(root.join("staged")).map_err(trouble)?;
        dirs.create(root.join("spares")).map_err(trouble)?;
        let root = fs::canonicalize(root).map_err(trouble)?;
        let lock = File::create(root.join("lock")).map_err(trouble)?;
        let mut tries = 0;
        loop {
            match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { manifests: Manifests::open(&root)?, root, _lock: lock }),
                // A process that is just being started holds a copy of our own earlier lock until it runs its program.
                Err(rustix::io::Errno::WOULDBLOCK) if tries < LOCK_TRIES => {
                    tries += 1;
                    let _ = rustix::thread::nanosleep(&BETWEEN_LOCK_TRIES);
                }
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    return Err(Error::new(ErrorKind::StoreBusy, "another process has this store open").at(root));
                }
                Err(e) => return Err(trouble(e.into())),
            }
        }
    }

    pub(crate) fn generations(&self) -> PathBuf {
        self.root.join("generations")
    }

    pub(crate) fn staged(&self) -> PathBuf {
        self.root.join("staged")
    }

    pub(crate) fn current(&self) -> PathBuf {
        self.root.join("current")
    }

    pub(crate) fn generation(&self, generation: u64) -> PathBuf {
        self.generations().join(generation.to_string())
    }

    pub(crate) fn aside(&self, generation: u64, why: &str) -> PathBuf {
        self.generations().join(format!("{generation}.{why}"))
    }

    pub(crate) fn spares(&self) -> PathBuf {
        self.root.join("spares")
    }

    pub(crate) fn servings(&self) -> PathBuf {
        self.root.join("serving")
    }

    pub(crate) fn serving(&self, run: &str) -> PathBuf {
        self.servings().join(run)
    }

    pub(crate) fn serving_aside(&self, run: &str, why: &str) -> PathBuf {
        self.servings().join(format!("{run}.{why}"))
    }

    pub(crate) fn tree(&self, generation: u64) -> PathBuf {
        self.generation(generation).join("tree")
    }

    /// The manifest of a committed generation, checked against its commit.
    pub(crate) fn manifest(&self, commit: &Commit) -> Result<Manifest> {
        self.manifests.read(commit.holds())
    }

    /// Drops what was not committed and lists what was, oldest first. `leftovers`: also drop what is on its way out.
    pub(crate) fn recover(&self, leftovers: bool) -> Result<Vec<Commit>> {
        let generations = self.generations();
        let trouble = |e: io::Error| Error::io("cannot read the store of the replica", &generations, e);
        let (mut commits, mut begun, mut others) = (Vec::new(), Vec::new(), 0_usize);
        for item in fs::read_dir(&generations).map_err(trouble)? {
            let path = item.map_err(trouble)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match name.split_once('.') {
                Some((_, BUILDING)) => {
                    begun.push(path);
                    continue;
                }
                Some((_, PRUNED | REPLACED)) if leftovers => remove_tree(&path)?,
                Some(_) => {}
                None => match name.parse::<u64>().ok().map(|generation| (generation, read_record::<Commit>(&path))) {
                    Some((generation, Ok(commit))) if commit.generation == generation => commits.push(commit),
                    Some((generation, _)) => {
                        let aside = self.aside(generation, DAMAGED);
                        tracing::warn!(path = %path.display(), "a generation has no valid record and is set aside");
                        fs::rename(&path, aside).map_err(trouble)?;
                    }
                    None => {}
                },
            }
            others += 1;
        }
        for path in begun {
            // A first copy is not in the stage but in the tree that was made of it.
            let (tree, nursery) = (path.join("tree"), self.staged().join(NURSERY));
            if others == 0
                && tree.is_dir()
                && !nursery.exists()
                && let Err(error) = fs::rename(&tree, &nursery)
            {
                // It costs the way of that content once more, not the replica.
                tracing::debug!(%error, "what was left of a first copy cannot be kept");
            }
            remove_tree(&path)?;
        }
        // Lets go of staged content that a committed tree owns by now: it would keep its space after a prune.
        Stage::open(self.staged())?;
        commits.sort_by_key(|commit| commit.generation);
        Ok(commits)
    }

    /// Makes readers see this generation. What is committed is shown again after a power cut, so nobody waits until the
    /// link is durable.
    pub(crate) fn flip(&self, generation: u64) -> Result<()> {
        self.show(Path::new(&format!("generations/{generation}/tree"))).map(|_| ())
    }

    /// Makes readers see this tree of ours, durably.
    pub(crate) fn flip_to(&self, tree: &Path) -> Result<()> {
        if self.show(tree)? { sync_dir(&self.root) } else { Ok(()) }
    }

    fn show(&self, tree: &Path) -> Result<bool> {
        if self.shows(tree) {
            return Ok(false);
        }
        replace_link(tree, &self.current(), &self.root.join("current.new")).map(|()| true)
    }

    /// Whether readers see this tree of ours.
    pub(crate) fn shows(&self, tree: &Path) -> bool {
        fs::read_link(self.current()).is_ok_and(|now| now == tree)
    }

    /// Bytes free for us.
    pub(crate) fn free_bytes(&self) -> u64 {
        free_bytes_near(&self.root)
    }

    /// What is free for us; nothing if that cannot be learned.
    pub(crate) fn free(&self) -> Free {
        let Ok(found) = rustix::fs::statvfs(&self.root) else { return Free { bytes: 0, inodes: Some(0) } };
        let bytes = found.f_bavail.saturating_mul(found.f_frsize);
        Free { bytes, inodes: (found.f_files > 0).then_some(found.f_favail) }
    }
}

/// The manifest kept in a directory, checked against the id it must have.
pub(crate) fn read_manifest(dir: &Path, id: ContentId) -> Result<Manifest> {
    let path = dir.join("manifest");
    let damaged = || Error::new(ErrorKind::StoreDamaged, "the manifest of a generation is damaged").at(&path);
    let bytes = fs::read(&path).map_err(|e| damaged().with(e))?;
    let manifest = Manifest::decode(&bytes, u64::MAX).map_err(|e| damaged().with(e))?;
    if manifest.content_id() == id { Ok(manifest) } else { Err(damaged()) }
}

/// Writes the record into a directory, with its checksum, durably.
pub(crate) fn write_record(dir: &Path, content: &impl Serialize) -> Result<()> {
    let path = dir.join("record");
    write_durably(&path, record_text(&path, content)?.as_bytes())?;
    sync_dir(dir)
}

/// Writes the record into a directory; the caller makes it durable.
pub(crate) fn put_record(dir: &Path, content: &impl Serialize) -> Result<()> {
    let path = dir.join("record");
    let text = record_text(&path, content)?;
    fs::write(&path, text).map_err(|e| Error::io("cannot write a record", &path, e))
}

fn record_text(path: &Path, content: &impl Serialize) -> Result<String> {
    let json = serde_json::to_string(&Record { format: FORMAT, content });
    let json = json.map_err(|e| Error::io("cannot write a record", path, io::Error::from(e)))?;
    Ok(format!("{json}\n{}\n", blake3::hash(json.as_bytes()).to_hex()))
}

/// Reads the record of a directory; what does not match its checksum is damaged.
pub(crate) fn read_record<T: DeserializeOwned>(dir: &Path) -> Result<T> {
    let path = dir.join("record");
    let damaged = || Error::new(ErrorKind::StoreDamaged, "a record is damaged").at(&path);
    let text = fs::read_to_string(&path).map_err(|e| damaged().with(e))?;
    let (json, sum) = text.trim_end().rsplit_once('\n').ok_or_else(damaged)?;
    if blake3::hash(json.as_bytes()).to_hex().as_str() != sum {
        return Err(damaged());
    }
    let record: Record<T> = serde_json::from_str(json).map_err(|e| damaged().with(e))?;
    if record.format == FORMAT { Ok(record.content) } else { Err(damaged()) }
}

/// Replaces (or makes) a symlink in one step.
pub(crate) fn replace_link(to: &Path, link: &Path, by_way_of: &Path) -> Result<()> {
    let trouble = |e: io::Error| Error::io("cannot replace a link", link, e);
    match fs::remove_file(by_way_of) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(trouble(e)),
        _ => {}
    }
    std::os::unix::fs::symlink(to, by_way_of).map_err(trouble)?;
    fs::rename(by_way_of, link).map_err(trouble)
}

/// Writes a file whole or not at all, durably.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> Result<()> {
    let new = path.with_extension("new");
    let trouble = |e: io::Error| Error::io("cannot write to the store of the replica", path, e);
    let mut file = File::create(&new).map_err(trouble)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(trouble)?;
    fs::rename(&new, path).map_err(trouble)
}

/// Makes everything on the file system of `dir` durable: cheaper than one call for each file, directories included.
pub(crate) fn sync_file_system(dir: &Path) -> Result<()> {
    let synced = File::open(dir).and_then(|open| Ok(rustix::fs::syncfs(&open)?));
    synced.map_err(|e| Error::io("cannot make a tree durable", dir, e))
}

pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|e| Error::io("cannot make a directory durable", dir, e))
}

/// Removes a tree, also one with directories that may not be written to.
pub(crate) fn remove_tree(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path);
            fs::remove_dir_all(path).map_err(|e| Error::io("cannot remove an old tree", path, e))
        }
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io("cannot remove an old tree", path, e)),
        _ => Ok(()),
    }
}

/// Gives the owner all rights on the directories of a tree that is to be removed. Trouble shows at the removal.
fn open_up(dir: &Path) {
    if !fs::symlink_metadata(dir).is_ok_and(|meta| meta.is_dir()) {
        return;
    }
    let _ = fs::set_permissions(dir, fs::Permissions::from_mode(0o700));
    for item in fs::read_dir(dir).into_iter().flatten().flatten() {
        open_up(&item.path());
    }
}

/// Bytes free for us on the file system of the nearest ancestor that exists; 0 if nothing can be learned.
pub(crate) fn free_bytes_near(path: &Path) -> u64 {
    path.ancestors()
        .find_map(|path| rustix::fs::statvfs(if path.as_os_str().is_empty() { Path::new(".") } else { path }).ok())
        .map_or(0, |found| found.f_bavail.saturating_mul(found.f_frsize))
}
