//! The side that has the data: capture it now, as a manifest whose content can be served.
//! It refuses to write anything into the source, and to take a missing root for an empty one.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::accounts::Accounts;
use crate::beneath::{Beneath, mtime_of};
use crate::blocks::{Lister, SharedLists, is_listed};
use crate::capture::{Capture, Content};
use crate::database::{DatabaseKey, LastCopy};
use crate::error::{Error, ErrorKind, Result};
use crate::excludes::Excludes;
use crate::hearing::Hearing;
use crate::listener::{Listener, Scope};
use crate::manifest::{Entry, EntryKind, FileTime, Manifest};
use crate::offered::Offered;
use crate::path::{TreePath, escape};
use crate::reading::{Digest, Scratch, digest};
use crate::scan::{HashCache, Inode, Stop, Walk, entry, identity, stat_of};
use crate::sqlite;
use crate::touched::Touched;
use crate::tree_source::LastRead;
use crate::watch::{Phase, Point, Tally, Watch, pass};
use crate::way_home::WayHome;
use crate::xattr::{self, Xattrs};

/// The one name in the tree of a SQLite source, whatever the database is called: the target link needs it beforehand.
pub const DATABASE_NAME: &str = "database";

/// What a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A directory and all below it.
    Files,
    /// One live SQLite database.
    Sqlite,
}

/// What to capture.
#[derive(Debug, Clone)]
pub struct SourceSpec {
    /// Kind.
    pub kind: SourceKind,
    /// Root directory, or the database file.
    pub path: PathBuf,
    /// Globs relative to the root. Without a slash: a name at any depth; with one: a path from the root;
    /// with a slash at the end: directories only. Ignored for SQLite.
    pub excludes: Vec<String>,
    /// Never captured, whatever the excludes say (the product's own data).
    pub forbidden: Vec<PathBuf>,
}

/// How large a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measure {
    /// Regular files.
    pub files: u64,
    /// Bytes of content.
    pub bytes: u64,
}

/// One declared source. Keeps hashes in memory between captures; losing it costs time only.
pub struct Source {
    pub(crate) spec: SourceSpec,
    excludes: Excludes,
    pub(crate) scratch: PathBuf,
    pub(crate) cache: HashCache,
    /// A tree as it was last read.
    pub(crate) last_read: Option<LastRead>,
    /// Blocks of the large files it has or had.
    pub(crate) lists: SharedLists,
    /// What was offered last.
    pub(crate) offered: Arc<Offered>,
    /// Where the accounts of this machine are, if owners go by name.
    etc: Option<PathBuf>,
    /// The numbers of owners are told as those of another machine.
    way_home: Option<Arc<WayHome>>,
    /// SQLite: the last copy, as long as nothing was written since.
    last_copy: Option<LastCopy>,
}

/// Mount points seen at the last capture, so that a volume that is not mounted is not taken for an empty one.
pub(crate) const MOUNTS: &str = "mounts.json";
/// Modification time given to the last copy of the database, with its hash.
const STAMP: &str = "stamp.json";

#[derive(Serialize, Deserialize)]
struct Stamp {
    hash: String,
    seconds: i64,
    nanoseconds: u32,
}

impl Source {
    /// A source with a scratch directory of its own (created, cleaned of old copies; a few small notes stay in it).
    pub fn new(spec: SourceSpec, scratch: PathBuf) -> Result<Self> {
        let excludes = Excludes::new(&spec.excludes)?;
        let trouble = |e: io::Error| Error::io("cannot prepare the scratch directory", &scratch, e);
        fs::create_dir_all(&scratch).map_err(trouble)?;
        for item in fs::read_dir(&scratch).map_err(trouble)? {
            let item = item.map_err(trouble)?;
            if item.file_name() != MOUNTS && item.file_name() != STAMP {
                fs::remove_file(item.path()).map_err(trouble)?;
            }
        }
        Ok(Self {
            spec,
            excludes,
            scratch,
            cache: HashCache::default(),
            last_read: None,
            lists: SharedLists::default(),
            offered: Arc::default(),
            etc: None,
            way_home: None,
            last_copy: None,
        })
    }

