//! Content that comes home: the source path takes it, what it replaces is kept, and cut off anywhere it ends at the new
//! content or at what was there before. What the declaration does not name is never touched.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::fs;
use std::path::{Path, PathBuf};

use pair::{Bomb, Pair, Small, list, now, set_mtime};
use replication::{Arrival, ContentId, ErrorKind, Manifest, Point, SourceKind, SourceSpec, Unwatched, Watch};

const POINTS: [Point; 2] = [Point::Cleared, Point::TakenIn];

/// A home whose generation 1 is to come back, after it was changed in every way.
struct Home {
    pair: Pair,
    wanted: Manifest,
    before: ContentId,
    kept: PathBuf,
}

impl Home {
    fn files() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("source");
        fs::create_dir(&path).unwrap();
        let excludes = vec!["cache/".to_owned(), "*.dump".to_owned()];
        let mut pair = Pair::over(dir, SourceSpec { kind: SourceKind::Files, path, excludes, forbidden: vec![] });
        for name in ["stays", "changes", "goes", "deep/er/goes", "swaps/into-a-directory", "linked"] {
            pair.write(name, name.repeat(1000));
        }
        pair.write("cache/session", "alone");
        pair.write("deep/er/core.dump", "alone");
        fs::hard_link(pair.at("linked"), pair.at("linked-too")).unwrap();
        std::os::unix::fs::symlink("stays", pair.at("symlink")).unwrap();
        set_mtime(&pair.at("stays"), 1_700_000_000, 5);
        pair.sync().unwrap();
        let wanted = pair.replica().manifest().unwrap();
        pair.write("changes", "at home");
        pair.write("new/at/home", "the tail");
        fs::remove_file(pair.at("goes")).unwrap();
        fs::remove_dir_all(pair.at("swaps")).unwrap();
        pair.write("swaps", "a file where a directory was");
        fs::remove_file(pair.at("linked-too")).unwrap();
        pair.write("linked-too", "a file of its own");
        fs::remove_file(pair.at("symlink")).unwrap();
        pair.write("symlink", "no link any more");
        set_mtime(&pair.at("stays"), 1_800_000_000, 6);
        Self::of(pair, wanted)
    }

    fn of(mut pair: Pair, wanted: Manifest) -> Self {
        let before = pair.capture().manifest.content_id();
        let kept = pair.dir.path().join("kept");
        Self { pair, wanted, before, kept }
    }

    fn take_in(&mut self, watch: &dyn Watch) -> replication::Result<ContentId> {
        let tree = self.pair.replica().restore_points().unwrap()[0].tree.clone();
        let arrival = Arrival { manifest: &self.wanted, tree: &tree, kept: &self.kept };
        self.pair.source.take_in(&arrival, now(), watch)
    }

    fn put_back(&mut self) {
        self.pair.source.put_back(&self.kept, now(), &Unwatched).unwrap();
    }

    fn content(&mut self) -> ContentId {
        self.pair.source.capture(now(), true, &Unwatched).unwrap().manifest.content_id()
    }

    fn assert_scope(&self) {
        for name in ["cache/session", "deep/er/core.dump"] {
            assert_eq!(fs::read_to_string(self.pair.at(name)).unwrap(), "alone", "{name}");
        }
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn the_source_holds_what_came_home_and_everything_it_replaced_is_kept() {
    let mut home = Home::files();
    let id = home.take_in(&Unwatched).unwrap();
    assert_eq!((id, home.content()), (home.wanted.content_id(), home.wanted.content_id()));
    home.assert_scope();
    let kept = home.kept.join("tree");
    assert_eq!(read(&kept.join("changes")), "at home");
    assert_eq!(read(&kept.join("new/at/home")), "the tail");
    assert_eq!(read(&kept.join("swaps")), "a file where a directory was");
    assert!(!kept.join("stays").exists(), "what stays is not moved");
    let (one, two) = (fs::metadata(home.pair.at("linked")).unwrap(), fs::metadata(home.pair.at("linked-too")).unwrap());
    assert_eq!(std::os::unix::fs::MetadataExt::ino(&one), std::os::unix::fs::MetadataExt::ino(&two));
    let store = home.pair.dir.path().join("store/generations/1/tree/changes");
    fs::write(home.pair.at("changes"), "written in place").unwrap();
    assert_ne!(read(&store), "written in place", "nothing at home shares a file with the store");
}

#[test]
fn what_was_there_before_comes_back_whole() {
    let mut home = Home::files();
    home.put_back();
    assert_eq!(home.content(), home.before, "nothing had been replaced");
    home.take_in(&Unwatched).unwrap();
    home.put_back();
    assert_eq!(home.content(), home.before);
    home.assert_scope();
    home.put_back();
    assert_eq!(home.content(), home.before, "a second time changes nothing");
}

#[test]
fn stopped_at_any_point_it_ends_at_one_content_or_at_the_other() {
    for point in POINTS {
        for forward in [true, false] {
            let mut home = Home::files();
            let stopped = home.take_in(&Bomb::new(point, 1)).unwrap_err();
            assert_eq!(stopped.kind(), ErrorKind::Cancelled, "{point:?}");
            home.assert_scope();
            if forward {
                home.take_in(&Unwatched).unwrap();
                assert_eq!(home.content(), home.wanted.content_id(), "{point:?}");
            } else {
                home.put_back();
                assert_eq!(home.content(), home.before, "{point:?}");
            }
            home.assert_scope();
        }
    }
}

#[test]
fn half_a_file_that_a_crash_left_is_neither_kept_nor_in_the_way() {
    let mut home = Home::files();
    home.pair.write(".tvox-dr.arriving", "half a fi");
    home.pair.write("new/.tvox-dr.arriving", "half a fi");
    home.take_in(&Unwatched).unwrap();
    assert_eq!(home.content(), home.wanted.content_id());
    assert!(!list(&home.kept.join("tree")).contains(&".tvox-dr.arriving".to_owned()));
}

#[test]
fn a_directory_that_must_stay_for_what_is_not_declared_stays() {
    let mut home = Home::files();
    home.pair.write("only-here/own", "in scope");
    home.pair.write("only-here/big.dump", "out of scope");
    home.take_in(&Unwatched).unwrap();
    assert!(!home.pair.at("only-here/own").exists());
    assert_eq!(read(&home.pair.at("only-here/big.dump")), "out of scope");
}

#[test]
fn what_is_kept_may_lie_on_another_disk() {
    let mut home = Home::files();
    let Some(small) = Small::mount(home.pair.dir.path().join("other")) else { return };
    home.kept = small.0.join("kept");
    home.take_in(&Unwatched).unwrap();
    assert_eq!(home.content(), home.wanted.content_id());
    assert_eq!(read(&home.kept.join("tree/new/at/home")), "the tail");
    home.put_back();
    assert_eq!(home.content(), home.before);
}

fn database() -> Home {
    let mut pair = Pair::sqlite();
    let path = pair.dir.path().join("live/pbx.db");
    sql(&path, "CREATE TABLE t(n); INSERT INTO t VALUES (1)");
    pair.sync().unwrap();
    let wanted = pair.replica().manifest().unwrap();
    sql(&path, "INSERT INTO t VALUES (2)");
    Home::of(pair, wanted)
}

fn sql(path: &Path, text: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(text).unwrap();
}

fn rows(path: &Path) -> i64 {
    let db = rusqlite::Connection::open(path).unwrap();
    db.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_database_is_exchanged_with_its_journals_and_comes_back_with_them() {
    for point in [None, Some(POINTS[0]), Some(POINTS[1])] {
        let mut home = database();
        let path = home.pair.dir.path().join("live/pbx.db");
        // Written and not yet in the file itself: the log is half of the content.
        let db = rusqlite::Connection::open(&path).unwrap();
        db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; INSERT INTO t VALUES (3)").unwrap();
        let wal = fs::read(path.with_extension("db-wal")).unwrap();
        let file = fs::read(&path).unwrap();
        drop(db);
        fs::write(&path, file).unwrap();
        fs::write(path.with_extension("db-wal"), wal).unwrap();
        if let Some(point) = point {
            home.take_in(&Bomb::new(point, 1)).unwrap_err();
        }
        home.take_in(&Unwatched).unwrap();
        assert_eq!(rows(&path), 1, "{point:?}");
        home.take_in(&Unwatched).unwrap();
        home.put_back();
        assert_eq!(rows(&path), 3, "{point:?}");
        assert_eq!(rows(&home.kept.join("tree/database")), 3, "what was replaced is kept, log and all");
    }
}

#[test]
fn a_database_that_nobody_changed_is_left_alone() {
    use std::os::unix::fs::MetadataExt as _;
    let mut home = database();
    let path = home.pair.dir.path().join("live/pbx.db");
    home.take_in(&Unwatched).unwrap();
    let inode = fs::metadata(&path).unwrap().ino();
    home.kept = home.pair.dir.path().join("kept again");
    home.take_in(&Unwatched).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
}
