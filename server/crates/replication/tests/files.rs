//! A tree of files from one directory to another: what arrives, what is left out, what is never read twice.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use jiff::Timestamp;
use pair::{Pair, list, now, set_mtime};
use replication::{ErrorKind, SkipReason, Source, SourceKind, SourceSpec, TreePath, Unwatched, WarningKind};
use std::os::unix::fs::MetadataExt;

#[test]
fn a_first_copy_is_complete_and_a_second_pull_says_unchanged() {
    let mut pair = Pair::files();
    pair.write("etc/a.conf", "alpha");
    pair.write("etc/empty", "");
    pair.write("big", vec![7u8; 3_000_000]);
    fs::create_dir(pair.at("nothing")).unwrap();
    let first = pair.sync().unwrap();
    assert!(first.changed && first.acknowledged);
    assert_eq!((first.commit.files, first.commit.bytes, first.received_files), (3, 3_000_005, 2));
    assert_eq!(fs::read(pair.seen("etc/a.conf")).unwrap(), b"alpha");
    pair.assert_equal();
    let second = pair.sync().unwrap();
    assert!(!second.changed);
    assert_eq!(second.commit, first.commit);
    assert!(second.received_bytes < 200, "{}", second.received_bytes);
    assert_eq!(pair.replica().restore_points().unwrap().len(), 1);
}

#[test]
fn sockets_and_forbidden_paths_are_skipped_and_listed_and_databases_warned_of() {
    let mut pair = Pair::files();
    pair.write("own-data/key", "secret");
    pair.write("kept", "x");
    pair.write("cache/old.tmp", "x");
    pair.write("deep/cache/stay", "x");
    pair.write("deep/a.tmp", "x");
    rusqlite::Connection::open(pair.at("raw.db")).unwrap().execute_batch("CREATE TABLE t(x)").unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(pair.at("sock")).unwrap();
    let spec = SourceSpec {
        kind: SourceKind::Files,
        path: pair.at(""),
        excludes: vec!["*.tmp".into(), "/cache/".into()],
        forbidden: vec![pair.at("own-data"), "/does/not/exist".into()],
    };
    pair.source = Source::new(spec.clone(), pair.dir.path().join("scratch")).unwrap();
    let capture = pair.capture();
    let skipped: Vec<_> = capture.skipped.iter().map(|s| (s.path.as_str(), s.why)).collect();
    assert_eq!(skipped, [("own-data", SkipReason::Forbidden), ("sock", SkipReason::Socket)]);
    let warned: Vec<_> = capture.warnings.iter().map(|w| (w.path.as_str(), w.what)).collect();
    assert_eq!(warned, [("raw.db", WarningKind::UndeclaredDatabase)]);
    pair.sync().unwrap();
    assert_eq!(list(&pair.seen("")), ["deep", "kept", "raw.db"]);
    assert_eq!(list(&pair.seen("deep")), ["cache"]);
    let inside = SourceSpec { path: pair.at("own-data"), ..spec };
    let mut inside = Source::new(inside, pair.dir.path().join("scratch2")).unwrap();
    assert_eq!(inside.capture(now(), false, &Unwatched).unwrap_err().kind(), ErrorKind::SourceForbidden);
}

#[test]
fn a_missing_root_is_an_error_and_never_a_deletion() {
    let mut pair = Pair::files();
    pair.write("a", "x");
    pair.sync().unwrap();
    fs::rename(pair.at(""), pair.dir.path().join("away")).unwrap();
    let error = pair.sync().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SourceMissing);
    assert_eq!(error.path().unwrap(), pair.dir.path().join("source"));
    fs::write(pair.dir.path().join("source"), "a file now").unwrap();
    assert_eq!(pair.sync().unwrap_err().kind(), ErrorKind::SourceMissing);
    assert_eq!(fs::read(pair.seen("a")).unwrap(), b"x");
}

#[test]
fn a_volume_that_is_not_mounted_is_an_error_and_never_a_deletion() {
    let mut pair = Pair::files();
    pair.write("volume/placeholder", "");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "none"]).arg(pair.at("volume")).status();
    if !mounted.is_ok_and(|status| status.success()) {
        println!("skipped: mounting is not permitted here");
        return;
    }
    pair.write("volume/data", "x");
    pair.sync().unwrap();
    assert!(Command::new("umount").arg(pair.at("volume")).status().unwrap().success());
    assert_eq!(pair.sync().unwrap_err().kind(), ErrorKind::SourceMissing);
    // Also after a restart of the source's process.
    pair.source = Source::new(pair.source.spec().clone(), pair.dir.path().join("scratch")).unwrap();
    assert_eq!(pair.sync().unwrap_err().kind(), ErrorKind::SourceMissing);
    assert_eq!(fs::read(pair.seen("volume/data")).unwrap(), b"x");
    pair.source.forget_mounts().unwrap();
    assert!(pair.sync().unwrap().changed);
}

#[test]
fn an_unchanged_file_is_not_read_again_and_a_rewritten_one_always_is() {
    let mut pair = Pair::files();
    pair.write("steady", vec![1u8; 100_000]);
    // Long ago by the file system's clock would be best; a clock in the past of it is the same to the cache.
    let capture = pair.source.capture(Timestamp::UNIX_EPOCH, false, &Unwatched).unwrap();
    assert_eq!(capture.hashed_bytes, 100_000);
    let again = pair.source.capture(Timestamp::UNIX_EPOCH, false, &Unwatched).unwrap();
    assert_eq!(again.hashed_bytes, 100_000, "racily clean: hashed again");
    pair.sync().unwrap();
    // Same size, same second, same mtime even: only ctime tells.
    for round in 0..10u8 {
        let meta = fs::metadata(pair.at("steady")).unwrap();
        fs::write(pair.at("steady"), vec![round + 2; 100_000]).unwrap();
        set_mtime(&pair.at("steady"), meta.mtime(), meta.mtime_nsec());
        pair.sync().unwrap();
        assert_eq!(fs::read(pair.seen("steady")).unwrap()[0], round + 2, "stale after round {round}");
    }
}

#[test]
fn an_unreadable_directory_is_named_and_nothing_is_dropped() {
    if rustix::process::geteuid().is_root() {
        println!("skipped: root reads everything");
        return;
    }
    let mut pair = Pair::files();
    pair.write("closed/a", "x");
    fs::set_permissions(pair.at("closed"), PermissionsExt::from_mode(0o0)).unwrap();
    let error = pair.sync().unwrap_err();
    fs::set_permissions(pair.at("closed"), PermissionsExt::from_mode(0o700)).unwrap();
    assert_eq!((error.kind(), error.path().unwrap()), (ErrorKind::SourceUnreadable, pair.at("closed").as_path()));
}

#[test]
fn thousands_of_small_files_arrive_and_one_change_among_them_travels_alone() {
    let mut pair = Pair::files();
    for dir in 0..200 {
        fs::create_dir(pair.at(&format!("d{dir}"))).unwrap();
        for file in 0..20 {
            fs::write(pair.at(&format!("d{dir}/f{file}")), format!("{dir} {file} ").repeat(100)).unwrap();
        }
    }
    assert_eq!(pair.sync().unwrap().commit.files, 4_000);
    fs::write(pair.at("d7/f7"), "changed").unwrap();
    assert_eq!(pair.sync().unwrap().received_files, 1);
    let manifest = pair.replica().manifest().unwrap();
    assert!(manifest.get(&TreePath::parse(b"d199/f19").unwrap()).is_some());
    assert_eq!(pair.source.measure(&Unwatched).unwrap().files, 4_000);
}
