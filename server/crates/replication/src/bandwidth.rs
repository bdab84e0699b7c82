//! How fast content may travel: one bucket of bytes for all streams of a pair, which can be resized while they flow.
//! It refuses to let a large copy stand in the way of a small one: what is urgent goes first, and the rest gets every
//! eighth turn, so that nothing stands still.

use std::io::{self, Read, Write};
use std::num::NonZeroU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// At most so much time's worth of bytes goes at once, and may be made up for after a pause.
const TURN: Duration = Duration::from_millis(20);
/// A turn is not shorter than this: every turn costs a system call.
const LEAST: u64 = 1024;
/// Turns of what is urgent while something else waits.
const BEFORE_BULK: u32 = 7;
/// A stream that has sent less than this is a small change, whatever it carries.
const SMALL: u64 = 1 << 20;
/// How often a writer that waits looks up, so that a limit taken away is not slept through.
const LOOK_UP: Duration = Duration::from_millis(50);

/// A limit on bytes a second, shared by everything that is [`Paced`] with it. Cheap to ask, also without a limit.
pub struct Bandwidth {
    bucket: Mutex<Bucket>,
    changed: Condvar,
    begun: Instant,
}

/// Times are since the beginning.
struct Bucket {
    /// Bytes a second.
    limit: Option<NonZeroU64>,
    /// When everything that was granted will have gone at that rate.
    busy_until: Duration,
    /// Urgent streams that wait.
    urgent: usize,
    /// Other streams that wait.
    bulk: usize,
    /// Turns that urgent streams took before a waiting one.
    before_bulk: u32,
}

enum Turn {
    Now(usize),
    In(Duration),
}

impl Bucket {
    /// How many of `wanted` bytes may go now, or when to ask again.
    fn ask(&mut self, now: Duration, wanted: usize, urgent: bool) -> Turn {
        let Some(limit) = self.limit else { return Turn::Now(wanted) };
        if self.busy_until > now {
            return Turn::In(self.busy_until - now);
        }
        if !urgent && self.urgent > 0 && self.before_bulk < BEFORE_BULK {
            return Turn::In(TURN);
        }
        self.before_bulk = if urgent && self.bulk > 0 { self.before_bulk + 1 } else { 0 };
        let most = bytes_in(TURN, limit).max(LEAST);
        let granted = usize::try_from(most).map_or(wanted, |most| wanted.min(most));
        self.busy_until = self.busy_until.max(now.saturating_sub(TURN)) + time_for(granted as u64, limit);
        Turn::Now(granted)
    }

    /// Takes back what was granted and did not go.
    fn give_back(&mut self, bytes: usize) {
        if let Some(limit) = self.limit {
            self.busy_until = self.busy_until.saturating_sub(time_for(bytes as u64, limit));
        }
    }
}

fn bytes_in(time: Duration, limit: NonZeroU64) -> u64 {
    u64::try_from(time.as_nanos() * u128::from(limit.get()) / 1_000_000_000).unwrap_or(u64::MAX)
}

