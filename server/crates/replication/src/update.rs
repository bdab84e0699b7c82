//! Bringing a tree on disk, which nobody looks into, from one manifest to another. It refuses to write into a file: what
//! is there may be shared with other trees, so names go and come, and only directories are changed.

use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, chmodat, unlinkat};

use crate::beneath::Beneath;
use crate::change::Changes;
use crate::error::{Error, Result};
use crate::manifest::{EntryKind, Manifest};
use crate::tree::{Builder, Contents};
use crate::watch::{Point, Watch};

/// A tree and what it is to become.
pub(crate) struct Update<'a> {
    pub(crate) root: &'a Path,
    pub(crate) have: &'a Manifest,
    pub(crate) want: &'a Manifest,
    pub(crate) changes: &'a Changes,
    pub(crate) half: Point,
    pub(crate) watch: &'a dyn Watch,
}

impl Update<'_> {
    pub(crate) fn run(self, contents: &mut dyn Contents) -> Result<()> {
        self.clear()?;
        let Self { root, want: manifest, changes, half, watch, .. } = self;
        Builder { root, manifest, changes, bytes: 0, half, watch }.make(contents)
    }

    /// Takes away what is not wanted, what is in a directory before the directory.
    fn clear(&self) -> Result<()> {
        let entries = self.have.entries();
        let trouble = |e: io::Error| Error::io("cannot change a tree of the replica", self.root, e);
        let mut tree = Beneath::open(self.root).map_err(trouble)?;
        for index in &self.changes.open {
            let (dir, name) = tree.locate(&entries[*index].path).map_err(trouble)?;
            chmodat(dir, name, Mode::RWXU, AtFlags::empty()).map_err(|e| trouble(e.into()))?;
        }
        for index in self.changes.gone.iter().rev() {
            let entry = &entries[*index];
            let failed = |e: io::Error| {
                Error::io("cannot change a tree of the replica", self.root.join(entry.path.as_path()), e)
            };
            let flags = if entry.kind == EntryKind::Dir { AtFlags::REMOVEDIR } else { AtFlags::empty() };
            let (dir, name) = tree.locate(&entry.path).map_err(failed)?;
            unlinkat(dir, name, flags).map_err(|e| failed(e.into()))?;
        }
        Ok(())
    }
}
