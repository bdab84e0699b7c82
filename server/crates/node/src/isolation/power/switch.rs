//! Switching: gently where that is set, then hard, and done only when it was read. Done twice it does no harm; given up in
//! the middle it has at most been asked for already.

use std::net::IpAddr;
use std::time::Duration;

use contract::command::Secret;
use contract::power::{PowerAccess, PowerFault, PowerOrder, PowerReading, PowerSettings, PowerState};
use contract::{Denied, Outcome, Problem, Refused, Rule};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::{Order, Pace, command, ipmi, redfish, settings};
use crate::audit;
use crate::door::Act;
use crate::isolation::{lives, signs};
use crate::node::Node;
use crate::preflight;
use crate::store::db;

/// How long an order may take to be taken.
const ORDER: Duration = Duration::from_secs(30);
/// How long a machine may take to follow one that leaves it no choice.
const FOLLOW: Duration = Duration::from_secs(60);
/// How often it is read meanwhile.
const LOOK: Duration = Duration::from_millis(500);

async fn give(settings: &PowerSettings, password: Option<&Secret>, order: Order) -> Result<(), PowerFault> {
    let given = async {
        match &settings.access {
            PowerAccess::Ipmi { host, port, user } => {
                ipmi::Controller { host, port: *port, user, password }.give(order).await
            }
            access @ PowerAccess::Redfish { .. } => redfish::Service::new(access, password)?.give(order).await,
            PowerAccess::Command { off, shutdown, on, .. } => {
                let script = match order {
                    Order::Off => off,
                    Order::Shutdown => shutdown,
                    Order::On => on,
                };
                let script = script.as_deref().ok_or(PowerFault::NoCommand)?;
                command::run(settings.ip, script, password).await.map(drop)
            }
        }
    };
    let limit = u32::try_from(ORDER.as_secs()).unwrap_or(u32::MAX);
    timeout(ORDER, given).await.unwrap_or(Err(PowerFault::TooLong(limit)))
}

impl Node {
    /// Switches a machine off and returns when it was seen off. What cannot be read is not switched either: nobody would
    /// know what came of it.
    pub(crate) async fn switch_off(&self, ip: IpAddr) -> Result<PowerReading, PowerFault> {
        let stored = self.switchable(ip).await?;
        let reading = self.reading(ip).await?;
        if reading.state == PowerState::Off {
            return Ok(reading);
        }
        let password = self.power_password(&stored)?;
        let soft = Duration::from_secs(stored.settings.soft_seconds.into());
        // A system that cannot be asked does not keep the power on.
        if !soft.is_zero()
            && give(&stored.settings, password.as_ref(), Order::Shutdown).await.is_ok()
            && let Ok(reading) = self.until_seen(ip, PowerState::Off, soft).await
        {
            return Ok(reading);
        }
        give(&stored.settings, password.as_ref(), Order::Off).await?;
        self.until_seen(ip, PowerState::Off, FOLLOW).await
    }

    /// Switches a machine on and returns when it was seen on.
    async fn switch_on(&self, ip: IpAddr) -> Result<PowerReading, PowerFault> {
        let stored = self.switchable(ip).await?;
        let reading = self.reading(ip).await?;
        if reading.state == PowerState::On {
            return Ok(reading);
        }
        let password = self.power_password(&stored)?;
        give(&stored.settings, password.as_ref(), Order::On).await?;
        self.until_seen(ip, PowerState::On, FOLLOW).await
    }

    async fn switchable(&self, ip: IpAddr) -> Result<settings::Stored, PowerFault> {
        let stored = self.power_settings(ip).await;
        let stored = stored.map_err(|denied| PowerFault::Failed(denied.text(contract::Lang::En)))?;
        stored.ok_or(PowerFault::NoCommand)
    }

    /// The power now, which must be readable.
    async fn reading(&self, ip: IpAddr) -> Result<PowerReading, PowerFault> {
        let answers = self.power.last(ip).is_some_and(|last| last.answered);
        let reading = self.read_power(ip, answers).await;
        let reading = reading.map_err(|denied| PowerFault::Failed(denied.text(contract::Lang::En)))?;
        let reading = reading.ok_or(PowerFault::NoCommand)?;
        match reading.fault {
            Some(fault) => Err(fault),
            None => Ok(reading),
        }
    }

