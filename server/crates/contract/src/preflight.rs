//! What would happen if the button were pressed now: what stands in the way, what would be lost, every step to come.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::command::Secret;
use crate::isolation::{Attestation, MachineIsolation};
use crate::lang::Lang;
use crate::rule::{Finding, Refused};
use crate::sync::{Missing, RestorePoint};

/// A guard that an operator passes, by name and with a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// The rule's name, as typed.
    pub rule: String,
    /// What it is about; `None` for whatever it is about.
    pub subject: Option<String>,
    /// Why.
    pub reason: String,
}

/// What an operator brings to take the service: on the Client *activate*, on the Master *take over*.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Take {
    /// The name of the machine on which the command runs, typed.
    pub confirm_name: String,
    /// Why.
    pub reason: String,
    /// The operator's word for machines of the other site.
    pub attest: Vec<Attestation>,
    /// Consent to lose what the preflight lists.
    pub accept_data_loss: bool,
    /// Guards that are passed.
    pub overrides: Vec<Override>,
    /// The restore point; `None` for the last complete generation.
    pub point: Option<String>,
    /// Machines of the other site that are to be switched off on the way, as typed.
    #[serde(default)]
    pub power_off: Vec<String>,
    /// To declare lost (`peer retire`): of a Master site of two the one machine that it is about, by name or IP; `None` for
    /// every machine of the other site.
    #[serde(default)]
    pub member: Option<String>,
    /// Why it cannot wait for a second person, where the house wants one; `None` waits.
    #[serde(default)]
    pub break_glass: Option<String>,
    /// The operator's own password again; asked of whoever comes through the panel.
    pub password: Option<Secret>,
}

/// What an operator brings to give the service back, or to stop it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Release {
    /// The name of the machine on which the command runs, typed.
    pub confirm_name: String,
    /// Why.
    pub reason: String,
    /// Consent to discard what was made on the DR (roll back).
    pub discard_dr_data: bool,
    /// Why it cannot wait for a second person, where the house wants one; `None` waits.
    #[serde(default)]
    pub break_glass: Option<String>,
    /// The operator's own password again; asked of whoever comes through the panel.
    pub password: Option<Secret>,
}

/// What an operator brings to settle something by their word: what was found against the mandate, or what a member lacks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Settle {
    /// The name of the machine on which the command runs, typed.
    pub confirm_name: String,
    /// What has happened, and why it is well now.
    pub reason: String,
    /// The operator's own password again; asked of whoever comes through the panel.
    pub password: Option<Secret>,
}

/// What an operator brings to let a replica be replaced whose content the Master does not know.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Accept {
    /// The dataset.
    pub dataset: String,
    /// The content that is here and may be replaced: this one and no other.
    pub content: String,
    /// Why.
    pub reason: String,
    /// The name of the machine on which the command runs, typed.
    pub confirm_name: String,
    /// The operator's own password again; asked of whoever comes through the panel.
    pub password: Option<Secret>,
}

/// The two verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// With the Master up: nothing but its being alive would stand in the way on the day.
    pub ready: bool,
    /// It could be activated at this moment, with the operator's words where they are needed.
    pub now: bool,
    /// When it was found out.
    pub checked_at: Timestamp,
    /// Whether something was changed since.
    pub stale: bool,
}

/// What would be lost of one dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// Its name.
    pub dataset: String,
    /// The last complete generation; `null` without one: everything is lost.
    pub generation: Option<u64>,
    /// When it was captured, by the Master's clock.
    pub captured_at: Option<Timestamp>,
    /// How long ago that was; what the Master wrote since then is not here.
    pub age_seconds: Option<f64>,
    /// Bytes of a later generation that were on their way; `null` when none was.
    pub in_flight: Option<u64>,
    /// Whether the Master itself has said that nothing is newer.
    pub none_confirmed: bool,
    /// Newer complete generations that are here and would not be used, because an older restore point was chosen.
    #[serde(default)]
    pub skipped: u64,
    /// The chosen restore point has nothing of this dataset: it would go on from the oldest that is here.
    #[serde(default)]
    pub missing: Option<Missing>,
}

impl Loss {
    /// What would be lost of the same dataset if the service went on from `point`, which is one of `points`.
    #[must_use]
    pub fn against(&self, point: &RestorePoint, points: &[RestorePoint], masters_now: Timestamp) -> Self {
        let Some(part) = point.part(&self.dataset) else { return self.clone() };
        if Some(part.generation) == self.generation {
            return Self { missing: part.missing, ..self.clone() };
        }
        let of_this = points.iter().filter_map(|one| one.part(&self.dataset)).map(|one| one.generation);
        let newer: BTreeSet<u64> = of_this.filter(|generation| *generation > part.generation).collect();
        Self {
            generation: Some(part.generation),
            captured_at: Some(part.captured_at),
            age_seconds: Some(age(part.captured_at, masters_now)),
            none_confirmed: false,
            skipped: newer.len() as u64,
            missing: part.missing,
            ..self.clone()
        }
    }
}

/// Seconds from one moment to a later one, to a tenth; never negative, whatever the clocks do.
#[must_use]
pub fn age(from: Timestamp, to: Timestamp) -> f64 {
    (to.duration_since(from).as_secs_f64().max(0.0) * 10.0).round() / 10.0
}

/// One step to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// `close_inbound`, `point`, `power_off:IP`, `evidence`, `mandate`, `freeze`, `start:NAME`, `verify`, …
    pub id: String,
    /// The group of own steps in which it stands.
    #[serde(default)]
    pub group: Option<String>,
}

impl PlannedStep {
    /// One that is none of the customer's own.
    pub fn of_every_site(id: impl Into<String>) -> Self {
        Self { id: id.into(), group: None }
    }
}

/// `tvox-dr activate --dry-run --json`, with `F` in words; and what the page Attivazione stands on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreflightReport<F = Refused> {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// Whether the command, as given, would be obeyed.
    pub allowed: bool,
    /// Why not, all of it.
    pub blocked: Vec<F>,
    /// What does not stand in the way and should be known.
    pub warnings: Vec<F>,
    /// The two verdicts.
    pub verdict: Verdict,
    /// Every machine of the other site.
    pub isolation: Vec<MachineIsolation>,
    /// The restore point that the service would go on from; `null` where it goes on from its own data, or from whatever
    /// is newest then.
    #[serde(default)]
    pub point: Option<String>,
    /// Every dataset.
    pub loss: Vec<Loss>,
    /// Every step to come.
    pub steps: Vec<PlannedStep>,
    /// The own steps that will not be done, because their group is switched off.
    #[serde(default)]
    pub left_out: Vec<PlannedStep>,
}

impl PreflightReport<Refused> {
    /// The same, with its findings in words.
    #[must_use]
    pub fn in_words(self, lang: Lang) -> PreflightReport<Finding> {
        let words = |list: Vec<Refused>| list.iter().map(|refused| refused.finding(lang)).collect();
        PreflightReport {
            schema: self.schema,
            allowed: self.allowed,
            blocked: words(self.blocked),
            warnings: words(self.warnings),
            verdict: self.verdict,
            isolation: self.isolation,
            point: self.point,
            loss: self.loss,
            steps: self.steps,
            left_out: self.left_out,
        }
    }
}
