//! *Banda Replicazione*: the Client keeps limit and hours, knows what holds at this minute of its local time, and tells
//! the Master with each echo; whoever sends content keeps to it. The Master refuses to have an opinion of its own.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use contract::bandwidth::{BandwidthReport, Days, Kbits, Schedule, Window, WindowInfo};
use contract::{Denied, Lang, Outcome, SCHEMA, Timestamp};
use jiff::tz::TimeZone;
use replication::Bandwidth;
use tokio::sync::Notify;

use crate::door::Act;
use crate::node::Node;
use crate::store::{Tx, db};

/// How often the clock is looked at: a window begins at most so late.
const LOOK: Duration = Duration::from_secs(5);

/// The limit that holds now, for everything this node sends.
#[derive(Debug, Default)]
pub(crate) struct Pacing {
    pub(crate) bucket: Arc<Bandwidth>,
    changed: Notify,
}

impl Pacing {
    fn set(&self, limit: Option<Kbits>) {
        self.bucket.set(limit.and_then(|limit| NonZeroU64::new(limit.bytes_per_second())));
    }

    /// What holds now.
    pub(crate) fn limit(&self) -> Option<Kbits> {
        let kbits = self.bucket.limit()?.get() / 125;
        u32::try_from(kbits).ok().and_then(Kbits::new)
    }
}

/// What holds at this moment where the clock shows local time, and which window says so.
fn at(schedule: &Schedule, now: Timestamp, zone: &TimeZone) -> (Option<Kbits>, Option<usize>) {
    let local = now.to_zoned(zone.clone());
    let day = u8::try_from(local.weekday().to_monday_zero_offset()).unwrap_or(0);
    let minute = u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap_or(0);
    schedule.at(day, minute)
}

impl Node {
    async fn bandwidth_schedule(&self) -> Result<Schedule, Denied> {
        type Row = (u8, u16, u16, Option<u32>);
        let unreadable = db("read the bandwidth");
        let general: Option<u32> = sqlx::query_scalar("SELECT limit_kbits FROM bandwidth")
            .fetch_one(self.store.pool())
            .await
            .map_err(unreadable)?;
        let rows: Vec<Row> =
            sqlx::query_as("SELECT days, from_minute, to_minute, limit_kbits FROM bandwidth_window ORDER BY position")
                .fetch_all(self.store.pool())
                .await
                .map_err(db("read the bandwidth"))?;
        let window = |(days, from, to, limit): Row| {
            Some(Window { days: Days::from_bits(days)?, from, to, limit: limit.and_then(Kbits::new) })
        };
        Ok(Schedule { limit: general.and_then(Kbits::new), windows: rows.into_iter().filter_map(window).collect() })
    }

    pub(crate) async fn bandwidth_report(&self) -> Result<BandwidthReport, Denied> {
        let schedule = self.bandwidth_schedule().await?;
        // The Master has no schedule: what it was told holds.
        let (now_kbits, now_window) = match self.info.role {
            contract::NodeRole::Client => at(&schedule, self.clock.now(), &TimeZone::system()),
            contract::NodeRole::Master => (self.pacing.limit(), None),
        };
        let told = |window: &Window| WindowInfo { text: window.text(Lang::En), window: *window };
        Ok(BandwidthReport {
            schema: SCHEMA,
            limit_kbits: schedule.limit,
            windows: schedule.windows.iter().map(told).collect(),
            now_kbits,
            now_window,
        })
    }

    /// Sets the general limit, the windows, or both; what is `None` stays as it is.
    pub(crate) async fn bandwidth_set(
        &self,
        act: Act<'_>,
        limit: Option<&str>,
        windows: Option<&[String]>,
    ) -> Result<Outcome, Denied> {
        let before = self.bandwidth_schedule().await?;
        let typed = Schedule::parse(limit.unwrap_or_default(), windows.unwrap_or_default()).map_err(Denied::Invalid)?;
        let after = Schedule {
            limit: if limit.is_some() { typed.limit } else { before.limit },
            windows: if windows.is_some() { typed.windows } else { before.windows.clone() },
        };
        let mut tx = self.store.begin().await?;
        write(&mut tx, &after).await?;
        let told = |schedule: &Schedule| {
            let windows: Vec<String> = schedule.windows.iter().map(|window| window.text(Lang::En)).collect();
            serde_json::json!({ "limit_kbits": schedule.limit, "windows": windows })
        };
        let outcome = act.done(tx, Some(told(&before)), Some(told(&after))).await?;
        self.pacing.changed.notify_one();
        Ok(outcome)
    }

    /// The Client: lets what the clock and the settings say hold.
    pub(crate) async fn apply_bandwidth(&self) {
        match self.bandwidth_schedule().await {
            Ok(schedule) => self.pacing.set(at(&schedule, self.clock.now(), &TimeZone::system()).0),
            Err(error) => tracing::error!(?error, "the bandwidth cannot be read; what held goes on"),
        }
    }

    /// Does so for as long as the node runs.
    pub(crate) async fn keep_bandwidth(self: Arc<Self>) {
        while !self.stop.is_cancelled() {
            self.apply_bandwidth().await;
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.pacing.changed.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// The Master: what the Client says holds now.
    pub(crate) fn hear_bandwidth(&self, told: Option<Kbits>) {
        // A number outside of what makes sense comes from no honest Client: it is no reason to stop sending.
        self.pacing.set(told.and_then(|kbits| Kbits::new(kbits.get())));
    }
}

async fn write(tx: &mut Tx, schedule: &Schedule) -> Result<(), Denied> {
    sqlx::query("UPDATE bandwidth SET limit_kbits = ?")
        .bind(schedule.limit.map(Kbits::get))
        .execute(&mut **tx)
        .await
        .map_err(db("set the bandwidth"))?;
    sqlx::query("DELETE FROM bandwidth_window").execute(&mut **tx).await.map_err(db("set the bandwidth"))?;
    for window in &schedule.windows {
        sqlx::query("INSERT INTO bandwidth_window (days, from_minute, to_minute, limit_kbits) VALUES (?, ?, ?, ?)")
            .bind(window.days.bits())
            .bind(window.from)
            .bind(window.to)
            .bind(window.limit.map(Kbits::get))
            .execute(&mut **tx)
            .await
            .map_err(db("set the bandwidth"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_those_of_the_local_clock_also_when_it_is_another_day_there() {
        let schedule = Schedule::parse("", &["mon 00:00-02:00 1M".into()]).unwrap();
        // A Sunday evening in London, already Monday in Rome.
        let now: Timestamp = "2026-11-22T23:30:00Z".parse().unwrap();
        let limit = |zone: &TimeZone| at(&schedule, now, zone).0.map(Kbits::get);
        assert_eq!(limit(&TimeZone::UTC), None);
        assert_eq!(limit(&TimeZone::fixed(jiff::tz::offset(1))), Some(1_000));
    }

    #[test]
    fn what_is_set_is_what_is_told() {
        let pacing = Pacing::default();
        assert_eq!(pacing.limit(), None);
        for kbits in [64, 512, 10_000, 100_000_000] {
            pacing.set(Kbits::new(kbits));
            assert_eq!(pacing.limit(), Kbits::new(kbits));
        }
        pacing.set(None);
        assert_eq!(pacing.limit(), None);
    }
}