    /// Reads until it is as wanted. A reading that fails meanwhile is tried again: controllers are busy while they switch.
    async fn until_seen(&self, ip: IpAddr, wanted: PowerState, limit: Duration) -> Result<PowerReading, PowerFault> {
        let deadline = Instant::now() + limit;
        loop {
            let read = self.reading(ip).await;
            match read {
                Ok(reading) if reading.state == wanted => return Ok(reading),
                _ if Instant::now() < deadline => sleep(LOOK).await,
                Ok(_) => {
                    let seconds = u32::try_from(limit.as_secs()).unwrap_or(u32::MAX);
                    return Err(PowerFault::NotFollowed(seconds));
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    /// What an operator asks to be switched off on the way must be a machine of the other site that can be.
    ///
    /// # Errors
    /// [`Denied::Invalid`] on the field `power_off`.
    pub(crate) async fn check_power_off(&self, typed: &[String]) -> Result<(), Denied> {
        if typed.is_empty() {
            return Ok(());
        }
        let known = self.isolation_report().await?.machines;
        let can: Vec<String> = known
            .iter()
            .filter(|machine| {
                machine.current && machine.power.as_ref().is_some_and(|power| power.access.can_switch_off())
            })
            .map(|machine| machine.ip.to_string())
            .collect();
        let bad = |typed: &&String| typed.trim().parse::<IpAddr>().map_or(true, |ip| !can.contains(&ip.to_string()));
        match typed.iter().find(bad) {
            None => Ok(()),
            Some(bad) => {
                let problem = Box::new(Problem::NotOneOf(can.join(", ").into()));
                Err(Denied::field("power_off", Problem::Value { value: bad.clone(), problem }))
            }
        }
    }

    /// Outside of a run.
    pub(crate) async fn power_switch(&self, act: Act<'_>, order: &PowerOrder, on: bool) -> Result<Outcome, Denied> {
        self.check_typed(&act, &order.reason, order.password.as_ref()).await?;
        let ip = settings::machine(&order.ip)?;
        let known =
            self.isolation_report().await?.machines.into_iter().find(|machine| machine.ip == ip && machine.current);
        if known.is_none_or(|machine| machine.power.is_none()) {
            return Err(settings::not_set());
        }
        let mut refused = self.guard(&order.confirm_name);
        if !on {
            let machines = self.probe_machines(Pace::Now).await;
            // Its having power is what is to be changed; whoever answers besides may be serving.
            let answers = |one: &contract::isolation::Evidence| lives(one) && !one.probe.starts_with("power:");
            let alive = machines.iter().filter(|machine| machine.ip == ip && machine.evidence.iter().any(answers));
            refused.extend(alive.map(|machine| Refused::new(Rule::IsolationAlive, ip.to_string(), signs(machine))));
        }
        let refused = preflight::remaining(refused, &order.overrides)?;
        if !refused.is_empty() {
            return Err(Denied::Refused(refused));
        }
        // Written before it is done: what comes of it may never be known.
        let event = audit::Event {
            reason: Some(order.reason.clone()),
            ..audit::Event::done(act.actor, "power.ordered", Some(ip.to_string()))
        };
        let event = audit::Event { after: Some(json!({ "power": if on { "on" } else { "off" } })), ..event };
        let mut tx = self.store.begin().await?;
        audit::append(&mut tx, self.clock.now(), event).await?;
        tx.commit().await.map_err(db("commit an audit row"))?;
        let switched = if on { self.switch_on(ip).await } else { self.switch_off(ip).await };
        let attempt = format!("switch {ip} {}", if on { "on" } else { "off" });
        let reading = switched.map_err(|fault| Denied::failed(attempt, fault.text(contract::Lang::En)))?;
        let after = json!({ "state": reading.state, "source": reading.source });
        act.done(self.store.begin().await?, None, Some(after)).await?;
        Ok(Outcome::Power(reading))
    }
}
