//! How far the replicas were behind, over an hour, a day or a week, and from when on that is too much.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::field::{FieldError, Problem};
use crate::lang::Lang;
use crate::monitor::LagPoint;
use crate::span;
use crate::threshold::Threshold;

/// A stretch of time that is looked back over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum LagWindow {
    /// The last hour.
    #[default]
    #[serde(rename = "1h")]
    Hour,
    /// The last 24 hours.
    #[serde(rename = "24h")]
    Day,
    /// The last 7 days.
    #[serde(rename = "7d")]
    Week,
}

impl LagWindow {
    /// All of them, the shortest first.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    /// The word in addresses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }

    /// How long it is, in seconds.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        match self {
            Self::Hour => 3600,
            Self::Day => 86_400,
            Self::Week => 7 * 86_400,
        }
    }

    /// It holds one point for each so many seconds.
    #[must_use]
    pub const fn step_seconds(self) -> u32 {
        match self {
            Self::Hour => 10,
            Self::Day => 120,
            Self::Week => 900,
        }
    }

    /// The shortest one that is at least so long.
    #[must_use]
    pub fn holding(seconds: u32) -> Self {
        Self::ALL.into_iter().find(|window| window.seconds() >= seconds).unwrap_or(Self::Week)
    }

    /// The words a reader sees.
    #[must_use]
    pub const fn label(self, lang: Lang) -> &'static str {
        match self {
            Self::Hour => lang.pick("1 ora", "1 hour"),
            Self::Day => lang.pick("24 ore", "24 hours"),
            Self::Week => lang.pick("7 giorni", "7 days"),
        }
    }
}

/// From when on one replica is too far behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LagLimits {
    /// Beyond it there is a warning, in seconds.
    pub soft_seconds: u32,
    /// Beyond it there is an alarm, in seconds.
    pub hard_seconds: u32,
}

/// A dataset's own limits as typed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LagLimitForm {
    /// The dataset.
    pub dataset: String,
    /// A span: beyond it there is a warning.
    pub soft: String,
    /// A span: beyond it there is an alarm.
    pub hard: String,
}

impl LagLimitForm {
    /// Reads both spans.
    ///
    /// # Errors
    /// One [`FieldError`] for each that cannot be taken; the alarm cannot come before the warning.
    pub fn check(&self) -> Result<LagLimits, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut read = |field: &str, typed: &str, limit: Threshold| {
            let (min, max) = limit.range();
            span::parse(typed, min..=max).map_err(|problem| errors.push(FieldError::new(field, problem))).ok()
        };
        let soft = read("soft", &self.soft, Threshold::LagSoft);
        let hard = read("hard", &self.hard, Threshold::LagHard);
        match (soft, hard) {
            (Some(soft_seconds), Some(hard_seconds)) if soft_seconds <= hard_seconds => {
                Ok(LagLimits { soft_seconds, hard_seconds })
            }
            (Some(min), Some(_)) => {
                let max = Threshold::LagHard.range().1;
                Err(vec![FieldError::new("hard", Problem::SpanOutOfRange { min, max })])
            }
            _ => Err(errors),
        }
    }
}

/// `tvox-dr sync lag --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LagReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// Nothing older is told.
    pub since: Timestamp,
    /// By this machine's clock.
    pub at: Timestamp,
    /// One point at most for each so many seconds.
    pub step_seconds: u32,
    /// Every dataset, by name.
    pub datasets: Vec<DatasetLag>,
}

/// One replica.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetLag {
    /// The dataset.
    pub dataset: String,
    /// How far it is behind now; `null` where that is not known.
    pub lag_seconds: Option<f64>,
    /// Its limits.
    #[serde(flatten)]
    pub limits: LagLimits,
    /// Whether they are its own, or those of the Soglie page.
    pub own_limits: bool,
    /// The worst of each step, oldest first. A step without a point is a time in which nothing was known: the other
    /// machine was not seen, or this one was off.
    pub points: Vec<LagPoint>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(soft: &str, hard: &str) -> Result<LagLimits, Vec<String>> {
        let form = LagLimitForm { dataset: "conf".into(), soft: soft.into(), hard: hard.into() };
        form.check().map_err(|errors| errors.into_iter().map(|error| error.field).collect())
    }

    #[test]
    fn an_alarm_cannot_come_before_its_warning() {
        assert_eq!(check("2m", "1h"), Ok(LagLimits { soft_seconds: 120, hard_seconds: 3600 }));
        assert!(check("1h", "1h").is_ok());
        assert_eq!(check("1h", "2m"), Err(vec!["hard".into()]));
        assert_eq!(check("soon", ""), Err(vec!["soft".into(), "hard".into()]));
    }

    #[test]
    fn a_span_is_looked_back_over_in_the_finest_steps_that_reach_so_far() {
        assert_eq!(
            [1, 3600, 3601, 90_000].map(LagWindow::holding),
            [LagWindow::Hour, LagWindow::Hour, LagWindow::Day, LagWindow::Week]
        );
    }
}
