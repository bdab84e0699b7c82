//! The return gate: whether this machine, after a boot, may serve.

use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::field::Problem;
use crate::lang::Lang;
use crate::mandate::Tombstone;
use crate::role::NodeRole;

/// What the gate does when nobody answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GatePolicy {
    /// It waits for an operator.
    Strict,
    /// It opens after a wait, with an alarm, as long as nothing speaks against it.
    #[default]
    Unverified,
}

impl GatePolicy {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Strict, Self::Unverified];

    /// The word in commands, tables and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Unverified => "unverified",
        }
    }

    /// What it means, in plain words.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Strict => lang.pick(
                "Prudente: se l'altra macchina non risponde, aspetta un operatore",
                "Strict: when the other machine does not answer, wait for an operator",
            ),
            Self::Unverified => lang.pick(
                "Continuità: se l'altra macchina non risponde, dopo l'attesa riprende il servizio e avvisa",
                "Continuity: when the other machine does not answer, resume after the wait and raise an alarm",
            ),
        }
    }
}

impl FromStr for GatePolicy {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let unknown = || Problem::NotOneOf("strict, unverified".into());
        Self::ALL.into_iter().find(|policy| policy.as_str() == text).ok_or_else(unknown)
    }
}

/// The default of the wait before an unverified opening, in seconds.
pub const GATE_WAIT: u32 = 60;
/// Shortest and longest wait, in seconds.
pub const GATE_WAIT_RANGE: (u32, u32) = (1, 86_400);

/// Whether the services may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GateState {
    /// They may: it was verified, or nobody could be asked and the policy allows it.
    Open,
    /// Not yet: the other side is being asked.
    Held,
    /// They may not: another site holds the mandate.
    Closed,
}

impl GateState {
    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Held => "held",
            Self::Closed => "closed",
        }
    }

    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Open => lang.pick("Aperto", "Open"),
            Self::Held => lang.pick("In attesa di conferma", "Held"),
            Self::Closed => lang.pick("Chiuso", "Closed"),
        }
    }
}

/// What a machine that was asked said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateAnswer {
    /// The mandate is the same, names the one who asks, and this machine does not serve.
    Confirmed,
    /// A mandate that names this other site.
    Elsewhere,
    /// An operation runs there: ask again.
    Hold,
    /// It serves although the mandate names the one who asks.
    Serving,
    /// It has content of this site that this member never heard of: this one is not recent.
    Stale,
    /// The two mandates do not descend from each other, or one side was set back.
    Finding,
    /// No answer.
    Silent,
}

impl GateAnswer {
    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Elsewhere => "elsewhere",
            Self::Hold => "hold",
            Self::Serving => "serving",
            Self::Stale => "stale",
            Self::Finding => "finding",
            Self::Silent => "silent",
        }
    }

    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Confirmed => lang.pick("conferma", "confirms"),
            Self::Elsewhere => lang.pick("il mandato è suo", "holds the mandate"),
            Self::Hold => lang.pick("operazione in corso: attendere", "an operation runs there: wait"),
            Self::Serving => lang.pick("sta servendo", "is serving"),
            Self::Stale => lang.pick(
                "ha dati di questa sede che questa macchina non conosce: attendere l'altra macchina del cluster",
                "has data of this site that this machine does not know: wait for the other machine of the cluster",
            ),
            Self::Finding => lang.pick("mandati non conciliabili", "the mandates do not fit together"),
            Self::Silent => lang.pick("non risponde", "does not answer"),
        }
    }
}

impl GateAnswer {
    /// Every answer.
    pub const ALL: [Self; 7] =
        [Self::Confirmed, Self::Elsewhere, Self::Hold, Self::Serving, Self::Stale, Self::Finding, Self::Silent];
}

/// Why the gate does not let the services run; the words are those of `gate_explained`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateReason {
    /// There is no pair yet: nobody to ask. Closes the gate of a Client only.
    NotPaired,
    /// The mandate was lost.
    MandateMissing,
    /// Another site holds it.
    Elsewhere,
    /// An operator keeps this machine down (`rescue fence`).
    HeldByOperator,
    /// Something speaks against what is known of the mandate.
    Finding,
    /// Content comes home.
    Receiving,
    /// The content with which it is to serve is not in its place.
    AwaitsContent,
    /// It has stopped at the other side's request.
    Yielded,
    /// Nobody has confirmed it in this boot of the machine.
    NotVerified,
    /// An operator has suspended the services.
    Suspended,
    /// A run gives the service back, or suspends it.
    HandingBack,
    /// An operator on the other machine has declared this one lost.
    DeclaredLost,
    /// It replaces a Master that was lost, and has not been given data and mandate yet.
    Recovering,
    /// Of a Master site of two: the other member was given the content to serve with, and this one has not the same yet.
    Stale,
    /// The content with which it was to serve has never come, and a later mandate has made nothing good.
    LacksContent,
}

