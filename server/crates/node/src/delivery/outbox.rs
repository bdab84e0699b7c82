//! The outbox at work: takes what is due, sends it, and writes down what became of it. Recipients do not wait for each
//! other; the end of an alarm is told to nobody who has yet to be told of its beginning.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use contract::alarm::DeliveryState;
use contract::recipient::Channel;
use contract::{Denied, Lang, Timestamp};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::words::Mail;
use super::{Unsent, short, stamp};
use crate::node::Node;
use crate::random;
use crate::store::{Tx, db, time};

/// Messages under way at once, for each channel: a server that hangs does not hold up the other channel.
const AT_ONCE: usize = 4;
/// The first wait after a failure; each next one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// What happened longer ago is no alarm any more: after this, a failed try is the last one.
const STALE: Duration = Duration::from_secs(72 * 3600);
/// How often the outbox is looked at though nobody woke it.
const LOOK: Duration = Duration::from_secs(10);
/// How long a stop waits for messages under way, so that an orderly stop doubles none.
const FAREWELL: Duration = Duration::from_secs(2);

/// What wakes the outbox, and what it remembers between messages.
#[derive(Debug)]
pub(crate) struct Outbox {
    woken: Notify,
    /// Counts the changes of mail server and accounts: a failure by the old way says nothing of the new one.
    way: AtomicU64,
    /// Whether a try failed since the last success, by e-mail and by SMS. Unknown at the start counts as yes.
    trouble: [AtomicBool; 2],
}

impl Default for Outbox {
    fn default() -> Self {
        let trouble = [AtomicBool::new(true), AtomicBool::new(true)];
        Self { woken: Notify::new(), way: AtomicU64::new(0), trouble }
    }
}

impl Outbox {
    /// There is something new to send.
    pub(crate) fn wake(&self) {
        self.woken.notify_one();
    }

    /// The mail server or an SMS account has changed.
    pub(super) fn way_changed(&self) {
        self.way.fetch_add(1, Ordering::SeqCst);
        self.wake();
    }

    const fn trouble(&self, channel: Channel) -> &AtomicBool {
        match channel {
            Channel::Email => &self.trouble[0],
            Channel::Sms => &self.trouble[1],
        }
    }
}

/// One message to one recipient, waiting.
#[derive(Debug, sqlx::FromRow)]
struct Letter {
    id: i64,
    recipient: String,
    reference: String,
    language: String,
    title: String,
    body: String,
    attempts: u32,
    /// When what it tells of happened.
    happened_at: String,
}

/// What is written down about a try.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    state: DeliveryState,
    tried: bool,
    wait: Duration,
    detail: String,
}

/// How long to wait after the `attempts`th failure. `chance` is any number: waits differ by up to a fifth, so that
/// machines that failed together do not come back together.
fn wait_after(attempts: u32, chance: u16) -> Duration {
    let full = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1).min(16))).min(LONGEST_WAIT);
    full.mul_f64(f64::from(chance).mul_add(0.2 / f64::from(u16::MAX), 0.8))
}

/// What follows from a try.
fn follow_up(result: &Result<String, Unsent>, attempts: u32, age: Duration, way_changed: bool, chance: u16) -> Entry {
    let tried = !matches!(result, Err(Unsent::NotSet(_)));
    let entry = |state, wait, detail: &str| Entry { state, tried, wait, detail: short(detail) };
    match result {
        Ok(words) => entry(DeliveryState::Sent, Duration::ZERO, words),
        Err(unsent) if way_changed => entry(DeliveryState::Queued, Duration::ZERO, unsent.words()),
        Err(Unsent::Tried(undelivered)) if undelivered.lasting => {
            entry(DeliveryState::Failed, Duration::ZERO, &undelivered.words)
        }
        Err(unsent) if age > STALE => {
            let detail = format!("given up after {} hours: {}", STALE.as_secs() / 3600, unsent.words());
            entry(DeliveryState::Failed, Duration::ZERO, &detail)
        }
        Err(Unsent::NotSet(words)) => entry(DeliveryState::Queued, LONGEST_WAIT, words),
        Err(Unsent::Tried(undelivered)) => {
            entry(DeliveryState::Queued, wait_after(attempts + 1, chance), &undelivered.words)
        }
    }
}

