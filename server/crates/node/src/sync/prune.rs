//! What goes when a pull has ended: generations that nobody may be reading any more, that no policy keeps and nothing pins,
//! and what was made on a DR whose day has passed.

use std::collections::BTreeSet;

use replication::Replica;

use crate::node::Node;
use crate::sync::pull::GRACE;
use crate::sync::replica::Copy;
use crate::sync::retention;

/// How long what was made on a DR is kept after it was handed back and the Master's data has come again.
const KEEP_DR: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

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
        let kept_for_good = match self.pinned(dataset, now).await {
            Ok(pinned) => pinned,
            Err(error) => return tracing::error!(?error, "nothing is pruned"),
        };
        let points = self.with_engine(copy, move |replica| {
            let there = replica.restore_points()?;
            let there: Vec<_> = there.iter().map(|point| (point.generation, point.captured_at)).collect();
            let mut kept = retention::kept(&there, policy);
            kept.extend(&kept_for_good);
            replica.prune_except(policy.newest as usize, &kept, now, GRACE, &replication::Unwatched)?;
            for point in replica.dr_points() {
                // The Master has asserted the mandate, or there would have been no pull; a day to change one's mind.
                if !point.visible && now.duration_since(point.handed_back_at) >= KEEP_DR {
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

/// The generations that no policy lets go: what a copy that serves was made from.
pub(super) fn promoted_from(replica: &Replica) -> BTreeSet<u64> {
    replica.promoted().map(|serving| serving.generation).into_iter().collect()
}
