//! Content that has arrived and is not committed yet, by its hash. It refuses to vouch for anything it has not hashed
//! itself since it was opened, so that a crash at any byte costs at most that object.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, openat, renameat, unlinkat};

use crate::beneath::{Beneath, FileKey, kind_of};
use crate::error::{Error, Result};
use crate::fingerprint::Fingerprint;
use crate::manifest::{ContentHash, Entry, EntryKind, Manifest};
use crate::reading::{Scratch, digest, pieces};
use crate::scan::Stop;
use crate::sparse::SparseFile;
use crate::store::remove_tree;
use crate::tree::Fresh;

/// Says of a content that it is not what its manifest says.
const ROTTEN: &str = "rotten";
/// Says that it is older content that is being written to.
const PATCH: &str = "patch";
/// A tree that is made while its content comes: see [`crate::nursery`].
pub(crate) const NURSERY: &str = "nursery";

pub(crate) struct Stage {
    dir: PathBuf,
    /// The same, open: names in it are found without the way to it.
    fd: OwnedFd,
    /// What an earlier run left, by name: saves asking for each of many files that are not there.
    left: HashSet<OsString>,
    /// What is here and whole, and whether it was made since the stage was opened.
    good: HashMap<ContentHash, bool>,
    fresh: Fresh,
    /// An earlier attempt left a tree that it had begun.
    nursery_left: bool,
    scratch: Scratch,
}

