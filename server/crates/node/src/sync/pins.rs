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
        if self.runs.in_earnest().is_some() || !pinned.iter().any(|(_, why)| why == Why::Skipped.as_str()) {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use contract::NodeRole;

    use super::*;
    use crate::clock::SystemClock;
    use crate::init::Init;
    use crate::sync::consent::KEPT;
    use crate::sync::prune::kept_for;

    const DAY: u64 = 24 * 3600;

    #[tokio::test]
    async fn what_was_replaced_is_kept_for_thirty_days_in_which_the_copy_was_looked_after() {
        let dir = tempfile::tempdir().unwrap();
        let (root, at) = (dir.path().join("data"), "127.0.0.1:0".parse().unwrap());
        let (role, name) = (NodeRole::Client, "dr1".into());
        let init = Init { role, name, panel: at, peer: at, insecure_http: true, licence_key: None };
        init.run(&root, &SystemClock).await.unwrap();
        let node = Node::open(&root, Arc::new(SystemClock)).await.unwrap();
        node.pin_for("conf", 7, Why::Replaced, KEPT).await.unwrap();
        node.pin_for("mail", 7, Why::Replaced, KEPT).await.unwrap();
        let mut tx = node.store.begin().await.unwrap();
        pin_skipped(&mut tx, "conf", &[9]).await.unwrap();
        tx.commit().await.unwrap();

        // Lived from one look to the next, some of them at the same moment, and once for a year in which nobody looked.
        let (start, mut counted) = (Instant::now(), None);
        let lives = async |counted: &mut Option<Instant>, seconds: u64| {
            if let Some(time) = kept_for(counted, start + Duration::from_secs(seconds)) {
                node.pins_were_kept("conf", time).await.unwrap();
            }
        };
        let pinned = async |dataset: &str| {
            let mut pinned: Vec<u64> = node.pinned(dataset).await.unwrap().into_iter().collect();
            pinned.sort_unstable();
            pinned
        };
        for third in 0..=29 * 72 {
            lives(&mut counted, third * 1200).await;
            lives(&mut counted, third * 1200).await;
        }
        lives(&mut counted, 400 * DAY).await;
        assert_eq!(pinned("conf").await, [7, 9], "29 days and a little");
        for third in 1..=72 {
            lives(&mut counted, 400 * DAY + third * 1200).await;
        }
        assert_eq!(pinned("conf").await, [9], "what an activation skipped does not grow old");
        assert_eq!(pinned("mail").await, [7], "nobody looked after that one");
    }
}
