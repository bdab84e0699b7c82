//! How the power of a machine is read, as typed; checked as far as that goes without asking anybody.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{IPMI_PORT, PowerAccess, PowerSettings, PowerWay, SOFT_MAX};
use crate::command::Secret;
use crate::field::{FieldError, Problem};

/// The same as typed. What belongs to another way is left empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PowerForm {
    /// The machine of the other site.
    pub ip: String,
    /// `ipmi`, `redfish`, `command`.
    pub way: String,
    /// IPMI: name or IP of the controller.
    pub host: String,
    /// IPMI: empty for 623.
    pub port: String,
    /// IPMI, Redfish: the user.
    pub user: String,
    /// Redfish: `https://HOST[:PORT]`.
    pub url: String,
    /// Redfish: the system's id; empty for the only one.
    pub system: String,
    /// Redfish: SHA-256 of its certificate; empty where an authority vouches for it.
    pub fingerprint: String,
    /// Redfish: the authority, as PEM; empty for the system's.
    pub ca: String,
    /// `None` leaves the one that is stored.
    pub password: Option<Secret>,
    /// Command: prints `on` or `off`.
    pub status: String,
    /// Command: switches it off.
    pub off: String,
    /// Command: asks its system to shut down.
    pub shutdown: String,
    /// Command: switches it on.
    pub on: String,
    /// Seconds; empty for 0.
    pub soft: String,
}

impl PowerForm {
    /// Checks everything that can be checked without asking anybody.
    ///
    /// # Errors
    /// One [`FieldError`] for each field that cannot be taken.
    pub fn check(&self) -> Result<PowerSettings, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut keep = |field: &str, problem: Problem| errors.push(FieldError::new(field, problem));
        let ip = self.ip.trim().parse().map_err(|_| keep("ip", Problem::NotAnIp)).ok();
        let way = self.way.parse().map_err(|problem| keep("way", problem)).ok();
        let soft = soft(&self.soft).map_err(|problem| keep("soft", problem)).ok();
        let access = match way {
            Some(PowerWay::Ipmi) => Some(self.ipmi(&mut keep)),
            Some(PowerWay::Redfish) => Some(self.redfish(&mut keep)),
            Some(PowerWay::Command) => Some(self.command(soft.unwrap_or(0), &mut keep)),
            None => None,
        };
        match (ip, access, soft) {
            (Some(ip), Some(access), Some(soft_seconds)) if errors.is_empty() => {
                Ok(PowerSettings { ip, access, soft_seconds })
            }
            _ => Err(errors),
        }
    }

    fn ipmi(&self, keep: &mut impl FnMut(&str, Problem)) -> PowerAccess {
        let (host, user) = (self.host.trim(), self.user.trim());
        if host.is_empty() {
            keep("host", Problem::Required);
        } else if !is_host(host) {
            keep("host", Problem::NotAServer);
        }
        if user.is_empty() {
            keep("user", Problem::Required);
        } else if user.len() > 16 {
            // IPMI 2.0, 22.28.
            keep("user", Problem::TooLong(16));
        }
        if self.password.as_ref().is_some_and(|password| password.reveal().len() > 20) {
            // IPMI 2.0, 22.30.
            keep("password", Problem::TooLong(20));
        }
        let port = match self.port.trim() {
            "" => IPMI_PORT,
            typed => typed.parse().ok().filter(|port| *port > 0).unwrap_or_else(|| {
                keep("port", Problem::BadPort);
                IPMI_PORT
            }),
        };
        PowerAccess::Ipmi { host: host.to_owned(), port, user: user.to_owned() }
    }

    fn redfish(&self, keep: &mut impl FnMut(&str, Problem)) -> PowerAccess {
        let (url, user, system) = (self.url.trim().trim_end_matches('/'), self.user.trim(), self.system.trim());
        match is_service(url) {
            _ if url.is_empty() => keep("url", Problem::Required),
            None => keep("url", Problem::NotAUrl),
            Some(false) => keep("url", Problem::NotProtected),
            Some(true) => {}
        }
        if user.is_empty() {
            keep("user", Problem::Required);
        }
        if system.len() > 128 || !system.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c)) {
            keep("system", Problem::NotAnId);
        }
        let fingerprint: String = self.fingerprint.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
        if !fingerprint.is_empty() && (fingerprint.len() != 64 || !fingerprint.chars().all(|c| c.is_ascii_hexdigit())) {
            keep("fingerprint", Problem::NotAFingerprint);
        } else if !fingerprint.is_empty() && !self.ca.trim().is_empty() {
            keep("fingerprint", Problem::OnlyOne);
        }
        let optional = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
        PowerAccess::Redfish {
            url: url.to_owned(),
            user: user.to_owned(),
            system: optional(system),
            fingerprint: optional(&fingerprint.to_ascii_lowercase()),
            ca: optional(&self.ca),
        }
    }

    fn command(&self, soft: u32, keep: &mut impl FnMut(&str, Problem)) -> PowerAccess {
        let optional = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
        let status = self.status.trim().to_owned();
        if status.is_empty() {
            keep("status", Problem::Required);
        }
        let shutdown = optional(&self.shutdown);
        if soft > 0 && shutdown.is_none() {
            keep("shutdown", Problem::Required);
        }
        PowerAccess::Command { status, off: optional(&self.off), shutdown, on: optional(&self.on) }
    }
}

