//! The monitor: looks at the other machine, the replicas, the disk and the licence at every `probe.interval_ms`, and
//! turns what it sees into alarms by hysteresis, so that one lost packet wakes nobody and a flapping link wakes once.

mod conditions;
mod disks;
mod history;
mod hysteresis;
mod mandate;
mod samples;
mod silence;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use contract::alarm::AlarmKind;
use contract::monitor::{LagHistory, LagSeries, MonitorReport};
use contract::threshold::Threshold;
use contract::{Denied, SCHEMA, Text, Timestamp};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use crate::alarms::Cause;
use crate::cluster::Machine;
use crate::mandate::file::Seat;
use crate::node::Node;
use crate::thresholds::Limits;
use conditions::Seen;
use disks::Measured;
use history::History;
use hysteresis::{Hysteresis, Turn};
use samples::Samples;

/// A machine that was silent for less is not called silent, however short the interval is.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);

/// What wakes the monitor before its time, and what it remembers of its looks.
#[derive(Debug, Default)]
pub(crate) struct Watchman {
    limits: Notify,
    history: Mutex<History>,
    samples: Mutex<Samples>,
    disks: Mutex<Vec<Measured>>,
}

impl Watchman {
    /// The limits were changed: they hold from the next look on.
    pub(crate) fn limits_changed(&self) {
        self.limits.notify_one();
    }

    fn measured(&self, disks: Vec<Measured>) {
        *self.disks.lock().unwrap_or_else(PoisonError::into_inner) = disks;
    }

    fn remember(&self, at: Timestamp, lags: impl IntoIterator<Item = (String, Option<f64>)>) {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).look(at, lags);
    }

    fn lags(&self) -> Vec<LagSeries> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).series()
    }

    fn disks(&self) -> Vec<Measured> {
        self.disks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What one probe of a machine that this one is associated with came to.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    machine: Machine,
    name: String,
    /// Why it did not answer with the pinned key; `None` where it did.
    silent: Option<String>,
    /// Nobody said no: it let the time pass.
    timed_out: bool,
}

