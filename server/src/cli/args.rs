//! The words of the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use node::Config;

use super::alarm::{AlarmVerb, ThresholdVerb};
use super::approval::ApprovalVerb;
use super::bandwidth::BandwidthVerb;
use super::failback::FailbackArgs;
use super::gate::GateVerb;
use super::isolation::{IsolationVerb, PowerVerb};
use super::operate::{DeactivateArgs, ReleaseArgs, RunVerb, SettleArgs};
use super::preflight::TakeArgs;
use super::preserved::PreservedVerb;
use super::rescue::RescueVerb;
use super::retire::RetireArgs;
use super::service::ServiceVerb;
use super::step::StepVerb;
use super::telephony::TelephonyVerb;

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

/// Recipients.
#[derive(Debug, Subcommand)]
pub enum RecipientVerb {
    /// Add one
    Add {
        /// email or sms
        channel: String,
        /// Address or number
        value: String,
    },
    /// Remove one
    Remove {
        /// email or sms
        channel: String,
        /// Address or number
        value: String,
    },
    /// Who there is
    List,
    /// Choose the language of their messages
    Language {
        /// it or en
        language: String,
    },
}

/// The mail server.
#[derive(Debug, Subcommand)]
pub enum SmtpVerb {
    /// Set it
    Set {
        /// Name or IP
        #[arg(long)]
        server: String,
        /// Its port; 25, 587 or 465 unless given
        #[arg(long, value_name = "N", default_value = "")]
        port: String,
        /// none, starttls or tls
        #[arg(long)]
        security: String,
        /// The sender
        #[arg(long, value_name = "ADDR")]
        from: String,
        /// The user, where it authenticates
        #[arg(long, default_value = "")]
        user: String,
        /// Read the password from stdin; without it the stored one is kept
        #[arg(long)]
        password_stdin: bool,
        /// The authority that signed its certificate, as PEM; the system's unless given
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
    },
    /// Show it
    Show,
    /// Send a test mail; 1 with the server's words when it does not take it
    Test {
        /// To whom
        to: String,
    },
}

/// SMS.
#[derive(Debug, Subcommand)]
pub enum SmsVerb {
    /// The gateways
    Account {
        #[command(subcommand)]
        verb: SmsAccountVerb,
    },
}

/// SMS gateways. `{to}` `{text}` `{ref}` `{secret}` are escaped for the place they stand in.
#[derive(Debug, Subcommand)]
pub enum SmsAccountVerb {
    /// Add one, or replace the one of that name
    Add {
        /// Its name
        name: String,
        /// Its URL; may hold {to} {text} {ref} {secret}
        #[arg(long)]
        url: String,
        /// GET or POST
        #[arg(long, default_value = "POST")]
        method: String,
        /// 'Name: value'; may be repeated, may hold placeholders
        #[arg(long, value_name = "HEADER")]
        header: Vec<String>,
        /// The body; may hold placeholders
        #[arg(long, default_value = "")]
        body: String,
        /// The HTTP status that means success
        #[arg(long, value_name = "RANGE", default_value = "200-299")]
        success_status: String,
        /// What the answer must match, too
        #[arg(long, value_name = "REGEX", default_value = "")]
        success_body: String,
        /// Read the secret from stdin; without it the stored one is kept
        #[arg(long)]
        secret_stdin: bool,
        /// The authority that signed its certificate, as PEM; the system's unless given
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
    },
    /// Which there are, in the order in which they are tried
    List,
    /// Remove one
    Remove {
        /// Its name
        name: String,
    },
    /// Choose the one that is tried first
    Default {
        /// Its name
        name: String,
    },
    /// Send a test SMS by one; 1 with its words when it does not take it
    Test {
        /// Its name
        name: String,
        /// To whom
        to: String,
    },
}

/// Datasets.
#[derive(Debug, Subcommand)]
pub enum DatasetVerb {
    /// Master: declare one
    Add {
        /// Its name
        name: String,
        /// files or sqlite
        #[arg(long)]
        kind: String,
        /// Where it is on the Master
        #[arg(long, value_name = "PATH")]
        source: String,
        /// Where the replica is read on the Client; the source's path unless given
        #[arg(long, value_name = "PATH", default_value = "")]
        target: String,
        /// A pattern that stays out; may be repeated
        #[arg(long, value_name = "GLOB")]
        exclude: Vec<String>,
        /// configuration or history
        #[arg(long, default_value = "configuration")]
        class: String,
        /// What an owner is known by on both machines: numbers or names
        #[arg(long, default_value = "numbers")]
        owners: String,
    },
    /// What is declared
    List,
    /// Master: take a declaration back
    Remove {
        /// Its name
        name: String,
    },
}

