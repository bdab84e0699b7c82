//! How often a replica may move on, and how many trees it may keep for that: each step leaves a tree behind that readers
//! may still be in. It refuses to let their number grow with the rate of change, or beyond a share of the disk.

use std::time::Duration;

use crate::manifest::Manifest;
use crate::store::Free;

/// Names in all the trees that readers may still be in, about: their directories take some hundred megabytes.
const NAMES: u64 = 8_000_000;
const FEWEST_TREES: u64 = 4;
const MOST_TREES: u64 = 512;
/// Of these, one in so many is made before it is needed.
const READY_SHARE: u64 = 4;
const MOST_READY: u64 = 64;
/// Names in all that are made before they are needed: that takes some seconds of processor time.
const READY_NAMES: u64 = 400_000;
/// From so many names on, to make a tree takes longer than to ask who is in those that are there.
const DEAR: u64 = 10_000;
/// What trees may take of the free disk, and of its free inodes: one part in so many.
const DISK_SHARE: u64 = 4;
/// A directory, and a name in it, on disk.
const DIRECTORY: u64 = 4096;
const NAME: u64 = 64;

/// What trees like the newest one may come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    trees: u64,
    ready: u64,
    is_dear: bool,
}

impl Budget {
    /// For trees like this one, on a disk with so much room. Files are shared by all trees, everything else is not.
    pub(crate) fn of(tree: &Manifest, free: Free) -> Self {
        let names = tree.entries().len() as u64;
        let own = names.saturating_sub(tree.files()).max(1);
        let inodes = free.inodes.map_or(u64::MAX, |inodes| inodes / DISK_SHARE / own);
        let bytes = free.bytes / DISK_SHARE / (own * DIRECTORY + names * NAME);
        let trees = (NAMES / names.max(1)).min(inodes).min(bytes);
        let trees = trees.clamp(FEWEST_TREES, MOST_TREES);
        let ready = (trees / READY_SHARE).min(MOST_READY).min(READY_NAMES / names.max(1)).max(1);
        Self { trees, ready, is_dear: names >= DEAR }
    }

    /// For databases, each a whole file of its own, that is read whole for each generation.
    pub(crate) const DATABASES: Self = Self { trees: 64, ready: 1, is_dear: false };

    /// Spares to keep of what is not needed any more.
    pub(crate) fn kept(self) -> usize {
        self.ready.max(FEWEST_TREES) as usize
    }

    /// Spares to have before they are needed.
    pub(crate) fn ready(self) -> usize {
        self.ready as usize
    }

    /// Whether one more tree costs so much that, with so few spares, trees are to be had back as soon as nobody is in them.
    pub(crate) fn lacks(self, spares: usize) -> bool {
        self.is_dear && spares as u64 <= self.ready / READY_SHARE
    }

    /// How long to wait before the next generation, where so many that readers may still be in were superseded within
    /// `grace`: nothing as long as they are few, and then more with each, so that under constant change they stay within
    /// the budget.
    pub(crate) fn rest(self, superseded: u64, grace: Duration) -> Duration {
        let over = superseded.saturating_sub(self.trees / 2);
        let millis = u128::from(8 * over) * grace.as_millis() / u128::from(self.trees * self.trees);
        Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)).min(grace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{ContentHash, Entry, EntryKind, FileTime};
    use crate::path::TreePath;
    use crate::xattr::Xattrs;

    const GRACE: Duration = Duration::from_secs(60);
    const ROOMY: Free = Free { bytes: 1 << 40, inodes: Some(100_000_000) };

    fn tree(files: u64) -> Manifest {
        let file = |number: u64| EntryKind::File { size: 1, hash: ContentHash([number as u8; 32]), group: 0 };
        let entry = |path: String, kind| Entry {
            path: TreePath::parse(path.as_bytes()).unwrap(),
            kind,
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: FileTime::default(),
            xattrs: Xattrs::default(),
        };
        let files = (0..files).map(|number| entry(format!("{number:08}"), file(number)));
        Manifest::new([entry(String::new(), EntryKind::Dir)].into_iter().chain(files).collect()).unwrap()
    }

    /// How many generations ten minutes of constant change leave behind within the grace, at most, and how long each waits
    /// in the end.
    fn most_within_grace(budget: Budget) -> (u64, Duration) {
        let (mut now, mut superseded, mut most) = (Duration::ZERO, Vec::new(), 0);
        let mut last = Duration::ZERO;
        while now < Duration::from_secs(600) {
            superseded.push(now);
            superseded.retain(|at| now - *at < GRACE);
            let within = superseded.len() as u64;
            most = most.max(within);
            last = budget.rest(within, GRACE);
            now += last.max(Duration::from_millis(1));
        }
        (most, last)
    }

    #[test]
    fn after_a_quiet_time_nothing_waits_and_under_constant_change_the_trees_stay_few() {
        let budget = Budget::of(&tree(20_000), ROOMY);
        assert_eq!(budget.rest(2, GRACE), Duration::ZERO);
        for (files, trees) in [(20_000, 399), (600_000, 13), (1, 512)] {
            let budget = Budget::of(&tree(files), ROOMY);
            assert_eq!(budget.trees, trees, "of {files} files");
            assert!((1..=64).contains(&budget.ready()) && budget.ready() as u64 * files <= 600_000, "of {files} files");
            let (most, last) = most_within_grace(budget);
            assert!(most <= trees + 2, "{most} trees of {files} files, where {trees} are meant");
            assert!(last >= GRACE / 2 / trees as u32, "{last:?}");
        }
    }

    #[test]
    fn a_small_tree_that_changes_three_times_a_second_for_a_minute_waits_for_nothing() {
        assert_eq!(Budget::of(&tree(1000), ROOMY).rest(180, GRACE), Duration::ZERO);
    }

    #[test]
    fn on_a_disk_with_little_room_there_are_few_trees() {
        let tree = tree(1000);
        for free in [Free { bytes: 1 << 20, inodes: None }, Free { bytes: 1 << 40, inodes: Some(16) }] {
            let budget = Budget::of(&tree, free);
            assert!(budget.trees <= 4 && budget.ready() == 1, "{budget:?} with {free:?}");
        }
        assert!(Budget::of(&tree, Free { bytes: 1 << 40, inodes: None }).ready() > 1, "where inodes are not counted");
    }
}
