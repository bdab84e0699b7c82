//! Telephony: what proves after an activation that calls can be made here. The own SIP server answers, the carriers'
//! trunks answer, and the phones come: how many have registered, of how many that are expected.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::address::{PeerAddress, host_and_port};
use crate::field::{FieldError, Problem};
use crate::life::SIP_PORT;

/// How long the own SIP server may take to answer after its services were verified, in seconds, unless something else is
/// said.
pub const TELEPHONY_LIMIT: u32 = 30;
/// Least and greatest.
pub const TELEPHONY_LIMIT_RANGE: (u32, u32) = (1, 600);
/// The most trunks.
pub const MOST_TRUNKS: u32 = 16;
/// The most phones that can be expected.
pub const MOST_PHONES: u32 = 1_000_000;

/// A SIP server: `HOST[:PORT][/tcp]`. Unlike a sign of life it may have a name: a trunk often has nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SipServer {
    /// Its name or IP, IPv6 without brackets.
    pub host: String,
    /// Its port, [`SIP_PORT`] unless typed.
    pub port: u16,
    /// By a connection instead of datagrams.
    pub tcp: bool,
}

impl fmt::Display for SipServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, tcp } = self;
        let way = if *tcp { "/tcp" } else { "" };
        if host.contains(':') { write!(f, "[{host}]:{port}{way}") } else { write!(f, "{host}:{port}{way}") }
    }
}

impl From<SipServer> for String {
    fn from(server: SipServer) -> Self {
        server.to_string()
    }
}

impl TryFrom<String> for SipServer {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self, Problem> {
        text.parse()
    }
}

impl FromStr for SipServer {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let (address, way) = text.trim().rsplit_once('/').unwrap_or((text.trim(), "udp"));
        let tcp = match way {
            "udp" => false,
            "tcp" => true,
            _ => return Err(Problem::NotOneOf("/udp, /tcp".into())),
        };
        let (host, port) = host_and_port(address, Some(SIP_PORT))?;
        if host.parse::<IpAddr>().is_ok() {
            // What may be nobody's address is refused there.
            host.parse::<PeerAddress>()?;
        }
        Ok(Self { host, port, tcp })
    }
}

/// What is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telephony {
    /// Where this machine answers calls once its services run.
    pub sip: Option<SipServer>,
    /// Where the carriers answer.
    pub trunks: Vec<SipServer>,
    /// A shell command (`/bin/sh -c`) whose last line is the number of registered phones.
    pub registrations: Option<String>,
    /// How many phones are expected; `None` for as many as were last counted while the Master served.
    pub expected: Option<u32>,
    /// How long the own SIP server may take to answer.
    pub limit_seconds: u32,
}

impl Default for Telephony {
    fn default() -> Self {
        let (sip, trunks, registrations, expected) = (None, Vec::new(), None, None);
        Self { sip, trunks, registrations, expected, limit_seconds: TELEPHONY_LIMIT }
    }
}

impl Telephony {
    /// Whether there is nothing to look at.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.sip.is_none() && self.trunks.is_empty() && self.registrations.is_none()
    }
}

/// The same as typed. `None` leaves what is set; an empty text takes it back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TelephonyForm {
    /// `HOST[:PORT][/tcp]`.
    pub sip: Option<String>,
    /// The same, all of them.
    pub trunks: Option<Vec<String>>,
    /// A shell command.
    pub registrations: Option<String>,
    /// A number.
    pub expected: Option<String>,
    /// Seconds; empty for the default.
    pub limit: Option<String>,
}

impl TelephonyForm {
    /// What is set after this.
    ///
    /// # Errors
    /// One [`FieldError`] for each field that cannot be taken.
    pub fn check(&self, before: &Telephony) -> Result<Telephony, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut keep = |field: &str, problem: Problem| errors.push(FieldError::new(field, problem));
        let mut after = before.clone();
        match self.sip.as_deref().map(str::trim) {
            None => {}
            Some("") => after.sip = None,
            Some(typed) => match typed.parse() {
                Ok(server) => after.sip = Some(server),
                Err(problem) => keep("sip", problem),
            },
        }
        if let Some(typed) = &self.trunks {
            after.trunks = Vec::new();
            for typed in typed.iter().map(|typed| typed.trim()).filter(|typed| !typed.is_empty()) {
                match typed.parse::<SipServer>() {
                    Ok(server) if after.trunks.contains(&server) => {}
                    Ok(server) => after.trunks.push(server),
                    Err(problem) => {
                        keep("trunk", Problem::Value { value: typed.to_owned(), problem: Box::new(problem) });
                    }
                }
            }
            if after.trunks.len() > MOST_TRUNKS as usize {
                keep("trunk", Problem::TooMany(MOST_TRUNKS));
            }
        }
        if let Some(typed) = &self.registrations {
            after.registrations = Some(typed.trim()).filter(|typed| !typed.is_empty()).map(str::to_owned);
        }
        match number(self.expected.as_deref(), before.expected, None, (1, MOST_PHONES)) {
            Ok(expected) => after.expected = expected,
            Err(problem) => keep("expected", problem),
        }
        let limit = Some(before.limit_seconds);
        match number(self.limit.as_deref(), limit, Some(TELEPHONY_LIMIT), TELEPHONY_LIMIT_RANGE) {
            Ok(limit) => after.limit_seconds = limit.unwrap_or(TELEPHONY_LIMIT),
            Err(problem) => keep("limit", problem),
        }
        if errors.is_empty() { Ok(after) } else { Err(errors) }
    }
}

