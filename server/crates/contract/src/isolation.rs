//! Isolation: what is known of each machine of the other site before somebody takes the service from it. Silence is no
//! evidence; an operator's word is.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::lang::Lang;
use crate::power::PowerWay;

/// What one probe came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeResult {
    /// Somebody answered.
    Answered,
    /// The machine said no: it is there.
    Refused,
    /// Nothing came back.
    Timeout,
    /// It has power.
    On,
    /// It has none: whoever can see that says so.
    Off,
    /// The probe says nothing about that machine (no such port known, not permitted, this machine's own address).
    NotApplicable,
}

impl ProbeResult {
    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Answered => lang.pick("risponde", "answered"),
            Self::Refused => lang.pick("rifiuta: la macchina c'è", "refused: the machine is there"),
            Self::Timeout => lang.pick("nessuna risposta", "no answer"),
            Self::On => lang.pick("accesa", "on"),
            Self::Off => lang.pick("spenta", "off"),
            Self::NotApplicable => lang.pick("non applicabile", "not applicable"),
        }
    }
}

/// One look at one machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// `peer_link`, `panel`, `tcp:PORT`, `sip:IP:PORT`, `icmp`, `power:WAY`.
    pub probe: String,
    /// What it came to.
    pub result: ProbeResult,
    /// When.
    pub at: Timestamp,
    /// In the words of the network, or one of [`own_words`].
    pub detail: String,
}

impl Evidence {
    /// The detail as a reader sees it: what `tvox-dr` says itself in the reader's language, what came from the network as
    /// it came.
    #[must_use]
    pub fn told(&self, lang: Lang) -> &str {
        let known = lang == Lang::It;
        own_words::ALL
            .iter()
            .find(|(english, _)| known && *english == self.detail)
            .map_or(&self.detail, |(_, italian)| italian)
    }
}

/// What `tvox-dr` itself says of a probe.
pub mod own_words {
    /// Nothing came back.
    pub const NO_ANSWER: &str = "no answer in time";
    /// No echo came back.
    pub const NO_ECHO: &str = "no echo reply in time";
    /// An echo came back.
    pub const ECHO: &str = "echo reply";
    /// A port is open.
    pub const TAKES_CONNECTIONS: &str = "it takes connections";
    /// The key is not the expected one.
    pub const ANOTHER_MACHINE: &str = "another machine answers";
    /// The panel's port was never told.
    pub const NO_PORT: &str = "its port is not known";
    /// To ask it is to ask oneself.
    pub const OWN_ADDRESS: &str = "this machine's own address";
    /// The refusal is one's own.
    pub const OWN_REFUSAL: &str = "refused by this machine itself, whose address it is";

    pub(super) const ALL: [(&str, &str); 8] = [
        (NO_ANSWER, "nessuna risposta in tempo"),
        (NO_ECHO, "nessuna eco in tempo"),
        (ECHO, "eco ricevuta"),
        (TAKES_CONNECTIONS, "accetta connessioni"),
        (ANOTHER_MACHINE, "risponde un'altra macchina"),
        (NO_PORT, "la sua porta non è nota"),
        (OWN_ADDRESS, "indirizzo di questa stessa macchina"),
        (OWN_REFUSAL, "rifiutato da questa stessa macchina, di cui è l'indirizzo"),
    ];
}

/// Stands among the signs of life of a machine that is said to have no power all the same.
pub const CONTRADICTED: &str = "contradicted";

/// What a probe is called, from its word.
#[must_use]
pub fn probe_label(probe: &str, lang: Lang) -> String {
    match probe.split_once(':') {
        Some(("tcp", port)) => format!("{} {port}", lang.pick("porta", "port")),
        Some(("sip", address)) => format!("SIP {address}"),
        Some(("power", way)) => {
            let way = way.parse::<PowerWay>().map_or(way, |way| way.label(lang));
            format!("{} ({way})", lang.pick("alimentazione", "power"))
        }
        _ => match probe {
            "peer_link" => lang.pick("collegamento di tvox-dr", "link of tvox-dr"),
            "panel" => lang.pick("pannello web", "web panel"),
            "icmp" => "ping",
            CONTRADICTED => lang.pick("e risulta senza alimentazione", "although its power is said to be off"),
            other => other,
        }
        .to_owned(),
    }
}

/// What follows for one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IsolationOutcome {
    /// Seen off, by something that can see it.
    AlreadyDown,
    /// Switched off by us, and seen off.
    PoweredOff,
    /// Its own `tvox-dr` has stopped the services and said so.
    Fenced,
    /// It answers.
    Alive,
    /// It does not answer: that is no evidence.
    Unreachable,
}

impl IsolationOutcome {
    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::AlreadyDown => lang.pick("Già spenta", "Already down"),
            Self::PoweredOff => lang.pick("Spenta da qui", "Powered off"),
            Self::Fenced => lang.pick("Ha fermato i propri servizi", "Stopped its own services"),
            Self::Alive => lang.pick("È viva: risponde", "Alive: it answers"),
            Self::Unreachable => {
                lang.pick("Non raggiungibile: non vuol dire spenta", "Unreachable: that does not mean off")
            }
        }
    }

    /// Whether it needs nobody's word.
    #[must_use]
    pub const fn is_evidence(self) -> bool {
        matches!(self, Self::AlreadyDown | Self::PoweredOff | Self::Fenced)
    }
}

/// An operator's word for one machine: *off, not suspended, and will start only through its gate*.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestation {
    /// The machine, as typed.
    pub ip: String,
    /// Who saw it off, and how.
    pub text: String,
}

/// One machine of the other site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineIsolation {
    /// Its IP.
    pub ip: IpAddr,
    /// What follows from the probes.
    pub outcome: IsolationOutcome,
    /// The operator's word for it; `null` without one.
    pub attestation: Option<String>,
    /// The probes.
    pub evidence: Vec<Evidence>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_say_of_a_probe_is_in_the_readers_language_and_what_the_network_says_is_left_alone() {
        let said = |detail: &str| Evidence {
            probe: "panel".into(),
            result: ProbeResult::Timeout,
            at: Timestamp::UNIX_EPOCH,
            detail: detail.into(),
        };
        assert_eq!(said(own_words::NO_ANSWER).told(Lang::It), "nessuna risposta in tempo");
        assert_eq!(said(own_words::NO_ANSWER).told(Lang::En), "no answer in time");
        assert_eq!(said("No route to host (os error 113)").told(Lang::It), "No route to host (os error 113)");
    }
}
