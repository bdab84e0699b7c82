//! A verification in small pieces, for a caller that wants to re-read a whole replica over hours or days and let pulls
//! in between. It refuses to remember anything: where to go on is given back, and the caller keeps it.

use crate::difference::{Difference, DifferenceKind, Found, inspect_part};
use crate::error::{ErrorKind, Result};
use crate::manifest::{Entry, EntryKind};
use crate::path::TreePath;
use crate::replica::{BESIDE_A_DATABASE, Replica};
use crate::source::SourceKind;
use crate::watch::Watch;

/// What looking at one name costs beside its bytes, in bytes that could have been read instead.
const NAME_COST: u64 = 4096;

/// One piece.
#[derive(Debug)]
pub struct Scrubbed {
    /// What differs from the manifest of the newest generation.
    pub differences: Vec<Difference>,
    /// The last name looked at; `None` when that was the end of the tree.
    pub next: Option<TreePath>,
    /// Names of regular files read.
    pub files: u64,
    /// Bytes of content read.
    pub bytes: u64,
    /// What the piece cost, in the unit of the budget.
    pub cost: u64,
}

/// What reading a tree of so many files and bytes costs.
#[must_use]
pub const fn scrub_cost(files: u64, bytes: u64) -> u64 {
    bytes.saturating_add(files.saturating_mul(NAME_COST))
}

fn cost(entry: &Entry) -> (u64, u64, u64) {
    match entry.kind {
        EntryKind::File { size, .. } => (1, size, scrub_cost(1, size)),
        _ => (0, 0, NAME_COST),
    }
}

impl Replica {
    /// Re-reads and re-hashes the names of the newest generation that come after `after`, until the budget is spent; at
    /// least one. A name that comes and goes with a generation in between does no harm: the order is that of the names.
    pub fn scrub(&self, after: Option<&TreePath>, budget: u64, watch: &dyn Watch) -> Result<Scrubbed> {
        let commit = self.newest()?;
        let manifest = match self.store.manifest(commit) {
            Err(error) if error.kind() == ErrorKind::StoreDamaged => {
                let lost = Difference { path: String::new(), what: DifferenceKind::Missing, detail: error.chain() };
                return Ok(Scrubbed { differences: vec![lost], next: None, files: 0, bytes: 0, cost: NAME_COST });
            }
            manifest => manifest?,
        };
        let entries = manifest.entries();
        let from = after.map_or(0, |after| entries.partition_point(|entry| entry.path <= *after));
        let (mut files, mut bytes, mut spent, mut to) = (0_u64, 0_u64, 0_u64, from);
        while let Some(entry) = entries.get(to)
            && (to == from || spent < budget)
        {
            let (file, size, cost) = cost(entry);
            (files, bytes, spent) = (files + file, bytes.saturating_add(size), spent.saturating_add(cost));
            to += 1;
        }
        let ignored = if self.kind == SourceKind::Sqlite { BESIDE_A_DATABASE } else { &[] };
        let tree = self.store.tree(commit.generation);
        let mut found = inspect_part(&manifest, &entries[from..to], &tree, ignored, watch)?;
        if self.kind == SourceKind::Sqlite {
            // Making and removing those files stamps the directory.
            found.retain(|(path, one)| !(path.is_root() && one.what == DifferenceKind::ModifiedTime));
        }
        let next = (to < entries.len()).then(|| entries[to - 1].path.clone());
        let differences = found.into_iter().map(|(_, difference): Found| difference).collect();
        Ok(Scrubbed { differences, next, files, bytes, cost: spent })
    }
}
