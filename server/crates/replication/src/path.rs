//! Names inside a tree: raw bytes, relative, and never able to lead out of it.
//! It refuses everything that a file system would not give back from a directory listing.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// Longest path, bytes. Longer than the kernel's 4,096 because trees are walked one name at a time.
pub const MAX_PATH: usize = 64 * 1024;
/// Longest name, bytes.
pub const MAX_NAME: usize = 255;
/// Deepest path, names. Each level costs one open descriptor while walking.
pub const MAX_DEPTH: usize = 400;

/// A path inside a tree; empty means its root. Ordered as a walk meets it: a directory, then what is in it. A copy of it
/// shares its bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TreePath(Arc<[u8]>);

/// Why a path was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathFault {
    /// Begins with a slash.
    #[error("absolute path")]
    Absolute,
    /// Two slashes in a row, or one at the end.
    #[error("empty name")]
    EmptyName,
    /// `.` or `..`.
    #[error("dot or dot-dot")]
    Dots,
    /// A NUL byte.
    #[error("NUL byte")]
    Nul,
    /// A name above [`MAX_NAME`].
    #[error("name too long")]
    NameTooLong,
    /// A path above [`MAX_PATH`].
    #[error("path too long")]
    TooLong,
    /// More names than [`MAX_DEPTH`].
    #[error("path too deep")]
    TooDeep,
}

impl TreePath {
    /// The root of the tree.
    pub fn root() -> Self {
        Self(Arc::default())
    }

    /// Checks raw bytes; the empty path is the root.
    pub fn parse(bytes: &[u8]) -> Result<Self, PathFault> {
        if bytes.is_empty() {
            return Ok(Self::root());
        }
        if bytes.len() > MAX_PATH {
            return Err(PathFault::TooLong);
        }
        if bytes.starts_with(b"/") {
            return Err(PathFault::Absolute);
        }
        let mut depth = 0;
        for name in bytes.split(|b| *b == b'/') {
            check_name(name)?;
            depth += 1;
        }
        if depth > MAX_DEPTH { Err(PathFault::TooDeep) } else { Ok(Self(bytes.into())) }
    }

    /// This path with one more name below it.
    pub fn join(&self, name: &[u8]) -> Result<Self, PathFault> {
        check_name(name)?;
        if self.is_root() {
            return Ok(Self(name.into()));
        }
        if self.0.len() + 1 + name.len() > MAX_PATH {
            return Err(PathFault::TooLong);
        }
        if self.names().count() >= MAX_DEPTH {
            return Err(PathFault::TooDeep);
        }
        Ok(Self([&self.0, b"/".as_slice(), name].concat().into()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As a relative path of the operating system.
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// Whether it is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is inside of the directory `dir`, at any depth.
    pub fn is_inside(&self, dir: &TreePath) -> bool {
        match self.0.strip_prefix(&*dir.0) {
            Some(rest) => dir.is_root() && !rest.is_empty() || rest.starts_with(b"/"),
            None => false,
        }
    }

    /// Its names from the top; none for the root.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        names(&self.0)
    }

    /// The directory that holds it; the root has none.
    pub fn parent(&self) -> Option<TreePath> {
        self.split().map(|(parent, _)| Self(parent.into()))
    }

    /// Parent directory and last name; the root has neither.
    pub fn split(&self) -> Option<(&[u8], &[u8])> {
        if self.is_root() {
            return None;
        }
        Some(match self.0.iter().rposition(|b| *b == b'/') {
            Some(slash) => (&self.0[..slash], &self.0[slash + 1..]),
            None => (&[], &self.0),
        })
    }
}

/// The names of a path that was already checked.
pub(crate) fn names(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|b| *b == b'/').filter(|name| !name.is_empty())
}

fn check_name(name: &[u8]) -> Result<(), PathFault> {
    match name {
        b"" => Err(PathFault::EmptyName),
        b"." | b".." => Err(PathFault::Dots),
        _ if name.len() > MAX_NAME => Err(PathFault::NameTooLong),
        _ if name.contains(&0) => Err(PathFault::Nul),
        _ if name.contains(&b'/') => Err(PathFault::EmptyName),
        _ => Ok(()),
    }
}

/// Where two paths first differ, a slash counts below every other byte: a directory's content follows it directly.
pub(crate) fn in_walk_order(a: &[u8], b: &[u8]) -> Ordering {
    let rank = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
    match a.iter().zip(b).position(|(x, y)| x != y) {
        Some(at) => rank(&a[at]).cmp(&rank(&b[at])),
        None => a.len().cmp(&b.len()),
    }
}

impl Ord for TreePath {
    fn cmp(&self, other: &Self) -> Ordering {
        in_walk_order(&self.0, &other.0)
    }
}

impl PartialOrd for TreePath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.0))
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", escape(&self.0))
    }
}

/// A name fit for a line on a screen or in a log: control characters and what is not UTF-8 are escaped.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || c == '\\' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
                text.extend(c.escape_default());
            } else {
                text.push(c);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}
