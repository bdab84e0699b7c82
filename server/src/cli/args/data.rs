//! What is replicated: datasets, the replication itself, its limits and how much of it is kept.

use clap::{Args as ClapArgs, Subcommand};

use crate::cli::bandwidth::BandwidthVerb;

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
