//! Crashes: stopped or killed anywhere, the replica shows the last committed generation and the next pull completes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use jiff::SignedDuration;
use pair::{Bomb, Pair, now, options, pull};
use replication::{Commit, ContentId, ErrorKind, Point, Replica, Source, SourceKind, SourceSpec, Unwatched, Watch};

/// A tree in its first or a later state; states differ in every way that matters.
fn shape(pair: &Pair, state: u32) {
    for i in 0..40 {
        pair.write(&format!("dir-{}/file-{i}", i % 4), format!("{i} in state {}", if i % 3 == 0 { state } else { 0 }));
    }
    let noise: Vec<u8> = (0..2_500_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 ^ state as u8).collect();
    pair.write("large", noise);
    let _ = fs::remove_file(pair.at(&format!("only-{}", state.wrapping_sub(1))));
    pair.write(&format!("only-{state}"), "x");
}

/// The replica, as a restart finds it, is exactly one of the generations that were committed.
fn assert_whole(replica: &Replica, known: &HashMap<ContentId, u64>) -> Commit {
    let commit = replica.committed().expect("a committed generation").clone();
    assert_eq!(known.get(&commit.content_id), Some(&commit.generation));
    assert_eq!(replica.verify(&Unwatched).unwrap(), []);
    let through_link = fs::read_link(replica.visible_path()).unwrap();
    assert_eq!(through_link, PathBuf::from(format!("generations/{}/tree", commit.generation)));
    commit
}

const HEALING: &[Point] = &[Point::Repaired];
const PRUNING: &[Point] = &[Point::PruneRenamed];
/// Reached once there is something to make a spare of.
const SPARE: &[Point] = &[Point::SpareHalfMade, Point::SpareMade, Point::SpareTaken];
const SERVING: &[Point] = &[Point::Promoted, Point::HandedBack];
const AT_HOME: &[Point] = &[Point::Cleared, Point::TakenIn];
/// Here everything has arrived and nothing may be sent twice.
const ARRIVED: &[Point] = &[
    Point::Transferred,
    Point::SpareTaken,
    Point::TreeHalfBuilt,
    Point::TreeBuilt,
    Point::RecordWritten,
    Point::Synced,
];
const COMMITTED: &[Point] = &[Point::Committed, Point::Flipped, Point::Cleaned];

fn pulling() -> impl Iterator<Item = Point> {
    let others = [HEALING, PRUNING, SERVING, AT_HOME].concat();
    Point::ALL.iter().copied().filter(move |point| !others.contains(point))
}

#[test]
fn stopped_at_any_point_the_last_generation_stays_and_the_next_pull_goes_on() {
    for (point, nth) in pulling().map(|point| (point, 1)).chain([(Point::ObjectStaged, 9), (Point::ObjectSent, 9)]) {
        let mut pair = Pair::files();
        shape(&pair, 0);
        let one = pair.sync().unwrap().commit;
        shape(&pair, 1);
        let two = pair.capture().manifest.content_id();
        let known = HashMap::from([(one.content_id, 1), (two, 2)]);
        let (bomb, other) = (Bomb::new(point, nth), Bomb::new(point, nth));
        let (pulled, served) = pair.sync_watched(false, &bomb, &other);
        assert!(pulled.is_err(), "{point:?} was not reached ({served:?})");
        let found = assert_whole(pair.reopen(), &known);
        assert_eq!(found.generation, if COMMITTED.contains(&point) { 2 } else { 1 }, "{point:?}");
        // The same offer again.
        pair.generation = 1;
        let pulled = pair.sync().unwrap();
        assert_eq!(pulled.changed, !COMMITTED.contains(&point), "{point:?}");
        if ARRIVED.contains(&point) {
            assert_eq!(pulled.received_files, 0, "{point:?}: sent twice");
        }
        if nth == 9 && point == Point::ObjectStaged {
            assert_eq!(pulled.received_files, 15 - 9, "what was staged is not sent again");
        }
        assert_whole(pair.replica(), &known);
        pair.assert_equal();
        assert_eq!(pair::list(&pair.dir.path().join("store/staged")), [""; 0], "{point:?}");
        assert_eq!(pair::list(&pair.dir.path().join("store/generations")), ["1", "2"], "{point:?}");
    }
}

