//! The ledger of an activation over a tree: every name that was made on the copy that serves, and nothing else.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use pair::{Pair, now, set_mtime};
use replication::{Change, Count, ErrorKind, Ledger, NameKind, Progress, Unwatched, Watch};

fn promote(pair: &mut Pair) -> PathBuf {
    pair.sync().unwrap();
    pair.replica().promote("run-1", None, 0, now(), &Unwatched).unwrap().tree
}

fn ledger(pair: &mut Pair) -> Ledger {
    pair.replica().ledger(&Unwatched).unwrap()
}

/// Path, change, kind and bytes of everything listed.
fn listed(ledger: &Ledger) -> Vec<(&str, Change, NameKind, u64)> {
    ledger.names.iter().map(|one| (one.path.as_str(), one.change, one.kind, one.bytes)).collect()
}

fn count(files: u64, directories: u64, bytes: u64) -> Count {
    Count { files, directories, bytes }
}

fn recordings() -> Pair {
    let pair = Pair::files();
    for name in ["a", "b", "c", "dir/d", "dir/e"] {
        pair.write(name, name.repeat(10));
    }
    fs::hard_link(pair.at("a"), pair.at("a-too")).unwrap();
    symlink("a", pair.at("link")).unwrap();
    pair
}

#[test]
fn without_a_serving_copy_there_is_no_ledger() {
    let mut pair = recordings();
    pair.sync().unwrap();
    assert_eq!(pair.replica().ledger(&Unwatched).unwrap_err().kind(), ErrorKind::NotServing);
    pair.replica().promote("run-1", None, 0, now(), &Unwatched).unwrap();
    pair.replica().hand_back("run-1", now(), &Unwatched).unwrap();
    assert_eq!(pair.replica().ledger(&Unwatched).unwrap_err().kind(), ErrorKind::NotServing);
}

#[test]
fn what_was_added_changed_and_removed_is_listed_with_its_size() {
    let mut pair = recordings();
    let tree = promote(&mut pair);
    fs::create_dir(tree.join("new")).unwrap();
    fs::write(tree.join("new/recording.wav"), vec![1u8; 5000]).unwrap();
    fs::hard_link(tree.join("new/recording.wav"), tree.join("new/twin.wav")).unwrap();
    fs::write(tree.join("b"), "B").unwrap();
    fs::remove_dir_all(tree.join("dir")).unwrap();
    fs::remove_file(tree.join("link")).unwrap();
    symlink("b", tree.join("link")).unwrap();
    let ledger = ledger(&mut pair);
    assert_eq!((ledger.run.as_str(), ledger.generation), ("run-1", 1));
    assert_eq!(
        listed(&ledger),
        [
            ("b", Change::Changed, NameKind::File, 1),
            ("dir", Change::Removed, NameKind::Directory, 0),
            ("dir/d", Change::Removed, NameKind::File, 50),
            ("dir/e", Change::Removed, NameKind::File, 50),
            ("link", Change::Changed, NameKind::Symlink, 0),
            ("new", Change::Added, NameKind::Directory, 0),
            ("new/recording.wav", Change::Added, NameKind::File, 5000),
            ("new/twin.wav", Change::Added, NameKind::File, 5000),
        ]
    );
    assert_eq!(ledger.added, count(2, 1, 5000), "a file with two names holds its bytes once");
    assert_eq!((ledger.changed, ledger.removed), (count(2, 0, 1), count(2, 1, 100)));
    assert!(!ledger.is_empty() && ledger.database.is_none());
    let text = serde_json::to_string(&ledger).unwrap();
    assert_eq!(serde_json::from_str::<Ledger>(&text).unwrap(), ledger);
    // The same after a restart.
    pair.reopen();
    assert_eq!(self::ledger(&mut pair), ledger);
}

