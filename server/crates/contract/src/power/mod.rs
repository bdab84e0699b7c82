//! The power of the machines of the other site: what can see whether one is off, as typed, as stored and as read. The
//! password goes in and never comes out.

mod form;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::command::Secret;
use crate::field::Problem;
use crate::lang::Lang;
use crate::life::LifeSigns;
use crate::preflight::Override;

pub use form::PowerForm;

/// The port of IPMI over LAN (RMCP+, IPMI 2.0, 13.1.2).
pub const IPMI_PORT: u16 = 623;
/// The longest time that a machine may be given to shut itself down, in seconds.
pub const SOFT_MAX: u32 = 600;

/// By which way the power is read and switched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PowerWay {
    /// The machine's management controller, over the network (IPMI 2.0).
    Ipmi,
    /// The same, by its web service (DMTF Redfish).
    Redfish,
    /// A command of one's own: a hypervisor, a switched socket.
    Command,
}

impl PowerWay {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::Ipmi, Self::Redfish, Self::Command];

    /// The word in commands, tables and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ipmi => "ipmi",
            Self::Redfish => "redfish",
            Self::Command => "command",
        }
    }

    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Ipmi => "IPMI",
            Self::Redfish => "Redfish",
            Self::Command => lang.pick("comando", "command"),
        }
    }
}

impl fmt::Display for PowerWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for PowerWay {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let unknown = || Problem::NotOneOf("ipmi, redfish, command".into());
        Self::ALL.into_iter().find(|way| way.as_str() == text).ok_or_else(unknown)
    }
}

/// What stands behind the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "way", rename_all = "lowercase")]
pub enum PowerAccess {
    /// IPMI 2.0 over LAN.
    Ipmi {
        /// The controller's name or IP, not the machine's own.
        host: String,
        /// Its UDP port.
        port: u16,
        /// Its user, with the privilege *Operator*.
        user: String,
    },
    /// Redfish over HTTPS.
    Redfish {
        /// `https://HOST[:PORT]`.
        url: String,
        /// Its user.
        user: String,
        /// The system's id where the service has several; `null` for its only one.
        system: Option<String>,
        /// SHA-256 of the only certificate that is taken, in hex; `null` where an authority vouches for it.
        fingerprint: Option<String>,
        /// The authority that signed its certificate, as PEM; `null` for the system's.
        ca: Option<String>,
    },
    /// Shell commands (`/bin/sh -c`), run on this machine.
    Command {
        /// Prints `on` or `off` and nothing else.
        status: String,
        /// Switches it off at once; `null` where that cannot be done.
        off: Option<String>,
        /// Asks its system to shut down; `null` where that cannot be done.
        shutdown: Option<String>,
        /// Switches it on; `null` where that cannot be done.
        on: Option<String>,
    },
}

impl PowerAccess {
    /// By which way.
    #[must_use]
    pub const fn way(&self) -> PowerWay {
        match self {
            Self::Ipmi { .. } => PowerWay::Ipmi,
            Self::Redfish { .. } => PowerWay::Redfish,
            Self::Command { .. } => PowerWay::Command,
        }
    }

    /// Who tells: `ipmi 10.0.0.5:623`; of a command nothing but that it is one.
    #[must_use]
    pub fn source(&self) -> String {
        match self {
            Self::Ipmi { host, port, .. } => format!("ipmi {host}:{port}"),
            Self::Redfish { url, .. } => format!("redfish {url}"),
            Self::Command { .. } => "command".to_owned(),
        }
    }

    /// Whether it can switch off, not only tell.
    #[must_use]
    pub const fn can_switch_off(&self) -> bool {
        !matches!(self, Self::Command { off: None, .. })
    }
}

/// How the power of one machine is read and switched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PowerSettings {
    /// The machine of the other site.
    pub ip: IpAddr,
    /// By which way.
    #[serde(flatten)]
    pub access: PowerAccess,
    /// How long its system may take to shut down before the power is cut; 0 cuts it at once.
    pub soft_seconds: u32,
}

/// Whether a machine has power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PowerState {
    /// It has.
    On,
    /// It has none.
    Off,
    /// It could not be read.
    Unknown,
}

impl PowerState {
    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Unknown => "unknown",
        }
    }

    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::On => lang.pick("Accesa", "On"),
            Self::Off => lang.pick("Spenta", "Off"),
            Self::Unknown => lang.pick("Non leggibile", "Not readable"),
        }
    }
}

/// Why the power could not be read or switched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerFault {
    /// Nobody answers there.
    Silent,
    /// The name has no address, or no way leads there.
    NoRoute,
    /// No such user there.
    WrongUser,
    /// The password is wrong.
    WrongPassword,
    /// User or password is wrong; which one is not said.
    WrongLogin,
    /// It could not show that it is the expected one.
    WrongCertificate(String),
    /// It has no such system, or none.
    NoSystem,
    /// It has several, and none was chosen.
    SeveralSystems(String),
    /// It was ordered, and was not seen to follow in so many seconds.
    NotFollowed(u32),
    /// The user may not do it.
    NotPermitted,
    /// Both sides know no common way to protect the conversation.
    NoCommonCipher,
    /// The stored password cannot be opened.
    Sealed,
    /// The program that does it is not installed.
    NoProgram(String),
    /// No command is set for it.
    NoCommand,
    /// It ended, but what it said is neither `on` nor `off`.
    Unclear(String),
    /// It was asked and took too long.
    TooLong(u32),
    /// Something else, in its own words.
    Failed(String),
}

