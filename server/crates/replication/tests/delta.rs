//! Large files that changed: only what is new of them travels, and what is put together is exact or refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use pair::{Pair, set_mtime};
use proptest::prelude::*;
use replication::{ErrorKind, Source, Unwatched};

const PAGE: usize = 4096;

/// Bytes that do not compress, the same ones for the same seed.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut out);
    out
}

/// Writes new content over every hundredth page and says how many bytes that were.
fn change_one_percent(content: &mut [u8], seed: u64) -> u64 {
    let mut changed = 0;
    for page in content.chunks_mut(PAGE).skip(17).step_by(100) {
        page.copy_from_slice(&noise(seed + changed, page.len()));
        changed += page.len() as u64;
    }
    changed
}

/// Syncs, asserts that the replica is exact, and gives the bytes that came.
fn synced(pair: &mut Pair, name: &str, content: &[u8]) -> u64 {
    let pulled = pair.sync().unwrap();
    assert!(fs::read(pair.seen(name)).unwrap() == content, "the replica is another one");
    pulled.received_bytes
}

/// The committed file itself.
fn committed(pair: &mut Pair, name: &str) -> PathBuf {
    pair.replica().restore_points().unwrap().last().unwrap().tree.join(name)
}

#[test]
fn of_a_file_with_one_percent_of_its_pages_changed_little_more_than_that_travels() {
    let mut pair = Pair::files();
    let mut content = noise(1, 32 << 20);
    pair.write("image", &content);
    pair.sync().unwrap();
    for round in 0..2 {
        let changed = change_one_percent(&mut content, 100 + round);
        pair.write("image", &content);
        let received = synced(&mut pair, "image", &content);
        assert!(received * 100 <= changed * 105, "{received} bytes for {changed}");
    }
    pair.assert_equal();
}

#[test]
fn a_source_that_was_restarted_learns_the_blocks_from_the_replica() {
    let mut pair = Pair::files();
    let mut content = noise(2, 8 << 20);
    pair.write("image", &content);
    pair.sync().unwrap();
    pair.source = Source::new(pair.source.spec().clone(), pair.dir.path().join("scratch")).unwrap();
    let changed = change_one_percent(&mut content, 7);
    pair.write("image", &content);
    let received = synced(&mut pair, "image", &content);
    assert!(received * 100 <= changed * 106, "{received} bytes for {changed}");
}

#[test]
fn what_moved_within_a_file_does_not_travel_again() {
    let mut pair = Pair::files();
    let old = noise(3, 4 << 20);
    let mut new = b"a line at the front".to_vec();
    new.extend_from_slice(&old[..1 << 20]);
    // Something taken out, something put in, and the end moved to the middle.
    new.extend_from_slice(&old[(1 << 20) + 5000..3 << 20]);
    new.extend_from_slice(b"in the middle");
    new.extend_from_slice(&old[3 << 20..]);
    for restarted in [false, true] {
        pair.write("dump", &old);
        synced(&mut pair, "dump", &old);
        if restarted {
            pair.source = Source::new(pair.source.spec().clone(), pair.dir.path().join("scratch")).unwrap();
        }
        pair.write("dump", &new);
        let received = synced(&mut pair, "dump", &new);
        assert!(received < 400_000, "{received} bytes for three small edits (restarted: {restarted})");
    }
}

#[test]
fn a_file_that_grew_or_was_cut_off_sends_what_is_new() {
    let mut pair = Pair::files();
    let content = noise(4, 6 << 20);
    pair.write("log", &content[..4_000_000]);
    pair.sync().unwrap();
    pair.write("log", &content);
    let received = synced(&mut pair, "log", &content);
    assert!(received < 2_400_000, "{received} bytes for 2.3 MB more");
    pair.write("log", &content[..1_000_001]);
    let received = synced(&mut pair, "log", &content[..1_000_001]);
    assert!(received < 20_000, "{received} bytes for a file that was cut off");
    pair.write("log", b"");
    synced(&mut pair, "log", b"");
}

