//! What was made on the copy that serves, as a tree of its own: for whoever discards it. It refuses to leave half of one
//! under its name.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use crate::change::Changes;
use crate::error::{Error, Result};
use crate::manifest::{Entry, EntryKind, Manifest};
use crate::promote::Copier;
use crate::replica::Replica;
use crate::serving;
use crate::source::{DATABASE_NAME, SourceKind};
use crate::sqlite;
use crate::store::{remove_tree, sync_dir, sync_file_system};
use crate::tree::Builder;
use crate::watch::{Point, Watch};

impl Replica {
    /// Copies every file that is new or changed on the copy that serves to `to`, under the path it has there; of a
    /// database the whole, as `database`. An earlier export at `to` is replaced. Nobody may be writing to the copy.
    /// [`crate::ErrorKind::NotServing`] if no copy serves.
    pub fn export(&self, to: &Path, watch: &dyn Watch) -> Result<()> {
        let promoted = self.serving()?;
        let mut name = to.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let part = to.with_file_name(name);
        let trouble = |e: io::Error| Error::io("cannot export what was made", &part, e);
        remove_tree(&part)?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&part).map_err(trouble)?;
        match self.kind {
            SourceKind::Sqlite => sqlite::backup(&promoted.tree.join(DATABASE_NAME), &part.join(DATABASE_NAME))?,
            SourceKind::Files => {
                let base = serving::manifest(&self.store, promoted)?;
                let unreadable = |e| Error::protocol("what was made is no tree").with(e);
                let made = Manifest::normalised(made(&base, self.look(promoted, watch)?)).map_err(unreadable)?;
                let mut copier = Copier::new(promoted.tree.clone(), &part, &made)?;
                let root = part.join("tree");
                let (bytes, half, changes) = (made.bytes(), Point::TreeHalfBuilt, Changes::whole(&made));
                Builder { root: &root, manifest: &made, changes: &changes, bytes, half, watch }.build(&mut copier)?;
            }
        }
        sync_file_system(&part)?;
        remove_tree(to)?;
        fs::rename(&part, to).map_err(trouble)?;
        to.parent().map_or(Ok(()), sync_dir)
    }
}

/// The entries that are not what they were, with the directories on the way to them.
fn made(base: &Manifest, now: Vec<Entry>) -> Vec<Entry> {
    let mut kept: Vec<Entry> = Vec::new();
    // From the end: what a directory leads to is known before it.
    for entry in now.into_iter().rev() {
        let leads = |below: &Entry| {
            let rest = below.path.as_bytes().strip_prefix(entry.path.as_bytes());
            entry.path.is_root() || rest.is_some_and(|rest| rest.first() == Some(&b'/'))
        };
        let stays = match entry.kind {
            EntryKind::Dir => entry.path.is_root() || kept.last().is_some_and(leads),
            _ => base.get(&entry.path).is_none_or(|old| old.kind != entry.kind),
        };
        if stays {
            kept.push(entry);
        }
    }
    kept.reverse();
    kept
}
