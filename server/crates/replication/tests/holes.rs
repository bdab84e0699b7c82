//! Files with holes: what was never written costs nothing, on either side, however long it is.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::Duration;

use pair::Pair;
use replication::Unwatched;

const TERABYTE: u64 = 1 << 40;
const BLOCK: usize = 256 * 1024;

/// A file of this length with a word at some places.
fn sparse(path: &Path, len: u64, words: &[(u64, &str)]) {
    let file = File::create(path).unwrap();
    file.set_len(len).unwrap();
    words.iter().for_each(|(at, word)| file.write_all_at(word.as_bytes(), *at).unwrap());
}

fn word(path: &Path, at: u64, len: usize) -> String {
    let mut word = vec![0; len];
    File::open(path).unwrap().read_exact_at(&mut word, at).unwrap();
    String::from_utf8(word).unwrap()
}

/// Nothing of it may be read or written but the words: whoever did would be at it for minutes.
#[test]
fn a_terabyte_of_nothing_costs_nothing() {
    let mut pair = Pair::files();
    let (middle, end) = (TERABYTE / 3, TERABYTE - 3);
    sparse(&pair.at("image"), TERABYTE, &[(0, "begin"), (middle, "middle"), (end, "end")]);
    sparse(&pair.at("nothing"), TERABYTE - 7, &[]);
    let capture = pair.capture();
    assert!(capture.hashed_bytes < 4 << 20, "{} bytes were read", capture.hashed_bytes);
    let pulled = pair.sync().unwrap();
    assert!(pulled.received_bytes < 64 << 10, "{} bytes travelled", pulled.received_bytes);
    let seen = pair.seen("image");
    let look = |path: &Path, middle: &str| {
        let meta = fs::metadata(path).unwrap();
        assert_eq!((meta.len(), word(path, 0, 5).as_str(), word(path, end, 3).as_str()), (TERABYTE, "begin", "end"));
        assert_eq!(word(path, TERABYTE / 3, 6), middle);
        assert!(meta.blocks() * 512 < 1 << 20, "{} bytes on the disk", meta.blocks() * 512);
    };
    look(&seen, "middle");
    assert_eq!(fs::metadata(pair.seen("nothing")).unwrap().len(), TERABYTE - 7);

    // A change in it, told by blocks.
    let file = OpenOptions::new().write(true).open(pair.at("image")).unwrap();
    file.write_all_at(b"centre", middle).unwrap();
    let pulled = pair.sync().unwrap();
    assert!(pulled.changed && pulled.received_bytes < 64 << 10, "{} bytes travelled", pulled.received_bytes);
    look(&pair.seen("image"), "centre");
    pair.assert_equal();

    // Read again, and copied for who is to serve.
    let replica = pair.replica();
    assert_eq!(replica.scrub(None, u64::MAX, &Unwatched).unwrap().differences.len(), 0);
    let generation = replica.committed().unwrap().generation;
    let serving = replica.promote("run", Some(generation), 0, pair::now(), &Unwatched).unwrap();
    look(&serving.tree.join("image"), "centre");
}

#[test]
fn zeros_are_the_same_written_or_not_and_content_goes_over_to_them_and_back() {
    let mut pair = Pair::files();
    let full: Vec<u8> = (0..8 * BLOCK as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 | 1).collect();
    let mut holed = full.clone();
    holed[BLOCK..4 * BLOCK].fill(0);
    holed[5 * BLOCK + 100..7 * BLOCK + 100].fill(0);
    let mut shifted = holed.clone();
    shifted.splice(..0, *b"inserted before");
    for (what, content) in [("full", &full), ("holed", &holed), ("shifted", &shifted), ("full again", &full)] {
        pair.write("file", content);
        pair.sync().unwrap();
        assert!(fs::read(pair.seen("file")).unwrap() == *content, "{what}");
        pair.assert_equal();
    }
    pair.write("file", &holed);
    let written = pair.sync().unwrap().commit.content_id;
    let mtime = fs::metadata(pair.at("file")).unwrap();
    sparse(&pair.at("file"), holed.len() as u64, &[]);
    let file = OpenOptions::new().write(true).open(pair.at("file")).unwrap();
    for block in (0..holed.len()).step_by(4096).filter(|at| holed[*at..*at + 4096].iter().any(|byte| *byte != 0)) {
        file.write_all_at(&holed[block..block + 4096], block as u64).unwrap();
    }
    pair::set_mtime(&pair.at("file"), mtime.mtime(), mtime.mtime_nsec());
    assert_eq!(pair.capture().manifest.content_id(), written, "where the holes are does not matter");
}

/// A stream that is cut in the middle of such a file goes on behind it.
#[test]
fn a_file_with_holes_is_taken_up_again_where_it_was_cut_off() {
    let mut pair = Pair::files();
    let noise: Vec<u8> = (0..3 * BLOCK as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 | 1).collect();
    let file = File::create(pair.at("file")).unwrap();
    file.write_all_at(&noise, 0).unwrap();
    file.write_all_at(&noise, TERABYTE).unwrap();
    let bomb = pair::Bomb::new(replication::Point::ObjectSent, 1);
    assert!(pair.sync_watched(false, &Unwatched, &bomb).0.is_err());
    pair.reopen();
    pair.sync().unwrap();
    pair.assert_equal();
    pair.replica().prune(1, pair::now(), Duration::ZERO).unwrap();
    assert!(fs::metadata(pair.seen("file")).unwrap().blocks() * 512 < 4 << 20);
}
