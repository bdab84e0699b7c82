//! The link by which readers find the replica. We own exactly one symlink with exactly one text in it; it refuses to
//! replace or remove anything else.

use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::source::{DATABASE_NAME, SourceKind};
use crate::store::{Store, sync_dir, write_durably};

/// What is at the target path now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TargetState {
    /// No target is set.
    Unset,
    /// Our link.
    Ours,
    /// Something that is not ours: left alone.
    Occupied,
}

/// What our link says.
pub(crate) fn text(store: &Store, kind: SourceKind) -> PathBuf {
    match kind {
        SourceKind::Files => store.current(),
        SourceKind::Sqlite => store.current().join(DATABASE_NAME),
    }
}

/// The recorded target.
pub(crate) fn recorded(store: &Store) -> Option<PathBuf> {
    let bytes = fs::read(store.root.join("target")).ok().filter(|bytes| !bytes.is_empty())?;
    Some(PathBuf::from(std::ffi::OsString::from_vec(bytes)))
}

pub(crate) fn record(store: &Store, target: Option<&Path>) -> Result<()> {
    let path = store.root.join("target");
    write_durably(&path, target.map_or(&[], |target| target.as_os_str().as_bytes()))?;
    sync_dir(&store.root)
}

pub(crate) fn state(store: &Store, kind: SourceKind) -> TargetState {
    match recorded(store) {
        None => TargetState::Unset,
        Some(target) if fs::read_link(&target).is_ok_and(|now| now == text(store, kind)) => TargetState::Ours,
        Some(_) => TargetState::Occupied,
    }
}

/// Makes our link at `target`, where nothing, our link or an empty directory is.
pub(crate) fn claim(store: &Store, kind: SourceKind, target: &Path) -> Result<()> {
    let occupied = |why: &str| Error::new(ErrorKind::TargetOccupied, format!("the target {why}")).at(target);
    let trouble = |e: io::Error| Error::io("cannot make the target link", target, e);
    let text = text(store, kind);
    let Some(parent) = target.parent() else {
        return Err(occupied("cannot be a root directory"));
    };
    match fs::symlink_metadata(target) {
        Ok(meta) if meta.is_symlink() => {
            let now = fs::read_link(target).map_err(trouble)?;
            return if now == text { Ok(()) } else { Err(occupied("is a symlink that is not ours")) };
        }
        Ok(meta) if meta.is_dir() => match fs::remove_dir(target) {
            Ok(()) => {}
            Err(e) if matches!(e.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::ResourceBusy) => {
                return Err(occupied("is a directory that is not empty"));
            }
            Err(e) => return Err(trouble(e)),
        },
        Ok(_) => return Err(occupied("is an existing file")),
        Err(e) if e.kind() == io::ErrorKind::NotFound => fs::create_dir_all(parent).map_err(trouble)?,
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => return Err(occupied("lies below a file")),
        Err(e) => return Err(trouble(e)),
    }
    // A target inside of the store would be swept away with it.
    if fs::canonicalize(parent).map_err(trouble)?.starts_with(&store.root) {
        return Err(occupied("lies inside the store"));
    }
    // `symlink` itself refuses to replace anything that appeared meanwhile.
    match std::os::unix::fs::symlink(&text, target) {
        Ok(()) => sync_dir(parent),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(occupied("has just been taken")),
        Err(e) => Err(trouble(e)),
    }
}

/// Removes our link; anything else there is left alone.
pub(crate) fn release(store: &Store, kind: SourceKind, target: &Path) -> Result<()> {
    if fs::read_link(target).is_ok_and(|now| now == text(store, kind)) {
        fs::remove_file(target).map_err(|e| Error::io("cannot remove the target link", target, e))?;
        if let Some(parent) = target.parent() {
            sync_dir(parent)?;
        }
    }
    Ok(())
}
