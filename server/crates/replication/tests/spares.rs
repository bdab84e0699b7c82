//! Trees that are changed instead of built anew: the replica stays what the source is, whatever happens between, and a
//! small change touches little.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "test code")]

mod pair;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use pair::{Bomb, Pair, list, now, set_mtime};
use replication::{ErrorKind, Point, Unwatched};

/// Lets go of everything but the newest generation, as long after as nobody can be reading any more.
fn prune(pair: &mut Pair, keep: usize) {
    let later = now() + SignedDuration::from_hours(1);
    pair.replica().prune(keep, later, Duration::ZERO).unwrap();
    pair.replica().freshen(&Unwatched).unwrap();
}

fn store(pair: &Pair, name: &str) -> PathBuf {
    pair.dir.path().join("store").join(name)
}

/// The inodes of the directories in the visible tree and in the spares.
fn trees(pair: &Pair) -> BTreeSet<u64> {
    let spares = list(&store(pair, "spares"));
    let spares = spares.iter().map(|name| store(pair, "spares").join(name).join("tree"));
    let kept = list(&store(pair, "generations"));
    let kept = kept.iter().map(|name| store(pair, "generations").join(name).join("tree"));
    spares.chain(kept).filter_map(|tree| fs::metadata(tree).ok()).map(|meta| meta.ino()).collect()
}

#[test]
fn a_tree_nobody_needs_any_more_becomes_the_next_generation() {
    let mut pair = Pair::files();
    for i in 0..50 {
        pair.write(&format!("dir-{}/file-{i}", i % 5), format!("{i}"));
    }
    pair.sync().unwrap();
    pair.replica().prepare(&Unwatched).unwrap();
    let known = trees(&pair);
    assert_eq!(known.len(), 2, "the visible one and a spare");
    for round in 0..6 {
        pair.write("dir-1/file-1", format!("round {round}"));
        pair.write(&format!("dir-2/new-{round}"), "x");
        pair.sync().unwrap();
        prune(&mut pair, 1);
        assert_eq!(trees(&pair), known, "no tree was built and none removed");
        pair.assert_equal();
    }
}

#[test]
fn in_a_quiet_time_trees_are_made_for_many_changes_and_none_of_these_builds_one() {
    let mut pair = Pair::files();
    for i in 0..50 {
        pair.write(&format!("dir-{}/file-{i}", i % 5), format!("{i}"));
    }
    pair.sync().unwrap();
    while pair.replica().stock_up(&Unwatched).unwrap() {}
    let known = trees(&pair);
    assert!(known.len() > 20, "{} trees", known.len());
    for round in 0..20 {
        pair.write(&format!("dir-1/file-{}", round % 3), format!("round {round}"));
        fs::rename(pair.at(&format!("dir-2/file-{}", 5 * (round % 10) + 2)), pair.at(&format!("dir-3/{round}")))
            .unwrap_or_default();
        pair.sync().unwrap();
        pair.assert_equal();
        assert_eq!(trees(&pair), known, "a tree was built or removed");
    }
    while pair.replica().stock_up(&Unwatched).unwrap() {}
    assert!(trees(&pair).len() > known.len(), "those that were used are replaced");
}

#[test]
fn what_is_gone_at_the_source_keeps_no_space_once_it_is_pruned() {
    let mut pair = Pair::files();
    pair.write("large", vec![7; 3 << 20]);
    pair.write("small", "x");
    pair.sync().unwrap();
    let held = fs::File::open(pair.seen("large")).unwrap();
    fs::remove_file(pair.at("large")).unwrap();
    pair.sync().unwrap();
    prune(&mut pair, 1);
    assert_eq!(held.metadata().unwrap().nlink(), 0, "no spare holds it");
    pair.assert_equal();
}

#[test]
fn what_somebody_left_in_a_tree_never_comes_back_with_it() {
    let mut pair = Pair::files();
    pair.write("dir/a", "one");
    pair.sync().unwrap();
    fs::write(pair.seen("dir/planted"), "x").unwrap();
    for content in ["two", "three", "four"] {
        pair.write("dir/a", content);
        pair.sync().unwrap();
        prune(&mut pair, 1);
        pair.assert_equal();
    }
}