#[test]
fn a_first_copy_that_is_stopped_at_any_point_goes_on_from_what_arrived() {
    let first = pulling().filter(|point| !SPARE.contains(point));
    for (point, nth) in first.map(|point| (point, 1)).chain([(Point::ObjectStaged, 9), (Point::ObjectSent, 9)]) {
        let mut pair = Pair::files();
        shape(&pair, 0);
        // The content of another file once more, and a file of several names.
        pair.write("again", fs::read(pair.at("large")).unwrap());
        pair.write("zz/small-again", "state 0 of a small file");
        pair.write("small", "state 0 of a small file");
        fs::hard_link(pair.at("small"), pair.at("zz/linked")).unwrap();
        let known = HashMap::from([(pair.capture().manifest.content_id(), 1)]);
        let (bomb, other) = (Bomb::new(point, nth), Bomb::new(point, nth));
        let (pulled, served) = pair.sync_watched(false, &bomb, &other);
        assert!(pulled.is_err(), "{point:?} was not reached ({served:?})");
        assert_eq!(pair.reopen().committed().is_some(), COMMITTED.contains(&point), "{point:?}");
        pair.generation = 0;
        let pulled = pair.sync().unwrap();
        assert_eq!(pulled.changed, !COMMITTED.contains(&point), "{point:?}");
        if ARRIVED.contains(&point) {
            assert_eq!(pulled.received_files, 0, "{point:?}: sent twice");
        }
        if nth == 9 && point == Point::ObjectStaged {
            assert!(pulled.received_files + 9 <= pulled.commit.files, "what was staged is not sent again");
        }
        assert_whole(pair.replica(), &known);
        pair.assert_equal();
        assert_eq!(pair::list(&pair.dir.path().join("store/staged")), [""; 0], "{point:?}");
        assert_eq!(pair::list(&pair.dir.path().join("store/generations")), ["1"], "{point:?}");
    }
}

#[test]
fn a_process_that_dies_in_a_first_copy_leaves_what_had_arrived() {
    for point in pulling().filter(|point| !SPARE.contains(point)) {
        let mut pair = Pair::files();
        shape(&pair, 0);
        pair.replica = None;
        assert!(!start(&pair, 1, Some(point)).wait().unwrap().success(), "{point:?} was not reached");
        assert_eq!(pair.reopen().committed().is_some(), COMMITTED.contains(&point), "{point:?}");
        let pulled = pair.sync().unwrap();
        assert!(!ARRIVED.contains(&point) || pulled.received_files == 0, "{point:?}: sent twice");
        pair.assert_equal();
    }
}

#[test]
fn ten_kills_at_random_moments_of_a_first_copy_lose_nothing() {
    let mut killed = 0;
    for round in 1..=10 {
        let mut pair = Pair::files();
        shape(&pair, round);
        pair.replica = None;
        killed += u32::from(kill_at_a_random_moment(&pair, 1, round));
        pair.reopen();
        pair.generation = 1;
        pair.sync().unwrap();
        pair.assert_equal();
    }
    assert!(killed > 0, "every child was faster than its killer");
}

/// Starts a pull and kills it; whether it was still at work.
fn kill_at_a_random_moment(pair: &Pair, generation: u64, seed: u32) -> bool {
    let mut child = start(pair, generation, None);
    // A socket on which nothing comes is a clock that needs no sleep.
    let (mut silent, _other) = UnixStream::pair().unwrap();
    let moment = u64::from(blake3::hash(&seed.to_le_bytes()).as_bytes()[0]) * 400 + 1;
    silent.set_read_timeout(Some(Duration::from_micros(moment))).unwrap();
    let _ = silent.read(&mut [0]);
    child.kill().unwrap();
    !child.wait().unwrap().success()
}

