//! The licence as people see it. Its authenticity is the business of the node; here are only words and shapes.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::lang::Lang;

/// How the licence of this machine stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LicenceState {
    /// Authentic, not expired, for this machine.
    Valid,
    /// None is loaded.
    Missing,
    /// It was valid until its date.
    Expired,
    /// Damaged on disk, or not verifiable with this product's key.
    Invalid,
}

impl LicenceState {
    /// The words a reader sees, in the manner of `Stato Licenza: ATTIVA`.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Valid => lang.pick("ATTIVA", "ACTIVE"),
            Self::Missing => lang.pick("ASSENTE", "MISSING"),
            Self::Expired => lang.pick("SCADUTA", "EXPIRED"),
            Self::Invalid => lang.pick("NON VALIDA", "INVALID"),
        }
    }

    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Missing => "missing",
            Self::Expired => "expired",
            Self::Invalid => "invalid",
        }
    }
}

/// The licence part of `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenceSummary {
    /// How it stands.
    pub state: LicenceState,
    /// Serial number.
    pub serial: Option<String>,
    /// The customer.
    pub company: Option<String>,
    /// Modules it grants.
    pub modules: Vec<String>,
    /// When it ends; `null` for never or when there is none.
    pub expires: Option<Timestamp>,
}

/// `tvox-dr licence show --json`, and the page Licenza.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenceReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// How it stands.
    #[serde(flatten)]
    pub summary: LicenceSummary,
    /// The module this machine needs.
    pub needed: String,
    /// Whether the loaded licence grants it.
    pub granted: bool,
    /// The machine code to which a licence can be bound: this node's id.
    pub machine: String,
    /// The machine the loaded licence is bound to, if any.
    pub bound_to: Option<String>,
}
