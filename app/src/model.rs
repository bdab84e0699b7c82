//! What the server hands over: who asks and where (context), and what the page shows (model).

use contract::alarm_list::{AlarmFilter, AlarmHistory};
use contract::approval::ApprovalReport;
use contract::audit::{AuditEntry, AuditHead, AuditVerdict};
use contract::command::JoinToken;
use contract::gate::GateReport;
use contract::lag::{LagReport, LagWindow};
use contract::licence::LicenceReport;
use contract::live::Live;
use contract::monitor::MonitorReport;
use contract::own_step::{OwnStep, StepKind};
use contract::power::{IsolationReport, PowerWay};
use contract::preserved::PreservedReport;
use contract::query::DatasetEntry;
use contract::role::NodeRole;
use contract::run::{RunEntry, RunReport, RunsReport};
use contract::scrub::ScrubReport;
use contract::service::{Service, ServiceEntry};
use contract::sms::SmsAccountInfo;
use contract::smtp::SmtpReport;
use contract::status::{NodeInfo, PeerReport};
use contract::sync::{PointsReport, RestorePoint};
use contract::task::TasksReport;
use contract::telephony::TelephonyReport;
use contract::threshold::ThresholdsReport;
use contract::users::User;
use contract::{Lang, Role, Timestamp};
use jiff::tz::TimeZone;

use crate::action::Action;
use crate::form::FormState;
use crate::fresh::Fresh;

/// The request, as far as a page may know it.
#[derive(Debug, Clone)]
pub struct Context {
    /// The reader's language.
    pub lang: Lang,
    /// This machine.
    pub node: NodeInfo,
    /// Who reads; `None` before the login.
    pub user: Option<Reader>,
    /// The path and query of this page, to come back to after a change of language.
    pub path: String,
    /// The node's clock.
    pub now: Timestamp,
    /// The server's zone.
    pub zone: TimeZone,
    /// The state as of now; `None` before the login: a stranger learns no state.
    pub live: Option<std::sync::Arc<Live>>,
    /// What was just done.
    pub notice: Option<Action>,
    /// What the server on the other end said to it, word for word.
    pub answer: Option<String>,
    /// The form that came back.
    pub form: FormState,
    /// Where the pieces are kept that an open page gets anew.
    pub fresh: Fresh,
    /// For the scripts that this page may run.
    pub nonce: String,
    /// Where assets are, with the hash of their content in the path: `assets/0123abcd`.
    pub assets: String,
}

/// Who reads the page.
#[derive(Debug, Clone)]
pub struct Reader {
    /// The name.
    pub name: String,
    /// The power.
    pub role: Role,
    /// Whether a new password must be chosen first.
    pub must_change: bool,
}

impl Context {
    /// Whether the reader may press that button.
    #[must_use]
    pub fn may(&self, action: Action) -> bool {
        self.user.as_ref().is_some_and(|user| user.role >= action.role())
    }

    /// Picks the sentence of the reader's language.
    #[must_use]
    pub const fn t<'a>(&self, it: &'a str, en: &'a str) -> &'a str {
        self.lang.pick(it, en)
    }

    /// The offset of the server's zone at a moment.
    #[must_use]
    pub fn offset(&self, at: Timestamp) -> i32 {
        self.zone.to_offset(at).seconds()
    }

    /// A moment as the reader reads it.
    #[must_use]
    pub fn moment(&self, at: Timestamp) -> String {
        crate::format::moment(at, self.offset(at), self.lang)
    }
}

/// One page with what it shows.
#[derive(Debug, Clone)]
pub enum Page {
    /// `/login`
    Login(LoginPage),
    /// `/account`
    Account,
    /// `/`
    Overview(OverviewPage),
    /// `/monitor`
    Monitor(Box<MonitorReport>),
    /// `/allarmi`
    Alarms(AlarmsPage),
    /// `/attivazione`: what is not in the live picture.
    Activation(Box<ActivationPage>),
    /// `/operazioni`
    Runs(RunsReport),
    /// `/operazioni?id=…`
    Run(Box<RunReport>),
    /// `/licenza`
    Licence(LicenceReport),
    /// `/disaster-recovery`
    Pairing(PairingPage),
    /// `/dati`
    Datasets(DatasetsPage),
    /// `/replicazione`
    Replication(Box<ReplicationPage>),
    /// `/servizi`
    Services(ServicesPage),
    /// `/isolamento`
    Isolation(IsolationPage),
    /// `/soglie`
    Thresholds(ThresholdsReport),
    /// `/telefonia`
    Telephony(Box<TelephonyReport>),
    /// `/procedura`
    Procedure(ProcedurePage),
    /// `/smtp`
    Smtp(SmtpReport),
    /// `/sms`
    Sms(SmsPage),
    /// `/utenti`
    Users(UsersPage),
    /// `/registro`
    Audit(AuditPage),
    /// Something that is not there, not allowed, or did not work.
    Problem(ProblemKind),
}

/// The login.
#[derive(Debug, Clone, Default)]
pub struct LoginPage {
    /// The name that was typed.
    pub name: String,
    /// Where to go afterwards.
    pub next: String,
    /// Why the last attempt failed.
    pub trouble: Option<LoginTrouble>,
    /// What is said first: a session that ended.
    pub ended: bool,
}

