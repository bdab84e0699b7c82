//! How the power of each machine is read, as stored: one row per machine, the password sealed for that machine alone.

use std::net::IpAddr;

use contract::command::Secret;
use contract::life::LifeSigns;
use contract::power::{IsolationReport, MachineSetup, PowerAccess, PowerFault, PowerForm, PowerSettings};
use contract::{Denied, Outcome, Problem, SCHEMA};
use serde_json::{Value, json};

use crate::delivery::{is_certificate, seal};
use crate::door::Act;
use crate::identity::sha256;
use crate::node::Node;
use crate::store::db;

/// One row.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) settings: PowerSettings,
    sealed: Option<Vec<u8>>,
}

/// What is sealed: a password opens for its own machine only.
fn what(ip: IpAddr) -> String {
    format!("power password of {ip}")
}

/// The machine that was typed.
///
/// # Errors
/// [`Denied::Invalid`] on the field `ip`.
pub(super) fn machine(typed: &str) -> Result<IpAddr, Denied> {
    typed.trim().parse().map_err(|_| Denied::field("ip", Problem::NotAnIp))
}

/// Nothing is set for that machine.
pub(super) fn not_set() -> Denied {
    Denied::field("ip", Problem::NotFound)
}

/// Whether a password that was typed for one may go to the other: the same user of the same controller.
fn trusts(stored: &PowerAccess, other: &PowerAccess) -> bool {
    match (stored, other) {
        (PowerAccess::Ipmi { .. }, PowerAccess::Ipmi { .. }) => stored == other,
        (
            PowerAccess::Redfish { url, user, fingerprint, ca, .. },
            PowerAccess::Redfish { url: url2, user: user2, fingerprint: fingerprint2, ca: ca2, .. },
        ) => (url, user, fingerprint, ca) == (url2, user2, fingerprint2, ca2),
        (PowerAccess::Command { .. }, PowerAccess::Command { .. }) => true,
        _ => false,
    }
}

/// For the audit log: commands by their hash, because people write keys into them.
fn told(settings: &PowerSettings, has_password: bool) -> Value {
    let mut told = json!({ "way": settings.access.way(), "soft_seconds": settings.soft_seconds });
    match &settings.access {
        PowerAccess::Ipmi { host, port, user } => {
            told["host"] = json!(host);
            told["port"] = json!(port);
            told["user"] = json!(user);
        }
        PowerAccess::Redfish { url, user, system, fingerprint, ca } => {
            told["url"] = json!(url);
            told["user"] = json!(user);
            told["system"] = json!(system);
            told["fingerprint"] = json!(fingerprint);
            told["ca_sha256"] = json!(ca.as_ref().map(|pem| sha256(pem.as_bytes())));
        }
        access @ PowerAccess::Command { .. } => {
            told["commands_sha256"] = json!(sha256(json!(access).to_string().as_bytes()));
        }
    }
    told["has_password"] = json!(has_password);
    told
}

fn read((text, sealed): (String, Option<Vec<u8>>)) -> Result<Stored, Denied> {
    let settings = serde_json::from_str(&text).map_err(|error| Denied::failed("read the power settings", error))?;
    Ok(Stored { settings, sealed })
}

impl Node {
    /// What is set for one machine.
    pub(super) async fn power_settings(&self, ip: IpAddr) -> Result<Option<Stored>, Denied> {
        let row = sqlx::query_as("SELECT settings, password FROM power WHERE ip = ?")
            .bind(ip.to_string())
            .fetch_optional(self.store.pool())
            .await
            .map_err(db("read the power settings"))?;
        row.map(read).transpose()
    }

    /// The password of one machine, opened.
    pub(super) fn power_password(&self, stored: &Stored) -> Result<Option<Secret>, PowerFault> {
        let open = |sealed: &Vec<u8>| {
            seal::open(&self.dir, &what(stored.settings.ip), sealed).map_err(|error| {
                tracing::warn!(%error, "the power of a machine cannot be read");
                PowerFault::Sealed
            })
        };
        stored.sealed.as_ref().map(open).transpose()
    }

