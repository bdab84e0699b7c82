//! What readers of the replica see, where they find it, and how damage to it is found and put right.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, RwLock};
use std::thread;
use std::time::Duration;

use jiff::SignedDuration;
use pair::{Pair, now, set_mtime};
use replication::{DifferenceKind, ErrorKind, SourceKind, Unwatched};

#[test]
fn unchanged_files_share_their_inode_with_the_older_generation() {
    let mut pair = Pair::files();
    pair.write("steady", "same");
    pair.write("moved", "by rename");
    pair.sync().unwrap();
    let (steady, moved) = (fs::metadata(pair.seen("steady")).unwrap(), fs::metadata(pair.seen("moved")).unwrap());
    fs::rename(pair.at("moved"), pair.at("renamed")).unwrap();
    let pulled = pair.sync().unwrap();
    assert_eq!(pulled.received_files, 0);
    assert_eq!(fs::metadata(pair.seen("steady")).unwrap().ino(), steady.ino());
    assert_eq!(fs::metadata(pair.seen("renamed")).unwrap().ino(), moved.ino());
    pair.assert_equal();
}

#[test]
fn a_reader_that_resolved_the_link_once_goes_on_reading_one_generation() {
    let mut pair = Pair::files();
    let target = pair.dir.path().join("srv/replica");
    pair.replica().set_target(Some(&target)).unwrap();
    pair.write("a", "one");
    pair.write("b", "one");
    pair.sync().unwrap();
    let resolved = fs::canonicalize(&target).unwrap();
    pair.write("a", "two");
    pair.write("b", "two");
    pair.sync().unwrap();
    assert_eq!(fs::read(resolved.join("a")).unwrap(), b"one");
    assert_eq!(fs::read(target.join("a")).unwrap(), b"two");
    let grace = Duration::from_secs(60);
    pair.replica().prune(1, now() + SignedDuration::from_secs(59), grace).unwrap();
    assert_eq!(fs::read(resolved.join("b")).unwrap(), b"one", "within its grace");
    pair.replica().prune(1, now() + SignedDuration::from_secs(60), grace).unwrap();
    assert!(!resolved.exists());
    assert_eq!(fs::read(target.join("b")).unwrap(), b"two");
}

#[test]
fn readers_in_a_burst_of_changes_see_one_generation_or_the_next_also_when_trees_are_used_again() {
    let mut pair = Pair::files();
    let names: Vec<String> = (0..24).map(|i| format!("dir-{}/file-{i}", i % 3)).collect();
    let write = |pair: &Pair, n: u32| names.iter().for_each(|name| pair.write(name, format!("version {n}")));
    write(&pair, 0);
    pair.sync().unwrap();
    let current = pair.dir.path().join("store/current");
    // Held by whoever is in a tree: pruning with no grace at all is then as late as it must be.
    let (inside, done) = (RwLock::new(()), AtomicBool::new(false));
    let reading = Barrier::new(3);
    let looks = thread::scope(|scope| {
        let read = || {
            let mut looks = 0;
            reading.wait();
            while !done.load(Ordering::SeqCst) || looks == 0 {
                let _inside = inside.read().unwrap();
                let tree = fs::canonicalize(&current).unwrap();
                let first = fs::read_to_string(tree.join(&names[0])).unwrap();
                for name in &names {
                    assert_eq!(fs::read_to_string(tree.join(name)).unwrap(), first, "two generations in one look");
                }
                looks += 1;
            }
            looks
        };
        let readers = [scope.spawn(read), scope.spawn(read)];
        reading.wait();
        for n in 1..40 {
            write(&pair, n);
            pair.sync().unwrap();
            let _nobody = inside.write().unwrap();
            pair.replica().prune(1, now() + SignedDuration::from_hours(1), Duration::ZERO).unwrap();
        }
        done.store(true, Ordering::SeqCst);
        readers.map(|reader| reader.join().unwrap())
    });
    assert!(looks.iter().all(|looks| *looks > 0), "{looks:?}");
    pair.assert_equal();
}

#[test]
fn only_our_own_link_is_ever_replaced_at_the_target() {
    let mut pair = Pair::files();
    pair.write("a", "x");
    pair.sync().unwrap();
    let place = |name: &str| pair.dir.path().join(name);
    let (full, empty, file, link, next) = (place("full"), place("empty"), place("file"), place("link"), place("next"));
    fs::create_dir_all(full.join("theirs")).unwrap();
    fs::create_dir(&empty).unwrap();
    fs::write(&file, "theirs").unwrap();
    symlink("elsewhere", &link).unwrap();
    for taken in [&full, &file, &link, &file.join("below"), &place("store/inside")] {
        let error = pair.replica().set_target(Some(taken)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TargetOccupied, "{}", taken.display());
        assert_eq!(pair.replica().target(), None);
    }
    pair.replica().set_target(Some(&empty)).unwrap();
    assert_eq!(fs::read(empty.join("a")).unwrap(), b"x");
    pair.replica().set_target(Some(&next)).unwrap();
    assert!(!empty.exists() && next.join("a").exists());
    fs::remove_file(&next).unwrap();
    pair.reopen();
    assert!(next.join("a").exists(), "a lost link is repaired");
    fs::remove_file(&next).unwrap();
    fs::write(&next, "theirs").unwrap();
    pair.reopen();
    assert_eq!(pair.replica().target_state(), replication::TargetState::Occupied);
    assert_eq!(fs::read(&next).unwrap(), b"theirs");
    fs::remove_file(&next).unwrap();
    pair.reopen();
    pair.replica.take().unwrap().destroy().unwrap();
    assert!(!next.exists() && fs::symlink_metadata(&next).is_err());
    assert!(!pair.dir.path().join("store").exists());
}

