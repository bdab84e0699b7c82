//! The data directory: where everything of a node lives, who may read it (nobody else), that only one process uses it,
//! and how a small file is written so that a crash leaves the old one or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::OpenError;

/// Bytes kept back for the day the disk is full.
const RESERVE: u64 = 8 << 20;

/// A node's directory, held by this process until dropped.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    _lock: Option<File>,
}

/// What a process that was just killed had begun to start still has its lock, until it becomes another program.
const LEAVING: Duration = Duration::from_secs(2);

/// Takes the lock, and gives whoever is just leaving the time for it.
#[expect(
    clippy::disallowed_methods,
    reason = "a lock of a file tells nobody that it is free, and nothing else runs yet"
)]
fn take(lock: &File) -> rustix::io::Result<()> {
    let began = Instant::now();
    loop {
        match flock(lock, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) if began.elapsed() < LEAVING => std::thread::sleep(Duration::from_millis(20)),
            taken => return taken,
        }
    }
}

impl DataDir {
    /// Names the directory without holding it: to talk to the node that does.
    #[must_use]
    pub fn name(root: &Path) -> Self {
        Self { root: root.to_owned(), _lock: None }
    }

    /// Makes the directory for a new node: 0711, because a reader of the replica passes through it; every secret in it is
    /// 0600 itself.
    ///
    /// # Errors
    /// [`OpenError::Unusable`] when it cannot be made, is not empty, or is another process's.
    pub fn create(root: &Path) -> Result<Self, OpenError> {
        let unusable = |why: String| OpenError::Unusable { dir: root.to_owned(), why };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(root)
            .map_err(|error| unusable(format!("it cannot be made: {error}")))?;
        let mut entries = fs::read_dir(root).map_err(|error| unusable(format!("it cannot be read: {error}")))?;
        if entries.next().is_some() {
            let what = if root.join("tvox-dr.toml").exists() { "it holds a node already" } else { "it is not empty" };
            return Err(unusable(what.into()));
        }
        fs::set_permissions(root, fs::Permissions::from_mode(0o711))
            .map_err(|error| unusable(format!("its permissions cannot be set: {error}")))?;
        Self::hold(root)
    }

    /// Opens an existing directory and holds it.
    ///
    /// # Errors
    /// [`OpenError::Unusable`] when there is no node in it or another process holds it.
    pub fn hold(root: &Path) -> Result<Self, OpenError> {
        let unusable = |why: String| OpenError::Unusable { dir: root.to_owned(), why };
        let root_abs = fs::canonicalize(root).map_err(|error| unusable(format!("it cannot be opened: {error}")))?;
        let name = root_abs.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&name)
            .or_else(|error| match error.kind() {
                // It can be held all the same, and a rescue must stop services on such a disk, too.
                io::ErrorKind::ReadOnlyFilesystem => File::open(&name),
                _ => Err(error),
            })
            .map_err(|error| unusable(format!("its lock cannot be opened: {error}")))?;
        take(&lock).map_err(|_| unusable("another tvox-dr process is using it".into()))?;
        Ok(Self { root: root_abs, _lock: Some(lock) })
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What is needed before the database opens.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.root.join("tvox-dr.toml")
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.root.join("tvox-dr.db")
    }

    /// The node's private key, 0600.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.root.join("identity.key.pem")
    }

    /// The node's certificate.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.root.join("identity.crt.pem")
    }

    /// The public key that licences are checked with, when it is not the built-in one.
    #[must_use]
    pub fn licence_key(&self) -> PathBuf {
        self.root.join("licence.pub")
    }

    /// The control socket's name inside the directory.
    pub const SOCKET: &'static str = "control.sock";

    /// Where replicas live (Client).
    #[must_use]
    pub fn replicas(&self) -> PathBuf {
        self.root.join("replicas")
    }

    /// Where the DR's content waits until it is put in its place (Master).
    #[must_use]
    pub fn homecoming(&self) -> PathBuf {
        self.root.join("homecoming")
    }

    /// What was replaced when the DR's content came home, by run (Master).
    #[must_use]
    pub fn preserved(&self) -> PathBuf {
        self.root.join("preserved")
    }

    /// What was made on the DR and discarded by a failback, by run (Client).
    #[must_use]
    pub fn exports(&self) -> PathBuf {
        self.root.join("exports")
    }

    /// Where databases are captured to before they travel.
    #[must_use]
    pub fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }
}

impl DataDir {
    /// Keeps some space back, and gives it up when the disk is nearly full: then there is still room to write down a login
    /// and whatever an operator must do. Returns whether it is held.
    ///
    /// # Errors
    /// What the disk says; nothing depends on it.
    pub(crate) fn keep_reserve(&self) -> io::Result<bool> {
        let path = self.root.join("reserve");
        let told = rustix::fs::statvfs(&self.root)?;
        let free = told.f_bavail.saturating_mul(told.f_frsize);
        let held = path.exists();
        if held && free < RESERVE / 2 {
            fs::remove_file(&path)?;
            tracing::warn!(free, "the disk is full: the reserve is given up");
            return Ok(false);
        }
        if !held && free > RESERVE * 8 {
            let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path)?;
            if let Err(error) = rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, RESERVE) {
                fs::remove_file(&path)?;
                return Err(error.into());
            }
            return Ok(true);
        }
        Ok(held)
    }
}

/// Writes a small file so that a crash leaves the old content or the new: beside it, fsync, rename, fsync of the directory.
///
/// # Errors
/// Whatever the disk says; the old file is then untouched.
pub fn write_durably(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut aside = name.to_owned();
    aside.push(".new");
    let aside = dir.join(aside);
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(mode).open(&aside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    File::open(dir)?.sync_all()
}
