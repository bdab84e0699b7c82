//! What would happen if the button were pressed now: found out again and again, so that the day it is needed is not the
//! first time that anybody asks.

mod facts;
mod judge;
mod point;
mod press;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use contract::preflight::{PreflightReport, Take};
use contract::state::NodeState;
use contract::telephony::Telephony;
use contract::{Denied, NodeRole, Refused};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::cluster::Machine;
use crate::isolation::{self, Look, Pace};
use crate::node::Node;

pub(crate) use judge::remaining;

/// How often the other site is probed while nothing happens.
const EVERY: Duration = Duration::from_secs(15);
/// And while it is silent: the button may be pressed any moment, and silence takes seconds to see.
const SILENT_EVERY: Duration = Duration::from_secs(1);
/// How soon it is probed again when something did.
const PROBE_PACE: Duration = Duration::from_secs(5);
/// How soon the judgement is made again at most.
const PACE: Duration = Duration::from_millis(500);
/// And how soon where the replicas have only moved on, as they do all the time.
const MOVED_PACE: Duration = Duration::from_secs(5);

/// What was found out last.
#[derive(Debug, Default)]
pub(crate) struct Lookout {
    latest: Mutex<Option<PreflightReport>>,
    /// The last probes, and how many changes there had been when they began.
    probed: Mutex<Option<(Arc<Probed>, u64)>>,
    /// Counts the changes: a judgement that was begun before one is stale when it ends.
    changes: AtomicU64,
    wake: Notify,
    moved: Notify,
    /// A machine of the other site has missed its first look.
    hushed: Notify,
}

impl Lookout {
    /// Something happened that changes no configuration: the verdict stands until it has been found out again.
    pub(crate) fn look_again(&self) {
        self.wake.notify_one();
    }

    /// A machine that answered a moment ago does not: it takes seconds to see that it is silent, and whoever hears of it may
    /// press the button at once. So that is looked at now, however short a while ago the last look was.
    pub(crate) fn fell_silent(&self) {
        self.hushed.notify_one();
    }

    /// A replica that was in order moved on to newer content: what would be lost is counted from there.
    pub(crate) fn content_moved(&self) {
        self.moved.notify_one();
    }

    fn probed(&self) -> Option<(Arc<Probed>, u64)> {
        self.probed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, probed: Option<(Arc<Probed>, u64)>) {
        *self.probed.lock().unwrap_or_else(PoisonError::into_inner) = probed;
    }

