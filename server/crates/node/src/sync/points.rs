//! What can be gone back to, and whether it is still good on this disk.

use std::collections::BTreeMap;

use contract::sync::{PointCheck, PointPart, PointsReport, RestorePoint, RestorePointInfo};
use contract::{Denied, NodeRole, Rule, SCHEMA, Timestamp};

use crate::node::Node;
use crate::store::{db, time};

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
                };
                points.entry(id.clone()).or_insert_with(|| point(id, NodeRole::Client)).add(part);
            }
        }
        points.into_values().collect()
    }

    /// Newest first: for every generation, of every dataset the newest copy that is not newer than it. A point at which
    /// some dataset has no copy is none to go back to.
    fn points_of_the_master(&self) -> Vec<RestorePoint> {
        let copies = self.copies.all();
        let kept: Vec<(String, Vec<replication::RestorePoint>)> = copies
            .iter()
            .map(|copy| (copy.dataset.name.clone(), copy.standing(|standing| standing.points.clone())))
            .collect();
        if kept.iter().any(|(_, kept)| kept.is_empty()) {
            return Vec::new();
        }
        let oldest = |kept: &[replication::RestorePoint]| kept.iter().map(|one| one.generation).min();
        let whole = kept.iter().filter_map(|(_, kept)| oldest(kept)).max();
        let captured: BTreeMap<u64, Timestamp> =
            kept.iter().flat_map(|(_, kept)| kept).map(|one| (one.generation, one.captured_at)).collect();
        let complete =
            captured.into_iter().rev().filter(|(generation, _)| whole.is_some_and(|whole| *generation >= whole));
        let made = complete.map(|(generation, captured_at)| {
            let mut made = point(format!("g{generation}"), NodeRole::Master);
            for (dataset, kept) in &kept {
                let then = kept.iter().filter(|one| one.generation <= generation).max_by_key(|one| one.generation);
                made.datasets.extend(then.map(|one| PointPart {
                    dataset: dataset.clone(),
                    generation: one.generation,
                    captured_at: one.captured_at,
                    files: Some(one.files),
                    bytes: one.bytes,
                    damaged: None,
                }));
            }
            made.generation = generation;
            made.captured_at = captured_at;
            made.bytes = made.datasets.iter().map(|part| part.bytes).sum();
            made.pinned = copies.iter().any(|copy| copy.standing(|s| s.pinned.contains(&generation)));
            made
        });
        made.collect()
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
