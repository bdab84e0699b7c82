//! Failback: what was made on the DR travels home. What an operator brings, and what would happen.

use serde::{Deserialize, Serialize};

use crate::command::Secret;
use crate::lang::Lang;
use crate::preflight::PlannedStep;
use crate::rule::{Finding, Refused};
use crate::run::DatasetLedger;

/// What an operator brings to give the service back together with what was made on the DR.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Failback {
    /// The name of the machine on which the command runs, typed.
    pub confirm_name: String,
    /// Why.
    pub reason: String,
    /// Datasets that do not travel: the Master keeps its own content, what was made on the DR is exported and discarded.
    pub discard: Vec<String>,
    /// Consent to discard what was made on the DR in these.
    pub discard_dr_data: bool,
    /// Consent to replace what the Master wrote last and the DR never had.
    pub accept_data_loss: bool,
    /// Why it cannot wait for a second person, where the house wants one; `None` waits.
    #[serde(default)]
    pub break_glass: Option<String>,
    /// The operator's own password again; asked of whoever comes through the panel.
    pub password: Option<Secret>,
}

/// What becomes of one dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The Master takes exactly what the DR holds.
    Home,
    /// The Master keeps what it has; what was made on the DR is exported there and discarded.
    Discard,
}

impl Choice {
    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Home => lang.pick("torna sul Master", "travels to the Master"),
            Self::Discard => lang.pick("resta quello del Master", "the Master keeps its own"),
        }
    }
}

/// One dataset before a failback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailbackDataset {
    /// Its name.
    pub dataset: String,
    /// What becomes of it.
    pub choice: Choice,
    /// What was made of it on the DR; `null` while that cannot be told.
    pub ledger: Option<DatasetLedger>,
    /// Whether the Master wrote something last that the DR never had; `null` while that cannot be told.
    pub tail: Option<bool>,
}

/// `tvox-dr failback --dry-run --json`, with `F` in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailbackReport<F = Refused> {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// Whether the command, as given, would be obeyed.
    pub allowed: bool,
    /// Why not, all of it.
    pub blocked: Vec<F>,
    /// Every dataset that serves here.
    pub datasets: Vec<FailbackDataset>,
    /// Bytes that the Master's disk must take beside what lies there; `null` while the Master does not answer.
    pub needed_bytes: Option<u64>,
    /// Bytes free there.
    pub free_bytes: Option<u64>,
    /// Every step to come.
    pub steps: Vec<PlannedStep>,
}

impl FailbackReport<Refused> {
    /// The same, with its findings in words.
    #[must_use]
    pub fn in_words(self, lang: Lang) -> FailbackReport<Finding> {
        FailbackReport {
            schema: self.schema,
            allowed: self.allowed,
            blocked: self.blocked.iter().map(|refused| refused.finding(lang)).collect(),
            datasets: self.datasets,
            needed_bytes: self.needed_bytes,
            free_bytes: self.free_bytes,
            steps: self.steps,
        }
    }
}