    /// From now on tells who the owners are by name, as `passwd` and `group` in `etc` have them.
    pub fn name_owners(&mut self, etc: PathBuf) {
        self.etc = Some(etc);
    }

    /// From now on tells the numbers that the owners have where the tree came from.
    pub fn number_owners_as_at_home(&mut self, way: WayHome) {
        self.way_home = Some(Arc::new(way));
    }

    /// Puts the words about owners into a capture.
    fn with_owners(&self, capture: Capture) -> Result<Capture> {
        let accounts = self.etc.as_deref().map(Accounts::read).transpose()?;
        let manifest = match &self.way_home {
            Some(way) => way.there(&capture.manifest)?,
            None => capture.manifest,
        };
        Ok(Capture { manifest, accounts, way_home: self.way_home.clone(), ..capture })
    }

    /// The declaration.
    pub fn spec(&self) -> &SourceSpec {
        &self.spec
    }

    /// Captures the source as it is. `now` is recorded as the time of the capture; `rehash` reads everything again
    /// instead of trusting size, times and inode.
    pub fn capture(&mut self, now: Timestamp, rehash: bool, watch: &dyn Watch) -> Result<Capture> {
        let capture = match self.spec.kind {
            SourceKind::Files => self.capture_whole(now, rehash, watch)?,
            SourceKind::Sqlite => self.capture_database(now, rehash, watch)?,
        };
        pass(watch, Point::Captured)?;
        self.with_owners(capture)
    }

    /// Captures the source as it is, where nothing but `touched` has changed since the last capture: of a tree only
    /// these names are looked at. Where that is not sure (there is no last capture, or it failed; the root or a mount
    /// is another one) all of it is walked, as by [`Source::capture`].
    pub fn capture_touched(&mut self, now: Timestamp, touched: &Touched, watch: &dyn Watch) -> Result<Capture> {
        let capture = match self.spec.kind {
            SourceKind::Files => self.capture_part(now, touched, watch)?,
            SourceKind::Sqlite => self.capture_database(now, false, watch)?,
        };
        pass(watch, Point::Captured)?;
        self.with_owners(capture)
    }

    /// Begins to listen for changes. The [`Listener`] runs on a thread of the caller's; what the [`Hearing`] gives is for
    /// [`Source::capture_touched`].
    pub fn listen(&self) -> Result<(Listener, Hearing)> {
        let root = fs::canonicalize(&self.spec.path).map_err(|e| sqlite::missing_or_unreadable(&self.spec.path, e))?;
        let mark = self.scratch.join("mark");
        match (self.spec.kind, root.parent(), root.file_name()) {
            (SourceKind::Sqlite, Some(parent), Some(name)) => {
                Listener::begin(parent, &mark, Scope::Database(name.as_bytes().to_vec()))
            }
            _ => {
                let (excludes, forbidden) = (Excludes::new(&self.spec.excludes)?, self.forbidden()?);
                Listener::begin(&root, &mark, Scope::Tree { excludes, forbidden })
            }
        }
    }

    /// Counts files and bytes without reading content.
    pub fn measure(&self, watch: &dyn Watch) -> Result<Measure> {
        if self.spec.kind == SourceKind::Sqlite {
            let stat = fs::metadata(&self.spec.path).map_err(|e| sqlite::missing_or_unreadable(&self.spec.path, e))?;
            return Ok(Measure { files: 1, bytes: stat.len() });
        }
        let root = self.open_root()?;
        let mut walk = self.walk(FileTime::default(), watch)?;
        walk.hash = false;
        let found = walk.run(root.root())?;
        let manifest = Manifest::normalised(found.entries).map_err(|e| self.inconsistent(e))?;
        Ok(Measure { files: manifest.files(), bytes: manifest.bytes() })
    }