/// A new way to send: everything that waits is due at once, and what failed by the old way is tried again, unless it is
/// stale or something later about the same alarm has arrived already.
pub(super) async fn try_again(tx: &mut Tx, channel: Channel, now: Timestamp) -> Result<(), Denied> {
    sqlx::query(
        "UPDATE delivery SET state = 'queued', next_at = ?1 WHERE channel = ?2 AND (state = 'queued' OR (state = 'failed' \
         AND ?3 < (SELECT iif(delivery.event = 'raise', raised_at, cleared_at) FROM alarm WHERE id = delivery.alarm) \
         AND NOT EXISTS (SELECT 1 FROM delivery later WHERE later.alarm = delivery.alarm AND later.channel = ?2 \
         AND later.recipient = delivery.recipient AND later.id > delivery.id AND later.state = 'sent')))",
    )
    .bind(stamp(now))
    .bind(channel.as_str())
    .bind(stamp(now.checked_sub(STALE).unwrap_or(now)))
    .execute(&mut **tx)
    .await
    .map_err(db("try messages again"))?;
    Ok(())
}

impl Node {
    /// Delivers until the node stops.
    pub(crate) async fn deliver(self: Arc<Self>) {
        let mut under_way = JoinSet::new();
        let mut letters: HashMap<tokio::task::Id, (Channel, i64)> = HashMap::new();
        loop {
            let mut wait = LOOK;
            for channel in [Channel::Email, Channel::Sms] {
                let busy: BTreeSet<i64> =
                    letters.values().filter(|(by, _)| *by == channel).map(|(_, id)| *id).collect();
                match self.due(channel, &busy).await {
                    Ok((due, next)) => {
                        wait = wait.min(next.unwrap_or(LOOK));
                        for letter in due {
                            let id = letter.id;
                            let task = under_way.spawn(Arc::clone(&self).dispatch(channel, letter));
                            letters.insert(task.id(), (channel, id));
                        }
                    }
                    Err(error) => tracing::error!(?error, "the outbox cannot be read"),
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = self.outbox.woken.notified() => {}
                Some(ended) = under_way.join_next_with_id(), if !letters.is_empty() => {
                    letters.remove(&ended.map_or_else(|error| error.id(), |(id, ())| id));
                }
                () = tokio::time::sleep(wait) => {}
            }
        }
        let _ = tokio::time::timeout(FAREWELL, async { while under_way.join_next().await.is_some() {} }).await;
    }

    /// What is due and not under way, as much as there is room for; and how long until something else is.
    async fn due(&self, channel: Channel, busy: &BTreeSet<i64>) -> Result<(Vec<Letter>, Option<Duration>), Denied> {
        let room = AT_ONCE.saturating_sub(busy.len());
        if room == 0 {
            return Ok((Vec::new(), None));
        }
        let now = self.clock.now();
        // A clock that was set back must not hold messages up: nothing waits longer than the longest wait.
        let beyond = now.checked_add(2 * LONGEST_WAIT).unwrap_or(now);
        let mut due: Vec<Letter> = sqlx::query_as(
            "SELECT d.id, d.recipient, d.reference, d.language, d.title, d.body, d.attempts, \
             iif(d.event = 'raise', a.raised_at, coalesce(a.cleared_at, a.raised_at)) AS happened_at \
             FROM delivery d JOIN alarm a ON a.id = d.alarm \
             WHERE d.state = 'queued' AND d.channel = ? AND (d.next_at <= ? OR d.next_at > ?) \
             AND NOT EXISTS (SELECT 1 FROM delivery e WHERE e.alarm = d.alarm AND e.channel = d.channel \
             AND e.recipient = d.recipient AND e.state = 'queued' AND e.id < d.id) \
             ORDER BY d.next_at, d.id LIMIT ?",
        )
        .bind(channel.as_str())
        .bind(stamp(now))
        .bind(stamp(beyond))
        .bind(2 * AT_ONCE as i64)
        .fetch_all(self.store.pool())
        .await
        .map_err(db("read the outbox"))?;
        due.retain(|letter| !busy.contains(&letter.id));
        due.truncate(room);
        let next: Option<String> = sqlx::query_scalar(
            "SELECT min(next_at) FROM delivery WHERE state = 'queued' AND channel = ? AND next_at > ?",
        )
        .bind(channel.as_str())
        .bind(stamp(now))
        .fetch_one(self.store.pool())
        .await
        .map_err(db("read the outbox"))?;
        let until =
            |next: String| Ok::<_, Denied>(Duration::try_from(time(&next)?.duration_since(now)).unwrap_or_default());
        Ok((due, next.map(until).transpose()?))
    }

    /// Sends one message and writes down what became of it.
    async fn dispatch(self: Arc<Self>, channel: Channel, letter: Letter) {
        let way = self.outbox.way.load(Ordering::SeqCst);
        let happened = time(&letter.happened_at).unwrap_or_else(|_| self.clock.now());
        let result = match channel {
            Channel::Email => {
                let language = Lang::from_tag(&letter.language).unwrap_or_default();
                let mail = Mail { title: letter.title, body: letter.body };
                self.send_mail(&letter.recipient, &letter.reference, happened, language, &mail).await
            }
            Channel::Sms => self.send_sms(None, &letter.recipient, &letter.body, &letter.reference).await,
        };
        let now = self.clock.now();
        let age = Duration::try_from(now.duration_since(happened)).unwrap_or_default();
        let way_changed = self.outbox.way.load(Ordering::SeqCst) != way;
        let chance = u16::from_le_bytes(random::bytes());
        let entry = follow_up(&result, letter.attempts, age, way_changed, chance);
        let (id, attempts) = (letter.id, letter.attempts + u32::from(entry.tried));
        // Sent and not written down would be sent again: nothing else is done before the disk has taken it.
        while let Err(error) = self.record(id, attempts, &entry, now).await {
            tracing::error!(?error, id, "what became of a message cannot be written down");
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
        // Addresses, numbers and a server's words about them stay out of the log.
        let state = entry.state.as_str();
        tracing::info!(id, channel = channel.as_str(), attempts, state, "message");
        self.poke();
        let trouble = self.outbox.trouble(channel);
        if entry.state != DeliveryState::Sent {
            trouble.store(true, Ordering::SeqCst);
        } else if trouble.swap(false, Ordering::SeqCst)
            && let Err(error) = self.hurry(channel, now).await
        {
            tracing::error!(?error, "waiting messages cannot be brought forward");
        }
    }

    async fn record(&self, id: i64, attempts: u32, entry: &Entry, now: Timestamp) -> Result<(), Denied> {
        let next = now.checked_add(entry.wait).unwrap_or(now);
        sqlx::query(
            "UPDATE delivery SET state = ?, attempts = ?, next_at = ?, at = iif(?, ?, at), detail = ? WHERE id = ?",
        )
        .bind(entry.state.as_str())
        .bind(attempts)
        .bind(stamp(next))
        .bind(entry.tried)
        .bind(now.to_string())
        .bind(&entry.detail)
        .bind(id)
        .execute(self.store.pool())
        .await
        .map_err(db("write down what became of a message"))?;
        Ok(())
    }

    /// A server that takes messages again is given those that were waiting for it.
    async fn hurry(&self, channel: Channel, now: Timestamp) -> Result<(), Denied> {
        sqlx::query("UPDATE delivery SET next_at = ?1 WHERE state = 'queued' AND channel = ?2 AND next_at > ?1")
            .bind(stamp(now))
            .bind(channel.as_str())
            .execute(self.store.pool())
            .await
            .map_err(db("bring waiting messages forward"))?;
        self.outbox.wake();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Undelivered;
    use super::*;

    #[test]
    fn waits_grow_from_five_seconds_to_a_quarter_of_an_hour_and_are_never_the_same() {
        let seconds = |attempts| wait_after(attempts, u16::MAX).as_secs();
        assert_eq!([1, 2, 3, 4, 8, 9, 10, u32::MAX].map(seconds), [5, 10, 20, 40, 640, 900, 900, 900]);
        assert_eq!(wait_after(1, 0), Duration::from_secs(4));
        assert!(wait_after(3, 100) < wait_after(3, 60_000));
    }

    #[test]
    fn only_a_lasting_refusal_and_old_age_end_the_tries() {
        use DeliveryState::{Failed, Queued, Sent};
        let (young, old) = (Duration::from_secs(60), STALE + Duration::from_secs(1));
        let again = || Err(Unsent::Tried(Undelivered::for_now("451 later")));
        let never = || Err(Unsent::Tried(Undelivered::for_good("550 no such user")));
        let unset = || Err(Unsent::NotSet("no mail server is set"));
        for (result, age, way_changed, state, detail) in [
            (Ok("250 ok".to_owned()), old, false, Sent, "250 ok"),
            (again(), young, false, Queued, "451 later"),
            (again(), old, false, Failed, "given up after 72 hours: 451 later"),
            (never(), young, false, Failed, "550 no such user"),
            (never(), young, true, Queued, "550 no such user"),
            (unset(), young, false, Queued, "no mail server is set"),
            (unset(), old, false, Failed, "given up after 72 hours: no mail server is set"),
        ] {
            let entry = follow_up(&result, 0, age, way_changed, 0);
            assert_eq!((entry.state, entry.detail.as_str()), (state, detail));
            assert_eq!(entry.tried, result != unset());
        }
    }
}
