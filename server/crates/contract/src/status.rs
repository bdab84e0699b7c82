//! `tvox-dr status`: the whole node in one object.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::approval::ApprovalPolicy;
use crate::dataset::{DatasetClass, DatasetKind, Group};
use crate::gate::GateReport;
use crate::lang::Lang;
use crate::last_written::LastWritten;
use crate::licence::LicenceSummary;
use crate::mandate::{MandateFinding, MandateKind, Tombstone};
use crate::recipient::Recipient;
use crate::role::NodeRole;
use crate::rule::Refused;
use crate::run::{RunBrief, RunKind, RunState};
use crate::service::{Desired, ServiceStatus};
use crate::state::NodeState;
use crate::sync::{DatasetState, Progress, Switch};

/// `tvox-dr status --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// This machine.
    pub node: NodeInfo,
    /// What it is doing.
    pub state: NodeState,
    /// Who may serve; `null` before there is a pair.
    pub mandate: Option<MandateInfo>,
    /// The highest generation: committed (Client) or captured (Master); `null` before the first.
    pub generation: Option<u64>,
    /// The other machine.
    pub pair: PairInfo,
    /// The two switches of the Replicazione page.
    pub sync: Switches,
    /// Every dataset in short.
    pub datasets: Vec<DatasetBrief>,
    /// The licence.
    pub licence: LicenceSummary,
    /// Declared services.
    pub services: Vec<ServiceStatus>,
    /// The return gate; `null` before there is a pair.
    pub gate: Option<GateReport>,
    /// The run in progress, or the last one; `null` when there was none.
    pub run: Option<RunBrief>,
    /// Whether grave runs need a second person.
    #[serde(default)]
    pub approval: ApprovalPolicy,
    /// Own steps of an activation, or of a take-over, that were never undone although the service has left otherwise.
    #[serde(default)]
    pub steps_left: Vec<String>,
    /// Content on its way from the DR to the Master, as this machine sees it; `null` when there is none.
    pub travel: Option<TravelInfo>,
    /// Open alarms.
    pub alarms: AlarmCount,
}

/// `travel` in the status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TravelInfo {
    /// The failback.
    pub run: String,
    /// What is at work now; `null` between two datasets.
    pub dataset: Option<String>,
    /// How far that is.
    pub progress: Option<Progress>,
    /// Why the content is not in its place yet, in the machine's words (Master).
    pub trouble: Option<String>,
}

impl StatusReport {
    /// Whether this node holds the service and has been told to keep it down.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        let by_run =
            || self.run.as_ref().is_some_and(|run| run.kind == RunKind::Suspension && run.state == RunState::Done);
        let down = |service: &ServiceStatus| service.desired == Desired::Down;
        self.state == NodeState::Active
            && if self.services.is_empty() { by_run() } else { self.services.iter().all(down) }
    }

    /// Who declared this machine lost, where somebody did.
    #[must_use]
    pub fn declared_lost(&self) -> Option<&Tombstone> {
        self.gate.as_ref()?.declared_lost.as_ref()
    }

    /// The run that is not over.
    #[must_use]
    pub fn open_run(&self) -> Option<&RunBrief> {
        self.run.as_ref().filter(|run| !run.state.is_over())
    }

    /// The other machine's name; its role where it has not said it yet.
    #[must_use]
    pub fn peer_name(&self) -> &str {
        let said = self.pair.peer.as_ref().and_then(|peer| peer.name.as_deref());
        said.unwrap_or_else(|| self.node.role.other().label())
    }
}

/// This machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// Its name.
    pub name: String,
    /// Its id: a random one, made by `init`.
    pub id: String,
    /// Which side it is.
    pub role: NodeRole,
    /// Product version.
    pub version: String,
    /// Version of the conversation between nodes.
    pub protocol: u32,
}

/// Who may serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MandateInfo {
    /// The number people see.
    pub epoch: u64,
    /// Its random id.
    pub id: String,
    /// The site that may serve.
    pub holder: NodeRole,
    /// How it came to be.
    pub kind: MandateKind,
    /// What speaks against it.
    pub findings: Vec<MandateFinding>,
    /// The machines that were declared lost.
    #[serde(default)]
    pub retired: Vec<Tombstone>,
}

