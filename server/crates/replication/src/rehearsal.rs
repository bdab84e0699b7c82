//! A promotion that nobody ever sees: the newest generation is copied as it would be on the worst day, checked, and
//! thrown away. It takes no hold of the replica while it copies, and refuses to be in the way of one that is meant.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::difference::Difference;
use crate::error::{Error, Result};
use crate::manifest::Manifest;
use crate::promote::Copying;
use crate::replica::Replica;
use crate::serving::check_run;
use crate::source::{DATABASE_NAME, SourceKind};
use crate::sqlite;
use crate::store::{REHEARSAL, remove_tree};
use crate::watch::Watch;

/// A promotion of the newest generation that can be tried while pulls go on. Its generation must not be pruned meanwhile.
#[derive(Debug)]
pub struct Rehearsal {
    kind: SourceKind,
    generation: u64,
    from: PathBuf,
    hidden: PathBuf,
    manifest: Result<Manifest>,
}

/// What one has come to. The copy stays on disk until [`Replica::drop_rehearsals`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsed {
    /// The generation that was copied.
    pub generation: u64,
    /// Names of regular files.
    pub files: u64,
    /// Bytes of content.
    pub bytes: u64,
    /// What is damaged in that generation; an empty path: its list.
    pub damaged: Vec<Difference>,
}

impl Replica {
    /// Sets a rehearsal of the newest generation up, under the name of a run.
    /// [`crate::ErrorKind::NothingCommitted`] if there is none, [`crate::ErrorKind::Serving`] while a copy serves.
    pub fn rehearse(&self, run: &str) -> Result<Rehearsal> {
        check_run(run)?;
        self.refuse_while_serving("nothing is rehearsed while this machine serves")?;
        let commit = self.newest()?;
        Ok(Rehearsal {
            kind: self.kind,
            generation: commit.generation,
            from: self.store.tree(commit.generation),
            hidden: self.store.serving_aside(run, REHEARSAL),
            manifest: self.store.manifest(commit),
        })
    }

    /// Throws away what rehearsals have copied.
    pub fn drop_rehearsals(&self) -> Result<()> {
        let dir = self.store.servings();
        let trouble = |e: io::Error| Error::io("cannot read the store of the replica", &dir, e);
        let items = match fs::read_dir(&dir) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            items => items.map_err(trouble)?,
        };
        for item in items {
            let path = item.map_err(trouble)?.path();
            if path.extension().is_some_and(|extension| extension == REHEARSAL) {
                remove_tree(&path)?;
            }
        }
        Ok(())
    }
}

impl Rehearsal {
    /// The generation that it copies.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Makes the copy durable, re-hashing what it copies, and has SQLite check a database. Nothing is left of one that fails.
    /// [`crate::ErrorKind::DiskFull`] where a promotion with this reserve would find no room,
    /// [`crate::ErrorKind::DatabaseCorrupt`] where a database does not pass its check.
    pub fn run(self, reserve_bytes: u64, watch: &dyn Watch) -> Result<Rehearsed> {
        let (hidden, generation) = (self.hidden.clone(), self.generation);
        let made = self.make(reserve_bytes, watch);
        if made.is_err()
            && let Err(left) = remove_tree(&hidden)
        {
            tracing::warn!(error = left.chain(), "half a rehearsal stays until the next attempt");
        }
        let (manifest, damaged) = made?;
        Ok(Rehearsed { generation, files: manifest.files(), bytes: manifest.bytes(), damaged })
    }

    fn make(self, reserve_bytes: u64, watch: &dyn Watch) -> Result<(Manifest, Vec<Difference>)> {
        let (hidden, kind) = (self.hidden.as_path(), self.kind);
        remove_tree(hidden)?;
        fs::create_dir_all(hidden).map_err(|e| Error::io("cannot make the copy of a rehearsal", hidden, e))?;
        let made = Copying { from: self.from, hidden, kind, reserve_bytes, watch }.run(self.manifest)?;
        if kind == SourceKind::Sqlite && made.1.is_empty() {
            sqlite::quick_check(&hidden.join("tree").join(DATABASE_NAME))?;
        }
        Ok(made)
    }
}