/// The replication.
#[derive(Debug, Subcommand)]
pub enum SyncVerb {
    /// How each replica stands
    Status,
    /// Client: START
    Start(Only),
    /// Client: STOP
    Stop {
        #[command(flatten)]
        only: Only,
        /// Start again by itself after so long: 30m, 2h, 7d
        #[arg(long = "for", value_name = "SPAN")]
        pause: Option<String>,
    },
    /// Client: force a full synchronisation
    Full {
        #[command(flatten)]
        only: Only,
        /// all or recent
        #[arg(long, default_value = "all")]
        scope: String,
        /// Return when it has ended
        #[arg(long)]
        wait: bool,
    },
    /// Client: let a copy that is held be replaced by what the Master has
    Accept {
        /// The dataset
        dataset: String,
        /// The content that is here now, as `sync status --json` names it: this one and no other
        #[arg(long, value_name = "ID")]
        content: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// The name of the machine on which the command runs
        #[arg(long, value_name = "NAME")]
        confirm_name: String,
    },
    /// Client: compare replica and Master; 0 equal, 1 differs
    Verify {
        #[command(flatten)]
        only: Only,
        /// Only read this restore point again, without the Master
        #[arg(long, value_name = "ID")]
        point: Option<String>,
    },
    /// Client: end the forced sync or the verification that runs
    Cancel,
    /// How far each replica was behind
    Lag {
        /// How far to look back: 10m, 24h, 7d
        #[arg(long, value_name = "SPAN", default_value = "1h")]
        since: String,
    },
    /// Client: from when on one dataset is too far behind
    LagLimit {
        #[command(subcommand)]
        verb: LagLimitVerb,
    },
    /// Client: what can be gone back to
    Points,
    /// Client: how many restore points are kept
    Retention {
        #[command(subcommand)]
        verb: RetentionVerb,
    },
    /// How fast content may travel
    Bandwidth {
        #[command(subcommand)]
        verb: BandwidthVerb,
    },
    /// Client: what the last forced sync and the last verification came to
    Last,
    /// Client: the verification that goes on all the time
    Scrub {
        #[command(subcommand)]
        verb: ScrubVerb,
    },
}

/// A dataset's own limits.
#[derive(Debug, Subcommand)]
pub enum LagLimitVerb {
    /// Every dataset with its limits
    List,
    /// Give one its own
    Set {
        /// The dataset
        dataset: String,
        /// A warning beyond it: 90s, 5m
        #[arg(long, value_name = "SPAN")]
        soft: String,
        /// An alarm beyond it: 5m, 1h
        #[arg(long, value_name = "SPAN")]
        hard: String,
    },
    /// Give one the limits of `tvox-dr threshold` back
    Reset {
        /// The dataset
        dataset: String,
    },
}

/// How many restore points are kept.
#[derive(Debug, Subcommand)]
pub enum RetentionVerb {
    /// The policy
    Show,
    /// Change it; what is left out stays as it is
    Set {
        /// The newest, whatever their age
        #[arg(long, value_name = "N")]
        newest: Option<String>,
        /// One a minute, for so many minutes
        #[arg(long, value_name = "N")]
        minutes: Option<String>,
        /// One an hour, for so many hours
        #[arg(long, value_name = "N")]
        hours: Option<String>,
        /// One a day, for so many days
        #[arg(long, value_name = "N")]
        days: Option<String>,
    },
}

/// The verification that goes on all the time.
#[derive(Debug, Subcommand)]
pub enum ScrubVerb {
    /// How far each replica is, and what was found
    Show,
    /// In how long everything is read again
    Set {
        /// 12h, 7d
        every: String,
    },
}

/// One row of the Replicazione page.
#[derive(Debug, Default, ClapArgs)]
pub struct Only {
    /// database or files
    #[arg(long)]
    pub only: Option<String>,
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
