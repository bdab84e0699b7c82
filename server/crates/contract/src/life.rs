//! What proves a machine of the other site to be alive besides `tvox-dr` itself: the ports of its services, and SIP. After
//! it has stood down these must be silent, whatever else of it still answers.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::address::PeerAddress;
use crate::field::{FieldError, Problem};

/// The port of SIP where none is typed (RFC 3261, 19.1.2).
pub const SIP_PORT: u16 = 5060;
/// The most ports of one machine.
pub const MOST_PORTS: u32 = 16;

/// Where a machine answers calls: `IP[:PORT][/tcp]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SipAddress {
    /// Where; it may be another address than the machine's.
    pub at: SocketAddr,
    /// By a connection instead of datagrams.
    pub tcp: bool,
}

impl fmt::Display for SipAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.at, if self.tcp { "/tcp" } else { "" })
    }
}

impl From<SipAddress> for String {
    fn from(address: SipAddress) -> Self {
        address.to_string()
    }
}

impl TryFrom<String> for SipAddress {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self, Problem> {
        text.parse()
    }
}

impl FromStr for SipAddress {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let (address, transport) = text.trim().rsplit_once('/').unwrap_or((text.trim(), "udp"));
        let tcp = match transport {
            "udp" => false,
            "tcp" => true,
            _ => return Err(Problem::NotOneOf("/udp, /tcp".into())),
        };
        let bare = address.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(address);
        // What may be nobody's address is refused there.
        let known: PeerAddress = address.parse()?;
        let port = if bare.parse::<IpAddr>().is_ok() { SIP_PORT } else { known.port };
        Ok(Self { at: SocketAddr::new(known.ip, port), tcp })
    }
}

/// What proves one machine to be alive.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LifeSigns {
    /// TCP ports of its services and datasets, in rising order.
    pub tcp: Vec<u16>,
    /// Where it answers calls.
    pub sip: Option<SipAddress>,
}

impl LifeSigns {
    /// Whether nothing is declared.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.tcp.is_empty() && self.sip.is_none()
    }
}

/// The same as typed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LifeSignsForm {
    /// The machine of the other site.
    pub ip: String,
    /// Ports, with spaces or commas between them; may be empty.
    pub tcp: String,
    /// `IP[:PORT][/tcp]`; may be empty.
    pub sip: String,
}

impl LifeSignsForm {
    /// Checks it.
    ///
    /// # Errors
    /// One [`FieldError`] for each field that cannot be taken.
    pub fn check(&self) -> Result<(IpAddr, LifeSigns), Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut keep = |field: &str, problem: Problem| errors.push(FieldError::new(field, problem));
        let ip = self.ip.trim().parse().map_err(|_| keep("ip", Problem::NotAnIp)).ok();
        let mut tcp = Vec::new();
        for typed in self.tcp.split([',', ' ', '\n', '\r', '\t']).filter(|typed| !typed.is_empty()) {
            match typed.parse::<u16>() {
                Ok(port) if port > 0 => tcp.push(port),
                _ => keep("tcp", Problem::Value { value: typed.to_owned(), problem: Box::new(Problem::BadPort) }),
            }
        }
        tcp.sort_unstable();
        tcp.dedup();
        if tcp.len() > MOST_PORTS as usize {
            keep("tcp", Problem::TooMany(MOST_PORTS));
        }
        let sip = match self.sip.trim() {
            "" => None,
            typed => typed.parse().map_err(|problem| keep("sip", problem)).ok(),
        };
        match ip {
            Some(ip) if errors.is_empty() => Ok((ip, LifeSigns { tcp, sip })),
            _ => Err(errors),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(tcp: &str, sip: &str) -> LifeSignsForm {
        LifeSignsForm { ip: "10.0.0.2".into(), tcp: tcp.into(), sip: sip.into() }
    }

    #[test]
    fn ports_are_read_however_they_are_parted_each_once_in_rising_order() {
        assert_eq!(form("5432, 443\r\n443 80", "").check().unwrap().1.tcp, [80, 443, 5432]);
        assert!(form("", "").check().unwrap().1.is_empty());
    }

    #[test]
    fn a_sip_address_has_a_port_and_a_way_and_is_written_as_it_is_read() {
        for (typed, written) in [
            ("10.0.0.2", "10.0.0.2:5060"),
            ("10.0.0.2:5070/udp", "10.0.0.2:5070"),
            ("10.0.0.2/tcp", "10.0.0.2:5060/tcp"),
            ("10.0.0.2:5461", "10.0.0.2:5461"),
            ("[2001:db8::1]:5080/tcp", "[2001:db8::1]:5080/tcp"),
            ("2001:db8::1", "[2001:db8::1]:5060"),
        ] {
            let sip = form("", typed).check().unwrap().1.sip.unwrap();
            assert_eq!(sip.to_string(), written);
            let json = serde_json::to_string(&sip).unwrap();
            assert_eq!(serde_json::from_str::<SipAddress>(&json).unwrap(), sip);
        }
    }

    #[test]
    fn what_cannot_be_taken_is_named_by_its_field() {
        let many: String = (1..=17).map(|port| format!("{port} ")).collect();
        for (field, form) in [
            ("tcp", form("0", "")),
            ("tcp", form("70000", "")),
            ("tcp", form("http", "")),
            ("tcp", form(&many, "")),
            ("sip", form("", "pbx.example")),
            ("sip", form("", "0.0.0.0")),
            ("sip", form("", "10.0.0.2/tls")),
            ("ip", LifeSignsForm { ip: "x".into(), ..form("", "") }),
        ] {
            assert_eq!(form.check().unwrap_err()[0].field, field, "{form:?}");
        }
    }
}
