//! What a copy keeps of its original: everything, down to names that are no text. Referee: rsync.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;
use pair::{Pair, list, now, set_mtime};
use replication::Unwatched;
use rustix::fs::{CWD, FileType, Mode};

#[test]
fn deletions_and_changes_of_type_arrive() {
    let mut pair = Pair::files();
    pair.write("gone", "x");
    pair.write("file-to-dir", "x");
    pair.write("dir-to-file/inside", "x");
    pair.write("file-to-link", "x");
    symlink("nowhere", pair.at("link-to-file")).unwrap();
    pair.sync().unwrap();
    pair.assert_equal();
    for name in ["gone", "file-to-dir", "file-to-link", "link-to-file"] {
        fs::remove_file(pair.at(name)).unwrap();
    }
    fs::remove_dir_all(pair.at("dir-to-file")).unwrap();
    pair.write("file-to-dir/now/inside", "y");
    pair.write("dir-to-file", "y");
    symlink("/etc/passwd", pair.at("file-to-link")).unwrap();
    pair.write("link-to-file", "y");
    assert!(pair.sync().unwrap().changed);
    pair.assert_equal();
    assert_eq!(list(&pair.seen("")), ["dir-to-file", "file-to-dir", "file-to-link", "link-to-file"]);
    // And back.
    fs::remove_dir_all(pair.at("file-to-dir")).unwrap();
    pair.write("file-to-dir", "x");
    pair.sync().unwrap();
    assert_eq!(fs::read(pair.seen("file-to-dir")).unwrap(), b"x");
}

