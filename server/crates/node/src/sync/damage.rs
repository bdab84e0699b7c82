//! Damage of a replica on this machine's own disk: written down when it is found, healed from the Master, and kept until
//! an alarm has told of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use contract::Denied;
use contract::alarm::AlarmKind;
use contract::scrub::{Damage, MAX_DAMAGE};
use contract::task::DifferenceInfo;
use replication::Difference;

use crate::alarms::Cause;
use crate::node::Node;
use crate::store::{db, time};
use crate::sync::pull::Manner;
use crate::sync::replica::Copy;
use crate::sync::verify::word;

type Row = (String, String, i64, String, Option<String>, bool);

impl Node {
    /// Every damage that is known, by dataset, with whether an alarm has told of it.
    async fn damage_rows(&self) -> Result<BTreeMap<String, (Damage, bool)>, Denied> {
        let rows: Vec<Row> = sqlx::query_as("SELECT dataset, found_at, total, first, healed_at, told FROM damage")
            .fetch_all(self.store.pool())
            .await
            .map_err(db("read the damages"))?;
        let read = |(dataset, found_at, total, first, healed_at, told): Row| {
            let damage = Damage {
                found_at: time(&found_at)?,
                healed_at: healed_at.as_deref().map(time).transpose()?,
                total: u64::try_from(total).unwrap_or(0),
                differences: serde_json::from_str(&first).map_err(|e| Denied::failed("read the damages", e))?,
            };
            Ok((dataset, (damage, told)))
        };
        rows.into_iter().map(read).collect()
    }

    /// Every damage that is known, healed or not.
    pub(super) async fn damages(&self) -> Result<BTreeMap<String, Damage>, Denied> {
        Ok(self.damage_rows().await?.into_iter().map(|(dataset, (damage, _))| (dataset, damage)).collect())
    }

    /// Writes down what is wrong on this disk, and has it healed. What was known and is not healed yet is added to.
    pub(crate) async fn note_damage(&self, dataset: &str, found: &[Difference]) -> Result<(), Denied> {
        let now = self.clock.now();
        let known = self.damage_rows().await?.remove(dataset).filter(|(damage, _)| damage.healed_at.is_none());
        let (mut damage, told) = known
            .unwrap_or_else(|| (Damage { found_at: now, healed_at: None, total: 0, differences: Vec::new() }, false));
        for one in found {
            let new = DifferenceInfo { dataset: dataset.to_owned(), path: one.path.clone(), what: word(one) };
            // A pass that comes round again sees the same once more.
            if damage.differences.contains(&new) {
                continue;
            }
            damage.total += 1;
            if damage.differences.len() < MAX_DAMAGE {
                damage.differences.push(new);
            }
        }
        tracing::warn!(dataset, total = damage.total, detail = damage.brief().en, "a replica is damaged on this disk");
        let first = serde_json::to_string(&damage.differences).map_err(|e| Denied::failed("note a damage", e))?;
        sqlx::query("INSERT OR REPLACE INTO damage (dataset, found_at, total, first, told) VALUES (?, ?, ?, ?, ?)")
            .bind(dataset)
            .bind(damage.found_at.to_string())
            .bind(i64::try_from(damage.total).unwrap_or(i64::MAX))
            .bind(first)
            .bind(told)
            .execute(self.store.pool())
            .await
            .map_err(db("note a damage"))?;
        if let Some(newest) = self.newest_on_disk(dataset)
            && found.iter().any(|one| one.what.is_damage())
        {
            self.keep_generation_check(&newest, super::generation_check::damaged(found), "scrub").await?;
        }
        self.scrub.damaged.notify_one();
        self.poke();
        Ok(())
    }

    /// How much of a replica is known to be damaged and is not healed.
    pub(super) async fn unhealed(&self, dataset: &str) -> Result<Option<i64>, Denied> {
        sqlx::query_scalar("SELECT total FROM damage WHERE dataset = ? AND healed_at IS NULL")
            .bind(dataset)
            .fetch_optional(self.store.pool())
            .await
            .map_err(db("read the damages"))
    }

    /// Fetches from the Master what is damaged here. A failure is shown with the dataset and tried again.
    pub(super) async fn heal(&self, copy: &Arc<Copy>) {
        let _ = self.pull_in_turn(None, copy, Manner { heal: true, ..Manner::default() }).await;
    }

    /// A healing pull has come to its end: the damage of that size, known before it began, is no more. What was found
    /// meanwhile has made it larger, and waits for the next one.
    pub(super) async fn healed(&self, dataset: &str, damage: i64) {
        let written =
            sqlx::query("UPDATE damage SET healed_at = ? WHERE dataset = ? AND healed_at IS NULL AND total = ?")
                .bind(self.clock.now().to_string())
                .bind(dataset)
                .bind(damage)
                .execute(self.store.pool())
                .await;
        match written {
            Ok(done) if done.rows_affected() > 0 => {
                tracing::info!(dataset, "the replica was healed from the Master");
                if let Err(error) = self.forget_damage_of_newest(dataset).await {
                    tracing::error!(?error, dataset, "a healing could not be noted: an activation goes by the damage");
                }
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, dataset, "a healing could not be noted: it will be done again"),
        }
        self.poke();
    }

    /// The damages that an alarm is to tell of: those that are not healed, and those that no alarm has told of yet.
    pub(crate) async fn damages_to_tell(&self) -> Result<Vec<(String, Damage)>, Denied> {
        let mut rows = self.damage_rows().await?;
        if rows.values().all(|(damage, told)| *told && damage.healed_at.is_some()) {
            return Ok(Vec::new());
        }
        let open = self.open_causes().await?;
        for (dataset, (_, told)) in &mut rows {
            let cause: Cause = (AlarmKind::ReplicaDamaged, dataset.clone());
            if !*told && open.contains_key(&cause) {
                *told = true;
                sqlx::query("UPDATE damage SET told = 1 WHERE dataset = ?")
                    .bind(dataset.as_str())
                    .execute(self.store.pool())
                    .await
                    .map_err(db("note that a damage was told"))?;
            }
        }
        let pending = |(_, (damage, told)): &(String, (Damage, bool))| !*told || damage.healed_at.is_none();
        Ok(rows.into_iter().filter(pending).map(|(dataset, (damage, _))| (dataset, damage)).collect())
    }
}
