//! What can go wrong: a kind that a caller decides by, and words for a log.

use std::fmt;
use std::io;
use std::path::Path;

/// The result of everything here.
pub type Result<T> = std::result::Result<T, Error>;

/// What a caller may have to tell apart. [`ErrorKind::code`] is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server does not answer, or refuses the login.
    Unreachable,
    /// The server is not set up for it: no binary log, no rows in it, encrypted, or the id of the other one.
    Unsuited,
    /// The server's binary log is not the one that was recorded: it was set back, or made anew.
    SetBack,
    /// The server that is to be fed has databases of its own.
    Occupied,
    /// What is in the journal cannot be replayed.
    Unplayable,
    /// The journal holds no seed yet, or is not whole.
    NoSeed,
    /// The caller asked to stop.
    Cancelled,
    /// Files or processes of this machine.
    Io,
}

impl ErrorKind {
    /// The stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "server_unreachable",
            Self::Unsuited => "server_unsuited",
            Self::SetBack => "server_set_back",
            Self::Occupied => "server_occupied",
            Self::Unplayable => "server_unplayable",
            Self::NoSeed => "no_seed",
            Self::Cancelled => "cancelled",
            Self::Io => "io",
        }
    }
}

/// A failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

impl Error {
    /// What kind it is.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub(crate) fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        Self { kind, message: message.to_string() }
    }

    pub(crate) fn io(attempt: &str, path: &Path, error: &io::Error) -> Self {
        Self::new(ErrorKind::Io, format_args!("cannot {attempt} {}: {error}", path.display()))
    }
}

/// An I/O error on a path, for `map_err`.
pub(crate) fn at<'a>(attempt: &'a str, path: &'a Path) -> impl FnOnce(io::Error) -> Error + 'a {
    move |error| Error::io(attempt, path, &error)
}
