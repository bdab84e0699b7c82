//! What can be gone back to, and whether it is still good on this disk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use contract::sync::{Missing, PointCheck, PointPart, PointsReport, RestorePoint, RestorePointInfo};
use contract::{Denied, NodeRole, Rule, SCHEMA, Timestamp};

use crate::node::Node;
use crate::store::{db, time};
use crate::sync::replica::Copy;

impl Node {
    /// Each set that can be gone back to. What was made on the DR comes first: it is what somebody may be looking for.
    pub(crate) fn points(&self) -> Vec<RestorePoint> {
        let mut points = self.points_of_the_dr();
        points.extend(self.points_of_the_master());
        points
    }

    fn points_of_the_dr(&self) -> Vec<RestorePoint> {
        let mut points: BTreeMap<String, RestorePoint> = BTreeMap::new();
        for copy in self.copies.all() {
            for left in copy.standing(|standing| standing.dr_points.clone()) {
                let id = format!("dr-{}", left.run);
                let part = PointPart {
                    dataset: copy.dataset.name.clone(),
                    generation: left.generation,
                    captured_at: left.handed_back_at,
                    files: None,
                    bytes: left.bytes,
                    damaged: None,
                    missing: None,
                };
                points.entry(id.clone()).or_insert_with(|| point(id, NodeRole::Client)).add(part);
            }
        }
        points.into_values().collect()
    }

    /// Newest first.
    fn points_of_the_master(&self) -> Vec<RestorePoint> {
        let kept = |copy: &Arc<Copy>| {
            copy.standing(|standing| Kept {
                dataset: copy.dataset.name.clone(),
                first: standing.commit.as_ref().and_then(|commit| commit.first),
                points: standing.points.clone(),
                pinned: standing.pinned.clone(),
            })
        };
        vectors(&self.copies.all().iter().map(kept).collect::<Vec<_>>())
    }

    /// The same in short.
    pub(crate) fn restore_points(&self) -> Vec<RestorePointInfo> {
        let brief = |point: RestorePoint| RestorePointInfo {
            id: point.id,
            generation: point.generation,
            captured_at: point.captured_at,
            bytes: point.bytes,
        };
        self.points().into_iter().map(brief).collect()
    }

    /// One that may be verified: what was made on the DR is a copy that was written to, and has no list to compare with.
    pub(super) fn verifiable(&self, id: &str) -> Result<RestorePoint, Denied> {
        let found = self.points().into_iter().find(|point| point.id == id && point.made_on == NodeRole::Master);
        found.ok_or_else(|| Denied::rule(Rule::PointUnknown, id, ""))
    }

    /// `tvox-dr sync points`.
    pub(crate) async fn points_report(&self) -> Result<PointsReport, Denied> {
        let rows: Vec<(String, String, i64)> = sqlx::query_as("SELECT point, at, differences FROM point_check")
            .fetch_all(self.store.pool())
            .await
            .map_err(db("read what is known of the restore points"))?;
        let masters_now = self.copies.masters_now().unwrap_or_else(|| self.clock.now());
        let mut points = self.points();
        self.mark_damage(&mut points).await?;
        for point in &mut points {
            point.age_seconds = Some(masters_now.duration_since(point.captured_at).as_secs_f64().round().max(0.0));
            if let Some((_, at, differences)) = rows.iter().find(|(id, ..)| *id == point.id) {
                let differences = u64::try_from(*differences).unwrap_or(0);
                point.checked = Some(PointCheck { at: time(at)?, differences });
            }
        }
        Ok(PointsReport { schema: SCHEMA, retention: self.retention().await?, points })
    }

    /// Remembers what a verification of one came to, and forgets those of points that are gone.
    pub(super) async fn keep_point_check(&self, id: &str, differences: u64) -> Result<(), Denied> {
        let attempt = "keep what is known of the restore points";
        let mut tx = self.store.begin().await?;
        sqlx::query("INSERT OR REPLACE INTO point_check (point, at, differences) VALUES (?, ?, ?)")
            .bind(id)
            .bind(self.clock.now().to_string())
            .bind(i64::try_from(differences).unwrap_or(i64::MAX))
            .execute(&mut *tx)
            .await
            .map_err(db(attempt))?;
        let there: Vec<String> = self.points().into_iter().map(|point| point.id).collect();
        let there = serde_json::to_string(&there).map_err(|error| Denied::failed(attempt, error))?;
        sqlx::query("DELETE FROM point_check WHERE point NOT IN (SELECT value FROM json_each(?))")
            .bind(there)
            .execute(&mut *tx)
            .await
            .map_err(db(attempt))?;
        tx.commit().await.map_err(db(attempt))
    }
}

/// What is kept of one dataset.
struct Kept {
    dataset: String,
    /// The first generation that was ever here; `None`: older than what is known.
    first: Option<u64>,
    points: Vec<replication::RestorePoint>,
    pinned: BTreeSet<u64>,
}