impl GateReason {
    /// Every reason.
    pub const ALL: [Self; 15] = [
        Self::NotPaired,
        Self::MandateMissing,
        Self::Elsewhere,
        Self::HeldByOperator,
        Self::Finding,
        Self::Receiving,
        Self::AwaitsContent,
        Self::Yielded,
        Self::NotVerified,
        Self::Suspended,
        Self::HandingBack,
        Self::DeclaredLost,
        Self::Recovering,
        Self::Stale,
        Self::LacksContent,
    ];
}

/// One machine that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Its IP.
    pub ip: IpAddr,
    /// Whether it is the other member of the same site.
    #[serde(default)]
    pub sibling: bool,
    /// What it said; `null` before the first answer.
    pub answer: Option<GateAnswer>,
}

/// What all the answers come to: the one that speaks most against an opening. A sibling can only speak against it: where it
/// agrees, or is silent, the other site decides; unless there is none yet. `None` where nobody has answered.
#[must_use]
pub fn all_in_all(asked: &[Asked]) -> Option<GateAnswer> {
    let across = asked.iter().any(|one| !one.sibling);
    let agrees = |one: &Asked| matches!(one.answer, Some(GateAnswer::Confirmed | GateAnswer::Silent));
    let counts = asked.iter().filter(|one| !(across && one.sibling && agrees(one)));
    counts.filter_map(|one| one.answer).max_by_key(|answer| match answer {
        GateAnswer::Confirmed => 0,
        GateAnswer::Silent => 1,
        GateAnswer::Serving => 2,
        GateAnswer::Hold => 3,
        GateAnswer::Stale => 4,
        GateAnswer::Elsewhere => 5,
        GateAnswer::Finding => 6,
    })
}

/// `tvox-dr gate show --json`, and part of the status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateReport {
    /// What happens in silence.
    pub policy: GatePolicy,
    /// After how long, in seconds.
    pub wait_seconds: u32,
    /// Whether a person has chosen that; `null` where the node does not run.
    #[serde(default)]
    pub chosen: Option<bool>,
    /// Whether the services may run.
    pub answer: GateState,
    /// Whether it opened without an answer.
    pub unverified: bool,
    /// Since when it is so; `null` before there is a pair.
    pub since: Option<Timestamp>,
    /// When it will open without an answer if the silence lasts; `null` where that is not to happen.
    pub opens_at: Option<Timestamp>,
    /// Who was asked in this machine boot.
    pub asked: Vec<Asked>,
    /// Why it does not let the services run, the gravest first; empty where it does, or where there is nobody to ask.
    #[serde(default)]
    pub because: Vec<GateReason>,
    /// Why an operator keeps this machine down; `null` where none does.
    #[serde(default)]
    pub held_by: Option<String>,
    /// Who declared this machine lost, when and why; `null` where nobody did.
    #[serde(default)]
    pub declared_lost: Option<Tombstone>,
}

/// What whoever may write the system's files has told systemd: that these units ask the gate, or that they do not any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateUnits {
    /// By their full names.
    pub units: Vec<String>,
    /// Where the system's files are.
    pub root: String,
    /// Whether they ask.
    pub ask: bool,
}

impl GateUnits {
    /// What the audit log calls it.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        if self.ask { "gate.install" } else { "gate.remove" }
    }
}

/// `tvox-dr gate check --json`: whether a service may be started on this machine at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateCheck {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// Whether it may: the gate is open, and nobody has suspended the services or is giving them away.
    pub open: bool,
    /// This machine's name, and which side it is.
    pub name: String,
    /// Its side.
    pub role: NodeRole,
    /// Who says so.
    pub by: CheckedBy,
    /// How the gate stands.
    pub gate: GateReport,
}

/// Who answers for the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckedBy {
    /// The running node.
    Node,
    /// The mandate on disk: the node does not run, or does not answer.
    Files,
}
