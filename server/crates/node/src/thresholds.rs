//! The limits of the Soglie page, as set on this node.

use std::collections::BTreeMap;
use std::time::Duration;

use contract::lag::LagLimits;
use contract::threshold::{Threshold, ThresholdInfo, ThresholdsReport};
use contract::{Denied, FieldError, Outcome, SCHEMA};
use serde_json::json;

use crate::door::Act;
use crate::node::Node;
use crate::store::{Tx, db};

/// Every limit with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    general: BTreeMap<Threshold, u32>,
    /// Datasets with limits of their own.
    own: BTreeMap<String, LagLimits>,
}

impl Limits {
    pub(crate) fn get(&self, threshold: Threshold) -> u32 {
        self.general.get(&threshold).copied().unwrap_or_else(|| threshold.default())
    }

    /// From when on a dataset is too far behind: its own limits, or those of the Soglie page.
    pub(crate) fn lag(&self, dataset: &str) -> LagLimits {
        let general =
            || LagLimits { soft_seconds: self.get(Threshold::LagSoft), hard_seconds: self.get(Threshold::LagHard) };
        self.own.get(dataset).copied().unwrap_or_else(general)
    }

    /// Whether a dataset has limits of its own.
    pub(crate) fn has_own(&self, dataset: &str) -> bool {
        self.own.contains_key(dataset)
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
        let own: Vec<(String, u32, u32)> = sqlx::query_as("SELECT dataset, soft_seconds, hard_seconds FROM lag_limit")
            .fetch_all(self.store.pool())
            .await
            .map_err(db("read the limits"))?;
        let own = own
            .into_iter()
            .map(|(dataset, soft_seconds, hard_seconds)| (dataset, LagLimits { soft_seconds, hard_seconds }));
        // A name of a later version is not ours to judge.
        let general = rows.into_iter().filter_map(|(name, value)| Some((name.parse().ok()?, value))).collect();
        Ok(Limits { general, own: own.collect() })
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
        match value {
            Some(value) => write(&mut tx, threshold, value).await?,
            None => {
                let query = sqlx::query("DELETE FROM threshold WHERE name = ?").bind(name);
                query.execute(&mut *tx).await.map_err(db("set a limit"))?;
            }
        }
        let after = value.unwrap_or_else(|| threshold.default());
        let outcome = act.done(tx, Some(json!({ "value": before })), Some(json!({ "value": after }))).await?;
        self.watch.limits_changed();
        Ok(outcome)
    }

    /// Sets several limits, all of them or nothing. What is wrong with one is told under its name.
    pub(crate) async fn thresholds_set(&self, act: Act<'_>, values: &[(String, String)]) -> Result<Outcome, Denied> {
        let mut errors = Vec::new();
        let mut parsed = Vec::new();
        for (name, typed) in values {
            let value = name.parse::<Threshold>().and_then(|limit| Ok((limit, limit.parse_value(typed)?)));
            match value {
                Ok(value) => parsed.push(value),
                Err(problem) => errors.push(FieldError::new(name, problem)),
            }
        }
        if !errors.is_empty() {
            return Err(Denied::Invalid(errors));
        }
        let limits = self.limits().await?;
        parsed.retain(|(limit, value)| limits.get(*limit) != *value);
        let told = |value: fn(&Limits, Threshold, u32) -> u32| {
            let told = parsed.iter().map(|(limit, new)| (limit.name().to_owned(), value(&limits, *limit, *new).into()));
            serde_json::Value::Object(told.collect())
        };
        let (before, after) = (told(|limits, limit, _| limits.get(limit)), told(|_, _, new| new));
        let mut tx = self.store.begin().await?;
        for (limit, value) in &parsed {
            write(&mut tx, *limit, *value).await?;
        }
        let outcome = act.done(tx, Some(before), Some(after)).await?;
        self.watch.limits_changed();
        Ok(outcome)
    }
}

async fn write(tx: &mut Tx, limit: Threshold, value: u32) -> Result<(), Denied> {
    sqlx::query("INSERT OR REPLACE INTO threshold (name, value) VALUES (?, ?)")
        .bind(limit.name())
        .bind(value)
        .execute(&mut **tx)
        .await
        .map_err(db("set a limit"))?;
    Ok(())
}