/// The pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairInfo {
    /// Its id; `null` while not associated.
    pub id: Option<String>,
    /// Whether the two machines know each other's keys.
    pub associated: bool,
    /// The other machine; `null` while its address is not set.
    pub peer: Option<PeerInfo>,
    /// Where the Master site has two members; `null` where it has one.
    pub cluster: Option<ClusterInfo>,
}

/// The other machine as seen from here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerInfo {
    /// Its name; `null` before it said so.
    pub name: Option<String>,
    /// Its product version, likewise.
    pub version: Option<String>,
    /// Whether the two versions fit together, likewise.
    pub compatible: Option<bool>,
    /// Its addresses.
    pub machines: Vec<MachineInfo>,
    /// Why it does not talk to us although it answers; `null` when all is well or it is silent.
    pub complaint: Option<Refused>,
}

/// One machine of the other site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineInfo {
    /// Its IP.
    pub ip: IpAddr,
    /// The port of its peer link.
    pub port: u16,
    /// Whether the peer link to it is up.
    pub reachable: bool,
    /// Since when it is so; `null` before the first attempt.
    pub since: Option<Timestamp>,
    /// When it last answered.
    pub last_seen: Option<Timestamp>,
    /// Its name; `null` before it said so.
    pub name: Option<String>,
    /// Whether this machine is associated with it.
    pub associated: bool,
    /// What it is doing; `null` while it is not heard.
    pub state: Option<NodeState>,
    /// Whether the node IP of its cluster is on it; `null` while it is not heard, and of a machine that stands alone.
    pub serves: Option<bool>,
}

/// A Master site of two members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterInfo {
    /// The address that is on whichever member serves.
    pub node_ip: IpAddr,
    /// Client: the member that content comes from; `null` on a member, and while none says that it serves.
    pub source: Option<IpAddr>,
    /// Member: whether the node IP is on this machine; `null` on the Client.
    pub serves: Option<bool>,
    /// Member: the command that says so; `null` where its interfaces are looked at.
    pub check: Option<String>,
    /// Member: the other one.
    pub sibling: Option<MachineInfo>,
}

/// The two switches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switches {
    /// *Database*.
    pub database: Switch,
    /// *File di sistema*.
    pub files: Switch,
    /// When a row that was stopped for a time starts again by itself.
    pub until: StoppedUntil,
}

impl Switches {
    /// One row's switch.
    #[must_use]
    pub const fn of(&self, group: Group) -> Switch {
        match group {
            Group::Database => self.database,
            Group::Files => self.files,
        }
    }

    /// When one row starts again by itself; `None` where it is ON, or waits for somebody to press START.
    #[must_use]
    pub const fn until(&self, group: Group) -> Option<Timestamp> {
        match group {
            Group::Database => self.until.database,
            Group::Files => self.until.files,
        }
    }
}

/// When each row starts again by itself, by the Client's clock; `null` where it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StoppedUntil {
    /// *Database*.
    pub database: Option<Timestamp>,
    /// *File di sistema*.
    pub files: Option<Timestamp>,
}

/// A dataset in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetBrief {
    /// Its name.
    pub name: String,
    /// How it is captured.
    pub kind: DatasetKind,
    /// What it is to the service.
    pub class: DatasetClass,
    /// How the replica stands.
    pub state: DatasetState,
    /// How far the replica is behind, in seconds; `null` without a complete generation.
    pub lag_seconds: Option<f64>,
    /// The last complete generation.
    pub generation: Option<u64>,
    /// What the Master wrote last; `null` while it serves, and where that is not known.
    #[serde(default)]
    pub last_written: Option<LastWritten>,
}

/// Open alarms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AlarmCount {
    /// How many.
    pub open: u32,
    /// The highest priority among them.
    pub highest_priority: Option<u8>,
}

/// `tvox-dr peer show --json`, and the page Disaster Recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// The address as set, `IP[:PORT]`.
    pub address: Option<String>,
    /// Client: the addresses of both machines of a cluster, as set; one that was lost keeps its place.
    #[serde(default)]
    pub members: Vec<String>,
    /// The pair.
    pub pair: PairInfo,
    /// SHA-256 of this machine's certificate.
    pub fingerprint: String,
    /// SHA-256 of the other machine's certificate, pinned at the association.
    pub peer_fingerprint: Option<String>,
    /// Who is told.
    pub recipients: Vec<Recipient>,
    /// In which language.
    pub language: Lang,
}

/// `tvox-dr recipient list --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientsReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// E-mail first.
    pub recipients: Vec<Recipient>,
}
