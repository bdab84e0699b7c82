//! Everything that only reads, as one value with one answer each. Any viewer may ask anything: what must not be read
//! (secrets, hashes of passwords) is in no answer.

use serde::{Deserialize, Serialize};

use crate::alarm::AlarmsReport;
use crate::alarm_list::{AlarmFilter, AlarmHistory};
use crate::approval::ApprovalReport;
use crate::audit::{AuditReport, AuditVerdict};
use crate::bandwidth::BandwidthReport;
use crate::dataset::Dataset;
use crate::failback::{Failback, FailbackReport};
use crate::gate::{GateCheck as Checked, GateReport};
use crate::lag::LagReport;
use crate::licence::LicenceReport;
use crate::live;
use crate::monitor::MonitorReport;
use crate::own_step::OwnStepsReport;
use crate::power::IsolationReport;
use crate::preflight::{PreflightReport, Release, Take};
use crate::preserved::PreservedReport;
use crate::release::ReleaseReport;
use crate::run::{RunReport, RunsReport};
use crate::scrub::ScrubReport;
use crate::service::ServicesReport;
use crate::sms::SmsReport;
use crate::smtp::SmtpReport;
use crate::status::{PeerReport, RecipientsReport, StatusReport};
use crate::sync::{PointsReport, SyncReport};
use crate::task::{TaskReport, TasksReport};
use crate::telephony::TelephonyReport;
use crate::threshold::ThresholdsReport;
use crate::users::UsersReport;

/// A question and the type of its answer.
pub trait Question: Into<Query> + Send {
    /// What comes back.
    type Answer;

    /// Takes the answer out of the envelope; `None` when it is another question's.
    fn open(answer: Answer) -> Option<Self::Answer>;
}

macro_rules! questions {
    ($($(#[$doc:meta])* $name:ident $({ $($(#[$fdoc:meta])* $field:ident: $ty:ty,)* })? => $answer:ty;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
            pub struct $name $({ $($(#[$fdoc])* pub $field: $ty,)* })?
            questions!(@end $($($field)*)?);

            impl From<$name> for Query {
                fn from(question: $name) -> Self { Self::$name(question) }
            }

            impl Question for $name {
                type Answer = $answer;

                fn open(answer: Answer) -> Option<$answer> {
                    match answer { Answer::$name(inner) => Some(*inner), _ => None }
                }
            }
        )*

        /// Any question.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Query { $($(#[$doc])* $name($name),)* }

        /// The answer to it. It travels without a tag: who asked knows what comes back.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Answer { $($(#[$doc])* $name(Box<$answer>),)* }
    };
    (@end $($field:ident)*) => {};
}

questions! {
    /// The whole node.
    Status {} => StatusReport;
    /// Its replicas.
    SyncStatus {} => SyncReport;
    /// How fast content may travel.
    Bandwidth {} => BandwidthReport;
    /// What the pages show live.
    Live {} => live::Live;
    /// One task, or the last one.
    Task {
        /// Its id; `None` for the last one.
        id: Option<String>,
    } => Option<TaskReport>;
    /// The last task of each kind.
    Tasks {} => TasksReport;
    /// How far the replicas were behind.
    Lag {
        /// The last so many seconds.
        seconds: u32,
    } => LagReport;
    /// What can be gone back to, and how many are kept.
    Points {} => PointsReport;
    /// The verification that goes on all the time.
    Scrub {} => ScrubReport;
    /// The other machine and the recipients.
    Peer {} => PeerReport;
    /// Who is told.
    Recipients {} => RecipientsReport;
    /// Declared datasets.
    Datasets {} => DatasetsReport;
    /// The licence.
    Licence {} => LicenceReport;
    /// The limits.
    Thresholds {} => ThresholdsReport;
    /// The alarms.
    Alarms {
        /// Also those that have ended.
        all: bool,
    } => AlarmsReport;
    /// The alarms that fit, page by page.
    AlarmsPage {
        /// Which.
        filter: AlarmFilter,
        /// From 1; beyond the last it is the last.
        page: usize,
    } => AlarmHistory;
    /// Machines, disks, services, and the last hour of each replica.
    Monitor {} => MonitorReport;
    /// The mail server.
    Smtp {} => SmtpReport;
    /// The SMS accounts.
    Sms {} => SmsReport;
    /// The services.
    Services {} => ServicesReport;
    /// The machines of the other site, and how their power is read.
    Isolation {} => IsolationReport;
    /// What proves that calls can be made here, and what is known of it.
    Telephony {} => TelephonyReport;
    /// The customer's own steps.
    OwnSteps {} => OwnStepsReport;
    /// The return gate; `null` before there is a pair.
    Gate {} => Option<GateReport>;
    /// Whether grave runs need a second person, and which one waits for theirs.
    Approval {} => ApprovalReport;
    /// Whether a service may be started on this machine now.
    GateCheck {} => Checked;
    /// What would happen if this were brought to the button.
    DryRun {
        /// What an operator would bring.
        take: Take,
    } => PreflightReport;
    /// What a roll back would do.
    ReleaseDryRun {
        /// What an operator would bring.
        release: Release,
    } => ReleaseReport;
    /// What a failback would do, as far as the Master tells.
    FailbackDryRun {
        /// What an operator would bring.
        failback: Failback,
    } => FailbackReport;
    /// What failbacks have replaced here.
    Preserved {} => PreservedReport;
    /// All runs.
    Runs {} => RunsReport;
    /// One run, or the last one.
    Run {
        /// Its id; `None` for the last one.
        id: Option<String>,
    } => Option<RunReport>;
    /// Who may log in.
    Users {} => UsersReport;
    /// The audit log.
    Audit {
        /// Only entries after this number.
        since: Option<i64>,
        /// Only the newest so many of them.
        last: Option<u32>,
    } => AuditReport;
    /// Recomputes the chain of the audit log.
    AuditVerify {} => AuditVerdict;
}

/// `tvox-dr dataset list --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetsReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// By name.
    pub datasets: Vec<DatasetEntry>,
}

/// A declared dataset with its size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetEntry {
    /// The declaration.
    #[serde(flatten)]
    pub dataset: Dataset,
    /// Files to copy, counted on the Master; `null` on the Client, or while the source cannot be read.
    pub files: Option<u64>,
    /// Bytes to copy: what the Client's disk must hold.
    pub bytes: Option<u64>,
    /// Why it cannot be read, in the engine's words.
    pub problem: Option<String>,
}
