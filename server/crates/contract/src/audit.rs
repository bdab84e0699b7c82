//! The audit log as read and exported: append-only, each entry chained to the one before by SHA-256.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::actor::ActorKind;
use crate::rule::Rule;

/// Who, as an entry keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditActor {
    /// What kind of somebody.
    pub kind: ActorKind,
    /// The name.
    pub name: String,
    /// The uid behind root.
    pub login_uid: Option<u32>,
}

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditOutcome {
    /// It was done.
    Done,
    /// A guard or a check said no.
    Refused,
    /// It was tried and failed.
    Failed,
}

/// One entry without its hash: exactly what is stored as one line of JSON, in this order of fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditLine {
    /// 1, 2, 3, … without a gap.
    pub seq: i64,
    /// When, by this machine's clock.
    pub at: Timestamp,
    /// Who.
    pub actor: AuditActor,
    /// From where: an IP, `socket`, `node`.
    pub from: String,
    /// What: the command's name, `login`, …
    pub action: String,
    /// On what.
    pub subject: Option<String>,
    /// Why, as typed.
    pub reason: Option<String>,
    /// What it was before.
    pub before: Option<serde_json::Value>,
    /// What it is after.
    pub after: Option<serde_json::Value>,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// The guard that said no.
    pub rule: Option<Rule>,
    /// The run it belongs to.
    pub run: Option<String>,
    /// The epoch at that moment.
    pub epoch: Option<u64>,
    /// The hash of the entry before; 64 zeros for the first.
    pub prev: String,
}

/// One entry with its hash: SHA-256 of `prev`, a line feed, and the stored line, in hex.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The stored line's fields.
    #[serde(flatten)]
    pub line: AuditLine,
    /// Its hash.
    pub hash: String,
}

/// Where the chain stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// The last entry's number, 0 for an empty log.
    pub seq: i64,
    /// Its hash, 64 zeros for an empty log.
    pub hash: String,
}

/// `tvox-dr audit --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// Oldest first.
    pub entries: Vec<AuditEntry>,
    /// Where the chain stands.
    pub head: AuditHead,
}

/// `tvox-dr audit --verify --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditVerdict {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// Whether every hash and every number fits.
    pub valid: bool,
    /// How many entries were read.
    pub entries: i64,
    /// Where the chain stands.
    pub head: AuditHead,
    /// The first entry that does not fit.
    pub first_bad: Option<i64>,
}
