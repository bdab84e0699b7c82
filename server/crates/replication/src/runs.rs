//! The id of a tree, made so that a small change costs little: entries are hashed in runs, each of which begins with a
//! directory, and the id is the hash over the hashes of the runs. It refuses to be anything but a function of the entries.

use crate::encoding::{MAGIC, VERSION, encode_entry};
use crate::id::ContentId;
use crate::manifest::{Entry, EntryKind};

/// A directory and the entries that follow it up to the next directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// How many entries.
    pub(crate) len: usize,
    pub(crate) hash: [u8; 32],
}

/// Entries that are the same in an older manifest, at another place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) len: usize,
}

/// The runs of a tree.
pub(crate) fn of(entries: &[Entry]) -> Vec<Run> {
    again(entries, &[], &[])
}

/// The runs of a tree of which some entries are those of an older one: what they have in common is not hashed again.
pub(crate) fn again(entries: &[Entry], kept: &[Kept], older: &[Run]) -> Vec<Run> {
    let mut runs = Vec::with_capacity(older.len() + 1);
    let mut kept = kept.iter().peekable();
    let mut older = older
        .iter()
        .scan(0, |next, run| {
            let start = *next;
            *next += run.len;
            Some((start, run))
        })
        .peekable();
    let mut encoded = Vec::new();
    let mut at = 0;
    while at < entries.len() {
        let rest = &entries[at + 1..];
        let len = 1 + rest.iter().position(|entry| entry.kind == EntryKind::Dir).unwrap_or(rest.len());
        while kept.next_if(|span| span.to + span.len < at + len).is_some() {}
        let known = kept.peek().filter(|span| span.to <= at).and_then(|span| {
            let start = span.from + (at - span.to);
            while older.next_if(|(old, _)| *old < start).is_some() {}
            older.peek().filter(|(old, run)| *old == start && run.len == len).map(|(_, run)| **run)
        });
        runs.push(known.unwrap_or_else(|| {
            encoded.clear();
            entries[at..at + len].iter().for_each(|entry| encode_entry(&mut encoded, entry));
            Run { len, hash: *blake3::hash(&encoded).as_bytes() }
        }));
        at += len;
    }
    runs
}

/// No encoded entry begins as this does, so that no tree can pass for the runs of another.
pub(crate) fn id(runs: &[Run]) -> ContentId {
    let mut hasher = blake3::Hasher::new();
    hasher.update(MAGIC).update(&[VERSION]);
    for run in runs {
        hasher.update(&run.hash);
    }
    ContentId(*hasher.finalize().as_bytes())
}
