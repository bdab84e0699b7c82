//! The words of the command line.

mod data;
mod messages;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use node::Config;

use super::alarm::{AlarmVerb, ThresholdVerb};
use super::approval::ApprovalVerb;
use super::deactivate::DeactivateArgs;
use super::drill::DrillArgs;
use super::failback::FailbackArgs;
use super::gate::GateVerb;
use super::isolation::{IsolationVerb, PowerVerb};
use super::operate::{ReleaseArgs, RunVerb, SettleArgs};
use super::preflight::TakeArgs;
use super::preserved::PreservedVerb;
use super::rescue::RescueVerb;
use super::retire::RetireArgs;
use super::service::ServiceVerb;
use super::step::StepVerb;
use super::telephony::TelephonyVerb;

pub use data::{DatasetVerb, LagLimitVerb, Only, RetentionVerb, ScrubVerb, SyncVerb};
pub use messages::{RecipientVerb, SmsAccountVerb, SmsVerb, SmtpVerb};

/// Two-site disaster recovery for TVox: replicates the Master to the DR Client, watches it, and takes over by hand.
#[derive(Debug, Parser)]
#[command(name = "tvox-dr", version, propagate_version = true)]
pub struct Args {
    /// The node's data directory
    #[arg(long, global = true, env = "TVOX_DR_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make a node in an empty directory
    Init(InitArgs),
    /// Run the node
    Serve,
    /// How the node stands
    Status,
    /// Who may log in to the panel
    User {
        #[command(subcommand)]
        verb: UserVerb,
    },
    /// The licence
    Licence {
        #[command(subcommand)]
        verb: LicenceVerb,
    },
    /// The other machine of the pair
    Peer {
        #[command(subcommand)]
        verb: PeerVerb,
    },
    /// Master in a cluster: the other machine of the cluster
    Sibling {
        #[command(subcommand)]
        verb: SiblingVerb,
    },
    /// Who is told when something is wrong
    Recipient {
        #[command(subcommand)]
        verb: RecipientVerb,
    },
    /// What is replicated
    Dataset {
        #[command(subcommand)]
        verb: DatasetVerb,
    },
    /// The replication
    Sync {
        #[command(subcommand)]
        verb: SyncVerb,
    },
    /// The mail server that sends the messages
    Smtp {
        #[command(subcommand)]
        verb: SmtpVerb,
    },
    /// The gateways that send the SMS
    Sms {
        #[command(subcommand)]
        verb: SmsVerb,
    },
    /// From when on something counts as wrong
    Threshold {
        #[command(subcommand)]
        verb: ThresholdVerb,
    },
    /// What is wrong, and who took note
    Alarm {
        #[command(subcommand)]
        verb: AlarmVerb,
    },
    /// Whether this machine may serve after a boot
    Gate {
        /// In plain words, as `gate show --explain`
        #[arg(long)]
        explain: bool,
        #[command(subcommand)]
        verb: Option<GateVerb>,
    },
    /// Whether grave runs need a second person
    Approval {
        #[command(subcommand)]
        verb: ApprovalVerb,
    },
    /// What is known of the machines of the other site
    Isolation {
        #[command(subcommand)]
        verb: IsolationVerb,
    },
    /// The power of the machines of the other site
    Power {
        #[command(subcommand)]
        verb: PowerVerb,
    },
    /// What proves after an activation that calls can be made here
    Telephony {
        #[command(subcommand)]
        verb: TelephonyVerb,
    },
    /// Client: take the service over from the Master
    Activate(TakeArgs),
    /// Master: take the service back when the DR is lost while it serves
    Takeover(TakeArgs),
    /// Client: try what an activation would need while the Master serves; changes nothing
    Drill(DrillArgs),
    /// What makes this machine the PBX
    Service {
        #[command(subcommand)]
        verb: ServiceVerb,
    },
    /// What else an activation does on this site: commands, and what a person does
    Step {
        #[command(subcommand)]
        verb: StepVerb,
    },
    /// Master: what failbacks have replaced, kept until it is discarded
    Preserved {
        #[command(subcommand)]
        verb: PreservedVerb,
    },
    /// What works without database or daemon
    Rescue {
        #[command(subcommand)]
        verb: RescueVerb,
    },
    /// Client: give the service back to the Master
    Deactivate(DeactivateArgs),
    /// Client: give the service back to the Master together with what was made on the DR
    Failback(FailbackArgs),
    /// Client: stop the services of the DR, keep mandate and data
    Suspend(ReleaseArgs),
    /// State that what was found against the mandate is known and meant to be
    Settle(SettleArgs),
    /// What the button has set going
    Run {
        #[command(subcommand)]
        verb: RunVerb,
    },
    /// The audit log
    Audit(AuditArgs),
}

