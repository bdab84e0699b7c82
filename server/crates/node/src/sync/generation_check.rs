//! What was found when a generation was read again, of which dataset and by whom: so that nobody activates from a copy that
//! is known to be damaged, and a run that was cut off does not read everything twice.

use std::collections::HashMap;

use contract::sync::RestorePoint;
use contract::{Denied, NodeRole};
use replication::Difference;

use crate::node::Node;
use crate::store::db;
use crate::sync::replica::Copy;

/// One generation on this disk.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct OnDisk {
    pub(crate) dataset: String,
    pub(crate) generation: u64,
    /// Numbers may come again after another association; content does not.
    pub(crate) content: String,
}

/// How much of what was found means that no copy to serve from can be made.
pub(crate) fn damaged(found: &[Difference]) -> u64 {
    found.iter().filter(|one| one.what.is_damage()).count() as u64
}

impl Node {
    /// The restore points of the Master's data, newest first, with what is known of their damage.
    pub(crate) async fn points_to_go_back_to(&self) -> Result<Vec<RestorePoint>, Denied> {
        let mut points = self.points();
        // What was made on the DR is a copy that was written to: the service does not go on from there.
        points.retain(|point| point.made_on == NodeRole::Master);
        self.mark_damage(&mut points).await?;
        Ok(points)
    }

    /// Writes into each part what its last reading came to.
    pub(super) async fn mark_damage(&self, points: &mut [RestorePoint]) -> Result<(), Denied> {
        let rows: Vec<(String, i64, String, i64)> =
            sqlx::query_as("SELECT dataset, generation, content, damaged FROM generation_check")
                .fetch_all(self.store.pool())
                .await
                .map_err(db("read what is known of the generations"))?;
        let number = |number: i64| u64::try_from(number).unwrap_or(0);
        let known: HashMap<_, _> = rows
            .into_iter()
            .map(|(dataset, generation, content, damaged)| {
                (OnDisk { dataset, generation: number(generation), content }, number(damaged))
            })
            .collect();
        if known.is_empty() {
            return Ok(());
        }
        let copies = self.copies.all();
        let parts = points.iter_mut().filter(|point| point.made_on == NodeRole::Master);
        for part in parts.flat_map(|point| &mut point.datasets) {
            let copy = copies.iter().find(|copy| copy.dataset.name == part.dataset);
            let on_disk = copy.and_then(|copy| copy.generation(part.generation));
            part.damaged = on_disk.and_then(|one| known.get(&one).copied());
        }
        Ok(())
    }

    /// Remembers what reading a generation again came to, and forgets those that are gone.
    pub(crate) async fn keep_generation_check(&self, read: &OnDisk, damaged: u64, by: &str) -> Result<(), Denied> {
        let attempt = "keep what is known of a generation";
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let mut tx = self.store.begin().await?;
        sqlx::query(
            "INSERT OR REPLACE INTO generation_check (dataset, generation, content, at, damaged, seen_by) \
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(&read.dataset)
        .bind(number(read.generation))
        .bind(&read.content)
        .bind(self.clock.now().to_string())
        .bind(number(damaged))
        .bind(by)
        .execute(&mut *tx)
        .await
        .map_err(db(attempt))?;
        let copies = self.copies.all();
        if let Some(copy) = copies.iter().find(|copy| copy.dataset.name == read.dataset) {
            let there: Vec<i64> = copy.standing(|s| s.points.iter().map(|point| number(point.generation)).collect());
            let there = serde_json::to_string(&there).map_err(|error| Denied::failed(attempt, error))?;
            sqlx::query(
                "DELETE FROM generation_check WHERE dataset = ?1 AND generation <> ?2 \
                 AND generation NOT IN (SELECT value FROM json_each(?3))",
            )
            .bind(&read.dataset)
            .bind(number(read.generation))
            .bind(there)
            .execute(&mut *tx)
            .await
            .map_err(db(attempt))?;
        }
        tx.commit().await.map_err(db(attempt))
    }

    /// How much of a generation a run has found damaged; `None` when it has not read it yet.
    pub(crate) async fn damage_seen_by(&self, run: &str, read: &OnDisk) -> Result<Option<u64>, Denied> {
        let seen: Option<i64> = sqlx::query_scalar(
            "SELECT damaged FROM generation_check WHERE dataset = ? AND generation = ? AND content = ? AND seen_by = ?",
        )
        .bind(&read.dataset)
        .bind(i64::try_from(read.generation).unwrap_or(i64::MAX))
        .bind(&read.content)
        .bind(run)
        .fetch_optional(self.store.pool())
        .await
        .map_err(db("read what is known of a generation"))?;
        Ok(seen.map(|damaged| u64::try_from(damaged).unwrap_or(0)))
    }

    /// The newest generation of a dataset is as it was copied again.
    pub(super) async fn forget_damage_of_newest(&self, dataset: &str) -> Result<(), Denied> {
        let newest = self.newest_on_disk(dataset);
        let Some(newest) = newest else { return Ok(()) };
        sqlx::query("DELETE FROM generation_check WHERE dataset = ? AND generation = ?")
            .bind(dataset)
            .bind(i64::try_from(newest.generation).unwrap_or(i64::MAX))
            .execute(self.store.pool())
            .await
            .map(drop)
            .map_err(db("forget a damage that was healed"))
    }

    /// The generation of a dataset that readers see.
    pub(super) fn newest_on_disk(&self, dataset: &str) -> Option<OnDisk> {
        let copy = self.copies.all().into_iter().find(|copy| copy.dataset.name == dataset)?;
        let newest = copy.standing(|standing| standing.commit.as_ref().map(|commit| commit.generation))?;
        copy.generation(newest)
    }
}

impl Copy {
    /// A generation that is here.
    pub(crate) fn generation(&self, generation: u64) -> Option<OnDisk> {
        self.standing(|standing| {
            let point = standing.points.iter().find(|point| point.generation == generation)?;
            let (dataset, content) = (self.dataset.name.clone(), point.content_id.to_string());
            Some(OnDisk { dataset, generation, content })
        })
    }
}
