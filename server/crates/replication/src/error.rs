//! What can go wrong, in a form the panel can translate: a stable kind, what was attempted, and on what path.
//! It refuses to be a catch-all string: every kind has one code, and the source is a separate field.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The result of every operation of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of a failure. [`ErrorKind::code`] is stable: the panel keys its sentences on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The root of the source is missing, is not a directory, or the volume it was on is not mounted.
    SourceMissing,
    /// Something in the source could not be read; nothing is dropped silently.
    SourceUnreadable,
    /// The source lies inside a path that must never be captured.
    SourceForbidden,
    /// An exclude is not a valid glob.
    BadExclude,
    /// The file declared as SQLite does not begin with SQLite's header.
    NotADatabase,
    /// SQLite says that the database is damaged.
    DatabaseCorrupt,
    /// The database stayed locked, or holds a journal that only its owner may roll back.
    DatabaseBusy,
    /// Not enough free space; [`Error::space`] says how much.
    DiskFull,
    /// The target exists and is not ours.
    TargetOccupied,
    /// The peer said something that the protocol does not allow, or that exceeds a limit.
    PeerProtocol,
    /// The peer gave up and said why.
    PeerFailed,
    /// The peer speaks another version of the protocol.
    PeerVersion,
    /// The peer offers a generation that is not newer than the committed one.
    GenerationNotNewer,
    /// Content does not have the hash it was announced with.
    HashMismatch,
    /// The caller asked to stop.
    Cancelled,
    /// The stream ended or broke.
    ConnectionLost,
    /// The store on disk is not what was committed.
    StoreDamaged,
    /// Another process has the store open.
    StoreBusy,
    /// There is no committed generation yet.
    NothingCommitted,
    /// The caller could not record a content id before it was offered.
    NotRecorded,
    /// A writable copy serves: the replica must not move under it, and there is only one.
    Serving,
    /// No writable copy serves.
    NotServing,
    /// The name of the run is not one, or belongs to an activation that was handed back.
    BadRun,
    /// Readers still see this restore point.
    PointVisible,
    /// The file system of the replica cannot hold an extended attribute or ACL that the source has.
    AttributeUnheld,
    /// Any other failure of the operating system.
    Io,
}

impl ErrorKind {
    /// Every kind, for tables and translations.
    pub const ALL: &[ErrorKind] = &[
        Self::SourceMissing,
        Self::SourceUnreadable,
        Self::SourceForbidden,
        Self::BadExclude,
        Self::NotADatabase,
        Self::DatabaseCorrupt,
        Self::DatabaseBusy,
        Self::DiskFull,
        Self::TargetOccupied,
        Self::PeerProtocol,
        Self::PeerFailed,
        Self::PeerVersion,
        Self::GenerationNotNewer,
        Self::HashMismatch,
        Self::Cancelled,
        Self::ConnectionLost,
        Self::StoreDamaged,
        Self::StoreBusy,
        Self::NothingCommitted,
        Self::NotRecorded,
        Self::Serving,
        Self::NotServing,
        Self::BadRun,
        Self::PointVisible,
        Self::AttributeUnheld,
        Self::Io,
    ];

    /// The stable snake_case code.
    pub fn code(self) -> &'static str {
        match self {
            Self::SourceMissing => "source_missing",
            Self::SourceUnreadable => "source_unreadable",
            Self::SourceForbidden => "source_forbidden",
            Self::BadExclude => "bad_exclude",
            Self::NotADatabase => "not_a_database",
            Self::DatabaseCorrupt => "database_corrupt",
            Self::DatabaseBusy => "database_busy",
            Self::DiskFull => "disk_full",
            Self::TargetOccupied => "target_occupied",
            Self::PeerProtocol => "peer_protocol",
            Self::PeerFailed => "peer_failed",
            Self::PeerVersion => "peer_version",
            Self::GenerationNotNewer => "generation_not_newer",
            Self::HashMismatch => "hash_mismatch",
            Self::Cancelled => "cancelled",
            Self::ConnectionLost => "connection_lost",
            Self::StoreDamaged => "store_damaged",
            Self::StoreBusy => "store_busy",
            Self::NothingCommitted => "nothing_committed",
            Self::NotRecorded => "not_recorded",
            Self::Serving => "serving",
            Self::NotServing => "not_serving",
            Self::BadRun => "bad_run",
            Self::PointVisible => "point_visible",
            Self::AttributeUnheld => "attribute_unheld",
            Self::Io => "io",
        }
    }

    /// The kind with this code, as sent by a peer.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.code() == code)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Bytes wanted and bytes there, for [`ErrorKind::DiskFull`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes the work needs, the reserve included; `None` when the disk filled while working.
    pub needed: Option<u64>,
    /// Bytes free for us at that moment.
    pub free: u64,
}

