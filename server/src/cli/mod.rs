//! The command line: the contract with scripts. Its words, its JSON and its exit codes change only with the schema.
//!
//! Everything but `init`, `serve` and the making of licences goes over the control socket to the running node, through
//! the same door as the panel.

mod alarm;
mod approval;
mod args;
mod bandwidth;
mod deactivate;
mod delivery;
mod drill;
mod failback;
mod gate;
mod gate_units;
mod isolation;
mod licence;
mod operate;
mod preflight;
mod preserved;
mod print;
mod remote;
mod rescue;
mod retire;
mod service;
mod sibling;
mod step;
mod sync;
mod telephony;

use std::fmt;
use std::process::ExitCode;

use clap::Parser;
use node::OpenError;

use args::{Args, Verb};

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Tried and failed; differences were found; a run is stuck.
    Failed = 1,
    /// A word or a value that cannot be taken.
    Usage = 2,
    /// A guard said no.
    Refused = 3,
    /// No node runs there.
    NotRunning = 4,
    /// The configuration cannot be used.
    Configuration = 5,
    /// The data directory cannot be used.
    Data = 6,
}

impl Exit {
    /// Says a sentence on stderr and fails.
    pub fn failed(sentence: impl fmt::Display) -> Self {
        Self::Failed.saying(sentence)
    }

    /// Says a sentence on stderr.
    pub fn saying(self, sentence: impl fmt::Display) -> Self {
        eprintln!("tvox-dr: {sentence}");
        self
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<OpenError> for Exit {
    fn from(error: OpenError) -> Self {
        let exit = match error {
            OpenError::Configuration { .. } | OpenError::Listen { .. } => Self::Configuration,
            OpenError::Unusable { .. } => Self::Data,
            OpenError::Value { .. } => Self::Usage,
        };
        exit.saying(error)
    }
}

/// Reads the command line and does what it says.
pub async fn run() -> Exit {
    let args = Args::parse();
    let json = args.json;
    let verb = match args.verb {
        Verb::Licence { verb } => match licence::without_node(&verb) {
            Some(exit) => return exit,
            None => Verb::Licence { verb },
        },
        verb => verb,
    };
    let Some(data) = args.data else {
        return Exit::Usage.saying("which node? Give its data directory with --data DIR or TVOX_DR_DATA");
    };
    match verb {
        Verb::Init(init) => remote::init(&data, init, json).await,
        Verb::Serve => crate::serve::run(&data).await,
        Verb::Rescue { verb } => rescue::run(&data, verb, json).await,
        verb => remote::run(&remote::Line { data, json }, verb).await,
    }
}
