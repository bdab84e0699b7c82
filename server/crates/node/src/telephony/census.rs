//! Counts the phones. Who counts is the customer's own command, so a number alone proves little: a replica may hold
//! registrations that were made on the Master. Only what comes on top of the least that was counted since before the
//! services started here is a phone that has come.

use std::sync::Arc;
use std::time::Duration;

use contract::state::NodeState;
use contract::telephony::{Phones, Telephony};
use contract::{Denied, Timestamp};
use tokio::time::Instant;

use crate::node::Node;
use crate::own_steps::command::{self, Purpose};
use crate::process::End;
use crate::runs::Bringing;
use crate::store::{db, time};

/// How often it is looked whether it is time.
const TICK: Duration = Duration::from_millis(500);
/// How often the phones are counted while they come.
const WHILE_THEY_COME: Duration = Duration::from_secs(1);
/// For how long after the run they are counted so often.
const COMING: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);
/// How often they are counted, and the servers asked, while this machine serves.
const SERVING: Duration = Duration::from_secs(15);
/// How often they are counted while the other one serves.
const IDLE: Duration = Duration::from_secs(60);
/// How long the command may take, in seconds.
const LIMIT: u32 = 10;

/// What has become of the phones since a run brought the service here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Census {
    lowest: u32,
    phones: Phones,
}

impl Census {
    /// The first count; `idle` is what was counted before.
    fn begin(idle: Option<u32>, count: u32, at: Timestamp) -> Self {
        let phones = Phones { count, counted_at: at, most: count, first_at: None };
        Self { lowest: idle.unwrap_or(0), phones }.next(count, at)
    }

    fn next(mut self, count: u32, at: Timestamp) -> Self {
        let phones = &mut self.phones;
        (phones.count, phones.counted_at, phones.most) = (count, at, phones.most.max(count));
        if count > self.lowest {
            phones.first_at.get_or_insert(at);
        }
        self.lowest = self.lowest.min(count);
        self
    }
}

impl Census {
    /// Whether it is worth a write: something is other than it was, or that was a while ago.
    fn tells_more_than(&self, last: &Self) -> bool {
        let phones = Phones { counted_at: last.phones.counted_at, ..self.phones };
        let age = self.phones.counted_at.duration_since(last.phones.counted_at);
        Self { phones, ..*self } != *last || age.unsigned_abs() >= SERVING
    }
}

/// The number that a command has printed: its last line.
fn number(words: &str) -> Option<u32> {
    words.lines().rev().map(str::trim).find(|line| !line.is_empty())?.parse().ok()
}

