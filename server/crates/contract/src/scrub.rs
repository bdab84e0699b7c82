//! The verification that goes on all the time: every replica is read again and hashed, piece by piece, so that a disk that
//! forgets is noticed before the day on which the copy is needed.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::lang::Text;
use crate::task::DifferenceInfo;

/// In how long everything may be read again, in seconds.
pub const PERIOD_RANGE: std::ops::RangeInclusive<u32> = 10..=365 * 86_400;

/// As many differences of a damage as are kept.
pub const MAX_DAMAGE: usize = 20;

/// `tvox-dr sync scrub show --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScrubReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// In how long everything is read again, in seconds.
    pub period_seconds: u32,
    /// Every replica, by name.
    pub datasets: Vec<ScrubInfo>,
}

/// How far one replica is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScrubInfo {
    /// The dataset.
    pub dataset: String,
    /// When the pass under way began; `null` before the first.
    pub started_at: Option<Timestamp>,
    /// How far it is, between 0 and 1.
    pub fraction: f64,
    /// Files read in it.
    pub files: u64,
    /// Bytes read in it.
    pub bytes: u64,
    /// The last whole pass; `null` before its end.
    pub last: Option<ScrubPass>,
    /// What was found damaged last, healed or not; `null` when nothing ever was.
    pub damage: Option<Damage>,
}

/// One whole pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScrubPass {
    /// When it ended.
    pub ended_at: Timestamp,
    /// Files read.
    pub files: u64,
    /// Bytes read.
    pub bytes: u64,
    /// What differed.
    pub differences: u64,
}

/// Damage of a replica on its own disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// When it was found.
    pub found_at: Timestamp,
    /// When it was healed from the Master; `null` while it is not.
    pub healed_at: Option<Timestamp>,
    /// How much differs.
    pub total: u64,
    /// The first [`MAX_DAMAGE`] of it.
    pub differences: Vec<DifferenceInfo>,
}

impl Damage {
    /// In a few words, for an alarm.
    #[must_use]
    pub fn brief(&self) -> Text {
        let first = self.differences.first().map(|one| one.path.as_str()).unwrap_or_default();
        match self.total {
            1 => Text::new(format!("1 differenza, in {first}"), format!("1 difference, in {first}")),
            n => Text::new(
                format!("{n} differenze, la prima in {first}"),
                format!("{n} differences, the first in {first}"),
            ),
        }
    }
}
