//! Generations that are kept whatever the tiers of the restore points say.

use std::collections::HashSet;

use contract::{Denied, Timestamp};

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
    /// Keeps a generation, until a time or until somebody lets it go.
    pub(crate) async fn pin(
        &self,
        dataset: &str,
        generation: u64,
        why: Why,
        until: Option<Timestamp>,
    ) -> Result<(), Denied> {
        let number = i64::try_from(generation).map_err(|error| Denied::failed("keep a generation", error))?;
        let kept = sqlx::query(
            "INSERT INTO pin (dataset, generation, why, until) VALUES (?, ?, ?, ?) \
             ON CONFLICT (dataset, generation, why) DO UPDATE SET until = excluded.until",
        )
        .bind(dataset)
        .bind(number)
        .bind(why.as_str())
        .bind(until.map(|until| until.to_string()))
        .execute(self.store.pool())
        .await;
        kept.map(drop).map_err(db("keep a generation"))
    }

    /// The Master's data of this dataset has come again. Once that holds for every one, what an activation had skipped is
    /// a restore point like every other: before, the vector would fall apart. The caller holds `keeping`.
    pub(super) async fn came_forward(&self, dataset: &str) -> Result<(), Denied> {
        let attempt = "let go what an activation had skipped";
        // Looked for first: a pull that ends is no reason to write.
        let pinned = self.pins(dataset, self.clock.now()).await?;
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
                copy.show_pinned(self.pinned(&copy.dataset.name, self.clock.now()).await?);
            }
        }
        Ok(())
    }

    /// The generations of a dataset that are kept now.
    pub(crate) async fn pinned(&self, dataset: &str, now: Timestamp) -> Result<HashSet<u64>, Denied> {
        Ok(self.pins(dataset, now).await?.into_iter().map(|(generation, _)| generation).collect())
    }

    async fn pins(&self, dataset: &str, now: Timestamp) -> Result<Vec<(u64, String)>, Denied> {
        let rows: Vec<(i64, String, Option<String>)> =
            sqlx::query_as("SELECT generation, why, until FROM pin WHERE dataset = ?")
                .bind(dataset)
                .fetch_all(self.store.pool())
                .await
                .map_err(db("read what is kept"))?;
        let mut kept = Vec::new();
        for (number, why, until) in rows {
            let over = until.as_deref().map(crate::store::time).transpose()?.is_some_and(|until| until < now);
            kept.extend(u64::try_from(number).ok().filter(|_| !over).map(|number| (number, why)));
        }
        Ok(kept)
    }
}
