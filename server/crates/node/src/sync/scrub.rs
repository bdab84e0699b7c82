//! Reads every replica again, piece by piece and all the time, at the pace that the administrator has set. The engine is
//! free between two pieces, so that a change never waits for it; where the pass is, is on disk. What is damaged is healed
//! from the Master as soon as data may flow, and an alarm tells of it although it was healed at once: a disk that has
//! forgotten one bit will forget others.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use contract::dataset::DatasetKind;
use contract::scrub::{PERIOD_RANGE, ScrubInfo, ScrubPass, ScrubReport};
use contract::{Denied, Outcome, SCHEMA, Timestamp, span};
use replication::{Replica, Scrubbed, TreePath, scrub_cost};
use serde_json::json;
use tokio::sync::Notify;

use crate::door::Act;
use crate::node::Node;
use crate::store::{db, time};
use crate::sync::meter::Meter;
use crate::sync::replica::Copy;
use crate::sync::told;

/// As many pieces a pass has at least, where the pace allows it.
const PIECES: u32 = 4000;
/// Shortest and longest pause between two pieces.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(60));
/// The engine is held for so many bytes at most, or one file.
const MOST_AT_ONCE: u64 = 64 << 20;
/// Pause between two attempts to heal.
const HEAL_EVERY: Duration = Duration::from_secs(5);

/// What wakes those who look after the replicas.
#[derive(Debug, Default)]
pub(crate) struct Scrub {
    /// The pace was changed.
    pace: Notify,
    /// Damage was found.
    pub(super) damaged: Notify,
}

/// Where one pass is, as stored.
#[derive(Debug, Default, sqlx::FromRow)]
struct Place {
    place: Option<Vec<u8>>,
    started_at: String,
    files: i64,
    bytes: i64,
    found: i64,
    last_at: Option<String>,
    last_files: i64,
    last_bytes: i64,
    last_found: i64,
}

/// What a replica may still be read for, in the engine's unit; below zero it has read ahead.
type Credit = HashMap<String, f64>;

fn pause(period: u32) -> Duration {
    (Duration::from_secs(period.into()) / PIECES).clamp(PAUSE.0, PAUSE.1)
}

