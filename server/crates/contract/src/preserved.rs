//! What a failback has put aside: on the Master what it replaced, on the Client what was made there and did not travel. Kept
//! until an administrator discards it.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::command::Secret;

/// What an administrator brings to discard what one run has put aside.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PreservedDiscard {
    /// The run.
    pub run: String,
    /// The name of the machine on which the command runs, typed.
    pub confirm_name: String,
    /// The administrator's own password again; asked of whoever comes through the panel.
    pub password: Option<Secret>,
}

/// What one run has put aside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreservedRun {
    /// The run.
    pub run: String,
    /// When the last of it was put there, by this machine's clock; `null` where the disk does not tell.
    pub at: Option<Timestamp>,
    /// How long ago that was.
    pub age_seconds: Option<f64>,
    /// Names of regular files.
    pub files: u64,
    /// Bytes they hold.
    pub bytes: u64,
    /// The run goes on: it may have to be put back.
    pub in_use: bool,
    /// By name.
    pub datasets: Vec<PreservedDataset>,
}

/// One dataset of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreservedDataset {
    /// Its name.
    pub name: String,
    /// `files` or `sqlite`.
    pub kind: String,
    /// Where it lies: `tree` in it holds the files, `database` is a database as it was.
    pub path: String,
    /// Names of regular files.
    pub files: u64,
    /// Bytes they hold.
    pub bytes: u64,
}

/// `tvox-dr preserved list --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreservedReport {
    /// Always [`crate::SCHEMA`].
    pub schema: u32,
    /// The newest first.
    pub preserved: Vec<PreservedRun>,
}

impl PreservedReport {
    /// Bytes that all of it takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.preserved.iter().map(|run| run.bytes).sum()
    }
}