/// One row: what is done to the source, and what the replica must show.
type Fidelity = (&'static str, fn(&Pair), fn(&fs::Metadata) -> bool);

#[test]
fn metadata_arrives_to_the_bit() {
    let table: &[Fidelity] = &[
        (
            "mode",
            |p| fs::set_permissions(p.at("x"), PermissionsExt::from_mode(0o640)).unwrap(),
            |m| m.mode() & 0o7777 == 0o640,
        ),
        (
            "setuid",
            |p| fs::set_permissions(p.at("x"), PermissionsExt::from_mode(0o6755)).unwrap(),
            |m| m.mode() & 0o7777 == 0o6755,
        ),
        (
            "no rights at all",
            |p| fs::set_permissions(p.at("x"), PermissionsExt::from_mode(0o0)).unwrap(),
            |m| m.mode() & 0o7777 == 0,
        ),
        (
            "nanoseconds",
            |p| set_mtime(&p.at("x"), 1_000_000_000, 123_456_789),
            |m| (m.mtime(), m.mtime_nsec()) == (1_000_000_000, 123_456_789),
        ),
        ("before 1970", |p| set_mtime(&p.at("x"), -5, 1), |m| (m.mtime(), m.mtime_nsec()) == (-5, 1)),
        (
            "owner",
            |p| drop(std::os::unix::fs::chown(p.at("x"), Some(12345), Some(54321))),
            |m| !rustix::process::geteuid().is_root() || (m.uid(), m.gid()) == (12345, 54321),
        ),
        (
            "content alone",
            |p| {
                let meta = fs::metadata(p.at("x")).unwrap();
                fs::write(p.at("x"), "other").unwrap();
                set_mtime(&p.at("x"), meta.mtime(), meta.mtime_nsec());
            },
            |m| m.len() == 5,
        ),
    ];
    for (name, change, holds) in table {
        let mut pair = Pair::files();
        pair.write("x", "first");
        pair.sync().unwrap();
        let before = fs::metadata(pair.seen("x")).unwrap();
        change(&pair);
        assert!(pair.sync().unwrap().changed, "{name}");
        let after = fs::symlink_metadata(pair.seen("x")).unwrap();
        assert!(holds(&after), "{name}: {after:?}");
        assert_ne!(before.ino(), after.ino(), "{name}: an inode of an older generation was touched");
        pair.assert_equal();
        let oldest = pair.replica().restore_points().unwrap().remove(0).generation;
        assert_eq!(pair.replica().verify_generation(oldest, &Unwatched).unwrap(), [], "{name}");
    }
}

#[test]
fn directories_links_and_fifos_keep_their_own_metadata() {
    let mut pair = Pair::files();
    pair.write("closed/inside", "x");
    symlink("inside", pair.at("closed/dangling-if-moved")).unwrap();
    set_mtime(&pair.at("closed/dangling-if-moved"), 77, 77);
    rustix::fs::mknodat(CWD, pair.at("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    set_mtime(&pair.at("closed"), 99, 99);
    fs::set_permissions(pair.at("closed"), PermissionsExt::from_mode(0o3500)).unwrap();
    set_mtime(&pair.at(""), 55, 55);
    pair.sync().unwrap();
    let closed = fs::metadata(pair.seen("closed")).unwrap();
    assert_eq!((closed.mode() & 0o7777, closed.mtime(), closed.mtime_nsec()), (0o3500, 99, 99));
    assert_eq!(fs::symlink_metadata(pair.seen("closed/dangling-if-moved")).unwrap().mtime(), 77);
    assert_eq!(fs::metadata(pair.seen("")).unwrap().mtime(), 55);
    pair.assert_equal();
    pair.write("more", "y");
    pair.sync().unwrap();
    pair.assert_equal();
    // A tree with a closed directory can be pruned.
    pair.replica().prune(1, now() + SignedDuration::from_hours(1), Duration::ZERO).unwrap();
    assert_eq!(pair.replica().restore_points().unwrap().len(), 1);
}

#[test]
fn names_are_bytes() {
    let mut pair = Pair::files();
    let long = [b'n'; 255];
    for name in [b"\xff\xfe".as_slice(), b"new\nline", b"a", b"a-b", b"-rf", b"sp ace", b"\x01", b"\\", &long] {
        fs::write(pair.at("").join(OsStr::from_bytes(name)), name).unwrap();
    }
    pair.write("a.d/b", "sorted between the others");
    fs::create_dir(pair.at("a!")).unwrap();
    pair.write("a!/b", "also");
    pair.sync().unwrap();
    assert_eq!(fs::read(pair.seen("").join(OsStr::from_bytes(b"\xff\xfe"))).unwrap(), b"\xff\xfe");
    pair.assert_equal();
    assert!(!pair.sync().unwrap().changed);
}

#[test]
fn paths_longer_than_the_kernel_takes_arrive() {
    let mut pair = Pair::files();
    let name = "d".repeat(250);
    let mut dir = File::open(pair.at("")).unwrap();
    for _ in 0..20 {
        rustix::fs::mkdirat(&dir, &*name, Mode::RWXU).unwrap();
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY;
        dir = File::from(rustix::fs::openat(&dir, &*name, flags, Mode::empty()).unwrap());
    }
    let create = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY;
    rustix::fs::openat(&dir, "deep", create, Mode::RUSR).unwrap();
    assert_eq!(pair.sync().unwrap().commit.files, 1);
    pair.assert_equal();
}

#[test]
fn hardlinks_stay_one_file_and_part_again() {
    let mut pair = Pair::files();
    pair.write("a", "shared");
    pair.write("sub/lonely", "shared");
    fs::hard_link(pair.at("a"), pair.at("sub/b")).unwrap();
    fs::hard_link(pair.at("a"), pair.at("c")).unwrap();
    pair.sync().unwrap();
    let inode = |pair: &Pair, name: &str| fs::metadata(pair.seen(name)).unwrap().ino();
    assert_eq!(inode(&pair, "a"), inode(&pair, "sub/b"));
    assert_ne!(inode(&pair, "a"), inode(&pair, "sub/lonely"));
    pair.assert_equal();
    let meta = fs::metadata(pair.at("c")).unwrap();
    fs::remove_file(pair.at("c")).unwrap();
    fs::write(pair.at("c"), "shared").unwrap();
    set_mtime(&pair.at("c"), meta.mtime(), meta.mtime_nsec());
    let pulled = pair.sync().unwrap();
    assert!(pulled.changed);
    assert_eq!(pulled.received_files, 0, "the content is already here");
    assert_ne!(inode(&pair, "a"), inode(&pair, "c"));
    assert_eq!(inode(&pair, "a"), inode(&pair, "sub/b"));
    pair.assert_equal();
}

#[test]
fn symlinks_and_pipes_have_several_names_too_and_part_again() {
    let mut pair = Pair::files();
    symlink("a", pair.at("link")).unwrap();
    symlink("a", pair.at("other-link")).unwrap();
    rustix::fs::mknodat(CWD, pair.at("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    for name in ["link", "pipe"] {
        fs::hard_link(pair.at(name), pair.at(&format!("z-{name}"))).unwrap();
    }
    // The groups of each kind are counted for themselves.
    pair.write("file", "x");
    fs::hard_link(pair.at("file"), pair.at("z-file")).unwrap();
    let inode = |pair: &Pair, name: &str| fs::symlink_metadata(pair.seen(name)).unwrap().ino();
    pair.sync().unwrap();
    for name in ["link", "pipe", "file"] {
        assert_eq!(inode(&pair, name), inode(&pair, &format!("z-{name}")), "{name}");
    }
    assert_ne!(inode(&pair, "link"), inode(&pair, "other-link"));
    pair.assert_equal();
    pair.assert_same_to_rsync("linked");
    fs::remove_file(pair.at("z-link")).unwrap();
    symlink("a", pair.at("z-link")).unwrap();
    let meta = fs::symlink_metadata(pair.at("link")).unwrap();
    set_mtime(&pair.at("z-link"), meta.mtime(), meta.mtime_nsec());
    assert!(pair.sync().unwrap().changed);
    assert_ne!(inode(&pair, "link"), inode(&pair, "z-link"));
    pair.assert_equal();
    pair.assert_same_to_rsync("parted");
}

#[test]
fn a_symlink_that_leaves_the_tree_is_copied_and_never_followed() {
    let mut pair = Pair::files();
    let outside = pair.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "not for the replica").unwrap();
    symlink(&outside, pair.at("way-out")).unwrap();
    symlink("../../..", pair.at("up")).unwrap();
    symlink("loop", pair.at("loop")).unwrap();
    let pulled = pair.sync().unwrap();
    assert_eq!(pulled.commit.files, 0);
    assert_eq!(fs::read_link(pair.seen("way-out")).unwrap(), outside);
    // The link becomes a directory of the same name: nothing may be written through the old link.
    fs::remove_file(pair.at("way-out")).unwrap();
    pair.write("way-out/new", "x");
    pair.sync().unwrap();
    assert_eq!(list(&outside), ["secret"]);
    pair.assert_equal();
}

#[test]
fn rsync_as_referee_finds_nothing() {
    let mut pair = Pair::files();
    pair.write("etc/plain", "x");
    pair.write("etc/set", "x");
    pair.write("etc/empty", "");
    fs::set_permissions(pair.at("etc/set"), PermissionsExt::from_mode(0o6751)).unwrap();
    let _ = std::os::unix::fs::chown(pair.at("etc/plain"), Some(1001), Some(1002));
    fs::hard_link(pair.at("etc/plain"), pair.at("linked")).unwrap();
    fs::hard_link(pair.at("etc/plain"), pair.at("linked-too")).unwrap();
    symlink("/nowhere", pair.at("dangling")).unwrap();
    set_mtime(&pair.at("dangling"), 12, 34);
    fs::hard_link(pair.at("dangling"), pair.at("etc/dangling")).unwrap();
    rustix::fs::mknodat(CWD, pair.at("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    fs::hard_link(pair.at("pipe"), pair.at("etc/pipe")).unwrap();
    fs::write(pair.at("").join(OsStr::from_bytes(b"\xffraw\nname")), "x").unwrap();
    fs::create_dir(pair.at("closed")).unwrap();
    fs::set_permissions(pair.at("closed"), PermissionsExt::from_mode(0o1500)).unwrap();
    for round in 0..3 {
        pair.sync().unwrap();
        pair.assert_same_to_rsync(&format!("round {round}"));
        fs::remove_file(pair.at("linked-too")).unwrap();
        fs::write(pair.at("linked-too"), "x").unwrap();
        pair.write(&format!("etc/round-{round}"), "x");
        set_mtime(&pair.at("etc"), 1000 + round, 5);
    }
}

#[test]
fn holes_stay_holes() {
    let mut pair = Pair::files();
    let blocks = |path: &Path| fs::metadata(path).unwrap().blocks();
    let file = File::create(pair.at("image")).unwrap();
    file.set_len(64 << 20).unwrap();
    file.write_all_at(&[7; 10_000], 5 << 20).unwrap();
    file.write_all_at(&[8; 10_000], 50 << 20).unwrap();
    fs::write(pair.at("small"), [[0; 300_000].as_slice(), b"end"].concat()).unwrap();
    for round in 0..3u8 {
        pair.sync().unwrap();
        // A few blocks more where an extent begins in the middle of one.
        assert!(blocks(&pair.seen("image")) <= blocks(&pair.at("image")) + 64, "round {round}");
        assert!(blocks(&pair.seen("small")) < 64, "zeros take no room");
        pair.assert_equal();
        pair.assert_same_to_rsync("with holes");
        file.write_all_at(&[round; 5000], 20 << 20).unwrap();
        set_mtime(&pair.at("image"), 77, i64::from(round));
    }
    let promoted = pair.replica().promote("run-1", None, 0, now(), &Unwatched).unwrap();
    assert!(blocks(&promoted.tree.join("image")) <= blocks(&pair.at("image")) + 64);
    assert_eq!(fs::metadata(promoted.tree.join("image")).unwrap().len(), 64 << 20);
}
