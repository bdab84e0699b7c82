//! What the page *Monitor di sistema* shows: both machines, the disks, the services, and how far each replica was behind
//! during the last hour.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::alarm_list::AlarmBrief;
use crate::service::ServiceStatus;
use crate::state::NodeState;
use crate::status::{NodeInfo, PairInfo};

/// How long a history is, in seconds.
pub const HISTORY_SECONDS: i64 = 3600;
/// A history holds one point for each so many seconds.
pub const HISTORY_STEP_SECONDS: i64 = 10;

/// The answer to [`crate::query::Monitor`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MonitorReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// By this machine's clock.
    pub at: Timestamp,
    /// This machine.
    pub node: NodeInfo,
    /// What it is doing.
    pub state: NodeState,
    /// The other machine, and the link to it.
    pub pair: PairInfo,
    /// The file systems that the product writes on; empty until they were measured.
    pub disks: Vec<DiskInfo>,
    /// Declared services.
    pub services: Vec<ServiceStatus>,
    /// The lag of each replica.
    pub lag: LagHistory,
    /// The latest alarms.
    pub alarms: Vec<AlarmBrief>,
}

/// One file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskInfo {
    /// Directories of the product on it: the data directory, the places of the replicas.
    pub paths: Vec<String>,
    /// What an ordinary program may still write.
    pub free_bytes: u64,
    /// Its size.
    pub total_bytes: u64,
    /// The least free share, in percent: `disk.min_free_percent`.
    pub limit_percent: u32,
}

impl DiskInfo {
    /// The free share, in percent, rounded down.
    #[must_use]
    pub const fn free_percent(&self) -> u64 {
        let total = if self.total_bytes == 0 { 1 } else { self.total_bytes };
        self.free_bytes.saturating_mul(100) / total
    }

    /// Whether less is free than there should be.
    #[must_use]
    pub const fn is_low(&self) -> bool {
        self.free_percent() < self.limit_percent as u64
    }
}

/// How far the replicas were behind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LagHistory {
    /// Beyond it there is a warning: `lag.soft_s`.
    pub soft_seconds: u32,
    /// Beyond it there is an alarm: `lag.hard_s`.
    pub hard_seconds: u32,
    /// By dataset.
    pub series: Vec<LagSeries>,
}

/// One replica's last hour. It begins anew with each start of the node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LagSeries {
    /// The dataset.
    pub dataset: String,
    /// Oldest first; a time without a point is a time in which nothing was known.
    pub points: Vec<LagPoint>,
}

/// The worst lag within one step of the history.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LagPoint {
    /// When.
    pub at: Timestamp,
    /// How far behind, in seconds.
    pub lag_seconds: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_low_below_its_limit_and_not_at_it() {
        let disk = |free_bytes, limit_percent| DiskInfo {
            paths: vec!["/".into()],
            free_bytes,
            total_bytes: 1000,
            limit_percent,
        };
        assert!(disk(99, 10).is_low());
        assert!(!disk(100, 10).is_low());
        assert!(!disk(0, 0).is_low());
        assert_eq!(DiskInfo { total_bytes: 0, ..disk(0, 10) }.free_percent(), 0);
    }
}
