//! The limits on the Soglie page: name, unit, default, and the range in which each makes sense.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::field::Problem;
use crate::lang::Lang;

macro_rules! thresholds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $default:literal, $min:literal..=$max:literal, $unit:literal, $it:literal, $en:literal;)*) => {
        /// One limit.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Threshold { $($(#[$doc])* $variant,)* }

        impl Threshold {
            /// All limits, in the page's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in commands, tables and JSON.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The value where none is set.
            #[must_use]
            pub const fn default(self) -> u32 {
                match self { $(Self::$variant => $default,)* }
            }

            /// The least and the greatest value that make sense.
            #[must_use]
            pub const fn range(self) -> (u32, u32) {
                match self { $(Self::$variant => ($min, $max),)* }
            }

            /// Its unit.
            #[must_use]
            pub const fn unit(self) -> &'static str {
                match self { $(Self::$variant => $unit,)* }
            }

            /// The words a reader sees.
            #[must_use]
            pub const fn label(self, lang: Lang) -> &'static str {
                match self { $(Self::$variant => lang.pick($it, $en),)* }
            }
        }
    };
}

thresholds! {
    /// How often the other machine is probed.
    ProbeInterval = "probe.interval_ms", 1000, 100..=60_000, "ms",
        "Intervallo fra due controlli", "Interval between two probes";
    /// Failed probes in a row until it counts as lost.
    PeerBad = "peer.bad", 3, 1..=100, "",
        "Controlli falliti di seguito prima dell'allarme", "Failed probes in a row before the alarm";
    /// Good probes in a row until it counts as back.
    PeerGood = "peer.good", 2, 1..=100, "",
        "Controlli riusciti di seguito prima del rientro", "Good probes in a row before it is cleared";
    /// The lag that is worth a warning.
    LagSoft = "lag.soft_s", 60, 1..=86_400, "s",
        "Ritardo della replica che dà un avviso", "Lag of the replica that gives a warning";
    /// The lag that is an alarm.
    LagHard = "lag.hard_s", 300, 1..=604_800, "s",
        "Ritardo della replica che dà un allarme", "Lag of the replica that gives an alarm";
    /// The free space below which the disk counts as nearly full.
    DiskMinFree = "disk.min_free_percent", 10, 0..=90, "%",
        "Spazio libero minimo sul disco", "Least free space on the disk";
    /// How long the Master must serve after a failback before that is called done.
    FailbackStable = "failback.stable_s", 10, 0..=3600, "s",
        "Servizio stabile del Master prima di chiudere un rientro con i dati", "Steady service of the Master before a failback is done";
    /// How many days after the last activation drill the next one is overdue; 0: never.
    DrillEvery = "drill.every_days", 0, 0..=400, "d",
        "Giorni tra due prove di attivazione (0: nessun avviso)", "Days between two activation drills (0: no warning)";
}

impl Threshold {
    /// Reads a typed value.
    ///
    /// # Errors
    /// [`Problem::NotANumber`] or [`Problem::OutOfRange`].
    pub fn parse_value(self, typed: &str) -> Result<u32, Problem> {
        let value: u32 = typed.trim().parse().map_err(|_| Problem::NotANumber)?;
        let (min, max) = self.range();
        if (min..=max).contains(&value) { Ok(value) } else { Err(Problem::OutOfRange { min, max }) }
    }
}

impl FromStr for Threshold {
    type Err = Problem;

    fn from_str(name: &str) -> Result<Self, Problem> {
        Self::ALL.iter().copied().find(|threshold| threshold.name() == name).ok_or(Problem::NotFound)
    }
}

/// One limit as set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThresholdInfo {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: u32,
    /// The value where none is set.
    pub default: u32,
    /// Its unit; empty for a count.
    pub unit: String,
}

/// `tvox-dr threshold list --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThresholdsReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// In the page's order.
    pub thresholds: Vec<ThresholdInfo>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_contract_and_lie_in_their_ranges() {
        let told: Vec<_> = Threshold::ALL.iter().map(|t| (t.name(), t.default())).collect();
        let contract = [
            ("probe.interval_ms", 1000),
            ("peer.bad", 3),
            ("peer.good", 2),
            ("lag.soft_s", 60),
            ("lag.hard_s", 300),
            ("disk.min_free_percent", 10),
            ("failback.stable_s", 10),
            ("drill.every_days", 0),
        ];
        assert_eq!(told, contract);
        for threshold in Threshold::ALL {
            assert_eq!(threshold.parse_value(&threshold.default().to_string()), Ok(threshold.default()));
        }
        assert_eq!(Threshold::PeerBad.parse_value("0"), Err(Problem::OutOfRange { min: 1, max: 100 }));
        assert_eq!(Threshold::PeerBad.parse_value("three"), Err(Problem::NotANumber));
    }
}
