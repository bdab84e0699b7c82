//! The power of the machines of the other site: what can see whether one is off, as typed, as stored and as read. The
//! password goes in and never comes out.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::command::Secret;
use crate::field::{FieldError, Problem};
use crate::lang::Lang;

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
    /// A command of one's own: a hypervisor, a switched socket.
    Command,
}

impl PowerWay {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 2] = [Self::Ipmi, Self::Command];

    /// The word in commands, tables and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ipmi => "ipmi",
            Self::Command => "command",
        }
    }

    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Ipmi => "IPMI",
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
        let unknown = || Problem::NotOneOf("ipmi, command".into());
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
            Self::Command { .. } => PowerWay::Command,
        }
    }

    /// Who tells: `ipmi 10.0.0.5:623`; of a command nothing but that it is one.
    #[must_use]
    pub fn source(&self) -> String {
        match self {
            Self::Ipmi { host, port, .. } => format!("ipmi {host}:{port}"),
            Self::Command { .. } => "command".to_owned(),
        }
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

/// The same as typed. What belongs to another way is left empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PowerForm {
    /// The machine of the other site.
    pub ip: String,
    /// `ipmi`, `command`.
    pub way: String,
    /// IPMI: name or IP of the controller.
    pub host: String,
    /// IPMI: empty for 623.
    pub port: String,
    /// IPMI: the user.
    pub user: String,
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

/// A name or an IP; never a leading dash, which would be an option of the program that is given it.
fn is_host(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
    text.len() <= 253 && !text.starts_with('-') && text.chars().all(allowed)
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
            Self::NotPermitted => ("l'utente non ha il privilegio Operator", "the user has not the privilege Operator"),
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
        ] {
            assert_eq!(fields(&form), [field], "{form:?}");
        }
    }

    #[test]
    fn settings_are_read_back_as_they_were_written() {
        for form in [ipmi(), command()] {
            let settings = form.check().unwrap();
            let text = serde_json::to_string(&settings).unwrap();
            assert_eq!(serde_json::from_str::<PowerSettings>(&text).unwrap(), settings, "{text}");
        }
    }

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