#[test]
fn a_second_try_without_a_restart_goes_on_as_well() {
    for point in pulling().filter(|point| !SPARE.contains(point)) {
        let mut pair = Pair::files();
        shape(&pair, 0);
        let bomb = Bomb::new(point, 1);
        assert!(pair.sync_watched(false, &bomb, &Bomb::new(point, 1)).0.is_err(), "{point:?}");
        pair.sync().unwrap();
        pair.assert_equal();
    }
}

#[test]
fn stopped_while_healing_or_pruning_the_replica_is_whole() {
    for point in [Point::Repaired, Point::Planned, Point::TreeBuilt, Point::RecordWritten] {
        let mut pair = Pair::files();
        shape(&pair, 0);
        pair.sync().unwrap();
        fs::write(pair.seen("large"), "damaged").unwrap();
        let _ = pair.sync_watched(true, &Bomb::new(point, 1), &Unwatched).0;
        pair.reopen();
        assert_eq!(pair.replica().committed().unwrap().generation, 1);
        pair.sync_watched(true, &Unwatched, &Unwatched).0.unwrap();
        pair.assert_equal();
    }
    let mut pair = Pair::files();
    for state in 0..3 {
        shape(&pair, state);
        pair.sync().unwrap();
    }
    let later = now() + SignedDuration::from_hours(1);
    let bomb = Bomb::new(Point::PruneRenamed, 1);
    let error = pair.replica().prune_except(1, &[].into(), later, Duration::ZERO, &bomb).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(pair.reopen().restore_points().unwrap().len(), 2);
    assert_eq!(pair::list(&pair.dir.path().join("store/generations")), ["1", "3"]);
    pair.assert_equal();
    pair.replica().prune(1, later, Duration::ZERO).unwrap();
    assert_eq!(pair.replica().restore_points().unwrap().len(), 1);
}

#[test]
fn what_changes_between_two_attempts_does_not_pile_up() {
    let mut pair = Pair::files();
    for round in 0..4 {
        for name in ["a", "b"] {
            pair.write(name, format!("{name} in round {round}").repeat(10_000));
        }
        pair.write("same", "as before");
        // Everything has arrived, and something large in part; then it is cut off.
        pair.write("large", vec![round as u8 | 1; 3 << 20]);
        let point = if round % 2 == 0 { Point::Transferred } else { Point::ObjectStaged };
        let nth = if round % 2 == 0 { 1 } else { 2 };
        assert!(pair.sync_watched(false, &Bomb::new(point, nth), &Unwatched).0.is_err());
        pair.reopen();
        let staged = pair::list(&pair.dir.path().join("store/staged"));
        assert!(staged.len() <= 4, "round {round}: {staged:?}");
    }
    let pulled = pair.sync().unwrap();
    assert!(pulled.received_files < 4, "what had arrived and is still wanted is not sent again");
    pair.assert_equal();
}

/// A stream that breaks after so many bytes in each direction.
struct Cut(UnixStream, usize);

impl Read for Cut {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let len = buffer.len().min(self.1);
        let got = self.0.read(&mut buffer[..len])?;
        self.1 -= got;
        Ok(got)
    }
}

