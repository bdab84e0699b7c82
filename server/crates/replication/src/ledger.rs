//! The ledger of an activation: what was made on the copy that serves, by comparison with the generation it was made
//! from. It refuses to call a change nothing: what cannot be compared counts as changed and says so.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use crate::baseline;
use crate::beneath::{Beneath, FileKey};
use crate::error::{Error, ErrorKind, Result};
use crate::excludes::Excludes;
use crate::manifest::{Entry, EntryKind, FileTime, Manifest};
use crate::path::TreePath;
use crate::replica::{BESIDE_A_DATABASE, Replica};
use crate::rows;
use crate::scan::Walk;
use crate::serving::{self, Promoted};
use crate::source::{DATABASE_NAME, SourceKind};
use crate::watch::{Phase, Tally, Watch};
use crate::xattr;

/// At most so many names are listed; all of them are counted.
const LISTED: usize = 1000;

/// Where SQLite keeps what is not in the database itself.
const WRITTEN_BESIDE: &[&str] = &["database-wal", "database-journal"];

/// What was made on a copy since it began to serve. Sockets and devices are not counted: services make them anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The activation.
    pub run: String,
    /// The generation it is compared with.
    pub generation: u64,
    /// Names that were not there before, with the bytes they hold.
    pub added: Count,
    /// Names with other content, type, permissions, owner, extended attributes or link text, with the bytes they hold
    /// now. A new time alone is no change.
    pub changed: Count,
    /// Names that are gone, with the bytes they held.
    pub removed: Count,
    /// The first 1,000 of these names, in the order of the tree.
    pub names: Vec<LedgerEntry>,
    /// For SQLite, what was written to the database; `None` where it holds what it held.
    pub database: Option<DatabaseLedger>,
}

impl Ledger {
    /// Whether nothing was made: a hand-back loses nothing.
    pub fn is_empty(&self) -> bool {
        [self.added, self.changed, self.removed].iter().all(|count| *count == Count::default())
            && self.database.is_none()
    }
}

/// How many names, and how much is in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Count {
    /// Everything that is no directory.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Bytes of content; of a file with several names once.
    pub bytes: u64,
}

/// One name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Relative to the root, escaped for display; empty for the root itself.
    pub path: String,
    /// What happened to it.
    pub change: Change,
    /// What it is now; for what is gone, what it was.
    pub kind: NameKind,
    /// Bytes of content; 0 for what has none.
    pub bytes: u64,
}

/// What happened to a name, or to a part of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was not there before.
    Added,
    /// It is not what it was.
    Changed,
    /// It is gone.
    Removed,
}

/// The type of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NameKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
}

/// What was written to a database.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DatabaseLedger {
    /// Tables whose rows are not what they were, by name.
    pub tables: Vec<TableLedger>,
    /// Changes of the schema, by type and name.
    pub schema: Vec<SchemaLedger>,
    /// Why the database could not be compared, in English, for a log. It then counts as a changed file, too.
    pub unreadable: Option<String>,
}

/// What was written to a table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TableLedger {
    /// Its name.
    pub name: String,
    /// Rows with a key that was not there before.
    pub added: u64,
    /// Rows that have the same key and are not what they were.
    pub changed: u64,
    /// Rows whose key is gone.
    pub removed: u64,
    /// Why its rows could not be compared, in English, for a log: it counts as changed.
    pub unreadable: Option<String>,
}

/// A change of the schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaLedger {
    /// SQLite's word: `table`, `index`, `view`, `trigger`, or `pragma` for a number in the header.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What happened to it.
    pub change: Change,
}

impl Replica {
    /// What was made on the copy that serves since it does, files or rows. Reads only what was opened for writing
    /// since. Services may be running and go on, except that who writes to a database without a write-ahead log waits
    /// until its rows are compared. [`ErrorKind::NotServing`] if no copy serves.
    pub fn ledger(&self, watch: &dyn Watch) -> Result<Ledger> {
        let promoted = self.serving()?;
        let base = serving::manifest(&self.store, promoted)?;
        let now = self.look(promoted, watch)?;
        let mut differences = compare(&base, &now);
        let database = match self.kind {
            SourceKind::Files => None,
            SourceKind::Sqlite => self.database(promoted, &mut differences, watch)?,
        };
        Ok(sum_up(promoted, differences, database))
    }

    /// The tree as it is now; content that nobody can have touched is not read.
    pub(crate) fn look(&self, promoted: &Promoted, watch: &dyn Watch) -> Result<Vec<Entry>> {
        let tree = &promoted.tree;
        let beside: Vec<String> = match self.kind {
            SourceKind::Files => Vec::new(),
            SourceKind::Sqlite => BESIDE_A_DATABASE.iter().map(|name| format!("/{name}")).collect(),
        };
        let excludes = Excludes::new(&beside)?;
        let trouble = |e: io::Error| Error::io("cannot read the serving copy", tree, e);
        let root = Beneath::open(tree).map_err(trouble)?;
        let stat = rustix::fs::fstat(root.root()).map_err(|e| trouble(e.into()))?;
        let known = baseline::read(&self.store.serving(&promoted.run), FileKey::of(&stat).dev);
        let cache = Arc::new(Mutex::new(known));
        // What the walk learns serves nobody later: it need not tell what may still change without a trace.
        let tally = Tally::new(watch, Phase::Verifying, None)?;
        let walk = Walk::new(tree, &excludes, &cache, FileTime::default(), tally);
        let found = walk.run(root.root()).map_err(|error| match error.kind() {
            ErrorKind::SourceUnreadable => {
                let path = error.path().unwrap_or(tree).to_path_buf();
                Error::new(ErrorKind::Io, "cannot read the serving copy").at(path).with(error)
            }
            _ => error,
        })?;
        Ok(found.entries)
    }