/// A failure: kind, what was attempted, on what. The cause is in `source()`, not in the text.
#[derive(Debug)]
pub struct Error(Box<Detail>);

#[derive(Debug)]
struct Detail {
    kind: ErrorKind,
    attempted: String,
    path: Option<PathBuf>,
    space: Option<Space>,
    peer: Option<ErrorKind>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.attempted)?;
        if let Some(path) = &self.0.path {
            write!(f, ": {}", crate::path::escape(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str())))?;
        }
        if let Some(space) = &self.0.space {
            match space.needed {
                Some(needed) => write!(f, " ({needed} bytes needed, {} free)", space.free)?,
                None => write!(f, " ({} bytes free)", space.free)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|e| e as _)
    }
}

impl Error {
    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What was attempted, in English, without the path.
    pub fn attempted(&self) -> &str {
        &self.0.attempted
    }

    /// The file, directory or store concerned.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// For [`ErrorKind::DiskFull`]: how much was needed and how much is there.
    pub fn space(&self) -> Option<Space> {
        self.0.space
    }

    /// For [`ErrorKind::PeerFailed`]: the peer's own kind, where we know it.
    pub fn peer_kind(&self) -> Option<ErrorKind> {
        self.0.peer
    }

    /// The operator-facing one-liner with the chain of causes, for a log.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(e) = cause {
            text.push_str(": ");
            text.push_str(&e.to_string());
            cause = e.source();
        }
        text
    }

    pub(crate) fn new(kind: ErrorKind, attempted: impl Into<String>) -> Self {
        Self(Box::new(Detail { kind, attempted: attempted.into(), path: None, space: None, peer: None, source: None }))
    }

    pub(crate) fn at(mut self, path: impl Into<PathBuf>) -> Self {
        self.0.path = Some(path.into());
        self
    }

    pub(crate) fn with(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub(crate) fn disk_full(attempted: impl Into<String>, needed: u64, free: u64) -> Self {
        let mut error = Self::new(ErrorKind::DiskFull, attempted);
        error.0.space = Some(Space { needed: Some(needed), free });
        error
    }

    pub(crate) fn peer_failed(code: &str, text: &str) -> Self {
        let mut error = Self::new(ErrorKind::PeerFailed, format!("the other side gave up ({code}): {text}"));
        error.0.peer = ErrorKind::from_code(code);
        error
    }

    pub(crate) fn protocol(attempted: impl Into<String>) -> Self {
        Self::new(ErrorKind::PeerProtocol, attempted)
    }

    pub(crate) fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "stopped as asked")
    }

    /// An I/O failure in our own store or scratch; a full disk, and an attribute that cannot be held, get their own kind.
    pub(crate) fn io(attempted: impl Into<String>, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        let path = path.into();
        let full = matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let kind = match source.get_ref() {
            Some(inner) if inner.is::<crate::xattr::Unheld>() => ErrorKind::AttributeUnheld,
            _ if full => ErrorKind::DiskFull,
            _ => ErrorKind::Io,
        };
        let mut error = Self::new(kind, attempted);
        if full {
            error.0.space = Some(Space { needed: None, free: crate::store::free_bytes_near(&path) });
        }
        error.at(path).with(source)
    }

    /// A failure to read the source.
    pub(crate) fn unreadable(path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        Self::new(ErrorKind::SourceUnreadable, "cannot read the source").at(path).with(source.into())
    }

    /// A failure of the stream.
    pub(crate) fn connection(attempted: impl Into<String>, source: io::Error) -> Self {
        Self::new(ErrorKind::ConnectionLost, attempted).with(source)
    }
}