impl std::io::Write for Cut {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        self.0.write(buffer)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn a_stream_cut_anywhere_loses_nothing_and_a_large_file_goes_on_where_it_was() {
    let mut pair = Pair::files();
    shape(&pair, 0);
    let one = pair.sync().unwrap().commit;
    shape(&pair, 1);
    let capture = pair.capture();
    let mut resumed = 0;
    let mut cut_at = 7;
    loop {
        let (here, mut there) = UnixStream::pair().unwrap();
        let capture = &capture;
        let pulled = thread::scope(|scope| {
            let serving = scope.spawn(move || capture.serve(&mut there, 2, &Unwatched));
            let pulled = pair.replica().pull(&mut Cut(here, cut_at), &options(false), &Unwatched);
            let _ = serving.join().unwrap();
            pulled
        });
        match pulled {
            Ok(pulled) => {
                assert_eq!(pulled.commit.content_id, capture.manifest.content_id());
                assert!(pulled.received_bytes < 2_000_000, "the large file was sent from its beginning");
                break;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{}", error.chain()),
        }
        assert_eq!(pair.replica().committed(), Some(&one), "cut at {cut_at}");
        resumed += 1;
        cut_at += cut_at / 3 + 1;
    }
    assert!(resumed > 20, "{resumed}");
    pair.assert_equal();
}

/// Runs in a process of its own: one capture and one pull over the directories named in the environment.
#[test]
#[ignore = "the other half of the tests that kill"]
fn the_process_that_is_killed() {
    let Some(dir) = std::env::var_os("REPLICATION_TEST_DIR").map(PathBuf::from) else { return };
    let generation: u64 = std::env::var("REPLICATION_TEST_GENERATION").unwrap().parse().unwrap();
    let point = std::env::var("REPLICATION_TEST_POINT").ok();
    let point = point.and_then(|name| Point::ALL.iter().copied().find(|point| format!("{point:?}") == name));
    let bomb = point.map(Bomb::deadly);
    let watch: &dyn Watch = bomb.as_ref().map_or(&Unwatched, |bomb| bomb);
    let spec = SourceSpec { kind: SourceKind::Files, path: dir.join("source"), excludes: vec![], forbidden: vec![] };
    let mut source = Source::new(spec, dir.join("scratch")).unwrap();
    let mut replica = Replica::open(dir.join("store"), SourceKind::Files).unwrap();
    let capture = source.capture(now(), false, watch).unwrap();
    pull(&mut replica, &capture, generation, false, watch, watch).0.unwrap();
    // What lies behind goes on to be the next spare, and may be killed in the middle of that as well.
    let later = now() + SignedDuration::from_hours(1);
    replica.prune_except(2, &[].into(), later, Duration::ZERO, watch).unwrap();
    replica.freshen(watch).unwrap();
    replica.prepare(watch).unwrap();
    replica.stock_up(watch).unwrap();
}

fn start(pair: &Pair, generation: u64, point: Option<Point>) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--ignored", "--exact", "the_process_that_is_killed"]);
    child.env("REPLICATION_TEST_DIR", pair.dir.path()).env("REPLICATION_TEST_GENERATION", generation.to_string());
    if let Some(point) = point {
        child.env("REPLICATION_TEST_POINT", format!("{point:?}"));
    }
    child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_process_that_dies_at_any_point_leaves_a_whole_generation() {
    let mut pair = Pair::files();
    shape(&pair, 0);
    let first = pair.sync().unwrap().commit;
    let mut known = HashMap::from([(first.content_id, first.generation)]);
    for (at, point) in pulling().enumerate() {
        shape(&pair, at as u32 + 1);
        let generation = at as u64 + 2;
        known.insert(pair.capture().manifest.content_id(), generation);
        pair.replica = None;
        assert!(!start(&pair, generation, Some(point)).wait().unwrap().success(), "{point:?} was not reached");
        let found = assert_whole(pair.reopen(), &known);
        assert_eq!(found.generation == generation, COMMITTED.contains(&point), "{point:?}");
        pair.generation = generation - 1;
        pair.sync().unwrap();
        pair.assert_equal();
    }
}

#[test]
fn twenty_kills_at_random_moments_leave_a_whole_generation_each() {
    kill_at_random_moments(20);
}

#[test]
#[ignore = "minutes long: `make soak`"]
fn two_hundred_kills_at_random_moments_leave_a_whole_generation_each() {
    kill_at_random_moments(200);
}

fn kill_at_random_moments(rounds: u32) {
    let mut pair = Pair::files();
    shape(&pair, 0);
    let first = pair.sync().unwrap().commit;
    let mut known = HashMap::from([(first.content_id, first.generation)]);
    let mut killed = 0;
    for round in 1..=rounds {
        shape(&pair, round);
        let generation = u64::from(round) + 1;
        known.insert(pair.capture().manifest.content_id(), generation);
        pair.replica = None;
        killed += u32::from(kill_at_a_random_moment(&pair, generation, round));
        assert_whole(pair.reopen(), &known);
    }
    assert!(killed > 0, "every child was faster than its killer");
    pair.generation = u64::from(rounds) + 100;
    pair.sync().unwrap();
    pair.assert_equal();
}