#[test]
fn a_flipped_bit_is_found_and_healed_and_extra_files_too() {
    let mut pair = Pair::files();
    pair.write("a", "content");
    pair.write("b", "other");
    pair.sync().unwrap();
    let meta = fs::metadata(pair.seen("a")).unwrap();
    fs::write(pair.seen("a"), "cOntent").unwrap();
    set_mtime(&pair.seen("a"), meta.mtime(), meta.mtime_nsec());
    fs::write(pair.seen("planted"), "x").unwrap();
    fs::remove_file(pair.seen("b")).unwrap();
    let kinds: Vec<_> = pair.replica().verify(&Unwatched).unwrap().into_iter().map(|d| (d.path, d.what)).collect();
    assert!(kinds.contains(&("a".into(), DifferenceKind::Content)), "{kinds:?}");
    assert!(kinds.contains(&("b".into(), DifferenceKind::Missing)), "{kinds:?}");
    assert!(kinds.contains(&("planted".into(), DifferenceKind::Extra)), "{kinds:?}");
    let before = pair.replica().committed().unwrap().clone();
    assert!(!pair.sync().unwrap().changed, "an ordinary pull does not look");
    let healed = pair.sync_watched(true, &Unwatched, &Unwatched).0.unwrap();
    assert!(!healed.changed && healed.healed.len() >= 3);
    assert_eq!(healed.commit, before);
    pair.assert_equal();
    pair.reopen();
    pair.assert_equal();
}

#[test]
fn a_damaged_record_falls_back_to_the_last_good_generation() {
    let mut pair = Pair::files();
    pair.write("a", "one");
    pair.sync().unwrap();
    pair.write("a", "two");
    pair.sync().unwrap();
    let record = pair.dir.path().join("store/generations/2/record");
    let text = fs::read_to_string(&record).unwrap().replace("\"files\":1", "\"files\":9");
    fs::write(&record, text).unwrap();
    assert_eq!(pair.reopen().committed().unwrap().generation, 1);
    assert_eq!(fs::read(pair.seen("a")).unwrap(), b"one");
    assert!(pair.sync().unwrap().changed);
    pair.assert_equal();
}

#[test]
fn a_store_is_opened_once() {
    let mut pair = Pair::files();
    let store = pair.replica().store_path().to_path_buf();
    let error = replication::Replica::open(store, SourceKind::Files).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreBusy);
}

#[test]
fn a_generation_that_is_not_newer_is_refused() {
    let mut pair = Pair::files();
    pair.write("a", "one");
    pair.generation = 9;
    pair.sync().unwrap();
    pair.write("a", "two");
    pair.generation = 4;
    assert_eq!(pair.sync().unwrap_err().kind(), ErrorKind::GenerationNotNewer);
    assert_eq!(fs::read(pair.seen("a")).unwrap(), b"one");
}

/// A tree so large that another one costs much, and an older one that nobody needs.
fn large() -> (Pair, std::path::PathBuf) {
    let mut pair = Pair::files();
    for i in 0..10_000 {
        pair.write(&format!("dir-{}/file-{i}", i % 100), "");
    }
    pair.write("a", "one");
    pair.sync().unwrap();
    let older = fs::canonicalize(pair.dir.path().join("store/current")).unwrap();
    pair.write("a", "two");
    pair.sync().unwrap();
    (pair, older)
}

#[test]
fn a_large_tree_is_had_back_as_soon_as_nobody_is_in_it_and_not_before() {
    let (mut pair, older) = large();
    let (soon, grace) = (now() + SignedDuration::from_secs(3), Duration::from_secs(60));
    let inside = fs::File::open(older.join("dir-1")).unwrap();
    pair.replica().prune(1, soon, grace).unwrap();
    assert_eq!(fs::read(older.join("a")).unwrap(), b"one", "somebody has a directory of it open");
    drop(inside);
    pair.replica().prune(1, now() + SignedDuration::from_secs(1), grace).unwrap();
    assert!(older.exists(), "somebody may be on the way into it");
    pair.replica().prune(1, soon, grace).unwrap();
    assert!(!older.exists());
    let spares = pair::list(&pair.dir.path().join("store/spares"));
    assert!(spares.iter().any(|name| name != "boot"), "it was not kept for the next generation: {spares:?}");
    pair.write("a", "three");
    pair.sync().unwrap();
    pair.assert_equal();
}
