//! A full disk: said beforehand with figures where it can be known, and nothing is lost where it cannot.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::fs;
use std::process::Command;

use pair::{Filler, Pair, Small, options};
use replication::{ErrorKind, Point, PullOptions, Replica, SourceKind, Unwatched};

#[test]
fn a_full_disk_is_said_and_the_last_generation_stays() {
    let mut pair = Pair::files();
    let Some(small) = Small::mount(pair.dir.path().join("small")) else { return };
    pair.replica = Some(Replica::open(small.0.join("store"), SourceKind::Files).unwrap());
    pair.write("a", "one");
    pair.sync().unwrap();

    pair.write("too-large", vec![9u8; 40 << 20]);
    let error = pair.sync().unwrap_err();
    let space = error.space().unwrap();
    assert_eq!(error.kind(), ErrorKind::DiskFull);
    assert!(space.needed.unwrap() >= 40 << 20 && space.free < 17 << 20, "{space:?}");
    assert_eq!(pair.replica().verify(&Unwatched).unwrap(), []);
    fs::remove_file(pair.at("too-large")).unwrap();

    for (round, point) in [Point::Planned, Point::ObjectStaged, Point::Transferred, Point::TreeBuilt].iter().enumerate()
    {
        pair.write(&format!("fits-{round}"), vec![round as u8; 1_500_000]);
        for i in 0..50 {
            pair.write(&format!("small-{round}/{i}"), format!("{i} {round}").repeat(800));
        }
        let filler = Filler(small.0.join("filler"), *point);
        let before = pair.replica().committed().unwrap().clone();
        let pulled = pair.sync_watched(false, &filler, &Unwatched).0;
        // tmpfs may still find room for directories and links when it has none for content.
        if let Err(error) = pulled {
            assert_eq!(error.kind(), ErrorKind::DiskFull, "{point:?}: {}", error.chain());
            assert_eq!(pair.replica().committed(), Some(&before));
        } else {
            assert!(*point >= Point::Transferred, "{point:?} was not hurt by a full disk");
        }
        assert_eq!(pair.replica().verify(&Unwatched).unwrap(), [], "{point:?}");
        fs::remove_file(&filler.0).unwrap();
        pair.sync().unwrap();
        assert_eq!(pair.replica().verify(&Unwatched).unwrap(), []);
    }
    pair.replica = None;
}

#[test]
fn a_file_system_that_became_read_only_is_said_and_loses_nothing() {
    let mut pair = Pair::files();
    let Some(small) = Small::mount(pair.dir.path().join("small")) else { return };
    pair.replica = Some(Replica::open(small.0.join("store"), SourceKind::Files).unwrap());
    pair.write("a", "one");
    pair.sync().unwrap();
    pair.replica().prepare(&Unwatched).unwrap();
    let remount = |how: &str| {
        let done = Command::new("mount").args(["-o", how]).arg(&small.0).status();
        assert!(done.is_ok_and(|done| done.success()), "{how}");
    };
    // The lock of an open store is a file that may be written to: without that, nothing can be made read-only.
    pair.replica = None;
    remount("remount,ro");
    let refused = Replica::open(small.0.join("store"), SourceKind::Files).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Io, "{}", refused.chain());
    assert!(refused.path().is_some(), "it says where");
    assert_eq!(fs::read(small.0.join("store/current/a")).unwrap(), b"one");
    remount("remount,rw");
    pair.replica = Some(Replica::open(small.0.join("store"), SourceKind::Files).unwrap());
    pair.write("a", "two");
    pair.sync().unwrap();
    assert_eq!(pair.replica().verify(&Unwatched).unwrap(), []);
    pair.replica = None;
}

#[test]
fn a_disk_that_fills_while_spares_are_changed_costs_the_spares_and_no_generation() {
    let mut pair = Pair::files();
    let Some(small) = Small::mount(pair.dir.path().join("small")) else { return };
    pair.replica = Some(Replica::open(small.0.join("store"), SourceKind::Files).unwrap());
    for i in 0..200 {
        pair.write(&format!("dir-{}/file-{i}", i % 5), "x");
    }
    pair.sync().unwrap();
    for (round, point) in [Point::SpareHalfMade, Point::SpareTaken, Point::TreeHalfBuilt].into_iter().enumerate() {
        let filler = Filler(small.0.join("filler"), point);
        pair.write(&format!("dir-1/new-{round}"), vec![7; 100_000]);
        let before = pair.replica().committed().unwrap().clone();
        // tmpfs may still find room for names when it has none for content.
        if let Err(error) = pair.sync_watched(false, &filler, &Unwatched).0 {
            assert_eq!(error.kind(), ErrorKind::DiskFull, "{point:?}: {}", error.chain());
            assert_eq!(pair.replica().committed(), Some(&before));
        }
        assert_eq!(pair.replica().verify(&Unwatched).unwrap(), [], "{point:?}");
        let _ = fs::remove_file(&filler.0);
        pair.sync().unwrap();
        assert_eq!(pair.replica().verify(&Unwatched).unwrap(), []);
    }
    pair.replica = None;
}

#[test]
fn the_reserve_is_left_free() {
    let mut pair = Pair::files();
    pair.write("a", "x");
    let capture = pair.capture();
    let (mut here, mut there) = std::os::unix::net::UnixStream::pair().unwrap();
    let serving = std::thread::spawn(move || capture.serve(&mut there, 1, &Unwatched));
    let options = PullOptions { reserve_bytes: u64::MAX / 2, ..options(false) };
    let error = pair.replica().pull(&mut here, &options, &Unwatched).unwrap_err();
    drop(here);
    assert_eq!(error.kind(), ErrorKind::DiskFull);
    let served = serving.join().unwrap().unwrap_err();
    assert_eq!((served.kind(), served.peer_kind()), (ErrorKind::PeerFailed, Some(ErrorKind::DiskFull)));
}
