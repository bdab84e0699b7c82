//! The limits of the Soglie page, as set on this node.

use std::collections::BTreeMap;
use std::time::Duration;

use contract::threshold::{Threshold, ThresholdInfo, ThresholdsReport};
use contract::{Denied, Outcome, SCHEMA};
use serde_json::json;

use crate::door::Act;
use crate::node::Node;
use crate::store::db;

/// Every limit with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits(BTreeMap<Threshold, u32>);

impl Limits {
    pub(crate) fn get(&self, threshold: Threshold) -> u32 {
        self.0.get(&threshold).copied().unwrap_or_else(|| threshold.default())
    }

    pub(crate) fn seconds(&self, threshold: Threshold) -> f64 {
        f64::from(self.get(threshold))
    }

    pub(crate) fn probe_interval(&self) -> Duration {
        Duration::from_millis(u64::from(self.get(Threshold::ProbeInterval)))
    }
}

impl Node {
    pub(crate) async fn limits(&self) -> Result<Limits, Denied> {
        let rows: Vec<(String, u32)> = sqlx::query_as("SELECT name, value FROM threshold")
            .fetch_all(self.store.pool())
            .await
            .map_err(db("read the limits"))?;
        // A name of a later version is not ours to judge.
        Ok(Limits(rows.into_iter().filter_map(|(name, value)| Some((name.parse().ok()?, value))).collect()))
    }

    pub(crate) async fn thresholds_report(&self) -> Result<ThresholdsReport, Denied> {
        let limits = self.limits().await?;
        let told = |threshold: &Threshold| ThresholdInfo {
            name: threshold.name().to_owned(),
            value: limits.get(*threshold),
            default: threshold.default(),
            unit: threshold.unit().to_owned(),
        };
        Ok(ThresholdsReport { schema: SCHEMA, thresholds: Threshold::ALL.iter().map(told).collect() })
    }

    /// Sets a limit, or gives it its default back.
    pub(crate) async fn threshold_set(&self, act: Act<'_>, name: &str, value: Option<&str>) -> Result<Outcome, Denied> {
        let threshold: Threshold = name.parse().map_err(|problem| Denied::field("name", problem))?;
        let value = value.map(|typed| threshold.parse_value(typed)).transpose();
        let value = value.map_err(|problem| Denied::field("value", problem))?;
        let before = self.limits().await?.get(threshold);
        let mut tx = self.store.begin().await?;
        let query = match value {
            Some(value) => {
                sqlx::query("INSERT OR REPLACE INTO threshold (name, value) VALUES (?, ?)").bind(name).bind(value)
            }
            None => sqlx::query("DELETE FROM threshold WHERE name = ?").bind(name),
        };
        query.execute(&mut *tx).await.map_err(db("set a limit"))?;
        let after = value.unwrap_or_else(|| threshold.default());
        let outcome = act.done(tx, Some(json!({ "value": before })), Some(json!({ "value": after }))).await?;
        self.watch.limits_changed();
        Ok(outcome)
    }
}
