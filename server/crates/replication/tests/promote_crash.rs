//! Crashes of an activation: killed anywhere, readers see either a whole generation or the whole copy that serves, and
//! the same call again finishes. A full disk is said beforehand, and half a copy does not stay.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::SignedDuration;
use pair::{Bomb, Filler, Pair, Small, list, now};
use replication::{ErrorKind, Point, Replica, SourceKind, Unwatched};

const COPYING: &[Point] = &[Point::TreeHalfBuilt, Point::TreeBuilt, Point::Synced, Point::RecordWritten];
const DONE: &[Point] = &[Point::Promoted, Point::Flipped];

fn promoting() -> impl Iterator<Item = Point> {
    COPYING.iter().chain(DONE).copied()
}

fn with_data() -> Pair {
    let mut pair = Pair::files();
    for i in 0..40 {
        pair.write(&format!("dir-{}/file-{i}", i % 4), format!("{i}").repeat(500));
    }
    pair.write("large", vec![3u8; 2_500_000]);
    pair.sync().unwrap();
    pair
}

/// After a crash at this point: what counts, what readers see, and that the same call finishes what was begun.
fn assert_finishes(pair: &mut Pair, point: Point) {
    let seen = fs::read_link(pair.dir.path().join("store/current")).unwrap();
    if DONE.contains(&point) {
        assert_eq!(pair.replica().promoted().expect("promoted").run, "run-1", "{point:?}");
        assert_eq!(seen, PathBuf::from("serving/run-1/tree"), "{point:?}");
    } else {
        assert_eq!(pair.replica().promoted(), None, "{point:?}");
        assert_eq!(list(&pair.dir.path().join("store/serving")), [""; 0], "{point:?}: half a copy stays");
        assert_eq!(seen, PathBuf::from("generations/1/tree"), "{point:?}");
    }
    assert_eq!(pair.replica().verify(&Unwatched).unwrap(), [], "{point:?}");
    let promoted = pair.replica().promote("run-1", None, 0, now(), &Unwatched).unwrap();
    assert_eq!(fs::read(pair.seen("large")).unwrap(), vec![3u8; 2_500_000], "{point:?}");
    assert_eq!(fs::canonicalize(pair.seen("")).unwrap(), promoted.tree, "{point:?}");
    assert_eq!(list(&pair.dir.path().join("store/serving")), ["run-1"], "{point:?}");
    assert!(pair.replica().ledger(&Unwatched).unwrap().is_empty(), "{point:?}");
}

#[test]
fn stopped_at_any_point_a_promotion_is_done_or_not_begun_with_and_without_a_restart() {
    for point in promoting() {
        for restart in [true, false] {
            let mut pair = with_data();
            let stopped = pair.replica().promote("run-1", None, 0, now(), &Bomb::new(point, 1));
            assert_eq!(stopped.expect_err("reached").kind(), ErrorKind::Cancelled, "{point:?}");
            if restart {
                pair.reopen();
                assert_finishes(&mut pair, point);
            } else {
                pair.replica().promote("run-1", None, 0, now(), &Unwatched).unwrap();
                assert_eq!(
                    fs::read_link(pair.dir.path().join("store/current")).unwrap(),
                    PathBuf::from("serving/run-1/tree")
                );
            }
        }
    }
}

/// Runs in a process of its own: one promotion, or one hand-back, in the store named in the environment.
#[test]
#[ignore = "the other half of the tests that kill"]
fn the_process_that_is_killed() {
    let Some(dir) = std::env::var_os("REPLICATION_TEST_DIR").map(PathBuf::from) else { return };
    let name = std::env::var("REPLICATION_TEST_POINT").unwrap();
    let point = Point::ALL.iter().copied().find(|point| format!("{point:?}") == name).unwrap();
    let bomb = Bomb::deadly(point);
    let mut replica = Replica::open(dir.join("store"), SourceKind::Files).unwrap();
    match point {
        Point::HandedBack => replica.hand_back("run-1", now(), &bomb).unwrap(),
        Point::PruneRenamed => replica.drop_dr_point("run-1", &bomb).unwrap(),
        _ => drop(replica.promote("run-1", None, 0, now(), &bomb).unwrap()),
    }
}

fn killed_at(pair: &mut Pair, point: Point) {
    pair.replica = None;
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--ignored", "--exact", "the_process_that_is_killed"]);
    child.env("REPLICATION_TEST_DIR", pair.dir.path()).env("REPLICATION_TEST_POINT", format!("{point:?}"));
    let status = child.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(std::os::unix::process::ExitStatusExt::signal(&status).is_some(), "{point:?} was not reached: {status}");
    pair.reopen();
}

#[test]
fn a_process_that_dies_at_any_point_of_a_promotion_leaves_it_done_or_not_begun() {
    for point in promoting() {
        let mut pair = with_data();
        killed_at(&mut pair, point);
        assert_finishes(&mut pair, point);
    }
}