impl Kept {
    /// Where the dataset stood at a generation, or else the oldest that is here; `None` where nothing is.
    fn at(&self, generation: u64) -> Option<PointPart> {
        let then = self.points.iter().filter(|one| one.generation <= generation).max_by_key(|one| one.generation);
        let missing = match then {
            Some(_) => None,
            None if self.first.is_some_and(|first| first > generation) => Some(Missing::NotYet),
            None => Some(Missing::NotKept),
        };
        let one = then.or_else(|| self.points.iter().min_by_key(|one| one.generation))?;
        Some(PointPart {
            dataset: self.dataset.clone(),
            generation: one.generation,
            captured_at: one.captured_at,
            files: Some(one.files),
            bytes: one.bytes,
            damaged: None,
            missing,
        })
    }
}

/// For every generation, newest first, of every dataset the newest copy that is not newer than it. A dataset that came
/// later takes nothing from the others: it stands there as missing. Where its copy of then was let go, the set is none to
/// go back to any more, unless it is pinned.
fn vectors(kept: &[Kept]) -> Vec<RestorePoint> {
    let captured: BTreeMap<u64, Timestamp> =
        kept.iter().flat_map(|kept| &kept.points).map(|one| (one.generation, one.captured_at)).collect();
    let vector = |(generation, captured_at): (u64, Timestamp)| {
        let mut made = point(format!("g{generation}"), NodeRole::Master);
        made.datasets = kept.iter().filter_map(|kept| kept.at(generation)).collect();
        made.generation = generation;
        made.captured_at = captured_at;
        made.bytes = made.datasets.iter().map(|part| part.bytes).sum();
        made.pinned = kept.iter().any(|kept| kept.pinned.contains(&generation));
        let whole = made.datasets.iter().all(|part| part.missing != Some(Missing::NotKept));
        (whole || made.pinned).then_some(made)
    };
    captured.into_iter().rev().filter_map(vector).collect()
}

/// One without anything in it yet.
fn point(id: String, made_on: NodeRole) -> RestorePoint {
    RestorePoint {
        id,
        made_on,
        generation: 0,
        captured_at: Timestamp::UNIX_EPOCH,
        age_seconds: None,
        bytes: 0,
        pinned: false,
        datasets: Vec::new(),
        checked: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With these generations, the first of which came first where it is told.
    fn kept(dataset: &str, first: Option<u64>, generations: &[u64], pinned: &[u64]) -> Kept {
        let one = |generation: &u64| replication::RestorePoint {
            generation: *generation,
            content_id: "00".repeat(32).parse().unwrap(),
            offered_id: "00".repeat(32).parse().unwrap(),
            captured_at: Timestamp::from_second(i64::try_from(*generation).unwrap()).unwrap(),
            committed_at: Timestamp::UNIX_EPOCH,
            files: 1,
            bytes: *generation,
            tree: std::path::PathBuf::new(),
        };
        let points = generations.iter().map(one).collect();
        Kept { dataset: dataset.into(), first, points, pinned: pinned.iter().copied().collect() }
    }

    fn ids(points: &[RestorePoint]) -> Vec<&str> {
        points.iter().map(|point| point.id.as_str()).collect()
    }

    #[test]
    fn a_dataset_that_came_later_takes_no_point_away_and_is_marked_in_those_before_it() {
        let points = vectors(&[kept("conf", Some(1), &[1, 2, 5], &[]), kept("mail", Some(4), &[4, 6], &[])]);
        assert_eq!(ids(&points), ["g6", "g5", "g4", "g2", "g1"]);
        let mail: Vec<_> = points.iter().map(|point| point.part("mail").unwrap()).collect();
        assert_eq!(mail.iter().map(|part| part.generation).collect::<Vec<_>>(), [6, 4, 4, 4, 4]);
        let not_yet = Some(Missing::NotYet);
        assert_eq!(mail.iter().map(|part| part.missing).collect::<Vec<_>>(), [None, None, None, not_yet, not_yet]);
        // One of which nothing has come yet is in none of them.
        let points = vectors(&[kept("conf", Some(1), &[1, 2], &[]), kept("mail", None, &[], &[])]);
        assert_eq!((ids(&points), points[0].datasets.len()), (vec!["g2", "g1"], 1));
    }

    #[test]
    fn a_set_of_which_a_part_was_let_go_is_listed_only_where_it_is_pinned() {
        let mail = || kept("mail", Some(1), &[6, 7], &[]);
        assert_eq!(ids(&vectors(&[kept("conf", Some(1), &[2, 6], &[]), mail()])), ["g7", "g6"]);
        let points = vectors(&[kept("conf", Some(1), &[2, 6], &[2]), mail()]);
        assert_eq!(ids(&points), ["g7", "g6", "g2"]);
        assert!(points[2].pinned && !points[1].pinned);
        assert_eq!(
            points[2].part("mail").map(|part| (part.generation, part.missing)),
            Some((6, Some(Missing::NotKept)))
        );
        // An older store does not know when it began.
        assert_eq!(ids(&vectors(&[kept("conf", None, &[2, 6], &[]), kept("mail", None, &[6], &[])])), ["g6"]);
    }
}