fn count(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Node {
    async fn scrub_period(&self) -> Result<u32, Denied> {
        let period: u32 = sqlx::query_scalar("SELECT period_seconds FROM scrub_setting")
            .fetch_one(self.store.pool())
            .await
            .map_err(db("read the pace of the verification"))?;
        Ok(period)
    }

    pub(crate) async fn scrub_set(&self, act: Act<'_>, every: &str) -> Result<Outcome, Denied> {
        let period = span::parse(every, PERIOD_RANGE).map_err(|problem| Denied::field("every", problem))?;
        let before = self.scrub_period().await?;
        let mut tx = self.store.begin().await?;
        sqlx::query("UPDATE scrub_setting SET period_seconds = ?")
            .bind(period)
            .execute(&mut *tx)
            .await
            .map_err(db("set the pace of the verification"))?;
        let told = |seconds: u32| Some(json!({ "every": span::written(seconds) }));
        let outcome = act.done(tx, told(before), told(period)).await?;
        self.scrub.pace.notify_one();
        Ok(outcome)
    }

    /// Reads on until the node stops.
    pub(crate) async fn keep_scrubbing(self: Arc<Self>) {
        let mut credit = Credit::new();
        while !self.stop.is_cancelled() {
            let period = match self.scrub_period().await {
                Ok(period) => period,
                Err(error) => {
                    tracing::error!(?error, "the pace of the verification cannot be read");
                    PERIOD_RANGE.end().to_owned()
                }
            };
            let pause = pause(period);
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.scrub.pace.notified() => continue,
                () = tokio::time::sleep(pause) => {}
            }
            let copies = self.copies.all();
            credit.retain(|name, _| copies.iter().any(|copy| copy.dataset.name == *name));
            for copy in copies {
                // A machine that serves has other things to read; and nothing could be healed.
                if !self.may_receive() || copy.standing(|standing| standing.pulling.is_some()) {
                    continue;
                }
                let share = pause.as_secs_f64() / f64::from(period);
                if let Err(error) = self.scrub_one(&copy, share, &mut credit).await {
                    tracing::warn!(dataset = copy.dataset.name, ?error, "a replica cannot be read again");
                }
            }
        }
    }

    /// Heals what was found damaged, until the node stops: now, or when the Master is back and the row is ON again.
    pub(crate) async fn keep_healing(self: Arc<Self>) {
        while !self.stop.is_cancelled() {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.scrub.damaged.notified() => {}
                () = tokio::time::sleep(HEAL_EVERY) => {}
            }
            // What is copied at this moment would keep the others waiting: it is healed afterwards.
            let idle = |copy: &Arc<Copy>| copy.standing(|standing| standing.pulling.is_none());
            for copy in self.copies.all().into_iter().filter(idle) {
                match self.unhealed(&copy.dataset.name).await {
                    Ok(Some(_)) if self.may_pull(&copy).await => self.heal(&copy).await,
                    Ok(_) => {}
                    Err(error) => tracing::error!(?error, "the damages cannot be read"),
                }
            }
        }
    }

    /// Reads what this replica's share of the time is worth.
    async fn scrub_one(&self, copy: &Arc<Copy>, share: f64, credit: &mut Credit) -> Result<(), Denied> {
        let Some(total) = copy.standing(|s| s.commit.as_ref().map(|commit| scrub_cost(commit.files, commit.bytes)))
        else {
            return Ok(());
        };
        let left = credit.entry(copy.dataset.name.clone()).or_default();
        #[expect(clippy::cast_precision_loss, reason = "a pace")]
        let earned = total.max(1) as f64 * share;
        // What was earned while nothing could be read is not made up for in a rush.
        *left = (*left + earned).min(earned.max(1.0) * 2.0);
        while *left > 0.0 && !self.stop.is_cancelled() {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and capped")]
            let budget = (*left as u64).min(MOST_AT_ONCE);
            let mut at = self.scrub_place(&copy.dataset.name).await?;
            let after = at.place.as_deref().and_then(|bytes| TreePath::parse(bytes).ok());
            let watch = Meter::new(self.stop.child_token());
            let read =
                self.with_engine(copy, move |replica: &mut Replica| replica.scrub(after.as_ref(), budget, &watch));
            let piece = match read.await {
                Some(Ok(piece)) => piece,
                // Nothing committed yet, or the node stops.
                None => return Ok(()),
                Some(Err(error)) => return Err(Denied::failed("read a replica again", told(&error))),
            };
            #[expect(clippy::cast_precision_loss, reason = "a pace")]
            let spent = piece.cost.max(1) as f64;
            *left -= spent;
            let ended = piece.next.is_none();
            if !piece.differences.is_empty() {
                self.note_damage(&copy.dataset.name, &piece.differences).await?;
            }
            self.keep_place(&copy.dataset.name, &mut at, &piece).await?;
            if ended {
                break;
            }
        }
        Ok(())
    }

    async fn scrub_place(&self, dataset: &str) -> Result<Place, Denied> {
        let row: Option<Place> = sqlx::query_as(
            "SELECT place, started_at, files, bytes, found, last_at, last_files, last_bytes, last_found \
             FROM scrub WHERE dataset = ?",
        )
        .bind(dataset)
        .fetch_optional(self.store.pool())
        .await
        .map_err(db("read where the verification is"))?;
        Ok(row.unwrap_or_else(|| Place { started_at: self.clock.now().to_string(), ..Place::default() }))
    }

    async fn keep_place(&self, dataset: &str, at: &mut Place, piece: &Scrubbed) -> Result<(), Denied> {
        at.files += stored(piece.files);
        at.bytes += stored(piece.bytes);
        at.found += stored(piece.differences.len() as u64);
        at.place = piece.next.as_ref().map(|next| next.as_bytes().to_vec());
        if at.place.is_none() {
            let now = self.clock.now().to_string();
            at.last_at = Some(now.clone());
            (at.last_files, at.last_bytes, at.last_found) = (at.files, at.bytes, at.found);
            (at.started_at, at.files, at.bytes, at.found) = (now, 0, 0, 0);
        }
        sqlx::query(
            "INSERT OR REPLACE INTO scrub (dataset, place, started_at, files, bytes, found, last_at, last_files, \
             last_bytes, last_found) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(dataset)
        .bind(at.place.as_deref())
        .bind(&at.started_at)
        .bind(at.files)
        .bind(at.bytes)
        .bind(at.found)
        .bind(at.last_at.as_deref())
        .bind(at.last_files)
        .bind(at.last_bytes)
        .bind(at.last_found)
        .execute(self.store.pool())
        .await
        .map_err(db("keep where the verification is"))?;
        Ok(())
    }

    /// `tvox-dr sync scrub show`.
    pub(crate) async fn scrub_report(&self) -> Result<ScrubReport, Denied> {
        let mut damages = self.damages().await?;
        let mut datasets = Vec::new();
        for copy in self.copies.all() {
            let at = self.scrub_place(&copy.dataset.name).await?;
            let total = copy.standing(|s| s.commit.as_ref().map(|commit| (commit.files, commit.bytes)));
            let begun = at.place.is_some() || at.last_at.is_some();
            datasets.push(ScrubInfo {
                dataset: copy.dataset.name.clone(),
                started_at: begun.then(|| time(&at.started_at)).transpose()?,
                fraction: fraction(copy.dataset.kind, (count(at.files), count(at.bytes)), total),
                files: count(at.files),
                bytes: count(at.bytes),
                last: last_pass(&at)?,
                damage: damages.remove(&copy.dataset.name),
            });
        }
        Ok(ScrubReport { schema: SCHEMA, period_seconds: self.scrub_period().await?, datasets })
    }
}