    fn latest<T>(&self, look: impl FnOnce(&mut Option<PreflightReport>) -> T) -> T {
        look(&mut self.latest.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What the last probes have shown.
#[derive(Debug)]
struct Probed {
    look: Look,
    preview: Arc<Preview>,
}

/// What whoever the customer's own steps and the telephony need has to say. It stands in nobody's way, and is asked for
/// less often than the machines.
#[derive(Debug)]
struct Preview {
    own: Vec<Refused>,
    /// What is to be proved of the telephony, and what is worth knowing about it.
    telephony: (Telephony, Vec<Refused>),
    at: Instant,
}

impl Node {
    /// Looks ahead again and again, until the node stops.
    pub(crate) async fn keep_looking_ahead(self: Arc<Self>) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.look_ahead_for_ever() => {}
        }
    }

    async fn look_ahead_for_ever(&self) {
        let mut pair = self.link.watch_pair();
        let mut probed: Option<Arc<Probed>> = None;
        let (mut due, mut preview_due) = (Instant::now(), Instant::now());
        loop {
            let moved = pair.has_changed().unwrap_or(false);
            pair.mark_unchanged();
            if !self.has_a_button() {
                probed = None;
                self.lookout.keep(None);
                due = Instant::now() + EVERY;
            } else if moved || probed.is_none() || Instant::now() >= due {
                let changes = self.lookout.changes.load(Ordering::SeqCst);
                let known = probed.take().filter(|_| !moved && Instant::now() < preview_due);
                let found = match known {
                    Some(known) => {
                        Probed { look: self.look_across(Pace::Standing).await, preview: Arc::clone(&known.preview) }
                    }
                    None => self.probe_all(Pace::Standing).await,
                };
                due = Instant::now() + if found.look.is_silent() { SILENT_EVERY } else { EVERY };
                preview_due = found.preview.at + EVERY;
                let found = Arc::new(found);
                self.lookout.keep(Some((Arc::clone(&found), changes)));
                probed = Some(found);
            }
            self.look_ahead(probed.as_deref()).await;
            let judged = Instant::now();
            let moved = async {
                self.lookout.moved.notified().await;
                tokio::time::sleep_until(judged + MOVED_PACE).await;
            };
            let turn = due;
            let woken = async move {
                tokio::time::sleep(PACE).await;
                tokio::select! {
                    () = tokio::time::sleep_until(turn) => false,
                    () = moved => false,
                    () = self.lookout.wake.notified() => true,
                }
            };
            tokio::select! {
                woken = woken => if woken {
                    // The judgement follows at once, the probes when it is their turn again.
                    let soon = probed.as_ref().map_or(due, |probed| probed.preview.at + PROBE_PACE);
                    (due, preview_due) = (due.min(soon), preview_due.min(soon));
                },
                () = self.lookout.hushed.notified() => due = Instant::now(),
            }
        }
    }

    async fn look_ahead(&self, probed: Option<&Probed>) {
        let began = self.lookout.changes.load(Ordering::SeqCst);
        let mut found = match probed {
            Some(probed) => match self.judge_now(probed, &Take::default()).await {
                Ok(report) => Some(report),
                Err(error) => return tracing::error!(?error, "the preflight did not come to an end"),
            },
            None => None,
        };
        self.lookout.latest(|latest| {
            if let Some(report) = &mut found {
                report.verdict.stale = self.lookout.changes.load(Ordering::SeqCst) != began;
            }
            *latest = found;
        });
        self.poke();
    }

    /// Asks the other site, and whoever the customer's own steps need.
    async fn probe_all(&self, pace: Pace) -> Probed {
        let (look, own, telephony) =
            tokio::join!(self.look_across(pace), self.preview_own_steps(), self.preview_telephony());
        let own = own.unwrap_or_else(|error| {
            tracing::error!(?error, "the own steps cannot be looked at");
            Vec::new()
        });
        let telephony = telephony.unwrap_or_else(|error| {
            tracing::error!(?error, "the telephony cannot be looked at");
            <(Telephony, Vec<Refused>)>::default()
        });
        Probed { look, preview: Arc::new(Preview { own, telephony, at: Instant::now() }) }
    }

    async fn judge_now(&self, probed: &Probed, take: &Take) -> Result<PreflightReport, Denied> {
        judge::judge(&self.facts(probed).await?, take)
    }

    /// Whether there is anything to take from the other site: not on a machine that serves.
    fn has_a_button(&self) -> bool {
        match self.info.role {
            NodeRole::Client => self.state() != NodeState::Active || self.book.look(|record| record.suspended),
            NodeRole::Master => self.state().may_be_taken_from(NodeRole::Master),
        }
    }

    /// Something was changed that the verdict depends on: it is stale until it was found out again.
    pub(crate) fn verdict_is_stale(&self) {
        self.lookout.latest(|latest| {
            self.lookout.changes.fetch_add(1, Ordering::SeqCst);
            if let Some(report) = latest {
                report.verdict.stale = true;
            }
        });
        self.lookout.look_again();
    }

    /// Finds out, for what an operator would bring; the other site is probed anew.
    pub(crate) async fn dry_run(&self, take: &Take) -> Result<PreflightReport, Denied> {
        self.check_power_off(&take.power_off).await?;
        self.judge_now(&self.probe_all(Pace::Now).await, take).await
    }

    /// What speaks against declaring the other site lost while this one serves, or only that member: it must be as isolated
    /// as for a take.
    pub(crate) async fn refuse_to_retire(&self, take: &Take, only: Option<&Machine>) -> Result<Vec<Refused>, Denied> {
        self.check_power_off(&take.power_off).await?;
        let mut machines = match only {
            Some(member) => vec![self.probe_machine(member, Pace::Now).await],
            None => self.probe_machines(Pace::Now).await,
        };
        isolation::attest(&mut machines, &take.attest)?;
        let off: Vec<IpAddr> = take.power_off.iter().filter_map(|typed| typed.trim().parse().ok()).collect();
        remaining(isolation::findings(&machines, &off), &take.overrides)
    }

    /// What was found out last, without anything that an operator would bring; `None` on a machine without a button.
    pub(crate) fn preflight(&self) -> Option<PreflightReport> {
        self.lookout.latest(|latest| latest.clone())
    }
}
