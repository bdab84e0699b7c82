//! Slows down who guesses passwords, without a lock that a guesser could use against the administrator.
//!
//! Failures are counted per address *and* user name: guessing from one place never delays a login from another. After
//! five failures each further one costs a wait that doubles up to a minute; it is forgotten after fifteen quiet minutes.
//! Nobody is ever locked out, and the command line on the machine is always open to root.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const FREE: u32 = 5;
const LONGEST: Duration = Duration::from_secs(60);
const FORGET: Duration = Duration::from_secs(15 * 60);
/// Bounds the memory that a flood of invented names can take.
const MOST: usize = 10_000;
/// Logins from one address that are checked at the same time.
const AT_ONCE: u32 = 2;

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    fn wait(self) -> Duration {
        match self.count.checked_sub(FREE) {
            None => Duration::ZERO,
            Some(over) => Duration::from_secs(1 << over.min(6)).min(LONGEST),
        }
    }
}

/// Failed logins of the last minutes.
#[derive(Debug, Default)]
pub struct Throttle {
    failures: Mutex<HashMap<(IpAddr, String), Failures>>,
    at_once: Mutex<HashMap<IpAddr, u32>>,
}

/// A login that is being checked; gives its place back when dropped.
#[derive(Debug)]
pub struct Place<'a> {
    throttle: &'a Throttle,
    from: IpAddr,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut at_once = self.throttle.at_once.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = at_once.get_mut(&self.from) {
            *count -= 1;
            if *count == 0 {
                at_once.remove(&self.from);
            }
        }
    }
}

impl Throttle {
    /// A place for one login from this address; `None` while it has as many as it may at once. A flood from one address
    /// then fills no queue in which somebody elsewhere would wait.
    pub fn place(&self, from: IpAddr) -> Option<Place<'_>> {
        let from = key(from, "").0;
        let mut at_once = self.at_once.lock().unwrap_or_else(PoisonError::into_inner);
        let count = at_once.entry(from).or_default();
        if *count >= AT_ONCE {
            return None;
        }
        *count += 1;
        Some(Place { throttle: self, from })
    }

    /// How long this address must still wait before it may try this name again.
    pub fn remaining(&self, from: IpAddr, name: &str, now: Instant) -> Option<Duration> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let known = failures.get(&key(from, name))?;
        known.wait().checked_sub(now.saturating_duration_since(known.last)).filter(|left| !left.is_zero())
    }

    /// Counts a failure.
    pub fn failed(&self, from: IpAddr, name: &str, now: Instant) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= MOST {
            failures.retain(|_, known| now.saturating_duration_since(known.last) < FORGET);
        }
        if failures.len() >= MOST
            && let Some(oldest) = failures.iter().min_by_key(|(_, known)| known.last).map(|(key, _)| key.clone())
        {
            failures.remove(&oldest);
        }
        let known = failures.entry(key(from, name)).or_insert(Failures { count: 0, last: now });
        if now.saturating_duration_since(known.last) >= FORGET {
            known.count = 0;
        }
        known.count += 1;
        known.last = now;
    }

    /// Forgets the failures of somebody who has now shown the right password.
    pub fn succeeded(&self, from: IpAddr, name: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(&key(from, name));
    }
}

/// An IPv6 host owns its whole /64, so that is what counts as one address.
fn key(from: IpAddr, name: &str) -> (IpAddr, String) {
    let place = match from.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        v4 => v4,
    };
    (place, name.chars().take(contract::name::MAX_LEN).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn guessing_is_slowed_where_it_happens_and_nowhere_else() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..4 {
            throttle.failed(HERE, "admin", now);
        }
        assert_eq!(throttle.remaining(HERE, "admin", now), None, "a few mistakes are free");
        for _ in 0..50 {
            throttle.failed(HERE, "admin", now);
        }
        assert_eq!(throttle.remaining(HERE, "admin", now), Some(LONGEST), "but never longer than a minute");
        assert_eq!(throttle.remaining(THERE, "admin", now), None, "the administrator elsewhere is not delayed");
        assert_eq!(throttle.remaining(HERE, "carla", now), None);
        assert_eq!(throttle.remaining(HERE, "admin", now + LONGEST), None);
    }

    #[test]
    fn one_address_has_few_logins_at_once_and_gives_its_places_back() {
        let throttle = Throttle::default();
        let held = (throttle.place(HERE), throttle.place(HERE));
        assert!(held.0.is_some() && held.1.is_some() && throttle.place(HERE).is_none());
        assert!(throttle.place(THERE).is_some(), "nobody else waits for it");
        drop(held);
        assert!(throttle.place(HERE).is_some());
    }

    #[test]
    fn a_right_password_clears_the_slate() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..6 {
            throttle.failed(HERE, "admin", now);
        }
        assert!(throttle.remaining(HERE, "admin", now).is_some());
        throttle.succeeded(HERE, "admin");
        assert_eq!(throttle.remaining(HERE, "admin", now), None);
    }
}
