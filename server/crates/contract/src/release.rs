//! What a roll back would do, before anybody presses anything.

use serde::{Deserialize, Serialize};

use crate::lang::Lang;
use crate::preflight::PlannedStep;
use crate::rule::{Finding, Refused};
use crate::run::Ledger;

/// `tvox-dr deactivate --dry-run --json`, with `F` in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseReport<F = Refused> {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// Whether the command, as given, would be obeyed.
    pub allowed: bool,
    /// Why not, all of it.
    pub blocked: Vec<F>,
    /// What stands in nobody's way and is worth knowing.
    pub warnings: Vec<F>,
    /// What was made on the DR, and would not travel; `null` where nothing serves here.
    pub ledger: Option<Ledger>,
    /// Every step to come.
    pub steps: Vec<PlannedStep>,
}

impl ReleaseReport<Refused> {
    /// The same, with its findings in words.
    #[must_use]
    pub fn in_words(self, lang: Lang) -> ReleaseReport<Finding> {
        ReleaseReport {
            schema: self.schema,
            allowed: self.allowed,
            blocked: self.blocked.iter().map(|refused| refused.finding(lang)).collect(),
            warnings: self.warnings.iter().map(|refused| refused.finding(lang)).collect(),
            ledger: self.ledger,
            steps: self.steps,
        }
    }
}