fn last_pass(at: &Place) -> Result<Option<ScrubPass>, Denied> {
    let ended: Option<Timestamp> = at.last_at.as_deref().map(time).transpose()?;
    Ok(ended.map(|ended_at| ScrubPass {
        ended_at,
        files: count(at.last_files),
        bytes: count(at.last_bytes),
        differences: count(at.last_found),
    }))
}

/// How far a pass is. A database is one file: it is read at once.
fn fraction(kind: DatasetKind, (files, bytes): (u64, u64), total: Option<(u64, u64)>) -> f64 {
    let Some((all_files, all_bytes)) = total.filter(|_| kind == DatasetKind::Files) else { return 0.0 };
    #[expect(clippy::cast_precision_loss, reason = "a fraction for people")]
    let part = scrub_cost(files, bytes) as f64 / scrub_cost(all_files, all_bytes).max(1) as f64;
    part.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_has_many_pieces_and_none_is_too_often_or_too_seldom() {
        assert_eq!(pause(10), PAUSE.0);
        assert_eq!(pause(40_000), Duration::from_secs(10));
        assert_eq!(pause(604_800), PAUSE.1);
        for period in [10, 3600, 604_800, *PERIOD_RANGE.end()] {
            assert!(f64::from(period) / pause(period).as_secs_f64() >= 40.0, "{period}");
        }
    }

    #[test]
    fn a_pass_never_says_that_it_is_more_than_whole() {
        assert!(fraction(DatasetKind::Files, (5, 500), Some((10, 1000))) < 1.0);
        let over = fraction(DatasetKind::Files, (20, 5000), Some((10, 1000)));
        assert!((over - 1.0).abs() < f64::EPSILON, "files may go while they are read");
        assert!(fraction(DatasetKind::Files, (1, 1), None) < f64::EPSILON);
    }
}
