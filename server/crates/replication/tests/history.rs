//! The partial forced sync: the recent past arrives, older history is never deleted, and a full one makes both equal.

#![allow(clippy::unwrap_used, reason = "test code")]

mod pair;

use std::fs;
use std::os::unix::net::UnixStream;
use std::thread;

use jiff::Timestamp;
use pair::{Pair, options, set_mtime};
use replication::{PullOptions, Pulled, Unwatched};

/// Two months before this, everything counts as older.
const CUTOFF: i64 = 1_000_000_000;

fn pull(pair: &mut Pair, generation: u64, recent: bool, heal: bool) -> Pulled {
    let capture = pair.capture();
    let keep_older = recent.then(|| Timestamp::from_second(CUTOFF).unwrap());
    let (mut here, mut there) = UnixStream::pair().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || capture.serve(&mut there, generation, &Unwatched).unwrap());
        pair.replica()
            .pull(&mut here, &PullOptions { keep_older, forget_older: heal && !recent, ..options(heal) }, &Unwatched)
            .unwrap()
    })
}

fn with_history() -> Pair {
    let mut pair = Pair::files();
    for (name, seconds) in [("2001/01/old.wav", CUTOFF - 1), ("2026/new.wav", CUTOFF + 1)] {
        pair.write(name, name);
        set_mtime(&pair.at(name), seconds, 0);
    }
    pull(&mut pair, 1, false, false);
    pair
}

#[test]
fn older_history_that_the_source_has_no_more_survives_a_recent_sync_and_the_rest_follows_the_source() {
    let mut pair = with_history();
    fs::remove_dir_all(pair.at("2001")).unwrap();
    fs::remove_file(pair.at("2026/new.wav")).unwrap();
    pair.write("2026/newer.wav", "newer");
    let pulled = pull(&mut pair, 2, true, true);
    assert_eq!((pulled.commit.generation, pulled.commit.files), (2, 2));
    assert_eq!(fs::read(pair.seen("2001/01/old.wav")).unwrap(), b"2001/01/old.wav");
    assert!(pair.seen("2026/newer.wav").exists() && !pair.seen("2026/new.wav").exists());
    assert_eq!(pair.replica().verify(&Unwatched).unwrap(), []);
}

#[test]
fn what_was_kept_stays_while_nothing_changes_also_after_a_restart_and_goes_with_a_full_sync() {
    let mut pair = with_history();
    fs::remove_dir_all(pair.at("2001")).unwrap();
    pull(&mut pair, 2, true, false);
    pair.reopen();
    let idle = pull(&mut pair, 2, false, false);
    assert!(!idle.changed && pair.seen("2001/01/old.wav").exists());
    let again = pull(&mut pair, 2, true, true);
    assert!(!again.changed && pair.seen("2001/01/old.wav").exists());
    let full = pull(&mut pair, 2, false, true);
    assert!(full.changed && !pair.seen("2001").exists());
    assert_eq!(full.commit.generation, 2, "the source's content is the same as before");
    pair.assert_equal();
    let again = pull(&mut pair, 2, false, true);
    assert!(!again.changed);
}

#[test]
fn what_was_kept_stays_through_every_change_at_the_source_and_goes_with_a_full_sync() {
    let mut pair = with_history();
    fs::remove_dir_all(pair.at("2001")).unwrap();
    pull(&mut pair, 2, true, false);
    for round in 3..6 {
        pair.write("2026/newer.wav", format!("newer in round {round}"));
        pair.reopen();
        assert!(pull(&mut pair, round, false, false).changed);
        assert_eq!(fs::read(pair.seen("2001/01/old.wav")).unwrap(), b"2001/01/old.wav", "round {round}");
        assert_eq!(pair.replica().verify(&Unwatched).unwrap(), []);
    }
    // A healing is no full sync.
    fs::write(pair.seen("2026/newer.wav"), "damaged").unwrap();
    let (capture, options) = (pair.capture(), options(true));
    let (healed, _) = pair::pull(pair.replica(), &capture, 6, options.heal, &Unwatched, &Unwatched);
    assert!(!healed.unwrap().healed.is_empty() && pair.seen("2001/01/old.wav").exists());
    // What is recent goes when the source has it no more.
    fs::remove_file(pair.at("2026/new.wav")).unwrap();
    pull(&mut pair, 7, false, false);
    assert!(!pair.seen("2026/new.wav").exists() && pair.seen("2001/01/old.wav").exists());
    pull(&mut pair, 8, false, true);
    assert!(!pair.seen("2001").exists());
    pair.assert_equal();
}

#[test]
fn an_old_file_that_was_renamed_and_old_hardlinks_are_kept_as_files_of_their_own() {
    let mut pair = with_history();
    for name in ["2001/01/a.wav", "2001/01/b.wav"] {
        fs::hard_link(pair.at("2001/01/old.wav"), pair.at(name)).unwrap();
    }
    pull(&mut pair, 2, false, false);
    fs::rename(pair.at("2001"), pair.at("1999")).unwrap();
    pull(&mut pair, 3, true, false);
    for dir in ["1999", "2001"] {
        for name in ["old.wav", "a.wav", "b.wav"] {
            assert_eq!(fs::read(pair.seen(dir).join("01").join(name)).unwrap(), b"2001/01/old.wav");
        }
    }
    assert_eq!(pair.replica().verify(&Unwatched).unwrap(), []);
}
