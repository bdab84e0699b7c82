//! A tree of files as a source: read whole, or where it was touched. It refuses a tree from which a volume is missing, and
//! one that was replaced while it was read.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rustix::fs::Stat;

use crate::beneath::Beneath;
use crate::capture::{Capture, Content};
use crate::error::{Error, ErrorKind, Result};
use crate::path::TreePath;
use crate::remark::{Skipped, Warning};
use crate::rescan::Remembered;
use crate::scan::{Inode, identity};
use crate::source::{MOUNTS, Source, still_there, write_note};
use crate::touched::Touched;
use crate::watch::Watch;

/// At most so many skipped names and warnings are listed; the rest is counted.
const LISTED: usize = 1000;

/// A tree as it was last read.
pub(crate) struct LastRead {
    tree: Remembered,
    root: Inode,
    mounts: Vec<u8>,
}

impl Source {
    /// Reads all of the tree.
    pub(crate) fn capture_whole(&mut self, now: Timestamp, rehash: bool, watch: &dyn Watch) -> Result<Capture> {
        self.last_read = None;
        let root = self.open_root()?;
        let before = rustix::fs::fstat(root.root()).map_err(|e| Error::unreadable(&self.spec.path, e))?;
        let mounts = mounts_near(&self.spec.path);
        let mut walk = self.walk(self.stamp_clock(now)?, watch)?;
        walk.rehash = rehash;
        let found = walk.run(root.root())?;
        self.check_mounts(&found.mounts)?;
        let hashed_bytes = found.hashed_bytes;
        let tree = Remembered::new(found).map_err(|e| self.inconsistent(e))?;
        self.captured(root, &before, tree, mounts, hashed_bytes, now)
    }

    /// Reads what was touched, or else all of the tree.
    pub(crate) fn capture_part(&mut self, now: Timestamp, touched: &Touched, watch: &dyn Watch) -> Result<Capture> {
        let root = self.open_root()?;
        let before = rustix::fs::fstat(root.root()).map_err(|e| Error::unreadable(&self.spec.path, e))?;
        let mounts = mounts_near(&self.spec.path);
        let same = |last: &LastRead| last.root == identity(&before) && mounts.as_ref() == Some(&last.mounts);
        let last = self.last_read.take().filter(|last| !touched.is_everything() && same(last));
        let Some(last) = last else { return self.capture_whole(now, false, watch) };
        let mut tree = root.again().map_err(|e| Error::unreadable(&self.spec.path, e))?;
        let walk = self.walk(self.stamp_clock(now)?, watch)?;
        match last.tree.renew(touched, &mut tree, walk) {
            Ok((tree, hashed_bytes)) => self.captured(root, &before, tree, mounts, hashed_bytes, now),
            Err(error) if error.kind() == ErrorKind::Cancelled => Err(error),
            Err(error) => {
                tracing::debug!(error = error.chain(), "what was touched does not tell enough: everything is read");
                self.capture_whole(now, false, watch)
            }
        }
    }

    fn captured(
        &mut self,
        root: Beneath,
        before: &Stat,
        tree: Remembered,
        mounts: Option<Vec<u8>>,
        hashed_bytes: u64,
        now: Timestamp,
    ) -> Result<Capture> {
        let identity = identity(before);
        // The very directory we read must still be what the path means: else it was moved or unmounted meanwhile.
        still_there(&self.spec.path, identity)?;
        let skipped = tree.skipped.iter().take(LISTED);
        let warnings = tree.warnings.iter().take(LISTED);
        let capture = Capture {
            manifest: tree.manifest.clone(),
            captured_at: now,
            skipped: skipped.map(|(path, why)| Skipped { path: path.to_string(), why: *why }).collect(),
            skipped_in_all: tree.skipped.len() as u64,
            warnings: warnings.map(|(path, what)| Warning { path: path.to_string(), what: *what }).collect(),
            hashed_bytes,
            source: self.spec.path.clone(),
            content: Content::Tree { root, keys: Arc::clone(&tree.keys), cache: Arc::clone(&self.cache), identity },
            lists: Arc::clone(&self.lists),
            offered: Arc::clone(&self.offered),
            accounts: None,
            way_home: None,
        };
        self.last_read = mounts.filter(|_| tree.is_small()).map(|mounts| LastRead { tree, root: identity, mounts });
        Ok(capture)
    }

    fn check_mounts(&self, found: &BTreeSet<Vec<u8>>) -> Result<()> {
        let note = self.scratch.join(MOUNTS);
        let known: BTreeSet<Vec<u8>> =
            fs::read(&note).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        if let Some(gone) = known.difference(found).find(|path| self.mount_matters(path)) {
            let path = self.spec.path.join(std::ffi::OsStr::from_bytes(gone));
            return Err(
                Error::new(ErrorKind::SourceMissing, "the volume that was mounted here is not mounted").at(path)
            );
        }
        if known != *found {
            write_note(&note, found)?;
        }
        Ok(())
    }

    /// Whether the directory a volume was mounted on is still there, now bare. A directory that was removed together
    /// with its volume is an ordinary deletion.
    fn mount_matters(&self, path: &[u8]) -> bool {
        path.is_empty()
            || TreePath::parse(path)
                .is_ok_and(|path| Beneath::open(&self.spec.path).and_then(|mut tree| tree.stat(&path)).is_ok())
    }
}

/// The lines of the mount table that could change what the tree is: mounts on the way to it, and in it. `None`: unknown.
fn mounts_near(path: &Path) -> Option<Vec<u8>> {
    let path = fs::canonicalize(path).ok()?;
    let table = fs::read("/proc/self/mountinfo").ok()?;
    let near = |line: &&[u8]| {
        let place = line.split(|byte| *byte == b' ').nth(4).map(unescape).unwrap_or_default();
        let place = Path::new(std::ffi::OsStr::from_bytes(&place));
        path.starts_with(place) || place.starts_with(&path)
    };
    Some(table.split(|byte| *byte == b'\n').filter(near).collect::<Vec<_>>().concat())
}

/// Undoes the octal escapes of the mount table (space, tab, newline, backslash).
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((byte, more)) = rest.split_first() {
        let escaped = more.first_chunk::<3>().filter(|_| *byte == b'\\');
        let escaped = escaped.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 8).ok());
        out.push(escaped.unwrap_or(*byte));
        rest = if escaped.is_some() { &more[3..] } else { more };
    }
    out
}