    pub(crate) async fn isolation_report(&self) -> Result<IsolationReport, Denied> {
        let rows: Vec<(String, Option<Vec<u8>>)> = sqlx::query_as("SELECT settings, password FROM power ORDER BY ip")
            .fetch_all(self.store.pool())
            .await
            .map_err(db("read the power settings"))?;
        let mut stored = rows.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let (current, node_ip) = (self.ips_across().await?, self.node_ip_across().await);
        let mut machines: Vec<MachineSetup> = Vec::new();
        let setup = |ip, stored: Option<Stored>| MachineSetup {
            ip,
            current: current.contains(&ip) || node_ip == Some(ip),
            has_password: stored.as_ref().is_some_and(|one| one.sealed.is_some()),
            power: stored.map(|one| one.settings),
            reading: self.power.last(ip).map(|last| last.reading),
            signs: LifeSigns::default(),
        };
        // Those that count first.
        for &ip in &current {
            let at = stored.iter().position(|one| one.settings.ip == ip);
            machines.push(setup(ip, at.map(|at| stored.remove(at))));
        }
        machines.extend(stored.into_iter().map(|one| setup(one.settings.ip, Some(one))));
        for ip in self.machines_with_life_signs().await? {
            if !machines.iter().any(|machine| machine.ip == ip) {
                machines.push(setup(ip, None));
            }
        }
        for machine in &mut machines {
            machine.signs = self.life_signs(machine.ip).await?;
        }
        Ok(IsolationReport { schema: SCHEMA, machines })
    }

    pub(crate) async fn power_set(&self, act: Act<'_>, form: &PowerForm) -> Result<Outcome, Denied> {
        let settings = form.check().map_err(Denied::Invalid)?;
        if let PowerAccess::Redfish { ca: Some(pem), .. } = &settings.access
            && !is_certificate(pem)
        {
            return Err(Denied::field("ca", Problem::NotACertificate));
        }
        let ip = settings.ip;
        let stored = self.power_settings(ip).await?;
        // An IP that is nobody's is a typing error: its settings would never be asked.
        let known = self.ips_across().await?;
        if !known.contains(&ip) && stored.is_none() {
            let machines: Vec<_> = known.iter().map(IpAddr::to_string).collect();
            return Err(Denied::field("ip", Problem::NotOneOf(machines.join(", ").into())));
        }
        let typed = form.password.as_ref().filter(|password| !password.reveal().is_empty());
        let sealed = match typed {
            Some(password) => Some(
                seal::seal(&self.dir, &what(ip), password)
                    .map_err(|error| Denied::failed("keep the password", error))?,
            ),
            None => {
                let same = stored.as_ref().filter(|stored| trusts(&stored.settings.access, &settings.access));
                same.and_then(|stored| stored.sealed.clone())
            }
        };
        if sealed.is_none() && !matches!(settings.access, PowerAccess::Command { .. }) {
            return Err(Denied::field("password", Problem::Required));
        }
        let text = serde_json::to_string(&settings).map_err(|error| Denied::failed("set the power", error))?;
        let before = stored.map(|stored| told(&stored.settings, stored.sealed.is_some()));
        let after = told(&settings, sealed.is_some());
        let mut tx = self.store.begin().await?;
        sqlx::query(
            "INSERT INTO power (ip, settings, password) VALUES (?, ?, ?) \
             ON CONFLICT (ip) DO UPDATE SET settings = excluded.settings, password = excluded.password",
        )
        .bind(ip.to_string())
        .bind(text)
        .bind(sealed)
        .execute(&mut *tx)
        .await
        .map_err(db("set the power"))?;
        let outcome = act.done(tx, before, Some(after)).await?;
        self.power.forget(ip);
        Ok(outcome)
    }

    pub(crate) async fn power_remove(&self, act: Act<'_>, typed: &str) -> Result<Outcome, Denied> {
        let ip = machine(typed)?;
        let stored = self.power_settings(ip).await?.ok_or_else(not_set)?;
        let mut tx = self.store.begin().await?;
        sqlx::query("DELETE FROM power WHERE ip = ?")
            .bind(ip.to_string())
            .execute(&mut *tx)
            .await
            .map_err(db("forget the power settings"))?;
        let outcome = act.done(tx, Some(told(&stored.settings, stored.sealed.is_some())), None).await?;
        self.power.forget(ip);
        Ok(outcome)
    }
}
