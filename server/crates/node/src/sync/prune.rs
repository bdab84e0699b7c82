//! What goes when a pull has ended: generations that nobody may be reading any more, that no policy keeps and nothing pins,
//! and what was made on a DR whose day has passed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use replication::Replica;

use crate::node::Node;
use crate::sync::replica::Copy;
use crate::sync::retention;
use crate::sync::tidy::GRACE;

/// How long what was made on a DR is kept after it was handed back and the Master's data has come again. It is time in
/// which this node ran and was in sync that counts, by a clock that nobody sets: a wrong date costs nobody what was made.
/// What is pinned for a time grows older in the same way.
const KEEP_DR: Duration = Duration::from_secs(24 * 3600);
/// How often that time is written down.
const COUNT_EVERY: Duration = Duration::from_secs(600);
/// The most that counts between two looks: while the copy serves again, or is OFF, nobody looks.
const COUNT_MOST: Duration = Duration::from_secs(1200);

impl Node {
    /// Drops generations that nobody may be reading any more and that no restore point needs. `came_forward`: the pull has
    /// brought the replica to what the Master has.
    pub(super) async fn prune(&self, copy: &Copy, came_forward: bool) {
        let _keeping = self.copies.keeping.lock().await;
        let (now, dataset) = (self.clock.now(), &copy.dataset.name);
        let policy = match self.retention().await {
            Ok(policy) => policy,
            // Whoever does not know what to keep, keeps everything.
            Err(error) => return tracing::error!(?error, "nothing is pruned"),
        };
        if came_forward && let Err(error) = self.came_forward(dataset).await {
            return tracing::error!(?error, "nothing is pruned");
        }
        let kept_for = copy.change(|standing| kept_for(&mut standing.counted, Instant::now()));
        if let Some(time) = kept_for
            && let Err(error) = self.pins_were_kept(dataset, time).await
        {
            return tracing::error!(?error, "nothing is pruned");
        }
        let kept_for_good = match self.pinned(dataset).await {
            Ok(pinned) => pinned,
            Err(error) => return tracing::error!(?error, "nothing is pruned"),
        };
        let rehearsed = copy.standing(|standing| standing.rehearsed);
        let points = self.with_engine(copy, move |replica| {
            let there = replica.restore_points()?;
            let there: Vec<_> = there.iter().map(|point| (point.generation, point.captured_at)).collect();
            let mut kept = retention::kept(&there, policy);
            kept.extend(&kept_for_good);
            kept.extend(rehearsed);
            replica.prune_except(policy.newest as usize, &kept, now, GRACE, &replication::Unwatched)?;
            if let Some(time) = kept_for {
                replica.dr_points_were_kept(time)?;
            }
            for point in replica.dr_points() {
                // The Master has asserted the mandate, or there would have been no pull; a day to change one's mind.
                if !point.visible && point.kept >= KEEP_DR {
                    replica.drop_dr_point(&point.run, &replication::Unwatched)?;
                }
            }
            let pinned: BTreeSet<u64> = promoted_from(replica).into_iter().chain(kept_for_good).collect();
            Ok((replica.restore_points()?, replica.dr_points(), pinned))
        });
        let points: Option<replication::Result<_>> = points.await;
        match points {
            Some(Ok((points, dr_points, pinned))) => copy.change(|standing| {
                standing.points = points;
                standing.dr_points = dr_points;
                standing.pinned = pinned;
            }),
            Some(Err(error)) => tracing::warn!(%error, "old generations could not be pruned"),
            None => {}
        }
    }
}

/// The time since it was counted last, when that is worth to be written down.
pub(super) fn kept_for(counted: &mut Option<Instant>, now: Instant) -> Option<Duration> {
    let time = now.duration_since(*counted.get_or_insert(now));
    (time >= COUNT_EVERY).then(|| {
        *counted = Some(now);
        time.min(COUNT_MOST)
    })
}

/// The generations that no policy lets go: what a copy that serves was made from.
pub(super) fn promoted_from(replica: &Replica) -> BTreeSet<u64> {
    replica.promoted().map(|serving| serving.generation).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_on_a_dr_grows_older_only_by_time_in_which_somebody_looked() {
        let (start, minutes) = (Instant::now(), |n: u64| Duration::from_secs(60 * n));
        let mut counted = None;
        assert_eq!(kept_for(&mut counted, start), None, "nobody knows how long it was before");
        assert_eq!(kept_for(&mut counted, start + minutes(9)), None);
        assert_eq!(kept_for(&mut counted, start + minutes(11)), Some(minutes(11)), "nothing is lost between two looks");
        assert_eq!(kept_for(&mut counted, start + minutes(11)), None, "and nothing counts twice");
        assert_eq!(kept_for(&mut counted, start + minutes(9000)), Some(COUNT_MOST));
    }
}
