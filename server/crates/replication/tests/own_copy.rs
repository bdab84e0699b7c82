//! Large files that are written to: where a spare tree has a copy of its own, what changed is written into that one, and
//! nothing that a reader may see is ever written to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::PathBuf;

use jiff::SignedDuration;
use pair::{Bomb, Pair, Small, now, set_mtime};
use replication::{Point, Replica, SourceKind, Unwatched, Watch};

/// Bytes that do not compress, the same ones for the same seed.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut out);
    out
}

fn committed(pair: &mut Pair, name: &str) -> PathBuf {
    pair.replica().restore_points().unwrap().last().unwrap().tree.join(name)
}

/// Writes it and makes it look as if that was just before the capture: files that rest get no copy of their own.
fn write(pair: &Pair, name: &str, content: &[u8]) {
    pair.write(name, content);
    set_mtime(&pair.at(name), now().as_second() - 1, content.len() as i64 % 1000);
}

/// Everything is made ready; the inodes of the copies that spares have for themselves.
fn ready(pair: &mut Pair, name: &str) -> Vec<u64> {
    while pair.replica().stock_up(&Unwatched).unwrap() {}
    let spares = pair.dir.path().join("store/spares");
    let trees = fs::read_dir(spares).unwrap().map(|item| item.unwrap().path().join("tree").join(name));
    trees.filter_map(|file| fs::metadata(file).ok()).filter(|meta| meta.nlink() == 1).map(|meta| meta.ino()).collect()
}

/// Stops when a copy has been made and is not in its place yet.
struct InTheCopy(PathBuf);

impl Watch for InTheCopy {
    fn reached(&self, _: Point) -> bool {
        let mut spares = fs::read_dir(&self.0).unwrap();
        !spares.any(|item| item.unwrap().path().join("copy").exists())
    }
}

#[test]
fn what_is_written_to_a_large_file_is_written_into_a_copy_that_nobody_reads() {
    let mut pair = Pair::files();
    let mut content = noise(1, 6 << 20);
    pair.write("logs/other", "stays");
    write(&pair, "logs/image", &content);
    fs::set_permissions(pair.at("logs/image"), fs::Permissions::from_mode(0o640)).unwrap();
    pair.sync().unwrap();
    for round in 0..4u64 {
        let own = ready(&mut pair, "logs/image");
        assert_eq!(own.len(), 1, "round {round}");
        let (before, was) = (committed(&mut pair, "logs/image"), content.clone());
        match round {
            // Pages in the middle, one at the end, a longer file, a shorter one.
            0 => content[100 * 4096..102 * 4096].copy_from_slice(&noise(7, 8192)),
            1 => *content.last_mut().unwrap() ^= 1,
            2 => content.extend(noise(8, 70_000)),
            _ => content.truncate(5_500_001),
        }
        write(&pair, "logs/image", &content);
        let pulled = pair.sync().unwrap();
        assert!(pulled.received_bytes < 200_000, "round {round}: {} bytes", pulled.received_bytes);
        let shown = committed(&mut pair, "logs/image");
        assert!(fs::read(&shown).unwrap() == content, "round {round}");
        assert_eq!(fs::metadata(&shown).unwrap().ino(), own[0], "round {round}: it was put together anew");
        assert!(fs::read(before).unwrap() == was, "round {round}: what a reader may be in was written to");
        pair.assert_equal();
    }
}

#[test]
fn a_hole_is_punched_and_what_moved_within_the_file_is_copied() {
    let mut pair = Pair::files();
    let mut content = noise(2, 6 << 20);
    write(&pair, "image", &content);
    pair.sync().unwrap();
    assert_eq!(ready(&mut pair, "image").len(), 1);
    content[1 << 20..3 << 20].fill(0);
    write(&pair, "image", &content);
    pair.sync().unwrap();
    let shown = committed(&mut pair, "image");
    assert!(fs::read(&shown).unwrap() == content);
    let room = fs::metadata(&shown).unwrap().blocks() * 512;
    assert!(room <= (4 << 20) + (1 << 16), "{room} bytes on the disk");
    // With holes it gets no copy of its own, and is put together anew.
    assert!(ready(&mut pair, "image").is_empty());
    content[..5 << 20].rotate_left(777);
    write(&pair, "image", &content);
    pair.sync().unwrap();
    pair.assert_equal();
}

#[test]
fn a_file_that_goes_or_comes_back_while_a_copy_waits_is_what_the_source_says() {
    let mut pair = Pair::files();
    let first = noise(3, 5 << 20);
    write(&pair, "image", &first);
    pair.sync().unwrap();
    assert_eq!(ready(&mut pair, "image").len(), 1);
    // Only its metadata.
    fs::set_permissions(pair.at("image"), fs::Permissions::from_mode(0o600)).unwrap();
    pair.sync().unwrap();
    pair.assert_equal();
    ready(&mut pair, "image");
    fs::remove_file(pair.at("image")).unwrap();
    pair.sync().unwrap();
    pair.assert_equal();
    ready(&mut pair, "image");
    pair.replica().freshen(&Unwatched).unwrap();
    write(&pair, "image", &first);
    pair.sync().unwrap();
    pair.assert_equal();
    assert_eq!(ready(&mut pair, "image").len(), 1);
    let later = now() + SignedDuration::from_hours(1);
    pair.replica().prune(1, later, std::time::Duration::ZERO).unwrap();
    pair.replica().freshen(&Unwatched).unwrap();
    let mut second = first;
    second[12_345] ^= 1;
    write(&pair, "image", &second);
    pair.sync().unwrap();
    pair.assert_equal();
}