impl PowerFault {
    /// In plain words.
    #[must_use]
    pub fn text(&self, lang: Lang) -> String {
        let (it, en) = match self {
            Self::Silent => ("non risponde nessuno", "nobody answers"),
            Self::NoRoute => {
                ("il nome non ha un indirizzo, o non è raggiungibile", "the name has no address, or no way leads there")
            }
            Self::WrongUser => ("l'utente non esiste o non è abilitato", "there is no such user, or it is not enabled"),
            Self::WrongPassword => ("la password non è corretta", "the password is wrong"),
            Self::WrongLogin => ("l'utente o la password non sono corretti", "user or password is wrong"),
            Self::WrongCertificate(words) => {
                return match lang {
                    Lang::It => format!("il certificato non è quello atteso ({words})"),
                    Lang::En => format!("its certificate is not the expected one ({words})"),
                };
            }
            Self::NoSystem => ("non ha un sistema con questo id", "it has no system of that id"),
            Self::SeveralSystems(ids) => {
                return match lang {
                    Lang::It => format!("ha più sistemi: indicarne uno fra {ids}"),
                    Lang::En => format!("it has several systems: choose one of {ids}"),
                };
            }
            Self::NotFollowed(seconds) => {
                return match lang {
                    Lang::It => format!("l'ordine è stato dato, ma dopo {seconds} secondi non è ancora eseguito"),
                    Lang::En => format!("it was ordered and is not done after {seconds} seconds"),
                };
            }
            Self::NotPermitted => {
                ("l'utente non ha il privilegio necessario (Operator)", "the user lacks the privilege (Operator)")
            }
            Self::NoCommonCipher => (
                "nessuna cifratura in comune (servono le suite 17 o 3)",
                "no cipher in common (suite 17 or 3 is needed)",
            ),
            Self::Sealed => (
                "la password salvata non si può aprire: scriverla di nuovo",
                "the stored password cannot be opened: type it again",
            ),
            Self::NoProgram(name) => {
                return match lang {
                    Lang::It => format!("il programma {name} non è installato su questa macchina"),
                    Lang::En => format!("the program {name} is not installed on this machine"),
                };
            }
            Self::NoCommand => ("nessun comando è impostato per farlo", "no command is set for it"),
            Self::Unclear(words) => {
                return match lang {
                    Lang::It => format!("la risposta non è né on né off: {words}"),
                    Lang::En => format!("the answer is neither on nor off: {words}"),
                };
            }
            Self::TooLong(seconds) => {
                return match lang {
                    Lang::It => format!("nessuna risposta entro {seconds} secondi"),
                    Lang::En => format!("no answer within {seconds} seconds"),
                };
            }
            Self::Failed(words) => (words.as_str(), words.as_str()),
        };
        lang.pick(it, en).to_owned()
    }
}

/// One reading of the power of one machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PowerReading {
    /// The machine.
    pub ip: IpAddr,
    /// What was read.
    pub state: PowerState,
    /// By which way.
    pub way: PowerWay,
    /// Who told: `ipmi 10.0.0.5:623`.
    pub source: String,
    /// When.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Why it could not be read; `null` when it was.
    pub fault: Option<PowerFault>,
}

impl PowerReading {
    /// In one sentence: what was read, who told, how long it took.
    #[must_use]
    pub fn text(&self, lang: Lang) -> String {
        let (source, took) = (&self.source, self.took_ms);
        let said = match &self.fault {
            Some(fault) => fault.text(lang),
            None => self.state.label(lang).to_lowercase(),
        };
        format!("{source}: {said} ({took} ms)")
    }
}

/// What an operator brings to switch a machine outside of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PowerOrder {
    /// The machine of the other site, as typed.
    pub ip: String,
    /// The name of the machine on which the command runs, typed.
    pub confirm_name: String,
    /// Why.
    pub reason: String,
    /// Guards that are passed.
    pub overrides: Vec<Override>,
    /// The operator's own password again; asked of whoever comes through the panel.
    pub password: Option<Secret>,
}

/// One machine of the other site, and what is set for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineSetup {
    /// Its IP.
    pub ip: IpAddr,
    /// Whether it is a machine of the other site now; its settings stay when the address changes.
    pub current: bool,
    /// How its power is read; `null` while nothing is set.
    pub power: Option<PowerSettings>,
    /// Whether a password is stored.
    pub has_password: bool,
    /// What was read last since the start; `null` before.
    pub reading: Option<PowerReading>,
    /// What proves it to be alive besides its node.
    pub signs: LifeSigns,
}

/// `tvox-dr isolation show --json`, and the page Isolamento.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsolationReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// The machines of the other site, and those of which something is still set.
    pub machines: Vec<MachineSetup>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_says_what_it_saw_who_told_and_how_long_it_took() {
        let reading = PowerReading {
            ip: "10.0.0.2".parse().unwrap(),
            state: PowerState::Off,
            way: PowerWay::Ipmi,
            source: "ipmi 10.0.9.2:623".into(),
            at: Timestamp::UNIX_EPOCH,
            took_ms: 140,
            fault: None,
        };
        assert_eq!(reading.text(Lang::It), "ipmi 10.0.9.2:623: spenta (140 ms)");
        let wrong = PowerReading { state: PowerState::Unknown, fault: Some(PowerFault::WrongPassword), ..reading };
        assert_eq!(wrong.text(Lang::En), "ipmi 10.0.9.2:623: the password is wrong (140 ms)");
    }
}
