//! The power of the machines of the other site, read and switched by what can see it: a management controller, or a
//! command of one's own. *Off* is evidence that needs nobody's word; what cannot be read is worth nothing.

mod child;
mod command;
mod ipmi;
mod redfish;
mod settings;
mod switch;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use contract::command::Secret;
use contract::isolation::{Evidence, ProbeResult};
use contract::power::{PowerAccess, PowerFault, PowerReading, PowerSettings, PowerState};
use contract::{Denied, Lang, Outcome};
use serde_json::json;

use crate::door::Act;
use crate::node::Node;

/// How long a reading may take. What was seen must still be fresh when the mandate is written.
const READING: Duration = Duration::from_secs(8);
/// How old a reading may be for the standing lookout, while the machine answers and while it does not. Controllers write
/// each login into a log of their own, and the lookout looks every few seconds, for years.
const STANDING_ALIVE: Duration = Duration::from_secs(15 * 60);
const STANDING_SILENT: Duration = Duration::from_secs(30);

/// What was read last, per machine.
#[derive(Debug, Default)]
pub(crate) struct Power {
    latest: Mutex<HashMap<IpAddr, Latest>>,
}

#[derive(Debug, Clone)]
struct Latest {
    reading: PowerReading,
    when: Instant,
    /// Whether the machine answered to anything else then.
    answered: bool,
}

impl Power {
    fn keep(&self, reading: PowerReading, answered: bool) {
        let latest = Latest { when: Instant::now(), answered, reading };
        self.latest(|map| map.insert(latest.reading.ip, latest));
    }

    /// Whether the machine answered to anything else when it was read last.
    pub(super) fn beside(&self, ip: IpAddr, answered: bool) {
        self.latest(|map| {
            if let Some(latest) = map.get_mut(&ip) {
                latest.answered = answered;
            }
        });
    }

    fn forget(&self, ip: IpAddr) {
        self.latest(|map| map.remove(&ip));
    }

    fn last(&self, ip: IpAddr) -> Option<Latest> {
        self.latest(|map| map.get(&ip).cloned())
    }

    fn latest<T>(&self, look: impl FnOnce(&mut HashMap<IpAddr, Latest>) -> T) -> T {
        look(&mut self.latest.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Latest {
    /// Whether it is good enough for the lookout. What has changed on the network is reason to read again.
    fn is_standing(&self, answers: bool) -> bool {
        let limit = if answers { STANDING_ALIVE } else { STANDING_SILENT };
        self.answered == answers && self.when.elapsed() < limit
    }
}

/// What a machine can be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Its power is cut.
    Off,
    /// Its system is asked to shut down.
    Shutdown,
    /// It gets power.
    On,
}

/// How a machine is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As long as it takes: somebody acts on it.
    Now,
    /// The same, but a reading of the power of a while ago will do.
    Standing,
    /// For a moment only: whether anything contradicts what was seen a moment ago.
    Glance,
}

/// Reads, without a limit of its own.
async fn status(settings: &PowerSettings, password: Option<&Secret>) -> Result<PowerState, PowerFault> {
    match &settings.access {
        PowerAccess::Ipmi { host, port, user } => ipmi::Controller { host, port: *port, user, password }.status().await,
        access @ PowerAccess::Redfish { .. } => redfish::Service::new(access, password)?.status().await,
        PowerAccess::Command { status, .. } => command::status(settings.ip, status, password).await,
    }
}

impl Node {
    /// Reads the power of a machine now, if anything is set for it.
    pub(crate) async fn read_power(&self, ip: IpAddr, answers: bool) -> Result<Option<PowerReading>, Denied> {
        let Some(stored) = self.power_settings(ip).await? else { return Ok(None) };
        let began = Instant::now();
        let read = async {
            let password = self.power_password(&stored)?;
            match tokio::time::timeout(READING, status(&stored.settings, password.as_ref())).await {
                Ok(read) => read,
                Err(_) => Err(PowerFault::TooLong(u32::try_from(READING.as_secs()).unwrap_or(u32::MAX))),
            }
        };
        let (state, fault) = match read.await {
            Ok(state) => (state, None),
            Err(fault) => (PowerState::Unknown, Some(fault)),
        };
        let access = &stored.settings.access;
        let reading = PowerReading {
            ip,
            state,
            way: access.way(),
            source: access.source(),
            at: self.clock.now(),
            took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            fault,
        };
        self.power.keep(reading.clone(), answers);
        Ok(Some(reading))
    }

    /// The power as one more probe beside those of the network, which have found the machine answering or not.
    pub(super) async fn power_evidence(&self, ip: IpAddr, pace: Pace, answers: bool) -> Option<Evidence> {
        let standing = self.power.last(ip).filter(|last| pace == Pace::Standing && last.is_standing(answers));
        let reading = match standing {
            Some(last) => Some(last.reading),
            None => match self.read_power(ip, answers).await {
                Ok(reading) => reading,
                Err(error) => {
                    tracing::error!(?error, "the power settings cannot be read");
                    None
                }
            },
        };
        reading.as_ref().map(evidence)
    }

    pub(crate) async fn power_read(&self, act: Act<'_>, typed: &str) -> Result<Outcome, Denied> {
        let ip = settings::machine(typed)?;
        let answers = self.power.last(ip).is_some_and(|last| last.answered);
        let reading = self.read_power(ip, answers).await?.ok_or_else(settings::not_set)?;
        let after = json!({ "state": reading.state, "source": reading.source, "fault": reading.fault });
        act.done(self.store.begin().await?, None, Some(after)).await?;
        Ok(Outcome::Power(reading))
    }
}

/// How the names of readings of the power begin.
pub(super) const POWER: &str = "power:";

fn evidence(reading: &PowerReading) -> Evidence {
    let result = match (reading.state, &reading.fault) {
        (PowerState::On, _) => ProbeResult::On,
        (PowerState::Off, _) => ProbeResult::Off,
        (PowerState::Unknown, Some(PowerFault::Silent | PowerFault::TooLong(_))) => ProbeResult::Timeout,
        (PowerState::Unknown, _) => ProbeResult::NotApplicable,
    };
    Evidence { probe: format!("{POWER}{}", reading.way), result, at: reading.at, detail: reading.text(Lang::En) }
}