#[test]
fn a_damaged_file_is_not_brought_back_by_a_spare_after_it_was_healed() {
    let mut pair = Pair::files();
    pair.write("a", "content");
    pair.write("b", "other");
    pair.sync().unwrap();
    pair.replica().prepare(&Unwatched).unwrap();
    let meta = fs::metadata(pair.seen("a")).unwrap();
    fs::write(pair.seen("a"), "cOntent").unwrap();
    set_mtime(&pair.seen("a"), meta.mtime(), meta.mtime_nsec());
    let healed = pair.sync_watched(true, &Unwatched, &Unwatched).0.unwrap();
    assert_eq!(healed.healed.len(), 1);
    for content in ["two", "three"] {
        pair.write("b", content);
        pair.sync().unwrap();
        pair.assert_equal();
    }
}

#[test]
fn stopped_while_spares_are_made_or_changed_nothing_half_changed_is_used() {
    let make = |pair: &mut Pair, bomb: &Bomb| pair.replica().prepare(bomb);
    let freshen = |pair: &mut Pair, bomb: &Bomb| {
        let later = now() + SignedDuration::from_hours(1);
        pair.replica().prune(1, later, Duration::ZERO).unwrap();
        pair.replica().freshen(bomb)
    };
    for (case, point) in [(false, Point::SpareHalfMade), (false, Point::SpareMade), (true, Point::SpareHalfMade)] {
        let mut pair = Pair::files();
        for i in 0..20 {
            pair.write(&format!("dir-{}/file-{i}", i % 3), format!("{i}"));
        }
        pair.sync().unwrap();
        if case {
            pair.replica().prepare(&Unwatched).unwrap();
            for i in 0..10 {
                pair.write(&format!("dir-{}/file-{i}", i % 3), format!("{i} changed"));
            }
            fs::remove_dir_all(pair.at("dir-2")).unwrap();
            pair.sync().unwrap();
        }
        let bomb = Bomb::new(point, 1);
        let error = if case { freshen(&mut pair, &bomb) } else { make(&mut pair, &bomb) }.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        let mut again = |reopen: bool, content: &str| {
            if reopen {
                pair.reopen();
            }
            pair.write("dir-1/file-1", content);
            pair.sync().unwrap();
            pair.assert_equal();
            assert!(list(&store(&pair, "spares")).iter().all(|name| !name.contains('.')), "half a spare is left");
        };
        again(false, "without a restart");
        again(true, "after a restart");
    }
}

#[test]
fn spares_of_an_earlier_boot_are_not_believed() {
    let mut pair = Pair::files();
    pair.write("a", "one");
    pair.sync().unwrap();
    pair.replica().prepare(&Unwatched).unwrap();
    pair.reopen();
    assert_eq!(list(&store(&pair, "spares")).len(), 2, "a restart of the program keeps them");
    fs::write(store(&pair, "spares/boot"), "another").unwrap();
    pair.reopen();
    assert_eq!(list(&store(&pair, "spares")), ["boot"]);
    pair.write("a", "two");
    pair.sync().unwrap();
    pair.assert_equal();
}

