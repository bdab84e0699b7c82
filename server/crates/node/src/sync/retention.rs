//! Which generations stay to be gone back to. The choice stands on the generations alone and never on a clock: each tier
//! counts slots of time in which there is one, so that a clock that jumps ahead, or a Master that was off for a month,
//! costs no restore point.

use std::collections::HashSet;

use contract::retention::{Retention, RetentionForm, Tier};
use contract::{Denied, Outcome, Timestamp};
use serde_json::json;

use crate::door::Act;
use crate::node::Node;
use crate::store::db;

/// The generations that the tiers by time keep: the last one of each slot, for as many slots as the tier has.
pub(super) fn kept(points: &[(u64, Timestamp)], policy: Retention) -> HashSet<u64> {
    let mut newest_first = points.to_vec();
    newest_first.sort_by_key(|(generation, _)| std::cmp::Reverse(*generation));
    let mut kept = HashSet::new();
    for tier in Tier::ALL {
        let Some(length) = tier.slot_seconds() else { continue };
        let mut slots = HashSet::new();
        for (generation, captured_at) in &newest_first {
            let slot = captured_at.as_second().div_euclid(length);
            if slots.len() < policy.of(*tier) as usize && slots.insert(slot) {
                kept.insert(*generation);
            }
        }
    }
    kept
}

impl Node {
    /// The policy as set, or the default.
    pub(crate) async fn retention(&self) -> Result<Retention, Denied> {
        let row: Option<(u32, u32, u32, u32)> = sqlx::query_as("SELECT newest, minutes, hours, days FROM retention")
            .fetch_optional(self.store.pool())
            .await
            .map_err(db("read how long restore points are kept"))?;
        let policy = |(newest, minutes, hours, days)| Retention { newest, minutes, hours, days };
        Ok(row.map_or_else(Retention::default, policy))
    }

    pub(crate) async fn retention_set(&self, act: Act<'_>, form: &RetentionForm) -> Result<Outcome, Denied> {
        let before = self.retention().await?;
        let after = form.check(before).map_err(Denied::Invalid)?;
        let mut tx = self.store.begin().await?;
        sqlx::query("INSERT OR REPLACE INTO retention (one, newest, minutes, hours, days) VALUES (1, ?, ?, ?, ?)")
            .bind(after.newest)
            .bind(after.minutes)
            .bind(after.hours)
            .bind(after.days)
            .execute(&mut *tx)
            .await
            .map_err(db("set how long restore points are kept"))?;
        let outcome = act.done(tx, Some(json!(before)), Some(json!(after))).await?;
        // What is to go, goes with the next pull: a row that is OFF keeps everything.
        self.copies.wake_all();
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn policy(minutes: u32, hours: u32, days: u32) -> Retention {
        Retention { newest: 1, minutes, hours, days }
    }

    fn sorted(kept: HashSet<u64>) -> Vec<u64> {
        let mut kept: Vec<u64> = kept.into_iter().collect();
        kept.sort_unstable();
        kept
    }

    #[test]
    fn each_tier_keeps_the_last_of_each_of_its_slots() {
        // Two a minute for three hours.
        let points: Vec<_> = (0..360_u64).map(|n| (n, at(n as i64 * 30))).collect();
        assert_eq!(sorted(kept(&points, policy(3, 0, 0))), [355, 357, 359]);
        assert_eq!(sorted(kept(&points, policy(0, 2, 0))), [239, 359]);
        assert_eq!(sorted(kept(&points, policy(0, 0, 0))), Vec::<u64>::new());
        let all = kept(&points, policy(5, 24, 7));
        assert!(all.len() <= 5 + 3 + 1, "{all:?}");
    }

    #[test]
    fn a_pause_of_a_month_or_a_clock_that_jumps_costs_no_restore_point() {
        let points = [(1, at(0)), (2, at(3600)), (3, at(7200)), (4, at(40 * 86_400)), (5, at(400 * 86_400))];
        assert_eq!(sorted(kept(&points, policy(0, 5, 0))), [1, 2, 3, 4, 5]);
        assert_eq!(sorted(kept(&points, policy(0, 0, 3))), [3, 4, 5]);
    }

    #[test]
    fn a_clock_set_back_never_makes_more_of_them_than_the_tier_has() {
        let points: Vec<_> = (0..100_u64).map(|n| (n, at(-(n as i64) * 3600))).collect();
        assert_eq!(sorted(kept(&points, policy(0, 3, 0))), [97, 98, 99], "the newest by number stay");
    }
}
