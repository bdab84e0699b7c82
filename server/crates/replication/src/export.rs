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

/// Beside an exported tree: the id of what it holds.
const CONTENT: &str = "content";

impl Replica {
    /// Copies every file that is new or changed on the copy that serves to `to`, under the path it has there; of a
    /// database the whole, as `database`. An earlier export at `to` is replaced, unless it holds exactly that already.
    /// Nobody may be writing to the copy.
    /// [`crate::ErrorKind::NotServing`] if no copy serves.
    pub fn export(&self, to: &Path, watch: &dyn Watch) -> Result<()> {
        let promoted = self.serving()?;
        let mut name = to.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let part = to.with_file_name(name);
        let trouble = |e: io::Error| Error::io("cannot export what was made", &part, e);
        let made = match self.kind {
            SourceKind::Sqlite => None,
            SourceKind::Files => {
                let base = serving::manifest(&self.store, promoted)?;
                let unreadable = |e| Error::protocol("what was made is no tree").with(e);
                Some(Manifest::normalised(made(&base, self.look(promoted, watch)?)).map_err(unreadable)?)
            }
        };
        let id = made.as_ref().map(|made| made.content_id().to_string());
        if id.is_some() && fs::read_to_string(to.join(CONTENT)).ok() == id {
            return Ok(());
        }
        remove_tree(&part)?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&part).map_err(trouble)?;
        match made {
            None => sqlite::backup(&promoted.tree.join(DATABASE_NAME), &part.join(DATABASE_NAME))?,
            Some(made) => {
                let mut copier = Copier::new(promoted.tree.clone(), &part, &made)?;
                let root = part.join("tree");
                let (bytes, half, changes) = (made.bytes(), Point::TreeHalfBuilt, Changes::whole(&made));
                Builder { root: &root, manifest: &made, changes: &changes, bytes, half, watch }.build(&mut copier)?;
                fs::write(part.join(CONTENT), id.unwrap_or_default()).map_err(trouble)?;
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