impl Stage {
    /// Opens the stage. Objects that are already part of a committed tree are let go: their inode must not be touched.
    pub(crate) fn open(dir: PathBuf) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = rustix::fs::open(&dir, flags, Mode::empty());
        let fd = opened.map_err(|e| Error::io("cannot open the stage", &dir, e))?;
        let fresh = Fresh::made_in(&fd).map_err(|e| Error::io("cannot open the stage", &dir, e))?;
        let (left, good) = (HashSet::new(), HashMap::new());
        let mut stage = Self { dir, fd, fresh, left, good, nursery_left: false, scratch: Scratch::default() };
        stage.nursery_left = stage.nursery().is_dir();
        for (path, meta) in stage.list()? {
            if meta.is_dir() && path.file_name().is_some_and(|name| name == NURSERY) {
                continue;
            }
            // What was being written to is neither the old content nor the new one.
            let patch = path.extension().is_some_and(|extension| extension == PATCH);
            // What a tree that was begun shares with it is its own as soon as that is gone.
            let owned = meta.nlink() > 1 && !stage.nursery_left;
            if owned || !meta.is_file() || patch {
                stage.remove(&path)?;
            } else {
                stage.left.extend(path.file_name().map(OsString::from));
            }
        }
        Ok(stage)
    }

    /// Lets go of what an earlier attempt left and no entry of this list has: what changes between attempts would pile up
    /// until one of them succeeds.
    pub(crate) fn keep_only(&mut self, wanted: &Manifest) -> Result<()> {
        if std::mem::take(&mut self.nursery_left) {
            self.take_nursery(wanted)?;
        }
        if self.left.is_empty() {
            return Ok(());
        }
        let hash = |entry: &Entry| match entry.kind {
            EntryKind::File { hash, .. } => Some(hash.to_string()),
            _ => None,
        };
        let wanted: HashSet<String> = wanted.entries().iter().filter_map(hash).collect();
        let kept = |name: &OsString| {
            let (hash, what) = name.to_str().map(|name| name.split_once('.').unwrap_or((name, "")))?;
            // What is not to be trusted is said of older content.
            (what == ROTTEN || wanted.contains(hash)).then_some(())
        };
        let gone: Vec<OsString> = self.left.iter().filter(|name| kept(name).is_none()).cloned().collect();
        for name in gone {
            self.remove(&self.dir.join(&name))?;
            self.left.remove(&name);
        }
        Ok(())
    }

    /// Where a tree is made while its content comes.
    pub(crate) fn nursery(&self) -> PathBuf {
        self.dir.join(NURSERY)
    }

    /// Takes from a tree that was begun what may be content of this list: whoever relies on it looks.
    fn take_nursery(&mut self, wanted: &Manifest) -> Result<()> {
        let root = self.nursery();
        let mut tree = Beneath::open(&root).map_err(|e| Error::io("cannot read the stage", &root, e))?;
        for entry in wanted.entries() {
            let EntryKind::File { size: size @ 1.., hash, .. } = entry.kind else { continue };
            let name: OsString = hash.to_string().into();
            let found = tree.stat(&entry.path);
            let fits = |stat: Stat| kind_of(&stat) == FileType::RegularFile && FileKey::of(&stat).size == size;
            if self.left.contains(&name) || !found.is_ok_and(fits) {
                // The directories on the way may be missing.
                tree.forget();
                continue;
            }
            // What cannot be taken costs its way once more.
            if tree.locate(&entry.path).is_ok_and(|(dir, path)| self.move_in(dir, path, &hash).is_ok()) {
                self.left.insert(name);
            }
        }
        remove_tree(&root)
    }

    fn move_in(&self, dir: BorrowedFd<'_>, name: &[u8], hash: &ContentHash) -> io::Result<()> {
        Ok(renameat(dir, name, &self.fd, hash.to_string())?)
    }

    /// Takes over a file that the caller has just made of this content, and dressed.
    pub(crate) fn take_in(&mut self, dir: BorrowedFd<'_>, name: &[u8], hash: ContentHash) -> Result<()> {
        let moved = self.move_in(dir, name, &hash);
        moved.map_err(|e| Error::io("cannot write to the stage", self.path(&hash), e))?;
        self.good.insert(hash, false);
        Ok(())
    }

    fn list(&self) -> Result<Vec<(PathBuf, fs::Metadata)>> {
        let read =
            || fs::read_dir(&self.dir)?.map(|item| item.and_then(|item| Ok((item.path(), item.metadata()?)))).collect();
        let found: io::Result<_> = read();
        found.map_err(|e| Error::io("cannot read the stage", &self.dir, e))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io("cannot remove from the stage", path, e)),
            _ => Ok(()),
        }
    }

    pub(crate) fn path(&self, hash: &ContentHash) -> PathBuf {
        self.dir.join(hash.to_string())
    }

    /// The name under which older content is written to until it has this hash.
    pub(crate) fn patch(hash: &ContentHash) -> String {
        format!("{hash}.{PATCH}")
    }

    pub(crate) fn part(&self, hash: &ContentHash) -> PathBuf {
        self.dir.join(format!("{hash}.part"))
    }

    /// Bytes here of an object that has not arrived whole.
    pub(crate) fn part_len(&self, hash: &ContentHash, size: u64) -> u64 {
        if !self.left.contains(OsStr::new(&format!("{hash}.part"))) {
            return 0;
        }
        let len = fs::symlink_metadata(self.part(hash)).map_or(0, |meta| meta.len());
        if len <= size { len } else { 0 }
    }

    pub(crate) fn has(&self, hash: &ContentHash) -> bool {
        self.good.contains_key(hash)
    }

    /// What this object was made with, if nobody has dressed it since.
    pub(crate) fn fresh(&self, hash: &ContentHash) -> Option<&Fresh> {
        self.good.get(hash).is_some_and(|fresh| *fresh).then_some(&self.fresh)
    }

    /// The directory of the stage.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Whether the object is here, whole. Hashes what an earlier run left; removes what does not match.
    pub(crate) fn check(&mut self, hash: &ContentHash, size: u64) -> Result<bool> {
        if self.good.contains_key(hash) {
            return Ok(true);
        }
        if !self.left.contains(OsStr::new(&hash.to_string())) {
            return Ok(false);
        }
        let path = self.path(hash);
        let trouble = |e: io::Error| Error::io("cannot read from the stage", &path, e);
        match fs::symlink_metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(trouble(e)),
            Ok(meta) if meta.len() != size => {
                self.remove(&path)?;
                return Ok(false);
            }
            // An earlier run may have given it the mode of its file already.
            Ok(_) => fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(trouble)?,
        }
        let mut file = File::open(&path).map_err(trouble)?;
        let read = digest::<io::Error>(&mut file, size + 1, &mut self.scratch, |_| Ok(())).map_err(trouble)?;
        if read.hash == *hash && read.bytes == size {
            self.good.insert(*hash, false);
            return Ok(true);
        }
        self.remove(&path)?;
        Ok(false)
    }

    /// Stores content whose hash the caller has just computed.
    pub(crate) fn put(&mut self, hash: ContentHash, content: &[u8]) -> Result<()> {
        let name = hash.to_string();
        if self.left.remove(OsStr::new(&name)) || self.good.contains_key(&hash) {
            self.remove(&self.dir.join(&name))?;
        }
        let written = self.create(&name).and_then(|file| {
            let mut file = SparseFile::new(file, 0);
            file.write(content)?;
            file.finish()
        });
        written.map_err(|e| Error::io("cannot write to the stage", self.dir.join(&name), e))?;
        self.good.insert(hash, true);
        Ok(())
    }

    /// Takes over older content that was written to, and whose hash the caller has just computed. It is dressed as it was.
    pub(crate) fn adopt_patched(&mut self, expected: &ContentHash, hash: ContentHash) -> Result<()> {
        let patch = self.dir.join(Self::patch(expected));
        fs::rename(&patch, self.path(&hash)).map_err(|e| Error::io("cannot write to the stage", patch, e))?;
        self.good.insert(hash, false);
        Ok(())
    }

    pub(crate) fn forget_patch(&self, expected: &ContentHash) -> Result<()> {
        self.remove(&self.dir.join(Self::patch(expected)))
    }

    /// Takes over a finished part whose hash the caller has just computed.
    pub(crate) fn adopt(&mut self, part: &Path, hash: ContentHash) -> Result<()> {
        fs::rename(part, self.path(&hash)).map_err(|e| Error::io("cannot write to the stage", part, e))?;
        // One that an earlier run began may have been made by somebody else.
        let fresh = part.file_name().is_none_or(|name| !self.left.contains(name));
        self.good.insert(hash, fresh);
        Ok(())
    }

    /// Notes that a committed content does not make new content any more: it is not what its manifest says. Lasts until
    /// the next commit.
    pub(crate) fn set_rotten(&mut self, base: &ContentHash) -> Result<()> {
        let path = self.dir.join(format!("{base}.{ROTTEN}"));
        File::create(&path).map_err(|e| Error::io("cannot write to the stage", &path, e))?;
        self.left.extend(path.file_name().map(OsString::from));
        Ok(())
    }

    pub(crate) fn rotten(&self, base: &ContentHash) -> bool {
        self.left.contains(OsStr::new(&format!("{base}.{ROTTEN}")))
    }

    pub(crate) fn forget_part(&self, hash: &ContentHash) -> Result<()> {
        self.remove(&self.part(hash))
    }

    /// Copies from a file of ours; `false` if it is not what it should be.
    pub(crate) fn copy(
        &mut self,
        from: &mut File,
        hash: ContentHash,
        size: u64,
        mut told: impl FnMut(u64) -> Result<()>,
    ) -> Result<bool> {
        let path = self.path(&hash);
        self.remove(&path)?;
        let trouble = |e: io::Error| Error::io("cannot write to the stage", &path, e);
        let mut to = SparseFile::new(self.create(&hash.to_string()).map_err(trouble)?, 0);
        let read = digest::<Stop>(from, size.saturating_add(1), &mut self.scratch, |piece| {
            to.take(piece).map_err(trouble)?;
            Ok(told(piece.len())?)
        });
        to.finish().map_err(trouble)?;
        let whole = match read {
            Ok(read) => read.hash == hash && read.bytes == size,
            Err(Stop::Read(_)) => false,
            Err(Stop::Work(e)) => return Err(e),
        };
        if whole {
            self.good.insert(hash, true);
        } else {
            self.remove(&path)?;
        }
        Ok(whole)
    }

    /// Opens a part for going on at `offset`, with the hash of what is there.
    pub(crate) fn resume(&self, hash: &ContentHash, offset: u64) -> Result<(File, Fingerprint)> {
        let path = self.part(hash);
        let trouble = |e: io::Error| Error::io("cannot write to the stage", &path, e);
        let mut hasher = Fingerprint::default();
        if offset == 0 {
            self.remove(&path)?;
            return Ok((self.create(&format!("{hash}.part")).map_err(trouble)?, hasher));
        }
        let mut file = OpenOptions::new().read(true).write(true).open(&path).map_err(trouble)?;
        let read = pieces::<io::Error>(&mut file, offset, &mut Vec::new(), |piece| {
            hasher.take(piece);
            Ok(())
        });
        let (bytes, _) = read.map_err(trouble)?;
        if bytes < offset { Err(trouble(io::ErrorKind::UnexpectedEof.into())) } else { Ok((file, hasher)) }
    }

    /// Empties the stage after a commit.
    pub(crate) fn clear(&mut self) -> Result<()> {
        self.good.clear();
        self.nursery_left = false;
        remove_tree(&self.nursery())?;
        let trouble = |e: io::Error| Error::io("cannot clear the stage", &self.dir, e);
        for item in fs::read_dir(&self.dir).map_err(trouble)? {
            unlinkat(&self.fd, item.map_err(trouble)?.file_name(), AtFlags::empty()).map_err(|e| trouble(e.into()))?;
        }
        Ok(())
    }

    fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)?))
    }
}
