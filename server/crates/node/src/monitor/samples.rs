//! How far each replica was behind, on disk: the worst of each ten seconds, and of wider slots for a day and a week. It
//! refuses to guess: while the other machine is not seen nothing is taken down, and the hole stays a hole.

use std::collections::BTreeMap;

use contract::lag::{DatasetLag, LagLimitForm, LagLimits, LagReport, LagWindow};
use contract::monitor::LagPoint;
use contract::{Denied, Outcome, Problem, SCHEMA, Timestamp};
use serde_json::json;

use crate::door::Act;
use crate::node::Node;
use crate::store::db;

/// The narrowest slot, in seconds: so often something is written.
const SLOT: i64 = LagWindow::Hour.step_seconds() as i64;

/// What the slot under way has seen so far.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    slot: i64,
    worst: BTreeMap<String, f64>,
}

/// A slot that is over: when it began, in seconds since 1970, and the worst lag of each replica.
type Ended = (i64, BTreeMap<String, f64>);

impl Samples {
    /// Takes down one look; gives back the slot before it where this is the first look of another one.
    pub(crate) fn look(&mut self, at: Timestamp, lags: &[(String, Option<f64>)]) -> Option<Ended> {
        let slot = at.as_second().div_euclid(SLOT);
        let ended =
            (slot != self.slot && !self.worst.is_empty()).then(|| (self.slot * SLOT, std::mem::take(&mut self.worst)));
        self.slot = slot;
        for (dataset, lag) in lags {
            if let Some(lag) = lag {
                let worst = self.worst.entry(dataset.clone()).or_insert(*lag);
                *worst = worst.max(*lag);
            }
        }
        ended
    }
}

impl Node {
    /// Writes a slot down in every width, and deletes what is too old. A clock that was set back leaves slots in the
    /// future: they go, too.
    pub(super) async fn keep_samples(&self, (at, worst): Ended) -> Result<(), Denied> {
        let mut tx = self.store.begin().await?;
        for window in LagWindow::ALL {
            let step = i64::from(window.step_seconds());
            for (dataset, lag) in &worst {
                sqlx::query(
                    "INSERT INTO lag_sample (dataset, step, slot, lag) VALUES (?, ?, ?, ?) \
                     ON CONFLICT (dataset, step, slot) DO UPDATE SET lag = max(lag, excluded.lag)",
                )
                .bind(dataset)
                .bind(step)
                .bind(at.div_euclid(step))
                .bind(lag)
                .execute(&mut *tx)
                .await
                .map_err(db("keep the lag"))?;
            }
            sqlx::query("DELETE FROM lag_sample WHERE step = ? AND (slot < ? OR slot > ?)")
                .bind(step)
                .bind((at - i64::from(window.seconds())).div_euclid(step))
                .bind(at.div_euclid(step) + 1)
                .execute(&mut *tx)
                .await
                .map_err(db("forget old lags"))?;
        }
        tx.commit().await.map_err(db("keep the lag"))
    }

    /// `tvox-dr sync lag`: the last so many seconds.
    pub(crate) async fn lag_report(&self, seconds: u32) -> Result<LagReport, Denied> {
        let (at, window) = (self.clock.now(), LagWindow::holding(seconds));
        let step = i64::from(window.step_seconds());
        let from = at.as_second() - i64::from(seconds);
        let since = Timestamp::from_second(from).map_err(|error| Denied::failed("look back", error))?;
        let rows: Vec<(String, i64, f64)> = sqlx::query_as(
            "SELECT dataset, slot, lag FROM lag_sample WHERE step = ? AND slot >= ? ORDER BY dataset, slot",
        )
        .bind(step)
        .bind(from.div_euclid(step))
        .fetch_all(self.store.pool())
        .await
        .map_err(db("read the lags"))?;
        let limits = self.limits().await?;
        let datasets = self.briefs().await?.into_iter().map(|brief| {
            let of_it = rows.iter().filter(|(dataset, ..)| *dataset == brief.name);
            let point = |(_, slot, lag): &(String, i64, f64)| {
                // A slot is known from its end on, and the one at the edge may have begun before.
                let at = Timestamp::from_second((slot * step).max(from)).ok()?;
                Some(LagPoint { at, lag_seconds: *lag })
            };
            DatasetLag {
                points: of_it.filter_map(point).collect(),
                lag_seconds: brief.lag_seconds,
                limits: limits.lag(&brief.name),
                own_limits: limits.has_own(&brief.name),
                dataset: brief.name,
            }
        });
        Ok(LagReport { schema: SCHEMA, since, at, step_seconds: window.step_seconds(), datasets: datasets.collect() })
    }

    /// Gives a dataset limits of its own.
    pub(crate) async fn lag_limit_set(&self, act: Act<'_>, form: &LagLimitForm) -> Result<Outcome, Denied> {
        let checked = form.check();
        if !self.datasets().await?.iter().any(|dataset| dataset.name == form.dataset) {
            let mut errors = checked.err().unwrap_or_default();
            errors.insert(0, contract::FieldError::new("dataset", Problem::NotFound));
            return Err(Denied::Invalid(errors));
        }
        let LagLimits { soft_seconds, hard_seconds } = checked.map_err(Denied::Invalid)?;
        let before = self.limits().await?.lag(&form.dataset);
        let mut tx = self.store.begin().await?;
        sqlx::query("INSERT OR REPLACE INTO lag_limit (dataset, soft_seconds, hard_seconds) VALUES (?, ?, ?)")
            .bind(&form.dataset)
            .bind(soft_seconds)
            .bind(hard_seconds)
            .execute(&mut *tx)
            .await
            .map_err(db("set the limits of a dataset"))?;
        let after = LagLimits { soft_seconds, hard_seconds };
        let outcome = act.done(tx, Some(json!(before)), Some(json!(after))).await?;
        self.watch.limits_changed();
        Ok(outcome)
    }

    /// Gives a dataset the limits of the Soglie page back.
    pub(crate) async fn lag_limit_reset(&self, act: Act<'_>, dataset: &str) -> Result<Outcome, Denied> {
        let limits = self.limits().await?;
        if !limits.has_own(dataset) {
            return Err(Denied::field("dataset", Problem::NotFound));
        }
        let mut tx = self.store.begin().await?;
        sqlx::query("DELETE FROM lag_limit WHERE dataset = ?")
            .bind(dataset)
            .execute(&mut *tx)
            .await
            .map_err(db("set the limits of a dataset"))?;
        let outcome = act.done(tx, Some(json!(limits.lag(dataset))), None).await?;
        self.watch.limits_changed();
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn lag(seconds: Option<f64>) -> [(String, Option<f64>); 1] {
        [("conf".to_owned(), seconds)]
    }

    #[test]
    fn a_slot_is_given_back_once_with_its_worst_look_and_a_hole_gives_nothing() {
        let mut samples = Samples::default();
        for (second, seconds) in [(0, Some(1.0)), (4, Some(7.0)), (9, Some(2.0))] {
            assert_eq!(samples.look(at(second), &lag(seconds)), None);
        }
        let ended = samples.look(at(10), &lag(None)).unwrap();
        assert_eq!((ended.0, ended.1["conf"]), (1_800_000_000, 7.0));
        assert_eq!(samples.look(at(20), &lag(None)), None, "nothing was known: nothing is written, least of all zero");
        assert_eq!(samples.look(at(35), &lag(Some(3.0))), None);
        assert_eq!(samples.look(at(5), &lag(None)).unwrap().0, 1_800_000_030, "also when the clock was set back");
    }
}