/// A number as typed: `None` leaves the one before, an empty text is the default.
fn number(
    typed: Option<&str>,
    before: Option<u32>,
    default: Option<u32>,
    (min, max): (u32, u32),
) -> Result<Option<u32>, Problem> {
    match typed.map(str::trim) {
        None => Ok(before),
        Some("") => Ok(default),
        Some(typed) => match typed.parse() {
            Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
            Ok(_) => Err(Problem::OutOfRange { min, max }),
            Err(_) => Err(Problem::NotANumber),
        },
    }
}

/// What was heard of one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// Which.
    pub server: SipServer,
    /// Whether it answered. Any final answer is one, a refusal too.
    pub answered: bool,
    /// When it was asked.
    pub at: Timestamp,
    /// What it said, or why nothing was heard, in the machine's words.
    pub detail: String,
}

/// Where the number of expected phones comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedFrom {
    /// An administrator has set it.
    Declared,
    /// So many were last counted while the Master served.
    LastSeen,
}

/// How many phones are expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// The number.
    pub count: u32,
    /// Who says so.
    pub from: ExpectedFrom,
    /// When they were counted; `null` where nobody has counted.
    pub at: Option<Timestamp>,
}

/// The phones since a run brought the service here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phones {
    /// As last counted.
    pub count: u32,
    /// When that was; written down every 15 seconds where nothing changes.
    pub counted_at: Timestamp,
    /// The most that were ever counted.
    pub most: u32,
    /// When the first one more than before the services started was counted; `null` until then.
    pub first_at: Option<Timestamp>,
}

/// What a run has found out of the telephony.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunTelephony {
    /// The own SIP server, as the step `telephony` heard it; `null` before, or where none is set.
    pub sip: Option<Heard>,
    /// Each trunk, likewise.
    pub trunks: Vec<Heard>,
    /// How many phones were expected at the press; `null` when nobody could tell.
    pub expected: Option<Expected>,
    /// The phones; `null` where they were not counted.
    pub phones: Option<Phones>,
}

/// The telephony of this machine at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelephonyNow {
    /// The own SIP server; `null` while this machine does not serve, or where none is set.
    pub sip: Option<Heard>,
    /// Each trunk that was asked.
    pub trunks: Vec<Heard>,
    /// How many phones are expected.
    pub expected: Option<Expected>,
    /// How many are registered, as last counted, whoever serves; `null` where that cannot be told.
    pub registered: Option<u32>,
    /// The phones since the service came here; `null` while this machine does not serve, or where they are not counted.
    pub phones: Option<Phones>,
    /// Why the phones could not be counted the last time, in the command's words.
    pub trouble: Option<String>,
}

/// `tvox-dr telephony show --json`, and the page Telefonia.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelephonyReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// What is set.
    #[serde(flatten)]
    pub telephony: Telephony,
    /// What is known at this moment; `null` where nothing is set.
    pub now: Option<TelephonyNow>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> TelephonyForm {
        TelephonyForm {
            sip: Some("10.0.0.3".into()),
            trunks: Some(vec!["sip.carrier.example:5070".into(), " ".into(), "192.0.2.9/tcp".into()]),
            registrations: Some("kamctl ul show --brief | wc -l".into()),
            expected: Some("12".into()),
            limit: Some(String::new()),
        }
    }

    #[test]
    fn a_server_has_a_name_or_an_address_a_port_and_a_way_and_is_written_as_it_is_read() {
        for (typed, written) in [
            ("sip.carrier.example", "sip.carrier.example:5060"),
            (" sip.carrier.example:5070/udp ", "sip.carrier.example:5070"),
            ("10.0.0.2/tcp", "10.0.0.2:5060/tcp"),
            ("[2001:db8::1]:5080/tcp", "[2001:db8::1]:5080/tcp"),
            ("2001:db8::1", "[2001:db8::1]:5060"),
        ] {
            let server: SipServer = typed.parse().unwrap();
            assert_eq!(server.to_string(), written);
            let json = serde_json::to_string(&server).unwrap();
            assert_eq!(serde_json::from_str::<SipServer>(&json).unwrap(), server);
        }
        for bad in ["", "a b", "sip.example:0", "0.0.0.0", "sip.example/tls", "[x]:5060", ":5060", "255.255.255.255"] {
            assert!(bad.parse::<SipServer>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_left_out_stays_and_what_is_emptied_is_taken_back() {
        let set = form().check(&Telephony::default()).unwrap();
        assert_eq!((set.trunks.len(), set.expected, set.limit_seconds), (2, Some(12), TELEPHONY_LIMIT));
        assert_eq!(TelephonyForm::default().check(&set).unwrap(), set);
        let emptied = TelephonyForm { sip: Some(" ".into()), expected: Some(String::new()), ..Default::default() };
        let left = emptied.check(&set).unwrap();
        assert_eq!((&left.sip, left.expected, &left.registrations), (&None, None, &set.registrations));
        assert!(!left.is_empty() && Telephony::default().is_empty());
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let wrong = TelephonyForm {
            sip: Some("0.0.0.0".into()),
            trunks: Some(vec!["x y".into()]),
            expected: Some("0".into()),
            limit: Some("soon".into()),
            ..form()
        };
        let errors = wrong.check(&Telephony::default()).unwrap_err();
        let fields: Vec<_> = errors.into_iter().map(|error| error.field).collect();
        assert_eq!(fields, ["sip", "trunk", "expected", "limit"]);
    }
}
