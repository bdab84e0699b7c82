//! The last copy of a live database, kept open as long as nothing was written to the original, so that an idle database
//! is not copied again each time somebody asks. It refuses to take a recent write for none.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::beneath::FileKey;
use crate::manifest::{ContentHash, FileTime};
use crate::scan::RACY_SECONDS;

/// Everything that a write to a database moves: the file, its write-ahead log, its journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DatabaseKey([Option<FileKey>; 3]);

impl DatabaseKey {
    /// As it is now. SQLite keeps log and journal beside the file that a symlink leads to.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(path)?;
        let beside = |suffix: &str| {
            let mut name = OsString::from(path.as_os_str());
            name.push(suffix);
            match rustix::fs::stat(&name) {
                Ok(stat) => {
                    let key = FileKey::of(&stat);
                    // As root, SQLite gives a log to the database's owner whenever it opens it, for our reading too.
                    Ok(Some(if suffix.is_empty() { key } else { FileKey { ctime: key.mtime, ..key } }))
                }
                Err(rustix::io::Errno::NOENT) => Ok(None),
                Err(e) => Err(io::Error::from(e)),
            }
        };
        Ok(Self([beside("")?, beside("-wal")?, beside("-journal")?]))
    }

    /// Whether a write right after this key was taken could have left it as it is: file systems stamp in ticks.
    fn racy(&self, stamped_until: FileTime) -> bool {
        let fresh = |key: &FileKey| key.mtime.max(key.ctime).seconds + RACY_SECONDS >= stamped_until.seconds;
        self.0.iter().flatten().any(fresh)
    }
}

/// A copy that was checked, and what it is a copy of.
pub(crate) struct LastCopy {
    key: DatabaseKey,
    pub(crate) file: Arc<File>,
    pub(crate) hash: ContentHash,
    pub(crate) bytes: u64,
}

impl LastCopy {
    /// Keeps a copy; `None` where the key was taken too soon after a write to be relied on.
    pub(crate) fn keep(
        key: DatabaseKey,
        stamped_until: FileTime,
        file: &Arc<File>,
        hash: ContentHash,
        bytes: u64,
    ) -> Option<Self> {
        (!key.racy(stamped_until)).then(|| Self { key, file: Arc::clone(file), hash, bytes })
    }

    /// Whether nothing was written since.
    pub(crate) fn is_of(&self, key: &DatabaseKey) -> bool {
        self.key == *key
    }
}