#[test]
fn a_process_that_dies_after_a_hand_back_was_written_has_handed_back() {
    let mut pair = with_data();
    pair.replica().promote("run-1", None, 0, now(), &Unwatched).unwrap();
    fs::write(pair.seen("made-here"), "x").unwrap();
    killed_at(&mut pair, Point::HandedBack);
    assert_eq!(pair.replica().promoted(), None);
    assert!(pair.seen("made-here").exists());
    pair.replica().hand_back("run-1", now(), &Unwatched).unwrap();
    assert!(pair.replica().dr_points()[0].visible);

    // A pull that dies between commit and flip: readers move on to what was committed.
    pair.write("new", "x");
    let (pulled, _) = pair.sync_watched(false, &Bomb::new(Point::Committed, 1), &Unwatched);
    assert!(pulled.is_err() && pair.seen("made-here").exists());
    pair.reopen();
    assert!(!pair.seen("made-here").exists() && pair.seen("new").exists());
    assert_eq!(pair.replica().dr_points().len(), 1);

    killed_at(&mut pair, Point::PruneRenamed);
    assert_eq!(pair.replica().dr_points(), []);
    assert_eq!(list(&pair.dir.path().join("store/serving")), [""; 0]);
    pair.sync().unwrap();
    pair.assert_equal();
}

#[test]
fn a_pull_that_fails_after_the_hand_back_leaves_readers_where_they_are() {
    for point in [Point::ManifestReceived, Point::Transferred, Point::TreeBuilt, Point::RecordWritten] {
        let mut pair = with_data();
        pair.replica().promote("run-1", None, 0, now(), &Unwatched).unwrap();
        fs::write(pair.seen("made-here"), "x").unwrap();
        pair.replica().hand_back("run-1", now(), &Unwatched).unwrap();
        pair.write("new", "x");
        assert!(pair.sync_watched(false, &Bomb::new(point, 1), &Unwatched).0.is_err(), "{point:?}");
        assert!(pair.reopen().dr_points()[0].visible, "{point:?}");
        assert!(pair.seen("made-here").exists(), "{point:?}");
        pair.sync().unwrap();
        assert!(!pair.seen("made-here").exists(), "{point:?}");
    }
}

#[test]
fn a_prune_and_a_restart_while_a_copy_serves_keep_it_and_its_base() {
    let mut pair = with_data();
    for text in ["two", "three"] {
        pair.write("large", text);
        pair.sync().unwrap();
    }
    pair.replica().promote("run-1", Some(2), 0, now(), &Unwatched).unwrap();
    let later = now() + SignedDuration::from_hours(1);
    let bomb = Bomb::new(Point::PruneRenamed, 1);
    assert!(pair.replica().prune_except(1, &[].into(), later, Duration::ZERO, &bomb).is_err());
    assert_eq!(pair.reopen().promoted().unwrap().generation, 2);
    assert_eq!(list(&pair.dir.path().join("store/generations")), ["2", "3"]);
    assert_eq!(fs::read(pair.seen("large")).unwrap(), b"two");
}

#[test]
fn a_full_disk_is_said_with_figures_and_half_a_copy_does_not_stay() {
    let mut pair = with_data();
    let Some(small) = Small::mount(pair.dir.path().join("small")) else { return };
    pair.replica = Some(Replica::open(small.0.join("store"), SourceKind::Files).unwrap());
    pair.write("large", vec![9u8; 6 << 20]);
    pair.sync().unwrap();
    let whole = |replica: &Replica| {
        assert_eq!(replica.promoted(), None);
        assert_eq!(replica.verify(&Unwatched).unwrap(), []);
        assert_eq!(fs::read_link(small.0.join("store/current")).unwrap(), PathBuf::from("generations/2/tree"));
        assert_eq!(list(&small.0.join("store/serving")), [""; 0]);
    };

    let error = pair.replica().promote("run-1", None, 64 << 20, now(), &Unwatched).unwrap_err();
    let space = error.space().unwrap();
    assert_eq!(error.kind(), ErrorKind::DiskFull);
    assert!(space.needed.unwrap() >= (64 + 6) << 20 && space.free < 17 << 20, "{space:?}");
    whole(pair.replica());

    // Full in the middle: another program took the space.
    let filler = Filler(small.0.join("filler"), Point::TreeHalfBuilt);
    let error = pair.replica().promote("run-1", None, 0, now(), &filler).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DiskFull, "{}", error.chain());
    whole(pair.replica());
    fs::remove_file(&filler.0).unwrap();
    pair.replica().promote("run-1", None, 1 << 20, now(), &Unwatched).unwrap();
    assert_eq!(fs::metadata(small.0.join("store/current/large")).unwrap().len(), 6 << 20);
    pair.replica = None;
}