    /// Accepts that volumes which were mounted at the last capture are gone for good.
    pub fn forget_mounts(&mut self) -> Result<()> {
        let path = self.scratch.join(MOUNTS);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io("cannot forget mount points", path, e)),
            _ => Ok(()),
        }
    }

    pub(crate) fn open_root(&self) -> Result<Beneath> {
        Beneath::open(&self.spec.path).map_err(|e| sqlite::missing_or_unreadable(&self.spec.path, e))
    }

    pub(crate) fn walk<'a>(&'a self, stamped_until: FileTime, watch: &'a dyn Watch) -> Result<Walk<'a>> {
        let tally = Tally::new(watch, Phase::Scanning, None)?;
        let mut walk = Walk::new(&self.spec.path, &self.excludes, &self.cache, stamped_until, tally);
        walk.lists = Some(&self.lists);
        walk.forbidden = self.forbidden()?;
        Ok(walk)
    }

    /// Identities of what must never be captured; a root inside of it is refused here.
    fn forbidden(&self) -> Result<HashSet<Inode>> {
        let root = fs::canonicalize(&self.spec.path).map_err(|e| sqlite::missing_or_unreadable(&self.spec.path, e))?;
        let mut identities = HashSet::new();
        for path in &self.spec.forbidden {
            // What does not exist cannot be captured.
            let Ok(path) = fs::canonicalize(path) else { continue };
            if root.starts_with(&path) {
                let error = Error::new(ErrorKind::SourceForbidden, "this directory is never replicated");
                return Err(error.at(&self.spec.path));
            }
            let stat = rustix::fs::stat(&path).map_err(|e| Error::unreadable(&path, e))?;
            identities.insert(identity(&stat));
        }
        Ok(identities)
    }

    /// The time up to which the file system has stamped, never later than it and never later than `now`: a wrong clock
    /// of the caller only costs hashing.
    pub(crate) fn stamp_clock(&self, now: Timestamp) -> Result<FileTime> {
        let path = self.scratch.join("clock");
        let trouble = |e: io::Error| Error::io("cannot write to the scratch directory", &path, e);
        let _ = fs::remove_file(&path);
        let file = File::create(&path).map_err(trouble)?;
        let stamped = mtime_of(&stat_of(&file).map_err(trouble)?);
        let _ = fs::remove_file(&path);
        Ok(stamped.min(FileTime { seconds: now.as_second(), nanoseconds: 0 }))
    }

    pub(crate) fn inconsistent(&self, fault: crate::manifest::ManifestFault) -> Error {
        Error::new(ErrorKind::SourceUnreadable, "the source changed while it was read").at(&self.spec.path).with(fault)
    }

    fn capture_database(&mut self, now: Timestamp, rehash: bool, watch: &dyn Watch) -> Result<Capture> {
        let path = &self.spec.path;
        self.forbidden()?;
        let mut tally = Tally::new(watch, Phase::Scanning, None)?;
        let stat = rustix::fs::stat(path).map_err(|e| sqlite::missing_or_unreadable(path, e.into()))?;
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let parent = rustix::fs::stat(parent).map_err(|e| Error::unreadable(parent, e))?;
        // Both before the copy is made: what is written from here on makes another key.
        let stamped_until = self.stamp_clock(now)?;
        let key = DatabaseKey::of(path).map_err(|e| sqlite::missing_or_unreadable(path, e))?;
        let last = self.last_copy.take().filter(|last| !rehash && last.is_of(&key));
        let hashed_bytes;
        let (file, hash, bytes) = match last {
            Some(last) => {
                hashed_bytes = 0;
                let copy = (Arc::clone(&last.file), last.hash, last.bytes);
                self.last_copy = Some(last);
                copy
            }
            None => {
                let (file, read) = self.copy_database(&mut tally)?;
                hashed_bytes = read.read;
                self.last_copy = LastCopy::keep(key, stamped_until, &file, read.hash, read.bytes);
                (file, read.hash, read.bytes)
            }
        };
        tally.file()?;
        tally.finish()?;
        let mtime = self.stamp(&hash.to_string(), mtime_of(&stat))?;
        let name = TreePath::parse(DATABASE_NAME.as_bytes()).map_err(|e| self.inconsistent_name(e))?;
        let entries = vec![
            Entry { mtime, ..entry(TreePath::root(), EntryKind::Dir, &parent, Xattrs::default()) },
            Entry {
                mtime,
                ..entry(name, EntryKind::File { size: bytes, hash, group: 0 }, &stat, self.database_xattrs()?)
            },
        ];
        let manifest = Manifest::new(entries).map_err(|e| self.inconsistent(e))?;
        Ok(Capture {
            manifest,
            captured_at: now,
            skipped: Vec::new(),
            skipped_in_all: 0,
            warnings: Vec::new(),
            hashed_bytes,
            source: self.spec.path.clone(),
            content: Content::Copy { file },
            lists: Arc::clone(&self.lists),
            offered: Arc::clone(&self.offered),
            accounts: None,
            way_home: None,
        })
    }

    /// One consistent copy of the database, unlinked, and its hash.
    fn copy_database(&self, tally: &mut Tally<'_>) -> Result<(Arc<File>, Digest)> {
        let copy = self.scratch.join("copy");
        let trouble = |e: io::Error| Error::io("cannot use the scratch copy of the database", &copy, e);
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let _ = fs::remove_file(self.scratch.join(format!("copy{suffix}")));
        }
        sqlite::backup(&self.spec.path, &copy)?;
        let mut file = File::open(&copy).map_err(trouble)?;
        // From here on the copy lives as long as it is held, whatever happens to this process.
        fs::remove_file(&copy).map_err(trouble)?;
        let size = file.metadata().map_err(trouble)?.len();
        let mut lister = is_listed(size).then(|| Lister::new(size));
        let read = digest::<Stop>(&mut file, size, &mut Scratch::default(), |piece| {
            if let Some(lister) = &mut lister {
                lister.take(piece);
            }
            Ok(tally.bytes(piece.len())?)
        });
        let read = read.map_err(|stop| stop.or_unreadable(&self.spec.path))?;
        if let Some(list) = lister.and_then(Lister::finish) {
            self.lists.lock().unwrap_or_else(PoisonError::into_inner).keep(read.hash, list);
        }
        Ok((Arc::new(file), read))
    }

    /// The attributes of the database itself; those of the directory it lies in are no part of it.
    fn database_xattrs(&self) -> Result<Xattrs> {
        let unreadable = |e: io::Error| Error::unreadable(&self.spec.path, e);
        let real = fs::canonicalize(&self.spec.path).map_err(unreadable)?;
        let (Some(parent), Some(name)) = (real.parent(), real.file_name()) else { return Ok(Xattrs::default()) };
        let tree = Beneath::open(parent).map_err(unreadable)?;
        xattr::read(tree.root(), name.as_bytes()).map_err(unreadable)
    }

    fn inconsistent_name(&self, fault: crate::path::PathFault) -> Error {
        Error::new(ErrorKind::SourceUnreadable, "cannot name the database").at(&self.spec.path).with(fault)
    }

    /// The modification time for a copy with this hash: the one it had last time, else that of the file. A checkpoint
    /// touches the file without a write to the database, and must not make a new generation.
    fn stamp(&self, hash: &str, mtime: FileTime) -> Result<FileTime> {
        let note = self.scratch.join(STAMP);
        let known: Option<Stamp> = fs::read(&note).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        match known {
            Some(known) if known.hash == hash && known.nanoseconds < 1_000_000_000 => {
                Ok(FileTime { seconds: known.seconds, nanoseconds: known.nanoseconds })
            }
            _ => {
                let new = Stamp { hash: hash.into(), seconds: mtime.seconds, nanoseconds: mtime.nanoseconds };
                write_note(&note, &new)?;
                Ok(mtime)
            }
        }
    }
}

/// Refuses when `path` no longer means the directory with this identity.
pub(crate) fn still_there(path: &Path, known: Inode) -> Result<()> {
    let stat = rustix::fs::stat(path).map_err(|e| sqlite::missing_or_unreadable(path, e.into()))?;
    if identity(&stat) == known {
        Ok(())
    } else {
        let error = Error::new(ErrorKind::SourceMissing, "the source was replaced or unmounted while it was read");
        Err(error.at(path))
    }
}

/// Writes a small note whole or not at all.
pub(crate) fn write_note(path: &Path, note: &impl Serialize) -> Result<()> {
    let new = path.with_extension("new");
    let trouble = |e: io::Error| Error::io("cannot write a note about the source", path, e);
    let bytes = serde_json::to_vec(note).map_err(|e| trouble(e.into()))?;
    fs::write(&new, bytes).map_err(trouble)?;
    fs::rename(&new, path).map_err(trouble)
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({:?}, {})", self.spec.kind, escape(self.spec.path.as_os_str().as_encoded_bytes()))
    }
}
