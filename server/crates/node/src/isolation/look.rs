//! A look at every machine of the other site, and how long its silence goes on being known. Silence takes seconds to see,
//! a sign of life a round trip: who was silent a moment ago, and is at a glance, is silent.

use std::time::{Duration, Instant};

use contract::isolation::{Evidence, IsolationOutcome, MachineIsolation, ProbeResult};

use super::power::POWER;
use super::{Pace, lives};
use crate::cluster::Machine;
use crate::node::Node;

/// What was seen, and when.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    pub(crate) began: Instant,
    ended: Instant,
    pub(crate) machines: Vec<MachineIsolation>,
}

impl Look {
    /// A look that began then and has ended now.
    pub(crate) fn since(began: Instant, machines: Vec<MachineIsolation>) -> Self {
        Self { began, ended: Instant::now(), machines }
    }

    /// How long ago it ended.
    pub(crate) fn age(&self) -> Duration {
        self.ended.elapsed()
    }

    /// Whether there were machines, and each of them was silent or seen off.
    pub(crate) fn is_silent(&self) -> bool {
        !self.machines.is_empty() && self.machines.iter().all(is_silent)
    }

    /// Whether that look found the same of each machine.
    pub(crate) fn is_confirmed_by(&self, glance: &[MachineIsolation]) -> bool {
        self.machines.iter().zip(glance).all(|(then, now)| then.outcome == now.outcome)
    }
}

fn is_silent(machine: &MachineIsolation) -> bool {
    let outcome = matches!(machine.outcome, IsolationOutcome::Unreachable | IsolationOutcome::AlreadyDown);
    outcome && !machine.evidence.iter().any(lives)
}

/// Whether a controller should have said of one of them that it has no power, and has not: a longer look may hear it.
pub(crate) fn leaves_power_open(machines: &[MachineIsolation]) -> bool {
    let open = |one: &Evidence| one.probe.starts_with(POWER) && one.result != ProbeResult::Off;
    machines.iter().any(|machine| machine.evidence.iter().any(open))
}

impl Node {
    /// Looks at every machine of the other site.
    pub(crate) async fn look_across(&self, pace: Pace) -> Look {
        let began = Instant::now();
        let machines = self.probe_machines(pace).await;
        Look::since(began, machines)
    }

    /// A glance at the machines that were silent then, where each still is: none was heard of since, and nobody is found.
    /// A controller that is slow to say whether a machine has power is in it as one that did not tell.
    pub(crate) async fn glance_at_silence(&self, look: &Look) -> Option<Vec<MachineIsolation>> {
        let across = self.machines_across().await.ok()?;
        let heard = |one: &Machine| self.book.last_life(one.seat).is_some_and(|life| life > look.began);
        if !look.is_silent() || across.iter().any(heard) {
            return None;
        }
        let glance = self.probe_machines(Pace::Glance).await;
        let same = |(then, now): (&MachineIsolation, &MachineIsolation)| then.ip == now.ip && is_silent(now);
        let all = glance.len() == look.machines.len() && look.machines.iter().zip(&glance).all(same);
        all.then_some(glance)
    }
}
