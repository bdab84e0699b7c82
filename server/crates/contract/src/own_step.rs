//! The customer's own steps: what else belongs to an activation on this site (a carrier that is called, a record that is
//! switched, a script of the house), and how it is taken back at the roll back.
//!
//! Every step has something to do, optionally an undo, a postcondition where one can be observed, and a limit. At an
//! activation (and at a take-over of the Master) they are done in order; at a roll back those that have an undo are undone
//! in exactly the reverse order.

mod dns;
mod form;
mod group;
mod http;
mod order;
mod wait;

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::field::Problem;
use crate::lang::{Lang, Text};

pub use dns::{DNS_TTL, DNS_TTL_LONG, DNS_TYPES, DnsForm, DnsWork, TSIG_ALGORITHMS, TsigKey};
pub use form::{OwnStepForm, WorkForm};
pub use group::{Block, GROUP_MAX, GroupMove, GroupOrder, StepGroup, blocks, group_name, put_in_order};
pub use http::{HTTP_METHODS, HttpCall, HttpForm, HttpWork, SECRET};
pub use order::Move;
pub use wait::WaitWork;

/// Where in a run the steps stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The mandate is written and the data is writable; no service runs yet.
    BeforeServices,
    /// The services were verified.
    AfterServices,
}

impl Place {
    /// Both, in the order of a run.
    pub const ALL: [Self; 2] = [Self::BeforeServices, Self::AfterServices];

    /// The word in commands and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BeforeServices => "before_services",
            Self::AfterServices => "after_services",
        }
    }

    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::BeforeServices => lang.pick("Prima dei servizi", "Before the services"),
            Self::AfterServices => lang.pick("Dopo i servizi", "After the services"),
        }
    }
}

impl FromStr for Place {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let known = Self::ALL.into_iter().find(|place| place.as_str() == text);
        known.ok_or(Problem::NotOneOf("before_services, after_services".into()))
    }
}

/// What sort of step it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepKind {
    /// A shell command.
    Command,
    /// Something that a person does.
    Manual,
    /// A DNS record that is switched.
    Dns,
    /// A URL that is called.
    Http,
    /// Somebody who is waited for.
    Wait,
}

impl StepKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Command, Self::Manual, Self::Dns, Self::Http, Self::Wait];

    /// The word in commands and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Manual => "manual",
            Self::Dns => "dns",
            Self::Http => "http",
            Self::Wait => "wait",
        }
    }

    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Command => lang.pick("Comando", "Command"),
            Self::Manual => lang.pick("A mano", "By hand"),
            Self::Dns => lang.pick("Record DNS", "DNS record"),
            Self::Http => lang.pick("Chiamata HTTP", "HTTP call"),
            Self::Wait => lang.pick("Attesa", "Wait"),
        }
    }

    /// How long one attempt may take unless something else is said, in seconds.
    #[must_use]
    pub const fn default_limit(self) -> u32 {
        match self {
            Self::Command | Self::Dns | Self::Http => 60,
            Self::Wait => 300,
            // Somebody has to be called, and to call back.
            Self::Manual => 3600,
        }
    }
}

impl FromStr for StepKind {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let words = || Self::ALL.map(Self::as_str).join(", ");
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| Problem::NotOneOf(words().into()))
    }
}

/// Least and greatest time limit, in seconds.
pub const STEP_LIMIT_RANGE: (u32, u32) = (1, 86_400);
/// Greatest number in the order.
pub const STEP_ORDER_MAX: u32 = 10_000;
/// Longest text for a person, in characters.
pub const STEP_TEXT_MAX: u32 = 2_000;

/// One step as declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnStep {
    /// Its name, unique on the machine.
    pub name: String,
    /// Before or after the services.
    pub place: Place,
    /// The group in which it stands: all of a group are in one place and stand together.
    #[serde(default)]
    pub group: Option<String>,
    /// Whether that group is switched off: the next runs leave the step out.
    #[serde(default)]
    pub off: bool,
    /// Done in this order among those of its place and group, undone in the reverse one; equal numbers by name.
    pub order: u32,
    /// How long one attempt may take, in seconds.
    pub limit_seconds: u32,
    /// Whether a secret is stored for it.
    #[serde(default)]
    pub has_secret: bool,
    /// What is done.
    #[serde(flatten)]
    pub work: Work,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    /// Shell commands (`/bin/sh -c`).
    Command(CommandWork),
    /// Something that a person does and acknowledges.
    Manual(ManualWork),
    /// A DNS record.
    Dns(DnsWork),
    /// A URL.
    Http(HttpWork),
    /// Somebody who is to answer, or phones that are to come.
    Wait(WaitWork),
}

/// What a command step runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandWork {
    /// Does it. Without a check it is done when this has exited with 0.
    pub run: String,
    /// Takes it back.
    pub undo: Option<String>,
    /// Exits 0 exactly while what `run` does is in effect.
    pub check: Option<String>,
}

/// What a person is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManualWork {
    /// To do it.
    pub text: Text,
    /// To take it back.
    pub undo: Option<Text>,
}

impl Work {
    /// What sort it is.
    #[must_use]
    pub const fn kind(&self) -> StepKind {
        match self {
            Self::Command(_) => StepKind::Command,
            Self::Manual(_) => StepKind::Manual,
            Self::Dns(_) => StepKind::Dns,
            Self::Http(_) => StepKind::Http,
            Self::Wait(_) => StepKind::Wait,
        }
    }

    /// Whether a roll back has something to undo.
    #[must_use]
    pub const fn has_undo(&self) -> bool {
        match self {
            Self::Command(command) => command.undo.is_some(),
            Self::Manual(manual) => manual.undo.is_some(),
            Self::Dns(_) => true,
            Self::Http(http) => http.undo.is_some(),
            Self::Wait(_) => false,
        }
    }

    /// Whether it needs a secret.
    #[must_use]
    pub fn wants_secret(&self) -> bool {
        match self {
            Self::Dns(dns) => dns.key.is_some(),
            Self::Http(http) => http.wants_secret(),
            Self::Command(_) | Self::Manual(_) | Self::Wait(_) => false,
        }
    }

    /// Whether a secret that was stored for the other one may be used for this one: it goes to the same servers, or is the
    /// key of the same name.
    #[must_use]
    pub fn keeps_secret_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dns(one), Self::Dns(other)) => one.key == other.key,
            (Self::Http(one), Self::Http(other)) => one.servers() == other.servers(),
            _ => false,
        }
    }
}

/// `tvox-dr step list --json`, and the page Procedura.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnStepsReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// In the order in which they are done.
    pub steps: Vec<OwnStep>,
}
