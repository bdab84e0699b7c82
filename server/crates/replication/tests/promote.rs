//! A generation that becomes a writable copy, and the way back: history stays as it was whatever is done to the copy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::SignedDuration;
use pair::{Pair, list, now, set_mtime};
use replication::{
    ContentId, DATABASE_NAME, DifferenceKind, ErrorKind, Promoted, Replica, Result, Source, SourceKind, SourceSpec,
    TargetState, Unwatched,
};
use rusqlite::Connection;

fn promote(replica: &mut Replica, run: &str) -> Result<Promoted> {
    replica.promote(run, None, 0, now(), &Unwatched)
}

/// The content id of what is there, as a source of its own has it.
fn measure(pair: &Pair, path: &Path) -> ContentId {
    let spec = SourceSpec { path: path.to_path_buf(), ..pair.source.spec().clone() };
    let mut source = Source::new(spec, pair.dir.path().join("measuring")).unwrap();
    source.capture(now(), true, &Unwatched).unwrap().manifest.content_id()
}

/// Two generations with everything a tree can hold.
fn with_history() -> Pair {
    let mut pair = Pair::files();
    pair.write("etc/plain", "one");
    pair.write("etc/steady", "always the same");
    pair.write("linked", "one file, two names");
    fs::hard_link(pair.at("linked"), pair.at("etc/linked-too")).unwrap();
    pair.write("large", vec![7u8; 3 << 20]);
    pair.write("empty", "");
    symlink("/nowhere", pair.at("dangling")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, pair.at("pipe"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    fs::set_permissions(pair.at("etc/steady"), PermissionsExt::from_mode(0o6751)).unwrap();
    let _ = std::os::unix::fs::chown(pair.at("etc/plain"), Some(1001), Some(1002));
    set_mtime(&pair.at("etc/steady"), 1_000_000_000, 123_456_789);
    pair.sync().unwrap();
    pair.write("etc/plain", "two");
    set_mtime(&pair.at("etc"), 77, 77);
    fs::set_permissions(pair.at("etc"), PermissionsExt::from_mode(0o750)).unwrap();
    pair.sync().unwrap();
    pair
}

/// Everything below a directory: type, mode, owner, time, content or link text.
fn picture(dir: &Path) -> HashMap<PathBuf, String> {
    let mut all = HashMap::new();
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(at) = dirs.pop() {
        for item in fs::read_dir(&at).unwrap() {
            let path = item.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let content = match meta.file_type() {
                kind if kind.is_file() => blake3::hash(&fs::read(&path).unwrap()).to_hex().to_string(),
                kind if kind.is_symlink() => fs::read_link(&path).unwrap().display().to_string(),
                _ => String::new(),
            };
            if meta.is_dir() {
                dirs.push(path.clone());
            }
            let (owner, time) = ((meta.uid(), meta.gid()), (meta.mtime(), meta.mtime_nsec()));
            all.insert(path, format!("{:o} {owner:?} {time:?} {content}", meta.mode()));
        }
    }
    all
}

fn generations(pair: &Pair) -> HashMap<PathBuf, String> {
    picture(&pair.dir.path().join("store/generations"))
}

#[test]
fn what_is_written_into_the_serving_copy_changes_no_generation() {
    let mut pair = with_history();
    let before = generations(&pair);
    let target = pair.dir.path().join("srv");
    pair.replica().set_target(Some(&target)).unwrap();
    let promoted = promote(pair.replica(), "run-1").unwrap();
    assert_eq!((promoted.run.as_str(), promoted.generation, promoted.at), ("run-1", 2, now()));
    assert_eq!(promoted.content_id, pair.replica().committed().unwrap().content_id);
    assert_eq!(pair.replica().promoted(), Some(&promoted));
    assert_eq!(fs::canonicalize(&target).unwrap(), promoted.tree);

    fs::write(target.join("etc/plain"), "written in place").unwrap();
    fs::write(target.join("linked"), "also").unwrap();
    fs::OpenOptions::new().append(true).open(target.join("large")).unwrap().set_len(5).unwrap();
    fs::set_permissions(target.join("etc/steady"), PermissionsExt::from_mode(0o600)).unwrap();
    fs::remove_file(target.join("dangling")).unwrap();
    fs::write(target.join("new"), "x").unwrap();
    set_mtime(&target.join("empty"), 5, 5);
    assert_eq!(generations(&pair), before);
    for generation in [1, 2] {
        assert_eq!(pair.replica().verify_generation(generation, &Unwatched).unwrap(), []);
    }
}

#[test]
fn the_copy_is_the_generation_to_the_bit_and_shares_no_inode_with_any() {
    let mut pair = with_history();
    let tree = pair.replica().restore_points().unwrap()[1].tree.clone();
    let promoted = promote(pair.replica(), "run-1").unwrap();
    let inside = |root: &Path| -> HashMap<PathBuf, String> {
        picture(root).into_iter().map(|(path, text)| (path.strip_prefix(root).unwrap().to_path_buf(), text)).collect()
    };
    assert_eq!(inside(&promoted.tree), inside(&tree));
    let (root, copy) = (fs::metadata(&tree).unwrap(), fs::metadata(&promoted.tree).unwrap());
    assert_eq!((root.mode(), root.mtime(), root.mtime_nsec()), (copy.mode(), copy.mtime(), copy.mtime_nsec()));
    assert_eq!(measure(&pair, &promoted.tree), promoted.content_id);

    let stat = |root: &Path, name: &str| fs::symlink_metadata(root.join(name)).unwrap();
    for name in ["etc/plain", "etc/steady", "linked", "large", "empty"] {
        assert_ne!(stat(&promoted.tree, name).ino(), stat(&tree, name).ino(), "{name}");
    }
    // Shared between the two generations, and by nobody with the copy.
    assert_eq!(stat(&tree, "etc/steady").nlink(), 2);
    assert_eq!(stat(&promoted.tree, "etc/steady").nlink(), 1);
    assert_eq!(stat(&promoted.tree, "linked").nlink(), 2);
    assert_eq!(stat(&promoted.tree, "linked").ino(), stat(&promoted.tree, "etc/linked-too").ino());
}

#[test]
fn the_same_run_again_returns_what_is_there_and_another_is_refused() {
    let mut pair = with_history();
    let first = promote(pair.replica(), "run-1").unwrap();
    fs::write(first.tree.join("made"), "here").unwrap();
    assert_eq!(promote(pair.replica(), "run-1").unwrap(), first);
    assert_eq!(pair.replica().promote("run-1", Some(1), u64::MAX, now(), &Unwatched).unwrap(), first);
    assert_eq!(fs::read(pair.seen("made")).unwrap(), b"here");
    assert_eq!(promote(pair.replica(), "run-2").unwrap_err().kind(), ErrorKind::Serving);
    assert_eq!(list(&pair.dir.path().join("store/serving")), ["run-1"]);
}

#[test]
fn what_cannot_name_a_run_is_refused() {
    let mut pair = with_history();
    for run in ["", "..", "a/b", "A", "a.b", "-\u{e8}", " ", &"x".repeat(65)] {
        assert_eq!(promote(pair.replica(), run).unwrap_err().kind(), ErrorKind::BadRun, "{run:?}");
    }
    assert!(!pair.dir.path().join("store/serving").exists());
    promote(pair.replica(), &"x".repeat(64)).unwrap();
}

#[test]
fn nothing_and_what_is_not_there_cannot_be_promoted() {
    let mut pair = Pair::files();
    assert_eq!(promote(pair.replica(), "run-1").unwrap_err().kind(), ErrorKind::NothingCommitted);
    pair.sync().unwrap();
    let error = pair.replica().promote("run-1", Some(9), 0, now(), &Unwatched).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NothingCommitted);
    assert_eq!(pair.replica().promoted(), None);
}

#[test]
fn an_older_generation_can_serve_and_is_not_pruned_meanwhile() {
    let mut pair = with_history();
    pair.write("etc/plain", "three");
    pair.sync().unwrap();
    let promoted = pair.replica().promote("run-1", Some(1), 0, now(), &Unwatched).unwrap();
    assert_eq!(promoted.generation, 1);
    assert_eq!(fs::read(pair.seen("etc/plain")).unwrap(), b"one");
    let later = now() + SignedDuration::from_hours(1);
    pair.replica().prune(1, later, Duration::ZERO).unwrap();
    let kept: Vec<u64> = pair.replica().restore_points().unwrap().iter().map(|point| point.generation).collect();
    assert_eq!(kept, [1, 3]);
    assert_eq!(pair.replica().committed().unwrap().generation, 3);
    pair.replica().hand_back("run-1", later, &Unwatched).unwrap();
    pair.replica().prune(1, later, Duration::ZERO).unwrap();
    assert_eq!(pair.replica().restore_points().unwrap().len(), 1, "after the hand-back it is one like the others");
}

/// What happens to a file of a generation.
type Damage = (&'static str, fn(&Path));

#[test]
fn what_is_damaged_keeps_nobody_from_serving_and_is_told_by_name() {
    let damages: [(Damage, &[u8], DifferenceKind); 5] = [
        (("a flipped bit", |file| fs::write(file, "One").unwrap()), b"One", DifferenceKind::Content),
        (("a longer file", |file| fs::write(file, "one and more").unwrap()), b"one and more", DifferenceKind::Content),
        (("a shorter file", |file| fs::write(file, "o").unwrap()), b"o", DifferenceKind::Content),
        (("a missing file", |file| fs::remove_file(file).unwrap()), b"", DifferenceKind::Missing),
        (
            ("a link in its place", |file| {
                fs::remove_file(file).unwrap();
                symlink("steady", file).unwrap();
            }),
            b"",
            DifferenceKind::Missing,
        ),
    ];
    for ((what, damage), left, kind) in damages {
        let mut pair = with_history();
        damage(&pair.dir.path().join("store/generations/1/tree/etc/plain"));
        let promoted = pair.replica().promote("run-1", Some(1), 0, now(), &Unwatched).unwrap();
        let told: Vec<_> = promoted.damaged.iter().map(|one| (one.path.as_str(), one.what)).collect();
        assert_eq!(told, [("etc/plain", kind)], "{what}");
        assert_eq!(fs::read(pair.seen("etc/plain")).unwrap(), left, "{what}");
        assert_eq!(fs::read(pair.seen("etc/steady")).unwrap(), b"always the same", "{what}: the rest is whole");
        assert_eq!(pair.reopen().promoted(), Some(&promoted), "{what}: it is still told after a restart");
        pair.replica().hand_back("run-1", now(), &Unwatched).unwrap();
        assert_eq!(promote(pair.replica(), "run-2").unwrap().damaged, [], "{what}: another one is whole");
    }
}

#[test]
fn a_generation_whose_list_is_damaged_serves_with_what_is_there() {
    for mut pair in [with_history(), {
        let mut pair = Pair::sqlite();
        let live = Connection::open(pair.dir.path().join("live/pbx.db")).unwrap();
        live.execute_batch("CREATE TABLE t(n); INSERT INTO t VALUES ('x')").unwrap();
        pair.sync().unwrap();
        pair
    }] {
        let shown = pair.seen(if pair.kind == SourceKind::Files { "etc/plain" } else { "database" });
        let before = fs::read(&shown).unwrap();
        for list in fs::read_dir(pair.dir.path().join("store/manifests")).unwrap() {
            fs::write(list.unwrap().path(), "damaged").unwrap();
        }
        let promoted = promote(pair.reopen(), "run-1").unwrap();
        let told: Vec<_> = promoted.damaged.iter().map(|one| (one.path.as_str(), one.what)).collect();
        assert_eq!(told, [("", DifferenceKind::Missing)]);
        assert_eq!(fs::read(&shown).unwrap(), before);
        fs::write(promoted.tree.join("made-here"), "x").unwrap();
        let ledger = pair.reopen().ledger(&Unwatched);
        assert!(ledger.is_ok(), "{ledger:?}");
        pair.replica().hand_back("run-1", now(), &Unwatched).unwrap();
    }
}

#[test]
fn a_pull_is_refused_while_a_copy_serves_and_goes_on_after_the_hand_back() {
    let mut pair = with_history();
    let promoted = promote(pair.replica(), "run-1").unwrap();
    fs::write(promoted.tree.join("made-here"), "x").unwrap();
    fs::write(promoted.tree.join("etc/steady"), "changed in the copy").unwrap();
    pair.write("etc/plain", "three");
    for heal in [false, true] {
        let (pulled, _) = pair.sync_watched(heal, &Unwatched, &Unwatched);
        assert_eq!(pulled.unwrap_err().kind(), ErrorKind::Serving);
    }
    assert!(pair.seen("made-here").exists());
    assert_eq!(pair.replica().committed().unwrap().generation, 2);

    let ended = now() + SignedDuration::from_hours(1);
    pair.replica().hand_back("run-1", ended, &Unwatched).unwrap();
    assert!(pair.seen("made-here").exists(), "readers see it until the next pull has ended");
    assert_eq!(pair.replica().promoted(), None);
    let pulled = pair.sync().unwrap();
    assert_eq!(pulled.received_files, 1, "the rest is taken from the last generation");
    assert!(!pair.seen("made-here").exists());
    assert_eq!(fs::read(pair.seen("etc/steady")).unwrap(), b"always the same");
    pair.assert_equal();
    let points = pair.replica().dr_points();
    assert_eq!(points.len(), 1);
    let point = &points[0];
    assert_eq!((point.run.as_str(), point.generation, point.visible), ("run-1", 2, false));
    assert_eq!((point.promoted_at, point.handed_back_at), (now(), ended));
    assert_eq!(point.files, 7);
    assert_eq!(point.bytes, (3 << 20) + 1 + 19 + 3 + 19, "of a file with two names the bytes count once");
    assert_eq!(fs::read(point.tree.join("made-here")).unwrap(), b"x");
    // How long it was kept is what the caller says, and outlives a restart.
    let minutes = |n: u64| std::time::Duration::from_secs(60 * n);
    assert_eq!(point.kept, minutes(0));
    (0..2).for_each(|_| pair.replica().dr_points_were_kept(minutes(10)).unwrap());
    assert_eq!(pair.replica().dr_points()[0].kept, minutes(20));
    assert_eq!(pair.reopen().dr_points()[0].kept, minutes(20));
}

#[test]
fn a_pull_that_finds_nothing_new_shows_the_generation_again_and_a_restart_keeps_it() {
    for (restart, heal) in [(false, false), (true, false), (false, true)] {
        let mut pair = with_history();
        let promoted = promote(pair.replica(), "run-1").unwrap();
        fs::write(promoted.tree.join("etc/plain"), "written").unwrap();
        pair.replica().hand_back("run-1", now(), &Unwatched).unwrap();
        if restart {
            pair.reopen();
        }
        assert_eq!(fs::read(pair.seen("etc/plain")).unwrap(), b"written");
        assert!(pair.replica().dr_points()[0].visible);
        assert!(!pair.sync_watched(heal, &Unwatched, &Unwatched).0.unwrap().changed);
        for _ in 0..2 {
            assert_eq!(fs::read(pair.seen("etc/plain")).unwrap(), b"two");
            assert!(!pair.reopen().dr_points()[0].visible);
        }
    }
}

#[test]
fn handing_back_twice_is_once_and_without_a_promotion_an_error() {
    let mut pair = with_history();
    assert_eq!(pair.replica().hand_back("run-1", now(), &Unwatched).unwrap_err().kind(), ErrorKind::NotServing);
    promote(pair.replica(), "run-1").unwrap();
    assert_eq!(pair.replica().hand_back("run-2", now(), &Unwatched).unwrap_err().kind(), ErrorKind::Serving);
    pair.replica().hand_back("run-1", now(), &Unwatched).unwrap();
    let points = pair.replica().dr_points();
    pair.replica().hand_back("run-1", now() + SignedDuration::from_hours(5), &Unwatched).unwrap();
    assert_eq!(pair.reopen().dr_points(), points);
    assert_eq!(promote(pair.replica(), "run-1").unwrap_err().kind(), ErrorKind::BadRun);
}

#[test]
fn a_new_run_serves_after_a_hand_back_and_the_points_of_both_can_be_dropped() {
    let mut pair = with_history();
    promote(pair.replica(), "run-1").unwrap();
    fs::write(pair.seen("made-here"), "x").unwrap();
    assert_eq!(pair.replica().drop_dr_point("run-1", &Unwatched).unwrap_err().kind(), ErrorKind::Serving);
    pair.replica().hand_back("run-1", now(), &Unwatched).unwrap();
    assert_eq!(pair.replica().drop_dr_point("run-1", &Unwatched).unwrap_err().kind(), ErrorKind::PointVisible);
    promote(pair.replica(), "run-2").unwrap();
    assert!(!pair.seen("made-here").exists(), "it is made from the generation, not from the earlier copy");
    pair.replica().drop_dr_point("run-1", &Unwatched).unwrap();
    pair.replica().drop_dr_point("run-1", &Unwatched).unwrap();
    pair.replica().hand_back("run-2", now(), &Unwatched).unwrap();
    pair.sync().unwrap();
    pair.replica().drop_dr_point("run-2", &Unwatched).unwrap();
    assert_eq!(pair.reopen().dr_points(), []);
    assert_eq!(list(&pair.dir.path().join("store/serving")), [""; 0]);
}

#[test]
fn generations_are_verified_and_compared_and_the_target_is_moved_while_a_copy_serves() {
    let mut pair = with_history();
    promote(pair.replica(), "run-1").unwrap();
    fs::write(pair.seen("etc/plain"), "written").unwrap();
    let capture = pair.capture();
    let replica = pair.replica();
    assert_eq!(replica.verify(&Unwatched).unwrap(), []);
    assert_eq!(replica.compare(&capture.manifest, &Unwatched).unwrap(), []);
    let target = pair.dir.path().join("srv/there");
    pair.replica().set_target(Some(&target)).unwrap();
    assert_eq!(pair.replica().target_state(), TargetState::Ours);
    assert_eq!(fs::read(target.join("etc/plain")).unwrap(), b"written");
    let damaged = pair.dir.path().join("store/generations/2/tree/etc/steady");
    fs::write(damaged, "ALWAYS the same").unwrap();
    let found = pair.replica().verify(&Unwatched).unwrap();
    assert!(found.iter().any(|one| one.what == DifferenceKind::Content && one.path == "etc/steady"), "{found:?}");
}

#[test]
fn neither_the_target_nor_the_store_goes_while_a_copy_serves() {
    let mut pair = with_history();
    let target = pair.dir.path().join("srv");
    pair.replica().set_target(Some(&target)).unwrap();
    promote(pair.replica(), "run-1").unwrap();
    assert_eq!(pair.replica.take().unwrap().detach().unwrap_err().kind(), ErrorKind::Serving);
    pair.reopen();
    assert_eq!(pair.replica.take().unwrap().destroy().unwrap_err().kind(), ErrorKind::Serving);
    assert_eq!(fs::read(target.join("etc/plain")).unwrap(), b"two");
    pair.reopen().hand_back("run-1", now(), &Unwatched).unwrap();
    pair.replica.take().unwrap().detach().unwrap();
    assert!(fs::symlink_metadata(&target).is_err());
}

#[test]
fn who_reads_the_generation_when_the_copy_takes_over_goes_on_reading_it() {
    let mut pair = with_history();
    let resolved = fs::canonicalize(pair.seen("")).unwrap();
    let mut open = fs::File::open(pair.seen("etc/plain")).unwrap();
    promote(pair.replica(), "run-1").unwrap();
    fs::write(pair.seen("etc/plain"), "written").unwrap();
    let mut text = String::new();
    open.read_to_string(&mut text).unwrap();
    assert_eq!(text, "two");
    assert_eq!(fs::read(resolved.join("etc/plain")).unwrap(), b"two");
}

#[test]
fn a_copy_whose_record_is_damaged_is_not_touched_while_readers_see_it() {
    let mut pair = with_history();
    promote(pair.replica(), "run-1").unwrap();
    fs::write(pair.seen("made-here"), "x").unwrap();
    let record = pair.dir.path().join("store/serving/run-1/record");
    let whole = fs::read_to_string(&record).unwrap();
    fs::write(&record, whole.replace("\"generation\":2", "\"generation\":1")).unwrap();
    let store = pair.replica.take().unwrap().store_path().to_path_buf();
    assert_eq!(Replica::open(store, pair.kind).unwrap_err().kind(), ErrorKind::StoreDamaged);
    assert!(pair.seen("made-here").exists());
    fs::write(&record, &whole).unwrap();
    assert_eq!(pair.reopen().promoted().unwrap().run, "run-1");
    // Seen by nobody, it is set aside and never deleted.
    pair.replica().hand_back("run-1", now(), &Unwatched).unwrap();
    pair.sync().unwrap();
    fs::write(&record, "nonsense").unwrap();
    assert_eq!(pair.reopen().dr_points(), []);
    assert_eq!(list(&pair.dir.path().join("store/serving")), ["run-1.damaged"]);
}

#[test]
fn a_database_serves_from_a_directory_of_its_own_that_can_be_written_to() {
    let mut pair = Pair::sqlite();
    let db = Connection::open(pair.dir.path().join("live/pbx.db")).unwrap();
    db.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t(n INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);")
        .unwrap();
    pair.sync().unwrap();
    let target = pair.dir.path().join("srv/pbx.db");
    pair.replica().set_target(Some(&target)).unwrap();
    let before = generations(&pair);
    let promoted = promote(pair.replica(), "run-1").unwrap();
    assert_eq!(measure(&pair, &promoted.tree.join(DATABASE_NAME)), promoted.content_id);
    let serving = Connection::open(&target).unwrap();
    serving.execute_batch("INSERT INTO t VALUES (2);").unwrap();
    assert!(promoted.tree.join("database-wal").exists(), "SQLite works beside the real file");
    assert_eq!(fs::canonicalize(&target).unwrap(), promoted.tree.join(DATABASE_NAME));
    drop(serving);
    assert_eq!(generations(&pair), before);
    assert_eq!(pair.replica().verify(&Unwatched).unwrap(), []);
}