#[test]
fn many_small_changes_cost_the_disk_little_and_every_restore_point_can_be_read() {
    let mut pair = Pair::files();
    for i in 0..400 {
        pair.write(&format!("dir-{}/file-{i}", i % 7), format!("{i}"));
    }
    pair.sync().unwrap();
    let weigh = |pair: &Pair| {
        let names = list(&store(pair, "manifests"));
        names.iter().map(|name| fs::metadata(store(pair, "manifests").join(name)).unwrap().len()).sum::<u64>()
    };
    let whole = weigh(&pair);
    for round in 0..80 {
        pair.write("dir-3/file-3", format!("round {round}"));
        pair.sync().unwrap();
    }
    assert!(weigh(&pair) < 4 * whole, "{} for 81 manifests, {whole} for one", weigh(&pair));
    pair.reopen();
    for point in pair.replica().restore_points().unwrap() {
        assert_eq!(pair.replica().verify_generation(point.generation, &Unwatched).unwrap(), []);
    }
    prune(&mut pair, 3);
    let left: Vec<u64> = pair.reopen().restore_points().unwrap().iter().map(|point| point.generation).collect();
    assert_eq!(left, [79, 80, 81]);
    for generation in left {
        assert_eq!(pair.replica().verify_generation(generation, &Unwatched).unwrap(), []);
    }
    assert!(weigh(&pair) < 3 * whole, "what is pruned lets go of its manifest");
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// One thing an administrator or a program does to a tree. Few names, contents and times, so that they meet.
fn happen(pair: &Pair, dice: &mut Dice) {
    let name = |dice: &mut Dice| {
        let (dir, file) = (dice.below(4), dice.below(5));
        pair.at(&if dir == 0 { format!("n{file}") } else { format!("d{dir}/n{file}") })
    };
    let (one, other) = (name(dice), name(dice));
    let remove = |path: &PathBuf| match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    };
    for path in [&one, &other] {
        if let Some(parent) = path.parent() {
            if fs::symlink_metadata(parent).is_ok_and(|meta| !meta.is_dir()) {
                remove(&parent.to_path_buf());
            }
            fs::create_dir_all(parent).unwrap();
        }
    }
    let content = ["", "x", "a longer content"][dice.below(3) as usize];
    let mode = [0o644, 0o600, 0o4755][dice.below(3) as usize];
    match dice.below(9) {
        0..=2 => {
            remove(&one);
            fs::write(&one, content).unwrap();
            fs::set_permissions(&one, fs::Permissions::from_mode(mode)).unwrap();
            set_mtime(&one, 1_000_000_000 + dice.below(2) as i64, 5);
        }
        3 => remove(&one),
        4 if one != other && fs::symlink_metadata(&one).is_ok_and(|meta| meta.is_file()) => {
            remove(&other);
            fs::hard_link(&one, &other).unwrap();
        }
        5 if one != other && fs::symlink_metadata(&one).is_ok() => {
            remove(&other);
            fs::rename(&one, &other).unwrap();
        }
        6 => {
            remove(&one);
            symlink(content.len().to_string(), &one).unwrap();
        }
        7 => {
            remove(&one);
            fs::create_dir(&one).unwrap();
            fs::write(one.join("below"), content).unwrap();
        }
        _ => {
            let dir = one.parent().unwrap();
            fs::set_permissions(dir, fs::Permissions::from_mode([0o755, 0o700, 0o1777][dice.below(3) as usize]))
                .unwrap();
        }
    }
}

#[test]
fn whatever_happens_to_a_tree_changing_a_spare_ends_where_building_anew_would() {
    for seed in 1..=6u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut pair = Pair::files();
        for step in 0..40 {
            for _ in 0..=dice.below(6) {
                happen(&pair, &mut dice);
            }
            pair.sync().unwrap();
            pair.assert_equal();
            match dice.below(5) {
                0 => prune(&mut pair, 1),
                1 => prune(&mut pair, 3),
                2 => pair.replica().prepare(&Unwatched).unwrap(),
                3 if step % 8 == 0 => drop(pair.reopen()),
                _ => {}
            }
        }
        for point in pair.replica().restore_points().unwrap() {
            let found = pair.replica().verify_generation(point.generation, &Unwatched).unwrap();
            assert_eq!(found, [], "seed {seed}, generation {}", point.generation);
        }
    }
}

#[test]
fn what_a_pull_left_half_done_is_cleared_up_before_trees_are_made_ready() {
    for point in [Point::TreeHalfBuilt, Point::RecordWritten, Point::Synced, Point::Committed] {
        let mut pair = Pair::files();
        pair.write("a", "one");
        pair.sync().unwrap();
        pair.write("a", "two");
        pair.sync_watched(false, &Bomb::new(point, 1), &Unwatched).0.unwrap_err();
        pair.replica().stock_up(&Unwatched).unwrap();
        prune(&mut pair, 5);
        // The source gives the same content the same number.
        pair.generation -= 1;
        pair.sync().unwrap();
        pair.assert_equal();
        assert!(pair.replica().verify(&Unwatched).unwrap().is_empty(), "{point:?}");
        let left = fs::read_dir(store(&pair, "generations")).unwrap();
        let names: Vec<_> = left.map(|item| item.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| !name.to_string_lossy().contains('.')), "{point:?}: {names:?}");
    }
}

#[test]
fn a_spare_that_was_half_removed_is_not_taken_for_a_whole_one() {
    let mut pair = Pair::files();
    (0..20).for_each(|i| pair.write(&format!("dir/{i}"), "content"));
    pair.sync().unwrap();
    pair.replica().prepare(&Unwatched).unwrap();
    let spares = store(&pair, "spares");
    let spare = fs::read_dir(&spares).unwrap().map(|item| item.unwrap().path()).find(|path| path.is_dir()).unwrap();
    // As a kill in the middle of a removal leaves it.
    fs::rename(&spare, spare.with_extension("changing")).unwrap();
    fs::remove_file(spare.with_extension("changing").join("tree/dir/7")).unwrap();
    pair.reopen();
    assert!(!spare.with_extension("changing").exists());
    pair.write("new", "name");
    pair.sync().unwrap();
    pair.assert_equal();
}