/// Why a login failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginTrouble {
    /// Name or password.
    Wrong,
    /// Too many attempts.
    TooMany {
        /// When another is allowed.
        retry_after_seconds: u64,
    },
    /// The node cannot say.
    Unavailable,
}

/// The home page.
#[derive(Debug, Clone)]
pub struct OverviewPage {
    /// Address and pair.
    pub peer: PeerReport,
    /// The licence.
    pub licence: LicenceReport,
}

/// Allarmi.
#[derive(Debug, Clone)]
pub struct AlarmsPage {
    /// Which are looked for.
    pub filter: AlarmFilter,
    /// One page of them.
    pub history: AlarmHistory,
    /// Path and query of this filter, to which a page's number is added.
    pub address: String,
}

/// Attivazione.
#[derive(Debug, Clone, Default)]
pub struct ActivationPage {
    /// What the service can go on from, newest first; nothing on the Master.
    pub points: Vec<RestorePoint>,
    /// The one whose loss the reader asked for.
    pub point: Option<String>,
    /// The last activation drill.
    pub drill: Option<RunEntry>,
}

/// Disaster Recovery.
#[derive(Debug, Clone)]
pub struct PairingPage {
    /// Address, pair, recipients.
    pub peer: PeerReport,
    /// The token that was just made: shown this once.
    pub token: Option<JoinToken>,
    /// The return gate; `None` before there is a pair.
    pub gate: Option<GateReport>,
}

/// Dati da replicare.
#[derive(Debug, Clone)]
pub struct DatasetsPage {
    /// Declared so far.
    pub datasets: Vec<DatasetEntry>,
    /// What failbacks have replaced here.
    pub preserved: PreservedReport,
}

/// Replicazione.
#[derive(Debug, Clone)]
pub struct ReplicationPage {
    /// Everything that moves.
    pub live: std::sync::Arc<Live>,
    /// The last task of each kind.
    pub tasks: TasksReport,
    /// How far the replicas were behind.
    pub lag: LagReport,
    /// During which time.
    pub window: LagWindow,
    /// What can be gone back to.
    pub points: PointsReport,
    /// The verification that goes on all the time.
    pub scrub: ScrubReport,
    /// How fast content may travel.
    pub bandwidth: contract::bandwidth::BandwidthReport,
    /// What was made here and did not travel home.
    pub exports: PreservedReport,
}

/// Servizi.
#[derive(Debug, Clone)]
pub struct ServicesPage {
    /// In starting order.
    pub services: Vec<ServiceEntry>,
    /// The name of the one whose declaration stands in the form.
    pub edit: Option<String>,
}

impl ServicesPage {
    /// The declaration in the form.
    #[must_use]
    pub fn edited(&self) -> Option<&Service> {
        let name = self.edit.as_ref()?;
        self.services.iter().map(|entry| &entry.service).find(|service| service.name == *name)
    }
}

/// Isolamento.
#[derive(Debug, Clone)]
pub struct IsolationPage {
    /// The machines of the other site.
    pub report: IsolationReport,
    /// The machine whose power is being set, and by which way.
    pub open: Option<(String, PowerWay)>,
}

/// Procedura.
#[derive(Debug, Clone)]
pub struct ProcedurePage {
    /// In the order in which they are done.
    pub steps: Vec<OwnStep>,
    /// The step that is being written.
    pub open: Option<StepDraft>,
}

/// Which step is being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepDraft {
    /// One of this kind that is not there yet.
    New(StepKind),
    /// The one of this name.
    Old(String),
}

/// SMS.
#[derive(Debug, Clone)]
pub struct SmsPage {
    /// The default first.
    pub accounts: Vec<SmsAccountInfo>,
    /// The account that is being written.
    pub open: Option<SmsDraft>,
}

/// Which account is being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SmsDraft {
    /// One that is not there yet.
    New,
    /// The one of this name.
    Old(String),
}

/// Utenti.
#[derive(Debug, Clone)]
pub struct UsersPage {
    /// By name.
    pub users: Vec<User>,
    /// Whether grave runs need two of them.
    pub approval: ApprovalReport,
}

/// The audit log.
#[derive(Debug, Clone)]
pub struct AuditPage {
    /// This page of it, newest first.
    pub entries: Vec<AuditEntry>,
    /// Where the chain stands.
    pub head: AuditHead,
    /// Entries up to this number are shown; `None` from the newest.
    pub upto: Option<i64>,
    /// What was typed there when it is no number.
    pub typed: String,
    /// The number from which an older page goes on.
    pub older: Option<i64>,
    /// The number from which a newer page goes on; `Some(None)` for the newest.
    pub newer: Option<Option<i64>>,
    /// The chain recomputed, where asked.
    pub verdict: Option<AuditVerdict>,
}

/// Why there is no page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProblemKind {
    /// 404.
    NotFound,
    /// 404: it is the other side's page.
    OtherSide(NodeRole),
    /// 403.
    Forbidden(Role),
    /// 403: the request did not come from a page of this panel.
    ForeignRequest,
    /// 405.
    Method,
    /// 400 and 413: a form that cannot be read.
    Unreadable,
    /// 413: too large.
    TooLarge,
    /// 500.
    Broken,
}

impl ProblemKind {
    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::NotFound | Self::OtherSide(_) => 404,
            Self::Forbidden(_) | Self::ForeignRequest => 403,
            Self::Method => 405,
            Self::Unreadable => 400,
            Self::TooLarge => 413,
            Self::Broken => 500,
        }
    }
}