/// What is done to the copy, and the names that count as changed.
type Touch = (&'static str, fn(&std::path::Path), &'static [&'static str]);

#[test]
fn a_new_time_alone_is_no_change_and_permissions_and_owners_are() {
    let table: &[Touch] = &[
        ("nothing", |_| (), &[]),
        ("a new time", |tree| set_mtime(&tree.join("b"), 5, 5), &[]),
        ("written again as it was", |tree| fs::write(tree.join("b"), "b".repeat(10)).unwrap(), &[]),
        (
            "a directory's time",
            |tree| fs::write(tree.join("dir/x"), "").and_then(|()| fs::remove_file(tree.join("dir/x"))).unwrap(),
            &[],
        ),
        ("a socket", |tree| drop(UnixListener::bind(tree.join("socket")).unwrap()), &[]),
        (
            "replaced by its like",
            |tree| {
                fs::copy(tree.join("b"), tree.join("b.new")).unwrap();
                fs::rename(tree.join("b.new"), tree.join("b")).unwrap();
            },
            &[],
        ),
        ("a mode", |tree| fs::set_permissions(tree.join("c"), PermissionsExt::from_mode(0o600)).unwrap(), &["c"]),
        (
            "a directory's mode",
            |tree| fs::set_permissions(tree.join("dir"), PermissionsExt::from_mode(0o700)).unwrap(),
            &["dir"],
        ),
        (
            "another type",
            |tree| {
                fs::remove_file(tree.join("c")).unwrap();
                fs::create_dir(tree.join("c")).unwrap();
            },
            &["c"],
        ),
        (
            "one byte, and the old time",
            |tree| {
                let meta = fs::metadata(tree.join("b")).unwrap();
                fs::write(tree.join("b"), "bbbbBbbbbb").unwrap();
                set_mtime(&tree.join("b"), meta.mtime(), meta.mtime_nsec());
            },
            &["b"],
        ),
        ("through one of two names", |tree| fs::write(tree.join("a-too"), "A").unwrap(), &["a", "a-too"]),
    ];
    for (what, touch, changed) in table {
        let mut pair = recordings();
        let tree = promote(&mut pair);
        touch(&tree);
        let ledger = ledger(&mut pair);
        let names: Vec<&str> = ledger.names.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(&names, changed, "{what}: {ledger:?}");
        assert_eq!(ledger.is_empty(), changed.is_empty(), "{what}");
    }
    if rustix::process::geteuid().is_root() {
        let mut pair = recordings();
        let tree = promote(&mut pair);
        std::os::unix::fs::chown(tree.join("b"), Some(4321), None).unwrap();
        assert_eq!(ledger(&mut pair).changed, count(1, 0, 10));
    }
}

#[test]
fn a_write_right_after_the_promotion_is_never_missed() {
    for _ in 0..30 {
        let mut pair = Pair::files();
        pair.write("same-size", "before");
        pair.sync().unwrap();
        let promoted = pair.replica().promote("run-1", None, 0, now(), &Unwatched).unwrap();
        fs::write(promoted.tree.join("same-size"), "after!").unwrap();
        assert_eq!(ledger(&mut pair).changed, count(1, 0, 6));
    }
}

/// Adds up the bytes that were read.
#[derive(Default)]
struct Meter(AtomicU64);

impl Watch for Meter {
    fn progress(&self, progress: Progress) {
        self.0.fetch_max(progress.bytes_done, Ordering::Relaxed);
    }
}

#[test]
fn what_nobody_wrote_to_is_not_read_again() {
    let mut pair = Pair::files();
    pair.write("large", vec![1u8; 8 << 20]);
    pair.write("small", "x");
    let tree = promote(&mut pair);
    let read = |pair: &mut Pair| {
        let meter = Meter::default();
        let empty = pair.replica().ledger(&meter).unwrap().is_empty();
        (empty, meter.0.load(Ordering::Relaxed))
    };
    assert_eq!(read(&mut pair), (true, 0));
    fs::write(tree.join("small"), "changed").unwrap();
    assert_eq!(read(&mut pair), (false, 7));
    fs::write(tree.join("small"), "x").unwrap();
    // Without the note about the beginning everything is read, with the same result.
    fs::write(pair.dir.path().join("store/serving/run-1/baseline"), "lost").unwrap();
    assert_eq!(read(&mut pair), (true, (8 << 20) + 1));
}

#[test]
fn a_thousand_names_are_listed_and_all_are_counted() {
    let mut pair = recordings();
    let tree = promote(&mut pair);
    for i in 0..1500 {
        fs::write(tree.join(format!("dir/{i}")), "ten bytes!").unwrap();
    }
    let ledger = ledger(&mut pair);
    assert_eq!((ledger.names.len(), ledger.added), (1000, count(1500, 0, 15_000)));
}