    /// What was written to the database. Its file counts as changed only where it cannot be compared by rows, or where
    /// something else than its content changed.
    fn database(
        &self,
        promoted: &Promoted,
        differences: &mut Vec<Difference>,
        watch: &dyn Watch,
    ) -> Result<Option<DatabaseLedger>> {
        let live = promoted.tree.join(DATABASE_NAME);
        let at = differences.iter().position(|one| one.path.as_bytes() == DATABASE_NAME.as_bytes());
        let written = at.is_some_and(|at| differences[at].content)
            || WRITTEN_BESIDE.iter().any(|name| holds_something(&promoted.tree.join(name)));
        let still_a_file = std::fs::symlink_metadata(&live).is_ok_and(|meta| meta.is_file());
        if !written || !still_a_file {
            return Ok(None);
        }
        let base = self.store.tree(promoted.generation).join(DATABASE_NAME);
        let ledger = match rows::compare(&base, &live, watch) {
            Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
            Err(error) => DatabaseLedger { unreadable: Some(error.chain()), ..DatabaseLedger::default() },
            Ok(ledger) => ledger,
        };
        match at {
            Some(at) if ledger.unreadable.is_none() && !differences[at].metadata => drop(differences.remove(at)),
            None if ledger.unreadable.is_some() => differences.extend(Difference::of_database(&live)),
            _ => {}
        }
        Ok((ledger != DatabaseLedger::default()).then_some(ledger))
    }
}

fn holds_something(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.len() > 0)
}

/// One name that is not what it was.
struct Difference {
    path: TreePath,
    change: Change,
    kind: NameKind,
    bytes: u64,
    /// Another name of a file that is counted already.
    counted: bool,
    content: bool,
    metadata: bool,
}

impl Difference {
    fn new(entry: &Entry, change: Change, content: bool, metadata: bool, counted: bool) -> Self {
        let (kind, bytes) = match entry.kind {
            EntryKind::Dir => (NameKind::Directory, 0),
            EntryKind::File { size, .. } => (NameKind::File, size),
            EntryKind::Symlink { .. } => (NameKind::Symlink, 0),
            EntryKind::Fifo { .. } => (NameKind::Fifo, 0),
        };
        Self { path: entry.path.clone(), change, kind, bytes, counted, content, metadata }
    }

    /// The database, changed in a way that shows only beside it.
    fn of_database(live: &Path) -> Option<Self> {
        let path = TreePath::parse(DATABASE_NAME.as_bytes()).ok()?;
        let bytes = std::fs::metadata(live).map_or(0, |meta| meta.len());
        let (change, kind) = (Change::Changed, NameKind::File);
        Some(Self { path, change, kind, bytes, counted: false, content: true, metadata: false })
    }
}

/// Both in walk order.
fn compare(base: &Manifest, now: &[Entry]) -> Vec<Difference> {
    let mut all = Vec::new();
    let (mut groups_before, mut groups_now) = (HashSet::new(), HashSet::new());
    let mut old = base.entries().iter().peekable();
    let as_root = rustix::process::geteuid().is_root();
    let removed = |entry: &Entry, groups: &mut HashSet<u32>| {
        Difference::new(entry, Change::Removed, true, true, again(entry, groups))
    };
    for entry in now {
        while let Some(gone) = old.next_if(|old| old.path < entry.path) {
            all.push(removed(gone, &mut groups_before));
        }
        match old.next_if(|old| old.path == entry.path) {
            None => all.push(Difference::new(entry, Change::Added, true, true, again(entry, &mut groups_now))),
            Some(before) => {
                let content = !same_content(&before.kind, &entry.kind);
                let metadata = (before.mode, before.uid, before.gid) != (entry.mode, entry.uid, entry.gid)
                    || !xattr::differ(&before.xattrs, &entry.xattrs, as_root).is_empty();
                if content || metadata {
                    let counted = again(entry, &mut groups_now);
                    all.push(Difference::new(entry, Change::Changed, content, metadata, counted));
                }
            }
        }
    }
    all.extend(old.map(|gone| removed(gone, &mut groups_before)));
    all
}

/// Whether an earlier name of the same file has been seen.
fn again(entry: &Entry, groups: &mut HashSet<u32>) -> bool {
    matches!(entry.kind, EntryKind::File { group: group @ 1.., .. } if !groups.insert(group))
}

fn same_content(a: &EntryKind, b: &EntryKind) -> bool {
    match (a, b) {
        (EntryKind::File { size: a, hash: x, .. }, EntryKind::File { size: b, hash: y, .. }) => a == b && x == y,
        (EntryKind::Symlink { target: a, .. }, EntryKind::Symlink { target: b, .. }) => a == b,
        (EntryKind::Fifo { .. }, EntryKind::Fifo { .. }) => true,
        (a, b) => a == b,
    }
}

fn sum_up(promoted: &Promoted, differences: Vec<Difference>, database: Option<DatabaseLedger>) -> Ledger {
    let mut ledger = Ledger {
        run: promoted.run.clone(),
        generation: promoted.generation,
        added: Count::default(),
        changed: Count::default(),
        removed: Count::default(),
        names: Vec::new(),
        database,
    };
    for one in differences {
        let count = match one.change {
            Change::Added => &mut ledger.added,
            Change::Changed => &mut ledger.changed,
            Change::Removed => &mut ledger.removed,
        };
        match one.kind {
            NameKind::Directory => count.directories += 1,
            _ => count.files += 1,
        }
        count.bytes += if one.counted { 0 } else { one.bytes };
        if ledger.names.len() < LISTED {
            let path = one.path.to_string();
            ledger.names.push(LedgerEntry { path, change: one.change, kind: one.kind, bytes: one.bytes });
        }
    }
    ledger
}