#[test]
fn old_content_that_rotted_is_not_built_upon_and_the_next_pull_does_without() {
    let mut pair = Pair::files();
    let mut content = noise(5, 2 << 20);
    pair.write("image", &content);
    pair.sync().unwrap();
    // One bit of the committed file, with the time it had.
    let path = committed(&mut pair, "image");
    let meta = fs::metadata(&path).unwrap();
    let file = fs::File::options().read(true).write(true).open(&path).unwrap();
    file.write_all_at(&[content[1_000_000] ^ 4], 1_000_000).unwrap();
    drop(file);
    let (seconds, nanoseconds) = {
        use std::os::unix::fs::MetadataExt;
        (meta.mtime(), meta.mtime_nsec())
    };
    set_mtime(&path, seconds, nanoseconds);
    content[0] ^= 1;
    pair.write("image", &content);
    assert_eq!(pair.sync().unwrap_err().kind(), ErrorKind::HashMismatch);
    assert_eq!(pair.replica().committed().unwrap().generation, 1, "nothing of it was committed");
    pair.reopen();
    let received = synced(&mut pair, "image", &content);
    assert!(received > 2 << 20, "all of it travelled, {received} bytes");
    // And from there on little travels again.
    content[5] ^= 1;
    pair.write("image", &content);
    assert!(synced(&mut pair, "image", &content) < 20_000);
    pair.assert_equal();
}

#[test]
fn a_file_that_changes_while_it_travels_is_told_by_its_old_content_too() {
    struct Scribble(PathBuf, Vec<u8>);
    impl replication::Watch for Scribble {
        fn reached(&self, point: replication::Point) -> bool {
            if point == replication::Point::Offered {
                fs::write(&self.0, &self.1).unwrap();
            }
            true
        }
    }
    let mut pair = Pair::files();
    let mut content = noise(6, 4 << 20);
    pair.write("log", &content);
    pair.sync().unwrap();
    content[10] ^= 1;
    pair.write("log", &content);
    content.extend_from_slice(b"one more line");
    let scribble = Scribble(pair.at("log"), content.clone());
    let (pulled, served) = pair.sync_watched(false, &Unwatched, &scribble);
    assert_eq!(served.unwrap().unwrap().amended, 1);
    let received = pulled.unwrap().received_bytes;
    assert!(received < 40_000, "{received} bytes");
    assert!(fs::read(pair.seen("log")).unwrap() == content);
    pair.assert_equal();
}

#[derive(Debug, Clone)]
enum Edit {
    Write(prop::sample::Index, usize),
    Insert(prop::sample::Index, usize),
    Remove(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
    Cut(prop::sample::Index),
    Grow(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), 1usize..20_000).prop_map(|(at, len)| Edit::Write(at, len)),
        (at(), 1usize..20_000).prop_map(|(at, len)| Edit::Insert(at, len)),
        (at(), 1usize..100_000).prop_map(|(at, len)| Edit::Remove(at, len)),
        (at(), 1usize..100_000).prop_map(|(at, len)| Edit::Repeat(at, len)),
        at().prop_map(Edit::Cut),
        (1usize..400_000).prop_map(Edit::Grow),
    ]
}

fn apply(content: &mut Vec<u8>, edit: &Edit, seed: u64) {
    let place = |at: &prop::sample::Index, len: usize| {
        let at = at.index(content.len().max(1)).min(content.len());
        at..(at + len).min(content.len())
    };
    match edit {
        Edit::Write(at, len) => {
            let range = place(at, *len);
            let new = noise(seed, range.len());
            content[range].copy_from_slice(&new);
        }
        Edit::Insert(at, len) => {
            let at = place(at, 0).start;
            content.splice(at..at, noise(seed, *len));
        }
        Edit::Remove(at, len) => drop(content.drain(place(at, *len))),
        Edit::Repeat(at, len) => {
            let piece = content[place(at, *len)].to_vec();
            content.extend_from_slice(&piece);
        }
        Edit::Cut(at) => content.truncate(place(at, 0).start),
        Edit::Grow(len) => content.extend(noise(seed, *len)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_to_a_file_the_replica_is_exact(
        size in 200_000usize..1_500_000,
        rounds in prop::collection::vec((prop::collection::vec(edit(), 1..4), any::<bool>()), 1..4),
    ) {
        let mut pair = Pair::files();
        let mut content = noise(size as u64, size);
        pair.write("f", &content);
        synced(&mut pair, "f", &content);
        for (round, (edits, restarted)) in rounds.iter().enumerate() {
            for (n, edit) in edits.iter().enumerate() {
                apply(&mut content, edit, (round * 10 + n) as u64);
            }
            if *restarted {
                pair.source = Source::new(pair.source.spec().clone(), pair.dir.path().join("scratch")).unwrap();
            }
            pair.write("f", &content);
            synced(&mut pair, "f", &content);
        }
        pair.assert_equal();
    }
}
