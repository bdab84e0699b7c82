//! What is known of the services at this moment: what each is wanted to be, what its check said last, and whether that
//! was after the last change of what is wanted. Pure: it asks nobody and starts nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use contract::Timestamp;
use contract::service::{Desired, Observed, Service, ServiceEntry, ServiceStatus};
use tokio::time::Instant;

use super::start_stop::Attempt;

/// The first pause after a failed attempt, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// One service.
#[derive(Debug, Clone, Default)]
struct Standing {
    want: Option<Desired>,
    /// Counts the changes of what is wanted: what was seen before the last one is old.
    turn: u64,
    seen: Option<(Observed, Timestamp, u64)>,
    detail: Option<String>,
    /// Somebody is starting or stopping it.
    moving: bool,
    /// It was there, or an attempt to bring it there has ended, since the last change of what is wanted.
    settled: bool,
    failures: u32,
    retry_at: Option<Instant>,
}

impl Standing {
    fn want(&mut self, want: Desired) {
        if self.want != Some(want) {
            *self = Self { want: Some(want), turn: self.turn + 1, seen: self.seen, ..Self::default() };
        }
    }

    fn observed(&self) -> Observed {
        self.seen.map_or(Observed::Unknown, |(observed, ..)| observed)
    }

    fn is_there(&self) -> bool {
        self.want.is_some_and(|want| Observed::from(want) == self.observed())
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Standings {
    /// As declared; `None` until they were read.
    declared: Option<Vec<Service>>,
    by_name: BTreeMap<String, Standing>,
}

impl Standings {
    /// Takes the declarations. A service that is declared otherwise than before is a new one.
    pub(super) fn declare(&mut self, declared: Vec<Service>) {
        let before = self.declared.take().unwrap_or_default();
        let kept = |name: &String| declared.iter().any(|service| service.name == *name && before.contains(service));
        self.by_name.retain(|name, _| kept(name));
        for service in &declared {
            self.by_name.entry(service.name.clone()).or_default();
        }
        self.declared = Some(declared);
    }

    /// As declared; `None` until they were read.
    pub(super) fn declared(&self) -> Option<&[Service]> {
        self.declared.as_deref()
    }

    /// What the state of the machine wants of all of them; `None` leaves it at what was wanted last.
    pub(super) fn want_all(&mut self, wanted: Option<Desired>) {
        if let Some(wanted) = wanted {
            self.by_name.values_mut().for_each(|standing| standing.want(wanted));
        }
    }

    /// Somebody begins to bring one there.
    pub(super) fn begin(&mut self, name: &str, wanted: Desired) {
        if let Some(standing) = self.by_name.get_mut(name) {
            standing.want(wanted);
            standing.moving = true;
            // What is on its way cannot have been seen for good.
            standing.turn += 1;
        }
    }

    /// The attempt has ended, or was broken off.
    pub(super) fn end(&mut self, name: &str, attempt: Option<(&Attempt, Timestamp, Instant)>) {
        let Some(standing) = self.by_name.get_mut(name) else { return };
        standing.moving = false;
        let Some((attempt, at, now)) = attempt else { return };
        standing.settled = true;
        standing.seen = Some((attempt.observed, at, standing.turn));
        standing.detail.clone_from(&attempt.detail);
        if attempt.result.is_ok() {
            (standing.failures, standing.retry_at) = (0, None);
        } else {
            let pause = PAUSE.0 * 2_u32.saturating_pow(standing.failures.min(10));
            standing.failures += 1;
            standing.retry_at = Some(now + pause.min(PAUSE.1));
        }
    }

    /// A check of this service begins; what it will say belongs to this turn.
    pub(super) fn turn(&self, name: &str) -> u64 {
        self.by_name.get(name).map_or(0, |standing| standing.turn)
    }

    /// What a check has seen, unless the turn has passed meanwhile. True when it is news.
    pub(super) fn saw(&mut self, name: &str, turn: u64, observed: Observed, detail: &str, at: Timestamp) -> bool {
        let current = self.by_name.get_mut(name).filter(|standing| standing.turn == turn);
        let Some(standing) = current else { return false };
        let news = standing.observed() != observed;
        standing.seen = Some((observed, at, turn));
        if standing.is_there() {
            (standing.settled, standing.detail) = (true, None);
            (standing.failures, standing.retry_at) = (0, None);
        } else if news || standing.detail.is_none() {
            standing.detail = Some(detail.to_owned()).filter(|detail| !detail.is_empty());
        }
        news
    }

    /// Whether it is time to start or stop it.
    pub(super) fn is_due(&self, name: &str, wanted: Desired, now: Instant) -> bool {
        let Some(standing) = self.by_name.get(name) else { return false };
        // A check that does not answer after the service was up is no reason to start it twice.
        let silent = wanted == Desired::Up && standing.settled && standing.observed() == Observed::Unknown;
        let waits = standing.retry_at.is_some_and(|at| now < at);
        !(standing.is_there() || standing.moving || waits || silent && standing.failures == 0)
    }

    pub(super) fn manages_any(&self) -> bool {
        !self.by_name.is_empty()
    }

    /// Whether every service was seen down after the last change of what is wanted, and none is on its way up.
    pub(super) fn are_down(&self) -> bool {
        self.declared.is_some()
            && self.by_name.values().all(|standing| {
                let seen = standing.seen.is_some_and(|(seen, _, turn)| seen == Observed::Down && turn == standing.turn);
                seen && !standing.moving && standing.want == Some(Desired::Down)
            })
    }

    /// Whether every service is wanted up and was seen so.
    pub(super) fn are_up(&self) -> bool {
        let up = |standing: &Standing| standing.want == Some(Desired::Up) && standing.is_there() && !standing.moving;
        self.declared.is_some() && self.by_name.values().all(up)
    }

    /// Those that are not as they are wanted, although there was time for it.
    pub(super) fn wrong(&self) -> impl Iterator<Item = ServiceStatus> {
        let wrong = |(_, standing): &(&String, &Standing)| standing.settled && !standing.is_there();
        self.by_name.iter().filter(wrong).map(|(name, standing)| status(name, standing))
    }

    /// Everything, in starting order.
    /// Whether a service's own check said nothing.
    pub(super) fn is_mute(&self, name: &str) -> bool {
        self.by_name.get(name).is_none_or(|standing| standing.observed() == Observed::Unknown)
    }

    pub(super) fn entries(&self) -> Vec<ServiceEntry> {
        let entry = |service: &Service| ServiceEntry {
            service: service.clone(),
            status: status(&service.name, self.by_name.get(&service.name).unwrap_or(&Standing::default())),
        };
        self.declared.iter().flatten().map(entry).collect()
    }
}

fn status(name: &str, standing: &Standing) -> ServiceStatus {
    ServiceStatus {
        name: name.to_owned(),
        desired: standing.want.unwrap_or(Desired::Down),
        observed: standing.observed(),
        checked_at: standing.seen.map(|(_, at, _)| at),
        detail: standing.detail.clone(),
    }
}

#[cfg(test)]
mod tests {
    use contract::service::Handling;

    use super::*;

    fn standings() -> Standings {
        let mut standings = Standings::default();
        standings.declare(vec![service("pbx")]);
        standings
    }

    fn service(name: &str) -> Service {
        Service { name: name.into(), handling: Handling::Unit("x".into()), timeout_seconds: 1, order: 0 }
    }

    fn see(standings: &mut Standings, observed: Observed) {
        let turn = standings.turn("pbx");
        standings.saw("pbx", turn, observed, "words", Timestamp::UNIX_EPOCH);
    }

    fn attempt(observed: Observed, done: bool) -> Attempt {
        let failure = contract::Failure { attempt: String::new(), cause: String::new() };
        Attempt { observed, detail: Some("words".into()), result: if done { Ok(String::new()) } else { Err(failure) } }
    }

    #[test]
    fn nothing_is_down_before_the_declarations_were_read() {
        assert!(!Standings::default().are_down());
        let mut none = Standings::default();
        none.declare(Vec::new());
        assert!(none.are_down());
    }

    #[test]
    fn what_was_seen_down_before_the_last_change_of_mind_must_be_seen_again() {
        let mut standings = standings();
        standings.want_all(Some(Desired::Down));
        assert!(!standings.are_down(), "nobody has looked");
        see(&mut standings, Observed::Down);
        assert!(standings.are_down());
        standings.want_all(Some(Desired::Up));
        standings.want_all(Some(Desired::Down));
        assert!(!standings.are_down());
        see(&mut standings, Observed::Down);
        standings.want_all(None);
        assert!(standings.are_down(), "a run leaves what was wanted last");
    }

    #[test]
    fn a_check_that_began_before_the_change_of_mind_does_not_count() {
        let mut standings = standings();
        standings.want_all(Some(Desired::Up));
        let turn = standings.turn("pbx");
        standings.want_all(Some(Desired::Down));
        assert!(!standings.saw("pbx", turn, Observed::Down, "", Timestamp::UNIX_EPOCH));
        assert!(!standings.are_down());
    }

    #[test]
    fn nothing_is_down_while_somebody_brings_it_up() {
        let mut standings = standings();
        standings.want_all(Some(Desired::Down));
        see(&mut standings, Observed::Down);
        standings.begin("pbx", Desired::Up);
        see(&mut standings, Observed::Down);
        assert!(!standings.are_down());
        standings.end("pbx", None);
        standings.begin("pbx", Desired::Down);
        see(&mut standings, Observed::Down);
        assert!(!standings.are_down(), "what is being stopped may be half down");
        standings.end("pbx", Some((&attempt(Observed::Down, true), Timestamp::UNIX_EPOCH, Instant::now())));
        assert!(standings.are_down());
    }

    #[test]
    fn what_failed_is_tried_again_after_longer_and_longer_pauses_up_to_a_minute() {
        let mut standings = standings();
        standings.want_all(Some(Desired::Up));
        let mut pauses = Vec::new();
        for _ in 0..7 {
            standings.begin("pbx", Desired::Up);
            let now = Instant::now();
            standings.end("pbx", Some((&attempt(Observed::Unknown, false), Timestamp::UNIX_EPOCH, now)));
            let due = |after: u64| standings.is_due("pbx", Desired::Up, now + Duration::from_secs(after));
            pauses.push((0..100).find(|after| due(*after)).unwrap());
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60]);
        standings.want_all(Some(Desired::Down));
        assert!(standings.is_due("pbx", Desired::Down, Instant::now()), "another wish is tried at once");
    }

    #[test]
    fn a_check_that_falls_silent_is_no_reason_to_start_twice_but_one_to_stop() {
        let mut standings = standings();
        standings.want_all(Some(Desired::Up));
        assert!(standings.is_due("pbx", Desired::Up, Instant::now()), "never seen");
        see(&mut standings, Observed::Up);
        see(&mut standings, Observed::Unknown);
        assert!(!standings.is_due("pbx", Desired::Up, Instant::now()));
        assert_eq!(standings.wrong().count(), 1, "it is told all the same");
        see(&mut standings, Observed::Down);
        assert!(standings.is_due("pbx", Desired::Up, Instant::now()));
        standings.want_all(Some(Desired::Down));
        see(&mut standings, Observed::Unknown);
        assert!(standings.is_due("pbx", Desired::Down, Instant::now()));
    }

    #[test]
    fn a_service_is_wrong_only_after_there_was_time_to_bring_it_there() {
        let mut standings = standings();
        standings.want_all(Some(Desired::Up));
        see(&mut standings, Observed::Down);
        assert_eq!(standings.wrong().count(), 0, "it was not tried yet");
        standings.begin("pbx", Desired::Up);
        standings.end("pbx", Some((&attempt(Observed::Down, false), Timestamp::UNIX_EPOCH, Instant::now())));
        assert_eq!(standings.wrong().map(|status| status.detail).collect::<Vec<_>>(), [Some("words".into())]);
        see(&mut standings, Observed::Up);
        assert_eq!(standings.wrong().count(), 0);
        assert_eq!(standings.entries()[0].status.detail, None);
    }

    #[test]
    fn what_is_declared_otherwise_is_known_anew() {
        let mut standings = standings();
        standings.want_all(Some(Desired::Down));
        see(&mut standings, Observed::Down);
        standings.declare(vec![service("pbx"), service("web")]);
        standings.want_all(Some(Desired::Down));
        assert!(!standings.are_down(), "the new one was not seen");
        standings.declare(vec![service("pbx")]);
        assert!(standings.are_down());
        standings.declare(vec![Service { timeout_seconds: 2, ..service("pbx") }]);
        standings.want_all(Some(Desired::Down));
        assert!(!standings.are_down());
    }
}