#[test]
fn cut_off_while_a_copy_is_made_or_written_to_nothing_half_is_ever_used() {
    for point in [Point::SpareHalfMade, Point::ObjectStaged, Point::Transferred, Point::TreeHalfBuilt, Point::Synced] {
        let mut pair = Pair::files();
        let mut content = noise(4, 5 << 20);
        write(&pair, "image", &content);
        write(&pair, "other", b"small");
        pair.sync().unwrap();
        if point == Point::SpareHalfMade {
            let bomb = InTheCopy(pair.dir.path().join("store/spares"));
            while pair.replica().stock_up(&bomb).is_ok_and(|more| more) {}
        } else {
            ready(&mut pair, "image");
        }
        content[1_000_000..1_000_100].fill(9);
        write(&pair, "image", &content);
        write(&pair, "other", b"changed");
        if point != Point::SpareHalfMade {
            pair.sync_watched(false, &Bomb::new(point, 1), &Unwatched).0.unwrap_err();
            assert!(pair.replica().verify(&Unwatched).unwrap().is_empty(), "{point:?}: the visible one was written to");
        }
        if point == Point::Transferred {
            pair.reopen();
        }
        pair.sync().unwrap();
        pair.assert_equal();
        assert!(pair.replica().verify(&Unwatched).unwrap().is_empty(), "{point:?}");
        assert_eq!(fs::read_dir(pair.dir.path().join("store/staged")).unwrap().count(), 0, "{point:?}");
    }
}

#[test]
fn a_copy_that_somebody_else_has_a_name_of_is_not_written_to() {
    let mut pair = Pair::files();
    let mut content = noise(5, 5 << 20);
    write(&pair, "image", &content);
    pair.sync().unwrap();
    ready(&mut pair, "image");
    let spares = pair.dir.path().join("store/spares");
    let held = pair.dir.path().join("held");
    for item in fs::read_dir(spares).unwrap() {
        let file = item.unwrap().path().join("tree/image");
        if fs::metadata(&file).is_ok_and(|meta| meta.nlink() == 1) {
            fs::hard_link(file, &held).unwrap();
        }
    }
    let was = content.clone();
    let file = fs::OpenOptions::new().write(true).open(pair.at("image")).unwrap();
    file.write_all_at(b"changed", 4_000_000).unwrap();
    content[4_000_000..4_000_007].copy_from_slice(b"changed");
    set_mtime(&pair.at("image"), now().as_second() - 1, 99);
    pair.sync().unwrap();
    pair.assert_equal();
    assert!(fs::read(held).unwrap() == was);
    assert!(fs::read(committed(&mut pair, "image")).unwrap() == content);
}

#[test]
fn where_the_room_for_a_copy_that_serves_would_be_taken_there_is_no_copy_of_its_own() {
    let mut pair = Pair::files();
    let Some(small) = Small::mount(pair.dir.path().join("small")) else { return };
    pair.replica = Some(Replica::open(small.0.join("store"), SourceKind::Files).unwrap());
    write(&pair, "image", &noise(6, 5 << 20));
    pair.sync().unwrap();
    while pair.replica().stock_up(&Unwatched).unwrap() {}
    let free = rustix::fs::statvfs(&small.0).unwrap();
    assert!(free.f_bavail * free.f_frsize >= 10 << 20, "a copy that serves, and the next state, still fit");
    let filler = small.0.join("filler");
    fs::write(&filler, vec![1; (free.f_bavail * free.f_frsize) as usize - (4 << 20)]).unwrap();
    // What only saves time makes room when there is no other.
    let promoted = pair.replica().promote("run-1", None, 0, now(), &Unwatched);
    assert!(promoted.is_ok() || fs::read_dir(small.0.join("store/spares")).unwrap().count() <= 1, "{promoted:?}");
    pair.replica = None;
}

#[test]
fn what_is_not_written_to_stays_shared_with_the_generation_before() {
    let mut pair = Pair::files();
    write(&pair, "one", &noise(7, 5 << 20));
    write(&pair, "two", &noise(8, 5 << 20));
    pair.sync().unwrap();
    for round in 0..3u8 {
        assert!(!ready(&mut pair, "one").is_empty() && !ready(&mut pair, "two").is_empty(), "round {round}");
        let inode = |pair: &mut Pair, name: &str| fs::metadata(committed(pair, name)).unwrap().ino();
        let (one, two) = (inode(&mut pair, "one"), inode(&mut pair, "two"));
        // Only what is small; then a large one.
        pair.write("small", [round]);
        if round == 2 {
            let mut content = noise(7, 5 << 20);
            content[99] ^= 1;
            write(&pair, "one", &content);
        }
        pair.sync().unwrap();
        pair.assert_equal();
        assert_eq!(inode(&mut pair, "two"), two, "round {round}: twice on the disk");
        assert_eq!(inode(&mut pair, "one") == one, round < 2, "round {round}");
        if round == 1 {
            // What was known of the copies is forgotten with the process.
            pair.reopen();
        }
    }
}