/// What a new node is to be.
#[derive(Debug, ClapArgs)]
pub struct InitArgs {
    /// Which side of the pair
    #[arg(long)]
    pub role: RoleArg,
    /// The machine's name: [a-z0-9-], at most 63
    #[arg(long)]
    pub name: String,
    /// Where the panel listens
    #[arg(long, value_name = "ADDR:PORT", default_value_t = Config::DEFAULT_PANEL)]
    pub panel: SocketAddr,
    /// Where the peer link listens, and from which address it dials
    #[arg(long, value_name = "ADDR:PORT", default_value_t = Config::DEFAULT_PEER)]
    pub peer: SocketAddr,
    /// Serve the panel without TLS; on a loopback address only
    #[arg(long)]
    pub insecure_http: bool,
    /// The supplier's public key for licences
    #[arg(long, value_name = "FILE.pub")]
    pub licence_key: Option<PathBuf>,
}

/// Which side.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RoleArg {
    /// The productive machine
    Master,
    /// The machine at the other site
    Client,
}

/// Users.
#[derive(Debug, Subcommand)]
pub enum UserVerb {
    /// Add a user; the password is read from stdin
    Add {
        /// The user's name
        name: String,
        /// admin, operator or viewer
        #[arg(long)]
        role: String,
        /// Ask for another password at the first login
        #[arg(long)]
        must_change: bool,
    },
    /// Set a user's password, read from stdin; also the way back in when it is lost
    Passwd {
        /// The user's name
        name: String,
        /// Ask for another password at the next login
        #[arg(long)]
        must_change: bool,
    },
    /// Who there is
    List,
    /// Remove a user
    Remove {
        /// The user's name
        name: String,
    },
}

/// Licences.
#[derive(Debug, Subcommand)]
pub enum LicenceVerb {
    /// Supplier: make a key pair; needs no node
    Keygen {
        /// The secret key's file; the public one gets `.pub` behind it
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Supplier: sign a licence; needs no node
    Issue {
        /// The secret key's file
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Serial number
        #[arg(long)]
        serial: String,
        /// The customer
        #[arg(long)]
        company: String,
        /// DISASTER_RECOVERY or CLIENT_DISASTER_RECOVERY; may be repeated
        #[arg(long, required = true)]
        module: Vec<String>,
        /// The last day, or the last moment, at which it is valid
        #[arg(long, value_name = "DATE")]
        expires: Option<String>,
        /// The only node it is valid on
        #[arg(long, value_name = "NODE_ID")]
        machine: Option<String>,
        /// Where to write it
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Load a licence file
    Load {
        /// The file
        file: PathBuf,
    },
    /// Show the loaded licence
    Show,
    /// Remove it
    Remove,
}

/// The other machine.
#[derive(Debug, Subcommand)]
pub enum PeerVerb {
    /// Set its address; of a Master site of two machines, the node IP and both machines
    Set {
        /// IP or IP:PORT; the node IP where members are given
        address: String,
        /// A machine of the Master's cluster, IP or IP:PORT: given twice
        #[arg(long = "member", value_name = "IP[:PORT]")]
        members: Vec<String>,
    },
    /// Master: make a join token for the Client
    Token,
    /// Client: join with the Master's token
    Join {
        /// The token, or - to read it from stdin
        token: String,
    },
    /// Show what is known of it
    Show,
    /// Dissolve the association on this machine
    Forget,
    /// Declare it lost for good: this machine takes the service, or goes on serving; another one may be joined in its place
    Retire(RetireArgs),
}

/// The other machine of this cluster.
#[derive(Debug, Subcommand)]
pub enum SiblingVerb {
    /// Set its address, and how this machine knows that it serves
    Set {
        /// IP or IP:PORT
        address: String,
        /// The IP that is on whichever of the two serves
        #[arg(long, value_name = "IP")]
        node_ip: String,
        /// A command that ends with 0 where the node IP is here; without it the machine's interfaces are looked at
        #[arg(long, value_name = "CMD")]
        check: Option<String>,
    },
    /// Make a join token for it
    Token,
    /// Join it with its token
    Join {
        /// The token, or - to read it from stdin
        token: String,
    },
    /// Show what is known of it
    Show,
    /// The site has one machine again
    Forget,
}

/// The audit log.
#[derive(Debug, ClapArgs)]
pub struct AuditArgs {
    /// Only entries after this number
    #[arg(long, value_name = "SEQ")]
    pub since: Option<i64>,
    /// Recompute the chain; 1 when it is broken
    #[arg(long, conflicts_with = "export")]
    pub verify: bool,
    /// One entry a line, the hash as its last field
    #[arg(long)]
    pub export: bool,
}
