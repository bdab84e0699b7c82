//! Generations that are kept whatever the tiers of the restore points say.

use std::collections::HashSet;

use contract::{Denied, Timestamp};

use crate::node::Node;
use crate::store::db;

/// Why a generation is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// An operator let it be replaced by what the Master has.
    Replaced,
}

impl Why {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
        }
    }
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

    /// The generations of a dataset that are kept now.
    pub(crate) async fn pinned(&self, dataset: &str, now: Timestamp) -> Result<HashSet<u64>, Denied> {
        let rows: Vec<(i64, Option<String>)> = sqlx::query_as("SELECT generation, until FROM pin WHERE dataset = ?")
            .bind(dataset)
            .fetch_all(self.store.pool())
            .await
            .map_err(db("read what is kept"))?;
        let mut kept = HashSet::new();
        for (number, until) in rows {
            let over = until.as_deref().map(crate::store::time).transpose()?.is_some_and(|until| until < now);
            kept.extend(u64::try_from(number).ok().filter(|_| !over));
        }
        Ok(kept)
    }
}