impl Node {
    /// Counts the phones and asks the servers, for as long as the node runs.
    pub(crate) async fn keep_telephony(self: Arc<Self>) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.count_for_ever() => {}
        }
    }

    async fn count_for_ever(&self) {
        let (mut counted, mut asked): (Option<Instant>, Option<Instant>) = (None, None);
        let due = |last: Option<Instant>, every: Duration| last.is_none_or(|last| last.elapsed() >= every);
        let mut served = false;
        loop {
            let run = self.run_that_serves();
            if served != run.is_some() {
                served = run.is_some();
                (counted, asked) = (None, None);
            }
            let pace = match &run {
                Some(run) if run.ended_at.is_none_or(|end| self.clock.now().duration_since(end) < COMING) => {
                    WHILE_THEY_COME
                }
                Some(_) => SERVING,
                None => IDLE,
            };
            let (count, ask) = (due(counted, pace), due(asked, SERVING));
            if count || ask {
                match self.telephony_settings().await {
                    Ok(telephony) => self.look_at_telephony(&telephony, run.as_ref(), count, ask).await,
                    Err(error) => tracing::error!(?error, "the telephony cannot be read"),
                }
                let now = Instant::now();
                counted = if count { Some(now) } else { counted };
                asked = if ask { Some(now) } else { asked };
            }
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = self.switchboard.woken.notified() => (counted, asked) = (None, None),
            }
        }
    }

    async fn look_at_telephony(&self, telephony: &Telephony, run: Option<&Bringing>, count: bool, ask: bool) {
        let counting = async {
            if count && let Err(error) = self.count_phones(telephony, run).await {
                tracing::error!(?error, "what was counted cannot be kept");
            }
        };
        let asking = async {
            // Where there is a button the preflight asks the trunks; the step asks in its own time.
            let serves = matches!(self.state(), NodeState::Active | NodeState::Serving | NodeState::Unverified)
                && !self.book.look(|record| record.suspended);
            if ask && serves {
                let (sip, trunks) =
                    tokio::join!(self.hear_all(telephony.sip.as_slice()), self.hear_all(&telephony.trunks));
                self.switchboard.keep(sip.into_iter().next(), trunks);
            }
        };
        tokio::join!(counting, asking);
    }

    /// Counts once, and keeps what it means.
    async fn count_phones(&self, telephony: &Telephony, run: Option<&Bringing>) -> Result<(), Denied> {
        let Some(text) = &telephony.registrations else { return Ok(()) };
        let _one = self.switchboard.counting.lock().await;
        let counted = self.phones_now(text, run.map_or("", |run| &run.id)).await;
        let at = self.clock.now();
        let trouble = counted.as_ref().err().cloned();
        let before = self.switchboard.look(|known| {
            known.trouble = trouble;
            known.registered = counted.as_ref().ok().copied();
            if run.is_none() {
                known.idle = counted.as_ref().ok().copied();
            }
            known.idle
        });
        let Ok(count) = counted else { return Ok(()) };
        match run {
            Some(run) => {
                let last = self.census_of(&run.id).await?;
                let census = last.map_or_else(|| Census::begin(before, count, at), |last| last.next(count, at));
                if last.is_none_or(|last| census.tells_more_than(&last)) {
                    self.keep_census(&run.id, &census).await?;
                    self.poke();
                }
                Ok(())
            }
            None if self.state() == NodeState::Standby && self.link.source_is_reachable() => {
                self.remember_phones(count, at).await
            }
            None => Ok(()),
        }
    }

    /// How many phones are registered here now.
    ///
    /// # Errors
    /// Why nobody can tell, in the command's words.
    pub(crate) async fn phones_now(&self, text: &str, run: &str) -> Result<u32, String> {
        let site = self.info.role.as_str();
        let purpose = Purpose { root: self.dir.root(), run, step: "registrations", site };
        let ran = command::look(text, purpose, LIMIT).await;
        match number(&ran.words) {
            Some(count) if ran.end == End::Code(0) => Ok(count),
            _ => Err(ran.to_string()),
        }
    }

    /// What has become of the phones since a run brought the service here; `None` where nobody has counted.
    pub(crate) async fn phones_since(&self, run: &str) -> Result<Option<Phones>, Denied> {
        Ok(self.census_of(run).await?.map(|census| census.phones))
    }

    async fn census_of(&self, run: &str) -> Result<Option<Census>, Denied> {
        type Row = (u32, u32, String, u32, Option<String>);
        let row: Option<Row> =
            sqlx::query_as("SELECT lowest, count, counted_at, most, first_at FROM run_phones WHERE run = ?")
                .bind(run)
                .fetch_optional(self.store.pool())
                .await
                .map_err(db("read the count of the phones"))?;
        let census = |(lowest, count, counted_at, most, first_at): Row| {
            let first_at = first_at.as_deref().map(time).transpose()?;
            Ok(Census { lowest, phones: Phones { count, counted_at: time(&counted_at)?, most, first_at } })
        };
        row.map(census).transpose()
    }

    async fn keep_census(&self, run: &str, Census { lowest, phones }: &Census) -> Result<(), Denied> {
        let mut tx = self.store.begin().await?;
        sqlx::query(
            "INSERT OR REPLACE INTO run_phones (run, lowest, count, counted_at, most, first_at) \
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(run)
        .bind(lowest)
        .bind(phones.count)
        .bind(phones.counted_at.to_string())
        .bind(phones.most)
        .bind(phones.first_at.map(|at| at.to_string()))
        .execute(&mut *tx)
        .await
        .map_err(db("keep the count of the phones"))?;
        tx.commit().await.map_err(db("keep the count of the phones"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// When the first phone came, of counts made second by second.
    fn first(idle: Option<u32>, counts: &[u32]) -> Option<i64> {
        let counts = counts.iter().zip(1..);
        let census = counts.fold(None, |census: Option<Census>, (count, second)| match census {
            None => Some(Census::begin(idle, *count, at(second))),
            Some(census) => Some(census.next(*count, at(second))),
        });
        census.unwrap().phones.first_at.map(Timestamp::as_second)
    }

    #[test]
    fn the_first_phone_is_what_comes_on_top_of_what_was_there_before() {
        assert_eq!(first(None, &[0, 0, 2, 3]), Some(3), "nothing could be counted before the services ran");
        assert_eq!(first(None, &[1]), Some(1));
        assert_eq!(first(Some(40), &[40, 40]), None, "a replica holds what was registered on the Master");
        assert_eq!(first(Some(40), &[40, 41]), Some(2));
        assert_eq!(first(Some(40), &[0, 0, 1]), Some(3), "what was there has gone");
        assert_eq!(first(Some(40), &[39, 40]), Some(2), "one has gone, one has come");
    }

    #[test]
    fn the_most_and_the_last_are_kept_and_the_first_stays() {
        let census = Census::begin(None, 2, at(1)).next(5, at(2)).next(3, at(3));
        let phones = Phones { count: 3, counted_at: at(3), most: 5, first_at: Some(at(1)) };
        assert_eq!(census.phones, phones);
    }

    #[test]
    fn a_number_is_the_last_line_that_says_anything() {
        for (words, said) in
            [("12", Some(12)), ("warning: x\n 7 \n\n", Some(7)), ("", None), ("12 phones", None), ("-1", None)]
        {
            assert_eq!(number(words), said, "{words}");
        }
    }
}
