//! What changes on a page while it is open: one object, sent whole at each change over one event stream.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::alarm_list::AlarmBrief;
use crate::monitor::DiskInfo;
use crate::preflight::PreflightReport;
use crate::run::RunReport;
use crate::status::StatusReport;
use crate::sync::SyncReport;
use crate::task::TaskReport;
use crate::telephony::TelephonyNow;

/// The live picture of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// By this machine's clock.
    pub at: Timestamp,
    /// The node.
    pub status: StatusReport,
    /// Its replicas.
    pub sync: SyncReport,
    /// The last task, running or ended; `null` when there was none since the start.
    pub task: Option<TaskReport>,
    /// The run in progress, or the last one; `null` when there was none.
    pub run: Option<RunReport>,
    /// The telephony of this machine; `null` where nothing is set.
    #[serde(default)]
    pub telephony: Option<TelephonyNow>,
    /// What would happen if the button were pressed; `null` until it was found out, or where there is no button.
    pub preflight: Option<PreflightReport>,
    /// The open alarms and those that ended last, [`crate::alarm_list::LATEST`] at most.
    pub alarms: Vec<AlarmBrief>,
    /// The file systems that the product writes on; empty until they were measured.
    pub disks: Vec<DiskInfo>,
}