impl Node {
    /// Watches until the node stops.
    pub(crate) async fn watch_over(self: Arc<Self>) {
        let mut state: BTreeMap<Cause, Hysteresis> = match self.open_causes().await {
            Ok(open) => open.into_iter().map(|(cause, id)| (cause, Hysteresis::open(id))).collect(),
            Err(error) => {
                tracing::error!(?error, "the alarms of before cannot be read");
                BTreeMap::new()
            }
        };
        let begun = Instant::now();
        let mut failing = BTreeSet::new();
        while !self.stop.is_cancelled() {
            let Ok(limits) = self.limits().await else {
                tokio::time::sleep(LEAST_PATIENCE).await;
                continue;
            };
            self.copies.set_lag_limits(limits.clone());
            let mut ticks = interval(limits.probe_interval());
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = self.stop.cancelled() => return,
                    () = self.watch.limits.notified() => break,
                    _ = ticks.tick() => {}
                }
                self.remember_lags().await;
                let probes = self.probe(limits.probe_interval().max(LEAST_PATIENCE), begun, &failing).await;
                let silent: BTreeSet<Seat> =
                    probes.iter().filter(|probe| probe.silent.is_some()).map(|probe| probe.machine.seat).collect();
                if !silent.is_subset(&failing) {
                    self.lookout.fell_silent();
                }
                failing = silent;
                if probes.iter().any(|probe| probe.timed_out) {
                    // It took an interval already.
                    ticks.reset_immediately();
                }
                match self.look(&probes, &limits, &mut state).await {
                    Ok(seen) => {
                        let turns = (limits.get(Threshold::PeerBad), limits.get(Threshold::PeerGood));
                        if let Err(error) = self.judge(&mut state, seen, turns).await {
                            tracing::error!(?error, "an alarm could not be written down");
                        }
                    }
                    Err(error) => tracing::error!(?error, "the state of this machine cannot be judged"),
                }
            }
        }
    }

    /// Looks at everything once. An alarm that was raised at the moment of its cause goes on as long as nobody has taken
    /// note of it.
    async fn look(
        &self,
        probes: &[Probe],
        limits: &Limits,
        state: &mut BTreeMap<Cause, Hysteresis>,
    ) -> Result<BTreeMap<Cause, Seen>, Denied> {
        let mut seen = self.conditions(probes, limits).await?;
        for (subject, id, noted) in self.open_of(AlarmKind::ApprovalBypassed).await? {
            let cause: Cause = (AlarmKind::ApprovalBypassed, subject);
            // Also where it was noted before the monitor came to see it: it is the monitor that ends it.
            state.entry(cause.clone()).or_insert_with(|| Hysteresis::open(id));
            seen.insert(cause, if noted { Seen::Good } else { Seen::Bad(Text::new("", "")) });
        }
        Ok(seen)
    }

    /// Takes down how far each replica is behind.
    async fn remember_lags(&self) {
        let Ok(briefs) = self.briefs().await else { return };
        let now = self.clock.now();
        let lags: Vec<_> = briefs.into_iter().map(|brief| (brief.name, brief.lag_seconds)).collect();
        self.watch.remember(now, lags.iter().cloned());
        // What is not heard from the other machine is not known, whatever it was last.
        let seen = if self.link.source_is_reachable() { lags.as_slice() } else { &[] };
        let ended = self.watch.samples.lock().unwrap_or_else(PoisonError::into_inner).look(now, seen);
        if let Some(ended) = ended
            && let Err(error) = self.keep_samples(ended).await
        {
            tracing::warn!(?error, "the lag of the last seconds is lost");
        }
    }

    /// The page *Monitor di sistema*.
    pub(crate) async fn monitor_report(&self) -> Result<MonitorReport, Denied> {
        let limits = self.limits().await?;
        let status = self.status().await?;
        Ok(MonitorReport {
            schema: SCHEMA,
            at: self.clock.now(),
            node: status.node,
            state: status.state,
            pair: status.pair,
            disks: self.disks().await?,
            services: status.services,
            lag: LagHistory {
                soft_seconds: limits.get(Threshold::LagSoft),
                hard_seconds: limits.get(Threshold::LagHard),
                series: self.watch.lags(),
            },
            alarms: self.latest_alarms().await?,
        })
    }

    /// Turns what was seen into alarms. A cause that is not looked at any more (a dataset taken back, a pair dissolved)
    /// counts as good; one that nobody can tell stays as it is.
    async fn judge(
        &self,
        state: &mut BTreeMap<Cause, Hysteresis>,
        seen: BTreeMap<Cause, Seen>,
        (bad, good): (u32, u32),
    ) -> Result<(), Denied> {
        for cause in seen.keys() {
            state.entry(cause.clone()).or_default();
        }
        let gone = Seen::Good;
        for (cause, hysteresis) in state.iter_mut() {
            let now = seen.get(cause).unwrap_or(&gone);
            if matches!(now, Seen::Unknown) {
                continue;
            }
            let (kind, subject) = cause;
            match hysteresis.look(matches!(now, Seen::Bad(_)), bad, good) {
                Turn::Nothing => {}
                Turn::Raise => {
                    let detail = if let Seen::Bad(detail) = now { detail.clone() } else { Text::new("", "") };
                    let id = self.raise(*kind, subject, &detail).await?;
                    hysteresis.raised(id);
                }
                Turn::Repeat(id) => self.count_repeat(&id).await?,
                Turn::Clear(id) => {
                    self.clear(&id, *kind, subject).await?;
                    hysteresis.cleared();
                }
            }
        }
        state.retain(|cause, hysteresis| seen.contains_key(cause) || hysteresis.is_open());
        Ok(())
    }
}
