//! Generations that are kept whatever the tiers of the restore points say.
//!
//! For how long is time in which this node ran and looked after the dataset, never a date: a clock that is set forward
//! costs nothing.

use std::collections::HashSet;
use std::time::Duration;

use contract::Denied;

use crate::node::Node;
use crate::store::{Tx, db};

/// Why a generation is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// An operator let it be replaced by what the Master has.
    Replaced,
    /// An activation went back to it, or beyond it.
    Skipped,
}

impl Why {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
            Self::Skipped => "skipped",
        }
    }
}

/// Keeps generations of a dataset until the way back is done, as part of what else is written down.
pub(crate) async fn pin_skipped(tx: &mut Tx, dataset: &str, generations: &[u64]) -> Result<(), Denied> {
    sqlx::query("DELETE FROM forward_again WHERE dataset = ?")
        .bind(dataset)
        .execute(&mut **tx)
        .await
        .map_err(db("keep a generation"))?;
    for generation in generations {
        let number = i64::try_from(*generation).map_err(|error| Denied::failed("keep a generation", error))?;
        sqlx::query("INSERT OR REPLACE INTO pin (dataset, generation, why) VALUES (?, ?, ?)")
            .bind(dataset)
            .bind(number)
            .bind(Why::Skipped.as_str())
            .execute(&mut **tx)
            .await
            .map_err(db("keep a generation"))?;
    }
    Ok(())
}

impl Node {
    /// Keeps a generation for so long.
    pub(crate) async fn pin_for(&self, dataset: &str, generation: u64, why: Why, time: Duration) -> Result<(), Denied> {
        let number = i64::try_from(generation).map_err(|error| Denied::failed("keep a generation", error))?;
        let kept = sqlx::query(
            "INSERT INTO pin (dataset, generation, why, left_s) VALUES (?, ?, ?, ?) \
             ON CONFLICT (dataset, generation, why) DO UPDATE SET left_s = excluded.left_s",
        )
        .bind(dataset)
        .bind(number)
        .bind(why.as_str())
        .bind(seconds(time))
        .execute(self.store.pool())
        .await;
        kept.map(drop).map_err(db("keep a generation"))
    }

    /// So much time has gone by for what is kept of this dataset; what was kept for no longer is let go.
    pub(super) async fn pins_were_kept(&self, dataset: &str, time: Duration) -> Result<(), Denied> {
        let attempt = "count for how long generations are still kept";
        let mut tx = self.store.begin().await?;
        sqlx::query("UPDATE pin SET left_s = left_s - ? WHERE dataset = ? AND left_s IS NOT NULL")
            .bind(seconds(time))
            .bind(dataset)
            .execute(&mut *tx)
            .await
            .map_err(db(attempt))?;
        sqlx::query("DELETE FROM pin WHERE dataset = ? AND left_s <= 0")
            .bind(dataset)
            .execute(&mut *tx)
            .await
            .map_err(db(attempt))?;
        tx.commit().await.map_err(db(attempt))
    }

    /// The Master's data of this dataset has come again. Once that holds for every one, what an activation had skipped is
    /// a restore point like every other: before, the vector would fall apart. The caller holds `keeping`.
    pub(super) async fn came_forward(&self, dataset: &str) -> Result<(), Denied> {
        let attempt = "let go what an activation had skipped";
        // Looked for first: a pull that ends is no reason to write.
        let pinned = self.pins(dataset).await?;
        if self.runs.open().is_some() || !pinned.iter().any(|(_, why)| why == Why::Skipped.as_str()) {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        sqlx::query("INSERT OR IGNORE INTO forward_again (dataset) VALUES (?)")
            .bind(dataset)
            .execute(&mut *tx)
            .await
            .map_err(db(attempt))?;
        let waiting: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT dataset FROM pin WHERE why = ? AND dataset NOT IN (SELECT dataset FROM forward_again)",
        )
        .bind(Why::Skipped.as_str())
        .fetch_all(&mut *tx)
        .await
        .map_err(db(attempt))?;
        let copies = self.copies.all();
        // What is not declared any more never comes again.
        let done = !copies.iter().any(|copy| waiting.contains(&copy.dataset.name));
        if done {
            sqlx::query("DELETE FROM pin WHERE why = ?")
                .bind(Why::Skipped.as_str())
                .execute(&mut *tx)
                .await
                .map_err(db(attempt))?;
            sqlx::query("DELETE FROM forward_again").execute(&mut *tx).await.map_err(db(attempt))?;
        }
        tx.commit().await.map_err(db(attempt))?;
        if done {
            for copy in copies {
                copy.show_pinned(self.pinned(&copy.dataset.name).await?);
            }
        }
        Ok(())
    }

    /// The generations of a dataset that are kept now.
    pub(crate) async fn pinned(&self, dataset: &str) -> Result<HashSet<u64>, Denied> {
        Ok(self.pins(dataset).await?.into_iter().map(|(generation, _)| generation).collect())
    }

    async fn pins(&self, dataset: &str) -> Result<Vec<(u64, String)>, Denied> {
        let kept = "SELECT generation, why FROM pin WHERE dataset = ? AND (left_s IS NULL OR left_s > 0)";
        let rows: Vec<(i64, String)> =
            sqlx::query_as(kept).bind(dataset).fetch_all(self.store.pool()).await.map_err(db("read what is kept"))?;
        Ok(rows.into_iter().filter_map(|(number, why)| Some((u64::try_from(number).ok()?, why))).collect())
    }
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}
