//! A step that waits until somebody answers, or until the phones are there. So many seconds are no kind of step: they
//! prove nothing.

use serde::{Deserialize, Serialize};

use crate::address::host_and_port;
use crate::field::{FieldError, Problem};
use crate::telephony::{MOST_PHONES, SipServer};

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum WaitWork {
    /// Somebody takes a TCP connection.
    Tcp {
        /// `HOST:PORT`.
        tcp: String,
    },
    /// A SIP server answers.
    Sip {
        /// Which.
        sip: SipServer,
    },
    /// So many phones have registered, as the command of the page Telefonia counts them.
    Registrations {
        /// At least so many.
        registrations: u32,
    },
}

impl WaitWork {
    /// One of the three, as typed.
    pub(super) fn check(tcp: &str, sip: &str, registrations: &str) -> Result<Self, Vec<FieldError>> {
        let wrong = |field: &str, problem| vec![FieldError::new(field, problem)];
        let (tcp, sip, registrations) = (tcp.trim(), sip.trim(), registrations.trim());
        let typed = [tcp, sip, registrations].iter().filter(|typed| !typed.is_empty()).count();
        match typed {
            0 => Err(wrong("tcp", Problem::Required)),
            1 if !tcp.is_empty() => {
                host_and_port(tcp, None).map_err(|problem| wrong("tcp", problem))?;
                Ok(Self::Tcp { tcp: tcp.to_owned() })
            }
            1 if !sip.is_empty() => sip.parse().map(|sip| Self::Sip { sip }).map_err(|problem| wrong("sip", problem)),
            1 => match registrations.parse() {
                Ok(count) if (1..=MOST_PHONES).contains(&count) => Ok(Self::Registrations { registrations: count }),
                Ok(_) => Err(wrong("registrations", Problem::OutOfRange { min: 1, max: MOST_PHONES })),
                Err(_) => Err(wrong("registrations", Problem::NotANumber)),
            },
            _ => Err(wrong("tcp", Problem::OnlyOneOf("tcp, sip, registrations".into()))),
        }
    }

    /// What is waited for, in short and as it was typed.
    #[must_use]
    pub fn what(&self) -> String {
        match self {
            Self::Tcp { tcp } => tcp.clone(),
            Self::Sip { sip } => format!("sip:{sip}"),
            Self::Registrations { registrations } => format!("registrations >= {registrations}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_port_are_waited_for() {
        for good in ["127.0.0.1:5060", " sbc.example.org:443 ", "[::1]:80"] {
            assert!(WaitWork::check(good, "", "").is_ok(), "{good}");
        }
        for bad in ["", "host", "host:0", "host:99999", ":80", "a b:80", "::1:80", "[x]:80"] {
            assert!(WaitWork::check(bad, "", "").is_err(), "{bad}");
        }
    }

    #[test]
    fn a_sip_server_or_a_number_of_phones_is_waited_for_and_never_two_things_at_once() {
        let sip = WaitWork::check("", "10.0.0.3", " ").unwrap();
        assert_eq!(sip.what(), "sip:10.0.0.3:5060");
        let phones = WaitWork::check("", "", " 12 ").unwrap();
        for work in [sip, phones, WaitWork::Tcp { tcp: "a:1".into() }] {
            let told = serde_json::to_value(&work).unwrap();
            assert_eq!(told.as_object().unwrap().len(), 1, "{told}");
            assert_eq!(serde_json::from_value::<WaitWork>(told).unwrap(), work);
        }
        let field = |tcp, sip, count| WaitWork::check(tcp, sip, count).unwrap_err()[0].field.clone();
        assert_eq!(field("", "a b", ""), "sip");
        assert_eq!((field("", "", "0"), field("", "", "all")), ("registrations".into(), "registrations".into()));
        assert_eq!(field("a:1", "", "3"), "tcp");
    }
}