fn soft(typed: &str) -> Result<u32, Problem> {
    match typed.trim() {
        "" => Ok(0),
        typed => match typed.parse::<u32>() {
            Ok(seconds) if seconds <= SOFT_MAX => Ok(seconds),
            Ok(_) => Err(Problem::OutOfRange { min: 0, max: SOFT_MAX }),
            Err(_) => Err(Problem::NotANumber),
        },
    }
}

/// Whether a URL is that of a service, and whether a password may go there: in clear only within this machine.
fn is_service(url: &str) -> Option<bool> {
    let (tls, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return None,
    };
    let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
    };
    let has_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let here = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    (!host.is_empty() && is_host(host) && has_port).then_some(tls || here)
}

/// A name or an IP; never a leading dash, which would be an option of the program that is given it.
fn is_host(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
    text.len() <= 253 && !text.starts_with('-') && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ipmi() -> PowerForm {
        PowerForm {
            ip: "10.0.0.2".into(),
            way: "ipmi".into(),
            host: "10.0.9.2".into(),
            user: "tvox".into(),
            ..PowerForm::default()
        }
    }

    fn command() -> PowerForm {
        PowerForm { ip: "10.0.0.2".into(), way: "command".into(), status: "pdu 3".into(), ..PowerForm::default() }
    }

    fn redfish() -> PowerForm {
        PowerForm {
            ip: "10.0.0.2".into(),
            way: "redfish".into(),
            url: "https://10.0.9.2/".into(),
            user: "tvox".into(),
            ..PowerForm::default()
        }
    }

    fn fields(form: &PowerForm) -> Vec<String> {
        form.check().unwrap_err().into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn each_way_asks_for_its_own_fields_and_for_no_other() {
        let settings = ipmi().check().unwrap();
        assert_eq!((settings.access.source().as_str(), settings.soft_seconds), ("ipmi 10.0.9.2:623", 0));
        assert_eq!(command().check().unwrap().access.way(), PowerWay::Command);
        assert_eq!(fields(&PowerForm { way: "ipmi".into(), ..PowerForm::default() }), ["ip", "host", "user"]);
        assert_eq!(fields(&PowerForm { way: "command".into(), ..PowerForm::default() }), ["ip", "status"]);
        assert_eq!(fields(&PowerForm { way: "telepathy".into(), ..ipmi() }), ["way"]);
    }

    #[test]
    fn a_service_is_reached_by_tls_or_within_this_machine_and_its_fingerprint_is_read_in_any_spelling() {
        for url in ["https://bmc.example:8443", "https://[2001:db8::1]:443", "http://127.0.0.1:8000", "http://[::1]"] {
            assert!(PowerForm { url: url.into(), ..redfish() }.check().is_ok(), "{url}");
        }
        let spelled = PowerForm { fingerprint: "AB:".repeat(31) + "AB", ..redfish() }.check().unwrap();
        let PowerAccess::Redfish { url, fingerprint, .. } = spelled.access else { panic!("not what was typed") };
        assert_eq!((url.as_str(), fingerprint), ("https://10.0.9.2", Some("ab".repeat(32))));
    }

    #[test]
    fn a_gentle_way_needs_a_command_and_a_limit_that_makes_sense() {
        assert_eq!(fields(&PowerForm { soft: "30".into(), ..command() }), ["shutdown"]);
        assert!(PowerForm { soft: "30".into(), shutdown: "ssh x poweroff".into(), ..command() }.check().is_ok());
        assert!(PowerForm { soft: "600".into(), ..ipmi() }.check().is_ok());
        for bad in ["601", "-1", "a"] {
            assert_eq!(fields(&PowerForm { soft: bad.into(), ..ipmi() }), ["soft"], "{bad}");
        }
    }

    #[test]
    fn what_would_be_an_option_or_cannot_be_sent_is_refused_beside_its_field() {
        let long = Some(Secret::new("x".repeat(21)));
        for (field, form) in [
            ("host", PowerForm { host: "-x".into(), ..ipmi() }),
            ("host", PowerForm { host: "a b".into(), ..ipmi() }),
            ("user", PowerForm { user: "x".repeat(17), ..ipmi() }),
            ("port", PowerForm { port: "0".into(), ..ipmi() }),
            ("port", PowerForm { port: "70000".into(), ..ipmi() }),
            ("password", PowerForm { password: long, ..ipmi() }),
            ("ip", PowerForm { ip: "master1".into(), ..ipmi() }),
            ("url", PowerForm { url: "10.0.9.2".into(), ..redfish() }),
            ("url", PowerForm { url: "https://10.0.9.2/redfish".into(), ..redfish() }),
            ("url", PowerForm { url: "https://me:too@10.0.9.2".into(), ..redfish() }),
            ("url", PowerForm { url: "http://10.0.9.2".into(), ..redfish() }),
            ("system", PowerForm { system: "../Managers/1".into(), ..redfish() }),
            ("fingerprint", PowerForm { fingerprint: "ab".into(), ..redfish() }),
            ("fingerprint", PowerForm { fingerprint: "ab".repeat(32), ca: "PEM".into(), ..redfish() }),
        ] {
            assert_eq!(fields(&form), [field], "{form:?}");
        }
    }

    #[test]
    fn settings_are_read_back_as_they_were_written() {
        for form in [ipmi(), redfish(), command()] {
            let settings = form.check().unwrap();
            let text = serde_json::to_string(&settings).unwrap();
            assert_eq!(serde_json::from_str::<PowerSettings>(&text).unwrap(), settings, "{text}");
        }
    }
}
