//! How often a replica may move on: each step leaves a tree behind that readers may still be in. It refuses to let their
//! number grow with the rate of change.

use std::time::Duration;

use jiff::Timestamp;

use crate::store::Commit;

/// Names in all the trees that readers may still be in, about: their directories take some hundred megabytes.
const NAMES: u64 = 2_000_000;
const FEWEST_TREES: u64 = 4;
const MOST_TREES: u64 = 64;

/// How long to wait before the next generation: nothing after a quiet time, and longer with every generation that was
/// superseded within `grace`, so that under constant change there are never more than a few dozen of them.
pub(crate) fn rest(commits: &[Commit], now: Timestamp, grace: Duration) -> Duration {
    let Some(newest) = commits.last() else { return Duration::ZERO };
    let most = (NAMES / newest.files.max(1)).clamp(FEWEST_TREES, MOST_TREES);
    let recent = |commit: &&Commit| now.duration_since(commit.committed_at).unsigned_abs() < grace;
    // Each of these took the place of another one.
    let left = commits.iter().skip(1).filter(recent).count() as u64;
    let millis = u128::from(2 * left) * grace.as_millis() / u128::from(most * most);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)).min(grace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::ContentId;

    const GRACE: Duration = Duration::from_secs(60);

    fn commit(generation: u64, files: u64, at: Timestamp) -> Commit {
        let content_id = ContentId::from_bytes([generation as u8; 32]);
        Commit {
            generation,
            content_id,
            captured_at: at,
            files,
            bytes: 0,
            committed_at: at,
            offered: None,
            kept_before: None,
            first: None,
            owners: None,
        }
    }

    /// How many generations ten minutes of constant change leave behind within the grace, at most.
    fn most_within_grace(files: u64) -> (usize, Duration) {
        let begin = Timestamp::UNIX_EPOCH;
        let mut now = begin;
        let mut commits = vec![commit(0, files, begin - GRACE)];
        let (mut most, mut last) = (0, Duration::ZERO);
        while now < begin + Duration::from_secs(600) {
            commits.push(commit(commits.len() as u64, files, now));
            let within =
                commits.iter().skip(1).filter(|one| now.duration_since(one.committed_at).unsigned_abs() < GRACE);
            most = most.max(within.count());
            last = rest(&commits, now, GRACE);
            now += last.max(Duration::from_millis(1));
        }
        (most, last)
    }

    #[test]
    fn after_a_quiet_time_nothing_waits_and_under_constant_change_the_trees_stay_few() {
        let at = Timestamp::UNIX_EPOCH;
        let quiet = [commit(1, 20_000, at), commit(2, 20_000, at)];
        assert_eq!(rest(&quiet, at + Duration::from_secs(61), GRACE), Duration::ZERO);
        assert!(rest(&quiet, at, GRACE) < Duration::from_millis(50), "a second change soon after is not held up");
        for (files, trees) in [(20_000, 64), (1_000_000, 4), (1, 64)] {
            let (most, last) = most_within_grace(files);
            assert!(most <= trees + 1, "{most} trees of {files} files, where {trees} are meant");
            assert!(last >= GRACE / 2 / trees as u32, "{last:?}");
        }
    }
}