fn time_for(bytes: u64, limit: NonZeroU64) -> Duration {
    let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(limit.get());
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

impl Bandwidth {
    /// A limit in bytes a second; `None` for none.
    pub fn new(limit: Option<NonZeroU64>) -> Self {
        let bucket = Bucket { limit, busy_until: Duration::ZERO, urgent: 0, bulk: 0, before_bulk: 0 };
        Self { bucket: Mutex::new(bucket), changed: Condvar::new(), begun: Instant::now() }
    }

    /// Another limit from now on, also for what is under way.
    pub fn set(&self, limit: Option<NonZeroU64>) {
        let mut bucket = self.lock();
        if bucket.limit != limit {
            bucket.limit = limit;
            bucket.busy_until = self.begun.elapsed();
            self.changed.notify_all();
        }
    }

    /// The limit now, in bytes a second.
    pub fn limit(&self) -> Option<NonZeroU64> {
        self.lock().limit
    }

    fn lock(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until some of `wanted` bytes may go, and says how many.
    fn turn(&self, wanted: usize, urgent: bool) -> usize {
        let mut bucket = self.lock();
        let mut waits = false;
        loop {
            let turn = bucket.ask(self.begun.elapsed(), wanted, urgent);
            if let (Turn::In(_), false) = (&turn, waits) {
                waits = true;
                *(if urgent { &mut bucket.urgent } else { &mut bucket.bulk }) += 1;
            }
            match turn {
                Turn::Now(granted) => {
                    if waits {
                        *(if urgent { &mut bucket.urgent } else { &mut bucket.bulk }) -= 1;
                    }
                    return granted;
                }
                Turn::In(time) => {
                    let waited = self.changed.wait_timeout(bucket, time.min(LOOK_UP));
                    bucket = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }
}

impl Default for Bandwidth {
    fn default() -> Self {
        Self::new(None)
    }
}

impl std::fmt::Debug for Bandwidth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bandwidth({:?} bytes/s)", self.limit())
    }
}

/// A stream whose writing keeps within a shared limit. Reading is not limited: that is for the other side to do.
#[derive(Debug)]
pub struct Paced<S> {
    stream: S,
    bandwidth: Arc<Bandwidth>,
    urgent: bool,
    sent: u64,
}

impl<S> Paced<S> {
    /// Paces one answer. It goes first when it is `urgent` (a database), or as long as it is small.
    pub fn new(stream: S, bandwidth: Arc<Bandwidth>, urgent: bool) -> Self {
        Self { stream, bandwidth, urgent, sent: 0 }
    }

    /// The stream itself.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: Read> Read for Paced<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl<S: Write> Write for Paced<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let granted = self.bandwidth.turn(bytes.len(), self.urgent || self.sent < SMALL);
        let written = self.stream.write(&bytes[..granted]);
        let went = written.as_ref().copied().unwrap_or(0);
        if went < granted {
            self.bandwidth.lock().give_back(granted - went);
        }
        self.sent += went as u64;
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(limit: u64) -> Bucket {
        Bucket { limit: NonZeroU64::new(limit), busy_until: Duration::ZERO, urgent: 0, bulk: 0, before_bulk: 0 }
    }

    /// Lets a stream that always has more send for this long, from `now` on; when it ended, and the bytes that went.
    fn send(bucket: &mut Bucket, mut now: Duration, long: Duration) -> u64 {
        let (mut went, end) = (0, now + long);
        while now < end {
            match bucket.ask(now, 256 * 1024, false) {
                Turn::Now(bytes) => went += bytes as u64,
                Turn::In(time) => now += time,
            }
        }
        went
    }

    #[test]
    fn the_limit_holds_within_a_twentieth_at_every_rate() {
        for limit in [8_000u64, 64_000, 1_000_000, 12_500_000, 10_000_000_000] {
            let ten = Duration::from_secs(10);
            let went = send(&mut bucket(limit), Duration::from_secs(1), ten);
            assert!(went * 20 >= limit * 10 * 19 && went * 20 <= limit * 10 * 21, "{went} bytes at {limit}/s");
        }
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let mut bucket = bucket(1_000_000);
        send(&mut bucket, Duration::ZERO, Duration::from_secs(1));
        let went = send(&mut bucket, Duration::from_secs(100), Duration::from_secs(1));
        assert!(went <= 1_050_000, "{went}");
    }

    #[test]
    fn what_did_not_go_is_not_counted() {
        let mut bucket = bucket(1_000_000);
        let mut now = Duration::ZERO;
        let mut went = 0;
        while now < Duration::from_secs(2) {
            match bucket.ask(now, 10_000, false) {
                Turn::Now(bytes) => {
                    went += bytes / 2;
                    bucket.give_back(bytes - bytes / 2);
                }
                Turn::In(time) => now += time,
            }
        }
        assert!((1_900_000..=2_100_000).contains(&went), "{went}");
    }

    #[test]
    fn what_is_urgent_gets_seven_turns_of_eight_and_the_rest_is_not_starved() {
        let mut bucket = bucket(1_000_000);
        (bucket.urgent, bucket.bulk) = (1, 1);
        let (mut now, mut urgent, mut bulk) = (Duration::from_secs(1), 0, 0);
        while now < Duration::from_secs(21) {
            if let Turn::Now(bytes) = bucket.ask(now, 20_000, false) {
                bulk += bytes;
                // It waits again from here on.
                bucket.bulk = 1;
            }
            if let Turn::Now(bytes) = bucket.ask(now, 20_000, true) {
                urgent += bytes;
            }
            now += Duration::from_millis(1);
        }
        assert!(urgent / bulk == 7 || urgent / bulk == 6, "{urgent} urgent, {bulk} other bytes");
    }

    #[test]
    fn a_limit_that_is_taken_away_lets_go_who_waits() {
        let bandwidth = Arc::new(Bandwidth::new(NonZeroU64::new(1)));
        // The first turn's bytes take a quarter of an hour at one byte a second.
        assert!(bandwidth.turn(100_000, false) < 100_000);
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| bandwidth.turn(100_000, false));
            bandwidth.set(None);
            assert_eq!(waits.join().unwrap(), 100_000);
        });
    }

    #[test]
    fn a_capped_stream_takes_its_time_and_changes_nothing_of_what_it_carries() {
        let bandwidth = Arc::new(Bandwidth::new(NonZeroU64::new(2_000_000)));
        let content = vec![7; 600_000];
        let begun = Instant::now();
        let mut paced = Paced::new(Vec::new(), Arc::clone(&bandwidth), true);
        paced.write_all(&content).unwrap();
        // However slow the machine is, it may not be faster: 300 ms, less the turn that is free.
        assert!(begun.elapsed() >= Duration::from_millis(260), "{:?}", begun.elapsed());
        assert_eq!(paced.stream, content);
    }
}
