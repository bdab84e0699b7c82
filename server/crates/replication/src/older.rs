//! Keeping what is older: a partial forced sync brings the recent past and never deletes the rest. What the source has
//! no more, but was last written before a given time, stays; everything the source does have is as the source has it.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;

use crate::error::{Error, Result};
use crate::manifest::{Entry, EntryKind, FileTime, Manifest};
use crate::path::TreePath;

/// What the source sent, and what of `held` is kept beside it.
pub(crate) fn with(sent: Manifest, held: Option<&Manifest>, before: Option<Timestamp>) -> Result<Manifest> {
    match (before, held) {
        (Some(before), Some(held)) => keep(&sent, held, FileTime { seconds: before.as_second(), nanoseconds: 0 }),
        _ => Ok(sent),
    }
}

/// `offered`, and those names of `held` that it lacks and that were last written before `before`, with the directories
/// they lie in.
fn keep(offered: &Manifest, held: &Manifest, before: FileTime) -> Result<Manifest> {
    let mut names: BTreeMap<&TreePath, &Entry> = offered.entries().iter().map(|entry| (&entry.path, entry)).collect();
    let mut kept: HashSet<&TreePath> = HashSet::new();
    for entry in held.entries() {
        let old = (entry.mtime.seconds, entry.mtime.nanoseconds) < (before.seconds, before.nanoseconds);
        if entry.kind == EntryKind::Dir || names.contains_key(&entry.path) || !old {
            continue;
        }
        // The way down to it, as far as the source has it no more. Where the source now has something else than a
        // directory on that way, the source wins.
        let above: Vec<&Entry> = ancestors(held, &entry.path);
        let blocked = above.iter().any(|dir| names.get(&dir.path).is_some_and(|now| now.kind != EntryKind::Dir));
        if blocked {
            continue;
        }
        for dir in above {
            names.entry(&dir.path).or_insert(dir);
        }
        names.insert(&entry.path, entry);
        kept.insert(&entry.path);
    }
    let entries = names
        .into_iter()
        .map(|(path, entry)| {
            let mut entry = entry.clone();
            // Several names of one old file become files of their own: their group is the other manifest's number.
            if kept.contains(path) {
                entry.kind.set_group(0);
            }
            entry
        })
        .collect();
    Manifest::normalised(entries).map_err(|e| Error::protocol("what is kept does not make a tree").with(e))
}

/// The directories above a path, from the root down.
fn ancestors<'m>(manifest: &'m Manifest, path: &TreePath) -> Vec<&'m Entry> {
    let mut above = Vec::new();
    let mut at = TreePath::root();
    for name in path.names() {
        above.extend(manifest.get(&at));
        match at.join(name) {
            Ok(next) => at = next,
            Err(_) => break,
        }
    }
    above
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::ContentHash;
    use crate::xattr::Xattrs;

    fn entry(path: &str, kind: EntryKind, seconds: i64) -> Entry {
        let path = if path.is_empty() { TreePath::root() } else { TreePath::parse(path.as_bytes()).unwrap() };
        Entry {
            path,
            kind,
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: FileTime { seconds, nanoseconds: 0 },
            xattrs: Xattrs::default(),
        }
    }

    fn file(path: &str, seconds: i64) -> Entry {
        entry(path, EntryKind::File { size: 1, hash: ContentHash([7; 32]), group: 0 }, seconds)
    }

    fn tree(mut entries: Vec<Entry>) -> Manifest {
        entries.push(entry("", EntryKind::Dir, 0));
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Manifest::normalised(entries).unwrap()
    }

    fn names(manifest: &Manifest) -> Vec<String> {
        manifest.entries().iter().skip(1).map(|entry| entry.path.to_string()).collect()
    }

    #[test]
    fn what_is_old_and_gone_at_the_source_stays_and_what_is_recent_and_gone_goes() {
        let held = tree(vec![entry("y", EntryKind::Dir, 5), file("y/old", 5), file("y/new", 50), file("same", 5)]);
        let offered = tree(vec![file("same", 60)]);
        let merged = keep(&offered, &held, FileTime { seconds: 10, nanoseconds: 0 }).unwrap();
        assert_eq!(names(&merged), ["same", "y", "y/old"]);
        let same = merged.get(&TreePath::parse(b"same").unwrap()).unwrap();
        assert_eq!(same.mtime.seconds, 60, "what the source has is as the source has it");
    }

    #[test]
    fn the_source_wins_where_a_directory_became_a_file() {
        let held = tree(vec![entry("d", EntryKind::Dir, 5), file("d/old", 5)]);
        let offered = tree(vec![file("d", 60)]);
        assert_eq!(names(&keep(&offered, &held, FileTime { seconds: 10, nanoseconds: 0 }).unwrap()), ["d"]);
    }
}
